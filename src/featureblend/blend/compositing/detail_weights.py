"""Whose detail a blend shows where: one parent's at a place, or outlines double and contrast halves.

Every rule here is a smooth function of the weights that treats the parents alike: it gives a parent all at its weight
1 and nothing at its weight 0.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...faces.alignment import blurred

POWER = 2.0
"""Shares in the face go with the weights to this power: more makes the change of parent along a continuum sudden."""

AGREEMENT = 4.0
"""Gain of a parent's correlation with the blend, which lies in [-1, 1], as a logarithm of its share."""

BALANCE = 3.0
"""Pull of the face's detail to the parent that shows less elsewhere, as a logarithm of its share."""

FLATTEST = 0.3
"""Share of the places that tells the noise of a photo: those that slope least."""

NOISY = 5.0
"""Fine contrast of a photo's flattest places in grey levels, at 128 pixels, from which on it is noisy: three in a
hundred press photos are."""

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def _structure(image: np.ndarray) -> np.ndarray:
    side = max(image.shape)
    return _band(_luma(image), 0.012 * side, 0.09 * side)


def _correlation(first: np.ndarray, second: np.ndarray, where: np.ndarray) -> float:
    power = (where * first**2).sum() * (where * second**2).sum()
    return float((where * first * second).sum() / np.sqrt(power + 1e-6))


def edge_sharpness(image: np.ndarray, where: np.ndarray) -> float:
    """Measure how sharp the edges of a photo are: the logarithm of their fine over their middling contrast.

    Parameters
    ----------
    image : (H, W, 3) array, 0 to 255
    where : (H, W) array in [0, 1]
        What counts.

    Returns
    -------
    float
        Higher is sharper. The fine contrast of the flattest places is subtracted: it is noise, dithering or
        compression, which sharpness is not; more of it than `NOISY` counts against the photo.

    Examples
    --------
    >>> image = np.kron(np.random.default_rng(0).uniform(0, 255, (8, 8, 3)), np.ones((8, 8, 1))).astype(np.float32)
    >>> everywhere = np.ones((64, 64))
    >>> edge_sharpness(image, everywhere) > edge_sharpness(blurred(image, 1.0), everywhere)
    True
    """
    luma, unit = _luma(image), max(where.shape) / 128
    fine = np.square(luma - blurred(luma, unit))
    middling = np.square(_band(luma, 2 * unit, 4 * unit))
    slope = np.hypot(*np.gradient(blurred(luma, 2 * unit)))
    counts = where > 0.5
    if not counts.any():
        return 0.0
    slopes = slope[counts]
    flattest = np.partition(slopes, int(FLATTEST * (len(slopes) - 1)))[int(FLATTEST * (len(slopes) - 1))]
    noise = fine[counts & (slope <= flattest)].mean()
    edges = max(float(np.average(fine, weights=where) - noise), 0.0)
    grain = max(0.0, float(np.log((noise + 1e-3) / NOISY**2)))
    return 0.5 * (float(np.log((edges + 1e-3) / (np.average(middling, weights=where) + 1e-3))) - grain)


def busyness(image: np.ndarray, where: np.ndarray) -> float:
    """Measure how much there is to see: the root mean square of what is finer than 1/20 of the side.

    Parameters
    ----------
    image : (H, W, 3) array, 0 to 255
    where : (H, W) array in [0, 1]
        What counts.

    Returns
    -------
    float
        In grey levels; 0 for a plain wall.

    Examples
    --------
    >>> busyness(np.full((32, 32, 3), 9), np.ones((32, 32)))
    0.0
    """
    luma = _luma(image)
    fine = luma - blurred(luma, 0.025 * max(where.shape))
    return float(np.sqrt((where * fine**2).sum() / (where.sum() + 1e-9)))


def face_shares(
    parents: Sequence[np.ndarray],
    blend: np.ndarray,
    weights: np.ndarray,
    around: np.ndarray,
    regions: np.ndarray,
    face: np.ndarray,
    pulls: np.ndarray | None = None,
) -> np.ndarray:
    """Decide whose detail each region of the face has.

    Parameters
    ----------
    parents : sequence of N (H, W, 3) float arrays, 0 to 255
        Warped to the blend's shape.
    blend : (H, W, 3) float array
    weights : (N,) array
        At least 0; sum to 1.
    around : (N,) array
        Whose surroundings the blend has: the others' detail goes first into the face, so that every parent counts.
    regions : (K, H, W) array
        As `featureblend.faces.masks.region_masks` gives.
    face : (H, W) array in [0, 1]
        Where the face is.
    pulls : (K, N) array, optional
        What else speaks for a parent in a region, as a logarithm of its share.

    Returns
    -------
    (K, N) float64 array
        Each row sums to 1.

    Examples
    --------
    >>> a, b = np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3)).astype(np.float32)
    >>> whole = np.ones((1, 32, 32))
    >>> shares = face_shares([a, b], (a + b) / 2, np.array([0.5, 0.5]), np.array([1.0, 0.0]), whole, whole[0])
    >>> shares.argmax(axis=1).tolist()
    [1]
    """
    load = np.array(around, np.float64)
    *structures, drawn = (_structure(image) for image in (*parents, blend))
    rows = []
    for place, region in enumerate(regions):
        where = region * face
        agreeing = np.array([_correlation(structure, drawn, where) for structure in structures])
        pull = 0 if pulls is None else pulls[place]
        rows.append(_shares(weights, AGREEMENT * agreeing - BALANCE * load + pull))
        load = load + rows[-1] / len(regions)
    return np.stack(rows)


def _shares(weights: np.ndarray, logarithms: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):
        total = POWER * np.log(weights) + logarithms
    grown = np.exp(total - total.max())
    return grown / grown.sum()


def _luma(image: np.ndarray) -> np.ndarray:
    return np.asarray(image, np.float32) @ _LUMA


def _band(values: np.ndarray, fine: float, coarse: float) -> np.ndarray:
    return blurred(values, fine) - blurred(values, coarse)
