"""The paper's claims, each judged by a rule from the numbers of our runs: no verdict is written down anywhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from . import rules
from .plan import PUBLISHED, SEEDS, SHARES, seeds_of
from .rules import (
    AGAINST,
    BLURRED,
    CAST,
    COLLAPSED,
    CONFIRMED,
    ENOUGH,
    EXPLAINED,
    MISSING,
    MOST,
    OF_SEEDS,
    RISEN,
    SWING,
    UNDECIDED,
    Finding,
    Results,
)


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
    predicted: str = ""
    """The verdict that was expected before any run at the paper's scale, and why."""
    early: tuple[str, ...] = ()
    """Verdicts that unfinished runs can bear out: what has happened has happened, what has not may still."""

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
        found = self.judge(results)
        # A run that broke down has come as far as it ever will.
        young = any(results[name].share < ENOUGH and not results[name].trouble for name in self.needs)
        if young and found.verdict not in (*self.early, UNDECIDED, MISSING):
            return Finding(UNDECIDED, f"so far {found.verdict}: {found.numbers}", found.interval)
        return found

    def runs(self, results: Results) -> str:
        """The runs that it is judged on: seeds, and images seen of how many."""
        found = []
        for name in self.needs:
            seeds = [results[one] for one in seeds_of(name) if one in results]
            if not seeds:
                found.append(f"{name}: not run")
                continue
            least, most = min(one.images for one in seeds), max(one.images for one in seeds)
            images = f"{most:,}" if least == most else f"{least:,} to {most:,}"
            several = f" {len(seeds)} seeds," if len(seeds) > 1 else ""
            found.append(f"{name}:{several} {images} of {seeds[0].due:,} images")
        return "; ".join(found)


_VAE, _WGAN = ("paper-vae" + PUBLISHED, "paper-vae"), ("paper-wgan" + PUBLISHED, "paper-wgan")


def _shares(*shares: str) -> tuple[str, ...]:
    return tuple(f"paper-vaegan-{share}{ending}" for share in shares for ending in (PUBLISHED, ""))


