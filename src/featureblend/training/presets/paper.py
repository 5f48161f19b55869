"""A preset for each of the paper's systems, as published (its flaw included) and as meant (the flaw fixed).

Paper: Salomon Ruiz & Lipson, "Feature Blending with Variational Autoencoders and Generative Adversarial Networks".
What the text leaves open is taken from the authors' code (Lahav174/face-merger): AVCAE.py (VAE and discriminator),
AVCAE_wasserstein.py, vae_vgg.py and variational_autoencoder.py. One thing is the text's in every preset: pixels are
compared by mean squared error (section 2.4), where three of the four scripts have a cross entropy.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..experiment import Experiment, LossWeights, Phase

RECONSTRUCT = Phase("reconstruct", "autoencoder")
MERGE = Phase("blend", "autoencoder")
DISCRIMINATE = Phase("discriminate", "discriminator")
# Every critic step of the Wasserstein runs sees a batch of its own; 99 of them, then 5.
CRITIC_FIRST = replace(DISCRIMINATE, times=5, first_times=99, first_steps=25)

# The paper's pixels lie in [0, 1] and ours in [-1, 1], where the same error has four times the square.
MSE = 0.25

# Two scripts divide the divergence by 32 * 32 * 3 numbers, whatever the image's size; 0.9 and 0.1 are their weights.
KL_PUBLISHED = {size: 0.1 * (size / 32) ** 2 for size in (224, 250)}

# The code's heads, straight from the convolutions' 10,368 numbers, and the text's (first) width.
_CODE: dict[str, Any] = {"feature_dim": None, "latent_dim": 2000}
_FIXED: dict[str, Any] = {**_CODE, "final_batch_norm": False}
_FLAWED: dict[str, Any] = {**_CODE, "final_batch_norm": True}

# What the paper does not have is off: averaged weights, augmentation, changing learning rates.
_PAPER: dict[str, Any] = {
    "model": "paper",
    "batch_size": 32,
    "images": 550_000,
    "ema_half_life": 0,
    "mirror": False,
    "shift": 0,
    "warmup": 0,
}


def _rates(autoencoder: float, betas: tuple[float, float], critic: float | None = None) -> dict[str, Any]:
    """The settings of constant learning rates."""
    settings: dict[str, Any] = {"learning_rate": autoencoder, "final_learning_rate": None, "betas": betas}
    if critic is not None:
        settings |= {"discriminator_learning_rate": critic, "discriminator_betas": betas}
    return settings


def _plain(latent_dim: int, **options: Any) -> dict[str, Any]:
    return {"variational": False, "final_batch_norm": False, "feature_dim": None, "latent_dim": latent_dim, **options}


def _autoencoders() -> list[Experiment]:
    """Section 2.2: a standard autoencoder with a growing latent, a deeper one, and VGG11 as the encoder."""
    common: dict[str, Any] = {"losses": LossWeights(mse=MSE), **_rates(1e-3, (0.9, 0.999)), **_PAPER}
    found = [
        Experiment(
            name=f"paper-ae-{latent_dim}",
            description=f"The paper's standard autoencoder with {latent_dim:,} numbers in its latent, as meant",
            model_options=_plain(latent_dim),
            **common,
        )
        for latent_dim in (200, 2000, 5000)
    ]
    deep = "The paper's autoencoder with more layers and filters, towards VGG, as meant"
    options = _plain(2000, width=2.0, extra=2)
    found.append(Experiment(name="paper-ae-deep", description=deep, model_options=options, **common))
    vgg = {"image_size": 224, "feature_dim": None, "latent_dim": 4096}
    return [
        *found,
        Experiment(
            name="paper-vgg11",
            description="The paper's VAE with pretrained VGG11 as its encoder, as meant; needs --vgg-weights",
            model_options={**vgg, "encoder": "vgg11", "imagenet_statistics": True, "final_batch_norm": False},
            losses=LossWeights(mse=MSE, kl=1.0),
            **_rates(2e-4, (0.9, 0.999)),
            **_PAPER,
        ),
        Experiment(
            name="paper-vgg16",
            description="The paper's VAE with a pretrained encoder whose weights are at hand: VGG16 of stlpips_pytorch",
            model_options={**vgg, "encoder": "vgg16_st", "imagenet_statistics": True, "final_batch_norm": False},
            losses=LossWeights(mse=MSE, kl=1.0),
            **_rates(2e-4, (0.9, 0.999)),
            **_PAPER,
        ),
        Experiment(
            name="paper-vgg11-published",
            description="Flaw: decoder ends BatchNorm, ReLU, sigmoid; no ImageNet statistics; KL over 32*32*3",
            model_options={**vgg, "encoder": "vgg11_bn", "output": "relu_sigmoid"},
            losses=LossWeights(mse=0.9 * MSE, kl=KL_PUBLISHED[224]),
            **_rates(1e-3, (0.9, 0.999)),
            **_PAPER,
        ),
    ]


def _variational() -> list[Experiment]:
    """Section 2.2's convolutional VAE (Figures 1 and 2), and the same with a perceptual loss (section 1.1)."""
    common: dict[str, Any] = {**_rates(1e-3, (0.9, 0.999)), **_PAPER}
    return [
        Experiment(
            name="paper-vae",
            description="The paper's convolutional VAE at 250 px, as meant (Figures 1 and 2)",
            model_options=_FIXED,
            losses=LossWeights(mse=MSE, kl=1.0),
            **common,
        ),
        Experiment(
            name="paper-vae-published",
            description="Flaw: KL over 32*32*3 numbers in place of 250*250*3; BatchNorm before the sigmoid",
            model_options=_FLAWED,
            losses=LossWeights(mse=0.9 * MSE, kl=KL_PUBLISHED[250]),
            **common,
        ),
        Experiment(
            name="paper-perceptual",
            description="The paper's VAE with a perceptual loss (its reference 6), as meant; VGG16 of stlpips_pytorch",
            model_options=_FIXED,
            losses=LossWeights(mse=MSE, kl=1.0, perceptual=0.02),
            perceptual_options={"name": "vgg16_st"},
            **common,
        ),
    ]


