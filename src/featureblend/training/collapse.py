"""Collapse watch: detects equal outputs, a critic that has won, and vanishing or exploding gradients.

The paper's runs collapsed ("the output images being identical across all inputs", section 3) and nobody knew before
the pictures were looked at. Here each tick's line of the log is judged against those before it. What is judged:

- **diversity**: mean pairwise distance of the outputs over that of the inputs, on the validation batch; likewise
  of blends over pixel averages of their parents. 1 is as various as the input, 0 is one face for all.
- **discriminator margin**: mean logit of real pictures minus that of generated ones. At 30 a sigmoid of it is 1 to
  the last bit of float32, and the loss after that sigmoid has no gradient left.
- **gradient norms** of each phase, against their own median.

One bad line is a suspicion; three in a row are a collapse.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from ..metrics.variety import SMALL_SIDE, diversity
from .experiment import Experiment
from .state import RunFolder

ON_COLLAPSE = ("stop", "warn")
"""What a run may do when it collapses."""


@dataclass(frozen=True)
class Limits:
    """Thresholds of the signs of collapse."""

    patience: int = 3
    """Bad lines in a row that make a collapse."""
    settled: int = 2_000
    """Images after which diversity counts: every network begins with one picture for all inputs."""
    grace: int = 20_000
    """Images after which diversity must have risen at all."""
    least: float = 0.1
    """Diversity that must have been reached by then."""
    fall: float = 1 / 3
    """Share of its highest value that diversity must not fall below."""
    margin: float = 30.0
    """Largest margin of a critic whose logits are a probability's."""
    explosion: float = 100.0
    """Gradient norm over the median of all lines before; its inverse is taken for vanished."""
    large: float = 10.0
    """Gradient norm that an explosion reaches at least: a critic's first steps may start from next to nothing."""


LIMITS = Limits()
"""Those of every run."""


@torch.no_grad()
def diversities(pictures: Mapping[str, Tensor]) -> dict[str, float]:
    """Diversity of outputs relative to their inputs.

    Parameters
    ----------
    pictures : mapping of str to (N, 3, S, S) tensors
        As `Trainer.validate` gives: 'input', 'reconstruction', and 'blend with next' at equal weights.

    Returns
    -------
    dict
        ``diversity`` and ``blend_diversity``; empty for a single picture, or where all inputs are equal.

    Examples
    --------
    >>> faces = torch.rand(4, 3, 32, 32)
    >>> diversities({"input": faces, "reconstruction": 0.5 * faces + 0.1})
    {'diversity': 0.5}
    """
    rows = {name: _rows(images) for name, images in pictures.items()}
    inputs = rows.pop("input")
    if len(inputs) < 2 or not float((inputs - inputs[:1]).abs().max()) > 0:
        return {}
    found = {}
    if "reconstruction" in rows:
        found["diversity"] = _ratio(rows["reconstruction"], inputs)
    if "blend with next" in rows and len(inputs) > 2:  # with two faces both blends are one picture
        found["blend_diversity"] = _ratio(rows["blend with next"], (inputs + inputs.roll(-1, 0)) / 2)
    return found


def _rows(images: Tensor) -> Tensor:
    side = min(SMALL_SIDE, images.shape[-1])
    return functional.adaptive_avg_pool2d(images.float(), side).flatten(1).cpu()


def _ratio(outputs: Tensor, inputs: Tensor) -> float:
    return round(diversity(outputs.numpy(), inputs.numpy()), 4)


def margin(line: Mapping[str, Any]) -> float | None:
    """Mean logit of real pictures minus that of generated ones in a line of the log; None without a critic.

    Examples
    --------
    >>> margin({"real_logit": 2.0, "reconstruction_logit": -1.0, "blend_logit": -3.0})
    4.0
    """
    made = [line[name] for name in ("reconstruction_logit", "blend_logit") if name in line]
    return line["real_logit"] - sum(made) / len(made) if made and "real_logit" in line else None


