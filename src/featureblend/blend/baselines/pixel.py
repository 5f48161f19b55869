"""Weighted mean of the pixels, the baseline of all comparisons.

Source: the paper's section 1 ("historically, blending has been done in pixel space, that is, the output image is
a linear combination of the input images' pixel values"); T. Porter and T. Duff, "Compositing digital images",
SIGGRAPH 1984 (the cross-dissolve).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...io.image import to_uint8
from .inputs import check_inputs


def weighted_mean(images: Sequence[np.ndarray], weights: np.ndarray) -> np.ndarray:
    """The weighted mean of pictures, unrounded, as a float64 array of their shape.

    Examples
    --------
    >>> weighted_mean([np.array([10]), np.array([21])], np.array([0.5, 0.5])).tolist()
    [15.5]
    """
    mean = np.zeros(images[0].shape)
    for image, weight in zip(images, weights, strict=True):
        if weight:
            mean += weight * image
    return mean


def blend(
    images: Sequence[np.ndarray], weights: Sequence[float], landmarks: Sequence[np.ndarray] | None = None
) -> np.ndarray:
    """Blend photos by the weighted mean of their sRGB values.

    Parameters
    ----------
    images : sequence of N (H, W, 3) uint8 arrays
        Aligned faces, sRGB, all of one shape.
    weights : sequence of N floats
        Sum to 1; the first photo's first.
    landmarks : ignored
        Taken so that every baseline has one signature.

    Returns
    -------
    (H, W, 3) uint8 array, sRGB

    Raises
    ------
    FeatureblendError
        If the photos' shapes differ or the weights do not fit them.

    Notes
    -----
    The mean is taken of the gamma-coded sRGB values, as a cross-dissolve in a photo editor is, not of light.

    Examples
    --------
    >>> black, white = np.zeros((32, 32, 3), np.uint8), np.full((32, 32, 3), 255, np.uint8)
    >>> blend([black, white], (0.6, 0.4))[0, 0].tolist()
    [102, 102, 102]
    """
    return to_uint8(weighted_mean(images, check_inputs(images, weights)))
