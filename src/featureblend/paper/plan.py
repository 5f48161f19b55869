"""What the paper shows, figure by figure, and which presets have to be trained for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import FeatureblendError

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


@dataclass(frozen=True)
class Run:
    """A preset as it is trained once: most only with the first seed, at the size of all."""

    preset: str
    seed: int = 0
    size: int | None = None
    """Side of its pictures in pixels, where it is not that of all runs."""

    @property
    def name(self) -> str:
        """Name of its folder.

        Examples
        --------
        >>> Run("paper-vae").name, Run("paper-vae", seed=2).name, Run("paper-vae", size=128).name
        ('paper-vae', 'paper-vae-seed2', 'paper-vae-128px')
        """
        return self.preset + (f"-seed{self.seed}" if self.seed else "") + (f"-{self.size}px" if self.size else "")


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
            (*_AUTOENCODERS, *_both("paper-vgg11"), "paper-vgg16", *_both("paper-vae")),
        ),
        Figure(
            "3",
            "Figure 3: Sharp images resulting from partial use of discriminator loss",
            (*_both("paper-vae"), *_shared("01", "05", "10")),
        ),
        Figure(
            "4",
            "Figure 4: Total mode collapse in the output",
            (*_both("paper-vae"), *_shared("01", "10", "20", "50")),
        ),
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
                "paper-vgg16",
                *_shared(*SHARES),
                *_WASSERSTEIN,
                *_IMPROVED,
            ),
        ),
    )
}
"""Every part of the report that can be asked for alone, in its order."""


COLLAPSE_SHARES = ("20", "10", "50", "01")
"""Shares whose runs are repeated with further seeds, what the paper says most of first: such runs are chaotic."""

SEEDS = 5
"""Runs of each of those systems, the first included."""

_PAIR = _both("paper-vae")

_IN_ORDER = (
    *_PAIR,
    *_shared("10", "20"),
    "paper-merge",
    *_WASSERSTEIN,
    *_AUTOENCODERS[:3],
    "paper-featurematch",
    "paper-multiscale",
    "paper-minibatch",
    "paper-smoothing",
    "aae",
    "paper-perceptual",
    "paper-vgg16",
    *_both("paper-vgg11"),
    *_shared("01", "05", "50"),
    "paper-ae-deep",
)
"""Every preset, in the order in which they matter where time is short."""


def runs_of(figures: Sequence[Figure], pair_size: int | None = None) -> tuple[Run, ...]:
    """The runs of some figures at the paper's scale, in the order in which they matter.

    Parameters
    ----------
    figures : sequence of Figure
    pair_size : int, optional
        Train the VAE and its published twin at this size, too.

    Returns
    -------
    tuple of Run
        Those of collapse with all seeds, after the first run of everything.

    Examples
    --------
    >>> [run.name for run in runs_of(figures_named(["1"]), 128)][1:3]
    ['paper-vae', 'paper-vae-published-128px']
    """
    due = every_preset(figures)
    found = [Run(name) for name in _IN_ORDER if name in due]
    pair = [Run(name, size=pair_size) for name in _PAIR if pair_size and name in due]
    found[2:2] = pair
    if any(figure.key == "4" for figure in figures):
        found += [Run(name, seed) for name in _shared(*COLLAPSE_SHARES) if name in due for seed in range(1, SEEDS)]
    return tuple(found)


def seeds_of(name: str) -> tuple[str, ...]:
    """Names of a preset's runs with all seeds, the first one's first.

    Examples
    --------
    >>> seeds_of("paper-vaegan-20")[:2]
    ('paper-vaegan-20', 'paper-vaegan-20-seed1')
    """
    return tuple(Run(name, seed).name for seed in range(SEEDS))


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
