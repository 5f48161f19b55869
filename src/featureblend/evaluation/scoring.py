"""Scoring of a blend, a continuum, or all blends of a method, by every score that needs no network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from ..metrics.critic import fresh_critic_auc
from ..metrics.distance import balance_of_distances, picture_distance
from ..metrics.distributions import fid, kid, nearest_neighbour_accuracy
from ..metrics.ghosts import ghosting, hull_mask
from ..metrics.mirror import symmetry
from ..metrics.patch_statistics import image_features
from ..metrics.paths import boundary_error, mean_distance, path_irregularity, path_lengths, path_positions, smoothness
from ..metrics.scores import sharpness
from ..metrics.skin import skin_between
from ..metrics.spectrum import radial_spectrum
from ..metrics.variety import diversity, nearest_distances

__all__ = ["Reference", "nearest_training", "score_blend", "score_path", "score_set"]


Run = Callable[..., Iterable[Any]]
"""`map`, or a process pool's."""

BATCH = 16
"""Pictures described at a time."""


class Reference:
    """Real faces to compare with, and statistics of them that are computed once.

    Parameters
    ----------
    images : (R, H, W, 3) uint8 array
    training : callable, optional
        Gives (T, h, w, 3) uint8 training faces, or None where there are none; called when they are needed.
    """

    def __init__(self, images: np.ndarray, training: Callable[[], np.ndarray | None] = lambda: None) -> None:
        self.run: Run = map
        """`map`, or a process pool's."""
        self.images = images
        """(R, H, W, 3) uint8."""
        self._training = training

    @cached_property
    def training(self) -> np.ndarray | None:
        """(T, h, w, 3) uint8 training faces, where there are any."""
        return self._training()

    @cached_property
    def features(self) -> np.ndarray:
        """(R, D) float32."""
        batches = [self.images[at : at + BATCH] for at in range(0, len(self.images), BATCH)]
        return np.concatenate(list(self.run(image_features, batches)))

    @cached_property
    def sharpness(self) -> float:
        """Mean sharpness."""
        return float(np.mean([sharpness(image) for image in self.images]))

    @cached_property
    def spectrum(self) -> np.ndarray:
        """(B,) mean radial spectrum in decibels."""
        return radial_spectrum(self.images).mean(axis=0)


def score_blend(blend: np.ndarray, parents: Sequence[np.ndarray], landmarks: Sequence[np.ndarray]) -> dict[str, Any]:
    """Score one even blend of two faces.

    Parameters
    ----------
    blend : (H, W, 3) uint8 array
    parents : two (H, W, 3) uint8 arrays
    landmarks : two (68, 2) arrays

    Returns
    -------
    dict
        Figures by name; ``sharpness`` in squared grey levels still, and ``spectrum`` a list.
    """
    ghosts = ghosting(blend, parents, (0.5, 0.5), landmarks)
    face = hull_mask(np.mean(landmarks, axis=0), (blend.shape[0], blend.shape[1]))
    return {
        "sharpness": sharpness(blend),
        "spectrum": radial_spectrum(blend)[0].tolist(),
        "ghosting": ghosts.whole,
        "ghosting_inside": ghosts.inside,
        "ghosting_outside": ghosts.outside,
        "balance": _balance(blend, parents, None),
        "balance_inside": _balance(blend, parents, face) if face.any() else None,
        "skin": skin_between(blend, parents, landmarks),
        "symmetry": symmetry(blend, np.mean(landmarks, axis=0)),
    }


def _balance(blend: np.ndarray, parents: Sequence[np.ndarray], mask: np.ndarray | None) -> float | None:
    to_a, to_b = (picture_distance(blend, parent, mask) for parent in parents)
    between = picture_distance(parents[0], parents[1], mask)
    return balance_of_distances(to_a, to_b, between) if between else None


def score_path(continuum: Sequence[np.ndarray], a: np.ndarray, b: np.ndarray, real: np.ndarray) -> dict[str, Any]:
    """Score a continuum from A to B; the boundary error is the mean of its two ends'.

    Parameters
    ----------
    continuum : sequence of (H, W, 3) uint8 arrays
    a, b : (H, W, 3) uint8 arrays
    real : (R, D) array
        Features of real faces.

    Returns
    -------
    dict
        Figures by name.
    """
    lengths = path_lengths(continuum)
    inner = image_features(continuum[1:-1]) if len(continuum) > 2 else None
    return {
        "path_irregularity": path_irregularity(lengths),
        "path_length": float(lengths.sum()) / picture_distance(a, b),
        "smoothness": smoothness(path_positions(continuum, a, b)),
        "mean_distance": None if inner is None else mean_distance(inner, real),
        "boundary_error": float(np.mean(boundary_error(continuum, a, b))),
    }


def nearest_training(images: np.ndarray, reference: Reference) -> list[float]:
    """Each picture's distance to the nearest training face; empty if there are no training faces."""
    if reference.training is None or not len(images):
        return []
    return nearest_distances(images, reference.training).distances.tolist()


def score_set(
    blends: np.ndarray, parents: np.ndarray, reference: Reference, features: np.ndarray, run: Run = map
) -> dict[str, float]:
    """Score all blends of a method together.

    Parameters
    ----------
    blends : (N, H, W, 3) uint8 array
        At least 10.
    parents : (P, H, W, 3) uint8 array
        What was blended.
    reference : Reference
    features : (N, D) array
        `image_features` of the blends.
    run : callable
        `map`, or a process pool's.

    Returns
    -------
    dict
        Figures by name.
    """
    real = reference.features
    even = min(len(features), len(real))
    return {
        "patch_kid": kid(real, features),
        "patch_fid": fid(real, features),
        "nn_accuracy": nearest_neighbour_accuracy(real[:even], features[:even]).overall,
        "critic_auc": fresh_critic_auc(real, features, run=run),
        "diversity": diversity(blends, parents),
    }
