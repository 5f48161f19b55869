"""Blend in Fourier space: the low frequencies of the mean, the high ones with the photos' own amplitude.

Sources: the paper's section 1 ("blended via combining lower frequency components and then adding higher
frequencies (blending in Fourier space)"); A. V. Oppenheim and J. S. Lim, "The importance of phase in signals", Proc.
IEEE 69(5), 1981 (phase carries the structure, amplitude the strength); D. J. Field, "Relations between the statistics
of natural images and the response properties of cortical cells", JOSA A 4(12), 1987 (the spectrum ring by ring);
A. Oliva, A. Torralba and P. G. Schyns,
"Hybrid images", SIGGRAPH 2006 (low-pass of one, high-pass of the other); L. Moisan, "Periodic plus smooth image
decomposition", J. Math. Imaging and Vision 39, 2011, section 2 (no cross-shaped artefact from the picture's borders).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...errors import FeatureblendError
from ...io.image import to_uint8
from .inputs import check_inputs


def _frequencies(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """The two frequency axes, in radians per pixel, of the half spectrum that `numpy.fft.rfft2` gives."""
    return 2 * np.pi * np.fft.fftfreq(height)[:, None], 2 * np.pi * np.fft.rfftfreq(width)[None, :]


def periodic_spectrum(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Split a picture into a part without jumps across its borders, as a spectrum, and a smooth rest.

    Parameters
    ----------
    image : (H, W, C) array

    Returns
    -------
    spectrum : (H, W // 2 + 1, C) complex array
        Of the periodic part.
    smooth : (H, W // 2 + 1, C) complex array
        Spectrum of the smooth part; the two add up to the picture's.

    Examples
    --------
    >>> image = np.arange(12.0).reshape(3, 4, 1)
    >>> both = sum(periodic_spectrum(image))
    >>> bool(np.allclose(np.fft.irfft2(both, (3, 4), axes=(0, 1)), image))
    True
    """
    values = np.asarray(image, dtype=np.float64)
    jumps = np.zeros_like(values)
    rows, columns = values[0] - values[-1], values[:, 0] - values[:, -1]
    jumps[0] += rows
    jumps[-1] -= rows
    jumps[:, 0] += columns
    jumps[:, -1] -= columns
    vertical, horizontal = _frequencies(*values.shape[:2])
    laplacian = 2 * np.cos(vertical) + 2 * np.cos(horizontal) - 4
    laplacian[0, 0] = 1.0  # the jumps sum to zero, so the smooth part has no mean
    smooth = -np.fft.rfft2(jumps, axes=(0, 1)) / laplacian[..., None]
    smooth[0, 0] = 0
    return np.fft.rfft2(values, axes=(0, 1)) - smooth, smooth


def blend(
    images: Sequence[np.ndarray],
    weights: Sequence[float],
    landmarks: Sequence[np.ndarray] | None = None,
    *,
    cutoff: float = 8.0,
    max_gain: float = 3.0,
    detail: int | None = None,
) -> np.ndarray:
    r"""Blend photos by frequency: the weighted mean, with the amplitude lost by averaging restored.

    Below `cutoff` the blend is the weighted mean. Above it, each frequency keeps the phase of the weighted mean, and
    each ring of frequencies is given the weighted geometric mean of the photos' amplitudes there.

    Parameters
    ----------
    images : sequence of N (H, W, 3) uint8 arrays
        Aligned faces, sRGB, all of one shape.
    weights : sequence of N floats
        Sum to 1; the first photo's first.
    landmarks : ignored
        Taken so that every baseline has one signature.
    cutoff : float
        Where the crossing from low to high is half way, in cycles over the smaller side. The crossing is Gaussian.
    max_gain : float
        The most by which an amplitude is raised, so that noise stays noise.
    detail : int, optional
        Take all high frequencies from ``images[detail]`` instead: a hybrid image, no longer symmetric in the photos.

    Returns
    -------
    (H, W, 3) uint8 array, sRGB

    Raises
    ------
    FeatureblendError
        If the photos' shapes differ, the weights do not fit them, or `detail` names no photo.

    Notes
    -----
    Where N unrelated details are averaged, their amplitude falls to about :math:`1/\sqrt{N}`: this is the blur of the
    pixel mean. The amplitude is measured as a root mean square over the channels and over rings one cycle wide.
    Given back to each frequency by itself, it mottles the whole picture, for the frequencies whose phases happen to
    cancel are raised most. One gain for the three channels adds no colour.

    References
    ----------
    Oppenheim and Lim 1981; Field 1987; Oliva, Torralba and Schyns 2006; Moisan 2011 (see the head of this module).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> a, b = rng.integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    >>> bool((blend([a, b], (0, 1)) == b).all())
    True
    """
    checked = check_inputs(images, weights)
    if detail is not None and not 0 <= detail < len(images):
        raise FeatureblendError(f"detail names photo {detail} of {len(images)}, counted from 0")
    height, width = images[0].shape[:2]
    radius = _radius(height, width)
    mean: np.ndarray | float = 0.0
    rest: np.ndarray | float = 0.0
    log_amplitude: np.ndarray | float = 0.0
    taken: np.ndarray | float = 0.0
    for index, (image, weight) in enumerate(zip(images, checked, strict=True)):
        spectrum, smooth = periodic_spectrum(image)
        mean, rest = mean + weight * spectrum, rest + weight * smooth
        log_amplitude = log_amplitude + weight * np.log(_ring_amplitude(spectrum, radius))
        taken = spectrum if index == detail else taken
    if detail is None:
        gains = np.clip(np.exp(log_amplitude) / _ring_amplitude(np.asarray(mean), radius), 0, max_gain)
        taken = mean * np.interp(radius, np.arange(len(gains)), gains)[..., None]
    low = (0.5 ** ((radius / cutoff) ** 2))[..., None]
    blended = low * mean + (1 - low) * taken + rest
    return to_uint8(np.fft.irfft2(blended, (height, width), axes=(0, 1)))


def _radius(height: int, width: int) -> np.ndarray:
    """Each frequency's distance from zero in cycles over the smaller side, on the half spectrum."""
    vertical, horizontal = _frequencies(height, width)
    return np.hypot(vertical, horizontal) * min(height, width) / (2 * np.pi)


def _ring_amplitude(spectrum: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """Root mean square of each ring one cycle wide, smoothed over five rings and kept above zero for the logarithm."""
    power = (spectrum.real**2 + spectrum.imag**2).sum(axis=-1)
    rings = np.rint(radius).astype(int).ravel()
    mean = np.bincount(rings, power.ravel()) / np.maximum(np.bincount(rings), 1)
    return np.sqrt(np.convolve(np.pad(mean, 2, mode="edge"), np.full(5, 0.2), mode="valid")) + 1e-6
