"""What makes a photo hard to blend, in numbers: a small face, hard light, no colours."""

from __future__ import annotations

import cv2
import numpy as np

from ..faces.alignment import blurred
from ..faces.masks import hull_mask
from ..metrics.inputs import check_pair
from .compositing.restoration import broad

BRIDGE = slice(27, 31)
"""Bridge of the nose among the 68 landmarks."""


def face_width(landmarks: np.ndarray, matrix: np.ndarray) -> float:
    """Width of a face in its photo, in pixels: jaw to jaw.

    Parameters
    ----------
    landmarks : (68, 2) array
        In the aligned crop.
    matrix : (2, 3) array
        Takes photo coordinates to the crop's.

    Examples
    --------
    >>> marks = np.zeros((68, 2))
    >>> marks[16] = 80, 0
    >>> face_width(marks, np.array([[0.5, 0, 3], [0, 0.5, 7]]))
    160.0
    """
    return float(np.hypot(*(landmarks[16] - landmarks[0])) / np.sqrt(abs(np.linalg.det(matrix[:, :2]))))


def reconstruction_errors(photo: np.ndarray, decoded: np.ndarray, landmarks: np.ndarray) -> tuple[float, float]:
    """PSNR of the model's reconstruction of a face, overall and inside the face.

    Parameters
    ----------
    photo, decoded : (S, S, 3) uint8 arrays
        The aligned face, and what its latent decodes to.
    landmarks : (68, 2) array
        In that crop.

    Returns
    -------
    whole, inside : float
        In dB, more is nearer; infinite where nothing differs.

    Examples
    --------
    >>> black, marks = np.zeros((32, 32, 3), np.uint8), np.random.default_rng(0).uniform(8, 24, (68, 2))
    >>> [round(value, 1) for value in reconstruction_errors(black, black + 255, marks)]
    [0.0, 0.0]
    """
    first, second = check_pair(photo, decoded)
    squares = np.square(first.astype(np.float64) - second).mean(axis=2)
    inside = hull_mask(landmarks[:68], photo.shape[:2])
    return _decibels(squares.mean()), _decibels(squares[inside].mean() if inside.any() else squares.mean())


def _decibels(square: float) -> float:
    return float(10 * np.log10(255**2 / square)) if square > 0 else float("inf")


def broad_error(photo: np.ndarray, decoded: np.ndarray) -> float:
    """Largest low-frequency error of the model's reconstruction of a face.

    Unlike PSNR this doesn't fall with the photo's own fine detail, which no latent holds.

    Parameters
    ----------
    photo, decoded : (S, S, 3) uint8 arrays
        The aligned face, and what its latent decodes to.

    Returns
    -------
    float
        Root mean square in grey levels, over the worst square of an eighth of the side.

    Examples
    --------
    >>> lines = np.zeros((64, 64, 3), np.uint8)
    >>> lines[::2] = 200
    >>> grey = np.full_like(lines, 100)
    >>> broad_error(lines, grey) < 1 < 50 < broad_error(lines, grey - 60)
    True
    """
    first, second = (broad(picture.astype(np.float32)) for picture in check_pair(photo, decoded))
    squares = np.square(first - second).mean(axis=2)
    window = max(1, photo.shape[0] // 8)
    return float(np.sqrt(max(0.0, cv2.blur(squares, (window, window)).max())))


def fineness(photo: np.ndarray, landmarks: np.ndarray) -> float:
    """Share of fine detail in a face's lines: low if it is out of focus, whatever the face and the light.

    Parameters
    ----------
    photo : (S, S, 3) uint8 array, sRGB
        The aligned face.
    landmarks : (68, 2) array
        In that crop.

    Returns
    -------
    float
        Contrast of what is finer than a blur of 1.5 / 128 of the side, over that of what is finer than 6 / 128.

    Examples
    --------
    >>> from featureblend.faces.drawn import draw_face
    >>> photo, marks = draw_face(0, 128)
    >>> fineness(cv2.GaussianBlur(photo, (0, 0), 4), marks) < 0.15 < 0.25 < fineness(photo, marks)
    True
    """
    luma = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY).astype(np.float32)
    inside = hull_mask(landmarks[:68], photo.shape[:2])
    fine, lines = (luma - blurred(luma, width * photo.shape[0] / 128) for width in (1.5, 6))
    return float(np.sqrt((np.square(fine[inside]).sum() + 1e-3) / (np.square(lines[inside]).sum() + 1e-3)))


def light_ratio(photo: np.ndarray, landmarks: np.ndarray) -> float:
    """How much darker the darker half of a face is, left or right of the nose.

    Parameters
    ----------
    photo : (S, S, 3) uint8 array, sRGB
        The aligned face.
    landmarks : (68, 2) array
        In that crop.

    Returns
    -------
    float
        In stops, 0 up: the halves' median luminance differs by the factor ``2 ** stops``.

    Examples
    --------
    >>> from featureblend.faces.drawn import draw_face
    >>> photo, marks = draw_face(0, 128)
    >>> light_ratio(photo, marks) < 1
    True
    """
    luminance = np.power(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY) / 255, 2.2) + 1e-3
    inside = hull_mask(landmarks[:68], photo.shape[:2])
    columns = np.arange(photo.shape[1]) < np.asarray(landmarks)[BRIDGE, 0].mean()
    halves = inside & columns, inside & ~columns
    if not all(half.any() for half in halves):
        return 0.0
    left, right = (np.median(luminance[half]) for half in halves)
    return float(abs(np.log2(left / right)))


def colour_spread(photo: np.ndarray, landmarks: np.ndarray) -> float:
    """How far a face's colours are from those of a single ink, such as grey, sepia or blueprint.

    Parameters
    ----------
    photo, landmarks
        As in `light_ratio`.

    Returns
    -------
    float
        What is left of Lab's a and b where a cubic of L is taken out of them: root mean square over the face, in
        standard deviations of L or, where that is smaller, a sixteenth: a flat or blurred photo has little of both.

    Examples
    --------
    >>> from featureblend.faces.drawn import draw_face
    >>> photo, marks = draw_face(0, 128)
    >>> grey = np.repeat(photo.mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2)
    >>> colour_spread(grey, marks) < 0.01 < 0.1 < colour_spread(photo, marks)
    True
    """
    lab = cv2.cvtColor(photo.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    # JPEG keeps colours at half the size and in blocks: a little blur takes its noise out.
    lab = blurred(lab, 1.5 / 128 * photo.shape[0])[hull_mask(landmarks[:68], photo.shape[:2])]
    if len(lab) < 16:
        return float("inf")
    powers = np.vander(lab[:, 0] / 50 - 1, 4)
    fitted, *_ = np.linalg.lstsq(powers, lab[:, 1:], rcond=None)
    rest = np.sqrt(np.square(lab[:, 1:] - powers @ fitted).mean())
    return float(rest / np.clip(lab[:, 0].std(), 1e-6, 16))
