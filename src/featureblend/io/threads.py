"""The same work for several photos, side by side in threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import cv2

Result = TypeVar("Result")


def side_by_side(work: Callable[..., Result], *columns: Iterable[Any]) -> list[Result]:
    """Call a function for each row of columns, as `map` does, on all cores that this process may use.

    OpenCV, ONNX Runtime and Pillow compute without Python's lock. Processes of a pool
    (`featureblend.io.processes`) have one core each, and take one row after another.

    Returns
    -------
    list
        In order; the first error, in order, is raised.

    Examples
    --------
    >>> side_by_side(pow, [2, 3], [3, 2])
    [8, 9]
    """
    rows = list(zip(*columns, strict=True))
    threads = min(len(rows), cv2.getNumThreads())
    if threads < 2:
        return [work(*row) for row in rows]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(lambda row: work(*row), rows))
