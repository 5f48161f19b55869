"""The training loop: ticks, slices of wall time, checkpoints, and a clean end whoever asks for it."""

from __future__ import annotations

import math
import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from ..errors import FeatureblendError, TrainingBrokeDown
from ..io.progress import Progress
from .collapse import ON_COLLAPSE, CollapseGuard, diversities, margin
from .dataset import FaceTriplets
from .experiment import Experiment
from .machine import keep_freed_memory
from .report import draw_curves, draw_samples
from .starting import read_start
from .state import RunFolder
from .streaming import Faces
from .trainer import Trainer, adversarial_ramp

TICK_SECONDS = 15.0
"""How often the log gets a line; only then does the host wait for the device."""
SCORING = 0.05
"""Share of the time that scoring for the log may take; where it takes more, lines are rarer."""
SAVE_SECONDS = 240.0
"""How often a checkpoint is written."""
AGREE_SECONDS = 0.5
"""How often several processes ask the first one whether to go on."""

Watch = Callable[[dict[str, Any], dict[str, Tensor]], None]
"""What is told of each line of the log, and of the pictures that it scores."""


def train(
    experiment: Experiment,
    faces: Faces,
    run: str | os.PathLike[str],
    *,
    triplets: FaceTriplets | None = None,
    generator: str | os.PathLike[str] | None = None,
    minutes: float | None = None,
    until: int | None = None,
    resume: bool = False,
    init: str | os.PathLike[str] | None = None,
    data: str | os.PathLike[str] | None = None,
    quiet: bool = False,
    tick_seconds: float | None = None,
    watch: Watch | None = None,
    on_collapse: str = "stop",
) -> Path:
    """Train an experiment, or go on with it, until it is complete or the slice of time is over.

    Parameters
    ----------
    experiment : Experiment
    faces : FaceSet or StreamedFaces
    run : path-like
        The run folder.
    triplets : FaceTriplets, optional
        What the phase 'teach' learns from.
    generator : path-like, optional
        A traced generator that it learns from instead (see `Trainer`).
    minutes : float, optional
        End cleanly after so much wall time (one step is done in any case); `resume` goes on later.
    until : int, optional
        End cleanly after so many images, where the experiment has more; `resume` goes on later.
    resume : bool
        Go on with the run in that folder; where there is none, begin one.
    init : path-like, optional
        A run folder, a model folder or the name of a bundled model, whose fitting weights a new run starts from.
    data : path-like, optional
        Where `faces` came from; noted in the run folder, so that `export` finds them.
    quiet : bool
        Show no progress bar.
    tick_seconds : float, optional
        How often the log gets a line; by default `TICK_SECONDS`, or less often where scoring is slow. 0 or less for
        a line a step.
    watch : callable, optional
        Gets each line of the log, as it is written, and the pictures that it scores; in place of the run's own
        drawings, which short slices would have no time for.
    on_collapse : {'stop', 'warn'}
        What to do when training collapses (see `featureblend.training.collapse`): end with an error, or say so and go
        on. The last good checkpoint is kept either way, in the run's folder ``last-good``.

    Returns
    -------
    Path
        The run folder.

    Raises
    ------
    FeatureblendError
        If the experiment contradicts itself, the folder holds another run, a loss is no longer a number, or training
        collapses.
    KeyboardInterrupt
        On Ctrl-C, after the step in progress and a checkpoint; a second Ctrl-C ends at once.
    """
    begin = time.monotonic()
    if on_collapse not in ON_COLLAPSE:
        raise FeatureblendError(f"on_collapse is {on_collapse!r}: use one of {', '.join(ON_COLLAPSE)}")
    keep_freed_memory()
    folder = RunFolder(run)
    folder.check(experiment, resume)
    trainer = Trainer(experiment, faces, triplets, generator)
    if folder.checkpoint.exists():
        trainer.restore(folder.load())
    elif init is not None:
        trainer.start_from(read_start(init), Path(init).name)
    trainer.agree(folder.path)
    if trainer.precision != experiment.precision and trainer.accelerator.is_main_process and not quiet:
        tqdm.write(f"this machine only emulates {experiment.precision}: computing in {trainer.precision}", sys.stderr)
    if trainer.accelerator.is_main_process and (warning := faces.split_warning):
        tqdm.write(f"featureblend: warning: {warning}", sys.stderr)
    if trainer.accelerator.is_main_process:  # nothing is written before all that can be refused was
        folder.begin(experiment, trainer.clock.step)
        if data is not None:
            folder.note_data(data, faces.identity)
    deadline = math.inf if minutes is None else begin + 60 * minutes
    with _asked_to_stop() as asked:
        due = experiment.images if until is None else min(until, experiment.images)
        pace = _Pace(trainer, due, deadline, asked, TICK_SECONDS if tick_seconds is None else tick_seconds)
        guard = CollapseGuard(folder, experiment, on_collapse)
        _loop(trainer, folder, pace, guard, quiet, watch)
        if asked():
            raise KeyboardInterrupt(
                f"stopped after {trainer.images_seen:,} images and saved in {folder.path}: go on with --resume"
            )
    return folder.path


