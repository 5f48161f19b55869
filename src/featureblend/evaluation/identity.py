"""Identity: whether both people can be recognised in a blend (MMPMR, Scherhag et al. 2017)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import FeatureblendError
from ..faces.recognizers import RECOGNIZERS, Recognizer
from .protocols import Drawn

if TYPE_CHECKING:
    from .measuring import PairResult


FALSE_MATCH_RATE = 0.001
"""One impostor in a thousand passes: FRONTEX's requirement for border control, at which MMPMR is usually reported."""


@lru_cache
def _recognizer(name: str) -> Recognizer:
    return RECOGNIZERS[name]()


def embedding(image: np.ndarray, landmarks: np.ndarray, names: Sequence[str] = ("dlib",)) -> np.ndarray:
    """The recognisers' (R, D) float64 embeddings of a face, (H, W, 3) uint8 with (68, 2) landmarks."""
    return np.stack([np.asarray(_recognizer(name).embedding(image, landmarks), np.float64) for name in names])


def check_identity(drawn: Drawn) -> None:
    """Check, before any measurement, that identity can be measured on a draw.

    Raises
    ------
    FeatureblendError
        If a recogniser is not installed, no pair has a second photo of both people, or there are too few people to
        set a threshold.
    """
    for name in drawn.protocol.recognizers:
        RECOGNIZERS[name].check()
    if not (drawn.probes() >= 0).all(axis=1).any():
        raise FeatureblendError(
            "MMPMR needs a second photo of both people of a pair, and no pair of the protocol has them: "
            "give more photos of a person, or leave --identity out"
        )
    people = drawn.faces.people[known_faces(drawn)]
    _, counts = np.unique(people, return_counts=True)
    impostors = (len(people) ** 2 - int((counts.astype(np.int64) ** 2).sum())) // 2
    if impostors * FALSE_MATCH_RATE < 1:
        raise FeatureblendError(
            f"MMPMR needs {round(1 / FALSE_MATCH_RATE)} pairs of different people to set its threshold, and the "
            f"protocol's {len(people)} faces make {impostors}: give more faces, or leave --identity out"
        )


def known_faces(drawn: Drawn) -> list[int]:
    """Indices of the faces whose identity is needed: the parents, and their people's other photos."""
    probes = drawn.probes()
    used = sorted({*drawn.parents.tolist(), *probes[probes >= 0].tolist()})
    return [index for index in used if np.isfinite(drawn.faces.landmarks[index]).all()]


