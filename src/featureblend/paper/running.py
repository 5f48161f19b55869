"""Training what a reproduction needs, each run in fair slices of the time there is, through the one training loop."""

from __future__ import annotations

import math
import os
import re
import signal
import time
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from contextlib import ExitStack
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import FeatureblendError, TrainingBrokeDown
from ..io.image import from_network, load_image, save_image
from ..io.processes import end_with_parent
from ..io.sheets import grid
from ..training.experiment import Experiment
from ..training.loop import train
from ..training.state import RunFolder
from .faces import Subjects

SLICE_MINUTES = 10.0
"""Longest slice of a run before the others get their turn."""

LEAST_SECONDS = 3.0
"""Shortest slice: in less time, a run only builds its networks and writes a checkpoint."""

GRACE_SECONDS = 30.0
"""Seconds for a worker to save after its parent was killed."""

SHOWN = 8
"""Held-out faces whose reconstructions are kept as a run goes on."""

KEPT = 12
"""So many times over a whole run, at even distances."""

TICKS = 25
"""About so many lines of the log a slice, so that loss curves have a shape."""


def train_all(
    experiments: Mapping[str, Experiment],
    subjects: Subjects,
    runs: Path,
    minutes: float | None = None,
    jobs: int = 1,
    quiet: bool = False,
    say: Callable[[str], None] = print,
    at_once: int | None = None,
    until: int | None = None,
) -> dict[str, str]:
    """Train every run that is not complete, or go on with it.

    Parameters
    ----------
    experiments : mapping of str to Experiment
        By the name of their folder.
    subjects : Subjects
    runs : Path
        Each run gets a folder in it.
    minutes : float, optional
        Wall time for all of them; by default until all are complete.
    jobs : int
        Runs at a time; with several, each is a process on one core, and shows no progress bar.
    quiet : bool
        Show no progress bar.
    say : callable
        Told which run goes on.
    at_once : int, optional
        Only the first so many runs that are not complete take turns; by default all of them.
    until : int, optional
        A run counts as complete after so many images, where it has more.

    Returns
    -------
    dict of str to str
        Runs whose loss stopped being a number, and what was said; the others went on.

    Raises
    ------
    FeatureblendError
        If a folder holds another run.
    KeyboardInterrupt
        On Ctrl-C, with everything saved.

    Notes
    -----
    What is left of the time is shared evenly among the runs that take turns, in slices of `SLICE_MINUTES` at most; time
    that a run does not need goes to the others in the next round.
    """
    for name, experiment in experiments.items():  # before any time is spent
        try:
            RunFolder(runs / name).check(experiment, resume=True)
        except FeatureblendError as error:
            raise FeatureblendError(
                f"{runs / name} was begun with other settings: remove that folder, or name another --out ({error})"
            ) from error
    deadline = math.inf if minutes is None else time.monotonic() + 60 * minutes
    broken: dict[str, str] = {}

    def waiting() -> list[str]:
        names = [name for name in experiments if name not in broken]
        return [name for name in names if not _complete(runs / name, experiments[name], until)][:at_once]

    with ExitStack() as stack:
        pool: Executor = _Here()
        if jobs > 1 and len(waiting()) > 1:
            # 'spawn': torch keeps threads that a forked copy would wait for.
            pool = ProcessPoolExecutor(jobs, get_context("spawn"), _start_worker, (subjects,))
            stack.callback(pool.shutdown, wait=True, cancel_futures=True)
        else:
            jobs = 1
            _start_here(subjects)
        try:
            while due := waiting():
                if not _round(pool, jobs, due, experiments, runs, deadline, until, broken, quiet or jobs > 1, say):
                    break
        except KeyboardInterrupt as stop:
            for worker in active_children():  # which end as the loop does: after the step, with a checkpoint
                os.kill(worker.pid or 0, signal.SIGINT)
            stop.args = (str(stop) or "stopped, all saved: the same command goes on",)
            raise
    return broken


