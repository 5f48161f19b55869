"""What each phase of training minimises: one pure function a phase.

Each takes the networks, the step's material and the experiment, and returns a dict with the scalar
``"loss"`` to minimise, detached scalars for the log, and under ``"outputs"`` the pictures that the
discriminator's phase judges. The paper's scheme (section 2) is `reconstruct` on a batch a, `blend` on
batches a and b, `discriminate`; `joint` is reconstruct and blend from one pass through the encoder.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from ..config import Experiment
from ..errors import FeatureblendError
from ..losses import adversarial, reconstruction
from .batches import moved, seeded
from .degrading import degraded
from .groups import group_size, mixed_in_groups, mixed_pictures
from .warping import bent_to_group_means

__all__ = ["OBJECTIVES", "Material", "Networks", "check"]


@dataclass(frozen=True)
class Networks:
    """The networks that learn."""

    autoencoder: Any
    """With `posterior`, `encode`, `decode` (see `featureblend.models`)."""
    discriminator: Any = None
    """With `judge`; None where no phase needs one."""

    def named(self) -> dict[str, nn.Module]:
        """Give the networks that are there, by name."""
        found = {"autoencoder": self.autoencoder, "discriminator": self.discriminator}
        return {name: network for name, network in found.items() if network is not None}


@dataclass
class Material:
    """All that a step works on."""

    images: Tensor
    """(B, 3, S, S) in [-1, 1]: this process's share of the paper's batch a; what the critic takes for real."""
    landmarks: Tensor
    """(B, 68, 2): theirs, in pixels; not a number where unknown."""
    others: Callable[[], Tensor]
    """Gives the paper's batch b, of other faces."""
    seed: tuple[object, ...]
    """Fixes every random draw of the step, the same in all processes."""
    rank: int = 0
    """Which process this is."""
    world: int = 1
    """How many processes share the batch."""
    ramp: float = 1.0
    """Factor on the adversarial terms, 0 to 1."""
    penalise: bool = False
    """Whether the gradient penalty is due at this step."""
    fakes: dict[str, Tensor] = field(default_factory=dict)
    """What the generator's phases made in this step, detached: 'reconstruction', 'blend', 'alpha'."""

    def noise(self, name: str, like: Tensor) -> Tensor:
        """Draw standard normal numbers that the step and the name fix."""
        shape = (self.world * len(like), *like.shape[1:])
        return self._share(torch.randn(shape, generator=seeded(*self.seed, name))).to(like.dtype)

    def alphas(self, even: float) -> Tensor:
        """Draw mixing weights (B,): a share `even` of them exactly 1/2 (the paper's mean), the rest uniform."""
        return self.weights(2, even)[:, 1]

    def weights(self, count: int, even: float) -> Tensor:
        """Draw weights (B, count) of `count` faces: a share `even` of them equal, the rest uniform on the simplex."""
        draws = seeded(*self.seed, "alpha")
        size = self.world * len(self.images)
        cuts = torch.rand(size, count - 1, generator=draws).sort(dim=1).values
        ends = torch.cat([torch.zeros(size, 1), cuts, torch.ones(size, 1)], dim=1)
        equal = torch.rand(size, generator=draws) < even
        return self._share(torch.where(equal[:, None], 1 / count, ends.diff(dim=1)))

    def chance(self, name: str, count: int) -> Tensor:
        """Draw (count,) numbers between 0 and 1 that the step and the name fix, the same in all processes."""
        return torch.rand(count, generator=seeded(*self.seed, name))

    def _share(self, drawn: Tensor) -> Tensor:
        # Drawn for the whole batch and cut as FaceBatches cuts it: the number of processes changes nothing.
        return moved(drawn[self.rank :: self.world], self.images.device)


Result = dict[str, Any]
Objective = Callable[[Networks, Material, Experiment], Result]


