"""A named experiment for each thing worth training; `featureblend train --list` shows them."""

from __future__ import annotations

from collections.abc import Mapping

from .config import Experiment, LossWeights, Phase
from .errors import FeatureblendError

__all__ = ["PRESETS", "preset"]

RECONSTRUCT = Phase("reconstruct", "autoencoder")
MERGE = Phase("blend", "autoencoder")
JOINT = Phase("joint", "autoencoder")
DISCRIMINATE = Phase("discriminate", "discriminator")

_MODERN_RECONSTRUCTION = LossWeights(l1=1.0, ssim=0.5, laplacian=0.5, kl=1.0)

_ALL = (
    Experiment(
        name="paper-vae",
        description="The paper's convolutional VAE at 250 px, as meant (Figures 1 and 2)",
        model="paper",
        losses=LossWeights(mse=1.0, kl=1.0),
        batch_size=32,
        images=550_000,
        learning_rate=1e-3,
        betas=(0.9, 0.999),
        ema_half_life=0,
        shift=0,
    ),
    Experiment(
        name="paper-merge",
        description="The paper's alternating scheme: reconstruct, blend with adversarial loss alone, discriminate",
        model="paper",
        discriminator="paper",
        phases=(RECONSTRUCT, MERGE, DISCRIMINATE),
        losses=LossWeights(mse=0.9, kl=1.0, adversarial_reconstruction=0.1, adversarial_blend=1.0),
        adversarial="bce",
        batch_size=32,
        images=550_000,
        learning_rate=2e-4,
        betas=(0.5, 0.999),
        discriminator_betas=(0.5, 0.999),
        ema_half_life=0,
        shift=0,
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
        phases=(JOINT, DISCRIMINATE),
        losses=LossWeights(
            l1=1.0,
            ssim=0.5,
            laplacian=0.5,
            kl=1.0,
            adversarial_reconstruction=0.03,
            adversarial_blend=0.1,
            mixing=0.1,
            feature_matching=0.5,
            cycle=0.1,
            anchor=0.5,
        ),
        adversarial="relativistic",
        gradient_penalty=1.0,
        adversarial_start=2_000,
        adversarial_ramp=10_000,
        batch_size=32,
        images=100_000,
        learning_rate=3e-4,
        final_learning_rate=5e-5,
        discriminator_learning_rate=3e-4,
        gradient_clip=1.0,
        precision="bf16",
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
