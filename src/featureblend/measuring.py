"""Measuring one method on a protocol's pairs: blends, their scores, and what could not be blended."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from .contenders import Contender, PairBlend
from .evaluate.mirror import symmetry
from .evaluate.patch_statistics import image_features
from .evaluate.paths import cycle_error, mean_distance
from .evaluate.protocols import Drawn
from .evaluate.report import shown_pairs
from .evaluate.scores import ms_ssim, psnr, sharpness, ssim
from .evaluate.scoring import Reference, nearest_training, score_blend, score_path, score_set
from .evaluate.spectrum import radial_spectrum

__all__ = ["Made", "Measured", "Run", "measure_method", "measure_real"]

BATCH = 16
"""Pairs handled at a time."""

LEAST_BLENDS = 10
"""Fewer make no scores of sets."""

PATH_FIGURES = ("path_irregularity", "path_length", "smoothness", "mean_distance", "boundary_error")
LATENT_FIGURES = ("reconstruction_psnr", "reconstruction_ssim", "reconstruction_ms_ssim", "cycle_error")

Run = Callable[..., Iterable[Any]]
"""`map`, or a process pool's."""


@dataclass(frozen=True)
class Measured:
    """What is kept of a method."""

    record: dict[str, Any]
    """Plain numbers, ready for JSON: scores of each pair, of all together, and the pairs left out."""
    pictures: dict[int, np.ndarray] = field(repr=False)
    """The blends that the report shows, by the number of their pair."""


@dataclass(frozen=True)
class Made:
    """The pictures that a method made, for further measuring; they are not kept."""

    blends: dict[int, np.ndarray] = field(default_factory=dict)
    """(H, W, 3) uint8, by the number of their pair."""
    again: dict[int, np.ndarray] = field(default_factory=dict)
    """(2, H, W, 3) uint8: the parents encoded and decoded, where the method can."""
    continua: dict[int, list[np.ndarray]] = field(default_factory=dict)
    """From the first parent to the second, of the protocol's first pairs."""


def _blended(blend: PairBlend, images: np.ndarray, landmarks: np.ndarray, shares: np.ndarray) -> list[np.ndarray | str]:
    """Blend a batch of pairs; where that fails, one by one, with the reason in place of a blend that fails alone."""
    if len(images) == 0:
        return []
    try:
        return list(blend(images, landmarks, shares))
    except Exception as error:  # a method may fail in any way; the others go on
        if len(images) == 1:
            return [_said(error)]
    one = partial(_blended, blend, shares=shares)
    return [one(images[at : at + 1], landmarks[at : at + 1])[0] for at in range(len(images))]


def _scored(blend: np.ndarray | str, parents: np.ndarray, landmarks: np.ndarray) -> dict[str, Any] | str:
    if isinstance(blend, str):
        return blend
    if not np.isfinite(landmarks).all():
        return "a photo has no landmarks"
    try:
        return score_blend(blend, list(parents), list(landmarks))
    except Exception as error:  # as in _blended
        return _said(error)


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__


def _made(
    contender: Contender, images: np.ndarray, landmarks: np.ndarray, alpha: float, run: Run
) -> list[np.ndarray | str]:
    """Blend pairs in batches; `alpha` is the weight of the second."""
    starts = range(0, len(images), BATCH)
    batches = [(images[at : at + BATCH], landmarks[at : at + BATCH]) for at in starts]
    apply = run if contender.portable else map
    made = apply(partial(_blended, contender.blend, shares=np.array([1 - alpha, alpha])), *zip(*batches, strict=True))
    return [blend for batch in made for blend in batch]