@contextmanager
def _asked_to_stop() -> Iterator[Callable[[], bool]]:
    """Turn the first Ctrl-C or `kill` into a question asked between steps: half a step must not reach a checkpoint."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():  # Python gives signals to no other thread
        yield asked.is_set
        return

    def handle(number: int, frame: Any) -> None:
        asked.set()
        restore()

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    # What ends jobs on a cluster is SIGTERM.
    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked.is_set
    finally:
        restore()


class _Pace:
    """Says when a tick is due and when to stop, in one voice for all processes."""

    def __init__(
        self, trainer: Trainer, images: int, deadline: float, asked: Callable[[], bool], tick_seconds: float
    ) -> None:
        self.trainer, self.images, self.deadline = trainer, images, deadline
        self.asked, self.tick_seconds = asked, tick_seconds
        self.ticked = self.saved = self.stepped = time.monotonic()
        self.slowest = 0.0  # step since the last tick
        self.agree_at = 0  # step at which processes next talk
        self.measured = False  # whether this session knows how long closing takes
        self.scored, self.scoring = 0.0, 0.0  # processor's time at the last scoring's end, and what that took

    @property
    def done(self) -> bool:
        """Whether as many images have been seen as are due in this session."""
        return self.trainer.images_seen >= self.images

    def ask(self) -> tuple[bool, bool]:
        """Whether the run or its slice is over, and whether a tick is due; once after every step."""
        trainer, now = self.trainer, time.monotonic()
        self.slowest = max(self.slowest, now - self.stepped)
        self.stepped = now
        # Between two agreements nobody can stop, so that a slice must leave room for all steps up to the next.
        wait = 1 if trainer.world == 1 else max(1, round(AGREE_SECONDS / max(self.slowest, 1e-4)))
        out_of_time = now + wait * self.slowest + trainer.clock.closing > self.deadline
        # By the processor's clock: on a busy machine a slow first scoring would put the second off for hours.
        worked = self.tick_seconds <= 0 or time.process_time() - self.scored > self.scoring / SCORING
        due = (now - self.ticked > self.tick_seconds and worked) or trainer.clock.step == 1
        if trainer.world > 1 and not self.done:
            if trainer.clock.step < self.agree_at:
                return False, False
            main = float(trainer.accelerator.is_main_process)
            mine = torch.tensor([main * out_of_time + self.asked(), main * due, main * wait], device=trainer.device)
            said = trainer.accelerator.reduce(mine, "sum").tolist()
            out_of_time, due = said[0] > 0, said[1] > 0
            self.agree_at = trainer.clock.step + int(said[2])
        over = self.done or out_of_time or self.asked()
        return over, due or over

    def went_on(self, closed_since: float | None) -> None:
        """Note the end of a tick, and how long it took where it began at `closed_since` and saved."""
        now = time.monotonic()
        if closed_since is not None:
            clock, took = self.trainer.clock, now - closed_since
            # What another machine noted counts only until this one has been measured.
            clock.closing = max(clock.closing, took) if self.measured else took
            self.measured, self.saved = True, now
        self.ticked = self.stepped = now
        self.slowest = 0.0


class _Sums:
    """Adds up what steps report, on the device, so that no step waits for it."""

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer
        self.values: dict[str, Tensor] = {}
        self.counts: Counter[str] = Counter()

    def add(self, numbers: dict[str, Tensor]) -> None:
        for name, value in numbers.items():
            value = value.float()
            self.values[name] = self.values[name] + value if name in self.values else value
            self.counts[name] += 1

    def means(self) -> dict[str, float]:
        """Each number's mean over the steps that reported it, over all processes; counting starts anew."""
        if not self.values:
            return {}
        stacked = torch.stack([value.to(self.trainer.device) for value in self.values.values()])
        if self.trainer.world > 1:
            stacked = self.trainer.accelerator.reduce(stacked, "mean")
        means = {name: total / self.counts[name] for name, total in zip(self.values, stacked.tolist(), strict=True)}
        self.values.clear()
        self.counts.clear()
        return means


