"""The weight at which a blend is equally close to both parents, found by bisection."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import FeatureblendError

__all__ = ["even_weight"]

STEPS = 8
"""Halvings: the weight is right to 1/256."""


def even_weight(gap: Callable[[float], float]) -> float:
    """Find the first photo's weight at which a blend of two is equally close to both.

    Parameters
    ----------
    gap : callable
        The first photo's weight in, the blend's distance to the first less that to the second out; it falls from
        above 0 at weight 0 to below 0 at weight 1, and need not fall steadily.

    Returns
    -------
    float
        0 to 1.

    Raises
    ------
    FeatureblendError
        If the blend is nearer to one of them at both ends.

    Examples
    --------
    >>> even_weight(lambda weight: 0.625 - weight)
    0.625
    """
    low, high = 0.0, 1.0
    at_low, at_high = gap(low), gap(high)
    if at_low == 0 == at_high:
        return 0.5  # the photos are equal
    if at_low < 0 or at_high > 0:
        nearer = "first" if at_low < 0 else "second"
        raise FeatureblendError(f"no weight balances these photos: every blend of them is nearer to the {nearer}")
    for _ in range(STEPS):
        middle = (low + high) / 2
        here = gap(middle)
        if here == 0:
            return middle
        low, high = (middle, high) if here > 0 else (low, middle)
    return (low + high) / 2
