"""Blend gradients instead of pixels, then find the picture that fits them: one linear solve in closed form.

Sources: P. Pérez, M. Gangnet and A. Blake, "Poisson image editing", SIGGRAPH 2003, equations 3, 7 and 12 (seamless
cloning with mixed gradients); H. Wu, S. Zheng, J. Zhang and K. Huang, "GP-GAN: towards realistic high-resolution image
blending", arXiv:1703.07195 (2017; the paper's reference [5]), section 3.3, the Gaussian-Poisson equation.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...errors import FeatureblendError
from ...io.image import to_uint8
from .inputs import check_inputs, relative_weights
from .pixel import weighted_mean
from .selection import Strongest, local_energy


def _gradient(image: np.ndarray) -> np.ndarray:
    """Forward differences, (H, W, 2 C): down then right, zero across the last row and column."""
    values = np.asarray(image, dtype=np.float64)
    down, right = np.zeros_like(values), np.zeros_like(values)
    down[:-1] = values[1:] - values[:-1]
    right[:, :-1] = values[:, 1:] - values[:, :-1]
    return np.concatenate([down, right], axis=-1)


def _divergence(field: np.ndarray) -> np.ndarray:
    """The backward-difference divergence of `_gradient`'s layout: minus its adjoint."""
    down, right = np.split(field, 2, axis=-1)
    result = down + right
    result[1:] -= down[:-1]
    result[:, 1:] -= right[:, :-1]
    return result


def strongest_gradient(images: Sequence[np.ndarray], weights: np.ndarray, window: int = 5) -> np.ndarray:
    """Choose, at each pixel, the gradient of the photo whose weighted gradient is strongest in the neighbourhood.

    Parameters
    ----------
    images : sequence of N (H, W, C) arrays
    weights : (N,) array
        Each photo's gradients count by its weight over the largest weight.
    window : int
        Side of the window over which strength is measured; 1 is Pérez's choice pixel by pixel.

    Returns
    -------
    (H, W, 2 C) float64 array
        Differences to the pixel below, then to the pixel on the right.

    Examples
    --------
    >>> flat, ramp = np.zeros((8, 8, 1)), np.arange(8.0)[:, None, None] * np.ones((1, 8, 1))
    >>> strongest_gradient([flat, ramp], np.array([0.5, 0.5]))[3, 3].tolist()
    [1.0, 0.0]
    """
    strongest = Strongest()
    for image, gain in zip(images, relative_weights(weights), strict=True):
        gradient = gain * _gradient(image)
        strongest.add(gradient, local_energy(gradient, window))
    return strongest.values()


def solve_dirichlet(divergence: np.ndarray, boundary: np.ndarray) -> np.ndarray:
    """Solve the Poisson equation on a rectangle whose outermost pixels are given.

    Parameters
    ----------
    divergence : (H, W, C) array
        What the five-point Laplacian of the result shall be at the inner pixels.
    boundary : (H, W, C) array
        The result's outermost pixels; its inner pixels are ignored.

    Returns
    -------
    (H, W, C) float64 array

    Notes
    -----
    A sine transform (type I) of each axis makes the Laplacian diagonal; it is computed as the Fourier transform of
    the odd extension.

    Examples
    --------
    >>> plane = np.arange(6.0)[:, None, None] + np.arange(7.0)[None, :, None]
    >>> bool(np.allclose(solve_dirichlet(np.zeros_like(plane), plane), plane))
    True
    """
    result = np.array(boundary, dtype=np.float64)
    right_side = np.array(divergence[1:-1, 1:-1], dtype=np.float64)
    right_side[0] -= result[0, 1:-1]
    right_side[-1] -= result[-1, 1:-1]
    right_side[:, 0] -= result[1:-1, 0]
    right_side[:, -1] -= result[1:-1, -1]
    height, width = right_side.shape[:2]
    odd = np.zeros((2 * (height + 1), 2 * (width + 1), right_side.shape[2]))
    odd[1 : height + 1, 1 : width + 1] = right_side
    odd[height + 2 :, 1 : width + 1] = -right_side[::-1]
    odd[:, width + 2 :] = -odd[:, width:0:-1]
    eigenvalues = -_laplacian_eigenvalues(*odd.shape[:2])
    eigenvalues[0, 0] = 1.0  # an odd extension has no mean
    solved = np.fft.irfft2(np.fft.rfft2(odd, axes=(0, 1)) / eigenvalues[..., None], odd.shape[:2], axes=(0, 1))
    result[1:-1, 1:-1] = solved[1 : height + 1, 1 : width + 1]
    return result


