"""Skin colour: whether a blend's lies between its parents'."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from ..errors import FeatureblendError
from .inputs import check_pair

TOLERANCE = 1.0
"""How far beyond its parents a blend's skin may lie, in units of CIE L, a and b: about what an eye can tell."""


def skin_colour(image: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """Median colour of a face's cheeks and nose.

    Parameters
    ----------
    image : (H, W, 3) uint8 array, sRGB
    landmarks : (68, 2) array
        In the picture's pixels.

    Returns
    -------
    (3,) float64 array
        CIE L (0 to 100), a and b (about -100 to 100).

    Raises
    ------
    FeatureblendError
        If cheeks and nose cover no pixel of the picture.

    Examples
    --------
    >>> from featureblend.faces.drawn import draw_face
    >>> _, points = draw_face(0, 64)
    >>> skin_colour(np.full((64, 64, 3), 119, np.uint8), points).round().tolist()
    [50.0, 0.0, 0.0]
    """
    points = np.asarray(landmarks, np.float64)
    down = points[8] - points[36:48].mean(axis=0)
    where = np.zeros(image.shape[:2], np.uint8)
    for jaw, low, mouth, nostril, lid, corner in ((2, 4, 48, 31, 41, 36), (14, 12, 54, 35, 46, 45)):
        cheek = [
            0.75 * points[jaw] + 0.25 * points[30],
            0.7 * points[low] + 0.3 * points[mouth],
            0.9 * points[mouth] + 0.1 * points[low] - 0.08 * down,
            points[nostril],
            points[lid] + 0.1 * down,
            points[corner] + 0.12 * down,
        ]
        _fill(where, cheek)
    _fill(where, points[[28, 31, 35, 30]])
    if not where.any():
        raise FeatureblendError("cheeks and nose lie outside the picture: its skin has no colour to measure")
    lab = cv2.cvtColor(np.asarray(image, np.float32) / np.float32(255), cv2.COLOR_RGB2LAB)
    return np.median(lab[where > 0].astype(np.float64), axis=0)


def skin_between(blend: np.ndarray, parents: Sequence[np.ndarray], landmarks: Sequence[np.ndarray]) -> float:
    """Whether the skin of an even blend lies between its parents' in each of L, a and b.

    Parameters
    ----------
    blend : (H, W, 3) uint8 array
    parents : sequence of N (H, W, 3) uint8 arrays
    landmarks : sequence of N (68, 2) arrays
        The parents'; the blend's are their mean.

    Returns
    -------
    float
        1 or 0; the mean over pairs is the share of pairs.

    Raises
    ------
    FeatureblendError
        As `skin_colour`, or if the pictures differ in size.

    Notes
    -----
    By `skin_colour`, with `TOLERANCE`. It does not see where between the parents a blend lies (`balance` does), what
    ears, forehead and neck look like, or blotches that the median passes over. Under coloured light it compares light
    as much as skin. This project's own score.

    Examples
    --------
    >>> from featureblend.faces.drawn import draw_face
    >>> _, points = draw_face(0, 64)
    >>> colours = (90, 60, 45), (230, 190, 160), (150, 150, 150)
    >>> dark, light, grey = (np.full((64, 64, 3), colour, np.uint8) for colour in colours)
    >>> skin_between(dark, [dark, light], [points] * 2), skin_between(grey, [dark, light], [points] * 2)
    (1.0, 0.0)
    """
    for parent in parents:
        check_pair(blend, parent)
    theirs = [skin_colour(parent, points) for parent, points in zip(parents, landmarks, strict=True)]
    return colour_between(skin_colour(blend, np.mean(landmarks, axis=0)), theirs)


def colour_between(own: np.ndarray, theirs: Sequence[np.ndarray]) -> float:
    """Whether a colour lies between others in each of its coordinates, within `TOLERANCE`: 1 or 0.

    Examples
    --------
    >>> colour_between(np.array([50, 9, 20]), [np.array([40, 10, 15]), np.array([60, 12, 25])])
    1.0
    """
    low, high = np.min(theirs, axis=0) - TOLERANCE, np.max(theirs, axis=0) + TOLERANCE
    return float(((own >= low) & (own <= high)).all())


def _fill(mask: np.ndarray, points: Sequence[np.ndarray] | np.ndarray) -> None:
    outline = cv2.convexHull(np.asarray(points, np.float32))
    cv2.fillConvexPoly(mask, np.rint(outline).astype(np.int32), 1)