@dataclass
class CollapseWatch:
    """Judges a run's log line by line.

    Parameters
    ----------
    adversarial : str
        The experiment's kind of adversarial loss.
    limits : Limits

    Examples
    --------
    >>> watch = CollapseWatch("bce")
    >>> [watch.look({"images": 3_000 + tick, "diversity": value}) for tick, value in enumerate([0.9, 0.9, 0.1, 0.1])]
    [[], [], [], []]
    >>> watch.look({"images": 3_100, "diversity": 0.1})
    ['outputs have become alike (diversity 0.100, it was 0.900)']
    """

    adversarial: str = "bce"
    limits: Limits = field(default_factory=Limits)
    peaks: dict[str, float] = field(default_factory=dict)
    norms: dict[str, list[float]] = field(default_factory=dict)
    strikes: dict[str, int] = field(default_factory=dict)

    def replay(self, history: Sequence[Mapping[str, Any]]) -> None:
        """Read the log of an earlier part of the run."""
        for line in history:
            self.look(line)

    @property
    def healthy(self) -> bool:
        """Whether the last line showed no sign of collapse."""
        return not self.strikes

    def look(self, line: Mapping[str, Any]) -> list[str]:
        """Judge a line of the log; give each sign of collapse, in words, that has lasted long enough."""
        found = {**self._diversity(line), **self._margin(line), **self._gradients(line)}
        self.strikes = {name: self.strikes.get(name, 0) + 1 for name in found}
        return [words for name, words in found.items() if name in self.lasting]

    @property
    def lasting(self) -> set[str]:
        """Names of the signs that have lasted long enough."""
        return {name for name, count in self.strikes.items() if count >= self.limits.patience}

    def _diversity(self, line: Mapping[str, Any]) -> dict[str, str]:
        limits, found = self.limits, {}
        for name, what in (("diversity", "outputs"), ("blend_diversity", "blends")):
            if name not in line or line["images"] < limits.settled:
                continue
            value = line[name]
            peak = self.peaks[name] = max(value, self.peaks.get(name, 0.0))
            if peak >= limits.least and value < limits.fall * peak:
                found[name] = f"{what} have become alike ({name} {value:.3f}, it was {peak:.3f})"
            elif peak < limits.least and line["images"] >= limits.grace:
                found[name] = f"{what} are all alike ({name} {value:.3f})"
        return found

    def _margin(self, line: Mapping[str, Any]) -> dict[str, str]:
        value = margin(line)
        if value is None or not self.adversarial.startswith("bce") or value < self.limits.margin:
            return {}
        return {"margin": f"the discriminator has won (its margin is {value:.1f}): it teaches nothing any more"}

    def _gradients(self, line: Mapping[str, Any]) -> dict[str, str]:
        found = {}
        for name, value in line.items():
            # Before its ramp the adversary gives no gradient, and what it adds then is no sign.
            if not name.startswith("gradient_") or name == "gradient_penalty" or line.get("ramp", 1.0) < 1:
                continue
            before = self.norms.setdefault(name, [])
            usual = statistics.median(before) if len(before) >= 5 else None
            phase = name.removeprefix("gradient_")
            if usual and value > max(self.limits.explosion * usual, self.limits.large):
                found[name] = f"the gradient of {phase!r} explodes (norm {value:.3g}, usually {usual:.3g})"
            elif usual and value < usual / self.limits.explosion:
                found[name] = f"the gradient of {phase!r} has vanished (norm {value:.3g}, usually {usual:.3g})"
            else:
                before.append(value)
        return found


class CollapseGuard:
    """Watches a run's log, keeps its last good checkpoint, and says when to stop.

    Parameters
    ----------
    folder : RunFolder
        What is in its log already counts.
    experiment : Experiment
    on_collapse : {'stop', 'warn'}
    limits : Limits, optional
    """

    def __init__(
        self, folder: RunFolder, experiment: Experiment, on_collapse: str = "stop", limits: Limits | None = None
    ) -> None:
        self.folder, self.on_collapse = folder, on_collapse
        self.watch = CollapseWatch(experiment.adversarial, limits or LIMITS)
        self.watch.replay(folder.history())
        self.told = self.watch.lasting if on_collapse == "warn" else set()
        self.images = 0
        self.signs: list[str] = []
        self.stops = False
        """Whether the run should end now."""

    def look(self, line: Mapping[str, Any]) -> None:
        """Judge a line of the log; warn, or decide to stop."""
        self.images, self.signs = line["images"], self.watch.look(line)
        new = self.watch.lasting - self.told
        self.told |= new
        self.stops = bool(self.signs) and self.on_collapse == "stop"
        if new:
            self.folder.note_collapse(self.images, self.signs)
        if new and not self.stops:
            tqdm.write(f"featureblend: {self._found()}; going on", file=sys.stderr)

    def saved(self, images: int) -> None:
        """Keep the checkpoint just saved as the last good one, if there is no sign of collapse."""
        if self.watch.healthy:
            self.folder.keep_good(images)

    @property
    def message(self) -> str:
        """What was noticed, what is kept, and what to do; empty if nothing was noticed."""
        if not self.signs:
            return ""
        good = self.folder.good_images()
        kept = (
            f"the last good checkpoint, after {good:,} images, is kept: start anew with --init {self.folder.good}"
            if good is not None
            else "no good checkpoint came before it"
        )
        return f"{self._found()}; {kept}, or go on all the same with --resume --on-collapse warn"

    def _found(self) -> str:
        return f"training collapsed at {self.images:,} images: {'; '.join(self.signs)}"
