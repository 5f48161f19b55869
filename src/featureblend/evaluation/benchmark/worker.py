"""A process that prepares one task, runs it on request, and reports its time and memory.

It answers in lines of JSON on what was its standard output; what the task prints goes to standard error. One
process a task keeps apart what each imports, opens and holds, and a task that brings its process down takes no
other along.

Memory is the process's own peak of resident pages, native libraries included: Linux's ``VmHWM``, which begins anew
with each program (``ru_maxrss`` starts from the parent's peak there), else ``ru_maxrss``. `tracemalloc` would see
numpy's arrays only, and not what OpenCV and ONNX Runtime take.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

__all__ = ["main"]

LEAST = 0.02
"""Seconds for which a quick task is repeated, to take the mean."""


def main() -> None:
    """Run the task described by the first line of standard input, once for each further line."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def answer(**values: Any) -> None:
        answers.write(json.dumps(values) + "\n")
        answers.flush()

    try:
        spec = json.loads(sys.stdin.readline())
        from .tasks import task

        begin = time.perf_counter()
        call = task(spec)
        imported = time.perf_counter() - begin
        _forget_peak()
        before = memory()["now"]
        begin = time.perf_counter()
        laps = call()
        first = time.perf_counter() - begin
        answer(imported=imported, first=first, laps=laps, before=before, peak=memory()["peak"])
        for _ in sys.stdin:
            seconds, laps = timed(call)
            answer(seconds=seconds, laps=laps, peak=memory()["peak"])
    except BaseException as error:  # a peer may end in any way, exit() included
        said = " ".join(str(error).split()) or "no reason given"
        mine = type(error).__name__ == "FeatureblendError"
        answer(error=said if mine else f"{type(error).__name__}: {said}")


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


if __name__ == "__main__":
    main()