def _vaegan(name: str, share: float, description: str, **changes: Any) -> Experiment:
    """Sections 2.3 and 2.4, as meant: logits, Adam with a small beta1, no BatchNorm in the critic, R1."""
    settings: dict[str, Any] = {
        "model_options": _FIXED,
        "discriminator": "paper",
        "discriminator_options": {"batch_norm": False},
        "phases": (RECONSTRUCT, DISCRIMINATE),
        "losses": LossWeights(mse=MSE * (1 - share), kl=1 - share, adversarial_reconstruction=share),
        "adversarial": "bce",
        "gradient_penalty": 1.0,
        **_rates(2e-4, (0.5, 0.999), 2e-4),
        **_PAPER,
    }
    return Experiment(name=name, description=description, **{**settings, **changes})


def _with_discriminator() -> list[Experiment]:
    """VAE and discriminator at each share of adversarial loss (Figures 3 to 6)."""
    found = []
    for percent in (1, 5, 10, 20, 50):
        name, share = f"paper-vaegan-{percent:02d}", percent / 100
        found.append(_vaegan(name, share, f"The paper's VAE with {percent} % adversarial loss (BCE), as meant"))
        found.append(
            _vaegan(
                f"{name}-published",
                share,
                "Flaw: Adam 2e-3 with beta1 0.9, BatchNorm in both nets and last, BCE after a sigmoid",
                model_options=_FLAWED,
                discriminator_options={},
                # AVCAE.py halves its reconstruction loss: 0.5 MSE + 0.5 KL.
                losses=LossWeights(mse=0.5 * (1 - share) * MSE, kl=0.5 * (1 - share), adversarial_reconstruction=share),
                adversarial="bce_sigmoid",
                gradient_penalty=0.0,
                **_rates(2e-3, (0.9, 0.999), 2e-3),
                **{"batch_size": 64},
            )
        )
    return found


def _merging() -> Experiment:
    """Section 2's alternating scheme, which no commit of the authors' code holds."""
    return Experiment(
        name="paper-merge",
        description="The paper's alternating scheme, as meant: reconstruct; blend, adversarial alone; discriminate",
        model_options={"final_batch_norm": False},
        discriminator="paper",
        phases=(RECONSTRUCT, MERGE, DISCRIMINATE),
        # Section 2.4's 0.9 and 0.1 for reconstructions; section 2's "100% adversarial loss" for blends.
        losses=LossWeights(mse=0.9 * MSE, kl=0.9, adversarial_reconstruction=0.1, adversarial_blend=1.0),
        adversarial="bce",
        even_blends=1.0,
        **_rates(2e-4, (0.5, 0.999), 2e-4),
        **_PAPER,
    )


