"""A recipe followed: its stages trained one after the other, each from the one before, and the last exported."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from ..errors import FeatureblendError
from .export import averaged, export_model
from .loop import train
from .presets.recipes import Recipe, Stage
from .state import RunFolder
from .streaming import read_faces

MODEL = "model"
"""Folder, in the recipe's, of the finished model."""


def follow(
    recipe: Recipe,
    data: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    minutes: float | None = None,
    resume: bool = False,
    quiet: bool = False,
    on_collapse: str = "stop",
    stream: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> Path:
    """Train the stages of a recipe, or go on with them, until the model is there or the slice of time is over.

    Parameters
    ----------
    recipe : Recipe
    data : path-like
        The folder of prepared faces that holds the recipe's shards; a single file where it names none.
    folder : path-like
        Of the stages' run folders, and of the model in the end.
    minutes : float, optional
        End cleanly after so much wall time (one step is done in any case); `resume` goes on later.
    resume : bool
        Go on with what is in the folder; where there is nothing, begin.
    quiet : bool
        Show no progress bars.
    on_collapse : {'stop', 'warn'}
        As `featureblend.training.loop.train`.
    stream : bool
        Read faces from the shards as they are needed, in place of holding all in memory.
    say : callable
        Called with a line a stage.

    Returns
    -------
    Path
        The model folder, or where time was over the folder of the stage that goes on.

    Raises
    ------
    FeatureblendError
        As `train`; if a shard is missing; or if stages are in the folder and `resume` is not set.
    """
    end = None if minutes is None else time.monotonic() + 60 * minutes
    folder, before, trained = Path(folder), None, False
    runs = {stage.name: RunFolder(folder / stage.name) for stage in recipe.stages}
    if not resume and any(run.checkpoint.exists() for run in runs.values()):
        raise FeatureblendError(f"{folder} holds a run already: add --resume to go on with it, or name another folder")
    shards = {shard: _shard(data, shard) for shard in {recipe.photos, *(stage.shard for stage in recipe.stages)}}
    for stage in recipe.stages:
        run = runs[stage.name]
        if not _finished(run, stage):
            left = None if end is None else max(0.0, (end - time.monotonic()) / 60)
            if left == 0 and trained:
                return run.path
            say(f"{stage.name}: {stage.images:,} images, from {'scratch' if before is None else before.name}")
            train(
                stage.experiment,
                read_faces(shards[stage.shard], stream),
                run.path,
                minutes=left,
                resume=True,
                init=before,
                until=stage.images,
                data=shards[stage.shard],
                quiet=quiet,
                on_collapse=on_collapse,
            )
            if not _finished(run, stage):
                return run.path
            trained = True
        before = _mean(run, runs[stage.mean_with]) if stage.mean_with else run.path
    assert before is not None
    made = folder / MODEL
    export_model(
        before,
        made,
        read_faces(shards[recipe.photos], stream),
        name=recipe.name,
        data=recipe.data,
        recipe=recipe.name,
    )
    return made


def _shard(data: str | os.PathLike[str], name: str) -> Path:
    path = Path(data) / name if name else Path(data)
    if not path.exists():
        raise FeatureblendError(f"no such prepared faces: {path}; the recipe learns from this file by its name")
    return path


def _finished(run: RunFolder, stage: Stage) -> bool:
    if not run.checkpoint.exists():
        return False
    return int(run.load()["clock"]["step"]) * stage.experiment.batch_size >= stage.images


def _mean(run: RunFolder, other: RunFolder) -> Path:
    """A run folder with the mean of two runs' weights, and no critic: it was of neither mean."""
    mean = RunFolder(run.path.with_name(f"{run.path.name}-mean"))
    mean.begin(run.experiment())
    mean.save({**run.load(), "ema": averaged(run.load()["ema"], other, run), "networks": {}, "optimisers": {}})
    return mean.path