def measure_method(
    contender: Contender, drawn: Drawn, reference: Reference, run: Run = map, step: Callable[[int], Any] = int
) -> tuple[Measured, Made]:
    """Blend every pair and score the blends.

    Parameters
    ----------
    contender : Contender
    drawn : Drawn
    reference : Reference
    run : callable
        `map`, or a process pool's.
    step : callable
        Told how many pairs are done, as they are.

    Returns
    -------
    Measured
    Made
    """
    images, landmarks = drawn.faces.images[drawn.pairs], drawn.faces.landmarks[drawn.pairs].astype(np.float64)
    scored: list[dict[str, Any] | str] = []
    blended = _made(contender, images, landmarks, 0.5, run)
    for scores in run(_scored, blended, images, landmarks):
        scored.append(scores)
        step(1)
    failures = {index: scores for index, scores in enumerate(scored) if isinstance(scores, str)}
    blends = {
        index: blend for index, blend in enumerate(blended) if not isinstance(blend, str) and index not in failures
    }
    record = _record(len(drawn.pairs), [scores if isinstance(scores, dict) else {} for scores in scored], reference)
    record["model"] = contender.model
    record["note"] = contender.note
    record["failures"] = [_failure(drawn, index, reason) for index, reason in failures.items()]
    made = Made(blends)
    if not blends:
        return Measured(record, {}), made
    stack = np.stack(list(blends.values()))
    if len(blends) >= LEAST_BLENDS:
        record["sets"] = score_set(stack, drawn.faces.images[drawn.parents], reference)
    nearest: dict[int, float] = dict(zip(blends, nearest_training(stack, reference), strict=False))
    if nearest:
        record["scores"]["nearest_training"] = [nearest.get(index) for index in range(len(images))]
    for part in (_path_scores, _latent_scores):
        columns, reasons = part(contender, drawn, made, reference, run)
        record["scores"].update(columns)
        record["gaps"] += [_failure(drawn, index, reason) for index, reason in reasons.items()]
    return Measured(record, {index: blends[index] for index in shown_pairs(record) if index in blends}), made


def _failure(drawn: Drawn, index: int, reason: str) -> dict[str, Any]:
    return {"pair": index, "photos": drawn.faces.sources[drawn.pairs[index]].tolist(), "reason": reason}


def _record(count: int, scored: list[dict[str, Any]], reference: Reference) -> dict[str, Any]:
    names = list(dict.fromkeys(name for scores in scored for name in scores if name != "spectrum"))
    columns = {name: [_finite(scores.get(name)) for scores in scored] for name in names}
    if "sharpness" in columns:
        columns["sharpness"] = [
            None if value is None else value / reference.sharpness for value in columns["sharpness"]
        ]
    return {
        "count": count,
        "set_count": sum(bool(scores) for scores in scored),
        "scores": columns,
        "sets": {},
        "spectra": [scores["spectrum"] for scores in scored if scores],
        "reference_spectrum": reference.spectrum.tolist(),
        "failures": [],
        "gaps": [],
        "identity": {},
        "networks": {},
    }


