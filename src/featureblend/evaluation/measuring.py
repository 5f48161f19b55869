"""Measuring one method on a protocol's pairs: blends, their scores, and what could not be blended."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from ..io.memoize import memoize
from ..metrics.mirror import symmetry
from ..metrics.patch_statistics import image_features
from ..metrics.paths import cycle_error, mean_distance
from ..metrics.scores import ms_ssim, psnr, sharpness, ssim
from ..metrics.spectrum import radial_spectrum
from .methods import Method, PairBlend
from .protocols import Drawn
from .report import shown_pairs
from .scoring import Reference, nearest_training, score_blend, score_path, score_set

__all__ = ["Measured", "MethodPictures", "Run", "measure_method", "measure_real"]

BATCH = 16
"""Pairs handled at a time."""

LEAST_BLENDS = 10
"""Fewest blends for scores of sets."""

PATH_FIGURES = ("path_irregularity", "path_length", "smoothness", "mean_distance", "boundary_error")
LATENT_FIGURES = ("reconstruction_psnr", "reconstruction_ssim", "reconstruction_ms_ssim", "cycle_error")

Run = Callable[..., Iterable[Any]]
"""`map`, or a process pool's."""


@dataclass(frozen=True)
class Measured:
    """The kept results of a method."""

    record: dict[str, Any]
    """Plain numbers, ready for JSON: scores of each pair, of all together, and the pairs left out."""
    pictures: dict[int, np.ndarray] = field(repr=False)
    """The blends that the report shows, by the number of their pair."""
    sheets: dict[str, np.ndarray] = field(default_factory=dict, repr=False)
    """Further pictures that the report shows, by name."""


@dataclass(frozen=True)
class MethodPictures:
    """The pictures that a method made, for further measuring; they are not kept."""

    blends: dict[int, np.ndarray] = field(default_factory=dict)
    """(H, W, 3) uint8, by the number of their pair."""
    again: dict[int, np.ndarray] = field(default_factory=dict)
    """(2, H, W, 3) uint8: the parents encoded and decoded, where the method can."""
    continua: dict[int, list[np.ndarray]] = field(default_factory=dict)
    """From the first parent to the second, of the protocol's first pairs."""


Pictures = list[np.ndarray | str]
"""Blends, or the reason why there is none."""


def _blended(blend: PairBlend, images: np.ndarray, landmarks: np.ndarray, shares: np.ndarray) -> Pictures:
    """Blend a batch of pairs; where that fails, one by one, with the reason in place of a blend that fails alone."""
    try:
        return list(blend(images, landmarks, shares))
    except Exception as error:  # a method may fail in any way; the others go on
        if len(images) == 1:
            return [_said(error)]
    one = partial(_blended, blend, shares=shares)
    return [one(images[at : at + 1], landmarks[at : at + 1])[0] for at in range(len(images))]


Scores = tuple[dict[str, Any] | str, np.ndarray | None]
"""Scores of a blend, or why it has none; and its features."""


def _scored(blends: Pictures, images: np.ndarray, landmarks: np.ndarray) -> list[Scores]:
    return [_scored_one(*each) for each in zip(blends, images, landmarks, strict=True)]


def _scored_one(blend: np.ndarray | str, parents: np.ndarray, landmarks: np.ndarray) -> Scores:
    if isinstance(blend, str):
        return blend, None
    if not np.isfinite(landmarks).all():
        return "a photo has no landmarks", None
    try:
        return score_blend(blend, list(parents), list(landmarks)), image_features(blend)[0]
    except Exception as error:  # as in _blended
        return _said(error), None


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__


def _batches(*columns: Sequence[Any] | np.ndarray) -> Iterator[tuple[Any, ...]]:
    """Split columns into batches of rows: for each column an iterable of its parts."""
    starts = range(0, len(columns[0]), BATCH)
    return zip(*[[column[at : at + BATCH] for column in columns] for at in starts], strict=True)


def _made(
    method: Method, images: np.ndarray, landmarks: np.ndarray, alphas: Sequence[float], run: Run
) -> list[Pictures]:
    """Blend pairs in batches: all of them for each of `alphas`, the weights of the second."""
    tasks = [
        (*batch, np.array([1 - alpha, alpha]))
        for alpha in alphas
        for batch in zip(*_batches(images, landmarks), strict=True)
    ]
    made = list(run(partial(_blended, method.blend), *zip(*tasks, strict=True)))
    each = len(made) // len(alphas)
    return [[blend for batch in made[at : at + each] for blend in batch] for at in range(0, len(made), each)]


