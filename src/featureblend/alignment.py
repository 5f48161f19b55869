"""The aligned crop: FFHQ's similarity transform from landmarks, the crop it cuts, and the way back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from .config import CropTemplate
from .errors import FeatureblendError

__all__ = ["AlignedFace", "align_face", "crop_matrix", "invert_matrix", "transform_points", "unalign_image"]

LEFT_EYE, RIGHT_EYE, MOUTH_CORNERS = slice(36, 42), slice(42, 48), (48, 54)
"""Indices into dlib's 68 points; left and right are the viewer's."""


@dataclass(frozen=True)
class AlignedFace:
    """A face turned, scaled and cropped to the template."""

    image: np.ndarray = field(repr=False)
    """(size, size, 3) uint8 sRGB."""
    landmarks: np.ndarray = field(repr=False)
    """(68, 2) float64: x, y in the crop."""
    matrix: np.ndarray
    """(2, 3) float64: takes photo coordinates to crop coordinates."""


def crop_matrix(
    landmarks: np.ndarray, size: int, margin: float = 1.0, template: CropTemplate | None = None
) -> np.ndarray:
    """Give the similarity that takes a photo's pixels to the aligned crop's.

    Parameters
    ----------
    landmarks : (68, 2) array
        In the photo's pixels.
    size : int
        Side of the crop in pixels.
    margin : float
        The crop shows this many times the template's side.
    template : CropTemplate, optional

    Returns
    -------
    (2, 3) float64 array
        ``crop = matrix @ (x, y, 1)``.

    References
    ----------
    Karras, Laine & Aila, *A Style-Based Generator Architecture for GANs*, 2019, appendix C.

    Examples
    --------
    >>> points = np.random.default_rng(0).uniform(20, 80, (68, 2))
    >>> matrix = crop_matrix(points, 128)
    >>> bool(np.isclose(np.hypot(matrix[0, 0], matrix[1, 0]), np.hypot(matrix[0, 1], matrix[1, 1])))
    True
    """
    template = template or CropTemplate()
    left, right = landmarks[LEFT_EYE].mean(axis=0), landmarks[RIGHT_EYE].mean(axis=0)
    eyes, mouth = (left + right) / 2, landmarks[list(MOUTH_CORNERS)].mean(axis=0)
    across, down = right - left, mouth - eyes
    axis = across - np.array([-down[1], down[0]])  # minus `down` turned by 90 degrees: both agree on what is level
    length = np.hypot(*axis)
    if length < 1e-9:
        raise FeatureblendError("the face's landmarks lie in one point; no crop can be cut from them")
    half = max(np.hypot(*across) * template.eye_scale, np.hypot(*down) * template.mouth_scale) * margin
    centre = eyes + down * template.centre_shift
    unit = axis / length * (size / 2 / half)
    rotation = np.array([[unit[0], unit[1]], [-unit[1], unit[0]]])
    # OpenCV puts pixel centres at whole numbers: the crop's middle lies at (size - 1) / 2.
    shift = (size - 1) / 2 - rotation @ centre
    return np.column_stack([rotation, shift])


def invert_matrix(matrix: np.ndarray) -> np.ndarray:
    """Invert a (2, 3) affine map, so that ``invert_matrix(m)`` takes crop pixels to photo pixels."""
    linear = np.linalg.inv(matrix[:, :2])
    return np.column_stack([linear, -linear @ matrix[:, 2]])


def transform_points(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Apply a (2, 3) affine map to (N, 2) points."""
    return points @ matrix[:, :2].T + matrix[:, 2]


def align_face(
    image: np.ndarray, landmarks: np.ndarray, size: int, margin: float = 1.0, template: CropTemplate | None = None
) -> AlignedFace:
    """Cut the aligned crop of a face.

    Parts of the crop outside the photo are filled by mirroring it at its edge.

    Parameters
    ----------
    image : (H, W, 3) uint8 array
    landmarks : (68, 2) array
        In that picture's pixels.
    size, margin, template
        As `crop_matrix`.

    Returns
    -------
    AlignedFace
    """
    matrix = crop_matrix(landmarks, size, margin, template)
    source, to_source = image, np.eye(3)[:2]
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    if scale < 0.75:
        # A warp samples a few pixels only: shrink the photo first, by area, or fine detail turns into noise.
        shrink = min(1.0, scale * 1.25)
        width, height = max(1, round(image.shape[1] * shrink)), max(1, round(image.shape[0] * shrink))
        source = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        across, down = width / image.shape[1], height / image.shape[0]
        to_source = np.array([[across, 0, across / 2 - 0.5], [0, down, down / 2 - 0.5]])
    warp = matrix @ np.vstack([invert_matrix(to_source), [0, 0, 1]])
    crop = cv2.warpAffine(source, warp, (size, size), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
    return AlignedFace(crop, transform_points(landmarks, matrix), matrix)


def unalign_image(crop: np.ndarray, matrix: np.ndarray, shape: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Put a crop back where it came from: the inverse of `align_face`.

    Parameters
    ----------
    crop : (S, S, 3) uint8 array
    matrix : (2, 3) array
        The one that the crop was cut with.
    shape : sequence of int
        Height and width of the photo.

    Returns
    -------
    image : (H, W, 3) uint8 array
        Black outside the crop.
    mask : (H, W) float32 array in [0, 1]
        1 where the crop lies.
    """
    size = int(shape[1]), int(shape[0])
    back = invert_matrix(matrix)
    image = cv2.warpAffine(crop, back, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    mask = cv2.warpAffine(np.ones(crop.shape[:2], np.float32), back, size, flags=cv2.INTER_LINEAR)
    image[mask <= 0] = 0
    return image, mask