def _laplacian_eigenvalues(height: int, width: int) -> np.ndarray:
    """Eigenvalues of minus the periodic five-point Laplacian, on the half spectrum of `numpy.fft.rfft2`."""
    vertical = 2 - 2 * np.cos(2 * np.pi * np.fft.fftfreq(height))
    horizontal = 2 - 2 * np.cos(2 * np.pi * np.fft.rfftfreq(width))
    return vertical[:, None] + horizontal[None, :]


def solve_gaussian_poisson(field: np.ndarray, colours: np.ndarray, beta: float, sigma: float) -> np.ndarray:
    """Find the x that minimises ``|grad x - field|^2 + beta |G (x - colours)|^2``, with G a Gaussian blur.

    Parameters
    ----------
    field : (H, W, 2 C) array
        Gradient to be met: differences down, then right (those across the last row and column are ignored).
    colours : (H, W, C) array
        What the result shall look like once both are blurred.
    beta : float
        Weight of the second term, above 0.
    sigma : float
        Standard deviation of the blur in pixels.

    Returns
    -------
    (H, W, C) float64 array

    Notes
    -----
    The picture is mirrored at its borders: both terms are then diagonal in the cosine transform, computed as the
    Fourier transform of the mirrored picture, and no colour leaks from one side to the other.

    Examples
    --------
    >>> grey = np.full((8, 8, 1), 7.0)
    >>> bool(np.allclose(solve_gaussian_poisson(np.zeros((8, 8, 2)), grey, beta=1, sigma=1), grey))
    True
    """
    height, width, channels = colours.shape
    field = np.array(field, dtype=np.float64)
    field[-1, :, :channels] = 0
    field[:, -1, channels:] = 0
    divergence, wanted = _mirrored_spectrum(_divergence(field)), _mirrored_spectrum(colours)
    pull = beta * _blur_eigenvalues(2 * height, 2 * width, sigma)[..., None] ** 2
    penalty = _laplacian_eigenvalues(2 * height, 2 * width)[..., None]
    solved = (pull * wanted - divergence) / (pull + penalty)
    return np.fft.irfft2(solved, (2 * height, 2 * width), axes=(0, 1))[:height, :width]


def _mirrored_spectrum(image: np.ndarray) -> np.ndarray:
    height, width = image.shape[:2]
    return np.fft.rfft2(np.pad(image, ((0, height), (0, width), (0, 0)), mode="symmetric"), axes=(0, 1))


def _blur_eigenvalues(height: int, width: int, sigma: float) -> np.ndarray:
    """The eigenvalues of a periodic Gaussian blur, on the half spectrum of `numpy.fft.rfft2`."""
    vertical = np.exp(-0.5 * (2 * np.pi * np.fft.fftfreq(height) * sigma) ** 2)
    horizontal = np.exp(-0.5 * (2 * np.pi * np.fft.rfftfreq(width) * sigma) ** 2)
    return vertical[:, None] * horizontal[None, :]


def face_region(height: int, width: int) -> np.ndarray:
    """A soft mask of the inner face in an aligned crop: 1 inside an ellipse, 0 outside.

    Returns
    -------
    (H, W) float64 array in [0, 1]

    Examples
    --------
    >>> mask = face_region(64, 64)
    >>> mask[36, 32].item(), mask[0, 0].item()
    (1.0, 0.0)
    """
    rows = (np.arange(height)[:, None] + 0.5) / height
    columns = (np.arange(width)[None, :] + 0.5) / width
    radius = np.hypot((rows - 0.6) / 0.3, (columns - 0.5) / 0.25)
    return np.clip((1 - radius) / 0.4, 0, 1)


