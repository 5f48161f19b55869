"""Work in the workers of a Ray cluster: what a `map` gives, whoever dies or hangs meanwhile."""

from __future__ import annotations

import math
import os
import pickle
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from ..errors import FeatureblendError
from .extras import require
from .onnx import CHOSEN
from .processes import Run, processes
from .tables import check_choice

ENGINES = ("local", "ray")
"""What hands out the work: processes or threads of this machine, or the workers of a Ray cluster."""

ATTEMPTS = 3
"""Work at which so many workers died or hung is given up."""

SLOW = 300.0
"""Seconds that any work may take. It is taken for hung where it takes longer, and also ..."""

TIMES = 10
"""... so many times as long as the slowest so far of its kind: then its worker is replaced."""

PATIENCE = 1.0
"""Seconds between two looks at what takes long."""

AHEAD = 16
"""Results a worker that may wait for an earlier one."""

DEPTH = 2
"""Work that a worker is given at a time: the next waits where it is, so that no time goes by between the two."""

GivenUp = Callable[..., Any]
"""Takes the arguments of work that is given up, and why, as ``reason``; gives what stands for its result."""


def check_engine(engine: str, address: str | None = None, jobs: int | None = None) -> None:
    """Check a choice of engine and of how many workers before any work.

    Raises
    ------
    FeatureblendError
        If there is no such engine, it is not installed, an address is given for one that has none, or there is to be
        no worker.

    Examples
    --------
    >>> check_engine("local", "auto")
    Traceback (most recent call last):
    featureblend.errors.FeatureblendError: --address auto: only --engine ray has one
    """
    if jobs is not None and jobs < 1:
        raise FeatureblendError(f"--jobs {jobs}: expected at least 1")
    check_choice(engine, "engine", ENGINES)
    if engine == "ray":
        require("cluster", "ray")
    elif address is not None:
        raise FeatureblendError(f"--address {address}: only --engine ray has one")


@contextmanager
def workers(
    engine: str,
    jobs: int | None,
    address: str | None = None,
    start: Callable[..., Any] | None = None,
    *arguments: Any,
) -> Iterator[Run]:
    """Open what an engine has for a `map`: `ray_workers`, or this machine's `processes`, one a core if left out."""
    if engine == "ray":
        with ray_workers(jobs, address, start, *arguments) as run:
            yield run
    else:
        with processes(jobs or os.cpu_count() or 1, start, *arguments) as run:
            yield run


@contextmanager
def ray_workers(
    jobs: int | None,
    address: str | None,
    start: Callable[..., Any] | None = None,
    *arguments: Any,
    ordered: bool = True,
    given_up: GivenUp | None = None,
) -> Iterator[Run]:
    """Open the workers of a cluster for a `map`, as `featureblend.io.processes.processes` does on one machine.

    Every worker is an actor: a process that is begun once, and does one piece of work while the next waits, so that
    nothing heaps up. Where a worker dies or hangs another takes its place, and its work is done again. All machines
    must see the same files under the same names, and have this package.

    Parameters
    ----------
    jobs : int, optional
        Workers; one a core of the cluster if left out.
    address : str, optional
        Of a running cluster, as `ray.init` takes it; a cluster of this machine alone if left out, which ends with the
        block, or with this process.
    start : callable, optional
        Called in each worker before its work, with `arguments`; found by name.
    ordered : bool
        Whether results come in order, or as they are ready.
    given_up : callable, optional
        What to do about work that is given up after `ATTEMPTS`; an error if left out.

    Yields
    ------
    callable
        As `map`. On Ctrl-C the work in progress is finished first.

    Raises
    ------
    FeatureblendError
        If there is no such cluster, a worker can't be begun, or work is given up.
    """
    with _connected(jobs, address) as size:
        # Of another machine's Python, this one's paths would be the wrong ones.
        paths = [] if address else [os.path.abspath(path) for path in sys.path]
        facts = (os.getcwd(), paths, os.environ.get(CHOSEN), pickle.dumps((start, arguments)))
        workers = _Workers(size, facts, ordered, given_up)
        try:
            yield workers.map
        finally:
            workers.end()


