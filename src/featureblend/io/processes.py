"""Work in several processes that end with the one that started them."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context, parent_process
from typing import Any

from ..errors import FeatureblendError

Run = Callable[..., Iterable[Any]]
"""`map`, or one that calls the function in other processes."""


@contextmanager
def processes(jobs: int, start: Callable[..., Any] | None = None, *arguments: Any) -> Iterator[Run]:
    """Open processes for a `map` whose results come in order.

    After an error or Ctrl-C no further work is begun. Processes also end when this one is killed.

    Parameters
    ----------
    jobs : int
        Processes.
    start : callable, optional
        Called in each process before its work, with `arguments`; found by name.

    Yields
    ------
    callable
        As `map`. It raises `FeatureblendError` if a process dies.
    """
    # 'spawn': OpenCV and ONNX Runtime keep threads that a forked copy would wait for.
    pool = ProcessPoolExecutor(jobs, get_context("spawn"), _start, (start, arguments))
    try:
        yield partial(_mapped, pool)
    finally:
        pool.shutdown(cancel_futures=True)


def _mapped(pool: ProcessPoolExecutor, function: Callable[..., Any], *columns: Iterable[Any]) -> Iterator[Any]:
    try:
        with interrupts_held():  # which a process inherits: while it imports, Ctrl-C would print a traceback
            results = pool.map(function, *columns)
        yield from results
    except BrokenProcessPool as error:
        raise FeatureblendError(
            "a worker process died, perhaps for want of memory: run the same again to go on, with fewer jobs (--jobs 1)"
        ) from error


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Let Ctrl-C wait until the end of the block, and in processes started there until they call `allow_interrupts`."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start(start: Callable[..., Any] | None, arguments: tuple[Any, ...]) -> None:
    import cv2

    cv2.setNumThreads(1)  # one process a core already
    end_with_parent()
    allow_interrupts()
    if start is not None:
        start(*arguments)


def allow_interrupts() -> None:
    """Let Ctrl-C end this process at once, without a traceback."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def end_with_parent(grace: float = 0.0) -> None:
    """End this process when its parent is killed, since a killed parent can't end it.

    Parameters
    ----------
    grace : float
        Seconds between an interrupt, for whoever has something to save, and the end; 0 for the end at once.
    """
    threading.Thread(target=_wait_for_parent, args=(grace,), daemon=True).start()


def _wait_for_parent(grace: float) -> None:
    parent = parent_process()
    if parent is None:
        return
    parent.join()
    if grace:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(grace)
    os._exit(1)