def seamless_blend(
    images: Sequence[np.ndarray],
    weights: Sequence[float],
    landmarks: Sequence[np.ndarray] | None = None,
    *,
    region: np.ndarray | None = None,
    window: int = 5,
) -> np.ndarray:
    """Blend photos by their gradients: the strongest of each place inside the face, the mean around it.

    Parameters
    ----------
    images : sequence of N (H, W, 3) uint8 arrays
        Aligned faces, sRGB, all of one shape.
    weights : sequence of N floats
        Sum to 1; the first photo's first.
    landmarks : ignored
        Taken so that every baseline has one signature.
    region : (H, W) array, optional
        Where the strongest gradient is taken (1) and where the mean's (0); by default `face_region`.
    window : int
        Side of the window over which strength is measured, odd.

    Returns
    -------
    (H, W, 3) uint8 array, sRGB

    Raises
    ------
    FeatureblendError
        If the photos' shapes differ, the weights do not fit them, or the region has another shape.

    Notes
    -----
    Pérez's mixed gradients put one picture into another. For N pictures of equal right, the guidance field is the
    strongest weighted gradient of all; outside the region it is the gradient of the weighted mean. The picture
    whose Laplacian is the field's divergence is found by one sine transform over the region's bounding box, on whose
    border it is the mean. The default region is the inner face only: taken over the whole picture, the
    strongest gradients of hair and background add up to a face that is too bright.

    References
    ----------
    Pérez, Gangnet and Blake 2003 (see the head of this module).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> a, b = rng.integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    >>> bool((seamless_blend([a, b], (1, 0)) == a).all())
    True
    """
    checked = check_inputs(images, weights)
    height, width = images[0].shape[:2]
    mask = face_region(height, width) if region is None else np.asarray(region, dtype=np.float64)
    if mask.shape != (height, width):
        raise FeatureblendError(f"the region is {mask.shape} and the photos are {(height, width)}")
    mean = weighted_mean(images, checked)
    inside = np.nonzero(mask)
    if inside[0].size:
        # A difference reaches from its pixel to the next, and the box's own border pixels stay as they are.
        box = tuple(slice(max(0, axis.min() - 1), axis.max() + 3) for axis in inside)
        outside = _gradient(mean[box])
        strongest = strongest_gradient([image[box] for image in images], checked, window)
        field = outside + mask[box][..., None] * (strongest - outside)
        mean[box] = solve_dirichlet(_divergence(field), mean[box])
    return to_uint8(mean)


def gaussian_poisson_blend(
    images: Sequence[np.ndarray],
    weights: Sequence[float],
    landmarks: Sequence[np.ndarray] | None = None,
    *,
    beta: float | None = None,
    sigma: float | None = None,
    window: int = 5,
) -> np.ndarray:
    """Blend photos by the Gaussian-Poisson equation: the strongest gradients, the colours of the blurred mean.

    Parameters
    ----------
    images : sequence of N (H, W, 3) uint8 arrays
        Aligned faces, sRGB, all of one shape.
    weights : sequence of N floats
        Sum to 1; the first photo's first.
    landmarks : ignored
        Taken so that every baseline has one signature.
    beta : float, optional
        Weight of the colours against the gradients, above 0. By default such that the colours rule below 4 cycles
        over the smaller side and the gradients above: a gradient grows with frequency, so the value goes with
        the inverse square of the side (0.04 at 128 pixels).
    sigma : float, optional
        Standard deviation of the blur that takes the colours, in pixels; by default 1/128 of the smaller side.
    window : int
        Side of the window over which the strength of a gradient is measured, odd.

    Returns
    -------
    (H, W, 3) uint8 array, sRGB

    Raises
    ------
    FeatureblendError
        If the photos' shapes differ, the weights do not fit them, or `beta` is not above 0.

    Notes
    -----
    In GP-GAN a network draws the low-resolution picture that the colours are taken from; here it is the weighted
    mean. The equation is solved in closed form at full resolution in one step, where the authors go from coarse to
    fine: with an exact solver the result is the same minimum.

    References
    ----------
    Wu, Zheng, Zhang and Huang 2017 (see the head of this module).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> a, b = rng.integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    >>> bool((gaussian_poisson_blend([a, b], (0, 1)) == b).all())
    True
    """
    checked = check_inputs(images, weights)
    height, width = images[0].shape[:2]
    side = min(height, width)
    beta = (2 * np.pi * 4 / side) ** 2 if beta is None else beta
    sigma = side / 128 if sigma is None else sigma
    if beta <= 0:
        raise FeatureblendError(f"beta must be above 0, not {beta:g}")
    mean = weighted_mean(images, checked)
    return to_uint8(solve_gaussian_poisson(strongest_gradient(images, checked, window), mean, beta, sigma))
