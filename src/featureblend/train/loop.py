"""The training loop: phases as data, ticks, averaged weights, slices of wall time.

The loop knows nothing of any loss: a step goes through the experiment's phases, and each names an
objective and the network that learns from it. Randomness is fixed by seed and step, so that a run
stopped and resumed on a CPU ends with the same bits as one that was never stopped.
"""

from __future__ import annotations

import math
import os
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from ..config import Experiment
from ..data import FaceSet
from ..errors import FeatureblendError
from ..models import AUTOENCODERS, DISCRIMINATORS, build, channels_last
from .batches import FaceBatches
from .machine import keep_freed_memory
from .objective import OBJECTIVES, Material, Networks
from .report import draw_curves, draw_samples
from .schedule import adversarial_ramp, learning_rate_factor
from .state import RunFolder

__all__ = ["Trainer", "train"]

TICK_SECONDS = 15.0
"""How often the log gets a line; only then does the host wait for the device."""
SAVE_SECONDS = 240.0
"""How often a checkpoint is written."""


@dataclass
class Clock:
    """Where a run stands."""

    step: int = 0
    seconds: float = 0.0


class Trainer:
    """One run: the networks, their optimisers, the averaged weights, and the step.

    Parameters
    ----------
    experiment : Experiment
    faces : FaceSet
        All splits; 'train' is trained on, 'validation' is shown and scored.
    """

    def __init__(self, experiment: Experiment, faces: FaceSet) -> None:
        from accelerate import Accelerator

        if os.environ.get("ACCELERATE_MIXED_PRECISION"):  # a user's `accelerate config` must not decide it
            del os.environ["ACCELERATE_MIXED_PRECISION"]
        self.experiment = experiment
        self.accelerator = Accelerator(mixed_precision="no")
        self.device = self.accelerator.device
        torch.manual_seed(experiment.seed)  # the same first weights in every process
        self.networks = self._build()
        self.optimisers = self._optimisers()
        self.ema = build(AUTOENCODERS, experiment.model, experiment.model_options).to(self.device).eval()
        self.ema.load_state_dict(self.networks.autoencoder.state_dict())
        self.ema.requires_grad_(False)
        self.clock = Clock()
        size = self.networks.autoencoder.image_size
        self.batches = FaceBatches(
            faces.split("train"),
            size,
            experiment.batch_size,
            self.device,
            shift=experiment.shift,
            mirror=experiment.mirror,
            seed=experiment.seed,
            rank=self.accelerator.process_index,
            world=self.accelerator.num_processes,
        )
        held_out = faces.split("validation")
        shown = held_out if len(held_out) >= 2 else faces.split("train")
        # One random step of a second set, unshifted: the same faces at every tick.
        self.validation = FaceBatches(
            shown, size, min(32, len(shown)), self.device, shift=0, mirror=False, seed=1
        ).batch(0)
        self.data_identity = faces.identity

    def _build(self) -> Networks:
        experiment = self.experiment
        model = build(AUTOENCODERS, experiment.model, experiment.model_options)
        critic = None
        if any(phase.learner == "discriminator" for phase in experiment.phases):
            critic = build(DISCRIMINATORS, experiment.discriminator, experiment.discriminator_options)
            critic = channels_last(critic.to(self.device))
        return Networks(channels_last(model.to(self.device)), critic)

    def _optimisers(self) -> dict[str, torch.optim.Optimizer]:
        experiment = self.experiment
        settings = {
            "autoencoder": (experiment.learning_rate, experiment.betas),
            "discriminator": (experiment.discriminator_learning_rate, experiment.discriminator_betas),
        }
        return {
            name: torch.optim.Adam(network.parameters(), lr=settings[name][0], betas=settings[name][1])
            for name, network in self.networks.named().items()
        }

    @property
    def images_seen(self) -> int:
        """How many training images have gone through so far."""
        return self.clock.step * self.experiment.batch_size

    @property
    def done(self) -> bool:
        """Whether the experiment's images have all been seen."""
        return self.images_seen >= self.experiment.images

    def step(self) -> dict[str, Tensor]:
        """Do one step: every phase that is due, in order; give the numbers for the log."""
        experiment, step = self.experiment, self.clock.step
        material = Material(
            images=self._laid_out(self.batches.batch(step)),
            others=lambda: self._laid_out(self.batches.batch(step, stream=1)),
            seed=(experiment.seed, step, self.accelerator.process_index),
            ramp=adversarial_ramp(self.images_seen, experiment),
            penalise=bool(experiment.gradient_penalty) and step % experiment.gradient_penalty_every == 0,
        )
        logged: dict[str, Tensor] = {}
        for phase in experiment.phases:
            if step % phase.every == 0:
                logged |= self._phase(phase.objective, phase.learner, material)
        self._average()
        self.clock.step += 1
        return logged

    def _laid_out(self, images: Tensor) -> Tensor:
        return images.contiguous(memory_format=torch.channels_last)

    def _phase(self, objective: str, learner: str, material: Material) -> dict[str, Tensor]:
        networks = self.networks.named()
        for name, network in networks.items():
            network.requires_grad_(name == learner)
        optimiser, network = self.optimisers[learner], networks[learner]
        for group in optimiser.param_groups:
            group["lr"] = optimiser.defaults["lr"] * learning_rate_factor(
                self.images_seen, self.experiment, optimiser.defaults["lr"]
            )
        bf16 = self.experiment.precision == "bf16"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=bf16):
            result = OBJECTIVES[objective](self.networks, material, self.experiment)
        optimiser.zero_grad(set_to_none=True)
        result["loss"].backward()
        self._reduce(network)
        clip = self.experiment.gradient_clip if learner == "autoencoder" else 0.0
        norm = nn.utils.clip_grad_norm_(network.parameters(), clip or math.inf)
        optimiser.step()
        material.fakes |= result.pop("outputs", {})
        result[f"{learner}_gradient"] = norm.detach()
        return {("loss_" + objective if name == "loss" else name): value.detach() for name, value in result.items()}

    def _reduce(self, network: nn.Module) -> None:
        """Average gradients over processes; every objective may call any method of a network, so no wrapper does it."""
        if self.accelerator.num_processes == 1:
            return
        gradients = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
        flat = self.accelerator.reduce(torch.cat([gradient.flatten() for gradient in gradients]), "mean")
        for gradient, part in zip(gradients, flat.split([gradient.numel() for gradient in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))

    @torch.no_grad()
    def _average(self) -> None:
        """Move the averaged weights towards the current ones, faster while the run is young (Karras et al. 2020)."""
        half_life = min(self.experiment.ema_half_life, 0.05 * max(self.images_seen, 1))
        decay = 0.5 ** (self.experiment.batch_size / half_life) if half_life else 0.0
        current, averaged = self.networks.autoencoder, self.ema
        torch._foreach_lerp_(list(averaged.parameters()), list(current.parameters()), 1 - decay)
        for old, new in zip(averaged.buffers(), current.buffers(), strict=True):
            old.copy_(new)

    @torch.no_grad()
    def validate(self) -> tuple[dict[str, float], dict[str, Tensor]]:
        """Score and show the averaged weights on held-out faces: reconstructions, and blends with the next face."""
        images = self.validation
        latent = self.ema.encode(images)
        output = self.ema.decode(latent).clamp(-1, 1)
        blends = self.ema.decode(0.5 * (latent + latent.roll(-1, 0))).clamp(-1, 1)
        error = (output - images).square().mean(dim=(1, 2, 3))
        psnr = float((10 * torch.log10(4 / error)).mean())
        return {"validation_psnr": psnr}, {"input": images, "reconstruction": output, "blend with next": blends}

    def state(self) -> dict[str, Any]:
        """Give all that resuming needs."""
        return {
            "networks": {name: network.state_dict() for name, network in self.networks.named().items()},
            "optimisers": {name: optimiser.state_dict() for name, optimiser in self.optimisers.items()},
            "ema": self.ema.state_dict(),
            "clock": vars(self.clock).copy(),
            "data": self.data_identity,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to where `state` was taken."""
        if state["data"] != self.data_identity:
            raise FeatureblendError("the run was begun on other data: resume it with the same prepared faces")
        for name, network in self.networks.named().items():
            network.load_state_dict(state["networks"][name])
            self.optimisers[name].load_state_dict(state["optimisers"][name])
        self.ema.load_state_dict(state["ema"])
        self.clock = Clock(**state["clock"])

    def start_from(self, state: dict[str, Any]) -> None:
        """Take over another run's averaged weights (and its discriminator, if both have one alike)."""
        try:
            self.networks.autoencoder.load_state_dict(state["ema"])
            self.ema.load_state_dict(state["ema"])
            if self.networks.discriminator is not None and "discriminator" in state["networks"]:
                self.networks.discriminator.load_state_dict(state["networks"]["discriminator"])
        except RuntimeError as error:
            raise FeatureblendError("--init names a run whose networks have other sizes than this preset's") from error


def train(
    experiment: Experiment,
    faces: FaceSet,
    run: str | os.PathLike[str],
    *,
    minutes: float | None = None,
    resume: bool = False,
    init: str | os.PathLike[str] | None = None,
    quiet: bool = False,
) -> Path:
    """Train an experiment, or go on with it, until it is complete or the slice of time is over.

    Parameters
    ----------
    experiment : Experiment
    faces : FaceSet
    run : path-like
        The run folder.
    minutes : float, optional
        End cleanly after so much wall time; `resume` goes on later.
    resume : bool
        Go on with the run in that folder, if there is one.
    init : path-like, optional
        Another run whose weights a new run starts from.
    quiet : bool
        Show no progress bar.

    Returns
    -------
    Path
        The run folder.

    Raises
    ------
    FeatureblendError
        If the folder holds another run, or a loss is no longer a number.
    """
    begin = time.monotonic()
    keep_freed_memory()
    folder = RunFolder(run)
    folder.begin(experiment, resume)
    trainer = Trainer(experiment, faces)
    if folder.checkpoint.exists():
        trainer.restore(folder.load(trainer.device))
        folder.trim_log(trainer.clock.step)
    elif init is not None:
        trainer.start_from(RunFolder(init).load(trainer.device))
    _loop(trainer, folder, begin + 60 * minutes if minutes else math.inf, quiet)
    return folder.path


def _loop(trainer: Trainer, folder: RunFolder, deadline: float, quiet: bool) -> None:
    main = trainer.accelerator.is_main_process
    total = trainer.experiment.images
    sums: dict[str, Tensor] = defaultdict(lambda: torch.zeros((), device=trainer.device))
    steps, tick, saved, slowest = 0, time.monotonic(), time.monotonic(), 0.0
    with tqdm(
        total=total,
        initial=trainer.images_seen,
        desc=trainer.experiment.name,
        unit="image",
        unit_scale=True,
        disable=quiet or not main,
        smoothing=0.1,
    ) as bar:
        while not trainer.done:
            for name, value in trainer.step().items():
                sums[name] += value.float()
            steps += 1
            bar.update(trainer.experiment.batch_size)
            now = time.monotonic()
            over = trainer.done or now + slowest > deadline
            if trainer.accelerator.num_processes > 1:
                # All processes must leave the loop at one step: the main one's clock decides.
                over = bool(trainer.accelerator.reduce(torch.tensor(float(over and main), device=trainer.device)) > 0)
            if over or now - tick > TICK_SECONDS or trainer.clock.step == 1:
                trainer.clock.seconds += now - tick
                line = _tick(trainer, sums, steps, now - tick)
                if main:
                    folder.log(line)
                bar.set_postfix(
                    psnr=f"{line['validation_psnr']:.1f}", loss=f"{line.get('l1', line.get('mse', 0.0)):.3f}"
                )
                sums.clear()
                steps = 0
                if main and (over or now - saved > SAVE_SECONDS or trainer.clock.step == 1):
                    folder.save(trainer.state())
                    draw_samples(trainer.validate()[1], folder.samples / f"{trainer.images_seen:09d}.jpg")
                    draw_curves(folder.history(), folder.path / "curves.png")
                    saved = time.monotonic()
                slowest = max(slowest, time.monotonic() - now)
                tick = time.monotonic()
            if over:
                break


def _tick(trainer: Trainer, sums: dict[str, Tensor], steps: int, seconds: float) -> dict[str, Any]:
    """Give the log's line: means since the last one, the validation score, the speed."""
    means = {name: float(value) / steps for name, value in sums.items()}
    if not all(math.isfinite(value) for value in means.values()):
        wrong = ", ".join(name for name, value in means.items() if not math.isfinite(value))
        raise FeatureblendError(
            f"training broke down at {trainer.images_seen} images: {wrong} is no longer a number; "
            "the last checkpoint is kept; try a smaller learning rate"
        )
    speed = steps * trainer.experiment.batch_size / seconds
    return {
        "step": trainer.clock.step,
        "images": trainer.images_seen,
        "seconds": round(trainer.clock.seconds, 1),
        "images_per_second": round(speed, 2),
        "ramp": adversarial_ramp(trainer.images_seen, trainer.experiment),
        **{name: round(value, 6) for name, value in means.items()},
        **{name: round(value, 4) for name, value in trainer.validate()[0].items()},
    }