def _loop(
    trainer: Trainer, folder: RunFolder, pace: _Pace, guard: CollapseGuard, quiet: bool, watch: Watch | None
) -> None:
    main = trainer.accelerator.is_main_process
    sums, ticked = _Sums(trainer), trainer.images_seen
    with Progress(
        total=trainer.experiment.images,
        initial=trainer.images_seen,
        desc=trainer.experiment.name,
        unit="image",
        unit_scale=True,
        disable=quiet or not main,
        smoothing=0.1,
        foretell=pace.deadline == math.inf,
    ) as bar:
        over = pace.done
        while not over:
            sums.add(trainer.step())
            bar.update(trainer.experiment.batch_size)
            over, due = pace.ask()
            if not due:
                continue
            means = sums.means()  # waits for the device, so the clock is read after it
            now = time.monotonic()
            trainer.clock.seconds += now - pace.ticked
            speed = (trainer.images_seen - ticked) / max(now - pace.ticked, 1e-9)
            ticked = trainer.images_seen
            _finite(trainer, means)
            saves = over or now - pace.saved > SAVE_SECONDS or trainer.clock.step == 1
            if main:
                begin = time.process_time()
                line, pictures, halfway = _line(trainer, means, speed)
                pace.scored = time.process_time()
                pace.scoring = pace.scored - begin
                folder.log(line)
                guard.look(line)
                saves = saves or guard.stops
                loss = line.get("l1", line.get("mse", 0.0))
                bar.set_postfix(psnr=f"{line['validation_psnr']:.1f}", loss=f"{loss:.3f}")
                if saves:
                    folder.save(trainer.state())
                    guard.saved(trainer.images_seen)
                if watch is not None:
                    watch(line, pictures | halfway)
                elif saves:
                    draw_samples(pictures, folder.samples / f"{trainer.images_seen:09d}.jpg")
                    if halfway:
                        draw_samples(halfway, folder.samples / f"{trainer.images_seen:09d}-halfway.jpg")
                    draw_curves(folder.history(), folder.path / "curves.png")
            pace.went_on(now if saves else None)
            _end_if_collapsed(trainer, guard)


def _line(
    trainer: Trainer, means: dict[str, float], speed: float
) -> tuple[dict[str, Any], dict[str, Tensor], dict[str, Tensor]]:
    """The log's line: means since the last one, the validation scores, the speed; and the pictures scored."""
    scores, pictures = trainer.validate()
    taught, halfway = trainer.validate_triplets()
    scores |= taught
    _finite(trainer, scores)
    line = {
        "step": trainer.clock.step,
        "images": trainer.images_seen,
        "seconds": round(trainer.clock.seconds, 1),
        "images_per_second": round(speed, 2),
        "ramp": adversarial_ramp(trainer.images_seen, trainer.experiment),
        **{name: float(f"{value:.6g}") for name, value in means.items()},
        **{name: round(value, 4) for name, value in scores.items()},
        **diversities(pictures),
    }
    apart = margin(line)
    return (line if apart is None else {**line, "discriminator_margin": round(apart, 4)}), pictures, halfway


def _end_if_collapsed(trainer: Trainer, guard: CollapseGuard) -> None:
    """Raise what the first process found in all of them."""
    stops = torch.tensor(float(guard.stops), device=trainer.device)
    if trainer.world > 1:
        stops = trainer.accelerator.reduce(stops, "sum")
    if stops:
        raise FeatureblendError(guard.message or "training collapsed: the first process says how")


def _finite(trainer: Trainer, numbers: dict[str, float]) -> None:
    wrong = [name for name, value in numbers.items() if not math.isfinite(value)]
    if wrong:
        raise TrainingBrokeDown(
            f"training broke down at {trainer.images_seen} images: {', '.join(wrong)} is no longer a number; "
            "the last checkpoint is kept; try a smaller learning rate"
        )