def measure_method(
    method: Method, drawn: Drawn, reference: Reference, run: Run = map, step: Callable[[int], Any] = int
) -> tuple[Measured, MethodPictures]:
    """Blend every pair and score the blends.

    Parameters
    ----------
    method : Method
    drawn : Drawn
    reference : Reference
    run : callable
        `map`, or a process pool's.
    step : callable
        Told how many pairs are done, as they are.

    Returns
    -------
    Measured
    MethodPictures
    """
    images, landmarks = drawn.faces.images[drawn.pairs], drawn.faces.landmarks[drawn.pairs].astype(np.float64)
    scored: list[dict[str, Any] | str] = []
    described: list[np.ndarray | None] = []
    at_hand = run if method.portable else map
    (blended,) = _made(method, images, landmarks, [0.5], at_hand)
    for batch in run(_scored, *_batches(blended, images, landmarks)):
        scored += [scores for scores, _ in batch]
        described += [features for _, features in batch]
        step(len(batch))
    failures = {index: scores for index, scores in enumerate(scored) if isinstance(scores, str)}
    blends = {
        index: blend for index, blend in enumerate(blended) if not isinstance(blend, str) and index not in failures
    }
    record = _record(len(drawn.pairs), [scores if isinstance(scores, dict) else {} for scores in scored], reference)
    record["model"] = method.model
    record["note"] = method.note
    record["failures"] = [_failure(drawn, index, reason) for index, reason in failures.items()]
    made = MethodPictures(blends)
    if not blends:
        return Measured(record, {}), made
    stack = np.stack(list(blends.values()))
    if len(blends) >= LEAST_BLENDS:
        features = np.stack([features for features in described if features is not None])
        record["sets"] = score_set(stack, drawn.faces.images[drawn.parents], reference, features, run)
    nearest: dict[int, float] = dict(zip(blends, nearest_training(stack, reference), strict=False))
    if nearest:
        record["scores"]["nearest_training"] = [nearest.get(index) for index in range(len(images))]
    for part in (_path_scores, _latent_scores):
        columns, reasons = part(method, drawn, made, reference, at_hand)
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


def _path_scores(method: Method, drawn: Drawn, made: MethodPictures, reference: Reference, run: Run) -> Columns:
    count = min(drawn.protocol.paths, len(drawn.pairs))
    chosen = drawn.pairs[:count]
    images, landmarks = drawn.faces.images[chosen], drawn.faces.landmarks[chosen].astype(np.float64)
    steps = _made(method, images, landmarks, np.linspace(0, 1, drawn.protocol.steps).tolist(), run)
    columns: dict[str, list[float | None]] = {name: [None] * count for name in PATH_FIGURES}
    reasons = {}
    for index, continuum in enumerate(zip(*steps, strict=True)):
        whole = [picture for picture in continuum if isinstance(picture, np.ndarray)]
        if len(whole) == len(continuum):
            made.continua[index] = whole
        elif index in made.blends:  # a pair without a blend is named already
            reasons[index] = next(str(picture) for picture in continuum if isinstance(picture, str))
    found = [*made.continua]
    task = partial(_path_scored, real=reference.features)
    for index, scores in zip(found, run(task, made.continua.values(), images[found, 0], images[found, 1]), strict=True):
        if isinstance(scores, str):
            reasons[index] = scores
            del made.continua[index]
            continue
        for name in PATH_FIGURES:
            columns[name][index] = _finite(scores[name])
    return columns, {index: f"no continuum: {reasons[index]}" for index in sorted(reasons)}


def _path_scored(
    continuum: Sequence[np.ndarray], a: np.ndarray, b: np.ndarray, real: np.ndarray
) -> dict[str, Any] | str:
    try:
        return score_path(continuum, a, b, real)
    except Exception as error:  # two equal photos have no way between them, say
        return _said(error)


