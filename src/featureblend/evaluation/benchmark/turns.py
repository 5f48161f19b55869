"""Tasks that take turns: each is started alone, timed once a round, and started anew."""

from __future__ import annotations

import importlib.util
import random
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ...io.progress import Progress
from .processes import Broken, Worker


@dataclass(eq=False)
class Entry:
    """One task and what was measured of it."""

    part: str
    name: str
    spec: dict[str, Any] = field(repr=False)
    """As `featureblend.evaluation.benchmark.tasks.task` takes it."""
    module: str | None = None
    """What must be installed for it, where that may not be so."""
    package: str = ""
    """What brings the module."""
    starts: list[dict[str, Any]] = field(default_factory=list)
    """What each fresh process took and held: `Worker.start`."""
    samples: list[dict[str, Any]] = field(default_factory=list)
    """One a round: `Worker.measure`."""


class Turns:
    """Times tasks in turns; one that fails is left out with a reason, and the others go on.

    Parameters
    ----------
    patience : float
        Seconds to wait for an answer.
    expected : int
        Timings that will be made at most, for the progress bar.
    quiet : bool
        Show no progress bar.
    """

    def __init__(self, patience: float, expected: int, quiet: bool) -> None:
        self.patience = patience
        self.left_out: list[dict[str, str]] = []
        """Part, name and reason of each task that failed."""
        self.rounds = 0
        """Rounds done."""
        self._workers: dict[Entry, Worker] = {}
        self._bar = Progress(desc="benchmark", total=expected, unit="timing", disable=quiet)

    def __enter__(self) -> Turns:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._bar.close()

    @property
    def entries(self) -> list[Entry]:
        """The tasks that run and have not failed."""
        return list(self._workers)

    def start(self, entries: Iterable[Entry]) -> None:
        """Start a process for each task, one after another, so that none starts beside another."""
        for entry in self._shown(list(entries)):
            if entry.module is not None and importlib.util.find_spec(entry.module) is None:
                self.leave_out(entry, f"not installed: pip install {entry.package}")
                continue
            try:
                worker = Worker(entry.spec, self.patience)
            except Broken as error:
                self.leave_out(entry, str(error))
                continue
            self._workers[entry] = worker
            entry.starts.append(worker.start)

    def take(self, repeat: int, until: float) -> None:
        """Time each task once a round, every round in another order.

        Parameters
        ----------
        repeat : int
            Rounds at most.
        until : float
            No round but the first begins after this `time.perf_counter`.
        """
        order = random.Random(0)
        while self._workers and self.rounds < repeat and (self.rounds == 0 or time.perf_counter() < until):
            self.rounds += 1
            turns = list(self._workers)
            order.shuffle(turns)  # who comes after whom decides what is left in the caches
            for entry in self._shown(turns):
                try:
                    entry.samples.append(self._workers[entry].measure())
                except Broken as error:
                    self._workers.pop(entry).end()
                    self.leave_out(entry, f"in round {self.rounds}: {error}")

    def start_again(self, entries: list[Entry], fresh: int, until: float) -> list[Entry]:
        """Start each task in new processes, in turns, until each has had `fresh` starts or the time is over.

        Returns
        -------
        list of Entry
            Those that did not fail.
        """
        for number in range(2, fresh + 1):
            if time.perf_counter() >= until:
                break
            for entry in self._shown(list(entries)):
                try:
                    with Worker(entry.spec, self.patience) as worker:
                        entry.starts.append(worker.start)
                except Broken as error:
                    entries = [other for other in entries if other is not entry]
                    self.leave_out(entry, f"at start {number}: {error}")
        return entries

    def stop(self) -> None:
        """End all processes."""
        for worker in self._workers.values():
            worker.end()
        self._workers = {}

    def leave_out(self, entry: Entry, reason: str) -> None:
        """Note that a task failed."""
        self.left_out.append({"part": entry.part, "name": entry.name, "reason": reason})

    def _shown(self, entries: list[Entry]) -> Iterator[Entry]:
        """Go through tasks, with the bar."""
        for entry in entries:
            self._bar.set_postfix_str(f"{entry.part}, {entry.name}", refresh=False)
            yield entry
            self._bar.update()
