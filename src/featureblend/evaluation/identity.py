"""Scores of identity embeddings, and the cache that keeps embeddings on disk."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..errors import FeatureblendError
from ..io.files import atomic_path

__all__ = [
    "FALSE_MATCH_RATE",
    "EmbeddingCache",
    "impostor_similarities",
    "match_threshold",
    "mmpmr",
    "similarity",
    "weaker_parent",
]

FALSE_MATCH_RATE = 0.001
"""One impostor in a thousand passes: FRONTEX's requirement for border control, at which MMPMR is usually reported."""


class EmbeddingCache:
    """Computes identity embeddings, once per picture.

    Parameters
    ----------
    folder : path-like
        Where they are kept, a small file a picture, by the hash of its pixels and landmarks. Made when needed.
    embed : callable
        (H, W, 3) uint8 picture and (68, 2) landmarks in, (D,) float array out: `Recognizer.embedding`.
    name : str
        Name of the embedding, part of the hash.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     cache = EmbeddingCache(folder, lambda image, landmarks: np.array([1.0, 2.0]), "example")
    ...     cache(np.zeros((8, 8, 3), np.uint8), np.zeros((68, 2))).tolist()
    [1.0, 2.0]
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        embed: Callable[[np.ndarray, np.ndarray], np.ndarray],
        name: str = "dlib-resnet-v1",
    ) -> None:
        self.folder, self.embed, self.name = Path(folder), embed, name

    def __call__(self, image: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
        """A picture's embedding, read from the disk if it is there."""
        digest = hashlib.sha256(f"{self.name} {image.shape}".encode())
        digest.update(np.ascontiguousarray(image).tobytes())
        digest.update(np.ascontiguousarray(landmarks, dtype=np.float64).tobytes())
        key = digest.hexdigest()
        path = self.folder / key[:2] / f"{key}.npy"
        try:
            return np.load(path)
        except (OSError, ValueError, EOFError):  # not there yet, or damaged: made anew
            pass
        value = np.asarray(self.embed(image, landmarks), dtype=np.float64)
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as temporary:
            np.save(temporary, value)
        return value


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


def mmpmr(similarities: np.ndarray, threshold: float) -> float:
    """Mated morph presentation match rate: the share of blends that match every one of their contributors.

    Parameters
    ----------
    similarities : (M, N) array
        Of M blends to another photo of each of their N contributors, not the photo that was blended.
    threshold : float
        As `match_threshold`.

    Returns
    -------
    float
        0 to 1. More is a blend in which more of each parent can be recognised (and a better attack on border control).

    Raises
    ------
    FeatureblendError
        If there is no blend.

    Notes
    -----
    1/M sum over m of [min over n of S(m, n) > threshold], with one probe a contributor. It depends on the recogniser
    and knows nothing of realism: pixel averages score well.

    References
    ----------
    U. Scherhag, A. Nautsch, C. Rathgeb et al., "Biometric systems under morphing attacks: assessment of morphing
    techniques and vulnerability reporting", BIOSIG 2017, equation 1.

    Examples
    --------
    >>> mmpmr(np.array([[0.6, 0.5], [0.9, 0.1], [0.45, 0.41], [0.4, 0.8]]), 0.4)
    0.5
    """
    return float((weaker_parent(similarities) > threshold).mean())


def weaker_parent(similarities: np.ndarray) -> np.ndarray:
    """Each blend's similarity to the contributor that it is least like.

    Parameters
    ----------
    similarities : (M, N) array
        One row a blend, one column a contributor.

    Returns
    -------
    (M,) float64 array

    Examples
    --------
    >>> weaker_parent(np.array([[0.6, 0.5], [0.1, 0.9]])).tolist()
    [0.5, 0.1]
    """
    values = np.asarray(similarities, dtype=np.float64)
    if values.ndim != 2 or 0 in values.shape or not np.isfinite(values).all():
        raise FeatureblendError(f"one row a blend and one column a contributor are due, not {values.shape}")
    return values.min(axis=1)
