"""Lines of all parents where they match: a mean of these shows nothing twice, and each parent is recognised by it.

After P. J. Burt and R. J. Kolczynski, "Enhanced image capture through fusion", ICCV 1993: band by band, the weighted
mean of two pictures where they match, and one of them where they do not.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from ...faces.alignment import blurred
from ..baselines.pyramid import collapse, default_levels, gaussian_pyramid, laplacian_pyramid

MATCH = (0.2, 0.8)
"""Match measure up to which lines stay one parent's, and from which on they are all parents'."""

NEAR = 3.0
"""Standard deviation of the neighbourhood in which lines are compared, in pixels of their band."""

FAINT = 36.0
"""Energy of lines that are too faint to be seen twice, in squared grey levels."""

LINES_SIDE = 32
"""Bands of a pyramid level of this many pixels or more are lines; what is coarser is light and colour, which mix."""

LEAN = 0.4
"""How far lines lean to those whose hair is not shown: logarithm of their share, for each 1 of their lead."""

FINEST = 0.7
"""Standard deviation in pixels of the blur that leaves out what is finer, and stays one parent's."""


def toward_mean(
    picture: np.ndarray, parents: Sequence[np.ndarray], weights: np.ndarray, around: np.ndarray, where: np.ndarray
) -> np.ndarray:
    """What takes a blend's face to the weighted mean of its parents, as far as their lines match.

    Parameters
    ----------
    picture : (S, S, 3) float32 array, 0 to 255
        The blend.
    parents : sequence of N (S, S, 3) float32 arrays, 0 to 255
        Warped to the blend's shape.
    weights, around : (N,) arrays
        Shares of the parents in the face, and around it; at least 0, with the sum 1.
    where : (S, S) float32 array in [0, 1]
        The face.

    Returns
    -------
    (S, S, 3) float32 array
        To be added to the blend.

    Examples
    --------
    >>> lines = np.random.default_rng(0).uniform(0, 255, (2, 64, 64, 3)).astype(np.float32)
    >>> half, first, face = np.array([0.5, 0.5]), np.array([1.0, 0.0]), np.ones((64, 64), np.float32)
    >>> alike = toward_mean(lines[1], [lines[0], lines[0]], half, first, face) + lines[1]
    >>> bool(np.abs(blurred(alike - lines[0], 1.5)).mean() < 9)
    True
    """
    lines = weights * np.exp(LEAN * (weights - around))
    lines = lines / lines.sum()
    levels = default_levels(*where.shape)
    *of_parents, of_blend = (laplacian_pyramid(image, levels) for image in (*parents, picture))
    change = []
    for bands, band, taken in zip(
        zip(*of_parents, strict=True), of_blend, gaussian_pyramid(where, levels), strict=True
    ):
        fine = len(band) >= LINES_SIDE
        mean = np.tensordot((lines if fine else weights).astype(np.float32), np.stack(bands), axes=1)
        if fine:
            least, most = MATCH
            taken = taken * np.clip((match_measure(bands, lines) - least) / (most - least), 0, 1)
        change.append(cv2.multiply(mean - band, cv2.merge([taken] * 3)))
    return blurred(collapse(change), FINEST)


def match_measure(bands: Sequence[np.ndarray], weights: np.ndarray) -> np.ndarray:
    """How far parents' lines match at each place, for any number of parents.

    Parameters
    ----------
    bands : sequence of N (H, W, 3) float32 arrays
        One level of each parent's Laplacian pyramid.
    weights : (N,) array
        At least 0; sum to 1.

    Returns
    -------
    (H, W) float32 array
        From the energy of their weighted mean: 1 where the lines are the same, or too faint to be seen; 0 where they
        have nothing in common; less where one is the other's negative.

    Examples
    --------
    >>> lines = np.random.default_rng(0).normal(0, 99, (2, 64, 64, 3)).astype(np.float32)
    >>> half = np.array([0.5, 0.5])
    >>> [round(float(match_measure(pair, half).mean()), 1) for pair in (lines[[0, 0]], lines, (lines[0], -lines[0]))]
    [1.0, 0.0, -1.0]
    """
    grey = np.stack([cv2.cvtColor(band, cv2.COLOR_RGB2GRAY) for band in bands])
    shares = np.asarray(weights, np.float32)
    mean, energy = np.tensordot(shares, grey, axes=1), np.tensordot(shares, np.square(grey), axes=1)
    kept = (blurred(np.square(mean), NEAR) + FAINT) / (blurred(energy, NEAR) + FAINT)
    alone = np.square(shares).sum()  # what is left of lines that have nothing in common
    return np.asarray((kept - alone) / max(1 - alone, 1e-6), np.float32)
