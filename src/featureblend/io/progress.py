"""Progress bars: drawn on terminals; elsewhere a line at the end, and of what takes long one near the start."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from tqdm import tqdm

from .tables import flag

PATIENCE = 1.0
"""Seconds before a progress bar shows: what is done sooner needs none."""
LONG = 10.0
"""Seconds of which one who waits without a bar is told."""

T = TypeVar("T")
Listener = Callable[[int, int], None]
"""Is told how many steps are done, and of how many."""

_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextmanager
def heard_by(listener: Listener | None) -> Iterator[None]:
    """Tell a listener of each step that `progress` counts meanwhile in this thread, quiet or not.

    Examples
    --------
    >>> with heard_by(lambda done, total: print(done, "of", total)):
    ...     for _ in progress("ab", "read", "letter", quiet=True):
    ...         pass
    0 of 2
    1 of 2
    2 of 2
    """
    before = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(before)


def progress(steps: Iterable[T], what: str, unit: str, quiet: bool, total: int | None = None) -> Iterable[T]:
    """Show a bar on stderr while `steps` are done, if that takes more than a second.

    Parameters
    ----------
    steps : iterable
    what, unit : str
        What is done, and what a step is called.
    quiet : bool
        Show none.
    total : int, optional
        How many steps there are, where `steps` can't tell.
    """
    bar = Progress(steps, desc=what, unit=unit, disable=flag(quiet, "quiet"), delay=PATIENCE, total=total)
    listener = _listener.get()
    return bar if listener is None or bar.total is None else _heard(bar, listener)


def _heard(bar: Progress, listener: Listener) -> Iterator[Any]:
    listener(0, bar.total)
    for done, step in enumerate(bar, 1):
        yield step
        listener(done, bar.total)


class Progress(tqdm):  # type: ignore[type-arg]
    """tqdm's bar on a terminal; elsewhere, such as in a log, a line at the end.

    Of what will take longer than `LONG` a line says so as soon as that is known, unless `foretell` is False, as where
    the work ends at a time of its own.
    """

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        self._on_terminal = sys.stderr is not None and sys.stderr.isatty()
        self._delay, self._foretold = settings.pop("delay", 0.0), not settings.pop("foretell", True)
        super().__init__(*arguments, delay=self._delay, **settings)

    def display(self, *arguments: Any, **settings: Any) -> Any:
        """Draw the bar where there is a terminal; elsewhere say once how long it will take, if that is long."""
        if self._on_terminal:
            return super().display(*arguments, **settings)
        if self._foretold or not self.total or not self.initial < self.n < self.total:
            return None
        done, taken = self.n - self.initial, self.format_dict["elapsed"]
        left = taken * (self.total - self.n) / done
        if left > LONG:
            self._foretold = True
            total = self.format_sizeof(self.total) if self.unit_scale else f"{self.total:,}"
            sys.stderr.write(f"{self.desc}: {total} {self.unit}s, some {self.format_interval(left)} to go\n")
            sys.stderr.flush()
        return None

    def close(self) -> None:
        """End the bar; where there is none, say in one line what was done, unless it took less than its delay."""
        tell = not getattr(self, "disable", True) and not self._on_terminal
        if tell:
            self.delay = math.inf  # nothing was drawn that would have to be cleared
        super().close()
        taken = self.format_dict["elapsed"] if tell else 0
        if tell and taken >= self._delay:
            done = self.format_sizeof(self.n) if self.unit_scale else self.n
            of = "" if self.total in (None, self.n) else f" of {self.total:,}"
            units = self.unit if (self.total or self.n) == 1 else f"{self.unit}s"
            sys.stderr.write(f"{self.desc}: {done}{of} {units} in {self.format_interval(taken)}\n")
