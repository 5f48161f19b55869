"""Refusing experiments whose settings contradict each other, before any time is spent on them."""

from __future__ import annotations

from ..errors import FeatureblendError
from .experiment import Experiment, Phase
from .losses import adversarial
from .networks.vgg import vgg_weights
from .objective import LEARNERS, OBJECTIVES

CHOICES = {
    "adversarial": adversarial.KINDS,
    "precision": ("fp32", "bf16"),
    "gradient_penalty_form": ("r1", "wgan-gp"),
    "compile": ("never", "cuda", "always"),
    "surroundings": ("mean", "auto"),
}
POSITIVE = ("batch_size", "images", "gradient_penalty_every", "learning_rate", "discriminator_learning_rate")
SHARES = ("even_blends", "warp", "degrade", "label_smoothing", "triplet_share")
NEEDS = {
    "adversarial_reconstruction": "discriminate",
    "adversarial_blend": "discriminate",
    "mixing": "discriminate",
    "feature_matching": "discriminate",
    "prior": "discriminate_prior",
    "damage": "clean",
    "lpips": "teach",
}
"""Terms of the loss, and the phase without which they, or their critic, are never looked at."""
MAKERS = {"discriminate": ("reconstruct", "blend", "joint"), "discriminate_prior": ("match_prior",)}
"""Who makes what a critic judges."""


def check(experiment: Experiment) -> None:
    """Refuse an experiment that cannot be trained.

    Raises
    ------
    FeatureblendError
        That names the setting.
    """
    for phase in experiment.phases:
        _check_phase(phase)
    _check_critics(experiment)
    _check_values(experiment)
    _check_vgg(experiment)
    _check_lpips(experiment)


def _check_phase(phase: Phase) -> None:
    if phase.objective not in OBJECTIVES:
        raise _wrong(f"unknown objective {phase.objective!r}: use one of {', '.join(OBJECTIVES)}")
    learner = LEARNERS.get(phase.objective, "autoencoder")
    if phase.learner != learner:
        raise _wrong(f"from {phase.objective!r} the {learner} learns, not {phase.learner!r}")
    if phase.times < 1 or min(phase.first_times, phase.first_steps) < 0:
        raise _wrong(f"{phase.objective!r} cannot be done {phase.times} times a step, and first {phase.first_times}")
    if max(phase.times, phase.first_times) > 1 and learner == "autoencoder":
        raise _wrong(f"{phase.objective!r} can be done once a step: only a discriminator makes several updates")


def _check_critics(experiment: Experiment) -> None:
    phases = {phase.objective for phase in experiment.phases}
    if not phases - set(LEARNERS) - {"match_prior"}:
        raise _wrong("no phase teaches the autoencoder" + (" to decode" if "match_prior" in phases else ""))
    for name, makers in MAKERS.items():
        if name in phases and not phases.intersection(makers):
            raise _wrong(f"{name!r} needs what another phase makes: add one of {', '.join(makers)}")
    for term, phase in NEEDS.items():
        if getattr(experiment.losses, term) and phase not in phases:
            raise _wrong(f"losses.{term} needs a phase {phase!r}")
    if experiment.losses.prior and "match_prior" not in phases:
        raise _wrong("losses.prior needs a phase 'match_prior'")
    if "discriminate" in phases and not experiment.discriminator:
        raise _wrong("the phase 'discriminate' needs a discriminator")


def _check_values(experiment: Experiment) -> None:
    for name, choices in CHOICES.items():
        if getattr(experiment, name) not in choices:
            raise _wrong(f"{name} is {getattr(experiment, name)!r}: use one of {', '.join(choices)}")
    for name in POSITIVE:
        if not getattr(experiment, name) > 0:
            raise _wrong(f"{name} must be more than 0, not {getattr(experiment, name)}")
    for name in SHARES:
        if not 0 <= getattr(experiment, name) <= 1:
            raise _wrong(f"{name} must be between 0 and 1, not {getattr(experiment, name)}")
    if experiment.label_smoothing and experiment.adversarial not in adversarial.SMOOTHED:
        raise _wrong(f"label_smoothing needs labels: use adversarial={' or '.join(adversarial.SMOOTHED)}")
    clip = experiment.critic_clip
    if clip is not None and (len(clip) != 2 or not clip[0] <= clip[1]):
        raise _wrong(f"critic_clip is {clip!r}: expected a lower and an upper bound, such as [-0.01, 0.01]")
    if experiment.surroundings == "auto" and experiment.model != "modern":
        raise _wrong("surroundings 'auto' needs a spatial latent: use the model 'modern', or surroundings 'mean'")
    if any(phase.objective == "clean" for phase in experiment.phases):
        if experiment.model != "modern" or not experiment.model_options.get("cleaner_widths"):
            raise _wrong("the phase 'clean' needs a cleaner: use the model 'modern' with model_options.cleaner_widths")
        if not experiment.degrade:
            raise _wrong("the phase 'clean' needs degraded inputs: set degrade")
    if experiment.parents < 2:
        raise _wrong(f"a blend is of 2 parents or more, not {experiment.parents}")


def _check_vgg(experiment: Experiment) -> None:
    """Tell in one line which weights are missing, or that nobody wants those that are named."""
    encoder = str(experiment.model_options.get("encoder", "paper"))
    encoder = encoder if encoder.startswith("vgg") else ""
    seen = str(experiment.perceptual_options.get("name", "vgg16")) if experiment.losses.perceptual else ""
    named = experiment.vgg_weights
    if not (encoder or seen):
        if named:
            raise _wrong("vgg_weights is set, but neither a VGG encoder nor losses.perceptual looks at it")
        return
    if encoder and seen and encoder != seen and not experiment.from_scratch:
        raise _wrong(f"one file of weights cannot be both {encoder}'s and {seen}'s: set perceptual_options.name alike")
    if named and experiment.from_scratch:
        raise _wrong("vgg_weights and from_scratch contradict each other: leave one out")
    if not vgg_weights(encoder or seen, named) and not experiment.from_scratch:
        if (encoder or seen) == "vgg16_st":
            which = "the VGG16 of stlpips_pytorch: pip install 'featureblend[train]'"
        else:
            which = f"torchvision's weights of {encoder or seen}: name the file with --vgg-weights FILE"
        raise _wrong(f"{experiment.name} wants {which}, or do without with --from-scratch")


def _check_lpips(experiment: Experiment) -> None:
    wanted, named = bool(experiment.losses.lpips), bool(experiment.lpips_weights)
    if named and not wanted:
        raise _wrong("lpips_weights is set, but losses.lpips is 0")
    if named and experiment.from_scratch:
        raise _wrong("lpips_weights and from_scratch contradict each other: leave one out")
    if wanted and not named and not experiment.from_scratch:
        raise _wrong(
            f"{experiment.name} wants the weights of LPIPS: name the file with --lpips-weights FILE, or do without "
            "with --from-scratch"
        )
    if wanted and experiment.lpips_side < 32:
        raise _wrong(f"lpips_side {experiment.lpips_side}: LPIPS looks at 32 pixels or more")


def _wrong(what: str) -> FeatureblendError:
    return FeatureblendError(f"this experiment cannot be trained: {what}")
