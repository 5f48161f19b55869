"""What each phase of training minimises: one pure function a phase.

Each takes the networks, the step's batch and the experiment, and returns a dict with the scalar
``"loss"`` to minimise, detached scalars for the log, and under ``"outputs"`` the pictures that the
discriminator's phase judges. The paper's scheme (section 2) is `reconstruct` on a batch a, `blend` on
batches a and b, `discriminate`; `joint` is reconstruct and blend from one pass through the encoder.
`teach` learns from triplets what the decoded mean of latents should be, beside reconstruction.
An adversarial autoencoder adds `match_prior` and `discriminate_prior`, whose adversary looks at codes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ..errors import FeatureblendError
from .batches import moved, seeded
from .degradation import KINDS, degraded, degraded_with_kinds
from .experiment import Experiment
from .groups import group_size, mixed_in_groups, mixed_pictures
from .losses import adversarial, reconstruction
from .networks.cleaning import SIGNS
from .step import Batch, TrainingNetworks
from .warping import warp_to_group_means

Result = dict[str, Any]
Objective = Callable[[TrainingNetworks, Batch, Experiment], Result]


def _sampled(
    networks: TrainingNetworks, images: Tensor, batch: Batch, name: str, parts: Sequence[int] = ()
) -> tuple[Tensor, Any]:
    """Encode and draw from the posterior, with noise that the step fixes; `parts` as `Batch.noise`."""
    posterior = networks.autoencoder.posterior(images)
    return posterior.sample(partial(batch.noise, name, parts=parts)), posterior


def _spoilt(images: Tensor, batch: Batch, experiment: Experiment, *parts: int) -> Tensor:
    """What the encoder sees of pictures: some are degraded; `parts` as `Batch.places`."""
    if not experiment.degrade:
        return images
    places = batch.places(*(parts or (len(images),)))
    return degraded(images, experiment.degrade, (*batch.seed, 0), places, batch.world * len(images))


def _reconstruction_terms(
    networks: TrainingNetworks, output: Tensor, images: Tensor, posterior: Any, experiment: Experiment
) -> dict[str, Tensor]:
    weights = experiment.losses
    # Pooling is slow on three channels that lie together.
    output, images = output.float().contiguous(), images.contiguous()
    terms = {}
    if weights.l1:
        terms["l1"] = weights.l1 * reconstruction.l1(output, images)
    if weights.mse:
        terms["mse"] = weights.mse * reconstruction.mse(output, images)
    if weights.ssim:
        terms["ssim"] = weights.ssim * reconstruction.ssim_loss(output, images)
    if weights.laplacian:
        terms["laplacian"] = weights.laplacian * reconstruction.laplacian_l1(output, images)
    if weights.texture:
        energies = reconstruction.band_energies(output), reconstruction.band_energies(images)
        terms["texture"] = weights.texture * reconstruction.texture_l1(*energies)
    if weights.perceptual:
        with torch.no_grad():
            wanted = networks.perceptual(images)
        terms["perceptual"] = weights.perceptual * reconstruction.perceptual_loss(networks.perceptual(output), wanted)
    if weights.kl and posterior is not None:
        terms["kl"] = weights.kl * posterior.kl().float().mean() / images[0].numel()
    return terms


def _adversarial_terms(
    networks: TrainingNetworks, batch: Batch, experiment: Experiment, made: dict[str, Tensor], target: Tensor
) -> dict[str, Tensor]:
    """Judge what the generator made: `made` holds 'reconstruction', of `target`, 'blend' or both."""
    weights, ramp, kind = experiment.losses, batch.ramp, experiment.adversarial
    shares = {"reconstruction": weights.adversarial_reconstruction, "blend": weights.adversarial_blend}
    photos: Any = None  # what the critic says of them, asked once
    terms: dict[str, Tensor] = {}
    for name, images in made.items():
        share = ramp * shares[name]
        matching = weights.feature_matching if name == "reconstruction" else 0.0
        mixing = ramp * weights.mixing if name == "blend" else 0.0
        if not (share or matching or mixing):
            continue
        with torch.no_grad():
            if photos is None and ((share and kind == "relativistic") or (matching and target is batch.images)):
                photos = networks.discriminator.judge(batch.images)
            if matching:  # features are compared place by place, so that a warped face is compared with itself
                own = photos if target is batch.images else networks.discriminator.judge(target)
        shown = images.detach() if experiment.detach_adversary else images.view_as(images)
        if shown.requires_grad:
            shown.retain_grad()
        batch.judged.append(shown)
        logits, mixed, maps = networks.discriminator.judge(shown)
        if share:
            terms[f"adversarial_{name}"] = share * adversarial.generator_loss(kind, logits, photos and photos[0])
        if matching:
            terms["feature_matching"] = matching * reconstruction.feature_l1(maps, own[2], batch.mean)
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
    networks: TrainingNetworks,
    output: Tensor,
    latent: Tensor,
    mixed: Callable[[Tensor], Tensor],
    images: Tensor,
    experiment: Experiment,
) -> dict[str, Tensor]:
    """Hold a blend to what its parents say of it; `mixed` mixes pictures or maps of theirs as their latents were."""
    weights = experiment.losses
    terms = {}
    if weights.anchor:
        terms["anchor"] = weights.anchor * reconstruction.anchor_l1(output.float(), mixed(images))
    if weights.texture:
        wanted = [mixed(energy) for energy in reconstruction.band_energies(images)]
        energies = reconstruction.band_energies(output.float())
        terms["blend_texture"] = weights.texture * reconstruction.texture_l1(energies, wanted)
    if weights.cycle:
        again = networks.autoencoder.encode(output)
        terms["cycle"] = weights.cycle * (again - latent.detach()).float().square().mean()
    return terms


def _mixed(first: Tensor, second: Tensor, alpha: Tensor) -> Tensor:
    """Mix with `alpha` (B,) the weight of the second."""
    return torch.lerp(first, second, alpha.to(first).reshape(-1, *[1] * (first.ndim - 1)))


def _summed(terms: dict[str, Tensor], like: Tensor) -> Result:
    constant = not any(term.requires_grad for term in terms.values())
    loss = sum(terms.values(), like.new_zeros((), dtype=torch.float32, requires_grad=constant))
    return {"loss": loss, **{name: term.detach() for name, term in terms.items()}}


def reconstruct(networks: TrainingNetworks, batch: Batch, experiment: Experiment) -> Result:
    """Objective 1 of the paper: give back what came in, with a small share of adversarial loss."""
    latent, posterior = _sampled(networks, batch.images, batch, "noise a")
    output = networks.autoencoder.decode(latent)
    terms = _reconstruction_terms(networks, output, batch.images, posterior, experiment)
    terms |= _adversarial_terms(networks, batch, experiment, {"reconstruction": output}, batch.images)
    return {**_summed(terms, output), "outputs": {"reconstruction": output.detach()}}


def blend(networks: TrainingNetworks, batch: Batch, experiment: Experiment) -> Result:
    """Objective 2 of the paper: the decoded mean of two latents looks like a photo."""
    others = batch.others()
    alpha = batch.alphas(experiment.even_blends)
    first, _ = _sampled(networks, batch.images, batch, "noise a")
    second, _ = _sampled(networks, others, batch, "noise b")
    latent = _mixed(first, second, alpha)
    output = networks.autoencoder.decode(latent)
    terms = _adversarial_terms(networks, batch, experiment, {"blend": output}, batch.images)

    def mixed(maps: Tensor) -> Tensor:
        mine, theirs = maps.split(len(alpha))
        return _mixed(mine, theirs, alpha)

    terms |= _blend_terms(networks, output, latent, mixed, torch.cat([batch.images, others]), experiment)
    return {**_summed(terms, output), "outputs": {"blend": output.detach(), "alpha": alpha}}


def joint(networks: TrainingNetworks, batch: Batch, experiment: Experiment) -> Result:
    """Both objectives on one batch, encoded once: each face is blended with its neighbours in the batch.

    The faces of a group may be warped to their mean shape first, and inputs degraded (`warping`, `degrading`): what is
    to be reconstructed is warped, never degraded.
    """
    images, latent, posterior, mixed, shares, alpha = _in_groups(networks, batch, experiment)
    output, blended = networks.autoencoder.decode(torch.cat([latent, mixed])).chunk(2)
    terms = _reconstruction_terms(networks, output, images, posterior, experiment)
    terms |= _adversarial_terms(networks, batch, experiment, {"reconstruction": output, "blend": blended}, images)
    share_out = partial(mixed_pictures, shares=shares.float())
    terms |= _blend_terms(networks, blended, mixed, share_out, images, experiment)
    made = {"reconstruction": output.detach(), "blend": blended.detach(), "alpha": alpha}
    return {**_summed(terms, output), "outputs": made}


def _in_groups(
    networks: TrainingNetworks, batch: Batch, experiment: Experiment
) -> tuple[Tensor, Tensor, Any, Tensor, Tensor, Tensor]:
    """The pictures to make, latents and posterior, the latents mixed in groups, shares of the parents, alpha."""
    group = group_size(experiment, batch)
    images = batch.images
    if experiment.warp and batch.landmarks is not None:
        which = batch.chances("warp", len(images) // group) < experiment.warp
        images = warp_to_group_means(images, batch.landmarks, group, moved(which, images.device))
    latent, posterior = _sampled(networks, _spoilt(images, batch, experiment), batch, "noise a")
    weights = batch.weights(group, experiment.even_blends).to(latent)
    mixed, shares = mixed_in_groups(latent, weights, networks.autoencoder, experiment.surroundings)
    return images, latent, posterior, mixed, shares, 1 - weights.amax(dim=1).float()


def teach(networks: TrainingNetworks, batch: Batch, experiment: Experiment) -> Result:
    """Supervised blends: the decoded mean of two parents' latents is the face that a teacher put between them.

    The parents of triplets and the step's photos are reconstructed in the same pass. Inputs may be degraded
    (`degrading`), targets never are.
    """
    assert batch.triplets is not None  # without any the trainer does not begin
    triplets = batch.triplets()
    images = torch.cat([triplets.parents, batch.images])
    parts = len(triplets.parents), len(batch.images)
    inputs = _spoilt(images, batch, experiment, *parts)
    latent, posterior = _sampled(networks, inputs, batch, "noise a", parts)
    mixed = triplets.weights.to(latent) @ latent[: len(triplets.parents)]
    output = networks.autoencoder.decode(torch.cat([latent, mixed])).float()
    wanted = torch.cat([images, triplets.targets])
    terms = _reconstruction_terms(networks, output, wanted, posterior, experiment)
    if networks.lpips is not None:
        terms["lpips"] = experiment.losses.lpips * _lpips_of_square(networks, output, wanted, batch, experiment)
    with torch.no_grad():
        halfway = reconstruction.l1(output[len(images) :], triplets.targets)
    return {**_summed(terms, output), "halfway_l1": halfway}


def _lpips_of_square(
    networks: TrainingNetworks, output: Tensor, wanted: Tensor, batch: Batch, experiment: Experiment
) -> Tensor:
    size = output.shape[-1]
    side = min(experiment.lpips_side, size)
    top, left = torch.randint(size - side + 1, (2,), generator=seeded(*batch.seed, "lpips")).tolist()
    square = (..., slice(top, top + side), slice(left, left + side))
    return networks.lpips(output[square], wanted[square]).mean()


def clean(networks: TrainingNetworks, batch: Batch, experiment: Experiment) -> Result:
    """Clean faces where inputs are degraded, and how that was done; nothing but the cleaner learns from it.

    What undoes light works where there is light to undo, and what restores texture where that is degraded, so that
    neither learns to make up for the other; both also work on half of the clean pictures, which they learn to leave
    alone.
    """
    count = len(batch.images)
    shared = batch.places(count), batch.world * count
    inputs, ways = degraded_with_kinds(batch.images, experiment.degrade, (*batch.seed, 0), *shared)
    light = ways[:, KINDS.index("light")]
    done = {"light": light, "texture": ways.sum(dim=1) > light}
    present = torch.stack([done[sign] for sign in SIGNS], dim=1)
    idle = (batch.uniform("idle", 1) < 0.5) & ~present.any(dim=1, keepdim=True)
    output, signs = networks.autoencoder.cleaner.restored(inputs, (present | idle).float())
    terms = _reconstruction_terms(networks, output, batch.images, None, experiment)
    if experiment.losses.damage:
        error = functional.binary_cross_entropy_with_logits(signs, present.float())
        terms["damage"] = experiment.losses.damage * error
    return _summed(terms, output)


def discriminate(networks: TrainingNetworks, batch: Batch, experiment: Experiment) -> Result:
    """Teach the critic real photos from what the generator made in this step, and how far blends are mixed."""
    critic, fakes = networks.discriminator, batch.fakes
    names = [name for name in ("reconstruction", "blend") if name in fakes]
    shown = [batch.images, *(fakes[name] for name in names)]
    judged = dict(zip(["real", *names], _judged(critic, shown), strict=True))
    real = judged["real"][0]
    kind, smoothing = experiment.adversarial, experiment.label_smoothing
    losses = [adversarial.discriminator_loss(kind, judged[name][0], real, smoothing) for name in names]
    terms = {"discriminator": torch.stack(losses).mean()}
    if experiment.losses.mixing and "blend" in fakes:
        target = adversarial.mixing_target(fakes["alpha"])
        error = (_estimates(judged["blend"][1]) - target).square().mean()
        terms["mixing_error"] = error + _estimates(judged["real"][1]).square().mean()
    if batch.penalise:
        terms["gradient_penalty"] = _penalty(critic, batch, experiment)
    result = _summed(terms, real)
    for name, (logits, _) in judged.items():
        result[f"{name}_logit"] = logits.detach().mean()
    return result


def _penalty(critic: Any, batch: Batch, experiment: Experiment) -> Tensor:
    """The weighted gradient penalty; of generated pictures, blends are the harder kind, where there are both."""
    fake = batch.fakes["blend" if "blend" in batch.fakes else "reconstruction"]

    def judge(images: Tensor) -> Tensor:
        # The class's own method: a compiled one, which may stand in its place, has no second derivative.
        # Of a critic of places the mean logit is penalised: places look at the same pixels, so that the sum of their
        # penalties is a hundred times that of one logit, and a critic under it learns nothing.
        return type(critic).judge(critic, images)[0].reshape(len(images), -1).mean(dim=1)

    with torch.autocast(fake.device.type, enabled=False):  # its gradient's gradient underflows in bf16
        if experiment.gradient_penalty_form == "wgan-gp":
            share = batch.uniform("penalty", 1)[:, 0]
            penalty = adversarial.interpolated_penalty(judge, batch.images, fake, share)
        else:
            penalty = adversarial.gradient_penalty(judge, batch.images)
            if experiment.adversarial == "relativistic":
                penalty = penalty + adversarial.gradient_penalty(judge, fake)
    return experiment.gradient_penalty * experiment.gradient_penalty_every * penalty


def _judged(critic: Any, batches: list[Tensor]) -> list[tuple[Tensor, Tensor | None]]:
    """Logits and mixing estimates for each of several batches."""
    if critic.mixes_samples:
        # Batch statistics over real and generated together would tell each apart by the other's presence,
        # and the generator's phase, which shows its own pictures alone, would meet another critic.
        return [critic.judge(batch)[:2] for batch in batches]
    sizes = [len(batch) for batch in batches]
    logits, mixed, _ = critic.judge(torch.cat(batches))
    estimates = mixed.split(sizes) if mixed is not None else [None] * len(sizes)
    return list(zip(logits.split(sizes), estimates, strict=True))


def match_prior(networks: TrainingNetworks, batch: Batch, experiment: Experiment) -> Result:
    """Teach the encoder to give codes that the discriminator of codes takes for draws from N(0, I)."""
    code, _ = _sampled(networks, batch.images, batch, "noise a")
    weight = batch.ramp * experiment.losses.prior
    if not weight:
        return {**_summed({}, code), "outputs": {"code": code.detach()}}
    kind = experiment.adversarial
    real = None
    if kind == "relativistic":
        with torch.no_grad():
            real = networks.latent_discriminator(batch.noise("prior", code))
    loss = adversarial.generator_loss(kind, networks.latent_discriminator(code), real)
    return {**_summed({"prior": weight * loss}, code), "outputs": {"code": code.detach()}}


def discriminate_prior(networks: TrainingNetworks, batch: Batch, experiment: Experiment) -> Result:
    """Teach the discriminator of codes draws from N(0, I) from the codes of this step's photos."""
    code = batch.fakes["code"]
    real = networks.latent_discriminator(batch.noise("prior", code))
    fake = networks.latent_discriminator(code)
    loss = adversarial.discriminator_loss(experiment.adversarial, fake, real, experiment.label_smoothing)
    result = _summed({"prior_discriminator": loss}, real)
    return {**result, "prior_logit": real.detach().mean(), "code_logit": fake.detach().mean()}


