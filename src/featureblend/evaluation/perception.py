"""Optional measures by published networks: identity (dlib's recogniser), Inception's FID and KID, LPIPS."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import FeatureblendError
from ..faces.recognizers import DlibRecognizer, Recognizer
from .identity import (
    FALSE_MATCH_RATE,
    EmbeddingCache,
    impostor_similarities,
    match_threshold,
    similarity,
    weaker_parent,
)
from .learned import Extractors, inception_rows, lpips_pairs, lpips_path, set_scores
from .measuring import LEAST_BLENDS, Measured, MethodPictures, Run
from .protocols import Drawn

__all__ = ["check_identity", "measure_identity", "measure_networks", "measure_real_networks"]


def check_identity(drawn: Drawn) -> None:
    """Check, before any measurement, that identity can be measured on a draw.

    Raises
    ------
    FeatureblendError
        If the recogniser is not installed, no pair has a second photo of both people, or there are too few people to
        set a threshold.
    """
    DlibRecognizer.check()
    if not (drawn.probes() >= 0).all(axis=1).any():
        raise FeatureblendError(
            "MMPMR needs a second photo of both people of a pair, and no pair of the protocol has them: "
            "give more photos of a person, or leave --identity out"
        )
    people = drawn.faces.people[_faces_known(drawn)]
    _, counts = np.unique(people, return_counts=True)
    impostors = (len(people) ** 2 - int((counts.astype(np.int64) ** 2).sum())) // 2
    if impostors * FALSE_MATCH_RATE < 1:
        raise FeatureblendError(
            f"MMPMR needs {round(1 / FALSE_MATCH_RATE)} pairs of different people to set its threshold, and the "
            f"protocol's {len(people)} faces make {impostors}: give more faces, or leave --identity out"
        )


def _faces_known(drawn: Drawn) -> list[int]:
    """Indices of the faces whose identity is needed: the parents, and their people's other photos."""
    probes = drawn.probes()
    used = sorted({*drawn.parents.tolist(), *probes[probes >= 0].tolist()})
    return [index for index in used if np.isfinite(drawn.faces.landmarks[index]).all()]


@lru_cache(maxsize=1)
def _recognizer() -> Recognizer:
    return DlibRecognizer()


def _embedded(folder: str, image: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    return EmbeddingCache(folder, _recognizer().embedding)(image, landmarks)


def measure_identity(
    measured: Measured,
    made: MethodPictures,
    drawn: Drawn,
    folder: str | os.PathLike[str],
    run: Run = map,
    step: Callable[[int], Any] = int,
) -> None:
    """Add the figures of identity to a method's record.

    Parameters
    ----------
    measured : Measured
        Its record is added to.
    made : MethodPictures
        Its blends.
    drawn : Drawn
    folder : path-like
        Where embeddings are kept.
    run : callable
        `map`, or a process pool's.
    step : callable
        Told how many pairs are done, as they are.

    Raises
    ------
    FeatureblendError
        As `check_identity`.

    Notes
    -----
    The threshold is set on faces of the same split: the parents and their people's other photos.
    """
    check_identity(drawn)
    faces, probes, blends = drawn.faces, drawn.probes(), made.blends
    embed = partial(_embedded, os.fspath(Path(folder)))
    marks = faces.landmarks.astype(np.float64)
    used = _faces_known(drawn)
    known = dict(zip(used, run(embed, faces.images[used], marks[used]), strict=True))
    middles = [marks[drawn.pairs[index]].mean(axis=0) for index in blends]
    ours = {}
    for index, vector in zip(blends, run(embed, list(blends.values()), middles), strict=True):
        ours[index] = vector
        step(1)
    impostors = impostor_similarities(np.stack(list(known.values())), faces.people[used])
    threshold = match_threshold(impostors)
    matches: list[float | None] = [None] * len(drawn.pairs)
    likeness: list[float | None] = [None] * len(drawn.pairs)

    def weaker(index: int, others: np.ndarray) -> float | None:
        vectors = [known[other] for other in others.tolist() if other in known]
        if len(vectors) < len(others):
            return None
        return float(weaker_parent(similarity(ours[index], np.stack(vectors))[None])[0])

    for index in blends:
        likeness[index] = weaker(index, drawn.pairs[index])
        to_probes = weaker(index, probes[index])
        matches[index] = None if to_probes is None else float(to_probes > threshold)
    measured.record["scores"].update(mmpmr=matches, weaker_parent=likeness)
    measured.record["identity"] = {
        "threshold": threshold,
        "impostors": len(impostors),
        "mated": int((probes >= 0).all(axis=1).sum()),
    }


def measure_networks(
    measured: Measured,
    made: MethodPictures,
    drawn: Drawn,
    networks: Extractors,
    real: np.ndarray | None,
    run: Run = map,
) -> None:
    """Add the figures of Inception and LPIPS, if their weights were given, to a method's record.

    Parameters
    ----------
    measured : Measured
        Its record is added to.
    made : MethodPictures
    drawn : Drawn
    networks : Extractors
    real : (R, 2048) array, optional
        Inception's features of the real faces to compare with; needed with Inception.
    run : callable
        `map`, or a process pool's.
    """
    record = measured.record
    record["networks"] = networks.names
    if networks.inception and real is not None and len(made.blends) >= LEAST_BLENDS:
        rows = inception_rows(networks, np.stack(list(made.blends.values())), run)
        record["sets"].update(set_scores(real, rows))
    if networks.lpips and made.blends:
        images = drawn.faces.images[drawn.pairs]
        record["scores"].update(lpips_pairs(networks, images, made.blends, made.again, run))
        path = partial(lpips_path, networks)
        continua = made.continua
        lengths = run(path, list(continua.values()), images[[*continua], 0], images[[*continua], 1])
        column: list[float | None] = [None] * min(drawn.protocol.paths, len(images))
        for index, length in zip(continua, lengths, strict=True):
            column[index] = length
        record["scores"]["lpips_path_length"] = column


def measure_real_networks(
    measured: Measured, drawn: Drawn, networks: Extractors, real: np.ndarray | None, run: Run = map
) -> None:
    """Add Inception's figures of the parents themselves, the level a blend could reach."""
    measured.record["networks"] = networks.names
    count = measured.record["set_count"]
    if networks.inception and real is not None and count >= LEAST_BLENDS:
        rows = inception_rows(networks, drawn.faces.images[drawn.parents[:count]], run)
        measured.record["sets"].update(set_scores(real, rows))
