"""Scores of sets: do blends come from the same distribution as real faces?

The features are the caller's: `image_features` (named by `FEATURES_NAME`) where no network's are at hand. Figures
made with different features do not compare.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..errors import FeatureblendError
from .inputs import as_rows, squared_distances


class NeighbourAccuracy(NamedTuple):
    """Shares of points whose nearest other point is of their own kind: 0.5 is ideal."""

    overall: float
    """Of all points: 1 where the sets are apart, towards 0 where fakes are copies of real ones."""
    real: float
    """Of the real ones: low where fakes lie in their midst (averages), high where fakes miss some (lost modes)."""
    fake: float
    """Of the fakes: high where they are all alike, or unlike anything real."""


def _two_sets(real: np.ndarray, fake: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    first, second = as_rows(real, "the real features", 2), as_rows(fake, "the features to judge", 2)
    if first.shape[1] != second.shape[1]:
        raise FeatureblendError(f"features of {first.shape[1]} and of {second.shape[1]} numbers cannot be compared")
    return first, second


def kid(real: np.ndarray, fake: np.ndarray) -> float:
    """Kernel inception distance: the unbiased squared MMD of a cubic kernel.

    Parameters
    ----------
    real, fake : (N, D) and (M, D) arrays
        Features, one row a picture; at least 2 rows each.

    Returns
    -------
    float
        0 in expectation for two sets of one distribution (so that a figure may be slightly negative), larger the
        further apart.

    Raises
    ------
    FeatureblendError
        If there are too few rows, or the sets differ in their features.

    Notes
    -----
    k(x, y) = (x.y / D + 1)^3. Unbiased, so that sets of any size compare, with more noise the smaller. It sees
    differences in the first three moments of the features, and nothing that the features do not.

    References
    ----------
    M. Binkowski, D. J. Sutherland, M. Arbel and A. Gretton, "Demystifying MMD GANs", ICLR 2018.

    Examples
    --------
    >>> kid(np.array([[0.0], [0.0]]), np.array([[1.0], [1.0]]))  # 1 + 8 - 2
    7.0
    """
    first, second = _two_sets(real, fake)

    def kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return (a @ b.T / a.shape[1] + 1) ** 3

    def within(rows: np.ndarray) -> float:
        values = kernel(rows, rows)
        return (values.sum() - np.trace(values)) / (len(rows) * (len(rows) - 1))

    return float(within(first) + within(second) - 2 * kernel(first, second).mean())


def fid(real: np.ndarray, fake: np.ndarray) -> float:
    """Frechet distance of the two Gaussians with the sets' means and covariances.

    Parameters
    ----------
    real, fake : (N, D) and (M, D) arrays
        Features, one row a picture. N and M should be well above D.

    Returns
    -------
    float
        0 (equal moments) upwards.

    Raises
    ------
    FeatureblendError
        If there are too few rows, or the sets differ in their features.

    Notes
    -----
    |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)), where the last trace is the sum of the singular values of A B' for any
    A'A = C1 and B'B = C2: exact with fewer pictures than numbers too, where `scipy.linalg.sqrtm` fails.
    Biased upwards, the more the fewer pictures: compare sets of one size only. It sees means and covariances, no
    more: a set of two collapsed modes can score well.

    References
    ----------
    M. Heusel, H. Ramsauer, T. Unterthiner, B. Nessler and S. Hochreiter, "GANs trained by a two time-scale update rule
    converge to a local Nash equilibrium", NIPS 2017.

    Examples
    --------
    >>> points = np.array([[0.0], [2.0]])
    >>> round(fid(points, points * 2 + 3), 6)  # (1 - 5)^2 + (sd 2 sqrt 2 - sd sqrt 2)^2
    18.0
    """
    first, second = _two_sets(real, fake)
    gap = first.mean(axis=0) - second.mean(axis=0)
    # Rows whose inner products are the covariance, for either set; and as many as there are numbers at most.
    rows = [(part - part.mean(axis=0)) / np.sqrt(len(part) - 1) for part in (first, second)]
    fewer: list[np.ndarray] = [np.asarray(np.linalg.qr(part, "r")) for part in rows]
    overlap = np.linalg.svd(fewer[0] @ fewer[1].T, compute_uv=False).sum()
    distance = gap @ gap + np.square(rows[0]).sum() + np.square(rows[1]).sum() - 2 * overlap
    return max(float(distance), 0.0)


def nearest_neighbour_accuracy(real: np.ndarray, fake: np.ndarray) -> NeighbourAccuracy:
    """Leave-one-out accuracy of telling real from fake by the nearest other point: a two-sample test.

    Parameters
    ----------
    real, fake : (N, D) arrays
        Features, as many of each.

    Returns
    -------
    NeighbourAccuracy

    Raises
    ------
    FeatureblendError
        If the sets differ in size or features.

    Notes
    -----
    1 is worst; well below .5 means copies. Look at both parts: pixel averages of LFW faces have .48 real and .98 fake
    (400 of each). Nearest neighbours go by content before fine texture: a blur of half a pixel at 128 moves it by .01,
    which is within chance, one of .8 pixels by .09. Of two equally near points the real one counts as nearest.

    References
    ----------
    D. Lopez-Paz and M. Oquab, "Revisiting classifier two-sample tests", ICLR 2017; Q. Xu et al., "An empirical study on
    evaluation metrics of generative adversarial networks", arXiv:1806.07755 (the two parts).

    Examples
    --------
    >>> nearest_neighbour_accuracy(np.array([[0.0], [1.0]]), np.array([[5.0], [6.0]]))
    NeighbourAccuracy(overall=1.0, real=1.0, fake=1.0)
    """
    first, second = _two_sets(real, fake)
    if len(first) != len(second):
        raise FeatureblendError(f"the 1-NN test takes as many real as fake ones, not {len(first)} and {len(second)}")
    squares = squared_distances(points := np.concatenate([first, second]), points)
    np.fill_diagonal(squares, np.inf)
    is_fake = np.arange(len(points)) >= len(first)
    right = is_fake[squares.argmin(axis=1)] == is_fake
    return NeighbourAccuracy(float(right.mean()), float(right[~is_fake].mean()), float(right[is_fake].mean()))
