"""The figures that come with every blend: cheap enough for a slider, and none needs a network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .distance import balance_of_distances, picture_distance
from .ghosts import ghosting
from .scores import sharpness

__all__ = ["MEANINGS", "blend_measures"]

MEANINGS = {
    "sharpness": "fine detail, the parents' weighted mean = 1",
    "ghosting": "doubled outlines, 0 none to 1 a plain cross-dissolve",
    "ghosting_inside_face": "the same between brows and chin",
    "ghosting_outside_face": "the same in hair, ears, neck and background",
    "distances": "distance of the blend from each parent, in units of colour difference",
    "balance": "0 as near to one parent as to the other, 1 is one of them (two photos only)",
}
"""What each measure says, in a few words."""


def blend_measures(
    blend: np.ndarray,
    parents: Sequence[np.ndarray],
    weights: Sequence[float] | np.ndarray,
    landmarks: Sequence[np.ndarray] | None = None,
) -> dict[str, Any]:
    """Measure one blend against the faces it was made of.

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
    distances = [picture_distance(blend, parent) for parent in parents]
    measures: dict[str, Any] = {
        # Flat pictures have no detail to compare.
        "sharpness": round(sharpness(blend) / of_parents, 3) if of_parents > 0 else None,
        "ghosting": round(ghosts.whole, 3),
    }
    if ghosts.inside is not None and ghosts.outside is not None:
        measures["ghosting_inside_face"] = round(ghosts.inside, 3)
        measures["ghosting_outside_face"] = round(ghosts.outside, 3)
    measures["distances"] = [round(distance, 2) for distance in distances]
    if len(parents) == 2:
        between = picture_distance(parents[0], parents[1])
        even = balance_of_distances(distances[0], distances[1], between) if between > 0 else None
        measures["balance"] = None if even is None else round(even, 3)
    return measures
