"""A named experiment for each thing worth training; `featureblend train --list` shows them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from .config import Experiment, LossWeights, Phase, from_dict, to_dict
from .errors import FeatureblendError

__all__ = ["PRESETS", "overridden", "preset"]

RECONSTRUCT = Phase("reconstruct", "autoencoder")
MERGE = Phase("blend", "autoencoder")
JOINT = Phase("joint", "autoencoder")
DISCRIMINATE = Phase("discriminate", "discriminator")

_MODERN_RECONSTRUCTION = LossWeights(l1=1.0, ssim=0.5, laplacian=0.5, kl=1.0)

# The paper's pixels lie in [0, 1] and ours in [-1, 1], where the same error has four times the square.
_PAPER_MSE = 0.25

# What the paper does not have is off: averaged weights, augmentation, changing learning rates.
_PAPER: dict[str, Any] = {
    "model": "paper",
    "model_options": {"final_batch_norm": False},
    "batch_size": 32,
    "images": 550_000,
    "ema_half_life": 0,
    "mirror": False,
    "shift": 0,
    "warmup": 0,
}

_ALL = (
    Experiment(
        name="paper-vae",
        description="The paper's convolutional VAE at 250 px, as meant (Figures 1 and 2)",
        losses=LossWeights(mse=_PAPER_MSE, kl=1.0),
        learning_rate=1e-3,
        final_learning_rate=1e-3,
        betas=(0.9, 0.999),
        **_PAPER,
    ),
    Experiment(
        name="paper-merge",
        description="The paper's alternating scheme, as meant: reconstruct; blend, adversarial alone; discriminate",
        discriminator="paper",
        phases=(RECONSTRUCT, MERGE, DISCRIMINATE),
        # Section 2.4's 0.9 and 0.1 for reconstructions; section 2's "100% adversarial loss" for blends.
        losses=LossWeights(mse=0.9 * _PAPER_MSE, kl=0.9, adversarial_reconstruction=0.1, adversarial_blend=1.0),
        adversarial="bce",
        even_blends=1.0,
        learning_rate=2e-4,
        final_learning_rate=2e-4,
        discriminator_learning_rate=2e-4,
        betas=(0.5, 0.999),
        discriminator_betas=(0.5, 0.999),
        **_PAPER,
    ),
    Experiment(
        name="modern-reconstruct",
        description="The bundled model's first stage: reconstruction alone, 128 px",
        model="modern",
        losses=_MODERN_RECONSTRUCTION,
        batch_size=32,
        images=120_000,
        learning_rate=1e-3,
        final_learning_rate=2e-4,
        betas=(0.9, 0.99),
        gradient_clip=1.0,
        precision="bf16",
    ),
    Experiment(
        name="modern",
        description="The bundled model: reconstruction and blends, each against an adversary, 128 px",
        model="modern",
        discriminator="modern",
        discriminator_options={"patch": 2, "widths": (32, 64, 128, 192)},
        phases=(JOINT, DISCRIMINATE),
        losses=LossWeights(
            l1=1.0,
            ssim=0.5,
            laplacian=0.5,
            kl=1.0,
            adversarial_reconstruction=0.03,
            adversarial_blend=0.1,
            mixing=0.1,
            feature_matching=0.1,
            cycle=0.1,
            anchor=0.5,
        ),
        adversarial="relativistic",
        # StyleGAN2's rule for R1, 0.0002 * size^2 / batch; ten times that left the critic too weak (docs/model.md).
        gradient_penalty=0.1,
        adversarial_start=2_500,
        adversarial_ramp=5_000,
        batch_size=32,
        images=64_000,
        learning_rate=3e-4,
        final_learning_rate=5e-5,
        discriminator_learning_rate=4e-4,
        gradient_clip=1.0,
        ema_half_life=5_000,
        precision="bf16",
        match_turn=True,
    ),
    Experiment(
        name="toy",
        description="Seconds on any machine: both objectives at 32 px, to try the machinery",
        model="modern",
        model_options={
            "image_size": 32,
            "widths": (16, 32),
            "encoder_blocks": (1, 1),
            "decoder_blocks": (1, 1),
            "spatial_channels": 8,
            "global_dim": 16,
        },
        discriminator="modern",
        discriminator_options={"image_size": 32, "widths": (16, 32)},
        phases=(JOINT, DISCRIMINATE),
        losses=LossWeights(
            l1=1.0, kl=1.0, adversarial_reconstruction=0.03, adversarial_blend=0.1, mixing=0.1, anchor=0.5
        ),
        adversarial="hinge",
        gradient_penalty=1.0,
        gradient_penalty_every=4,
        batch_size=16,
        images=4_000,
        learning_rate=1e-3,
        discriminator_learning_rate=5e-4,
        ema_half_life=500,
    ),
)

PRESETS: Mapping[str, Experiment] = {experiment.name: experiment for experiment in _ALL}
"""Experiments by name."""


def preset(name: str) -> Experiment:
    """Give the experiment of that name.

    Raises
    ------
    FeatureblendError
        If there is none.

    Examples
    --------
    >>> preset("toy").batch_size
    16
    """
    if name not in PRESETS:
        raise FeatureblendError(f"unknown preset {name!r}: use one of {', '.join(PRESETS)}")
    return PRESETS[name]


def overridden(experiment: Experiment, settings: Sequence[str]) -> Experiment:
    """Change single settings, as ``featureblend train --set`` does.

    Parameters
    ----------
    experiment : Experiment
    settings : sequence of str
        ``NAME=VALUE``, values as in JSON (or bare words for text). A dot leads into `losses`, `model_options` and
        `discriminator_options`, whose names are checked when the network is built.

    Returns
    -------
    Experiment

    Raises
    ------
    FeatureblendError
        If a setting is not there or its value is of another kind.

    Examples
    --------
    >>> changed = overridden(preset("toy"), ["batch_size=8", "losses.kl=0.5", "model_options.global_dim=0"])
    >>> changed.batch_size, changed.losses.kl, changed.model_options["global_dim"]
    (8, 0.5, 0)
    """
    values = to_dict(experiment)
    for setting in settings:
        name, equals, text = setting.partition("=")
        *outer, last = name.split(".")
        place: Any = values
        for part in outer:
            place = place.get(part) if isinstance(place, dict) else None
        free = outer in (["model_options"], ["discriminator_options"])
        if not equals or not isinstance(place, dict) or not (last in place or free) or last == "phases":
            raise FeatureblendError(f"cannot set {setting!r}: use NAME=VALUE, such as batch_size=16 or losses.kl=0.1")
        place[last] = _like(place.get(last), text, setting)
    return from_dict(Experiment, values, "--set")


def _like(before: Any, text: str, setting: str) -> Any:
    """Read a value of the kind that was there before."""
    try:
        value = json.loads(text)
    except ValueError:
        value = text
    if isinstance(before, str):
        value = text
    elif isinstance(before, float) and type(value) is int:
        value = float(value)
    elif isinstance(before, int) and isinstance(value, float) and value.is_integer():  # images=1e6
        value = int(value)
    kinds = (list, tuple) if isinstance(before, (list, tuple)) else type(before)
    if before is not None and (not isinstance(value, kinds) or isinstance(value, bool) != isinstance(before, bool)):
        raise FeatureblendError(f"cannot set {setting!r}: a value like {json.dumps(before)} is due")
    return value