_FALL = (
    f"diversity over {RISEN}, while PSNR is above the mean face's, and at the end under {COLLAPSED} or a third of that"
)
_COLLAPSE = (
    f"{MOST:.0%} of {SEEDS} seeds fall (the run has had {_FALL}); explained where as many keep theirs as meant; runs "
    "that never rose count for nothing"
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
        "confirmed: mean squared error averages over what 200 or 2,000 numbers do not say",
    ),
    Claim(
        "latent-width",
        "2.2",
        "Increasing the size of the latent space yielded slightly less blurry results, although not much change.",
        "PSNR gained from 200 to 5000 numbers: more than 0 and at most 2 dB",
        ("paper-ae-200", "paper-ae-2000", "paper-ae-5000"),
        rules.wider_latent,
        "confirmed: PCA gains several dB from 200 to 2,000 numbers, a network trained this long less",
    ),
    Claim(
        "deeper",
        "2.2",
        "More layers and filters, towards VGG, got us slightly better results.",
        "PSNR above that of the paper's own encoder",
        ("paper-ae-2000", "paper-ae-deep"),
        rules.deeper_encoder,
        "refuted: more layers without shortcuts learn more slowly",
    ),
    Claim(
        "vgg-worse",
        "2.2",
        "With VGG11 as the encoder, our results actually worsened.",
        "PSNR below that of the paper's own encoder; explained where only the published decoder is",
        ("paper-ae-2000", "paper-vgg11" + PUBLISHED, "paper-vgg11"),
        rules.vgg_worse,
        "explained: its decoder cannot draw anything darker than grey",
    ),
    Claim(
        "vgg-slow",
        "2.2",
        "With VGG11, training time increased substantially.",
        "at least twice the time an image",
        ("paper-ae-2000", "paper-vgg11"),
        rules.vgg_slow,
        "confirmed: forty times the arithmetic",
        (CONFIRMED,),
    ),
    Claim(
        "vae-sharper",
        "2.2",
        "Configured as a variational autoencoder: slightly less blurry results.",
        "sharpness above that of the plain autoencoder",
        ("paper-ae-200", *_VAE),
        rules.vae_sharper,
        "refuted: a VAE's noise removes detail",
    ),
    Claim(
        "vae-blurry",
        "3, Figures 1 and 2",
        "As expected, our original VAE produced blurry images.",
        f"sharpness as published under {BLURRED}; explained where as meant gains 1 dB at equal images seen",
        _VAE,
        rules.vae_blurry,
        "explained: a divergence seven times too heavy costs at least 1 dB",
    ),
    Claim(
        "sharp-but-inaccurate",
        "3, Figure 3",
        "1% to 10% adversarial loss resulted in sharp but somewhat inaccurate results.",
        "sharper than the VAE alone, at a lower PSNR",
        (*_VAE, *_shares("01", "05", "10")),
        rules.sharp_but_wrong,
        "confirmed: an adversary pays for lines wherever they are",
    ),
    Claim(
        "collapse-20",
        "3, Figure 4",
        "With more than 20% adversarial loss: output images identical across all inputs (20 %).",
        _COLLAPSE,
        _shares("20"),
        rules.collapse("20"),
        "explained: momentum and rate are too high as published",
        (CONFIRMED, EXPLAINED),
    ),
    Claim(
        "collapse-50",
        "3, Figure 4",
        "The same with 50 %.",
        _COLLAPSE,
        _shares("50"),
        rules.collapse("50"),
        "confirmed: half of the loss adversarial is too much for the form as meant, too",
        (CONFIRMED, EXPLAINED),
    ),
    Claim(
        "critic-too-fast",
        "3",
        "This frequent mode collapse was due to the discriminator learning too quickly.",
        "in each collapsed run the discriminator's loss had fallen under half of ln 2",
        _shares("20", "50"),
        rules.critic_won,
        "confirmed",
        (CONFIRMED,),
    ),
    Claim(
        "oscillation",
        "3, Figure 5",
        "We observed oscillations between the discriminator loss and generator loss.",
        f"with 10 to 50 % the losses' changes correlate by less than {AGAINST}, the discriminator's being over {SWING}",
        _shares("10", "20", "50"),
        rules.oscillates,
        "explained: large steps overshoot",
        (CONFIRMED, EXPLAINED),
    ),
    Claim(
        "rise-and-fall",
        "3, Figure 6",
        "The generator almost began to succeed before the mode collapsed.",
        f"a published run has had {_FALL.replace(', and at the end', ', and later')}",
        _ALL_PUBLISHED,
        rules.rise_and_fall,
        "confirmed",
        (CONFIRMED,),
    ),
    Claim(
        "wgan-modes",
        "3",
        "The WGAN did not have the same mode-collapse issues as before.",
        "no collapse by the same measure; explained where the published critic gave no gradient at all",
        _WGAN,
        rules.wgan_keeps_modes,
        "explained: without a gradient from its critic the published run is a VAE",
    ),
    Claim(
        "wgan-blurry",
        "3",
        "It was still unable to resolve sharp images even with a significant amount of adversarial loss.",
        f"sharpness under {BLURRED}; explained where the published critic gave no gradient and ours does",
        _WGAN,
        rules.wgan_blurry,
        "explained: the same",
    ),
    Claim(
        "green",
        "3, Figure 7",
        "The output images were always green.",
        f"a channel's mean off by more than {CAST}, green too strong against red; explained where only as published",
        _WGAN,
        rules.green,
        "explained: the last BatchNorm holds each channel's mean logit near 0",
    ),
    Claim(
        "green-is-easy",
        "3",
        "The green effect is likely not so difficult to resolve.",
        f"without the last normalisation every channel is within {CAST} of the data's mean",
        _WGAN,
        rules.green_is_easy,
        "confirmed: leave that layer out",
    ),
    Claim(
        "multiscale",
        "4",
        "Multi-scale convolution would improve the model.",
        "PSNR above that of the VAE as meant",
        ("paper-vae", "paper-multiscale"),
        rules.better("paper-multiscale", "paper-vae"),
        "refuted: its base has no adversary, which costs more PSNR than maps of the layer before gain",
    ),
    Claim(
        "feature-matching",
        "4",
        "Feature matching would improve the model.",
        "PSNR above that of the same adversarial share without it",
        ("paper-vaegan-10", "paper-featurematch"),
        rules.better("paper-featurematch", "paper-vaegan-10"),
        "confirmed: it is a second reconstruction loss",
    ),
    Claim(
        "minibatch",
        "4",
        "Minibatch discrimination would penalise the generator for constant output.",
        f"diversity above that of the same adversarial share without it, by more than {OF_SEEDS}",
        ("paper-vaegan-10", "paper-minibatch"),
        rules.more_various("paper-minibatch", "paper-vaegan-10"),
        "not decided: the share of 10 % hardly lowers variety as meant",
    ),
    Claim(
        "smoothing",
        "4",
        "One-sided label smoothing would prevent overconfidence.",
        "a lower mean logit of real faces than the published discriminator's",
        ("paper-vaegan-10" + PUBLISHED, "paper-smoothing"),
        rules.less_sure,
        "confirmed: logits of real faces no longer grow without bound",
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
    "explained: systems this blurred lose in patch-KID whatever they do to ghosts; the bundled model was taught blends",
)
"""Judged on the scores of merges rather than on runs."""