def _sampled(networks: Networks, images: Tensor, material: Material, name: str) -> tuple[Tensor, Any]:
    """Encode and draw from the posterior, with noise that the step fixes."""
    posterior = networks.autoencoder.posterior(images)
    mean = posterior.mean
    if posterior.log_variance is None:
        return mean, posterior
    return mean + (0.5 * posterior.log_variance).exp() * material.noise(name, mean), posterior


def _reconstruction_terms(output: Tensor, images: Tensor, posterior: Any, experiment: Experiment) -> dict[str, Tensor]:
    weights, output = experiment.losses, output.float()
    terms = {}
    if weights.l1:
        terms["l1"] = weights.l1 * reconstruction.l1(output, images)
    if weights.mse:
        terms["mse"] = weights.mse * reconstruction.mse(output, images)
    if weights.ssim:
        terms["ssim"] = weights.ssim * reconstruction.ssim_loss(output, images)
    if weights.laplacian:
        terms["laplacian"] = weights.laplacian * reconstruction.laplacian_l1(output, images)
    if weights.kl:
        terms["kl"] = weights.kl * posterior.kl().float().mean() / images[0].numel()
    return terms


def _adversarial_terms(
    networks: Networks, material: Material, experiment: Experiment, made: dict[str, Tensor]
) -> dict[str, Tensor]:
    """Judge what the generator made: `made` holds 'reconstruction', 'blend' or both."""
    weights, ramp, kind = experiment.losses, material.ramp, experiment.adversarial
    shares = {"reconstruction": weights.adversarial_reconstruction, "blend": weights.adversarial_blend}
    real: Tensor | None = None
    real_maps: list[Tensor] = []
    terms: dict[str, Tensor] = {}
    for name, images in made.items():
        share = ramp * shares[name]
        matching = weights.feature_matching if name == "reconstruction" else 0.0
        mixing = ramp * weights.mixing if name == "blend" else 0.0
        if not (share or matching or mixing):
            continue
        if real is None and (matching or (share and kind == "relativistic")):
            with torch.no_grad():
                real, _, real_maps = networks.discriminator.judge(material.images)
        logits, mixed, maps = networks.discriminator.judge(images)
        if share:
            terms[f"adversarial_{name}"] = share * adversarial.generator_loss(kind, logits, real)
        if matching:
            terms["feature_matching"] = matching * reconstruction.feature_l1(maps, real_maps)
        if mixing:
            # ACAI: the critic should take the blend for a single face, whose mixing weight is 0.
            terms["mixing"] = mixing * _estimates(mixed).square().mean()
    return terms


def _estimates(mixed: Tensor | None) -> Tensor:
    if mixed is None:
        raise FeatureblendError(
            "losses.mixing is set, but this discriminator does not estimate the mixing: "
            "set it to 0, or use the discriminator 'modern'"
        )
    return mixed


def _blend_terms(
    networks: Networks, output: Tensor, latent: Tensor, target: Tensor, experiment: Experiment
) -> dict[str, Tensor]:
    weights = experiment.losses
    terms = {}
    if weights.anchor:
        terms["anchor"] = weights.anchor * reconstruction.anchor_l1(output.float(), target)
    if weights.cycle:
        again = networks.autoencoder.encode(output)
        terms["cycle"] = weights.cycle * (again - latent.detach()).float().square().mean()
    return terms


def _mixed(first: Tensor, second: Tensor, alpha: Tensor) -> Tensor:
    """Mix with `alpha` (B,) the weight of the second."""
    return torch.lerp(first, second, alpha.to(first).reshape(-1, *[1] * (first.ndim - 1)))


def _summed(terms: dict[str, Tensor], like: Tensor) -> Result:
    loss = sum(terms.values(), like.new_zeros((), dtype=torch.float32, requires_grad=not terms))
    return {"loss": loss, **{name: term.detach() for name, term in terms.items()}}


