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
from ..losses import adversarial, reconstruction
from .batches import seeded

__all__ = ["OBJECTIVES", "Material", "Networks"]


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
    """(B, 3, S, S) in [-1, 1]: the paper's batch a."""
    others: Callable[[], Tensor]
    """Gives the paper's batch b, of other faces."""
    seed: tuple[object, ...]
    """Fixes every random draw of the step."""
    ramp: float = 1.0
    """Factor on the adversarial terms, 0 to 1."""
    penalise: bool = False
    """Whether the gradient penalty is due at this step."""
    fakes: dict[str, Tensor] = field(default_factory=dict)
    """What the generator's phases made in this step, detached: 'reconstruction', 'blend', 'alpha'."""

    def noise(self, name: str, like: Tensor) -> Tensor:
        """Draw standard normal numbers that the step and the name fix."""
        return torch.randn(like.shape, generator=seeded(*self.seed, name)).to(like)

    def alphas(self) -> Tensor:
        """Draw mixing weights (B,): half of them exactly 1/2 (the paper's mean), half uniform in [0, 1]."""
        draws = seeded(*self.seed, "alpha")
        count = len(self.images)
        uniform = torch.rand(count, generator=draws)
        halves = torch.rand(count, generator=draws) < 0.5
        return torch.where(halves, 0.5, uniform).to(self.images)


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
    networks: Networks, material: Material, experiment: Experiment, made: dict[str, Tensor], alpha: Tensor | None
) -> dict[str, Tensor]:
    """Judge what the generator made: `made` holds 'reconstruction', 'blend' or both."""
    weights, ramp = experiment.losses, material.ramp
    by_name = {"reconstruction": weights.adversarial_reconstruction, "blend": weights.adversarial_blend}
    matching = weights.feature_matching if "reconstruction" in made else 0.0
    mixing = weights.mixing if "blend" in made else 0.0
    if (
        networks.discriminator is None
        or not (ramp or matching)
        or not (any(by_name[n] for n in made) or matching or mixing)
    ):
        return {}
    terms: dict[str, Tensor] = {}
    with torch.no_grad():
        real, _, real_maps = networks.discriminator.judge(material.images)
    for name, images in made.items():
        logits, mixed, maps = networks.discriminator.judge(images)
        if by_name[name] and ramp:
            loss = adversarial.generator_loss(experiment.adversarial, logits, real)
            terms[f"adversarial_{name}"] = ramp * by_name[name] * loss
        if name == "reconstruction" and matching:
            terms["feature_matching"] = matching * reconstruction.feature_l1(maps, real_maps)
        if name == "blend" and mixing and ramp:
            # ACAI: the critic should take the blend for a single face, whose mixing weight is 0.
            terms["mixing"] = ramp * mixing * mixed.square().mean()
    return terms


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
    terms |= _adversarial_terms(networks, material, experiment, {"reconstruction": output}, None)
    return {**_summed(terms, output), "outputs": {"reconstruction": output.detach()}}


def blend(networks: Networks, material: Material, experiment: Experiment) -> Result:
    """Objective 2 of the paper: the decoded mean of two latents looks like a photo."""
    others = material.others()
    alpha = material.alphas()
    first, _ = _sampled(networks, material.images, material, "noise a")
    second, _ = _sampled(networks, others, material, "noise b")
    latent = _mixed(first, second, alpha)
    output = networks.autoencoder.decode(latent)
    terms = _adversarial_terms(networks, material, experiment, {"blend": output}, alpha)
    terms |= _blend_terms(networks, output, latent, _mixed(material.images, others, alpha), experiment)
    return {**_summed(terms, output), "outputs": {"blend": output.detach(), "alpha": alpha}}


def joint(networks: Networks, material: Material, experiment: Experiment) -> Result:
    """Both objectives on one batch, encoded once: each face is blended with its neighbour in the batch."""
    images = material.images
    latent, posterior = _sampled(networks, images, material, "noise a")
    alpha = material.alphas()
    mixed = _mixed(latent, latent.roll(1, 0), alpha)
    output, blended = networks.autoencoder.decode(torch.cat([latent, mixed])).chunk(2)
    terms = _reconstruction_terms(output, images, posterior, experiment)
    terms |= _adversarial_terms(networks, material, experiment, {"reconstruction": output, "blend": blended}, alpha)
    terms |= _blend_terms(networks, blended, mixed, _mixed(images, images.roll(1, 0), alpha), experiment)
    made = {"reconstruction": output.detach(), "blend": blended.detach(), "alpha": alpha}
    return {**_summed(terms, output), "outputs": made}


def discriminate(networks: Networks, material: Material, experiment: Experiment) -> Result:
    """Teach the critic real photos from what the generator made in this step, and how far blends are mixed."""
    critic, fakes = networks.discriminator, material.fakes
    names = [name for name in ("reconstruction", "blend") if name in fakes]
    batch = torch.cat([material.images, *(fakes[name] for name in names)])
    logits, mixed, _ = critic.judge(batch)
    real, *made = logits.chunk(len(names) + 1)
    losses = [adversarial.discriminator_loss(experiment.adversarial, fake, real) for fake in made]
    terms = {"discriminator": torch.stack(losses).mean()}
    if experiment.losses.mixing and "blend" in fakes:
        parts = dict(zip(["real", *names], mixed.chunk(len(names) + 1), strict=True))
        error = (parts["blend"] - adversarial.mixing_target(fakes["alpha"])).square().mean()
        terms["mixing_error"] = error + parts["real"].square().mean()
    if material.penalise:
        weight = experiment.gradient_penalty * experiment.gradient_penalty_every
        with torch.autocast(batch.device.type, enabled=False):  # its gradient's gradient underflows in bf16
            penalty = adversarial.gradient_penalty(critic, material.images)
            if experiment.adversarial == "relativistic":
                penalty = penalty + adversarial.gradient_penalty(critic, fakes[names[-1]])
        terms["gradient_penalty"] = weight * penalty
    result = _summed(terms, batch)
    result["real_logit"] = real.detach().mean()
    for name, fake in zip(names, made, strict=True):
        result[f"{name}_logit"] = fake.detach().mean()
    return result


OBJECTIVES: dict[str, Objective] = {
    "reconstruct": reconstruct,
    "blend": blend,
    "joint": joint,
    "discriminate": discriminate,
}
"""The phases that an experiment can name."""
