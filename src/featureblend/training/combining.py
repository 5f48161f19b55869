"""Models made from two runs: the mean of their weights, or one with the other's cleaner."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import FeatureblendError
from ..io.settings import to_dict
from .experiment import Experiment
from .networks.modern import ModernConfig
from .state import RunFolder

__all__ = ["averaged", "run_name", "training_facts", "with_cleaner"]


def averaged(weights: dict[str, Tensor], other: RunFolder, folder: RunFolder) -> dict[str, Tensor]:
    """The mean of two runs' weights."""
    others = other.load()["ema"]
    if {name: value.shape for name, value in weights.items()} != {name: value.shape for name, value in others.items()}:
        raise FeatureblendError(f"{other.path} and {folder.path} hold networks of other sizes: they have no mean")
    # Counters (BatchNorm's) are whole numbers: they stay the run's own.
    return {name: torch.lerp(v, others[name], 0.5) if v.is_floating_point() else v for name, v in weights.items()}


def with_cleaner(
    weights: dict[str, Tensor], options: dict[str, Any], other: RunFolder, folder: RunFolder
) -> tuple[dict[str, Tensor], dict[str, Any], dict[str, Any]]:
    """Weights and options with the cleaner of another run, and the note for the model card."""
    experiment, state = other.experiment(), other.load()
    widths = experiment.model_options.get("cleaner_widths")
    if not widths:
        raise FeatureblendError(f"{other.path} holds no cleaner: name a run such as one of the preset modern-clean")
    if experiment.model != "modern" or folder.experiment().model != "modern":
        raise FeatureblendError(
            f"{folder.path} can't have the cleaner of {other.path}: only `modern` networks have one"
        )
    sizes = [ModernConfig(**one.model_options).image_size for one in (folder.experiment(), experiment)]
    if sizes[0] != sizes[1]:
        raise FeatureblendError(f"{folder.path} makes {sizes[0]} px, and {other.path} cleans {sizes[1]} px")
    # A run's own cleaner goes: only one undoes damage.
    kept = {name: value for name, value in weights.items() if not name.startswith("cleaner.")}
    taken = {name: value for name, value in state["ema"].items() if name.startswith("cleaner.")}
    facts = {"run": run_name(other.path), "experiment": to_dict(experiment), **training_facts(experiment, state)}
    return {**kept, **taken}, {**options, "cleaner_widths": widths}, {"cleaner": facts}


def run_name(run: str | os.PathLike[str] | None) -> str:
    """The name of a run's folder; empty for no run."""
    return "" if run is None else Path(run).resolve().name


def training_facts(experiment: Experiment, state: dict[str, Any]) -> dict[str, Any]:
    """Facts about a run for the model's settings and its card."""
    clock = state["clock"]
    return {
        "steps": clock["step"],
        "images_seen": clock["step"] * experiment.batch_size,
        "minutes": round(clock["seconds"] / 60, 1),
        "hardware": state.get("hardware", platform.machine()),
        "data_sha256": state["data"],
        "started_from": state.get("started_from", ""),
        "torch": state.get("torch", ""),
    }
