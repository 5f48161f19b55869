"""Warping faces by their landmarks: a thin-plate spline warps each to the shape that it is given.

Sources: F. L. Bookstein, "Principal warps: thin-plate splines and the decomposition of deformations", IEEE Trans. PAMI
11(6), 1989; G. Wahba, "Spline models for observational data", SIAM 1990, section 2.4 (the smoothing form, with a
stiffness a point).
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from ..errors import FeatureblendError
from ..io.image import to_uint8

BORDER_POINTS = 6
"""Fixed points along each side of the crop, corners among them."""

STIFFNESS = 1e-3
"""Smoothing of the spline at each landmark. On 200 pairs from LFW at 128 pixels this misses the landmarks by 0.12
pixel on average and folds a few pixels (mouths closed and open) in 5 pairs; 1e-4 misses by 0.07 and folds in 12."""

YIELD_DISTANCE = 0.12
"""A border point this near to a landmark (a share of the crop's longer side) gives way to it."""

GRID_CELLS = 42
"""The spline is evaluated on about so many places along the longer side, and by cubic convolution in between."""


def mean_shape(landmarks: Sequence[np.ndarray], weights: Sequence[float] | np.ndarray) -> np.ndarray:
    """The weighted mean of landmark sets.

    Parameters
    ----------
    landmarks : sequence of N (K, 2) arrays
        Pixel coordinates (x, y) in one aligned crop, the same points in the same order.
    weights : sequence of N floats
        Sum to 1; the first face's first.

    Returns
    -------
    (K, 2) float64 array

    Raises
    ------
    FeatureblendError
        If there are not as many sets as weights, or the sets differ in shape or hold what is no number.

    Examples
    --------
    >>> mean_shape([[(0, 0), (4, 4)], [(8, 0), (4, 8)]], (0.75, 0.25)).tolist()
    [[2.0, 0.0], [4.0, 5.0]]
    """
    if len(landmarks) != len(weights):
        raise FeatureblendError(f"{len(weights)} photos need {len(weights)} sets of landmarks, not {len(landmarks)}")
    shapes = [_check_landmarks(points, f"the landmarks of photo {n}") for n, points in enumerate(landmarks, 1)]
    if len({shape.shape for shape in shapes}) != 1:
        raise FeatureblendError("the photos have different numbers of landmarks: the same points are needed in each")
    return np.tensordot(np.asarray(weights, dtype=np.float64), np.stack(shapes), axes=1)


def _check_landmarks(points: np.ndarray, name: str) -> np.ndarray:
    checked = np.asarray(points, dtype=np.float64)
    if checked.ndim != 2 or checked.shape[1] != 2 or len(checked) == 0:
        raise FeatureblendError(f"{name}: expected a (68, 2) array of x and y, not {checked.shape}")
    if not np.isfinite(checked).all():
        raise FeatureblendError(f"{name}: not all are finite numbers")
    return checked


def _border(height: int, width: int) -> np.ndarray:
    """`BORDER_POINTS` points along each side of the crop, each corner once."""
    along = np.linspace(0, 1, BORDER_POINTS)[:-1]
    zero, one = np.zeros_like(along), np.ones_like(along)
    x = np.concatenate([along, one, 1 - along, zero])
    y = np.concatenate([zero, along, one, 1 - along])
    return np.column_stack([x, y]) * (width - 1, height - 1)


def _kernel(squared: np.ndarray) -> np.ndarray:
    """The thin-plate kernel r^2 log r^2 of squared distances, up to a factor; 0 at 0."""
    floored = np.maximum(squared, 1e-12)
    floored *= cv2.log(floored)
    return floored


def _squared_distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The (len(a), len(b)) squared distances, which rounding may leave slightly below 0."""
    squared = a @ (-2 * b.T)
    squared += (a**2).sum(axis=1)[:, None]
    squared += (b**2).sum(axis=1)
    return squared


def warp_map(
    shape: tuple[int, int], landmarks: np.ndarray, target: np.ndarray, *, stiffness: float = STIFFNESS
) -> np.ndarray:
    """For each pixel of the warped picture, the position in the original that it is read from.

    Parameters
    ----------
    shape : (int, int)
        Height and width of the crop.
    landmarks, target : (K, 2) arrays
        Where the points are in the original, and where the warp puts them; (x, y) in pixels.
    stiffness : float
        0 meets every landmark; more gives a smoother warp that may miss crowded ones by a little.

    Returns
    -------
    (H, W, 2) float32 array
        (x, y) in the original, for `cv2.remap`.

    Raises
    ------
    FeatureblendError
        If the two sets differ in shape or hold what is no number.

    Notes
    -----
    A thin-plate spline of the displacement, from the target back to the original, so that no displacement gives
    the identity exactly. Points along the crop's border stay where they are, so that the picture keeps its frame;
    where landmarks come near the border, or lie beyond it, these points give way smoothly (their stiffness
    grows), or the warp would fold between the two. Landmarks may coincide: the spline then meets their mean.

    References
    ----------
    Bookstein 1989; Wahba 1990 (see the head of this module).

    Examples
    --------
    >>> face = np.array([(10.0, 12.0), (20.0, 12.0), (15.0, 22.0)])
    >>> warp_map((32, 32), face, face)[7, 9].tolist()
    [9.0, 7.0]
    """
    source, aim = _check_landmarks(landmarks, "the landmarks"), _check_landmarks(target, "the target shape")
    if source.shape != aim.shape:
        raise FeatureblendError(f"{len(source)} landmarks cannot be warped to {len(aim)}")
    height, width = shape
    scale = max(height, width)
    border = _border(height, width)
    points = np.concatenate([aim, border]) / scale
    displacement = np.concatenate([source - aim, np.zeros_like(border)])
    distances = _squared_distances(points, points)
    slack = np.exp(-distances[len(aim) :, : len(aim)].min(axis=1) / YIELD_DISTANCE**2)
    soft = np.concatenate([np.full(len(aim), stiffness), stiffness + slack])
    count = len(points)
    system = np.zeros((count + 3, count + 3))
    system[:count, :count] = _kernel(distances) + np.diag(soft)
    system[:count, count:] = np.column_stack([np.ones(count), points])
    system[count:, :count] = system[:count, count:].T
    given = np.concatenate([displacement, np.zeros((3, 2))])
    # Only without stiffness may coinciding landmarks leave it unsolvable; least squares take ten times as long.
    solution = np.linalg.solve(system, given) if stiffness > 0 else np.linalg.lstsq(system, given, rcond=None)[0]
    step = max(1, scale // GRID_CELLS)
    nodes_y, nodes_x = (np.arange(-1, -(-side // step) + 3) * step for side in shape)
    nodes = np.stack(np.meshgrid(nodes_x, nodes_y), axis=-1).reshape(-1, 2) / scale
    coarse = _kernel(_squared_distances(nodes, points)) @ solution[:count] + solution[count]
    coarse = (coarse + nodes @ solution[count + 1 :]).reshape(len(nodes_y), len(nodes_x), 2)
    down, across = _cubic(height, nodes_y), _cubic(width, nodes_x).T
    places = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)[:, None]
    found = np.empty((height, width, 2), np.float32)
    for axis, place in enumerate(places):
        found[..., axis] = (down @ coarse[..., axis].astype(np.float32)) @ across + place
    return found


def _cubic(side: int, nodes: np.ndarray) -> np.ndarray:
    """The (side, nodes) float32 matrix of cubic convolution from evenly spaced nodes to each pixel of a side."""
    distance = np.abs(np.arange(side)[:, None] - nodes[None, :]) / (nodes[1] - nodes[0])
    near = (1.5 * distance - 2.5) * distance**2 + 1
    far = ((-0.5 * distance + 2.5) * distance - 4) * distance + 2
    return np.where(distance <= 1, near, np.where(distance < 2, far, 0.0)).astype(np.float32)


def warp_to_shape(
    image: np.ndarray, landmarks: np.ndarray, target: np.ndarray, *, stiffness: float = STIFFNESS
) -> np.ndarray:
    """Warp a picture so that its landmarks come to lie on a target shape.

    Parameters
    ----------
    image : (H, W, 3) uint8 array
    landmarks, target : (K, 2) arrays
        Where the points are in `image`, and where they shall be; (x, y) in pixels of the crop.
    stiffness : float
        As in `warp_map`.

    Returns
    -------
    (H, W, 3) uint8 array
        Sampled by Lanczos's kernel of 8 x 8 pixels; what lies beyond the border is mirrored.

    Raises
    ------
    FeatureblendError
        As `warp_map`.

    Examples
    --------
    >>> image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    >>> face = np.array([(10.0, 12.0), (20.0, 12.0), (15.0, 22.0)])
    >>> bool((warp_to_shape(image, face, face) == image).all())
    True
    """
    if lie_at(landmarks, target):
        return image.copy()
    return to_uint8(sample(image, warp_map(image.shape[:2], landmarks, target, stiffness=stiffness)))


def lie_at(landmarks: np.ndarray, target: np.ndarray) -> bool:
    """Whether landmarks lie on a target shape already, so that a warp would give the very picture back.

    Examples
    --------
    >>> lie_at(np.zeros((3, 2)), np.full((3, 2), 1e-9)), lie_at(np.zeros((3, 2)), np.full((3, 2), 0.1))
    (True, False)
    """
    return np.shape(landmarks) == np.shape(target) and bool(np.abs(np.subtract(landmarks, target)).max() < 1e-6)


def warp_to_mean(
    images: Sequence[np.ndarray], landmarks: Sequence[np.ndarray], weights: Sequence[float] | np.ndarray
) -> list[np.ndarray]:
    """Warp every picture to the weighted mean of all their landmarks, so that their features meet.

    Parameters
    ----------
    images : sequence of N (H, W, 3) uint8 arrays
    landmarks : sequence of N (68, 2) arrays
        In the pictures' pixels.
    weights : sequence of N floats
        Sum to 1.

    Returns
    -------
    list of N (H, W, 3) uint8 arrays

    Raises
    ------
    FeatureblendError
        As `mean_shape`.

    Examples
    --------
    >>> a, b = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    >>> points = np.array([(10.0, 12.0), (20.0, 12.0), (15.0, 22.0)])
    >>> bool((warp_to_mean([a, b], [points, points], (0.5, 0.5))[1] == b).all())  # they meet already
    True
    """
    shape = mean_shape(landmarks, weights)
    return [warp_to_shape(image, points, shape) for image, points in zip(images, landmarks, strict=True)]


def sample(image: np.ndarray, mapping: np.ndarray) -> np.ndarray:
    """Take an (H, W, 3) image at the (h, w, 2) places, x before y, that a mapping names: (h, w, 3) float32."""
    return cv2.remap(  # type: ignore[call-overload]
        image.astype(np.float32), mapping, None, cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REFLECT_101
    )
