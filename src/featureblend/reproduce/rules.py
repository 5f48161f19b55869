"""How claims are judged: functions of the numbers of our runs, and the few thresholds that they share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..train.collapse import LIMITS
from .plan import PUBLISHED
from .results import RunResult, value_at

__all__ = [
    "AGAINST",
    "BLURRED",
    "CAST",
    "COLLAPSED",
    "CONFIRMED",
    "EARLY",
    "ENOUGH",
    "EXPLAINED",
    "FALLEN",
    "MISSING",
    "REFUTED",
    "RISEN",
    "SWING",
    "UNFIT",
    "Finding",
    "Results",
    "autoencoder_blurry",
    "deeper_encoder",
    "listed",
    "told_apart",
    "vae_blurry",
    "vae_sharper",
    "vgg_slow",
    "vgg_worse",
    "wider_latent",
]

CONFIRMED, REFUTED, EXPLAINED = "confirmed", "refuted", "explained"
"""The claim holds as meant too; it does not hold; it holds only as published, because of a named flaw."""

EARLY, MISSING, UNFIT = "too early to say", "not run", "not at this size"
"""A run has seen less than `ENOUGH` of its images; a run is not there; networks as reduced as these cannot tell."""

ENOUGH = 0.8
"""Share of a run's images before which it is not judged."""

BLURRED = 0.5
"""Reconstructions with less than this share of the faces' own fine detail are blurred."""

COLLAPSED, FALLEN = LIMITS.least, LIMITS.fall
"""Reconstructions are all one image with less than this share of the faces' own variety, or of the most they had ..."""
RISEN = 2 * COLLAPSED
"""... if they had ever been this various: every network begins with one picture for all inputs, and a run that still
makes it has not collapsed, nor learnt."""

CAST = 0.05
"""A channel whose mean misses the data's by more has a cast that the eye sees (about 13 grey levels)."""

AGAINST, SWING = -0.3, 0.1
"""Two losses oscillate against each other where their changes correlate by less, and one's changes are larger."""


@dataclass(frozen=True)
class Finding:
    """What became of a claim."""

    verdict: str
    """`CONFIRMED`, `REFUTED` or `EXPLAINED`; `EARLY` or `MISSING` where there is nothing to judge by yet."""
    numbers: str
    """What it was judged by."""


Results = Mapping[str, RunResult]


def told_apart(published: bool, meant: bool) -> str:
    """Verdict on a claim: confirmed if it holds in both forms, explained if only the published flaw makes it true."""
    if not published:
        return REFUTED
    return CONFIRMED if meant else EXPLAINED


def listed(results: Results, number: str, *names: str, digits: int = 2, unit: str = "") -> str:
    """Write a number of several runs for the reader."""
    return ", ".join(f"{name} {getattr(results[name], number):.{digits}f}{unit}" for name in names)


def autoencoder_blurry(results: Results) -> Finding:
    """A plain autoencoder blurs."""
    names = ("paper-ae-200", "paper-ae-2000")
    blurred = all(results[name].sharpness < BLURRED for name in names)
    return Finding(CONFIRMED if blurred else REFUTED, "sharpness " + listed(results, "sharpness", *names))


def wider_latent(results: Results) -> Finding:
    """A wider latent helps a little."""
    names = ("paper-ae-200", "paper-ae-2000", "paper-ae-5000")
    gain = results[names[2]].psnr - results[names[0]].psnr
    slight = 0 < gain <= 2
    return Finding(CONFIRMED if slight else REFUTED, f"{gain:+.2f} dB; " + listed(results, "psnr", *names, unit=" dB"))


def deeper_encoder(results: Results) -> Finding:
    """More layers and filters help."""
    names = ("paper-ae-2000", "paper-ae-deep")
    better = results[names[1]].psnr > results[names[0]].psnr
    return Finding(CONFIRMED if better else REFUTED, listed(results, "psnr", *names, unit=" dB"))


def vgg_worse(results: Results) -> Finding:
    """VGG11 as the encoder is worse."""
    base, published, meant = "paper-ae-2000", "paper-vgg11" + PUBLISHED, "paper-vgg11"
    verdict = told_apart(results[published].psnr < results[base].psnr, results[meant].psnr < results[base].psnr)
    return Finding(verdict, listed(results, "psnr", base, published, meant, unit=" dB"))


def vgg_slow(results: Results) -> Finding:
    """VGG11 takes longer."""
    names = ("paper-ae-2000", "paper-vgg11")
    if results[names[0]].width != results[names[1]].width:
        return Finding(UNFIT, "the widths, over the paper's: " + listed(results, "width", *names, digits=3))
    ratio = results[names[1]].milliseconds / max(results[names[0]].milliseconds, 1e-9)
    numbers = f"{ratio:.1f} times the time an image; " + listed(results, "milliseconds", *names, unit=" ms")
    return Finding(CONFIRMED if ratio >= 2 else REFUTED, numbers)


def vae_blurry(results: Results) -> Finding:
    """The VAE blurs: by itself, or for a flaw that can be mended."""
    published, meant = (results["paper-vae" + ending] for ending in (PUBLISHED, ""))
    images = min(published.images, meant.images)
    gain = value_at(meant, "validation_psnr", images) - value_at(published, "validation_psnr", images)
    blurred = published.sharpness < BLURRED
    # The flaw explains the blur as far as the same network without it is nearer to the faces.
    verdict = REFUTED if not blurred else (EXPLAINED if gain >= 1 else CONFIRMED)
    numbers = (
        f"as meant {gain:+.2f} dB at equal images seen ({images:,}); "
        f"{listed(results, 'sharpness', 'paper-vae' + PUBLISHED, 'paper-vae')} of the faces' sharpness"
    )
    return Finding(verdict, numbers)


def vae_sharper(results: Results) -> Finding:
    """A VAE blurs less than a plain autoencoder."""
    names = ("paper-ae-200", "paper-vae" + PUBLISHED, "paper-vae")
    plain, published, meant = (results[name].sharpness for name in names)
    return Finding(told_apart(published > plain, meant > plain), "sharpness " + listed(results, "sharpness", *names))
