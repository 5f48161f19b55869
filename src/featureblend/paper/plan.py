"""What the paper shows, figure by figure, and which presets have to be trained for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import FeatureblendError

__all__ = ["FIGURES", "PUBLISHED", "Figure", "every_preset", "figures_named"]

PUBLISHED = "-published"
"""Ending of the presets that keep the flaw which a run of the paper had."""

SHARES = ("01", "05", "10", "20", "50")
"""Adversarial shares of the reconstruction's loss that were run, in percent."""


def _both(*names: str) -> tuple[str, ...]:
    """Names of each system as published and as meant."""
    return tuple(name + ending for name in names for ending in (PUBLISHED, ""))


def _shared(*shares: str) -> tuple[str, ...]:
    return _both(*(f"paper-vaegan-{share}" for share in shares))


@dataclass(frozen=True)
class Figure:
    """One part of the report."""

    key: str
    """What ``--only`` calls it."""
    title: str
    """Its heading, for the paper's figures with the paper's caption."""
    presets: tuple[str, ...]
    """What has to be trained for it, in the order shown."""


_AUTOENCODERS = ("paper-ae-200", "paper-ae-2000", "paper-ae-5000", "paper-ae-deep")
_IMPROVED = (
    "paper-merge",
    "aae",
    "paper-perceptual",
    "paper-multiscale",
    "paper-featurematch",
    "paper-minibatch",
    "paper-smoothing",
)
_WASSERSTEIN = (*_both("paper-wgan"), "paper-wgan-gp")

FIGURES: dict[str, Figure] = {
    figure.key: figure
    for figure in (
        Figure("1", "Figure 1: Results we achieve with a VAE alone", _both("paper-vae")),
        Figure(
            "2",
            "Figure 2: Variational Autoencoder results",
            (*_AUTOENCODERS, *_both("paper-vgg11"), *_both("paper-vae")),
        ),
        Figure(
            "3",
            "Figure 3: Sharp images resulting from partial use of discriminator loss",
            (*_both("paper-vae"), *_shared("01", "05", "10")),
        ),
        Figure("4", "Figure 4: Total mode collapse in the output", (*_both("paper-vae"), *_shared("10", "20", "50"))),
        Figure("5", "Figure 5: Oscillations in Discriminator vs Generator Loss", _shared(*SHARES)),
        Figure("6", "Figure 6: Unstable behavior created by oscillating losses", _shared(*SHARES)),
        Figure("7", "Figure 7: Output produced using Wasserstein loss", (*_both("paper-vae"), *_WASSERSTEIN)),
        Figure("8", "Figure 8: Loss graphs from the WGANs", _WASSERSTEIN),
        Figure(
            "improvements",
            "What the paper would have tried next",
            ("paper-vae", "paper-vaegan-10", "paper-vaegan-10" + PUBLISHED, "paper-wgan", *_IMPROVED),
        ),
        Figure(
            "merging",
            "Two faces merged by averaging their embeddings",
            (
                *_AUTOENCODERS,
                *_both("paper-vgg11", "paper-vae"),
                *_shared(*SHARES),
                *_WASSERSTEIN,
                *_IMPROVED,
            ),
        ),
    )
}
"""Every part of the report that can be asked for alone, in its order."""


def figures_named(words: Sequence[str]) -> tuple[Figure, ...]:
    """Find the figures that ``--only`` names; all where it names none.

    Raises
    ------
    FeatureblendError
        If there is no such figure.

    Examples
    --------
    >>> [figure.key for figure in figures_named(["7", "1"])]
    ['1', '7']
    """
    for word in words:
        if word not in FIGURES:
            raise FeatureblendError(f"--only {word}: there is no such figure; use some of {', '.join(FIGURES)}")
    return tuple(figure for key, figure in FIGURES.items() if key in words or not words)


def every_preset(figures: Sequence[Figure]) -> tuple[str, ...]:
    """The presets that some figures need, without duplicates.

    Examples
    --------
    >>> every_preset([FIGURES["1"], FIGURES["8"]])
    ('paper-vae-published', 'paper-vae', 'paper-wgan-published', 'paper-wgan', 'paper-wgan-gp')
    """
    return tuple(dict.fromkeys(name for figure in figures for name in figure.presets))
