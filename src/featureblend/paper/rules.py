"""How claims are judged: functions of the numbers of our runs, and the few thresholds that they share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..training.collapse import LIMITS
from .plan import PUBLISHED, SHARES
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
    "better",
    "collapse",
    "collapsed",
    "critic_push",
    "critic_won",
    "deeper_encoder",
    "green",
    "green_is_easy",
    "latent_more_real",
    "less_sure",
    "listed",
    "oscillates",
    "oscillation",
    "rise_and_fall",
    "risen",
    "sharp_but_wrong",
    "told_apart",
    "vae_blurry",
    "vae_sharper",
    "vgg_slow",
    "vgg_worse",
    "wgan_blurry",
    "wgan_keeps_modes",
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
    """The VAE blurs: by itself, or for a flaw that can be fixed."""
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


def sharp_but_wrong(results: Results) -> Finding:
    """A little adversarial loss sharpens and costs likeness."""
    names = ("paper-vaegan-01", "paper-vaegan-05", "paper-vaegan-10")

    def holds(ending: str) -> bool:
        vae, gans = results["paper-vae" + ending], [results[name + ending] for name in names]
        return max(gan.sharpness for gan in gans) > vae.sharpness and max(gan.psnr for gan in gans[1:]) < vae.psnr

    shown = [name + ending for name in ("paper-vae", *names) for ending in (PUBLISHED, "")]
    numbers = "; ".join(
        f"{name} sharpness {results[name].sharpness:.2f}, {results[name].psnr:.1f} dB" for name in shown
    )
    return Finding(told_apart(holds(PUBLISHED), holds("")), numbers)


def risen(result: RunResult) -> bool:
    """Whether outputs ever varied: every network begins with one picture for all inputs.

    Examples
    --------
    >>> [risen(RunResult("a", "", 9, 9, 1.0, history=[{"images": 9, "diversity": d}])) for d in (0.1, 0.4)]
    [False, True]
    """
    return _highest(result) >= RISEN


def _highest(result: RunResult) -> float:
    return float(result.logged("diversity")[1].max(initial=0.0))


def collapsed(result: RunResult) -> bool:
    """Whether outputs varied and are nearly equal at the run's end, by the limits of the training loop's watch.

    Examples
    --------
    >>> log = [{"images": 100, "diversity": 0.9}, {"images": 200, "diversity": 0.2}]
    >>> [collapsed(RunResult("a", "", 200, 200, 1.0, diversity=end, history=log)) for end in (0.2, 0.4)]
    [True, False]
    """
    return risen(result) and result.diversity < max(COLLAPSED, FALLEN * _highest(result))


def collapse(share: str) -> Callable[[Results], Finding]:
    """Make the rule that with this percentage of adversarial loss all outputs are the same."""
    names = (f"paper-vaegan-{share}{PUBLISHED}", f"paper-vaegan-{share}")

    def judge(results: Results) -> Finding:
        published, meant = (collapsed(results[name]) for name in names)
        tops = ", ".join(f"{_highest(results[name]):.2f}" for name in names)
        numbers = f"diversity {listed(results, 'diversity', *names)}; at its highest {tops}"
        flat = [name for name in names if not risen(results[name])]
        if flat:
            numbers += f"; not yet risen from the one picture that networks begin with: {', '.join(flat)}"
        return Finding(told_apart(published, meant), numbers)

    return judge


def critic_won(results: Results) -> Finding:
    """Where outputs became the same, the discriminator had won before."""
    fallen = [
        name
        for name in (f"paper-vaegan-{share}{PUBLISHED}" for share in SHARES)
        if name in results and results[name].share >= ENOUGH and collapsed(results[name])
    ]
    if not fallen:
        return Finding(REFUTED, "no published run collapsed, so there is nothing that the discriminator caused")
    lows = {name: _lowest_loss(results[name]) for name in fallen}
    # Half of ln 2, the loss of a discriminator that knows nothing.
    won = all(low < np.log(2) / 2 for low in lows.values())
    numbers = ", ".join(f"{name} {low:.3f}" for name, low in lows.items())
    return Finding(CONFIRMED if won else REFUTED, f"lowest loss of the discriminator before its collapse: {numbers}")


def _lowest_loss(result: RunResult) -> float:
    _, losses = result.logged("discriminator")
    return float(losses.min()) if len(losses) else float("nan")


def oscillation(result: RunResult) -> float:
    """Correlation of the changes of the two adversarial losses.

    Parameters
    ----------
    result : RunResult
        With `discriminator` and `adversarial_reconstruction` in its log.

    Returns
    -------
    float
        Correlation of their changes from line to line: -1 where one rises whenever the other falls. NaN for fewer
        than 8 lines.

    Examples
    --------
    >>> log = [{"images": i, "discriminator": i % 2, "adversarial_reconstruction": 1 - i % 2} for i in range(9)]
    >>> round(oscillation(RunResult("a", "", 9, 9, 1.0, history=log)), 3)
    -1.0
    """
    lines = [line for line in result.history if "discriminator" in line and "adversarial_reconstruction" in line]
    if len(lines) < 8:
        return float("nan")
    one, other = (
        np.diff(np.array([line[name] for line in lines], dtype=np.float64))
        for name in ("discriminator", "adversarial_reconstruction")
    )
    return float(np.corrcoef(one, other)[0, 1]) if one.std() and other.std() else 0.0


def _swing(result: RunResult) -> float:
    """Standard deviation of the discriminator's loss from line to line."""
    _, losses = result.logged("discriminator")
    return float(np.diff(losses).std()) if len(losses) > 1 else 0.0