@contextmanager
def _connected(jobs: int | None, address: str | None) -> Iterator[int]:
    """Join a cluster, or begin one; give the number of workers."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is reported to anyone
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # GPUs stay visible
    os.environ.setdefault("RAY_worker_niceness", "0")  # as this process; Ray's own 15 lets all other work go first
    import ray

    with ExitStack() as stack:
        if not ray.is_initialized():
            settings: dict[str, Any] = {"address": address or "local", "log_to_driver": False, "logging_level": "ERROR"}
            if address is None:
                # Named as short as can be: paths of sockets have 107 bytes.
                folder = tempfile.TemporaryDirectory(prefix="fb-", ignore_cleanup_errors=True)
                settings |= {
                    "num_cpus": jobs or os.cpu_count() or 1,
                    "include_dashboard": False,
                    "_temp_dir": stack.enter_context(folder),
                }
            main = threading.current_thread() is threading.main_thread()
            before = signal.getsignal(signal.SIGTERM)
            try:
                ray.init(**settings)
            except Exception as error:  # of many kinds
                there = f"no Ray cluster at {address}" if address else "cannot begin a Ray cluster"
                raise FeatureblendError(f"{there}: {' '.join(str(error).split())}") from error
            finally:
                if main:
                    signal.signal(signal.SIGTERM, before)  # Ray's own would end the process at once
            stack.callback(ray.shutdown)
        cores = int(ray.cluster_resources().get("CPU", 1)) or 1
        yield min(jobs or cores, cores)  # more would wait for a core for ever


class _Worker:
    """One worker's end: an actor.

    What goes in and out is pickled here and not by Ray, whose arrays would be read-only views of its store, and hold
    on to the whole result that they are part of.
    """

    def __init__(self, folder: str, paths: list[str], device: str | None, given: bytes) -> None:
        import cv2

        cv2.setNumThreads(1)  # one worker a core already
        sys.path += [path for path in paths if path not in sys.path]
        os.chdir(folder)
        if device is not None:
            os.environ[CHOSEN] = device
        start, arguments = pickle.loads(given)
        if start is not None:
            start(*arguments)

    def ready(self) -> None:
        """Tell that the worker has begun."""

    def call(self, given: bytes) -> bytes:
        """Do a piece of work."""
        function, arguments = pickle.loads(given)
        return pickle.dumps(function(*arguments))


@dataclass(eq=False)
class _Task:
    """What a worker is to do."""

    number: int = -1
    """The work's place in its `map`; -1 while the worker begins."""
    given: bytes = b""
    arguments: tuple[Any, ...] = ()
    attempt: int = 1
    since: float = 0.0
    """When its turn came."""
    reason: str = "a worker died at it, perhaps for want of memory"
    """What to say should it be lost."""


@dataclass(eq=False)
class _Seat:
    """A worker, and what it was given, in order: it is at the first."""

    actor: Any
    tasks: list[_Task] = field(default_factory=list)


def _interrupts_noted() -> tuple[list[int], ExitStack]:
    """A list that the first Ctrl-C is noted in, wherever it finds this process, until the stack is closed.

    Raised as an error, it could come while a result is between two places, and lose it. The second one is raised.
    """
    pressed: list[int] = []
    listening = ExitStack()

    def note(number: int, frame: Any) -> None:
        if pressed:
            raise KeyboardInterrupt
        pressed.append(number)

    if threading.current_thread() is threading.main_thread():  # Python gives signals to no other thread
        listening.callback(signal.signal, signal.SIGINT, signal.signal(signal.SIGINT, note))
    return pressed, listening


