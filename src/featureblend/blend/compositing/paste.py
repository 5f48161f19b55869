"""A changed face back into the photo that it came from: hair, body and scene stay as they are."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from ...faces.alignment import corners, invert_matrix, transform_points, warped

FADE = 0.08
"""Width of the frame in which a crop passes into the photo, as a share of the crop's side."""


def border_fade(size: int, width: float = FADE) -> np.ndarray:
    """Mask that is 0 at the border of a square and rises smoothly to 1 inside.

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


def unalign_change(photo: np.ndarray, change: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Add a change of an aligned crop to the photo that it was cut from, by the exact inverse of `align_face`.

    Where nothing changes, the photo keeps its own pixels: nothing is resampled but the change.

    Parameters
    ----------
    photo : (H, W, 3) uint8 array
    change : (S, S, 3) float array
        New crop less old, in grey levels; it should fade to 0 at the crop's border.
    matrix : (2, 3) array
        The one that the crop was cut with.

    Returns
    -------
    (H, W, 3) uint8 array

    Examples
    --------
    >>> photo = np.zeros((9, 9, 3), np.uint8)
    >>> unalign_change(photo, np.full((3, 3, 3), 7.0), np.array([[1.0, 0, -2], [0, 1, -4]]))[3:8, 3, 0].tolist()
    [0, 7, 7, 7, 0]
    """
    box = _covered(change.shape, matrix, photo.shape)
    result = photo.copy()
    if box is not None:
        left, top, right, bottom = box
        part = invert_matrix(matrix) - [[0, 0, left], [0, 0, top]]
        size = (right - left, bottom - top)
        moved = warped(np.asarray(change, np.float32), part, size, cv2.BORDER_CONSTANT)
        changed = photo[top:bottom, left:right] + moved
        result[top:bottom, left:right] = np.clip(np.floor(changed + 0.5), 0, 255).astype(np.uint8)
    return result


def _covered(crop: Sequence[int], matrix: np.ndarray, photo: Sequence[int]) -> tuple[int, int, int, int] | None:
    """Left, top, right and bottom of the part of a photo that a crop covers; None if it covers none."""
    places = transform_points(corners(crop[1], crop[0]), invert_matrix(matrix))
    limit = (int(photo[1]), int(photo[0]))
    left, top = np.clip(np.floor(places.min(axis=0)) - 1, 0, limit).astype(int).tolist()
    right, bottom = np.clip(np.ceil(places.max(axis=0)) + 2, 0, limit).astype(int).tolist()
    return (left, top, right, bottom) if left < right and top < bottom else None
