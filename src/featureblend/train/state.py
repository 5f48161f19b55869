"""A run on disk: its experiment, its checkpoint, its log, its pictures.

runs/NAME/experiment.json    what is trained, resolved
runs/NAME/checkpoint.pt      everything that resuming needs, plain tensors and numbers
runs/NAME/metrics.jsonl      a line a tick
runs/NAME/samples/           grids: input, reconstruction, blends
runs/NAME/curves.png         every logged number over images seen
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import torch

from ..config import Experiment, from_dict, to_dict
from ..errors import FeatureblendError
from ..files import atomic_path

__all__ = ["RunFolder"]


class RunFolder:
    """Reads and writes a run's files.

    Parameters
    ----------
    path : path-like
        The folder; made when a run begins.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.checkpoint = self.path / "checkpoint.pt"
        self.experiment_file = self.path / "experiment.json"
        self.metrics = self.path / "metrics.jsonl"
        self.samples = self.path / "samples"

    def begin(self, experiment: Experiment, resume: bool) -> None:
        """Make the folder, or check that the run in it may go on with this experiment.

        Raises
        ------
        FeatureblendError
            If a run is there and `resume` is not set, or it was another experiment.
        """
        if self.checkpoint.exists():
            if not resume:
                raise FeatureblendError(
                    f"{self.path} holds a run already: add --resume to go on with it, or name another folder"
                )
            before = self.experiment()
            if before != experiment:
                changed = [name for name in vars(experiment) if getattr(before, name) != getattr(experiment, name)]
                raise FeatureblendError(
                    f"{self.path} was begun with another {', '.join(changed)}: resume with the same settings, "
                    "or start a new run with --init"
                )
        try:
            self.samples.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FeatureblendError(f"cannot write to {self.path}: {error.strerror or error}") from error
        with atomic_path(self.experiment_file) as path:
            path.write_text(json.dumps(to_dict(experiment), indent=2) + "\n")

    def experiment(self) -> Experiment:
        """Read what the run trains.

        Raises
        ------
        FeatureblendError
            If the folder holds no run.
        """
        try:
            values = json.loads(self.experiment_file.read_text())
        except FileNotFoundError as error:
            raise FeatureblendError(f"{self.path} is no run folder: {self.experiment_file.name} is missing") from error
        except ValueError as error:
            raise FeatureblendError(f"cannot read {self.experiment_file}: not JSON ({error})") from error
        return from_dict(Experiment, values, str(self.experiment_file))

    def save(self, state: dict[str, Any]) -> None:
        """Write the checkpoint whole or not at all."""
        with atomic_path(self.checkpoint) as path:
            torch.save(state, path)

    def load(self, device: torch.device | str = "cpu") -> dict[str, Any]:
        """Read the checkpoint.

        Raises
        ------
        FeatureblendError
            If it is missing or damaged.
        """
        if not self.checkpoint.is_file():
            raise FeatureblendError(f"{self.path} holds no checkpoint: train first, without --resume")
        try:
            # weights_only: a checkpoint is numbers; code hidden in one must not run.
            return torch.load(self.checkpoint, map_location=device, weights_only=True)
        except Exception as error:  # torch raises many kinds for a damaged file
            raise FeatureblendError(f"cannot read {self.checkpoint}: damaged ({type(error).__name__})") from error

    def log(self, line: dict[str, Any]) -> None:
        """Append a line to the log."""
        with open(self.metrics, "a") as stream:
            stream.write(json.dumps(line) + "\n")

    def history(self) -> list[dict[str, Any]]:
        """Read the log; empty before the first tick."""
        if not self.metrics.exists():
            return []
        return [json.loads(line) for line in self.metrics.read_text().splitlines()]

    def trim_log(self, step: int) -> None:
        """Drop lines later than the checkpoint: a resumed run writes them again."""
        kept = [line for line in self.history() if line["step"] <= step]
        with atomic_path(self.metrics) as path:
            path.write_text("".join(json.dumps(line) + "\n" for line in kept))