def _latent_scores(method: Method, drawn: Drawn, made: MethodPictures, reference: Reference, run: Run) -> Columns:
    """Measure the autoencoder's errors, on the parents and on the blends' latents."""
    if method.encode is None:
        return {}, {}
    images, landmarks = drawn.faces.images[drawn.pairs], drawn.faces.landmarks[drawn.pairs].astype(np.float64)
    columns: dict[str, list[float | None]] = {name: [None] * len(images) for name in LATENT_FIGURES}
    chosen, blends = list(made.blends), np.stack(list(made.blends.values()))
    tasks = run(partial(_there_and_back, method), *_batches(images[chosen], landmarks[chosen], blends))
    reasons = {}
    for index, result in zip(chosen, (result for batch in tasks for result in batch), strict=True):
        if isinstance(result, str):
            reasons[index] = f"no reconstruction: {result}"
            continue
        made.again[index], scores = result
        for name, value in zip(LATENT_FIGURES, scores, strict=True):
            columns[name][index] = _finite(value)
    return columns, reasons


Returned = tuple[np.ndarray, tuple[float, ...]] | str
"""Both parents encoded and decoded, and the pair's scores in the order of LATENT_FIGURES; or why there are none."""


def _there_and_back(method: Method, images: np.ndarray, landmarks: np.ndarray, blends: np.ndarray) -> list[Returned]:
    """Encode and decode the parents of a batch, and encode its blends again; where that fails, one by one."""
    try:
        assert method.encode is not None
        assert method.latents is not None
        again = _given_back(method, images.reshape(-1, *images.shape[2:])).reshape(images.shape)
        latents = method.latents(images, landmarks, np.array([0.5, 0.5]))
        cycles = [cycle_error(*both) for both in zip(latents, method.encode(blends), strict=True)]
        likeness = [
            np.mean([_likeness(*both) for both in zip(*pair, strict=True)], axis=0).tolist()
            for pair in zip(again, images, strict=True)
        ]
        return [(two, (*scores, cycle)) for two, scores, cycle in zip(again, likeness, cycles, strict=True)]
    except Exception as error:
        if len(images) == 1:
            return [_said(error)]
    alone = (slice(at, at + 1) for at in range(len(images)))
    return [_there_and_back(method, images[one], landmarks[one], blends[one])[0] for one in alone]


def _given_back(method: Method, images: np.ndarray) -> np.ndarray:
    if method.again is not None:
        return method.again(images)
    assert method.encode is not None
    assert method.decode is not None
    return method.decode(method.encode(images))


@memoize
def _likeness(again: np.ndarray, parent: np.ndarray) -> np.ndarray:
    """The first three of LATENT_FIGURES, in their order."""
    return np.array([score(again, parent) for score in (psnr, ssim, ms_ssim)])


def measure_real(drawn: Drawn, reference: Reference, run: Run = map) -> Measured:
    """Measure the parents themselves as if they were blends, as the line to compare with."""
    indices = drawn.parents
    images, landmarks = drawn.faces.images[indices], drawn.faces.landmarks[indices].astype(np.float64)
    task = partial(_real_scored, real=reference.features)
    found = [each for batch in run(task, *_batches(images, landmarks)) for each in batch]
    scored, described = [scores for scores, _ in found], np.stack([features for _, features in found])
    record = _record(len(indices), scored, reference)
    nearest = nearest_training(images, reference)
    if nearest:
        record["scores"]["nearest_training"] = nearest
    # As many as there are pairs, where there are so many: the scores of sets depend on the count.
    images = images[: len(drawn.pairs)]
    record.update(model="", note="the parents, as if they were blends", set_count=len(images))
    if len(images) >= LEAST_BLENDS:
        record["sets"] = score_set(images, images, reference, described[: len(images)], run)
        record["sets"].pop("diversity")
    return Measured(record, {})


def _real_scored(
    images: np.ndarray, landmarks: np.ndarray, real: np.ndarray
) -> list[tuple[dict[str, Any], np.ndarray]]:
    features = image_features(images)
    scores = [
        {
            "sharpness": sharpness(image),
            "spectrum": radial_spectrum(image)[0].tolist(),
            "symmetry": symmetry(image, points) if np.isfinite(points).all() else None,
            "mean_distance": mean_distance(row[None], real),
        }
        for image, points, row in zip(images, landmarks, features, strict=True)
    ]
    return list(zip(scores, features, strict=True))