def reconstruct(networks: Networks, material: Material, experiment: Experiment) -> Result:
    """Objective 1 of the paper: give back what came in, with a small share of adversarial loss."""
    latent, posterior = _sampled(networks, material.images, material, "noise a")
    output = networks.autoencoder.decode(latent)
    terms = _reconstruction_terms(output, material.images, posterior, experiment)
    terms |= _adversarial_terms(networks, material, experiment, {"reconstruction": output})
    return {**_summed(terms, output), "outputs": {"reconstruction": output.detach()}}


def blend(networks: Networks, material: Material, experiment: Experiment) -> Result:
    """Objective 2 of the paper: the decoded mean of two latents looks like a photo."""
    others = material.others()
    alpha = material.alphas(experiment.even_blends)
    first, _ = _sampled(networks, material.images, material, "noise a")
    second, _ = _sampled(networks, others, material, "noise b")
    latent = _mixed(first, second, alpha)
    output = networks.autoencoder.decode(latent)
    terms = _adversarial_terms(networks, material, experiment, {"blend": output})
    terms |= _blend_terms(networks, output, latent, _mixed(material.images, others, alpha), experiment)
    return {**_summed(terms, output), "outputs": {"blend": output.detach(), "alpha": alpha}}


def joint(networks: Networks, material: Material, experiment: Experiment) -> Result:
    """Both objectives on one batch, encoded once: each face is blended with its neighbours in the batch.

    With several processes, the neighbours in the process's share. The faces of a group may be bent to their mean
    shape first, and inputs spoilt (`warping`, `degrading`): what is to be reconstructed is bent, never spoilt.
    """
    group = group_size(experiment, material)
    images = material.images
    if experiment.warp:
        which = material.chance("warp", len(images) // group) < experiment.warp
        images = bent_to_group_means(images, material.landmarks, group, moved(which, images.device))
    inputs = degraded(images, experiment.degrade, (*material.seed, material.rank)) if experiment.degrade else images
    latent, posterior = _sampled(networks, inputs, material, "noise a")
    weights = material.weights(group, experiment.even_blends).to(latent)
    mixed, shares = mixed_in_groups(latent, weights, networks.autoencoder, experiment.surroundings)
    output, blended = networks.autoencoder.decode(torch.cat([latent, mixed])).chunk(2)
    terms = _reconstruction_terms(output, images, posterior, experiment)
    terms |= _adversarial_terms(networks, material, experiment, {"reconstruction": output, "blend": blended})
    terms |= _blend_terms(networks, blended, mixed, mixed_pictures(images, shares.float()), experiment)
    alpha = 1 - weights.amax(dim=1).float()
    made = {"reconstruction": output.detach(), "blend": blended.detach(), "alpha": alpha}
    return {**_summed(terms, output), "outputs": made}


def discriminate(networks: Networks, material: Material, experiment: Experiment) -> Result:
    """Teach the critic real photos from what the generator made in this step, and how far blends are mixed."""
    critic, fakes = networks.discriminator, material.fakes
    names = [name for name in ("reconstruction", "blend") if name in fakes]
    judged = dict(
        zip(["real", *names], _judged(critic, [material.images, *(fakes[name] for name in names)]), strict=True)
    )
    real = judged["real"][0]
    losses = [adversarial.discriminator_loss(experiment.adversarial, judged[name][0], real) for name in names]
    terms = {"discriminator": torch.stack(losses).mean()}
    if experiment.losses.mixing and "blend" in fakes:
        target = adversarial.mixing_target(fakes["alpha"])
        error = (_estimates(judged["blend"][1]) - target).square().mean()
        terms["mixing_error"] = error + _estimates(judged["real"][1]).square().mean()
    if material.penalise:
        weight = experiment.gradient_penalty * experiment.gradient_penalty_every
        with torch.autocast(real.device.type, enabled=False):  # its gradient's gradient underflows in bf16
            penalty = adversarial.gradient_penalty(critic, material.images)
            if experiment.adversarial == "relativistic":  # R2: on blends, the harder kind, where there are both
                penalty = penalty + adversarial.gradient_penalty(critic, fakes[names[-1]])
        terms["gradient_penalty"] = weight * penalty
    result = _summed(terms, real)
    for name, (logits, _) in judged.items():
        result[f"{name}_logit"] = logits.detach().mean()
    return result


def _judged(critic: Any, batches: list[Tensor]) -> list[tuple[Tensor, Tensor | None]]:
    """Give logits and mixing estimates for each of several batches."""
    if critic.mixes_samples:
        # Batch statistics over real and generated together would tell each apart by the other's presence,
        # and the generator's phase, which shows its own pictures alone, would meet another critic.
        return [critic.judge(batch)[:2] for batch in batches]
    sizes = [len(batch) for batch in batches]
    logits, mixed, _ = critic.judge(torch.cat(batches))
    estimates = mixed.split(sizes) if mixed is not None else [None] * len(sizes)
    return list(zip(logits.split(sizes), estimates, strict=True))


OBJECTIVES: dict[str, Objective] = {
    "reconstruct": reconstruct,
    "blend": blend,
    "joint": joint,
    "discriminate": discriminate,
}
"""The phases that an experiment can name."""


def check(experiment: Experiment) -> None:
    """Refuse an experiment whose settings contradict each other, before any time is spent on it.

    Raises
    ------
    FeatureblendError
        That names the setting.
    """
    weights, phases = experiment.losses, experiment.phases
    adversarial_terms = ("adversarial_reconstruction", "adversarial_blend", "mixing", "feature_matching")
    used = [name for name in adversarial_terms if getattr(weights, name)]
    makers = [phase for phase in phases if phase.objective != "discriminate"]
    critics = [phase for phase in phases if phase.objective == "discriminate"]
    for phase in phases:
        learner = "discriminator" if phase.objective == "discriminate" else "autoencoder"
        if phase.objective not in OBJECTIVES:
            raise _wrong(f"unknown objective {phase.objective!r}: use one of {', '.join(OBJECTIVES)}")
        if phase.learner != learner:
            raise _wrong(f"from {phase.objective!r} the {learner} learns, not {phase.learner!r}")
        if phase.every < 1:
            raise _wrong(f"{phase.objective!r} cannot be done every {phase.every} steps")
    if not makers:
        raise _wrong("no phase teaches the autoencoder")
    for phase in critics:
        if all(phase.every % maker.every for maker in makers):
            raise _wrong("'discriminate' needs pictures made in the same step: do another phase at least as often")
    if used and not critics:
        raise _wrong(f"losses.{used[0]} needs a phase 'discriminate'")
    if critics and not experiment.discriminator:
        raise _wrong("the phase 'discriminate' needs a discriminator")
    for name, choices in (("adversarial", adversarial.KINDS), ("precision", ("fp32", "bf16"))):
        if getattr(experiment, name) not in choices:
            raise _wrong(f"{name} is {getattr(experiment, name)!r}: use one of {', '.join(choices)}")
    for name in ("batch_size", "images", "gradient_penalty_every", "learning_rate", "discriminator_learning_rate"):
        if not getattr(experiment, name) > 0:
            raise _wrong(f"{name} must be more than 0, not {getattr(experiment, name)}")
    for name in ("even_blends", "warp", "degrade"):
        if not 0 <= getattr(experiment, name) <= 1:
            raise _wrong(f"{name} must be between 0 and 1, not {getattr(experiment, name)}")
    if experiment.surroundings not in ("mean", "auto"):
        raise _wrong(f"surroundings is {experiment.surroundings!r}: use one of mean, auto")
    if experiment.surroundings == "auto" and experiment.model != "modern":
        raise _wrong("surroundings 'auto' needs a spatial latent: use the model 'modern', or surroundings 'mean'")
    if experiment.parents < 2:
        raise _wrong(f"a blend is of 2 parents or more, not {experiment.parents}")


def _wrong(what: str) -> FeatureblendError:
    return FeatureblendError(f"this experiment cannot be trained: {what}")
