"""A run on disk: its experiment, its checkpoint, its log, its pictures.

runs/NAME/experiment.json    what is trained, resolved
runs/NAME/data.json          which prepared faces, and their hash
runs/NAME/checkpoint.pt      everything that resuming needs, plain tensors and numbers
runs/NAME/metrics.jsonl      a line a tick
runs/NAME/samples/           grids: input, reconstruction, blends
runs/NAME/curves.png         every logged number over images seen
runs/NAME/last-good/         a run folder with the last checkpoint before any sign of collapse
runs/NAME/collapse.json      when training collapsed and what was seen, if it did
"""

from __future__ import annotations

import io
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from ..errors import FeatureblendError
from ..io.files import atomic_path, make_folder, parse_json, write_json, writing
from ..io.settings import to_dict
from .experiment import Experiment, read_experiment

STATE = frozenset({"networks", "optimisers", "ema", "clock", "data"})
"""What every checkpoint holds."""
GOOD_FACTS = "good.json"
"""Beside the last good checkpoint: how many images came before it."""


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
        self.data_file = self.path / "data.json"
        self.metrics = self.path / "metrics.jsonl"
        self.samples = self.path / "samples"
        self.good = self.path / "last-good"
        self.collapse_file = self.path / "collapse.json"

    def check(self, experiment: Experiment, resume: bool) -> None:
        """Check that this experiment can be trained in this folder, without writing.

        Raises
        ------
        FeatureblendError
            If a run is there and `resume` is not set, or it was another experiment.
        """
        if not self.checkpoint.exists():
            return
        if not resume:
            raise FeatureblendError(
                f"{self.path} holds a run already: add --resume to go on with it, or name another folder"
            )
        # A preset may be described anew; what it does must be the same.
        before = replace(self.experiment(), description=experiment.description)
        if before != experiment:
            changed = [name for name in vars(experiment) if getattr(before, name) != getattr(experiment, name)]
            raise FeatureblendError(
                f"{self.path} was begun with another {', '.join(changed)}: resume with the same settings, "
                "or start a new run with --init"
            )

    def begin(self, experiment: Experiment, step: int = 0) -> None:
        """Create the folder, write the experiment, and drop log lines of steps after this one.

        Raises
        ------
        FeatureblendError
            If the folder cannot be made.
        """
        make_folder(self.samples)
        write_json(self.experiment_file, to_dict(experiment))
        self._trim_log(step)

    def experiment(self) -> Experiment:
        """Read the run's experiment.

        Raises
        ------
        FeatureblendError
            If the folder holds no run.
        """
        try:
            values = parse_json(self.experiment_file.read_text())
        except FileNotFoundError as error:
            raise FeatureblendError(f"{self.path} is no run folder: {self.experiment_file.name} is missing") from error
        except ValueError as error:
            raise FeatureblendError(f"cannot read {self.experiment_file}: not JSON ({error})") from error
        return read_experiment(values, str(self.experiment_file))

    def note_data(self, path: str | os.PathLike[str], identity: str) -> None:
        """Record the prepared faces that are trained on, so that `export` finds them."""
        write_json(self.data_file, {"path": str(Path(path).absolute()), "sha256": identity})

    def data_path(self) -> Path:
        """The prepared faces that the run was trained on.

        Raises
        ------
        FeatureblendError
            If the folder holds no run, or the run does not know them.
        """
        self.experiment()
        try:
            return Path(parse_json(self.data_file.read_text())["path"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise FeatureblendError(
                f"{self.path} does not say which faces it was trained on: name them with --data"
            ) from error

    def save(self, state: dict[str, Any]) -> None:
        """Write the checkpoint whole or not at all.

        Raises
        ------
        FeatureblendError
            If it can't be written, say because the disk is full.
        """
        packed = io.BytesIO()  # torch's own writer tells of a full disk in words that are no help
        torch.save(state, packed)
        with atomic_path(self.checkpoint) as path, writing(self.checkpoint):
            path.write_bytes(packed.getbuffer())

    def keep_good(self, images: int) -> None:
        """Keep the checkpoint as the last good one: later ones do not overwrite it, `--init` and `export` take it."""
        good = RunFolder(self.good)
        self.good.mkdir(exist_ok=True)
        for own, kept in ((self.experiment_file, good.experiment_file), (self.data_file, good.data_file)):
            if own.exists():
                with atomic_path(kept) as path:
                    shutil.copyfile(own, path)
        with atomic_path(good.checkpoint) as path:
            path.unlink(missing_ok=True)
            try:
                os.link(self.checkpoint, path)  # a checkpoint is replaced, never written into
            except OSError:  # a file system without links
                shutil.copyfile(self.checkpoint, path)
        write_json(self.good / GOOD_FACTS, {"images": images})

    def good_images(self) -> int | None:
        """Images seen before the last good checkpoint; None if there is none."""
        try:
            return int(parse_json((self.good / GOOD_FACTS).read_text())["images"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def note_collapse(self, images: int, signs: list[str]) -> None:
        """Record when training collapsed, the signs, and the last good checkpoint."""
        write_json(self.collapse_file, {"images": images, "signs": signs, "last_good": self.good_images()})

    def load(self) -> dict[str, Any]:
        """Read the checkpoint to the CPU.

        Optimisers move what they need to the device themselves, and must find their step counts on the
        CPU: on a GPU every step would wait for each of them.

        Raises
        ------
        FeatureblendError
            If it is missing or damaged.
        """
        if not self.checkpoint.is_file():
            raise FeatureblendError(f"{self.path} holds no checkpoint: nothing was trained there yet")
        try:
            # weights_only: a checkpoint is numbers; code hidden in one must not run.
            state = torch.load(self.checkpoint, map_location="cpu", weights_only=True)
        except Exception as error:  # torch raises many kinds for a damaged file
            raise FeatureblendError(f"cannot read {self.checkpoint}: damaged ({type(error).__name__})") from error
        if not isinstance(state, dict) or not STATE.issubset(state):
            raise FeatureblendError(f"cannot read {self.checkpoint}: featureblend did not write it")
        return state

    def log(self, line: dict[str, Any]) -> None:
        """Append a line to the log."""
        with open(self.metrics, "a") as stream:
            stream.write(json.dumps(line) + "\n")

    def history(self) -> list[dict[str, Any]]:
        """Read the log; empty before the first tick."""
        lines = []
        for line in self.metrics.read_text().splitlines() if self.metrics.exists() else []:
            try:
                lines.append(parse_json(line))
            except ValueError:  # a killed process may leave half a line
                continue
        return lines

    def _trim_log(self, step: int) -> None:
        # Lines later than the checkpoint are written again by the resumed run.
        kept = [line for line in self.history() if line["step"] <= step]
        with atomic_path(self.metrics) as path:
            path.write_text("".join(json.dumps(line) + "\n" for line in kept))
