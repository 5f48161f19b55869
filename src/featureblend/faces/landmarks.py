"""Landmarks: 68 of the mesh's 468 points, in the order in which codes, masks and measures expect them."""

from __future__ import annotations

import numpy as np

__all__ = ["LANDMARKS", "LEFT_EYE", "MIRRORED", "MOUTH_CORNERS", "RIGHT_EYE", "landmarks_of"]

LANDMARKS = (
    *(127, 234, 132, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 361, 454, 356),  # jaw
    *(70, 63, 52, 65, 55, 285, 295, 282, 293, 300),  # brows
    *(168, 197, 5, 4, 75, 97, 2, 326, 305),  # bridge of the nose, nostrils
    *(7, 159, 158, 155, 153, 144, 382, 385, 386, 249, 373, 380),  # eyes
    *(61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181),  # outer rim of the lips
    *(78, 82, 13, 312, 308, 317, 14, 87),  # inner rim
)
"""The point of Face Mesh that stands for each landmark of the 68-point scheme of Multi-PIE (Gross et al. 2010), the
viewer's left first. Of the points of the face's outline, brows, lids and rims of the lips (of the nose, of all) these
lie nearest to those that dlib's model marks in 517 frontal photos of LFW: 3 to 7 % of the eyes' distance off for eyes,
nose and mouth (root mean square), 7 to 10 % for brows, 11 to 16 % for the jaw, whose points dlib spreads along the
outline. The chin's tip stands for dlib's lower edge of the chin, and lies 11 % higher."""

LEFT_EYE, RIGHT_EYE, MOUTH_CORNERS = slice(36, 42), slice(42, 48), (48, 54)
"""Indices into the 68 landmarks; left and right are the viewer's."""

MIRRORED = (
    *range(16, -1, -1),
    *range(26, 16, -1),
    *(27, 28, 29, 30, 35, 34, 33, 32, 31),
    *(45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40),
    *(54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65),
)
"""For each of the 68 landmarks, the one that takes its place in a mirrored picture."""


def landmarks_of(mesh: np.ndarray, depth: bool = False) -> np.ndarray:
    """The landmarks of a mesh.

    Parameters
    ----------
    mesh : (468, 2) or (468, 3) array
        x, y (and depth) in pixels, as `featureblend.faces.finder.MeshFace.points`.
    depth : bool
        Whether depth is kept.

    Returns
    -------
    (68, 2) or (68, 3) array of the same type
        x, y (and depth).

    Examples
    --------
    >>> landmarks_of(np.arange(936).reshape(468, 2))[8].tolist()  # the chin
    [304, 305]
    """
    return mesh[list(LANDMARKS), : 3 if depth else 2]
