"""Worker processes with memory: a task goes to the process that had a similar one before, unless another is idle."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from types import TracebackType
from typing import Any

from ..errors import FeatureblendError
from ..io.memoize import set_memo_limit

__all__ = ["Workers", "end_with_parent"]

AHEAD = 2
"""Tasks that a process is given at a time, so that it need not wait for the next."""


class Workers:
    """Processes for `map`, each with results of its own that it keeps (`featureblend.io.memoize`).

    Parameters
    ----------
    count : int
        Processes.
    limit : int
        Bytes of kept results, of all processes together.

    Notes
    -----
    The n-th task of every `map` is the same process's, so that what it kept of a pair is there when the next method
    comes to that pair. A process that has nothing left takes a task of the one that has most.
    """

    def __init__(self, count: int, limit: int) -> None:
        # 'spawn': OpenCV and ONNX Runtime keep threads that a forked copy would wait for.
        self._pools = [
            ProcessPoolExecutor(1, get_context("spawn"), _start_worker, (limit // count,)) for _ in range(count)
        ]

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for pool in self._pools:
            pool.shutdown(wait=True, cancel_futures=True)

    def map(self, function: Callable[..., Any], *arguments: Iterable[Any]) -> Iterator[Any]:
        """Call a function of each set of arguments, as `map` does, in the processes.

        Parameters
        ----------
        function : callable
            Found by name in another process, as the arguments are.
        *arguments : iterables
            Of one length.

        Yields
        ------
        Any
            The results, in the order of the arguments.

        Raises
        ------
        FeatureblendError
            If a process died.
        """
        tasks = list(zip(*arguments, strict=True))
        waiting = [deque(range(start, len(tasks), len(self._pools))) for start in range(len(self._pools))]
        running: dict[Future[Any], tuple[int, int]] = {}
        done: dict[int, Any] = {}

        def give(worker: int) -> None:
            queue = waiting[worker] or max(waiting, key=len)
            if queue:
                # Its own from the front; another's from the end, which is the last that one would come to.
                number = queue.popleft() if queue is waiting[worker] else queue.pop()
                running[self._pools[worker].submit(function, *tasks[number])] = worker, number

        try:
            for _ in range(AHEAD):
                for worker in range(len(self._pools)):
                    give(worker)
            for due in range(len(tasks)):
                while due not in done:
                    for future in wait(running, return_when=FIRST_COMPLETED).done:
                        worker, number = running.pop(future)
                        done[number] = future.result()
                        give(worker)
                yield done.pop(due)
        except BrokenProcessPool as error:
            raise FeatureblendError(
                "a worker process died, perhaps for want of memory: run the same again to go on, with --jobs 1"
            ) from error
        finally:
            for future in running:
                future.cancel()


def _start_worker(limit: int) -> None:
    import cv2

    cv2.setNumThreads(1)  # one process a core already
    end_with_parent()
    set_memo_limit(limit)


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
