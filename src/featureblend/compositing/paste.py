"""A changed face back into the photo that it came from: hair, body and scene stay as they are."""

from __future__ import annotations

import numpy as np

from ..alignment import unalign_change

__all__ = ["border_fade", "paste"]

FADE = 0.08
"""Width of the frame in which a crop passes into the photo, as a share of the crop's side."""


def border_fade(size: int, width: float = FADE) -> np.ndarray:
    """Give a mask that is 0 at the border of a square and rises smoothly to 1 inside.

    Parameters
    ----------
    size : int
        Side in pixels.
    width : float
        Of the frame, as a share of the side.

    Returns
    -------
    (size, size) float32 array in [0, 1]

    Examples
    --------
    >>> border_fade(8, 0.25)[4].round(2).tolist()
    [0.0, 0.5, 1.0, 1.0, 1.0, 1.0, 0.5, 0.0]
    """
    from_edge = np.minimum(np.arange(size), np.arange(size)[::-1])
    ramp = np.clip(from_edge / max(width * size, 1), 0, 1)
    smooth = (ramp**2 * (3 - 2 * ramp)).astype(np.float32)
    return smooth[:, None] * smooth


def paste(photo: np.ndarray, before: np.ndarray, after: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Put a changed crop into the photo.

    Parameters
    ----------
    photo : (H, W, 3) uint8 array
    before, after : (S, S, 3) uint8 or float arrays, 0 to 255
        The crop as it was cut, and as it shall be.
    matrix : (2, 3) array
        The one that the crop was cut with.

    Returns
    -------
    (H, W, 3) uint8 array
        The photo's own pixels wherever the crop did not change.

    Notes
    -----
    The difference is put back, not the picture: where hair and scene stayed the same nothing is resampled, and a
    difference that is smooth at the crop's border leaves no seam.

    Examples
    --------
    >>> photo = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    >>> crop, matrix = photo[8:24, 8:24], np.array([[1.0, 0, -8], [0, 1, -8]])
    >>> bool((paste(photo, crop, crop, matrix) == photo).all())
    True
    """
    change = np.asarray(after, np.float32) - np.asarray(before, np.float32)
    return unalign_change(photo, change * border_fade(len(change))[..., None], matrix)
