"""Results of pure functions, kept in memory for work that asks the same again: an evaluation blends each pair anew by
every method, and most of that work is the same each time.

Nothing is kept unless a process says so, by `set_memo_limit`: a blend on its own asks for nothing twice.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import numpy as np

__all__ = ["memoize", "memoizing", "set_memo_limit"]

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class _Store:
    """Results by a hash of what was asked; the longest unused go first when there are too many bytes."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._size = 0
        self._found: OrderedDict[bytes, Any] = OrderedDict()
        self._turn = threading.Lock()

    def get(self, key: bytes) -> Any:
        with self._turn:
            if key in self._found:
                self._found.move_to_end(key)
            return self._found.get(key)

    def put(self, key: bytes, value: Any) -> None:
        with self._turn:
            if key not in self._found:
                self._found[key] = value
                self._size += _bytes(value)
            while self._size > self.limit and self._found:
                self._size -= _bytes(self._found.popitem(last=False)[1])


_store = _Store(0)


def memoize(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Decorator: memoize a function's results, in processes that called `set_memo_limit`.

    Parameters
    ----------
    function : callable
        What it gives, an array or a tuple of arrays, depends on its arguments alone: arrays, sequences of arrays, and
        objects whose `repr` identifies them.

    Returns
    -------
    callable
        The same; every caller gets a copy of its own.

    Examples
    --------
    >>> asked = []
    >>> @memoize
    ... def doubled(values):
    ...     asked.append(values)
    ...     return values * 2
    >>> with memoizing(1000):
    ...     doubled(np.arange(3)), doubled(np.arange(3)), len(asked)
    (array([0, 2, 4]), array([0, 2, 4]), 1)
    >>> doubled(np.arange(3)), len(asked)  # outside, each call works for itself
    (array([0, 2, 4]), 2)
    """

    @wraps(function)
    def asked(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        if not _store.limit:
            return function(*args, **kwargs)
        digest = hashlib.blake2b(f"{function.__module__}.{function.__qualname__}".encode(), digest_size=20)
        _add(digest, (args, sorted(kwargs.items())))
        key = digest.digest()
        found = _store.get(key)
        if found is None:
            found = function(*args, **kwargs)
            _store.put(key, found)
        return _copied(found)

    return asked


def set_memo_limit(limit: int) -> None:
    """Let `memoize` keep results in this process, up to a number of bytes; earlier ones are forgotten.

    Parameters
    ----------
    limit : int
        In bytes; 0 keeps nothing.
    """
    global _store
    _store = _Store(limit)


@contextmanager
def memoizing(limit: int) -> Iterator[None]:
    """Memoize results, as `set_memo_limit` does, inside a block; forget them at its end."""
    set_memo_limit(limit)
    try:
        yield
    finally:
        set_memo_limit(0)


def _add(digest: Any, value: Any) -> None:
    """Add an argument to a hash, unambiguously."""
    if isinstance(value, np.ndarray):
        digest.update(f"array {value.dtype.str} {value.shape} ".encode())
        digest.update(np.ascontiguousarray(value).tobytes())
    elif isinstance(value, (list, tuple)):
        digest.update(f"sequence {len(value)} ".encode())
        for one in value:
            _add(digest, one)
    else:
        text = repr(value).encode()
        digest.update(f"value {len(text)} ".encode() + text)


def _copied(value: Any) -> Any:
    return value.copy() if isinstance(value, np.ndarray) else tuple(one.copy() for one in value)


def _bytes(value: Any) -> int:
    return int(value.nbytes) if isinstance(value, np.ndarray) else sum(one.nbytes for one in value)
