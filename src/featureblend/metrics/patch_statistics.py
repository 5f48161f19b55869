"""Built-in features of the two-sample scores: statistics of a photo's colours, edges and textures.

Nothing here is learned or downloaded, so the scores that stand on these features are the same on every machine.
They are no Inception features: figures made with them compare with each other, never with a published FID or KID.

Sources: A. Oliva and A. Torralba, "Modeling the shape of the scene", IJCV 42(3), 2001 (energies of oriented bands on a
coarse grid); N. Dalal and B. Triggs, "Histograms of oriented gradients for human detection", CVPR 2005; J. Portilla and
E. P. Simoncelli, "A parametric texture model based on joint statistics of complex wavelet coefficients", IJCV 40(1),
2000 (moments of the bands, their autocorrelation, and the correlation of magnitudes across scales).
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from .inputs import Pictures, as_stack

FEATURES_NAME = "patch-statistics-v1"
"""Name of the features, shown with every figure based on them. Changed features get a new name."""

SIDE = 128
"""Pictures of another size are resized to this many pixels a side first."""

LAYOUT, CELLS, ORIENTATIONS, BANDS = 6, 4, 8, 4
"""Grid of the colour layout; grid of edges and textures; directions of edges; levels of the pyramid."""


def image_features(images: Pictures, side: int = SIDE) -> np.ndarray:
    """Describe pictures by their colour layout, edge directions, and statistics of bands: "patch-statistics-v1".

    Parameters
    ----------
    images : (N, H, W, 3) uint8 array, sequence of (H, W, 3), or one (H, W, 3)
        sRGB. Resized to `side` x `side` where they are not.
    side : int
        In pixels. Features at one side compare with no others.

    Returns
    -------
    (N, D) float32 array
        D = 391. The scale of each group is fixed so that its spread over photos of faces is of order 0.3.

    Raises
    ------
    FeatureblendError
        If the pictures are no uint8 sRGB of one size.

    Notes
    -----
    In this order: CIE Lab on a 6 x 6 grid (108), percentiles of lightness and spread of colour (10), histograms of
    8 edge directions on a 4 x 4 grid (128), coherence of edge directions at three scales and on the grid (22), and for
    each of four bands of a Laplacian pyramid the log energy and the tailedness on the grid, tailedness overall,
    autocorrelation of neighbours and the correlation of magnitudes with the next finer band (123).

    A sum of unrelated pictures has thinner tails (two sparse signals add up to one nearer to Gaussian), less
    coherent edges where outlines cross, and paler colours nearer to the mean; a blurred one has less energy in the fine
    bands and more correlated neighbours.

    They cannot see who is shown, nor whether an eye is an eye: a face with the right textures in the wrong places
    within a cell of 32 pixels looks the same.

    Examples
    --------
    >>> image_features(np.zeros((2, 128, 128, 3), np.uint8)).shape
    (2, 391)
    """
    return np.stack([_describe(image, side) for image in as_stack(images)])


def _describe(image: np.ndarray, side: int) -> np.ndarray:
    if image.shape[:2] != (side, side):
        shrinks = min(image.shape[:2]) >= side
        image = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
    lab = cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2Lab)
    lightness = np.ascontiguousarray(lab[..., 0])
    parts = [*_colours(lab), *_edges(lightness), *_bands(lightness)]
    return np.concatenate([np.ravel(part) for part in parts]).astype(np.float32)


@lru_cache
def _cells(side: int) -> np.ndarray:
    """The cell of each pixel, as the place of its first bin."""
    cell = np.arange(side) * CELLS // side
    return (cell[:, None] * CELLS + cell[None, :]) * ORIENTATIONS


def _grid_mean(values: np.ndarray, cells: int = CELLS) -> np.ndarray:
    return cv2.resize(values, (cells, cells), interpolation=cv2.INTER_AREA)


def _colours(lab: np.ndarray) -> list[np.ndarray]:
    layout = (_grid_mean(lab, LAYOUT) - np.array([50, 0, 0])) * np.array([0.02, 0.033, 0.033])
    ordered = np.sort(lab[..., 0], axis=None)
    places = (np.array([0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99]) * (ordered.size - 1)).astype(int)
    chroma = lab[..., 1:].reshape(-1, 2)
    spread = np.log(chroma.std(axis=0) + 1) - 2
    saturation = np.log(cv2.magnitude(lab[..., 1], lab[..., 2]).mean(keepdims=True) + 1) - 2.5
    return [layout, (ordered[places] - 50) / 25, spread, saturation]


def _edges(lightness: np.ndarray) -> list[np.ndarray]:
    smooth = cv2.GaussianBlur(lightness, (0, 0), 1)
    across, down = (cv2.Sobel(smooth, cv2.CV_32F, *order) / 8 for order in ((1, 0), (0, 1)))
    magnitude, angle = cv2.cartToPolar(across, down)
    # A direction and its opposite are one; each edge is shared between the two nearest bins.
    place = angle * np.float32(ORIENTATIONS / np.pi)
    lower = np.floor(place)
    upper_part = magnitude * (place - lower)
    first = lower.astype(np.int32) % ORIENTATIONS
    bins = CELLS * CELLS * ORIENTATIONS
    cell = _cells(len(lightness))
    histogram = np.bincount((cell + first).ravel(), (magnitude - upper_part).ravel(), bins)
    histogram += np.bincount((cell + (first + 1) % ORIENTATIONS).ravel(), upper_part.ravel(), bins)
    parts: list[np.ndarray] = [np.sqrt(histogram / (histogram.sum() + 1e-3)) * 4 - 0.3]
    xx, yy, xy = across * across, down * down, across * down
    for scale in (1.5, 3.0, 6.0):
        a, b, c = (cv2.GaussianBlur(tensor, (0, 0), scale) for tensor in (xx, yy, xy))
        aligned, total = cv2.magnitude(a - b, 2 * c), a + b
        parts.append((aligned.sum(keepdims=True) / (total.sum() + 1e-6) - 0.5) * 3)
        parts.append((np.sqrt(aligned / (total + 0.02)).mean(keepdims=True) - 0.7) * 3)
        if scale == 1.5:
            parts.append((_grid_mean(aligned) / (_grid_mean(total) + 0.05) - 0.6) * 2)
    return parts


def _bands(lightness: np.ndarray) -> list[np.ndarray]:
    parts: list[np.ndarray] = []
    level, finer = lightness, None
    for _ in range(BANDS):
        coarser = cv2.pyrDown(level)
        band = level - cv2.pyrUp(coarser)
        squared = band * band
        energy = _grid_mean(squared)
        parts.append(np.log(energy + 0.05) * 0.25)
        fourth = _grid_mean(squared * squared)
        if level.shape[0] > len(lightness) // 4:
            parts.append(np.log(fourth / (energy + 0.01) ** 2 + 0.1) * 0.5 - 0.8)
        variance = float(squared.mean()) + 0.01
        magnitude = np.abs(band)
        tails = np.log(fourth.mean() / variance**2 + 0.1) - 1.5
        centre = (np.log(magnitude.mean() / np.sqrt(variance) + 0.01) + 0.5) * 3
        neighbours = [
            (band[:, 1:] * band[:, :-1]).mean(),
            (band[1:] * band[:-1]).mean(),
            (band[1:, 1:] * band[:-1, :-1]).mean(),
        ]
        parts.append(np.array([tails, centre, np.log(variance) * 0.5, *(value / variance for value in neighbours)]))
        if finer is not None:
            a, b = finer - finer.mean(), magnitude - magnitude.mean()
            parts.append((a * b).mean(keepdims=True) / (np.sqrt((a * a).mean() * (b * b).mean()) + 0.01))
        finer = cv2.resize(magnitude, coarser.shape[::-1], interpolation=cv2.INTER_AREA)
        level = coarser
    return parts
