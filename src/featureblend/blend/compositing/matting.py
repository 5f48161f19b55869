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
    small, background = resized(image, COARSE), resized(known, COARSE)
    around = blurred(background, EDGE)
    behind = _mean_near(small, background * (around > 1 - SURE))
    head = _mean_near(small, (1 - background) * (around < SURE))
    apart = behind - head
    squared = np.square(apart).sum(axis=2)
    trusted = squared / (squared + TELLING**2) * np.minimum(6 * around * (1 - around), 1)
    line = resized(apart / (squared + 1)[..., None], side)
    share = np.clip(((image - resized(head, side)) * line).sum(axis=2), 0, 1)
    found = known + np.clip(resized(trusted, side), 0, 1) * (share - known)
    others = np.delete(parts.probabilities, place, axis=2)
    total = others.sum(axis=2, keepdims=True)
    # Where the parser saw nothing but background, what stands out of it is hair.
    none = np.eye(len(CLASSES), dtype=np.float32)[CLASSES.index("hair")][np.arange(len(CLASSES)) != place]
    others = np.where(total > 1e-3, others / np.maximum(total, 1e-3), none) * (1 - found)[..., None]
    return FaceParts(np.insert(others, place, found, axis=2).astype(np.float32))


def _mean_near(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """(S, S, 3): the mean colour in a mask near each place, or further away where none is near."""
    mask = mask.astype(np.float32)
    colours = image * mask[..., None]
    total = blurred(colours, NEAR) + FAR * blurred(colours, 4 * NEAR)
    weight = blurred(mask, NEAR) + FAR * blurred(mask, 4 * NEAR)
    return total / (weight + 1e-9)[..., None]