def _finite(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else float(value)


Columns = tuple[dict[str, list[float | None]], dict[int, str]]
"""Scores by figure, one a pair; and why a pair has none, by its number."""


def _path_scores(contender: Contender, drawn: Drawn, made: Made, reference: Reference, run: Run) -> Columns:
    count = min(drawn.protocol.paths, len(drawn.pairs))
    chosen = drawn.pairs[:count]
    images, landmarks = drawn.faces.images[chosen], drawn.faces.landmarks[chosen].astype(np.float64)
    steps = [_made(contender, images, landmarks, alpha, run) for alpha in np.linspace(0, 1, drawn.protocol.steps)]
    columns: dict[str, list[float | None]] = {name: [None] * count for name in PATH_FIGURES}
    reasons = {}
    for index, continuum in enumerate(zip(*steps, strict=True)):
        whole = [picture for picture in continuum if isinstance(picture, np.ndarray)]
        if len(whole) < len(continuum):
            if index in made.blends:  # a pair without a blend is named already
                reason = next(str(picture) for picture in continuum if isinstance(picture, str))
                reasons[index] = f"no continuum: {reason}"
            continue
        try:
            scores = score_path(whole, images[index, 0], images[index, 1], reference)
        except Exception as error:  # two equal photos have no way between them, say
            reasons[index] = f"no continuum: {_said(error)}"
            continue
        made.continua[index] = whole
        for name in PATH_FIGURES:
            columns[name][index] = _finite(scores[name])
    return columns, reasons


def _latent_scores(contender: Contender, drawn: Drawn, made: Made, reference: Reference, run: Run) -> Columns:
    """Measure what the autoencoder loses: of the parents, and of the blends' latents."""
    if contender.encode is None:
        return {}, {}
    images, landmarks = drawn.faces.images[drawn.pairs], drawn.faces.landmarks[drawn.pairs].astype(np.float64)
    columns: dict[str, list[float | None]] = {name: [None] * len(images) for name in LATENT_FIGURES}
    cycles, reasons = columns["cycle_error"], dict[int, str]()

    def measure(chosen: list[int]) -> None:
        again, latents, twice = _there_and_back(contender, images[chosen], landmarks[chosen], made, chosen)
        for index, picture, latent, returned in zip(chosen, again, latents, twice, strict=True):
            cycles[index] = cycle_error(latent, returned)
            made.again[index] = picture

    indices = list(made.blends)
    for start in range(0, len(indices), BATCH):
        chosen = indices[start : start + BATCH]
        try:
            measure(chosen)
        except Exception:  # one of them: which, is found by trying each alone
            for index in chosen:
                try:
                    measure([index])
                except Exception as error:
                    reasons[index] = f"no reconstruction: {_said(error)}"
    whole = list(made.again)
    for index, scores in zip(
        whole, run(_likeness, [made.again[index] for index in whole], list(images[whole])), strict=True
    ):
        for name, value in zip(LATENT_FIGURES, scores, strict=False):
            columns[name][index] = _finite(value)
    return columns, reasons


def _there_and_back(
    contender: Contender, images: np.ndarray, landmarks: np.ndarray, made: Made, chosen: list[int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the parents encoded and decoded, the blends' latents, and those of the blends encoded again."""
    assert contender.encode is not None
    assert contender.decode is not None
    assert contender.latents is not None
    again = contender.decode(contender.encode(images.reshape(-1, *images.shape[2:]))).reshape(images.shape)
    latents = contender.latents(images, landmarks, np.array([0.5, 0.5]))
    return again, latents, contender.encode(np.stack([made.blends[index] for index in chosen]))


def _likeness(again: np.ndarray, parents: np.ndarray) -> tuple[float, ...]:
    """Return the means over both parents, in the order of LATENT_FIGURES."""
    both = list(zip(again, parents, strict=True))
    return tuple(float(np.mean([score(a, b) for a, b in both])) for score in (psnr, ssim, ms_ssim))


def measure_real(drawn: Drawn, reference: Reference) -> Measured:
    """Measure the parents themselves as if they were blends: the line that a method is held by."""
    indices = drawn.parents
    images, landmarks = drawn.faces.images[indices], drawn.faces.landmarks[indices].astype(np.float64)
    scored = [
        {
            "sharpness": sharpness(image),
            "spectrum": radial_spectrum(image)[0].tolist(),
            "symmetry": symmetry(image, points) if np.isfinite(points).all() else None,
            "mean_distance": mean_distance(image_features(image), reference.features),
        }
        for image, points in zip(images, landmarks, strict=True)
    ]
    record = _record(len(indices), scored, reference)
    nearest = nearest_training(images, reference)
    if nearest:
        record["scores"]["nearest_training"] = nearest
    # As many as there are pairs, where there are so many: the scores of sets depend on the count.
    images = images[: len(drawn.pairs)]
    record.update(model="", note="the parents, as if they were blends", set_count=len(images))
    if len(images) >= LEAST_BLENDS:
        record["sets"] = score_set(images, images, reference)
        record["sets"].pop("diversity")
    return Measured(record, {})