@torch.no_grad()
def remade(networks: TrainingNetworks, batch: Batch, experiment: Experiment) -> dict[str, Tensor]:
    """Make of other photos what the experiment's phases make, for further updates of a discriminator in a step.

    Returns
    -------
    dict
        What belongs into `Batch.fakes`.
    """
    phases = {phase.objective for phase in experiment.phases}
    made: dict[str, Tensor] = {}
    if "joint" in phases:
        _, latent, _, mixed, _, alpha = _in_groups(networks, batch, experiment)
        output, blended = networks.autoencoder.decode(torch.cat([latent, mixed])).chunk(2)
        made = {"reconstruction": output, "blend": blended, "alpha": alpha}
    latent, _ = _sampled(networks, batch.images, batch, "noise a")
    if "match_prior" in phases:
        made["code"] = latent
    if "reconstruct" in phases:
        made["reconstruction"] = networks.autoencoder.decode(latent)
    if "blend" in phases:
        other, _ = _sampled(networks, batch.others(), batch, "noise b")
        made["alpha"] = batch.alphas(experiment.even_blends)
        made["blend"] = networks.autoencoder.decode(_mixed(latent, other, made["alpha"]))
    return made


OBJECTIVES: dict[str, Objective] = {
    "reconstruct": reconstruct,
    "blend": blend,
    "joint": joint,
    "teach": teach,
    "clean": clean,
    "discriminate": discriminate,
    "match_prior": match_prior,
    "discriminate_prior": discriminate_prior,
}
"""The phases that an experiment can name."""

LEARNERS = {"discriminate": "discriminator", "discriminate_prior": "latent_discriminator"}
"""Who learns from a phase, where it is not the autoencoder."""
