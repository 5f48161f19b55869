"""The presets of the bundled model, and a toy to try the machinery."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..experiment import Experiment, LossWeights, Phase

JOINT = Phase("joint", "autoencoder")
DISCRIMINATE = Phase("discriminate", "discriminator")

# The decoder goes on to 64 x 64, so that its head unfolds only 2 x 2 pixels: 4 x 4 left a lattice of that period.
_MODERN: dict[str, Any] = {"detail_widths": (32,)}
_FINE: dict[str, Any] = {**_MODERN, "fine_channels": 20, "fine_skip": True}
_MODERN_RECONSTRUCTION = LossWeights(l1=1.0, ssim=0.5, laplacian=0.5, kl=1.0)

_MODERN_JOINT = Experiment(
    name="modern",
    description="The bundled model: reconstruction and blends, each against an adversary, 128 px",
    model="modern",
    model_options=_MODERN,
    discriminator="modern",
    discriminator_options={"patch": 2, "widths": (32, 64, 128, 192)},
    phases=(JOINT, DISCRIMINATE),
    losses=LossWeights(
        l1=1.0,
        ssim=0.3,
        laplacian=0.3,
        kl=1.0,
        adversarial_reconstruction=0.05,
        adversarial_blend=0.1,
        mixing=0.1,
        feature_matching=0.3,
        cycle=0.1,
        anchor=0.5,
    ),
    adversarial="relativistic",
    # StyleGAN2's rule for R1, 0.0002 * size^2 / batch, halved; with ten times that the critic guessed (loss .86).
    gradient_penalty=0.1,
    adversarial_start=2_000,
    adversarial_ramp=8_000,
    batch_size=16,
    images=150_000,
    learning_rate=1.5e-4,
    final_learning_rate=3e-5,
    discriminator_learning_rate=4e-4,
    gradient_clip=1.0,
    ema_half_life=5_000,
    precision="bf16",
    match_turn=True,
    surroundings="auto",
    parents=4,
    warp=0.75,
    degrade=0.15,
)

OUR_PRESETS: tuple[Experiment, ...] = (
    Experiment(
        name="modern-reconstruct",
        description="The bundled model's first stages: reconstruction alone, 128 px",
        model="modern",
        model_options=_MODERN,
        losses=_MODERN_RECONSTRUCTION,
        batch_size=32,
        images=120_000,
        learning_rate=1e-3,
        final_learning_rate=2e-4,
        betas=(0.9, 0.99),
        gradient_clip=1.0,
        precision="bf16",
    ),
    _MODERN_JOINT,
    replace(
        _MODERN_JOINT,
        name="modern-finish",
        description="The bundled model's third stage: small batches and a critic that learns twice as often",
        phases=(JOINT, Phase("discriminate", "discriminator", times=2)),
        losses=replace(_MODERN_JOINT.losses, adversarial_reconstruction=0.1),
        gradient_penalty=0.05,
        adversarial_start=0,
        adversarial_ramp=0,
        batch_size=8,
        images=60_000,
        learning_rate=1e-4,
        ema_half_life=4_000,
    ),
    replace(
        _MODERN_JOINT,
        name="modern-fine",
        description="The bundled model's stage fine-3: blends and spoilt inputs for all networks, no critic",
        model_options=_FINE,
        discriminator="",
        discriminator_options={},
        phases=(JOINT,),
        # A divergence at full weight keeps the fine codes at twice the noise's size, too little to say much.
        losses=LossWeights(l1=1.0, ssim=0.5, laplacian=1.0, texture=0.2, kl=0.05, anchor=0.5),
        adversarial_start=0,
        adversarial_ramp=0,
        batch_size=8,
        images=8_000,
        learning_rate=2e-4,
        final_learning_rate=3e-5,
        betas=(0.9, 0.99),
        warmup=200,
        ema_half_life=2_000,
    ),
    Experiment(
        name="modern-clean",
        description="The bundled model's last stage: the cleaner alone, on spoilt photos; all else stays as it is",
        model="modern",
        model_options={**_FINE, "cleaner_widths": (32, 64, 96, 128)},
        phases=(Phase("clean", "autoencoder"),),
        losses=LossWeights(l1=1.0, laplacian=0.5, damage=0.1),
        degrade=0.7,
        batch_size=16,
        images=60_000,
        learning_rate=1.5e-3,
        final_learning_rate=2e-5,
        betas=(0.9, 0.99),
        warmup=500,
        gradient_clip=1.0,
        ema_half_life=1_000,
    ),
    Experiment(
        name="taught",
        description="Blends taught by a generator's triplets (--triplets): a global latent and one of 8 x 8, 128 px",
        model="hierarchical",
        # Finer latents draw the parents sooner, and their mean shows both parents' outlines (docs/experiments.md).
        model_options={"latent_channels": (0, 0, 48)},
        phases=(Phase("teach", "autoencoder"),),
        losses=LossWeights(l1=1.0, laplacian=1.0, lpips=1.0, kl=0.1),
        batch_size=24,
        images=400_000,
        learning_rate=6e-4,
        final_learning_rate=3e-5,
        betas=(0.9, 0.99),
        gradient_clip=1.0,
        precision="bf16",
        degrade=0.15,
    ),
    Experiment(
        name="toy",
        description="A minute on any machine: both objectives at 32 px, to try the machinery",
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
"""In the order in which they are trained."""
