"""Measuring one method on a protocol's pairs: blends, their scores, and what could not be blended."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from .contenders import Contender, PairBlend
from .errors import FeatureblendError
from .evaluate.figures import Reference, score_blend, score_path, score_set
from .evaluate.identity import EmbeddingCache, impostor_similarities, match_threshold, similarity, weaker_parent
from .evaluate.mirror import symmetry
from .evaluate.paths import cycle_error
from .evaluate.protocols import Drawn
from .evaluate.report import shown_pairs
from .evaluate.scores import psnr, sharpness, ssim
from .evaluate.spectrum import radial_spectrum
from .faces import FaceDetector

__all__ = ["Measured", "measure_identity", "measure_method", "measure_real"]

BATCH = 16
"""Pairs handled at a time."""

LEAST_BLENDS = 10
"""Fewer make no scores of sets."""

Run = Callable[..., Iterable[Any]]
"""`map`, or a process pool's."""


@dataclass(frozen=True)
class Measured:
    """What is kept of a method."""

    record: dict[str, Any]
    """Plain numbers, ready for JSON: scores of each pair, of all together, and the pairs left out."""
    pictures: dict[int, np.ndarray] = field(repr=False)
    """The blends that the report shows, by the number of their pair."""


def _blended(blend: PairBlend, images: np.ndarray, landmarks: np.ndarray, shares: np.ndarray) -> list[np.ndarray | str]:
    """Blend a batch of pairs; where that fails, one by one, with the reason in place of a blend that fails alone."""
    if len(images) == 0:
        return []
    try:
        return list(blend(images, landmarks, shares))
    except Exception as error:  # a method may fail in any way; the others go on
        if len(images) == 1:
            return [str(error) or type(error).__name__]
    one = partial(_blended, blend, shares=shares)
    return [one(images[at : at + 1], landmarks[at : at + 1])[0] for at in range(len(images))]


def _scored(blend: np.ndarray | str, parents: np.ndarray, landmarks: np.ndarray) -> dict[str, Any] | str:
    if isinstance(blend, str):
        return blend
    try:
        return score_blend(blend, list(parents), list(landmarks))
    except Exception as error:  # as in _blended
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
) -> tuple[Measured, dict[int, np.ndarray]]:
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
    dict
        Every blend that was made, by the number of its pair.
    """
    images, landmarks = drawn.faces.images[drawn.pairs], drawn.faces.landmarks[drawn.pairs].astype(np.float64)
    made = _made(contender, images, landmarks, 0.5, run)
    scored = []
    for scores in run(_scored, made, images, landmarks):
        scored.append(scores)
        step(1)
    failures = {index: scores for index, scores in enumerate(scored) if isinstance(scores, str)}
    blends = {index: blend for index, blend in enumerate(made) if not isinstance(blend, str) and index not in failures}
    record = _record(len(drawn.pairs), [scores if isinstance(scores, dict) else {} for scores in scored], reference)
    record["model"] = contender.model
    record["note"] = contender.note
    record["failures"] = [
        {"pair": index, "photos": drawn.faces.sources[drawn.pairs[index]].tolist(), "reason": reason}
        for index, reason in failures.items()
    ]
    if len(blends) >= LEAST_BLENDS:
        record["sets"] = score_set(np.stack(list(blends.values())), drawn.faces.images[drawn.parents], reference)
    count = min(drawn.protocol.paths, len(images))
    if blends:
        record["scores"].update(_paths(contender, images[:count], landmarks[:count], drawn.protocol.steps, run))
        if contender.encode is not None:
            record["scores"].update(_latents(contender, images, blends, landmarks))
    return Measured(record, {index: blends[index] for index in shown_pairs(record) if index in blends}), blends


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
        "identity": {},
    }


def _finite(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else float(value)


def _paths(
    contender: Contender, images: np.ndarray, landmarks: np.ndarray, steps: int, run: Run
) -> dict[str, list[float | None]]:
    columns = [_made(contender, images, landmarks, alpha, run) for alpha in np.linspace(0, 1, steps)]
    scored: list[dict[str, float]] = []
    for pair, continuum in zip(images, zip(*columns, strict=True), strict=True):
        try:
            whole = [picture for picture in continuum if isinstance(picture, np.ndarray)]
            scored.append(score_path(whole, *pair) if len(whole) == steps else {})
        except FeatureblendError:  # two equal photos have no way between them
            scored.append({})
    names = ("path_irregularity", "path_length", "boundary_error")
    return {name: [_finite(scores.get(name)) for scores in scored] for name in names}


def _latents(
    contender: Contender, images: np.ndarray, blends: dict[int, np.ndarray], landmarks: np.ndarray
) -> dict[str, list[float | None]]:
    """Measure what the autoencoder loses: of the parents, and of the blends' latents."""
    assert contender.encode is not None
    assert contender.decode is not None
    assert contender.latents is not None
    columns: dict[str, list[float | None]] = {
        name: [None] * len(images) for name in ("reconstruction_psnr", "reconstruction_ssim", "cycle_error")
    }
    indices = list(blends)
    for start in range(0, len(indices), BATCH):
        chosen = indices[start : start + BATCH]
        parents = images[chosen].reshape(-1, *images.shape[2:])
        again = contender.decode(contender.encode(parents)).reshape(images[chosen].shape)
        latents = contender.latents(images[chosen], landmarks[chosen], np.array([0.5, 0.5]))
        twice = contender.encode(np.stack([blends[index] for index in chosen]))
        for index, pair, made, latent, returned in zip(chosen, images[chosen], again, latents, twice, strict=True):
            both = list(zip(made, pair, strict=True))
            columns["reconstruction_psnr"][index] = _finite(float(np.mean([psnr(a, b) for a, b in both])))
            columns["reconstruction_ssim"][index] = float(np.mean([ssim(a, b) for a, b in both]))
            columns["cycle_error"][index] = cycle_error(latent, returned)
    return columns


