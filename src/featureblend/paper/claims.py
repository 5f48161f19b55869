"""The paper's claims, each judged by a rule from the numbers of our runs: no verdict is written down anywhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from . import rules
from .plan import PUBLISHED, SHARES
from .rules import AGAINST, BLURRED, CAST, COLLAPSED, EARLY, ENOUGH, MISSING, RISEN, SWING, Finding, Results

__all__ = ["CLAIMS", "MERGING_CLAIM", "Claim"]


@dataclass(frozen=True)
class Claim:
    """A sentence of the paper that runs can bear out or not."""

    key: str
    """A short name."""
    place: str
    """Section or figure of the paper."""
    words: str
    """What it says, in its words or nearly."""
    rule: str
    """How it is judged, for the reader."""
    needs: tuple[str, ...]
    """Presets whose results the rule reads."""
    judge: Callable[[Any], Finding]
    """The rule, on the results."""

    def finding(self, results: Results) -> Finding:
        """Judge the claim by what there is.

        Parameters
        ----------
        results : mapping of str to RunResult

        Returns
        -------
        Finding
        """
        missing = [name for name in self.needs if name not in results]
        if missing:
            return Finding(MISSING, f"no run of {', '.join(missing)}")
        # A run that broke down has come as far as it ever will.
        young = [name for name in self.needs if results[name].share < ENOUGH and not results[name].trouble]
        if young:
            far = ", ".join(f"{name} {results[name].images:,} of {results[name].due:,} images" for name in young)
            return Finding(EARLY, far)
        return self.judge(results)


_VAE, _WGAN = ("paper-vae" + PUBLISHED, "paper-vae"), ("paper-wgan" + PUBLISHED, "paper-wgan")


def _shares(*shares: str) -> tuple[str, ...]:
    return tuple(f"paper-vaegan-{share}{ending}" for share in shares for ending in (PUBLISHED, ""))


_COLLAPSE = (
    f"diversity that rose over {RISEN} is at the end under {COLLAPSED} or a third of its highest; "
    "explained where the same share as meant keeps it"
)
_ALL_PUBLISHED = tuple(f"paper-vaegan-{share}{PUBLISHED}" for share in SHARES)

CLAIMS: tuple[Claim, ...] = (
    Claim(
        "ae-blurry",
        "2.2",
        "The results of a standard autoencoder were somewhat blurry, as expected.",
        f"sharpness of its reconstructions under {BLURRED}",
        ("paper-ae-200", "paper-ae-2000"),
        rules.autoencoder_blurry,
    ),
    Claim(
        "latent-width",
        "2.2",
        "Increasing the size of the latent space yielded slightly less blurry results, although not much change.",
        "PSNR gained from 200 to 5000 numbers: more than 0 and at most 2 dB",
        ("paper-ae-200", "paper-ae-2000", "paper-ae-5000"),
        rules.wider_latent,
    ),
    Claim(
        "deeper",
        "2.2",
        "More layers and filters, towards VGG, got us slightly better results.",
        "PSNR above that of the paper's own encoder",
        ("paper-ae-2000", "paper-ae-deep"),
        rules.deeper_encoder,
    ),
    Claim(
        "vgg-worse",
        "2.2",
        "With VGG11 as the encoder, our results actually worsened.",
        "PSNR below that of the paper's own encoder; explained where only the published decoder is",
        ("paper-ae-2000", "paper-vgg11" + PUBLISHED, "paper-vgg11"),
        rules.vgg_worse,
    ),
    Claim(
        "vgg-slow",
        "2.2",
        "With VGG11, training time increased substantially.",
        "at least twice the time an image",
        ("paper-ae-2000", "paper-vgg11"),
        rules.vgg_slow,
    ),
    Claim(
        "vae-sharper",
        "2.2",
        "Configured as a variational autoencoder: slightly less blurry results.",
        "sharpness above that of the plain autoencoder",
        ("paper-ae-200", *_VAE),
        rules.vae_sharper,
    ),
    Claim(
        "vae-blurry",
        "3, Figures 1 and 2",
        "As expected, our original VAE produced blurry images.",
        f"sharpness as published under {BLURRED}; explained where as meant gains 1 dB at equal images seen",
        _VAE,
        rules.vae_blurry,
    ),
    Claim(
        "sharp-but-inaccurate",
        "3, Figure 3",
        "1% to 10% adversarial loss resulted in sharp but somewhat inaccurate results.",
        "sharper than the VAE alone, at a lower PSNR",
        (*_VAE, *_shares("01", "05", "10")),
        rules.sharp_but_wrong,
    ),
    Claim(
        "collapse-20",
        "3, Figure 4",
        "With more than 20% adversarial loss: output images identical across all inputs (20 %).",
        _COLLAPSE,
        _shares("20"),
        rules.collapse("20"),
    ),
    Claim(
        "collapse-50",
        "3, Figure 4",
        "The same with 50 %.",
        _COLLAPSE,
        _shares("50"),
        rules.collapse("50"),
    ),
    Claim(
        "critic-too-fast",
        "3",
        "This frequent mode collapse was due to the discriminator learning too quickly.",
        "in each collapsed run the discriminator's loss had fallen under half of ln 2",
        _shares("20", "50"),
        rules.critic_won,
    ),
    Claim(
        "oscillation",
        "3, Figure 5",
        "We observed oscillations between the discriminator loss and generator loss.",
        f"with 10 to 50 % the losses' changes correlate by less than {AGAINST}, the discriminator's being over {SWING}",
        _shares("10", "20", "50"),
        rules.oscillates,
    ),
    Claim(
        "rise-and-fall",
        "3, Figure 6",
        "The generator almost began to succeed before the mode collapsed.",
        f"diversity over {RISEN} and later under {COLLAPSED} or a third of its highest so far in a published run",
        _ALL_PUBLISHED,
        rules.rise_and_fall,
    ),
    Claim(
        "wgan-modes",
        "3",
        "The WGAN did not have the same mode-collapse issues as before.",
        "no collapse by the same measure; explained where the published critic gave no gradient at all",
        _WGAN,
        rules.wgan_keeps_modes,
    ),
    Claim(
        "wgan-blurry",
        "3",
        "It was still unable to resolve sharp images even with a significant amount of adversarial loss.",
        f"sharpness under {BLURRED}; explained where the published critic gave no gradient and ours does",
        _WGAN,
        rules.wgan_blurry,
    ),
    Claim(
        "green",
        "3, Figure 7",
        "The output images were always green.",
        f"a channel's mean off by more than {CAST}, green too strong against red; explained where only as published",
        _WGAN,
        rules.green,
    ),
    Claim(
        "green-is-easy",
        "3",
        "The green effect is likely not so difficult to resolve.",
        f"without the last normalisation every channel is within {CAST} of the data's mean",
        _WGAN,
        rules.green_is_easy,
    ),
    Claim(
        "multiscale",
        "4",
        "Multi-scale convolution would improve the model.",
        "PSNR above that of the VAE as meant",
        ("paper-vae", "paper-multiscale"),
        rules.better("paper-multiscale", "paper-vae", "psnr"),
    ),
    Claim(
        "feature-matching",
        "4",
        "Feature matching would improve the model.",
        "PSNR above that of the same adversarial share without it",
        ("paper-vaegan-10", "paper-featurematch"),
        rules.better("paper-featurematch", "paper-vaegan-10", "psnr"),
    ),
    Claim(
        "minibatch",
        "4",
        "Minibatch discrimination would penalise the generator for constant output.",
        "diversity above that of the same adversarial share without it",
        ("paper-vaegan-10", "paper-minibatch"),
        rules.better("paper-minibatch", "paper-vaegan-10", "diversity"),
    ),
    Claim(
        "smoothing",
        "4",
        "One-sided label smoothing would prevent overconfidence.",
        "a lower mean logit of real faces than the published discriminator's",
        ("paper-vaegan-10" + PUBLISHED, "paper-smoothing"),
        rules.less_sure,
    ),
)
"""Every claim, in the paper's order."""

MERGING_CLAIM = Claim(
    "latent-blends",
    "1",
    "Blending based on the latent feature space produces more realistic images than blending in pixel space.",
    "a lower patch-KID and less ghosting than the pixel average; explained where only the bundled model, trained "
    "on blends, has both",
    (),
    rules.latent_more_real,
)
"""Judged on the scores of merges rather than on runs."""