class _Workers:
    """The driver's end: who is at what."""

    def __init__(self, size: int, facts: tuple[Any, ...], ordered: bool, given_up: GivenUp | None) -> None:
        import ray

        self.ray, self.size, self.ordered, self.given_up = ray, size, ordered, given_up
        self.facts = [ray.put(fact) for fact in facts]
        # Of each call Ray would keep a record for its dashboard: 4 kB, for up to 100,000 calls.
        self.actor = ray.remote(_Worker).options(num_cpus=1, enable_task_events=False)
        self.seats: list[_Seat] = []
        self.due: dict[Any, tuple[_Seat, _Task]] = {}
        for _ in range(size):
            self._begin()

    def _begin(self, attempt: int = 1) -> None:
        seat = _Seat(self.actor.remote(*self.facts))
        self.seats.append(seat)
        self._put(_Task(attempt=attempt), seat, seat.actor.ready.remote())

    def end(self) -> None:
        """End all workers."""
        for seat in self.seats:
            self.ray.kill(seat.actor)

    def map(self, function: Callable[..., Any], *columns: Iterable[Any]) -> Iterator[Any]:
        """As the built-in; of the columns no more is read than the workers can take."""
        numbered = enumerate(zip(*columns, strict=False))
        fresh = (_Task(number, pickle.dumps((function, arguments)), arguments) for number, arguments in numbered)
        lost: list[_Task] = []
        results: dict[int, Any] = {}
        due, slowest, more = 0, 0.0, True
        stop: KeyboardInterrupt | None = None
        pressed, listening = _interrupts_noted()
        try:
            while True:
                if pressed and stop is None:
                    stop = KeyboardInterrupt()
                while (
                    stop is None
                    and (lost or (more and len(results) < AHEAD * self.size))
                    and (seat := self._free(1 if lost else DEPTH))
                ):
                    task = lost.pop() if lost else next(fresh, None)
                    if task is None:
                        more = False
                    else:
                        self._put(task, seat, seat.actor.call.remote(task.given))
                while results and (due in results or not self.ordered):
                    yield results.pop(due if self.ordered else min(results))
                    due += 1
                if not self._at_work() and (stop is not None or not (lost or more)):
                    break
                try:
                    task, result = self._next(max(SLOW, TIMES * slowest) if slowest else math.inf)
                except KeyboardInterrupt as error:
                    if stop is not None:  # a second one
                        raise
                    stop = error
                    continue
                if task is None:
                    continue
                if result is not None:
                    slowest = max(slowest, time.monotonic() - task.since)
                    results[task.number] = pickle.loads(result)
                elif task.attempt <= ATTEMPTS:
                    task.reason = _Task.reason
                    lost.append(task)
                else:
                    results[task.number] = self._give_up(task)
        finally:
            listening.close()
            if stop is None:
                self._settle()
        if stop is not None:
            raise stop

    def _free(self, depth: int) -> _Seat | None:
        """The worker that has least to do, if it has begun and that is less than so much work.

        Work that was lost before is done alone: a worker that dies may take the result of its last work with it, so
        that nobody knows which of two is to blame.
        """
        able = [seat for seat in self.seats if all(task.number >= 0 and task.attempt == 1 for task in seat.tasks)]
        seat = min(able, key=lambda one: len(one.tasks), default=None)
        return seat if seat is not None and len(seat.tasks) < depth else None

    def _put(self, task: _Task, seat: _Seat, ref: Any) -> None:
        task.since = time.monotonic()
        seat.tasks.append(task)
        self.due[ref] = (seat, task)

    def _at_work(self) -> list[Any]:
        return [ref for ref, (_, task) in self.due.items() if task.number >= 0]

    def _next(self, limit: float) -> tuple[_Task | None, bytes | None]:
        """Wait for any worker; give the work that it did and the result, None where the work was lost with it."""
        for seat in self.seats:
            if seat.tasks and seat.tasks[0].number >= 0 and (took := time.monotonic() - seat.tasks[0].since) > limit:
                seat.tasks[0].reason = f"it took more than {took:.0f} s"
                self.ray.kill(seat.actor)  # and so the wait finds it lost
        ready, _ = self.ray.wait(list(self.due), timeout=PATIENCE)
        if not ready:
            return None, None
        seat, task = self.due[ready[0]]
        try:  # before it is taken off the list: Ctrl-C while it is fetched would lose it
            result, error = self.ray.get(ready[0]), None
        except self.ray.exceptions.RayError as caught:
            result, error = None, caught
        del self.due[ready[0]]
        seat.tasks.remove(task)
        if seat.tasks:
            seat.tasks[0].since = time.monotonic()
        begins = task.number < 0
        if isinstance(error, self.ray.exceptions.RayTaskError):  # the work's own error; the worker lives
            raise error.cause from error
        if error is not None:
            if begins and task.attempt == ATTEMPTS:
                why = (str(error).strip().splitlines() or ["it dies"])[-1].strip()
                raise FeatureblendError(f"a worker of the cluster can't begin: {why}") from error
            task.attempt += 1
            if seat in self.seats:
                self.seats.remove(seat)
                self._begin(task.attempt if begins else 1)
            return (None, None) if begins else (task, None)
        return (None, None) if begins else (task, result)

    def _give_up(self, task: _Task) -> Any:
        reason = f"given up after {ATTEMPTS} attempts: {task.reason}"
        if self.given_up is None:
            raise FeatureblendError(f"work was {reason}; run the same again to go on, with fewer jobs (--jobs 1)")
        return self.given_up(*task.arguments, reason=reason)

    def _settle(self) -> None:
        """Wait for what an error, or a reader that went away, left at work: its workers are still needed."""
        if left := self._at_work():
            self.ray.wait(left, num_returns=len(left), timeout=SLOW)
        for ref in left:
            seat, task = self.due.pop(ref)
            seat.tasks.remove(task)