def _round(
    pool: Executor,
    jobs: int,
    due: list[str],
    experiments: Mapping[str, Experiment],
    runs: Path,
    deadline: float,
    until: int | None,
    broken: dict[str, str],
    quiet: bool,
    say: Callable[[str], None],
) -> bool:
    """Run one slice of every run that is due; True if there is time for another round."""
    going: dict[Future[str], str] = {}
    left = list(due)
    while left or going:
        while left and len(going) < jobs:
            share = min(SLICE_MINUTES, (deadline - time.monotonic()) / 60 * jobs / (len(left) + len(going)))
            if 60 * share < LEAST_SECONDS:
                left.clear()
                break
            name = left.pop(0)
            say(f"{name}: {_seen(runs / name):,} of {experiments[name].images:,} images seen")
            going[pool.submit(_train_slice, name, experiments[name], runs, share, until, quiet)] = name
        if not going:
            return False
        for future in wait(going, return_when=FIRST_COMPLETED).done:
            name = going.pop(future)
            if trouble := future.result():
                broken[name] = trouble
    return deadline - time.monotonic() >= LEAST_SECONDS


class _Here(Executor):
    """Executor that runs each call at once, in this process."""

    def submit(self, call: Callable[..., Any], /, *words: Any, **options: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(call(*words, **options))
        return future


_SUBJECTS: list[Subjects] = []
"""What this process trains on: handed to each worker once, not with every slice."""


def _start_here(subjects: Subjects) -> None:
    _SUBJECTS[:] = [subjects]


def _start_worker(subjects: Subjects) -> None:
    torch.set_num_threads(1)  # one process a core already
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # between slices; the training loop listens
    end_with_parent(GRACE_SECONDS)  # the loop saves and ends
    _start_here(subjects)


def _train_slice(name: str, experiment: Experiment, runs: Path, share: float, until: int | None, quiet: bool) -> str:
    """Train for a number of minutes; return what went wrong if the run broke down."""
    try:
        train(
            experiment,
            _SUBJECTS[0].faces,
            runs / name,
            minutes=share,
            until=until,
            resume=True,
            data=_SUBJECTS[0].path,
            quiet=quiet,
            on_collapse="warn",  # a collapse is what some runs are there to show
            tick_seconds=60 * share / TICKS,
            watch=_Keeper(runs / name, min(until or experiment.images, experiment.images)),
        )
    except KeyboardInterrupt as stop:
        raise KeyboardInterrupt(f"stopped in {name}, all saved: the same command goes on") from stop
    except TrainingBrokeDown as error:
        return str(error)
    return ""


def _seen(folder: Path) -> int:
    history = RunFolder(folder).history()
    return history[-1]["images"] if history else 0


def _complete(folder: Path, experiment: Experiment, until: int | None) -> bool:
    # A checkpoint is written with the last line, but one that is lost with its disk must be trained again.
    return RunFolder(folder).checkpoint.exists() and _seen(folder) >= min(until or experiment.images, experiment.images)


class _Keeper:
    """Keeps the reconstructions of a few held-out faces, at even distances over a run."""

    def __init__(self, folder: Path, images: int) -> None:
        self.folder = folder / "progress"
        self.every = max(1, images // KEPT)
        kept = progress_pictures(folder)
        self.due = 0 if not kept else (max(kept) // self.every + 1) * self.every

    def __call__(self, line: Mapping[str, Any], pictures: Mapping[str, Tensor]) -> None:
        if line["images"] < self.due:
            return
        self.folder.mkdir(exist_ok=True)
        for name, kind in ((f"{line['images']:09d}", "reconstruction"), ("input", "input")):
            images = from_network(pictures[kind][:SHOWN].float().cpu().numpy())
            save_image(self.folder / f"{name}.png", grid(list(images), len(images), gap=0))
        self.due = (line["images"] // self.every + 1) * self.every


def progress_pictures(folder: Path) -> dict[int, np.ndarray]:
    """Read the reconstructions kept during a run.

    Parameters
    ----------
    folder : Path
        The run folder.

    Returns
    -------
    dict of int to (S, n * S, 3) uint8 array
        Rows of reconstructions by images seen, the earliest first; the inputs by -1.
    """
    found = {}
    for path in sorted((folder / "progress").glob("*.png")):
        if path.stem == "input":
            found[-1] = load_image(path)
        elif re.fullmatch(r"\d+", path.stem):
            found[int(path.stem)] = load_image(path)
    return dict(sorted(found.items()))