def _wasserstein() -> list[Experiment]:
    """Section 2.4's Wasserstein runs (Figures 7 and 8)."""
    share = 0.5
    losses = LossWeights(mse=MSE * (1 - share), kl=1 - share, adversarial_reconstruction=share)
    common: dict[str, Any] = {**_PAPER, "discriminator": "paper", "adversarial": "wgan", "batch_size": 64}
    return [
        Experiment(
            name="paper-wgan",
            description="The paper's Wasserstein run, weights clipped to -0.01 ... 0.01, as meant (Figures 7 and 8)",
            model_options=_FIXED,
            phases=(RECONSTRUCT, CRITIC_FIRST),
            losses=losses,
            critic_clip=(-0.01, 0.01),
            **_rates(2e-4, (0.0, 0.9), 5e-5),
            **common,
        ),
        Experiment(
            name="paper-wgan-published",
            description="Flaw: critic weights clipped to exactly 0.01, its gradient cut by detach; BatchNorm last",
            model_options={**_FLAWED, "latent_dim": 5000},
            phases=(RECONSTRUCT, CRITIC_FIRST),
            losses=LossWeights(mse=0.5 * MSE, kl=0.5, adversarial_reconstruction=1.0),
            critic_clip=(0.01, 0.01),
            detach_adversary=True,
            **_rates(5e-5, (0.9, 0.999), 5e-4),
            **{**common, "images": 195_000},
        ),
        Experiment(
            name="paper-wgan-gp",
            description="The paper's Wasserstein run with a gradient penalty (Gulrajani et al. 2017) for clipping",
            model_options=_FIXED,
            discriminator_options={"batch_norm": False},
            phases=(RECONSTRUCT, replace(DISCRIMINATE, times=5)),
            # The penalty holds the critic's slope at 1 for each picture, where that of a mean of squares is about
            # 0.0004 at 250 px: with a share of 0.5 nothing is left of the reconstruction. This is about half by slope.
            losses=LossWeights(mse=MSE, kl=1.0, adversarial_reconstruction=0.0005),
            gradient_penalty=10.0,
            gradient_penalty_form="wgan-gp",
            gradient_penalty_every=1,
            **_rates(2e-4, (0.0, 0.9), 1e-4),
            **common,
        ),
    ]


def _others() -> list[Experiment]:
    """The related work's adversarial autoencoder, and section 4's improvements, which the paper never ran."""
    improved = {"share": 0.1}
    return [
        Experiment(
            name="aae",
            description="An adversarial autoencoder (Makhzani et al. 2016): the adversary looks at the latent",
            model_options=_plain(200),
            phases=(
                RECONSTRUCT,
                Phase("match_prior", "autoencoder"),
                Phase("discriminate_prior", "latent_discriminator"),
            ),
            losses=LossWeights(mse=MSE, prior=0.01),
            adversarial="bce",
            **_rates(2e-4, (0.5, 0.999), 2e-4),
            **_PAPER,
        ),
        _vaegan(
            "paper-multiscale",
            description="Section 4: each convolution's output beside that of the layer before; 10 % adversarial",
            model_options={**_FIXED, "multi_scale": True},
            discriminator_options={"batch_norm": False, "multi_scale": True},
            **improved,
        ),
        _vaegan(
            "paper-featurematch",
            description="Section 4: feature matching, in Larsen's form; 10 % adversarial loss",
            losses=LossWeights(mse=0.9 * MSE, kl=0.9, adversarial_reconstruction=0.1, feature_matching=0.1),
            **improved,
        ),
        _vaegan(
            "paper-minibatch",
            description="Section 4: minibatch discrimination (Salimans et al. 2016); 10 % adversarial loss",
            discriminator_options={"batch_norm": False, "minibatch_kernels": 50},
            **improved,
        ),
        _vaegan(
            "paper-smoothing",
            description="Section 4: one-sided label smoothing of 0.1 (Salimans et al. 2016); 10 % adversarial loss",
            label_smoothing=0.1,
            **improved,
        ),
    ]


PAPER_PRESETS: tuple[Experiment, ...] = (
    *_autoencoders(),
    *_variational(),
    *_with_discriminator(),
    _merging(),
    *_wasserstein(),
    *_others(),
)
"""In the order of the paper."""
