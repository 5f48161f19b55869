"""How alike two pictures look, and whether a blend lies evenly between its parents."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np

from ..errors import FeatureblendError
from ..io.image import check_image
from .inputs import check_pair

Distance = Callable[[Any, Any], float]
"""A distance between two things of one kind: pictures by default, or embeddings with a distance of their own."""

LEVELS = 4
"""Scales of `picture_distance`: the picture, and its halves, quarters and eighths."""


def picture_distance(a: np.ndarray, b: np.ndarray, mask: np.ndarray | None = None) -> float:
    """Distance of two pictures: the root mean square difference in CIE Lab, over four scales.

    Parameters
    ----------
    a, b : (H, W, 3) uint8 arrays, sRGB
    mask : (H, W) array, optional
        How much each pixel counts, at least 0 and somewhere above; all alike by default.

    Returns
    -------
    float
        0 (equal) upwards, in CIE 1976 units of colour difference (100 from black to white). A metric: symmetric, and
        the way over a third picture is never shorter.

    Raises
    ------
    FeatureblendError
        If the pictures differ in size or are no uint8 sRGB, or the mask does not fit or is empty.

    Notes
    -----
    Lab makes equal numbers look about equally different; the means of 2 x 2, 4 x 4 and 8 x 8 pixels count as much as
    the pixels, so that a small shift costs less than a change of colour. It cannot see who is shown: for that use a
    distance of identity embeddings.

    References
    ----------
    ISO/CIE 11664-4 (CIE 1976 L*a*b*). The scales: X. Zhang and B. A. Wandell, "A spatial extension of CIELAB for
    digital color-image reproduction", J. SID 5(1), 1997, without its model of the eye.

    Examples
    --------
    >>> black = np.zeros((16, 16, 3), np.uint8)
    >>> round(picture_distance(black, black + 255), 1), picture_distance(black, black)
    (100.0, 0.0)
    """
    check_pair(a, b)
    return levels_distance(lab_levels(a), lab_levels(b), mask)


def lab_levels(image: np.ndarray) -> list[np.ndarray]:
    """A picture in CIE Lab at four scales, for pictures that are compared many times.

    Parameters
    ----------
    image : (H, W, 3) uint8 array, sRGB

    Returns
    -------
    list of (h, w, 3) float32 arrays
        The largest first.

    Examples
    --------
    >>> [level.shape[0] for level in lab_levels(np.zeros((16, 16, 3), np.uint8))]
    [16, 8, 4, 2]
    """
    return _halves(cv2.cvtColor(check_image(image).astype(np.float32) / 255, cv2.COLOR_RGB2Lab))


def _halves(values: np.ndarray) -> list[np.ndarray]:
    levels = [values]
    while len(levels) < LEVELS:
        height, width = (max(side // 2, 1) for side in levels[-1].shape[:2])
        levels.append(cv2.resize(levels[-1], (width, height), interpolation=cv2.INTER_AREA))
    return levels


def levels_distance(a: Sequence[np.ndarray], b: Sequence[np.ndarray], mask: np.ndarray | None = None) -> float:
    """`picture_distance` of two pictures that `lab_levels` prepared.

    Examples
    --------
    >>> black = np.zeros((16, 16, 3), np.uint8)
    >>> round(levels_distance(lab_levels(black), lab_levels(black + 255)), 1)
    100.0
    """
    if mask is not None and (np.shape(mask) != a[0].shape[:2] or not np.any(mask)):
        raise FeatureblendError(f"the mask is {np.shape(mask)} and the picture {a[0].shape[:2]}, or it is empty")
    shares: list[Any] = [None] * LEVELS if mask is None else _halves(np.asarray(mask, dtype=np.float32))
    squares = []
    for first, second, share in zip(a, b, shares, strict=True):
        apart = first - second
        # Channel by channel: a sum over a last axis of three takes four times as long.
        square = np.square(apart[..., 0], dtype=np.float64)
        for channel in (1, 2):
            square += np.square(apart[..., channel], dtype=np.float64)
        squares.append(square.mean() if share is None else (square * share).sum() / share.sum(dtype=np.float64))
    return float(np.sqrt(np.mean(squares)))


def balance_of_distances(to_a: float, to_b: float, between: float) -> float:
    """Imbalance of a blend between its two parents: |d(blend, A) - d(blend, B)| / d(A, B).

    Parameters
    ----------
    to_a, to_b, between : float
        The blend's distances to A and to B, and theirs to each other, all by one distance.

    Returns
    -------
    float
        0: as near to one as to the other; 1: it is one of them. With a metric never above 1.

    Raises
    ------
    FeatureblendError
        If A and B are equal but the blend is not equally far from both, or a distance is negative.

    Notes
    -----
    For equal weights. It cannot see whether the blend is near to either: a third person may be in balance. The score is
    this project's own.

    Examples
    --------
    >>> balance_of_distances(0.5, 0.3, 0.8)
    0.25
    """
    if min(to_a, to_b, between) < 0:
        raise FeatureblendError(f"distances cannot be negative: {to_a}, {to_b}, {between}")
    gap = abs(to_a - to_b)
    if between == 0 and gap > 0:
        raise FeatureblendError("the two parents are at distance 0, yet the blend is nearer to one of them")
    return float(gap / between) if gap else 0.0


def balance(blend: np.ndarray, a: np.ndarray, b: np.ndarray, distance: Distance = picture_distance) -> float:
    """Imbalance of a blend between A and B; see `balance_of_distances`.

    Parameters
    ----------
    blend, a, b : (H, W, 3) uint8 arrays, sRGB
        Or whatever `distance` takes.
    distance : callable
        Two of them in, a number out.

    Returns
    -------
    float
        0 to 1; 0 is ideal at equal weights.

    Examples
    --------
    >>> black = np.zeros((16, 16, 3), np.uint8)
    >>> balance(black, black, black + 255)
    1.0
    """
    return balance_of_distances(distance(blend, a), distance(blend, b), distance(a, b))
