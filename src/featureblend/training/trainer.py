"""One run in memory: networks, optimisers, averaged weights, and the step.

The step knows nothing of any loss: it goes through the experiment's phases, and each names an
objective and the network that learns from it. Randomness is fixed by seed and step, so that a run
stopped and resumed on a CPU ends with the same bits as one that was never stopped.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import FeatureblendError
from ..io.files import sha256
from ..metrics.lpips import find_lpips, load_lpips
from .batches import FaceBatches
from .checking import check
from .dataset import FaceTriplets
from .experiment import Experiment, Phase
from .losses.adversarial import clip_weights
from .machine import compile_networks, compiles, computes_in_bf16
from .networks import AUTOENCODERS, DISCRIMINATORS, LATENT_DISCRIMINATORS, VGGFeatures, build, channels_last
from .networks.vgg import vgg_weights
from .objective import OBJECTIVES, remade
from .starting import begin_fine_skip, take_over
from .step import Batch, TrainingNetworks, Triplets
from .streaming import Faces
from .triplets import GeneratedTriplets, TripletBatches, TripletSource, triplet_count

SHOWN = 32
"""At most so many held-out faces are shown and scored."""


@dataclass
class Clock:
    """Where a run stands."""

    step: int = 0
    seconds: float = 0.0
    """Spent on training steps, over all slices."""
    closing: float = 0.0
    """Longest that scoring, drawing and saving took: a slice of time must leave room for it."""


def learning_rate_factor(images: int, experiment: Experiment, start: float) -> float:
    """Learning rate relative to its start: a linear warm-up, then half a cosine down to the final rate."""
    warm = min(1.0, (images + experiment.batch_size) / max(1, experiment.warmup))
    done = min(1.0, images / max(1, experiment.images))
    end = 1.0 if experiment.final_learning_rate is None else experiment.final_learning_rate / start
    return warm * (end + (1 - end) * 0.5 * (1 + math.cos(math.pi * done)))


def adversarial_ramp(images: int, experiment: Experiment) -> float:
    """Factor on the adversarial terms: 0 before their start, then linearly up to 1."""
    since = images - experiment.adversarial_start
    if since < 0:
        return 0.0
    return 1.0 if not experiment.adversarial_ramp else min(1.0, since / experiment.adversarial_ramp)


def times_due(phase: Phase, step: int) -> int:
    """How often a phase runs at a step.

    Examples
    --------
    >>> many = Phase("discriminate", "discriminator", times=5, first_times=99, first_steps=25)
    >>> times_due(many, 24), times_due(many, 25)
    (99, 5)
    """
    return phase.first_times if phase.first_times and step < phase.first_steps else phase.times


def psnr(images: Tensor, wanted: Tensor) -> float:
    """The mean over pictures of the peak signal-to-noise ratio in decibels, of pictures in [-1, 1]."""
    error = (images - wanted).square().mean(dim=(1, 2, 3)).clamp(min=1e-9)
    return float((10 * torch.log10(4 / error)).mean())


def sharpness(images: Tensor) -> float:
    """The mean over pictures of the variance of the Laplacian of brightness."""
    grey = images.float().mean(dim=1, keepdim=True)
    kernel = torch.tensor([[0.0, 1.0, 0.0], [1.0, -4.0, 1.0], [0.0, 1.0, 0.0]], device=images.device)
    return float(nn.functional.conv2d(grey, kernel[None, None]).var(dim=(1, 2, 3)).mean())


def _joint_identity(faces: Faces, triplets: FaceTriplets | None, generator: str | os.PathLike[str] | None) -> str:
    """Name all that a run is taught from."""
    parts = [faces.identity, triplets.identity if triplets else "", sha256(generator) if generator else ""]
    return hashlib.sha256("".join(parts).encode()).hexdigest()


def _accelerator() -> Any:
    from accelerate import Accelerator

    # The precision is said outright, or a user's `accelerate config` decides it. So is the CPU: without
    # that, processes that torchrun starts on a machine without GPU each take themselves for the only one.
    accelerator = Accelerator(mixed_precision="no", cpu=not torch.accelerator.is_available())
    started = int(os.environ.get("WORLD_SIZE", 1))
    if accelerator.num_processes != started:
        raise FeatureblendError(
            f"torchrun started {started} processes, but this machine's {accelerator.device.type} trains in one: "
            "start featureblend without torchrun"
        )
    return accelerator


class Trainer:
    """One run: the networks, their optimisers, the averaged weights, and the step.

    Parameters
    ----------
    experiment : Experiment
    faces : FaceSet or StreamedFaces
        All splits; 'train' is trained on, 'validation' is shown and scored (training faces where it holds under two).

    triplets : FaceTriplets, optional
        What the phase 'teach' learns from; a part is held out and scored.
    generator : path-like, optional
        A traced generator (`GeneratedTriplets`) that 'teach' learns from instead; `triplets`, where they are given too,
        are only scored.

    Raises
    ------
    FeatureblendError
        If the experiment contradicts itself, there are no training faces, or triplets are due and missing.
    """

    def __init__(
        self,
        experiment: Experiment,
        faces: Faces,
        triplets: FaceTriplets | None = None,
        generator: str | os.PathLike[str] | None = None,
    ) -> None:
        check(experiment)
        self.experiment = experiment
        self.accelerator = _accelerator()
        self.device = self.accelerator.device
        self.rank, self.world = self.accelerator.process_index, self.accelerator.num_processes
        self.precision = experiment.precision
        """What the networks are computed in: the experiment's, or 'fp32' where bfloat16 would be emulated."""
        if self.precision == "bf16" and not computes_in_bf16(self.device):
            self.precision = "fp32"
        torch.manual_seed(experiment.seed)  # the same first weights in every process
        self.networks = self._build()
        if self.device.type == "cuda":
            torch.backends.cudnn.benchmark = True  # the same few shapes at every step
        if compiles(experiment.compile, self.device):
            compile_networks(self.networks, self.device)
        self.optimisers = self._optimisers()
        self.ema: Any = build(AUTOENCODERS, experiment.model, experiment.model_options)
        channels_last(self.ema.to(self.device))
        self.ema.load_state_dict(self.networks.autoencoder.state_dict())
        self.ema.eval().requires_grad_(False)
        self.clock = Clock()
        self.started_from = ""
        self.data_identity = faces.identity
        size, seen, held_out = self.networks.autoencoder.image_size, faces.split("train"), faces.split("validation")
        cut: dict[str, Any] = {
            "shift": experiment.shift,
            "mirror": experiment.mirror,
            "seed": experiment.seed,
            "rank": self.rank,
            "world": self.world,
        }
        photos = experiment.batch_size
        self.triplets: TripletSource | None = None
        self.held_out: Triplets | None = None
        if any(phase.objective == "teach" for phase in experiment.phases):
            count = triplet_count(experiment.batch_size, experiment.triplet_share)
            photos -= 3 * count
            self.triplets, self.held_out = self._taught_by(triplets, generator, size, count, cut)
            self.data_identity = _joint_identity(faces, triplets, generator)
        self.batches = FaceBatches(seen, size, photos, self.device, match_turn=experiment.match_turn, **cut)
        self.faces = seen
        shown = held_out if len(held_out) >= 2 else seen
        # One random step of a second set, unshifted: the same faces at every tick.
        self.validation = FaceBatches(
            shown, size, min(SHOWN, len(shown)), self.device, shift=0, mirror=False, seed=1
        ).batch(0)

    def _taught_by(
        self,
        triplets: FaceTriplets | None,
        generator: str | os.PathLike[str] | None,
        size: int,
        count: int,
        cut: dict[str, Any],
    ) -> tuple[TripletSource, Triplets]:
        """What `teach` learns from, and triplets that are held out."""
        if triplets is None and generator is None:
            raise FeatureblendError(
                f"{self.experiment.name} learns from triplets: name them with --triplets FACES or --generator FILE"
            )
        source: TripletSource
        if generator is None:
            assert triplets is not None
            source = TripletBatches(triplets.training(), size, count, self.device, **cut)
        else:
            # As many pictures a step as of triplets: two for each blend, its own and a parent's.
            own = {name: value for name, value in cut.items() if name != "mirror"}
            blends = max(2, 3 * count // 2)
            source = GeneratedTriplets(generator, size, blends, self.device, even=self.experiment.even_blends, **own)
        if triplets is not None:
            held = triplets.held_out(0.1 if generator is None else 1.0)
            return source, TripletBatches(held, size, len(held), self.device, shift=0, mirror=False).batch(0)
        assert generator is not None
        unseen: dict[str, Any] = {"even": 1.0, "three": 0.0, "shift": 0, "seed": self.experiment.seed + 1}
        return source, GeneratedTriplets(generator, size, SHOWN, self.device, **unseen).batch(0)

    def _build(self) -> TrainingNetworks:
        experiment = self.experiment
        model = build(AUTOENCODERS, experiment.model, experiment.model_options)
        encoder = str(experiment.model_options.get("encoder", ""))
        if encoder.startswith("vgg") and not experiment.from_scratch:
            model.load_vgg(vgg_weights(encoder, experiment.vgg_weights), experiment.vgg_sha256)
        if experiment.degrade and model.image_size % 16:
            raise FeatureblendError(f"degrade needs an image_size that is a multiple of 16, not {model.image_size}")
        learners = {phase.learner for phase in experiment.phases}
        critic = latent_critic = features = None
        if "discriminator" in learners:
            critic = build(DISCRIMINATORS, experiment.discriminator, experiment.discriminator_options)
            if critic.config.image_size != model.image_size:
                raise FeatureblendError(
                    f"the discriminator looks at {critic.config.image_size} px and the autoencoder makes "
                    f"{model.image_size} px: give both the same image_size"
                )
            critic = channels_last(critic.to(self.device))
        if "latent_discriminator" in learners:
            options = {"latent_dim": model.config.latent_dim, **experiment.latent_discriminator_options}
            latent_critic = build(LATENT_DISCRIMINATORS, "mlp", options).to(self.device)
        if experiment.losses.perceptual:
            features = self._perceptual().to(self.device)
        lpips = None
        if experiment.losses.lpips and experiment.lpips_weights:
            lpips = channels_last(load_lpips(find_lpips(experiment.lpips_weights)).to(self.device))
        return TrainingNetworks(channels_last(model.to(self.device)), critic, latent_critic, features, lpips)

    def _perceptual(self) -> VGGFeatures:
        experiment = self.experiment
        try:
            name = str(experiment.perceptual_options.get("name", "vgg16"))
            file = "" if experiment.from_scratch else vgg_weights(name, experiment.vgg_weights)
            return VGGFeatures(**experiment.perceptual_options, weights=file or None, sha256=experiment.vgg_sha256)
        except TypeError as error:
            raise FeatureblendError(f"perceptual_options {experiment.perceptual_options}: {error}") from error

    def _optimisers(self) -> dict[str, torch.optim.Optimizer]:
        experiment = self.experiment
        own: dict[str, Any] = {"lr": experiment.learning_rate, "betas": experiment.betas}
        critics: dict[str, Any] = {
            "lr": experiment.discriminator_learning_rate,
            "betas": experiment.discriminator_betas,
        }
        fused = self.device.type in ("cpu", "cuda")  # one pass over the weights, in a third of the time
        return {
            name: torch.optim.Adam(network.parameters(), **(own if name == "autoencoder" else critics), fused=fused)
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

    @property
    def hardware(self) -> str:
        """What the run trains on."""
        one = (
            torch.cuda.get_device_name(self.device)
            if self.device.type == "cuda"
            else f"{platform.machine()} {self.device.type}, {os.cpu_count()} cores"
        )
        return one if self.world == 1 else f"{self.world} x {one}"

    def step(self) -> dict[str, Tensor]:
        """Do one step: every phase, in order; give the numbers for the log."""
        step = self.clock.step
        batch = self.batch()
        logged: dict[str, Tensor] = {}
        for phase in self.experiment.phases:
            for again in range(times_due(phase, step)):
                logged |= self._phase(phase, self.batch(again) if again else batch)
        self.clock.step += 1
        self._average()
        return logged

    def batch(self, again: int = 0) -> Batch:
        """What a step works on; `again` counts a discriminator's further updates, each on other photos."""
        experiment, step = self.experiment, self.clock.step
        images, landmarks = self.batches.marked(step, stream=2 * again)
        batch = Batch(
            images=images,
            landmarks=landmarks,
            others=lambda: self.batches.batch(step, stream=2 * again + 1),
            triplets=None if (source := self.triplets) is None else lambda: source.batch(step),
            seed=(experiment.seed, step, "again", again) if again else (experiment.seed, step),
            rank=self.rank,
            world=self.world,
            mean=self._mean,
            ramp=adversarial_ramp(self.images_seen, experiment),
            penalise=bool(experiment.gradient_penalty) and step % experiment.gradient_penalty_every == 0,
        )
        if again:
            with self._precision():
                batch.fakes |= remade(self.networks, batch, experiment)
        return batch

    def _precision(self) -> Any:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16")

    def _phase(self, phase: Phase, batch: Batch) -> dict[str, Tensor]:
        objective, learner = phase.objective, phase.learner
        networks = self.networks.named()
        for name, network in networks.items():
            network.requires_grad_(name == learner)
        optimiser, network = self.optimisers[learner], networks[learner]
        # `defaults` keeps the first rate, whatever rate the groups were saved with.
        start = optimiser.defaults["lr"]
        for group in optimiser.param_groups:
            group["lr"] = start * learning_rate_factor(self.images_seen, self.experiment, start)
        batch.judged.clear()
        with self._precision():
            result = OBJECTIVES[objective](self.networks, batch, self.experiment)
        optimiser.zero_grad(set_to_none=True)
        result["loss"].backward()
        gradients = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
        # What the critic taught the generator, at the pictures.
        taught = [images.grad.float() for images in batch.judged if images.grad is not None]
        squares = [nn.utils.get_total_norm(taught).square()] if batch.judged else []
        self._reduce([*gradients, *squares])
        norm = nn.utils.get_total_norm(gradients)
        if learner == "autoencoder" and self.experiment.gradient_clip:
            nn.utils.clip_grads_with_norm_(network.parameters(), self.experiment.gradient_clip, norm)
        optimiser.step()
        if learner != "autoencoder" and self.experiment.critic_clip is not None:
            clip_weights(network, self.experiment.critic_clip)
        batch.fakes |= result.pop("outputs", {})
        result[f"gradient_{objective}"] = norm
        if squares:  # of each process's mean loss, of which the whole loss is the mean
            result["gradient_adversarial"] = (squares[0] / self.world).sqrt()
            batch.judged.clear()
        return {("loss_" + objective if name == "loss" else name): value.detach() for name, value in result.items()}

    def _mean(self, values: Tensor) -> Tensor:
        return values if self.world == 1 else self.accelerator.reduce(values, "mean")

    def _reduce(self, gradients: list[Tensor]) -> None:
        """Average gradients over processes; every objective may call any method of a network, so no wrapper does it."""
        if self.world == 1 or not gradients:
            return
        flat = self.accelerator.reduce(torch.cat([gradient.flatten() for gradient in gradients]), "mean")
        for gradient, part in zip(gradients, flat.split([gradient.numel() for gradient in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))

    @torch.no_grad()
    def _average(self) -> None:
        """Move the averaged weights towards the current ones, faster while the run is young (Karras et al. 2020)."""
        half_life = min(self.experiment.ema_half_life, 0.05 * self.images_seen)
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
        # In [0, 1]: a colour cast, such as the paper's green, shows against the data's own means.
        means = (0.5 + 0.5 * output.mean(dim=(0, 2, 3))).tolist()
        colours = {f"output_{name}": mean for name, mean in zip(("red", "green", "blue"), means, strict=True)}
        pictures = {"input": images, "reconstruction": output, "blend with next": blends}
        return {"validation_psnr": psnr(output, images), **colours}, pictures

    @torch.no_grad()
    def validate_triplets(self) -> tuple[dict[str, float], dict[str, Tensor]]:
        """Score and show the averaged weights on the held-out triplets: decoded means beside pixel averages.

        Returns
        -------
        scores : dict
            PSNR of decoded means, of pixel averages and of the parents' reconstructions; the variance of the Laplacian
            of decoded means over the teacher's (sharpness); LPIPS of both where its weights are at hand. Empty where
            nothing is learned from triplets.
        pictures : dict
            Rows of a grid: the first triplets.
        """
        if self.held_out is None:
            return {}, {}
        given, wanted = self.held_out, self.held_out.targets
        first, second = given.weights.topk(2, dim=1).indices.sort(dim=1).values.unbind(1)
        with self._precision():
            latent = torch.cat([self.ema.encode(part) for part in given.parents.split(SHOWN)])
            mixed = given.weights.to(latent) @ latent
            made = torch.cat([self.ema.decode(part) for part in torch.cat([mixed, latent[first]]).split(SHOWN)])
        decoded, again = made.float().clamp(-1, 1).chunk(2)
        average = given.pixel_averages()
        scores = {
            "halfway_psnr": psnr(decoded, wanted),
            "halfway_psnr_of_pixel_average": psnr(average, wanted),
            "parent_psnr": psnr(again, given.parents[first]),
            "halfway_sharpness": sharpness(decoded) / sharpness(wanted),
        }
        if self.networks.lpips is not None:
            for name, pictures in (("halfway_lpips", decoded), ("halfway_lpips_of_pixel_average", average)):
                batches = zip(pictures.split(SHOWN), wanted.split(SHOWN), strict=True)
                scores[name] = float(torch.cat([self.networks.lpips(*batch) for batch in batches]).mean())
        rows = {
            "first": given.parents[first],
            "second": given.parents[second],
            "pixel average": average,
            "decoded mean": decoded,
            "teacher": wanted,
            "first, reconstructed": again,
        }
        return scores, {name: images[: SHOWN // 2] for name, images in rows.items()}

    def state(self) -> dict[str, Any]:
        """All that resuming needs, and what a model card says of the run."""
        return {
            "networks": {name: network.state_dict() for name, network in self.networks.named().items()},
            "optimisers": {name: optimiser.state_dict() for name, optimiser in self.optimisers.items()},
            "ema": self.ema.state_dict(),
            "clock": vars(self.clock).copy(),
            "data": self.data_identity,
            "started_from": self.started_from,
            "hardware": self.hardware,
            "torch": str(torch.__version__),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to where `state` was taken.

        Raises
        ------
        FeatureblendError
            If it was trained on other data, or by a version with other networks.
        """
        if state["data"] != self.data_identity:
            raise FeatureblendError("the run was begun on other data: resume it with the same prepared faces")
        try:
            for name, network in self.networks.named().items():
                network.load_state_dict(state["networks"][name])
                if state["optimisers"]:  # which what was carried from another machine lacks
                    self.optimisers[name].load_state_dict(state["optimisers"][name])
            self.ema.load_state_dict(state["ema"])
            self.clock = Clock(**state["clock"])
        except (RuntimeError, KeyError, ValueError, TypeError) as error:
            raise FeatureblendError(
                "the checkpoint does not fit these networks: another version of featureblend wrote it; start a new run"
            ) from error
        self.started_from = state.get("started_from", "")

    def agree(self, folder: Path) -> None:
        """Make sure that all processes go on from the same step of the same data.

        Raises
        ------
        FeatureblendError
            If they don't, say because each machine has a folder of its own.
        """
        mine = torch.tensor([self.clock.step, int(self.data_identity[:12], 16)], device=self.device)
        if len(self.accelerator.gather(mine[None]).unique(dim=0)) > 1:
            raise FeatureblendError(
                f"the processes see different runs in {folder}, or different data: put both where all machines see them"
            )

    def start_from(self, state: dict[str, Any], name: str = "another run") -> None:
        """Take over the weights that fit: another run's averaged ones, and its discriminator's if both have one.

        Parameters
        ----------
        state : dict
            As `state` or `starting.read_start` gives.
        name : str
            What the checkpoints and the model card say this run started from.

        Raises
        ------
        FeatureblendError
            If the autoencoders have less than half of their numbers in common.
        """
        take_over(self.networks.autoencoder, state["ema"], name)
        begin_fine_skip(self.networks.autoencoder, state["ema"], self.faces)
        self.ema.load_state_dict(self.networks.autoencoder.state_dict())
        critics = {name: network for name, network in self.networks.named().items() if name != "autoencoder"}
        for critic in critics.keys() & state["networks"].keys():
            with contextlib.suppress(FeatureblendError):  # of another kind: this one learns from the start
                take_over(critics[critic], state["networks"][critic], name)
        self.started_from = name