def oscillates(results: Results) -> Finding:
    """The two losses swing against each other, and far enough to be seen."""

    def holds(ending: str) -> tuple[bool, str]:
        runs = [results[f"paper-vaegan-{share}{ending}"] for share in ("10", "20", "50")]
        found = any(oscillation(run) < AGAINST and _swing(run) > SWING for run in runs)
        return found, ", ".join(f"{run.name} {oscillation(run):.2f} by {_swing(run):.2f}" for run in runs)

    (published, first), (meant, second) = holds(PUBLISHED), holds("")
    return Finding(told_apart(published, meant), f"correlation of the two losses' changes: {first}; {second}")


def rise_and_fall(results: Results) -> Finding:
    """Variety rises before it falls."""
    names = [f"paper-vaegan-{share}{PUBLISHED}" for share in SHARES]
    fell = {}
    for name in names:
        seen, variety = results[name].logged("diversity")
        # What comes after a collapse, such as a recovery to more than before, does not undo it.
        highest = np.maximum.accumulate(variety)
        falls = np.where((highest > RISEN) & (variety < np.maximum(COLLAPSED, FALLEN * highest)), highest - variety, 0)
        if falls.any():
            low = int(falls.argmax())
            top = int(variety[:low].argmax())
            fell[name] = f"{name} up to {variety[top]:.2f} at {seen[top]:,.0f} images, then {variety[low]:.2f}"
    numbers = "diversity: " + ("; ".join(fell.values()) or listed(results, "diversity", *names))
    return Finding(CONFIRMED if fell else REFUTED, numbers)


def wgan_keeps_modes(results: Results) -> Finding:
    """The Wasserstein run keeps its variety."""
    names = ("paper-wgan" + PUBLISHED, "paper-wgan")
    published, meant = (risen(results[name]) and not collapsed(results[name]) for name in names)
    push = critic_push(results[names[0]])
    verdict = told_apart(published, meant)
    if published and push == 0:
        verdict = EXPLAINED
    numbers = "diversity " + listed(results, "diversity", *names) + f"; gradient from the critic as published {push:g}"
    return Finding(verdict, numbers)


def critic_push(result: RunResult) -> float:
    """Median gradient that the generator got from its critic; NaN if it was not logged."""
    _, pushes = result.logged("gradient_adversarial")
    return float(np.median(pushes)) if len(pushes) else float("nan")


