"""Statistics of samples: medians, quartiles, and ratios within each round."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["ratios", "spread"]


def spread(values: Sequence[float], factor: float = 1.0, digits: int = 4) -> dict[str, float] | None:
    """Median and quartiles.

    Parameters
    ----------
    values : sequence of float
    factor : float
        What they are multiplied by, such as 1000 for milliseconds.
    digits : int
        Significant digits that are kept.

    Returns
    -------
    dict
        ``median``, ``low`` and ``high`` (the quartiles: half of the values lie between); None without values.

    Examples
    --------
    >>> spread([1.0, 2.0, 3.0, 4.0, 100.0])
    {'median': 3.0, 'low': 2.0, 'high': 4.0}
    """
    if not values:
        return None
    low, median, high = (float(f"{value:.{digits}g}") for value in np.quantile(values, (0.25, 0.5, 0.75)) * factor)
    return {"median": median, "low": low, "high": high}


def ratios(times: Sequence[float], reference: Sequence[float]) -> list[float]:
    """Ratio of each round's time to the reference's in the same round, so that slow moments of the machine cancel.

    Parameters
    ----------
    times, reference : sequence of float
        One a round, in the same order and of the same length; more than 0.

    Returns
    -------
    list of float

    Examples
    --------
    >>> ratios([2.0, 20.0], [1.0, 10.0])
    [2.0, 2.0]
    """
    return [time / other for time, other in zip(times, reference, strict=True)]


def most(values: Sequence[Any]) -> float | None:
    """The largest value, in megabytes; None if any is unknown.

    Examples
    --------
    >>> most([5_000_000, 7_250_000]), most([None])
    (7.2, None)
    """
    known = [value for value in values if value is not None]
    return round(max(known) / 1e6, 1) if known and len(known) == len(values) else None
