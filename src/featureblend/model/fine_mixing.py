"""How the fine parts of several latents become one: broad changes by weight, lines from one parent at a place.

A fine part holds what is another at each place of each face. Its mean draws the lines of both parents at half
strength, shows both where they differ, and is shorter than either. As pictures are blended band by band (P. J. Burt
and E. H. Adelson, "A multiresolution spline with application to image mosaics", ACM Trans. Graphics 2(4), 1983), so
are these maps, in two bands:

- The *broad* band, a Gaussian blur of the map, carries light and colour, which mix: it is the weighted mean.
- The *lines*, what the blur leaves out, are mixed by `line_shares`: those of the parent that has more there, and of the
  one that the mixing lets lead there, so that both count. What is left of a mean is stretched to its parents' mean
  energy (`kept_energy`).

From four equal parents on, of whose lines only a patchwork would be made, both bands are the plain mean.
"""

from __future__ import annotations

import cv2
import numpy as np

EPS = 1e-4
"""Energy of a place that counts as none."""

BROAD = 2.0
"""Standard deviation of the blur that tells the broad band from lines, in places of the map."""

NEAR = 1.5
"""Standard deviation of the blur over which a parent's lines are counted, in places of the map."""

PULL = 3.0
"""How far one leads in lines: logarithm of its share, for each 1 of its lead."""

UNSEEN = 0.05
"""Energy that every place has at least, as a share of the parents' mean: where none has lines, all count alike."""


def kernel(spread: float) -> np.ndarray:
    """Taps of a Gaussian blur, cut off at three standard deviations.

    Parameters
    ----------
    spread : float
        Standard deviation in places.

    Returns
    -------
    (2 K + 1,) float32 array
        Sums to 1.

    Examples
    --------
    >>> kernel(0.4).astype(float).round(2).tolist()
    [0.0, 0.04, 0.92, 0.04, 0.0]
    """
    return cv2.getGaussianKernel(2 * int(np.ceil(3 * spread)) + 1, spread, cv2.CV_32F).ravel()


def broad(maps: np.ndarray, spread: float = BROAD) -> np.ndarray:
    """Blur maps; what lies beyond their border is like the border.

    Parameters
    ----------
    maps : (..., G, G) float array
    spread : float
        Standard deviation in places.

    Returns
    -------
    (..., G, G) float32 array

    Examples
    --------
    >>> float(broad(np.ones((2, 8, 8)))[0, 0, 0])
    1.0
    """
    taps = kernel(spread)
    flat = np.asarray(maps, np.float32).reshape(-1, *np.shape(maps)[-2:])
    blurred = [cv2.sepFilter2D(one, -1, taps, taps, borderType=cv2.BORDER_REPLICATE) for one in flat]
    return np.stack(blurred).reshape(np.shape(maps))


def line_shares(lines: np.ndarray, shares: np.ndarray, lead: np.ndarray | None = None) -> np.ndarray:
    """Each face's share of the lines at each place.

    Parameters
    ----------
    lines : (N, C, G, G) array
        The parents' maps without their broad band.
    shares : (N, G, G) array
        The parents' shares at each place by weight; sum to 1 over the parents.
    lead : (N, G, G) array, optional
        How far each parent's lines go first at each place, whatever its weight; nobody's, if left out.

    Returns
    -------
    (N, G, G) float32 array
        Sums to 1 over the parents. Smooth in the weights; all of a parent whose share is 1; the shares themselves where
        four or more parents count alike.

    Examples
    --------
    >>> lines = np.zeros((2, 1, 8, 8)); lines[0, 0, :, :3] = lines[1, 0, :, 5:] = 1
    >>> drawn = line_shares(lines, np.full((2, 8, 8), 0.5))
    >>> drawn[:, 0, 0].round(1).tolist(), drawn[:, 0, 7].round(1).tolist()
    ([1.0, 0.0], [0.0, 1.0])
    """
    energy = broad(np.square(lines, dtype=np.float32).sum(axis=1), NEAR)
    energy = energy + UNSEEN * energy.mean() + np.float32(EPS)
    count = 1 / np.square(shares).sum(axis=0)
    choosing = np.clip(2 - count / 2, 0, 1)
    pull = energy if lead is None else energy * np.exp(PULL * np.asarray(lead, np.float64))
    drawn = shares * (shares * pull / pull.max(axis=0)) ** choosing
    return (drawn / drawn.sum(axis=0)).astype(np.float32)


