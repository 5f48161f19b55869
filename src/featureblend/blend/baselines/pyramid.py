"""Multi-resolution blends: Gaussian levels with soft weights, Laplacian levels by the strongest coefficient.

Sources: P. J. Burt and E. H. Adelson, "The Laplacian pyramid as a compact image code", IEEE Trans. Communications
31(4), 1983, equations 1 to 6 (the pyramids; the paper's reference [9]), and "A multiresolution spline with
application to image mosaics", ACM Trans. Graphics 2(4), 1983 (blending level by level); P. J. Burt and
R. J. Kolczynski, "Enhanced image capture through fusion", ICCV 1993 (choice by local energy); T. Mertens, J. Kautz
and F. Van Reeth, "Exposure fusion", Pacific Graphics 2007, equations 3 and 4 (weights by local contrast).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np

from ...errors import FeatureblendError
from ...io.image import to_uint8
from .inputs import check_inputs, relative_weights
from .selection import Strongest, local_energy

COARSEST_SIDE = 8
"""The default pyramid stops before its smaller side falls below this many pixels."""


def default_levels(height: int, width: int) -> int:
    """Count the halvings until the smaller side would fall below `COARSEST_SIDE`.

    Examples
    --------
    >>> default_levels(128, 128)
    4
    """
    return max(0, int(np.log2(min(height, width) / COARSEST_SIDE)))


def gaussian_pyramid(image: np.ndarray, levels: int) -> list[np.ndarray]:
    """Smooth and halve an image `levels` times (Burt and Adelson's REDUCE, weights 1 4 6 4 1).

    Parameters
    ----------
    image : (H, W, C) array
    levels : int
        How often it is halved.

    Returns
    -------
    list of ``levels + 1`` float32 arrays
        The image itself first, the coarsest last; odd sides are rounded up.

    Raises
    ------
    FeatureblendError
        If `levels` is negative, or halving so often would leave less than one pixel.

    Examples
    --------
    >>> [level.shape[:2] for level in gaussian_pyramid(np.zeros((33, 48, 3)), 2)]
    [(33, 48), (17, 24), (9, 12)]
    """
    if not 0 <= levels <= int(np.log2(min(image.shape[:2]))):
        raise FeatureblendError(f"a {image.shape[1]}x{image.shape[0]} picture cannot be halved {levels} times")
    pyramid = [np.asarray(image, dtype=np.float32)]
    for _ in range(levels):
        pyramid.append(np.asarray(cv2.pyrDown(pyramid[-1]), dtype=np.float32))
    return pyramid


def _expand(image: np.ndarray, like: np.ndarray) -> np.ndarray:
    return cv2.pyrUp(image, dstsize=(like.shape[1], like.shape[0]))


def laplacian_pyramid(image: np.ndarray, levels: int) -> list[np.ndarray]:
    """Split an image into `levels` bands of detail and a coarse rest.

    Parameters
    ----------
    image : (H, W, C) array
    levels : int
        Number of bands.

    Returns
    -------
    list of ``levels + 1`` float32 arrays
        The finest band first, the coarse rest last. `collapse` gives the image back.

    Raises
    ------
    FeatureblendError
        As `gaussian_pyramid`.

    Examples
    --------
    >>> image = np.arange(32 * 32 * 3, dtype=np.float32).reshape(32, 32, 3) % 251
    >>> bool(np.allclose(collapse(laplacian_pyramid(image, 2)), image, atol=1e-3))
    True
    """
    gaussian = gaussian_pyramid(image, levels)
    bands = [fine - _expand(coarse, fine) for fine, coarse in pairwise(gaussian)]
    return [*bands, gaussian[-1]]


def collapse(pyramid: Sequence[np.ndarray]) -> np.ndarray:
    """Add a Laplacian pyramid up again, from the coarse rest to the finest band; see `laplacian_pyramid`."""
    image = pyramid[-1]
    for band in reversed(pyramid[:-1]):
        image = _expand(image, band) + band
    return image


def laplacian_blend(
    images: Sequence[np.ndarray],
    weights: Sequence[float],
    landmarks: Sequence[np.ndarray] | None = None,
    *,
    levels: int | None = None,
) -> np.ndarray:
    """Blend photos in a Laplacian pyramid: the mean of the coarse rest, the strongest coefficient of each band.

    The coarse rest is the weighted mean. At each place of each band, the detail is taken whole from the photo
    whose weighted detail has the most energy there, so that no contrast is averaged away.

    Parameters
    ----------
    images : sequence of N (H, W, 3) uint8 arrays
        Aligned faces, sRGB, all of one shape.
    weights : sequence of N floats
        Sum to 1; the first photo's first.
    landmarks : ignored
        Taken so that every baseline has one signature.
    levels : int, optional
        Bands of detail; by default as many as leave a coarse rest of at least 8 pixels a side.

    Returns
    -------
    (H, W, 3) uint8 array, sRGB

    Raises
    ------
    FeatureblendError
        If the photos' shapes differ, the weights do not fit them, or there are too many levels.

    Notes
    -----
    Burt and Adelson blend two halves of a mosaic along a mask. For whole photos of equal right a constant mask
    would give the pixel mean, so the choice per coefficient is Burt and Kolczynski's: salience is the energy of
    the colour vector in a 5 x 5 window. Each photo's bands are first multiplied by its weight over the largest
    weight, so at equal weights all count in full and a vanishing weight leaves no trace. Equal energies are
    averaged, which makes the result independent of the photos' order.

    References
    ----------
    Burt and Adelson 1983; Burt and Kolczynski 1993 (see the head of this module).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> a, b = rng.integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    >>> bool((laplacian_blend([a, b], (1, 0)) == a).all())
    True
    """
    checked = check_inputs(images, weights)
    levels = default_levels(*images[0].shape[:2]) if levels is None else levels
    bands = [Strongest() for _ in range(levels)]
    coarse: np.ndarray | float = 0.0
    for image, weight, gain in zip(images, checked, relative_weights(checked), strict=True):
        pyramid = laplacian_pyramid(image, levels)
        coarse = coarse + np.float32(weight) * pyramid[-1]
        for kept, band in zip(bands, pyramid, strict=False):
            detail = np.float32(gain) * band
            kept.add(detail, local_energy(detail))
    return to_uint8(collapse([*(kept.values() for kept in bands), np.asarray(coarse)]))


def gaussian_blend(
    images: Sequence[np.ndarray],
    weights: Sequence[float],
    landmarks: Sequence[np.ndarray] | None = None,
    *,
    levels: int | None = None,
    floor: float = 2.0,
) -> np.ndarray:
    r"""Blend photos level by level: the finer the level, the more weight the photo with more local contrast gets.

    Each photo's Gaussian pyramid is built. The coarsest level is the weighted mean. Going down, what each finer
    level adds to the coarser one is averaged with weights of its own: a photo counts by its weight times
    its local contrast at that resolution.

    Parameters
    ----------
    images : sequence of N (H, W, 3) uint8 arrays
        Aligned faces, sRGB, all of one shape.
    weights : sequence of N floats
        Sum to 1; the first photo's first.
    landmarks : ignored
        Taken so that every baseline has one signature.
    levels : int, optional
        How often the photos are halved; by default until 8 pixels a side are left.
    floor : float
        Grey levels added to the contrast of every photo. A high floor turns the result into the pixel mean; at 0
        the faintest photo shows at full strength wherever the others are plain.

    Returns
    -------
    (H, W, 3) uint8 array, sRGB

    Raises
    ------
    FeatureblendError
        If the photos' shapes differ, the weights do not fit them, or there are too many levels.

    Notes
    -----
    With :math:`D_{kl}` what level l adds to photo k and :math:`c_{kl}` its root mean square over a Gaussian window
    plus the floor, the blend adds :math:`\sum_k w_k c_{kl} D_{kl} / \sum_k w_k c_{kl}`: exposure fusion's normalised
    contrast weights, measured anew at each resolution. Where weights are negative, the sum below is over their
    magnitudes and the quotient is scaled by their sum, so that photos of equal contrast are extrapolated linearly.

    References
    ----------
    Burt and Adelson 1983; Mertens, Kautz and Van Reeth 2007 (see the head of this module).

    Examples
    --------
    >>> grey, dark = np.full((32, 32, 3), 100, np.uint8), np.full((32, 32, 3), 50, np.uint8)
    >>> gaussian_blend([grey, dark], (0.5, 0.5))[9, 9].tolist()
    [75, 75, 75]
    """
    checked = check_inputs(images, weights)
    levels = default_levels(*images[0].shape[:2]) if levels is None else levels
    sums: list[np.ndarray | float] = [0.0] * (levels + 1)
    shares: list[np.ndarray | float] = [0.0] * levels
    for image, weight in zip(images, checked.astype(np.float32), strict=True):
        *bands, coarse = laplacian_pyramid(image, levels)
        sums[-1] = sums[-1] + weight * coarse
        for level, band in enumerate(bands):
            contrast = np.sqrt(local_energy(band) / 3) + np.float32(floor)
            sums[level] = sums[level] + (weight * contrast)[..., None] * band
            shares[level] = shares[level] + np.abs(weight) * contrast
    total = np.abs(checked).sum()
    tiny = np.float32(1e-6)
    blended = [
        detail * (total / np.maximum(share, tiny))[..., None] for detail, share in zip(sums, shares, strict=False)
    ]
    return to_uint8(collapse([*blended, np.asarray(sums[-1])]))