def similarity(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """1 - |a - b| of two embeddings: 1 for equal ones; above 0.4, dlib takes them for one person.

    Parameters
    ----------
    a, b : (..., D) arrays

    Returns
    -------
    (...) float64 array

    Examples
    --------
    >>> float(similarity(np.array([0.0, 0.3]), np.array([0.4, 0.0])))
    0.5
    """
    return 1 - np.linalg.norm(np.asarray(a, dtype=np.float64) - b, axis=-1)


def impostor_similarities(embeddings: np.ndarray, people: np.ndarray) -> np.ndarray:
    """The similarities of all pairs of faces of different people.

    Parameters
    ----------
    embeddings : (N, D) array
    people : (N,) array of str

    Returns
    -------
    (K,) float64 array

    Examples
    --------
    >>> impostor_similarities(np.array([[0.0], [0.0], [1.0]]), np.array(["ana", "ana", "bo"])).tolist()
    [0.0, 0.0]
    """
    first, second = np.triu_indices(len(people), 1)
    apart = people[first] != people[second]
    return similarity(embeddings[first[apart]], embeddings[second[apart]])


def match_threshold(impostors: np.ndarray, false_match_rate: float = FALSE_MATCH_RATE) -> float:
    """The lowest impostor similarity that at most a share `false_match_rate` of the impostors exceeds.

    Parameters
    ----------
    impostors : (K,) array
        Similarities of faces of different people.
    false_match_rate : float
        In (0, 1).

    Returns
    -------
    float
        Faces match where their similarity is above it.

    Raises
    ------
    FeatureblendError
        If there are too few impostors to tell such a rate.

    Examples
    --------
    >>> match_threshold(np.arange(100), 0.02)  # 98 and 99 pass
    97.0
    """
    values = np.sort(np.asarray(impostors, dtype=np.float64))[::-1]
    if not 0 < false_match_rate < 1 or len(values) * false_match_rate < 1 - 1e-9:
        raise FeatureblendError(
            f"a false match rate of {false_match_rate:g} takes at least {round(1 / max(false_match_rate, 1e-9))} pairs "
            f"of different people to set a threshold, not {len(values)}: give more faces"
        )
    return float(values[min(int(len(values) * false_match_rate + 1e-9), len(values) - 1)])


def add_identity(
    record: dict[str, Any], drawn: Drawn, known: Mapping[int, np.ndarray], results: Sequence[PairResult]
) -> None:
    """Measure which blends match every one of their contributors (MMPMR), and the likeness to the weaker one.

    Parameters
    ----------
    record : dict
        A method's, which is added to. ``scores`` get, by the protocol's first recogniser, ``mmpmr``, 1 or 0 a pair, and
        ``weaker_parent``, the similarity to the parent that a blend is less like; and by each of its recognisers
        ``both_...``, 1 or 0 at the recogniser's published threshold, and ``weaker_...``, how like the blend is to the
        other photo of the parent that it is less like. None where there is no blend or a photo is missing. ``identity``
        gets the ``threshold`` of MMPMR, the number of ``impostors`` that it was set on, and of ``mated`` pairs, whose
        people both have another photo.
    drawn : Drawn
    known : mapping of int to (R, D) array
        Embeddings of `known_faces`.
    results : sequence of PairResult
        Of every pair.

    Notes
    -----
    MMPMR is 1/M sum over m of [min over n of S(m, n) > threshold], with one probe a contributor: another photo, not the
    one that was blended. The threshold is set on faces of the same split. It depends on the recogniser and knows
    nothing of realism: pixel averages score well.

    References
    ----------
    U. Scherhag, A. Nautsch, C. Rathgeb et al., "Biometric systems under morphing attacks: assessment of morphing
    techniques and vulnerability reporting", BIOSIG 2017, equation 1.
    """
    probes = drawn.probes()
    first = np.stack([vectors[0] for vectors in known.values()])
    impostors = impostor_similarities(first, drawn.faces.people[list(known)])
    threshold = match_threshold(impostors)

    def weaker(number: int, others: np.ndarray, place: int) -> float | None:
        own, vectors = results[number].embedding, [known[other][place] for other in others.tolist() if other in known]
        if own is None or len(vectors) < len(others):
            return None
        return float(similarity(own[place], np.stack(vectors)).min())

    scores = record["scores"]
    for place, name in enumerate(drawn.protocol.recognizers):
        to_probes = [weaker(number, pair, place) for number, pair in enumerate(probes)]
        if not place:
            scores["mmpmr"] = _above(to_probes, threshold)
            scores["weaker_parent"] = [weaker(number, pair, place) for number, pair in enumerate(drawn.pairs)]
        scores[f"both_{name}"] = _above(to_probes, 1 - RECOGNIZERS[name].threshold)
        # SFace's embeddings have length 1: their published figure is the cosine.
        published = {"dlib": lambda near: 1 - near, "sface": lambda near: 1 - (1 - near) ** 2 / 2}[name]
        scores[f"weaker_{name}"] = [None if near is None else published(near) for near in to_probes]
    record["identity"] = {
        "threshold": threshold,
        "impostors": len(impostors),
        "mated": int((probes >= 0).all(axis=1).sum()),
    }


def _above(values: Sequence[float | None], threshold: float) -> list[float | None]:
    return [None if value is None else float(value > threshold) for value in values]


def mean_embeddings(drawn: Drawn, known: Mapping[int, np.ndarray]) -> dict[str, Any] | None:
    """A record of who would be recognised in the mean of both parents' embeddings: what a picture could reach at best.

    Parameters
    ----------
    drawn, known
        As in `add_identity`.

    Returns
    -------
    dict or None
        A record as a method's, without blends; None where embeddings are missing.
    """
    if not {*drawn.pairs.ravel().tolist()} <= set(known):
        return None
    from .measuring import PairResult

    results = []
    for a, b in drawn.pairs.tolist():
        both = np.stack([known[a], known[b]])
        mean = both.mean(axis=0)
        unit = np.isclose(np.linalg.norm(both, axis=2), 1, atol=1e-6).all(axis=0)  # SFace's lie on a sphere
        mean[unit] /= np.linalg.norm(mean[unit], axis=1, keepdims=True)
        results.append(PairResult(embedding=mean))
    record: dict[str, Any] = {"count": len(results), "set_count": 0, "scores": {}, "sets": {}, "networks": {}}
    record |= {"failures": [], "gaps": [], "identity": {}, "model": "", "note": "no picture: the mean of embeddings"}
    add_identity(record, drawn, known, results)
    return record