def kept_energy(parts: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Mix maps so that each place keeps the energy that the parents have there on average.

    Parameters
    ----------
    parts : (N, C, G, G) array
    shares : (N, G, G) array
        Sum to 1 over the faces at each place.

    Returns
    -------
    (C, G, G) float32 array
        The weighted mean, times ``sqrt(mean energy / energy of the mean)``, which is 1 for a single parent and at most
        ``sqrt(min(n, 4 / n))``, with n the number of parents that count at a place (``1 / sum(shares^2)``): sqrt(2),
        what two that have nothing in common need, for two, and 1 from four on, of whose mean only noise would be
        stretched (mixes of eight had a weave all over).

    Examples
    --------
    >>> two = np.array([[[[3.0]], [[0.0]]], [[[0.0]], [[3.0]]]])  # as unlike as can be: the mean is 0.71 as long
    >>> [round(float(value), 2) for value in kept_energy(two, np.full((2, 1, 1), 0.5)).ravel()]
    [2.12, 2.12]
    """
    mean = np.einsum("nij,ncij->cij", shares, parts)
    wanted = np.einsum("nij,nij->ij", shares, np.square(parts).sum(axis=1))
    stretch = np.sqrt((wanted + EPS) / (np.square(mean).sum(axis=0) + EPS))
    count = 1 / np.square(shares).sum(axis=0)
    return (mean * np.minimum(stretch, np.sqrt(np.clip(4 / count, 1, count)))).astype(np.float32)


def mix_fine(parts: np.ndarray, shares: np.ndarray, of_lines: np.ndarray, lead: np.ndarray | None = None) -> np.ndarray:
    """Mix fine parts in two bands.

    Parameters
    ----------
    parts : (N, C, G, G) array
    shares, of_lines : (N, G, G) arrays
        The parents' shares at each place by weight, in what is broad and in lines; sum to 1 over the parents.
    lead : (N, G, G) array, optional
        As in `line_shares`.

    Returns
    -------
    (C, G, G) float32 array
        A single parent's part, where its shares are 1; smooth in the weights.

    Examples
    --------
    >>> two = np.random.default_rng(0).normal(size=(2, 3, 8, 8))
    >>> first = np.stack([np.ones((8, 8)), np.zeros((8, 8))])
    >>> alone = mix_fine(two, first, first)
    >>> bool(np.allclose(alone, two[0], atol=1e-5))
    True
    """
    low = broad(parts)
    lines = np.asarray(parts, np.float32) - low
    drawn = kept_energy(lines, line_shares(lines, of_lines, lead))
    return (np.einsum("nij,ncij->cij", shares, low) + drawn).astype(np.float32)


def sum_fine(parts: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Add fine parts up in two bands, some of them less than nothing: for transforms and extrapolations.

    Parameters
    ----------
    parts : (N, C, G, G) array
    shares : (N,) array
        Of any sign; some are positive.

    Returns
    -------
    (C, G, G) float32 array
        What is broad is the plain sum; lines are those of the parts whose share is positive, mixed as in a blend: lines
        taken away from others' lines, or drawn three times as strong, are those of no face.

    Examples
    --------
    >>> two = np.random.default_rng(0).normal(size=(2, 3, 8, 8))
    >>> beyond = sum_fine(two, np.array([3.0, -2.0]))
    >>> bool(np.allclose(beyond - broad(3 * two[0] - 2 * two[1]), two[0] - broad(two[0]), atol=1e-5))
    True
    """
    # One that is added and taken away is not there: from A, less A, to C is C.
    _, which = np.unique(np.reshape(parts, (len(parts), -1)), axis=0, return_inverse=True)
    alike = which.reshape(-1, 1) == which.reshape(1, -1)
    positive = np.maximum(alike @ np.asarray(shares, np.float64) / alike.sum(axis=1), 0)
    size = (len(parts), *np.shape(parts)[-2:])
    signed, of_lines = (np.broadcast_to(one[:, None, None], size) for one in (shares, positive / positive.sum()))
    return mix_fine(parts, signed, of_lines)
