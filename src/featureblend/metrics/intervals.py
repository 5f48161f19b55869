"""Confidence intervals of figures."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..errors import FeatureblendError


def bootstrap_interval(
    values: np.ndarray,
    statistic: Callable[..., float] = np.mean,
    samples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> tuple[float, float]:
    """Interval of a statistic by the percentile bootstrap.

    Parameters
    ----------
    values : (N, ...) array
        One of N a draw; rows are drawn whole.
    statistic : callable
        Takes such an array, gives a number.
    samples : int
        Redraws.
    confidence : float
        In (0, 1).
    seed : int

    Returns
    -------
    (float, float)
        Low and high end.

    Raises
    ------
    FeatureblendError
        If there are no values, or samples or confidence make no sense.

    Notes
    -----
    It covers the chance of the draw only: not the choice of photos, of features or of the seed of training; and too
    narrow for fewer than about 20 values. Not for KID, FID or 1-NN: pictures drawn twice are their own neighbours.

    References
    ----------
    B. Efron and R. J. Tibshirani, "An introduction to the bootstrap", 1993, chapter 13.

    Examples
    --------
    >>> bootstrap_interval(np.array([2.0, 2.0, 2.0]))
    (2.0, 2.0)
    """
    drawn = np.asarray(values)
    if drawn.ndim == 0 or len(drawn) == 0 or samples < 1 or not 0 < confidence < 1:
        raise FeatureblendError("a bootstrap takes at least one value and one sample, and a confidence between 0 and 1")
    generator = np.random.default_rng(seed)
    redrawn = generator.integers(0, len(drawn), (samples, len(drawn)))
    if statistic is np.mean and drawn.ndim == 1:
        results = drawn[redrawn].mean(axis=1)
    else:
        results = np.array([statistic(drawn[rows]) for rows in redrawn])
    low, high = np.quantile(results, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)
