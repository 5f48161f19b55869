"""Measures that come with every blend, fast enough for a slider and without a network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from ..faces.masks import hull_mask, outside_face
from .distance import balance_of_distances, picture_distance
from .ghosts import ghosting
from .scores import sharpness

MEANINGS = {
    "sharpness": "fine detail, the parents' weighted mean = 1",
    "ghosting": "doubled outlines, 0 none to 1 a plain cross-dissolve",
    "ghosting_inside_face": "the same between brows and chin",
    "ghosting_outside_face": "the same in hair, ears, neck and background",
    "distances": "distance of the blend's face from each parent's, in units of colour difference (hair aside)",
    "similarity": "of the blend to each parent: 1 is that parent, 0 no nearer than the other parents are",
    "balance": "0 as near to one parent as to the other, 1 is one of them (two photos only)",
}
"""What each measure says, in a few words."""


def blend_measures(
    blend: np.ndarray,
    parents: Sequence[np.ndarray],
    weights: Sequence[float] | np.ndarray,
    landmarks: Sequence[np.ndarray] | None = None,
) -> dict[str, Any]:
    """Measure a blend against the faces it was made from.

    Parameters
    ----------
    blend : (H, W, 3) uint8 array
    parents : sequence of (H, W, 3) uint8 arrays
        The aligned faces, in order.
    weights : sequence of float
        One a parent; sum to 1.
    landmarks : sequence of (68, 2) arrays, optional
        In the parents' pixels; without them the face's inside is not told from its outside.

    Returns
    -------
    dict
        Keys as in `MEANINGS`; plain numbers and lists, rounded, ready for JSON.

    Examples
    --------
    >>> a, b = np.zeros((32, 32, 3), np.uint8), np.full((32, 32, 3), 255, np.uint8)
    >>> blend_measures(a, [a, b], [0.5, 0.5])["balance"]
    1.0
    """
    weights = [float(weight) for weight in weights]
    of_parents = float(np.dot(weights, [sharpness(parent) for parent in parents]))
    ghosts = ghosting(blend, parents, weights, landmarks)
    where = _face(parents[0].shape[:2], landmarks, weights)
    distances = face_distances(blend, parents, landmarks, weights)
    measures: dict[str, Any] = {
        # Flat pictures have no detail to compare.
        "sharpness": round(sharpness(blend) / of_parents, 3) if of_parents > 0 else None,
        "ghosting": round(ghosts.whole, 3),
    }
    if ghosts.inside is not None and ghosts.outside is not None:
        measures["ghosting_inside_face"] = round(ghosts.inside, 3)
        measures["ghosting_outside_face"] = round(ghosts.outside, 3)
    measures["distances"] = [round(distance, 2) for distance in distances]
    apart = [[picture_distance(one, other, where) for other in parents] for one in parents]
    measures["similarity"] = similarities(distances, apart)
    if len(parents) == 2:
        between = apart[0][1]
        even = balance_of_distances(distances[0], distances[1], between) if between > 0 else None
        measures["balance"] = None if even is None else round(even, 3)
    return measures


def face_distances(
    blend: np.ndarray,
    parents: Sequence[np.ndarray],
    landmarks: Sequence[np.ndarray] | None = None,
    weights: Sequence[float] | None = None,
) -> list[float]:
    """Distances of a blend's face to each parent's, as `picture_distance`.

    Hair and background may be one parent's alone; who counts how much is seen in the face.

    Parameters
    ----------
    blend : (H, W, 3) uint8 array
    parents : sequence of N (H, W, 3) uint8 arrays
    landmarks : sequence of N (68, 2) arrays, optional
        The face is what their weighted mean encloses, from the brows to the chin; without them, the ellipse of
        `featureblend.model.mixing`.
    weights : sequence of N floats, optional
        Equal by default.

    Returns
    -------
    list of N floats
    """
    where = _face(blend.shape[:2], landmarks, weights or [1 / len(parents)] * len(parents))
    return [picture_distance(blend, parent, where) for parent in parents]


def _face(
    shape: tuple[int, ...], landmarks: Sequence[np.ndarray] | None, weights: Sequence[float]
) -> np.ndarray | None:
    """Mask of the face; None, for the whole picture, if it is too small."""
    if landmarks is not None:
        mask = hull_mask(np.tensordot(np.asarray(weights, float), np.stack(landmarks), 1), (shape[0], shape[1]))
    else:
        mask = cv2.resize(outside_face(max(shape)), (shape[1], shape[0])) < 0.5
    return mask if mask.any() else None


def similarities(distances: Sequence[float], apart: Sequence[Sequence[float]]) -> list[float | None]:
    """Similarity of a blend to each parent, on a scale set by the parents' distance.

    Parameters
    ----------
    distances : N floats
        Of the blend to each parent.
    apart : N x N floats
        Of each parent to each.

    Returns
    -------
    list of float
        1: it is that parent; 0: no nearer than the other parents are on the mean; None where all parents are equal.

    Examples
    --------
    >>> similarities([3.0, 7.0], [[0, 10], [10, 0]])
    [0.7, 0.3]
    """
    found: list[float | None] = []
    for distance, row in zip(distances, apart, strict=True):
        others = sum(row) / max(len(row) - 1, 1)
        found.append(round(max(0.0, 1 - distance / others), 3) if others > 0 else None)
    return found
