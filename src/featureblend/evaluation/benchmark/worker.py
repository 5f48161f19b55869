"""A process that prepares one task, runs it on request, and reports its time and memory.

One process a task keeps apart what each imports, opens and holds, and a task that brings its process down takes no
other along.

Memory is the process's own peak of resident pages, native libraries included: Linux's ``VmHWM``, which begins anew
with each program (``ru_maxrss`` starts from the parent's peak there), else ``ru_maxrss``. `tracemalloc` would see
numpy's arrays only, and not what OpenCV and ONNX Runtime take.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from multiprocessing.connection import Connection
from typing import Any

from ...errors import FeatureblendError
from ...io.processes import allow_interrupts
from .tasks import task

LEAST = 0.02
"""Seconds for which a quick task is repeated, to take the mean."""


def serve(pipe: Connection, spec: Mapping[str, Any], said: str) -> None:
    """Run a task, and again whenever asked; what it prints goes into the file `said`."""
    allow_interrupts()
    with open(said, "ab") as stream:
        os.dup2(stream.fileno(), 1)
        os.dup2(stream.fileno(), 2)
    try:
        begin = time.perf_counter()
        call = task(spec)
        imported = time.perf_counter() - begin
        _forget_peak()
        before = memory()["now"]
        begin = time.perf_counter()
        laps = call()
        first = time.perf_counter() - begin
        pipe.send({"imported": imported, "first": first, "laps": laps, "before": before, "peak": memory()["peak"]})
        while pipe.recv():
            seconds, laps = timed(call)
            pipe.send({"seconds": seconds, "laps": laps, "peak": memory()["peak"]})
    except EOFError:  # nobody asks any more
        pass
    except BaseException as error:  # a peer may end in any way, exit() included
        reason = " ".join(str(error).split()) or "no reason given"
        mine = isinstance(error, FeatureblendError)
        pipe.send({"error": reason if mine else f"{type(error).__name__}: {reason}"})


def timed(call: Any) -> tuple[float, dict[str, float] | None]:
    """Time a task: once if it is long, otherwise many times after one call that warms the caches.

    Returns
    -------
    seconds : float
        Of one call.
    laps : dict of str to float or None
        Its parts, of the last call.
    """
    begin = time.perf_counter()
    laps = call()
    seconds = time.perf_counter() - begin
    if seconds >= LEAST or laps is not None:
        return seconds, laps
    count, begin = 0, time.perf_counter()
    while (seconds := time.perf_counter() - begin) < LEAST:
        call()
        count += 1
    return seconds / count, None


def memory() -> dict[str, int | None]:
    """Bytes of memory this process uses now, and its peak; None if the system doesn't report them."""
    try:
        with open("/proc/self/status") as status:
            lines = dict(line.split(":", 1) for line in status)
        return {"now": _kilobytes(lines["VmRSS"]), "peak": _kilobytes(lines["VmHWM"])}
    except (OSError, KeyError, ValueError):
        pass
    try:
        import resource
    except ImportError:  # Windows
        return {"now": None, "peak": None}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return {"now": peak, "peak": peak}


def _kilobytes(field: str) -> int:
    return int(field.split()[0]) * 1024


def _forget_peak() -> None:
    """Reset the memory peak, so that imports don't count as the task's."""
    try:
        with open("/proc/self/clear_refs", "w") as reset:
            reset.write("5")
    except OSError:  # another system: the peak then includes the imports
        pass
