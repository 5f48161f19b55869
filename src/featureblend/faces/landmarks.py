"""Landmarks: 68 of the mesh's 468 points, in the order in which codes, masks and measures expect them."""

from __future__ import annotations

import numpy as np

__all__ = [
    *("LANDMARKS", "LEFT_EYE", "MIRRORED", "MOUTH_CORNERS", "RIGHT_EYE"),
    *("landmarks_of", "mouth_opening", "seen_landmarks"),
]

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

OUTLINE = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
    *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)
"""The mesh's border, from the middle of the forehead and back to it."""

LEVEL = 0.02
"""Points whose heights differ by less than this share of a face's are level."""

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


def seen_landmarks(mesh: np.ndarray) -> np.ndarray:
    """The landmarks of a mesh, the jaw's where a photo shows the face's outline.

    The far side of a turned head is hidden behind its nose and cheek, and so is the jaw there: between points that lie
    behind others a warp folds, and shows an eye twice. Where the face reaches farther out at a hidden point's height,
    the point moves out to there.

    Parameters
    ----------
    mesh : (468, 2) or (468, 3) array
        As `landmarks_of`.

    Returns
    -------
    (68, 2) float64 array

    Examples
    --------
    >>> from featureblend.faces.pose import canonical_mesh
    >>> ahead = canonical_mesh()[0]
    >>> bool(np.allclose(seen_landmarks(ahead), landmarks_of(ahead), atol=0.02))
    True
    >>> turn = np.radians(45)
    >>> aside = ahead @ np.array([[np.cos(turn), 0, -np.sin(turn)], [0, 1, 0], [np.sin(turn), 0, np.cos(turn)]]).T
    >>> bool(np.ptp(seen_landmarks(aside)[:17, 0]) > 1.1 * np.ptp(landmarks_of(aside)[:17, 0]))
    True
    """
    marks = landmarks_of(mesh).astype(np.float64)
    across = marks[RIGHT_EYE].mean(axis=0) - marks[LEFT_EYE].mean(axis=0)
    across /= max(np.hypot(*across), 1e-9)
    upright = np.array([across, [-across[1], across[0]]])
    turned, inner = marks @ upright.T, np.delete(mesh[:, :2], OUTLINE, axis=0) @ upright.T
    level = LEVEL * np.ptp(mesh[:, :2] @ upright[1])
    for points, farthest in ((range(8), np.min), (range(9, 17), np.max)):
        for point in points:
            beside = inner[np.abs(inner[:, 1] - turned[point, 1]) < level, 0]
            turned[point, 0] = farthest([turned[point, 0], *beside])
    return np.asarray(turned @ upright)


def mouth_opening(landmarks: np.ndarray) -> float:
    """How far a mouth is open.

    Parameters
    ----------
    landmarks : (68, 2) array
        In pixels of any picture.

    Returns
    -------
    float
        Mean distance of the lips' inner rims, in distances between the mouth's inner corners: 0 is closed, a smile that
        shows the teeth has .1 to .3.

    Examples
    --------
    >>> marks = np.zeros((68, 2))
    >>> marks[60:68] = [(0, 0), (1, -1), (2, -1), (3, -1), (4, 0), (3, 1), (2, 1), (1, 1)]
    >>> mouth_opening(marks)
    0.5
    """
    marks = np.asarray(landmarks, np.float64)
    gaps = np.hypot(*(marks[61:64] - marks[[67, 66, 65]]).T)
    return float(gaps.mean() / max(np.hypot(*(marks[64] - marks[60])), 1e-9))
