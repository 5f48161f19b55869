"""How far a head is turned: Face Mesh's points against the mean face that looks straight ahead."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

__all__ = ["HeadPose", "canonical_mesh", "head_pose", "mirrored_points"]

CANONICAL = Path(__file__).parent / "networks" / "canonical_mesh.npz"
"""What ``tools/make_canonical_mesh.py`` wrote."""


class HeadPose(NamedTuple):
    """Turn of a head in degrees; 0, 0, 0 looks into the camera."""

    yaw: float
    """About the vertical axis; positive to the viewer's right."""
    pitch: float
    """About the axis from ear to ear; positive upwards. People hold their heads differently: expect 5 degrees of it
    in portraits that look straight ahead."""
    roll: float
    """In the picture's plane; positive clockwise."""


@cache
def canonical_mesh() -> tuple[np.ndarray, np.ndarray]:
    """The mean face, symmetric and looking straight ahead, and which point mirrors which.

    Returns
    -------
    points : (468, 3) float64 array
        x to the viewer's right, y downwards, z away from the viewer; mean 0, root mean square distance 1.
    mirror : (468,) int array
        ``mirror[i]`` is the point on the other half of the face; itself on the midline.

    Examples
    --------
    >>> points, mirror = canonical_mesh()
    >>> int(mirror[33]), bool((mirror[mirror] == np.arange(468)).all())  # the eyes' outer corners
    (263, True)
    >>> bool(np.allclose(points[mirror], points * [-1, 1, 1], atol=1e-6))
    True
    """
    with np.load(CANONICAL) as file:
        return file["points"].astype(np.float64), file["mirror"].astype(np.int64)


def mirrored_points(points: np.ndarray, width: float) -> np.ndarray:
    """Points of a face in the mirror image of its photo.

    Parameters
    ----------
    points : (468, 2) or (468, 3) array
        x, y (and depth) in pixels.
    width : float
        The photo's width in pixels.

    Returns
    -------
    array of the same shape

    Examples
    --------
    >>> points = np.random.default_rng(0).uniform(0, 99, (468, 3))
    >>> bool(np.allclose(mirrored_points(mirrored_points(points, 100), 100), points))
    True
    """
    mirrored = points[canonical_mesh()[1]].copy()
    mirrored[:, 0] = width - 1 - mirrored[:, 0]
    return mirrored


def head_pose(points: np.ndarray) -> HeadPose:
    """How a head is turned, from its mesh.

    The rotation that takes the mean face to the points with the smallest squared distance (Umeyama 1991).

    Parameters
    ----------
    points : (468, 3) array
        x, y, depth in pixels, as `featureblend.faces.finder.MeshFace.points`.

    Returns
    -------
    HeadPose

    Examples
    --------
    >>> points, _ = canonical_mesh()
    >>> turn = np.radians(30)
    >>> head_turned = np.array([[np.cos(turn), 0, -np.sin(turn)], [0, 1, 0], [np.sin(turn), 0, np.cos(turn)]])
    >>> [round(angle) + 0 for angle in head_pose(100 * points @ head_turned.T + 50)]
    [30, 0, 0]
    """
    mean = canonical_mesh()[0]
    left, _, right = np.linalg.svd(mean.T @ (points - points.mean(axis=0)))
    turn = (left @ np.diag([1.0, 1.0, np.sign(np.linalg.det(left @ right))]) @ right).T
    # `turn` takes the mean face's axes to the picture's: its last column is where the back of the head points.
    yaw = np.degrees(np.arctan2(-turn[0, 2], turn[2, 2]))
    pitch = np.degrees(np.arcsin(np.clip(turn[1, 2], -1, 1)))
    roll = np.degrees(np.arctan2(turn[1, 0], turn[0, 0]))
    return HeadPose(float(yaw), float(pitch), float(roll))