def wgan_blurry(results: Results) -> Finding:
    """The Wasserstein run blurs."""
    names = ("paper-wgan" + PUBLISHED, "paper-wgan")
    published, meant = (results[name] for name in names)
    blurred = published.sharpness < BLURRED
    push = critic_push(published)
    verdict = REFUTED if not blurred else (EXPLAINED if push == 0 and critic_push(meant) > 0 else CONFIRMED)
    numbers = (
        "sharpness "
        + listed(results, "sharpness", *names)
        + f"; gradient from the critic {push:g} as published, {critic_push(meant):.2g} as meant"
    )
    return Finding(verdict, numbers)


def green(results: Results) -> Finding:
    """Outputs are greener than the data."""
    names = ("paper-wgan" + PUBLISHED, "paper-wgan")
    published, meant = (results[name] for name in names)
    strong = published.means[1] > published.data_means[1] and published.cast > 0
    green = strong and published.colour_error > CAST
    return Finding(told_apart(green, meant.colour_error > CAST), _colours(published, meant))


def green_is_easy(results: Results) -> Finding:
    """The green goes with the last normalisation."""
    published, meant = results["paper-wgan" + PUBLISHED], results["paper-wgan"]
    fixed = meant.colour_error <= CAST < published.colour_error
    return Finding(CONFIRMED if fixed else REFUTED, _colours(published, meant))


def _colours(*runs: RunResult) -> str:
    def text(means: tuple[float, float, float]) -> str:
        return " / ".join(f"{mean:.2f}" for mean in means)

    parts = [f"{run.name} {text(run.means)}, off by {run.colour_error:.3f}" for run in runs]
    return f"R / G / B: data {text(runs[0].data_means)}; " + "; ".join(parts)


def better(name: str, base: str, number: str, digits: int = 2) -> Callable[[Results], Finding]:
    """Make the rule that a number is larger in one run than in another."""

    def judge(results: Results) -> Finding:
        more = getattr(results[name], number) > getattr(results[base], number)
        return Finding(
            CONFIRMED if more else REFUTED, f"{number} " + listed(results, number, base, name, digits=digits)
        )

    return judge


def less_sure(results: Results) -> Finding:
    """Label smoothing makes the discriminator less sure."""
    names = ("paper-vaegan-10" + PUBLISHED, "paper-smoothing")
    sure = {name: results[name].logged("real_logit")[1] for name in names}
    if not all(len(values) for values in sure.values()):
        return Finding(MISSING, "the discriminator's logits were not logged")
    first, second = (float(values[len(values) // 2 :].mean()) for values in sure.values())
    numbers = f"mean logit of real faces in the second half: {names[0]} {first:.2f}, {names[1]} {second:.2f}"
    return Finding(CONFIRMED if second < first else REFUTED, numbers)


def latent_more_real(values: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Finding:
    """Blends of latents look more real than blends of pixels: nearer to real faces, and with fewer ghosts.

    Parameters
    ----------
    values : mapping
        Lines of metrics.jsonl by method and figure: of the systems, 'featureblend' (the bundled model) and 'pixel'.

    Returns
    -------
    Finding
        Explained where the bundled model's blends are, and no system's of the paper.
    """

    def scores(method: str) -> tuple[float, ...] | None:
        rows = values.get(method, {})
        needed = ("patch_kid", "ghosting")
        return tuple(rows[name]["value"] for name in needed) if set(needed) <= set(rows) else None

    found = {method: pair for method in values if (pair := scores(method)) is not None}
    systems = [method for method in found if method.startswith("paper-") or method == "aae"]
    if "pixel" not in found or not systems:
        return Finding(MISSING, "no merges were measured")
    distance, ghosts = found["pixel"]
    better = [method for method, pair in found.items() if pair[0] < distance and pair[1] < ghosts]
    ours = [method for method in systems if method in better]
    best = min(ours or systems, key=lambda method: found[method])
    verdict = CONFIRMED if ours else (EXPLAINED if "featureblend" in better else REFUTED)
    shown = [method for method in ("pixel", best, "featureblend") if method in found]
    numbers = "; ".join(
        f"{method} patch-KID {found[method][0]:.3f}, ghosting {found[method][1]:.3f}" for method in shown
    )
    return Finding(
        verdict, f"{numbers}; {len(ours)} of {len(systems)} systems of the paper are ahead of pixels in both"
    )
