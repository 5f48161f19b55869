"""How long the runs of a reproduction take: the rate of each, measured here, and reckoned for a GPU."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from ..errors import FeatureblendError
from ..training.dataset import FaceSet
from ..training.experiment import Experiment
from ..training.machine import keep_freed_memory, wait_for
from ..training.profile import OperationCounter, flop_per_image
from ..training.state import RunFolder
from ..training.trainer import Trainer

LEAST_SECONDS, LEAST_STEPS = 2.0, 3
"""How long a run is timed, and how many steps at least."""

OPERATION_SECONDS, GPU_RATE = 24e-6, 2e13
"""What a GPU is reckoned with, the slower of the two: the host's time for an operation (a step of `modern` has 2,938
and took 70 ms on an H200, whatever its batch), and floating-point operations a second in layers of 8 to 32 channels, a
fiftieth of what large products reach."""


@dataclass(frozen=True)
class Planned:
    """A run of the plan."""

    name: str
    size: int
    """Side of its pictures in pixels."""
    padding: str
    """'same' where padding stands in for the paper's unpadded convolutions, 'paper' where it does not; '' for VGG."""
    seen: int
    """Images seen so far."""
    due: int
    """Images of the whole run."""
    rate: float
    """Images a second: on a CPU of one core's time, whatever else runs; on a GPU of the clock's."""
    gpu: float
    """Images a second reckoned for one run on an H100 or H200."""
    why_not: str = ""
    """Why it cannot be run here."""

    @property
    def hours(self) -> float:
        """Hours that the rest takes, of one core or of this machine's GPU."""
        return (self.due - self.seen) / self.rate / 3600 if self.rate else float("nan")

    @property
    def gpu_minutes(self) -> float:
        """Minutes that the whole run is reckoned to take on a GPU."""
        return self.due / self.gpu / 60 if self.gpu else float("nan")


def plan_runs(experiments: Mapping[str, Experiment], faces: FaceSet, runs: Path) -> list[Planned]:
    """Measure the rate of every run; nothing is saved.

    Parameters
    ----------
    experiments : mapping of str to Experiment
        In the order in which they are run.
    faces : FaceSet
    runs : Path
        Folder of the run folders.

    Returns
    -------
    list of Planned
    """
    keep_freed_memory()
    which = [np.flatnonzero(faces.splits == split)[:100] for split in ("train", "validation")]
    few = faces.chosen(np.concatenate(which))  # so that nothing is spent on scaling all of them
    rates: dict[str, tuple[float, float] | str] = {}
    for experiment in experiments.values():
        key = str(replace(experiment, seed=0))  # all seeds run alike
        if key not in rates:
            try:
                rates[key] = _rates(experiment, few)
            except FeatureblendError as error:
                rates[key] = str(error)
    return [
        _planned(name, experiment, rates[str(replace(experiment, seed=0))], runs / name)
        for name, experiment in experiments.items()
    ]


def _planned(name: str, experiment: Experiment, rates: tuple[float, float] | str, folder: Path) -> Planned:
    options = experiment.model_options
    padding = "" if options.get("encoder", "paper") != "paper" else str(options.get("padding", "paper"))
    history = RunFolder(folder).history()
    size, seen = int(options.get("image_size", 250)), history[-1]["images"] if history else 0
    here, gpu, why_not = (0.0, 0.0, rates) if isinstance(rates, str) else (*rates, "")
    return Planned(name, size, padding, seen, experiment.images, here, gpu, why_not)


def _rates(experiment: Experiment, faces: FaceSet) -> tuple[float, float]:
    # A Wasserstein run's first steps, of 99 updates each, are a small part of it.
    phases = tuple(replace(phase, first_times=0, first_steps=0) for phase in experiment.phases)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        trainer = Trainer(replace(experiment, phases=phases), faces)
        flop = flop_per_image(trainer)
        with OperationCounter() as counted:
            trainer.step()
        clock = time.perf_counter if trainer.device.type == "cuda" else time.process_time
        wait_for(trainer.device)
        begin, steps = clock(), 0
        while steps < LEAST_STEPS or clock() - begin < LEAST_SECONDS:
            trainer.step()
            wait_for(trainer.device)
            steps += 1
        rate = steps * experiment.batch_size / (clock() - begin)
    finally:
        torch.set_num_threads(threads)
    step = max(OPERATION_SECONDS * counted.operations, flop * experiment.batch_size / GPU_RATE)
    return rate, experiment.batch_size / step


def plan_table(plan: Iterable[Planned]) -> str:
    """Lay the plan out as a Markdown table, in its order, with the hours of all runs below.

    Examples
    --------
    >>> print(plan_table([Planned("paper-vae", 64, "same", 100_000, 550_000, 125.0, 2_000.0)]).splitlines()[2])
    | 1 | paper-vae | 64 px, padded | 100,000 of 550,000 | 125 | 1.0 | 5 |
    """
    plan = list(plan)
    cores = "one GPU" if torch.cuda.is_available() else "one core"
    heads = ("", "run", "pictures", "images", f"images/s, {cores}", f"hours left, {cores}", "minutes, H100 (reckoned)")
    lines = [heads, ("---",) * len(heads)]
    for place, run in enumerate(plan, 1):
        kind = f"{run.size} px" + (", padded" if run.padding == "same" else "")
        times = (f"not run: {run.why_not}", "–", "–")
        if not run.why_not:
            times = (f"{run.rate:.0f}", f"{run.hours:.1f}", f"{run.gpu_minutes:.0f}")
        lines.append((str(place), run.name, kind, f"{run.seen:,} of {run.due:,}", *times))
    table = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    able = [run for run in plan if not run.why_not]
    hours, minutes = sum(run.hours for run in able), sum(run.gpu_minutes for run in able)
    count = os.cpu_count() or 1
    here = f"{hours:.0f} hours" if torch.cuda.is_available() else f"{hours / count:.0f} hours on {count} cores"
    return (
        table
        + f"\nAll of it, one run a core: {here}; one after the other on an H100, reckoned: {minutes / 60:.1f} hours.\n"
    )
