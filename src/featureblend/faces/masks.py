"""Masks of an aligned face: the ellipse and the features of the template, and soft ones from landmarks.

The ellipse and the features lie where alignment puts every face, so that latents can be mixed by them; the others
follow a face's own landmarks.
"""

from __future__ import annotations

import cv2
import numpy as np

CENTRE = (0.5, 0.56)
"""Middle of the face in an aligned crop: x and y as shares of its side, y downwards."""

RADII = (0.30, 0.38)
"""Half axes of the ellipse round the face, as shares of the crop's side."""

FEATURES_CENTRE, FEATURES_RADII = (0.5, 0.61), (0.27, 0.27)
"""The same of the features: brows, eyes, nose and mouth. The forehead is not among them: a fringe of one parent and the
bare forehead of the other mix in colour, but its lines are those of the hair that is shown."""

MOUTH_BEGINS, MOUTH_SOFT = 0.72, 0.05
"""Height between nose and mouth, as a share of the crop's side from above, and half the width of the change there."""

SOFT = (0.85, 1.15)
"""Distances from the middle, in radii, between which the face fades into its surroundings."""


def outside_face(grid: int) -> np.ndarray:
    """How far each place of an aligned crop lies outside the face.

    Parameters
    ----------
    grid : int
        Places along each side.

    Returns
    -------
    (grid, grid) float32 array
        0 in the face, 1 around it; first axis downwards.

    Examples
    --------
    >>> outside_face(4).round(1).tolist()[1]
    [1.0, 0.0, 0.0, 1.0]
    """
    return _outside(grid, CENTRE, RADII)


def outside_features(grid: int) -> np.ndarray:
    """How far each place of an aligned crop lies outside brows, eyes, nose and mouth, as in `outside_face`.

    Examples
    --------
    >>> outside_features(4).round(1).tolist()[1]
    [1.0, 0.5, 0.5, 1.0]
    """
    return _outside(grid, FEATURES_CENTRE, FEATURES_RADII)


def above_mouth(grid: int) -> np.ndarray:
    """How far each place of an aligned crop is level with brows, eyes and nose rather than with the mouth.

    Returns
    -------
    (grid, grid) float32 array
        1 above, -1 below.

    Examples
    --------
    >>> above_mouth(4)[:, 0].tolist()
    [1.0, 1.0, 1.0, -1.0]
    """
    height = (np.arange(grid) + 0.5) / grid
    level = np.clip((MOUTH_BEGINS - height) / MOUTH_SOFT, -1, 1).astype(np.float32)
    return np.repeat(level[:, None], grid, axis=1)


def _outside(grid: int, centre: tuple[float, float], radii: tuple[float, float]) -> np.ndarray:
    middle = (np.arange(grid) + 0.5) / grid
    columns, rows = np.meshgrid((middle - centre[0]) / radii[0], (middle - centre[1]) / radii[1])
    return np.clip((np.hypot(columns, rows) - SOFT[0]) / (SOFT[1] - SOFT[0]), 0, 1).astype(np.float32)


REGIONS = ("eyes", "mouth", "nose", "skin")
"""Parts of a face whose detail comes from one parent: both eyes with their brows, so that they are alike."""

_POINTS = {"eyes": [*range(17, 27), *range(36, 48)], "mouth": [*range(48, 60)], "nose": [*range(27, 36)]}
_BROWS = slice(17, 27)
_CHIN = 8
_ARCH = np.array([0.45, 0.7, 0.9, 1, 1, 1, 1, 0.9, 0.7, 0.45])
"""How far each point of the brows is lifted to the forehead, relative to the middle ones."""


def rescaled_points(points: np.ndarray, factor: float) -> np.ndarray:
    """Points of a picture scaled by `factor`; pixel centres have integer coordinates.

    Examples
    --------
    >>> rescaled_points(np.array([[0.0, 7.5]]), 2.0).tolist()
    [[0.5, 15.5]]
    """
    return (np.asarray(points, np.float64) + 0.5) * factor - 0.5


