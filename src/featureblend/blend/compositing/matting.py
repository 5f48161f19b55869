"""Matting: how far a pixel at a head's edge shows what is behind it.

A parser's edge is a guess that lies a pixel or two beside the real one. Where the colours on both sides differ, they
tell better: a pixel of both is a mixture of the two.

Source: Y.-Y. Chuang et al., "A Bayesian Approach to Digital Matting", CVPR 2001, without its covariances: the opacity
is the place of a pixel's colour on the line between the means of both sides.
"""

from __future__ import annotations

import numpy as np

from ...faces.alignment import blurred, resized
from ...faces.parser import CLASSES, FaceParts

COARSE = 128
"""Side in pixels at which both sides' colours are worked out; the lengths below are in these pixels."""
EDGE = 2.0
"""Standard deviation of the blur that widens a parser's edge to the band in which the real one lies."""
SURE = 0.1
"""Beyond the band, a blurred mask is this near to 0 or 1."""
NEAR = 5.0
"""Standard deviation of the neighbourhood in which each side's mean colour is taken."""
FAR = 1e-3
"""Weight of a neighbourhood four times as wide, for places that have one side alone near them."""
TELLING = 40.0
"""Grey levels by which both sides' colours differ where they count as much as the parser."""
VARIED = 4.0
"""Weight of the colours' variance on both sides beside that: leaves and curls have no one colour."""


def matted(image: np.ndarray, parts: FaceParts) -> FaceParts:
    """Parts of a picture whose background ends where its colours do.

    Parameters
    ----------
    image : (S, S, 3) float32 array, 0 to 255
    parts : FaceParts
        Of the same size.

    Returns
    -------
    FaceParts
        The other parts share what the background leaves as they did.

    Examples
    --------
    >>> image = np.full((64, 64, 3), 200, np.float32)
    >>> image[:, :32] = 40  # a dark head on the left, which the parser takes for a pixel wider than it is
    >>> labels = np.where(np.arange(64) < 33, CLASSES.index("hair"), CLASSES.index("background"))
    >>> parts = matted(image, FaceParts(np.eye(4, dtype=np.float32)[np.tile(labels, (64, 1))]))
    >>> bool(parts.background[32, 32] > 0.7), bool(parts.background[32, 31] < 0.1)
    (True, True)
    """
    place, side = CLASSES.index("background"), len(image)
    known = parts.probabilities[..., place]
    behind, head, unsure, band = _both_sides(image, known)
    apart = behind - head
    squared = np.square(apart).sum(axis=2)
    trusted = squared / (squared + TELLING**2 + VARIED * unsure) * band
    line = resized(apart / (squared + 1)[..., None], side)
    share = np.clip(((image - resized(head, side)) * line).sum(axis=2), 0, 1)
    found = known + np.clip(resized(trusted, side), 0, 1) * (share - known)
    others = np.delete(parts.probabilities, place, axis=2)
    total = others.sum(axis=2, keepdims=True)
    # Where the parser saw nothing but background, what stands out of it is hair.
    none = np.eye(len(CLASSES), dtype=np.float32)[CLASSES.index("hair")][np.arange(len(CLASSES)) != place]
    others = np.where(total > 1e-3, others / np.maximum(total, 1e-3), none) * (1 - found)[..., None]
    return FaceParts(np.insert(others, place, found, axis=2).astype(np.float32))


def without_background(image: np.ndarray, background: np.ndarray) -> np.ndarray:
    """A picture whose edges have the head's colours alone, for a head that is shown before something else.

    Parameters
    ----------
    image : (S, S, 3) float32 array, 0 to 255
    background : (S, S) float32 array in [0, 1]
        How far each pixel shows what is behind the head, as `matted` tells.

    Returns
    -------
    (S, S, 3) float32 array, 0 to 255
        Where there is nothing but background, its lines in the nearest head's colour.

    Examples
    --------
    >>> image, behind = np.full((128, 128, 3), 40, np.float32), np.zeros((128, 128), np.float32)
    >>> image[:, 64:], image[:, 63], behind[:, 64:], behind[:, 63] = 200, 120, 1, 0.5  # half dark head, half wall
    >>> float(without_background(image, behind)[64, 63, 0].round())
    40.0
    """
    behind, head, *_ = _both_sides(image, background)
    return np.clip(image + resized(head - behind, len(image)) * background[..., None], 0, 255)


def _both_sides(image: np.ndarray, background: np.ndarray) -> tuple[np.ndarray, ...]:
    """At C pixels: colours behind each place and of the head there (C, C, 3), their variance, and the band (C, C)."""
    small, known = resized(image, COARSE), resized(background, COARSE)
    around = blurred(known, EDGE)
    there, here = known * (around > 1 - SURE), (1 - known) * (around < SURE)
    behind, head = _mean_near(small, there), _mean_near(small, here)
    varied = [_mean_near(np.square(small - mean), mask).sum(axis=2) for mean, mask in ((behind, there), (head, here))]
    return behind, head, varied[0] + varied[1], np.minimum(6 * around * (1 - around), 1)


def _mean_near(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """(S, S, 3): the mean colour in a mask near each place, or further away where none is near."""
    mask = mask.astype(np.float32)
    colours = image * mask[..., None]
    total = blurred(colours, NEAR) + FAR * blurred(colours, 4 * NEAR)
    weight = blurred(mask, NEAR) + FAR * blurred(mask, 4 * NEAR)
    return total / (weight + 1e-9)[..., None]