def measure_real(drawn: Drawn, reference: Reference) -> Measured:
    """Measure the parents themselves as if they were blends: the line that a method is held by."""
    indices = drawn.parents
    images, landmarks = drawn.faces.images[indices], drawn.faces.landmarks[indices].astype(np.float64)
    scored = [
        {
            "sharpness": sharpness(image),
            "spectrum": radial_spectrum(image)[0].tolist(),
            "symmetry": symmetry(image, points) if np.isfinite(points).all() else None,
        }
        for image, points in zip(images, landmarks, strict=True)
    ]
    record = _record(len(indices), scored, reference)
    # As many as there are pairs, where there are so many: the scores of sets depend on the count.
    images = images[: len(drawn.pairs)]
    record.update(model="", note="the parents, as if they were blends", set_count=len(images))
    if len(images) >= LEAST_BLENDS:
        record["sets"] = score_set(images, images, reference)
        record["sets"].pop("diversity")
    return Measured(record, {})


@lru_cache(maxsize=1)
def _detector() -> FaceDetector:
    return FaceDetector()


def _embedded(folder: str, image: np.ndarray, landmarks: np.ndarray) -> np.ndarray | None:
    if not np.isfinite(landmarks).all():
        return None
    return EmbeddingCache(folder, _detector().embedding)(image, landmarks)


def measure_identity(
    measured: Measured,
    blends: dict[int, np.ndarray],
    drawn: Drawn,
    folder: str | os.PathLike[str],
    run: Run = map,
) -> None:
    """Add the figures of identity to a method's record.

    Parameters
    ----------
    measured : Measured
        Its record is added to.
    blends : dict
        Every blend by the number of its pair.
    drawn : Drawn
    folder : path-like
        Where embeddings are kept.
    run : callable
        `map`, or a process pool's.

    Raises
    ------
    FeatureblendError
        If no pair has a second photo of both people, or there are too few faces to set a threshold.

    Notes
    -----
    The threshold is set on faces of the same split: the parents and their people's other photos.
    """
    probes = drawn.probes()
    mated = [index for index in blends if (probes[index] >= 0).all()]
    if not (probes >= 0).all(axis=1).any():
        raise FeatureblendError(
            "MMPMR needs a second photo of both people of a pair, and no pair of the protocol has them: "
            "give more photos of a person, or leave --identity out"
        )
    faces, used = drawn.faces, sorted({*drawn.parents.tolist(), *probes[probes >= 0].tolist()})
    embed = partial(_embedded, os.fspath(Path(folder)))
    marks = faces.landmarks.astype(np.float64)
    known = dict(zip(used, run(embed, faces.images[used], marks[used]), strict=True))
    middles = [marks[drawn.pairs[index]].mean(axis=0) for index in blends]
    ours = dict(zip(blends, run(embed, list(blends.values()), middles), strict=True))
    whole = [index for index in used if known[index] is not None]
    impostors = impostor_similarities(np.stack([known[index] for index in whole]), faces.people[whole])
    threshold = match_threshold(impostors)
    count = len(drawn.pairs)
    matches: list[float | None] = [None] * count
    likeness: list[float | None] = [None] * count

    def against(index: int, others: np.ndarray) -> float | None:
        vectors = [known[other] for other in others.tolist()]
        if ours[index] is None or any(vector is None for vector in vectors):
            return None
        return float(weaker_parent(similarity(ours[index], np.stack(vectors))[None])[0])

    for index in blends:
        likeness[index] = against(index, drawn.pairs[index])
    for index in mated:
        weaker = against(index, probes[index])
        matches[index] = None if weaker is None else float(weaker > threshold)
    measured.record["scores"].update(mmpmr=matches, weaker_parent=likeness)
    measured.record["identity"] = {"threshold": threshold, "impostors": len(impostors), "mated": len(mated)}
