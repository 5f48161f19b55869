"""Scores of single pictures: likeness to a reference, and sharpness."""

from __future__ import annotations

import math

import cv2
import numpy as np

from ..errors import FeatureblendError
from .inputs import Pictures, as_stack, check_pair, luma

WINDOW = 11
"""Width of the Gaussian window of SSIM in pixels; its standard deviation is 1.5 (Wang et al. 2004)."""

C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2

MS_SSIM_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Exponents of the scales of MS-SSIM, finest first (Wang et al. 2003)."""


def psnr(image: np.ndarray, reference: np.ndarray) -> float:
    """Peak signal-to-noise ratio in decibels, over all pixels and channels, of a peak of 255.

    Parameters
    ----------
    image, reference : (H, W, 3) uint8 arrays, sRGB

    Returns
    -------
    float
        0 (black against white) to infinity (no difference); more is nearer.

    Raises
    ------
    FeatureblendError
        If the pictures differ in size or are no uint8 sRGB.

    Notes
    -----
    It cannot see where an error is: a shift of one pixel costs more than a lost eyebrow, and blur is cheap.

    References
    ----------
    The mean squared error is the channels' together, as in scikit-image's `peak_signal_noise_ratio`, its oracle in the
    tests.

    Examples
    --------
    >>> black = np.zeros((4, 4, 3), np.uint8)
    >>> psnr(black, black + 255), psnr(black, black)
    (0.0, inf)
    """
    first, second = check_pair(image, reference)
    error = float(np.square(first.astype(np.float64) - second).mean())
    return 10 * math.log10(255**2 / error) if error else math.inf


def ssim(image: np.ndarray, reference: np.ndarray) -> float:
    """Structural similarity of local means, contrasts and structures, averaged over R, G and B.

    Parameters
    ----------
    image, reference : (H, W, 3) uint8 arrays, sRGB
        At least 11 pixels a side.

    Returns
    -------
    float
        -1 to 1; 1 only for equal pictures.

    Raises
    ------
    FeatureblendError
        If the pictures differ in size, are no uint8 sRGB or are smaller than the window.

    Notes
    -----
    Each channel by itself, then the mean, as in scikit-image's `structural_similarity(..., gaussian_weights=True,
    sigma=1.5, use_sample_covariance=False, data_range=255)`, its oracle in the tests. It compares one scale only and
    cannot see whether a difference is a face's or the background's.

    References
    ----------
    Z. Wang, A. C. Bovik, H. R. Sheikh and E. P. Simoncelli, "Image quality assessment: from error visibility to
    structural similarity", IEEE Trans. Image Processing 13(4), 2004.

    Examples
    --------
    >>> image = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    >>> round(ssim(image, image), 6)
    1.0
    """
    first, second = check_pair(image, reference)
    _check_side(first)
    return float(_inner(_similarity(first.astype(np.float64), second.astype(np.float64))[0]).mean())


def ms_ssim(image: np.ndarray, reference: np.ndarray) -> float:
    """Structural similarity over several scales, averaged over R, G and B at each.

    Parameters
    ----------
    image, reference : (H, W, 3) uint8 arrays, sRGB
        At least 11 pixels a side. Five scales from 176 pixels on (shorter side), four from 88 (a 128-pixel face), then
        three from 44, two from 22, one: each scale must hold the window. The weights of the scales that are left
        out are spread over those that are kept, so that figures compare between pictures of one size only.

    Returns
    -------
    float
        0 to 1; 1 only for equal pictures. Negative similarities count as 0.

    Raises
    ------
    FeatureblendError
        If the pictures differ in size, are no uint8 sRGB or are smaller than the window.

    Notes
    -----
    Structure and contrast at all scales, the means at the coarsest; pictures are halved by the mean of 2 x 2 pixels.
    The oracle in the tests is torchmetrics, whose map of the coarsest scale reaches the border (mirrored), as it does
    here. A face's identity can change at a high score.

    References
    ----------
    Z. Wang, E. P. Simoncelli and A. C. Bovik, "Multi-scale structural similarity for image quality assessment",
    Asilomar 2003.

    Examples
    --------
    >>> image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    >>> round(ms_ssim(image, image), 6)
    1.0
    """
    checked = check_pair(image, reference)
    _check_side(checked[0])
    first, second = (picture.astype(np.float64) for picture in checked)
    scales = sum(min(image.shape[:2]) >> scale >= WINDOW for scale in range(len(MS_SSIM_WEIGHTS)))
    weights = np.array(MS_SSIM_WEIGHTS[:scales]) / sum(MS_SSIM_WEIGHTS[:scales])
    result = 1.0
    for scale, weight in enumerate(weights, 1):
        similarity, structure = _similarity(first, second)
        value = float((similarity if scale == scales else _inner(structure)).mean())
        result *= max(value, 0.0) ** float(weight)
        first, second = _halved(first), _halved(second)
    return result


def sharpness(image: np.ndarray) -> float:
    """Variance of the Laplacian of the luma, a measure of fine detail.

    Parameters
    ----------
    image : (H, W, 3) uint8 array, sRGB

    Returns
    -------
    float
        0 (flat) upwards, in squared grey levels. It depends on size and content: compare with real photos of the
        same crop by `relative_sharpness`.

    Notes
    -----
    The Laplacian is the 4-neighbour one (`cv2.Laplacian` of ksize 1), the border mirrored. It cannot tell detail from
    noise or halos: noise is the "sharpest" of all, so that the distance from the real mean on a log scale is
    what counts, not more of it. Two half-strength outlines weigh half of one full outline.

    References
    ----------
    J. L. Pech-Pacheco, G. Cristobal, J. Chamorro-Martinez and J. Fernandez-Valdivia, "Diatom autofocusing in
    brightfield microscopy: a comparative study", ICPR 2000.

    Examples
    --------
    >>> board = np.indices((8, 8)).sum(axis=0) % 2 * 2
    >>> sharpness(np.dstack([board] * 3).astype(np.uint8))  # +-8 everywhere
    64.0
    """
    return float(cv2.Laplacian(luma(as_stack(image)[0]), cv2.CV_32F, ksize=1).var(dtype=np.float64))


def relative_sharpness(images: Pictures, reference_images: Pictures) -> float:
    """Mean sharpness of pictures over that of real photos of the same crop and size.

    Parameters
    ----------
    images, reference_images : (N, H, W, 3) uint8 arrays, sequences, or one (H, W, 3)

    Returns
    -------
    float
        0 (flat) upwards; 1 is ideal. For one score of realism take ``abs(log(ratio))``.

    Raises
    ------
    FeatureblendError
        If the sizes differ, or the real photos are flat.

    Notes
    -----
    The pixel average of two aligned photos comes to about .5, a landmark morph to .4, on LFW at 128 pixels. See
    `sharpness` for what it cannot see.

    Examples
    --------
    >>> real = np.random.default_rng(0).integers(0, 101, (32, 32, 3), dtype=np.uint8)
    >>> round(relative_sharpness(real // 2, real), 2)  # half the contrast, a quarter of the variance
    0.25
    """
    ours, real = as_stack(images), as_stack(reference_images, "the reference pictures")
    if ours.shape[1:] != real.shape[1:]:
        raise FeatureblendError(
            f"sharpness depends on the size: {ours.shape[1:3]} cannot be compared with {real.shape[1:3]}"
        )
    base = np.mean([sharpness(image) for image in real])
    if base == 0:
        raise FeatureblendError("the reference pictures are flat: there is no sharpness to compare with")
    return float(np.mean([sharpness(image) for image in ours]) / base)


def _check_side(image: np.ndarray) -> None:
    if min(image.shape[:2]) < WINDOW:
        raise FeatureblendError(
            f"a picture of {image.shape[1]}x{image.shape[0]} is smaller than the window of {WINDOW} pixels"
        )


def _similarity(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Maps of SSIM and of its contrast-structure term, with pictures mirrored beyond the border."""

    def local(values: np.ndarray) -> np.ndarray:
        return cv2.GaussianBlur(values, (WINDOW, WINDOW), 1.5)

    mean_a, mean_b = local(first), local(second)
    variances = local(first * first) - mean_a**2 + local(second * second) - mean_b**2
    covariance = local(first * second) - mean_a * mean_b
    structure = (2 * covariance + C2) / (variances + C2)
    return (2 * mean_a * mean_b + C1) / (mean_a**2 + mean_b**2 + C1) * structure, structure


def _inner(values: np.ndarray) -> np.ndarray:
    """The part of a map where the window lies entirely inside the picture."""
    margin = WINDOW // 2
    return values[margin:-margin, margin:-margin]


def _halved(image: np.ndarray) -> np.ndarray:
    height, width = (side // 2 * 2 for side in image.shape[:2])
    even = image[:height, :width]
    return (even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]) / 4