def face_mask(landmarks: np.ndarray, size: int, *, forehead: float = 0.4, soft: float = 0.03) -> np.ndarray:
    """Soft mask of a face: the hull of its landmarks and part of the forehead.

    Parameters
    ----------
    landmarks : (68, 2) array
        In the crop's pixels.
    size : int
        Side of the crop.
    forehead : float
        How far the mask reaches above the brows, in distances from the chin to the eyes.
    soft : float
        Standard deviation of the soft edge, as a share of the side. It lies inside the outline.

    Returns
    -------
    (size, size) float32 array in [0, 1]

    Examples
    --------
    >>> from featureblend.faces.drawn import draw_face
    >>> mask = face_mask(draw_face(0, 64)[1], 64)
    >>> mask.shape, bool(mask[36, 32] > 0.9), float(mask[0, 0])
    ((64, 64), True, 0.0)
    """
    eyes = (landmarks[36:42].mean(axis=0) + landmarks[42:48].mean(axis=0)) / 2
    lifted = landmarks[_BROWS] + (eyes - landmarks[_CHIN]) * (forehead * _ARCH)[:, None]
    hull = _hull(np.concatenate([landmarks, lifted]), size)
    spread = soft * size
    return _blurred(cv2.erode(hull, _disc(1.6 * spread)), spread)


def hull_mask(landmarks: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """The (H, W) bool mask of the landmarks' convex hull: the face from the brows to the chin.

    Examples
    --------
    >>> hull_mask(np.array([(1, 1), (3, 1), (3, 3), (1, 3)]), (5, 5)).sum().item()
    9
    """
    filled = np.zeros(shape, np.uint8)
    cv2.fillConvexPoly(filled, cv2.convexHull(np.round(landmarks).astype(np.int32)), 1)
    return filled.astype(bool)


def region_masks(landmarks: np.ndarray, size: int, *, grow: float = 0.03, soft: float = 0.025) -> np.ndarray:
    """Divide a picture into `REGIONS`; what is no eye, mouth or nose is skin.

    Parameters
    ----------
    landmarks : (68, 2) array
        In the crop's pixels.
    size : int
        Side of the crop.
    grow, soft : float
        How far each region reaches beyond its landmarks, and how softly it ends, as shares of the side.

    Returns
    -------
    (4, size, size) float32 array
        Sums to 1 at each pixel.

    Examples
    --------
    >>> from featureblend.faces.drawn import draw_face
    >>> region_masks(draw_face(0, 64)[1], 64).sum(axis=0).round(5).max().item()
    1.0
    """
    parts = [
        _blurred(cv2.dilate(_hull(landmarks[_POINTS[name]], size), _disc(grow * size)), soft * size)
        for name in REGIONS[:-1]
    ]
    left = np.ones((size, size), np.float32)
    masks = []
    for part in parts:
        masks.append(part * left)
        left = left - masks[-1]
    return np.stack([*masks, left])


def around_face(landmarks: np.ndarray, size: int, *, soft: float = 0.04) -> np.ndarray:
    """Soft mask of where a face's ears, forehead and neck can be.

    Parameters
    ----------
    landmarks : (68, 2) array
        In the crop's pixels.
    size : int
        Side of the crop.
    soft : float
        Standard deviation of the soft edge, as a share of the side.

    Returns
    -------
    (size, size) float32 array in [0, 1]
        1 in the face too; below the jaw it reaches down to the border.

    Examples
    --------
    >>> from featureblend.faces.drawn import draw_face
    >>> where = around_face(draw_face(0, 64)[1], 64)
    >>> bool(where[36, 32] > 0.9), bool(where[60, 32] > 0.9), bool(where[4, 2] < 0.01)
    (True, True, True)
    """
    eyes = (landmarks[36:42].mean(axis=0) + landmarks[42:48].mean(axis=0)) / 2
    height = eyes - landmarks[_CHIN]
    lifted = landmarks[_BROWS] + height * (0.75 * _ARCH)[:, None]
    sides = eyes + (landmarks[[*range(4), *range(13, 17)]] - eyes) * 1.35
    head = _hull(np.concatenate([landmarks, lifted, sides]), size)
    jaw = landmarks[2:15]
    middle = jaw.mean(axis=0)
    neck = _hull(np.concatenate([jaw, middle + (jaw - middle) * 1.2 - 1.3 * height]), size)
    return _blurred(np.maximum(head, neck), soft * size)


def _hull(points: np.ndarray, size: int) -> np.ndarray:
    mask = np.zeros((size, size), np.float32)
    outline = cv2.convexHull(np.asarray(points, np.float32))
    # Sixteenths of a pixel, which OpenCV draws exactly; landmarks far outside are cut off to what it can hold.
    cv2.fillConvexPoly(mask, np.round(np.clip(outline, -4 * size, 5 * size) * 16).astype(np.int32), (1.0,), shift=4)
    return mask


def _disc(radius: float) -> np.ndarray:
    reach = max(1, round(radius))
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))


def _blurred(mask: np.ndarray, spread: float) -> np.ndarray:
    return cv2.GaussianBlur(mask, (0, 0), max(spread, 0.3), borderType=cv2.BORDER_REPLICATE)
