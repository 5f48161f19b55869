"""Fixed degradations of a face: blur, noise, weak light, compression, small size.

Not the damage that `featureblend.training.degradation` trains on, whose amounts and kinds of grain are drawn anew for
every picture, and whose compression only stands in for JPEG: here it is JPEG itself.
"""

from __future__ import annotations

import io
from collections.abc import Callable

import cv2
import numpy as np
from PIL import Image

from ..errors import FeatureblendError
from ..io.image import check_image

__all__ = ["CLEAN", "DEGRADATIONS", "degrade"]

CLEAN = "clean"
"""Name of the undamaged face, beside `DEGRADATIONS`."""

BLUR = 2 / 128
"""Standard deviation of the blur, as a share of the side."""

NOISE = 20.0
"""Standard deviation of the noise in grey levels."""

EXPOSURE, CONTRAST, TINT = 0.65, 0.7, (1.1, 1.0, 0.85)
"""Weak, flat and yellow: share of the light, of the spread about the mean, and gains of red, green and blue."""

QUALITY = 10
"""JPEG's, of 100."""

SMALLER, THUMBNAIL = 0.5, 30
"""Share of the size and JPEG quality of a thumbnail."""


def _blurred(image: np.ndarray, seed: int) -> np.ndarray:
    return cv2.GaussianBlur(image, (0, 0), BLUR * max(image.shape[:2]), borderType=cv2.BORDER_REFLECT_101)


def _noisy(image: np.ndarray, seed: int) -> np.ndarray:
    return image + np.random.default_rng(seed).normal(0, NOISE, image.shape)


def _lit(image: np.ndarray, seed: int) -> np.ndarray:
    mean = image.mean(axis=(0, 1))
    return (mean + (image - mean) * CONTRAST) * EXPOSURE * np.array(TINT)


def _compressed(image: np.ndarray, seed: int) -> np.ndarray:
    return np.asarray(_jpeg(Image.fromarray(image), QUALITY))


def _reduced(image: np.ndarray, seed: int) -> np.ndarray:
    height, width = image.shape[:2]
    small = (max(round(width * SMALLER), 1), max(round(height * SMALLER), 1))
    thumbnail = _jpeg(Image.fromarray(image).resize(small, Image.Resampling.LANCZOS), THUMBNAIL)
    return np.asarray(thumbnail.resize((width, height), Image.Resampling.BICUBIC))


def _jpeg(image: Image.Image, quality: int) -> Image.Image:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality)
    return Image.open(stream).convert("RGB")


_WAYS: dict[str, Callable[[np.ndarray, int], np.ndarray]] = {
    "blur": _blurred,
    "noise": _noisy,
    "light": _lit,
    "compression": _compressed,
    "thumbnail": _reduced,
}

DEGRADATIONS = tuple(_WAYS)
"""Ways to degrade a photo."""


def degrade(image: np.ndarray, kind: str, seed: int = 0) -> np.ndarray:
    """Degrade a photo.

    Parameters
    ----------
    image : (H, W, 3) uint8 array, sRGB
    kind : str
        One of `DEGRADATIONS`: 'blur' (a standard deviation of 2 pixels of 128), 'noise' (of 20 grey levels), 'light'
        (two thirds of it, flat and yellow), 'compression' (JPEG of quality 10) or 'thumbnail' (half the size, JPEG of
        quality 30, enlarged again).
    seed : int
        Of the noise.

    Returns
    -------
    (H, W, 3) uint8 array, sRGB

    Raises
    ------
    FeatureblendError
        If the kind is unknown, or the image is no such array.

    Examples
    --------
    >>> grey = np.full((64, 64, 3), 100, np.uint8)
    >>> degrade(grey, "light")[0, 0].tolist(), degrade(grey, "blur")[0, 0].tolist()
    ([72, 65, 55], [100, 100, 100])
    """
    check_image(image)
    if kind not in _WAYS:
        raise FeatureblendError(f"unknown degradation {kind!r}: use one of {', '.join(DEGRADATIONS)}")
    return np.clip(np.rint(_WAYS[kind](image, seed)), 0, 255).astype(np.uint8)
