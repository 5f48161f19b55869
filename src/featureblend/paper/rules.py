"""How claims are judged: functions of the numbers of our runs, and the few thresholds that they share."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..metrics.intervals import bootstrap_interval
from ..training.collapse import LIMITS
from .plan import PUBLISHED, SEEDS, SHARES, seeds_of
from .results import RunResult, value_at

CONFIRMED, REFUTED, EXPLAINED = "confirmed", "refuted", "explained"
"""The claim holds as meant too; it does not hold; it holds only as published, because of a named flaw."""

UNDECIDED, MISSING, UNFIT = "not decided at this scale", "not run", "not at this size"
"""Runs are too short, too few or too alike to tell; a run is not there; networks as reduced as these cannot tell."""

ENOUGH = 0.8
"""Share of a run's images before which what it has not shown yet does not count against a claim."""

BLURRED = 0.5
"""Reconstructions with less than this share of the faces' own fine detail are blurred."""

COLLAPSED, FALLEN = LIMITS.least, LIMITS.fall
"""Reconstructions are all one image with less than this share of the faces' own variety, or of the most they had ..."""
RISEN = 2 * COLLAPSED
"""... if they had ever been this various while they were nearer to their inputs than the mean face is: every network
begins with one picture for all inputs, and goes on to noise of great variety, before it makes faces."""

MOST = 0.8
"""Share of the seeds that must agree: 4 of 5."""

OF_SEEDS = 0.15
"""Diversity of two runs differs by more than what their seeds alone make (their range, in earlier runs of collapse)."""

CAST = 0.05
"""A channel whose mean misses the data's by more has a cast that the eye sees (about 13 grey levels)."""

AGAINST, SWING = -0.3, 0.1
"""Two losses oscillate against each other where their changes correlate by less, and one's changes are larger."""

FELL, KEPT, NEVER_ROSE = "fell", "kept", "never rose"
"""What becomes of a run's variety."""


@dataclass(frozen=True)
class Finding:
    """What became of a claim."""

    verdict: str
    """`CONFIRMED`, `REFUTED`, `EXPLAINED` or `UNDECIDED`; `MISSING` where a run is not there."""
    numbers: str
    """What it was judged by."""
    interval: str = ""
    """The 95 % interval of the number that decides, and over what it was drawn; empty where none can be given."""


Results = Mapping[str, RunResult]


def told_apart(published: bool | None, meant: bool | None) -> str:
    """Verdict on a claim: confirmed if it holds in both forms, explained if only the published flaw makes it true.

    None is what the numbers cannot tell.
    """
    if published is False:
        return REFUTED
    if published is None or meant is None:
        return UNDECIDED
    return CONFIRMED if meant else EXPLAINED


def judged(holds: bool | None) -> str:
    """Verdict on a claim of one form of a run."""
    return UNDECIDED if holds is None else CONFIRMED if holds else REFUTED


def _all(parts: Sequence[bool | None]) -> bool | None:
    return False if False in parts else None if None in parts else True


@dataclass(frozen=True)
class _Mean:
    """The mean of a number over faces, with its interval."""

    value: float
    low: float
    high: float

    def over(self, least: float = 0.0) -> bool | None:
        """Whether it is more than a number; None where the interval holds it."""
        return True if self.low > least else False if self.high < least else None

    def text(self, what: str, unit: str = "", digits: int = 2) -> str:
        """The interval in words."""
        return f"{what} {self.low:+.{digits}f} to {self.high:+.{digits}f}{unit} (faces)"


def _mean(values: Sequence[float] | np.ndarray) -> _Mean:
    values = np.asarray(values, np.float64)
    return _Mean(float(values.mean()), *bootstrap_interval(values))


def _gap(results: Results, name: str, base: str, number: str) -> _Mean:
    """How much more of a number the reconstructions of one run have than those of another, face by face."""
    one, other = (np.asarray(results[which].faces[number], np.float64) for which in (name, base))
    return _mean(one - other)


def listed(results: Results, number: str, *names: str, digits: int = 2, unit: str = "") -> str:
    """Write a number of several runs for the reader."""
    return ", ".join(f"{name} {getattr(results[name], number):.{digits}f}{unit}" for name in names)


def _blurred(result: RunResult) -> bool | None:
    sharp = _mean(result.faces["sharpness"]).over(BLURRED)
    return None if sharp is None else not sharp


def autoencoder_blurry(results: Results) -> Finding:
    """A plain autoencoder blurs."""
    names = ("paper-ae-200", "paper-ae-2000")
    numbers = "sharpness " + listed(results, "sharpness", *names)
    return Finding(
        judged(_all([_blurred(results[name]) for name in names])),
        numbers,
        _mean(results[names[1]].faces["sharpness"]).text(names[1]),
    )


def wider_latent(results: Results) -> Finding:
    """A wider latent helps a little."""
    names = ("paper-ae-200", "paper-ae-2000", "paper-ae-5000")
    gain = _gap(results, names[2], names[0], "psnr")
    much = gain.over(2)
    slight = _all([gain.over(), None if much is None else not much])
    numbers = f"{gain.value:+.2f} dB; " + listed(results, "psnr", *names, unit=" dB")
    return Finding(judged(slight), numbers, gain.text("gain", " dB"))


def deeper_encoder(results: Results) -> Finding:
    """More layers and filters help."""
    names = ("paper-ae-2000", "paper-ae-deep")
    gain = _gap(results, names[1], names[0], "psnr")
    return Finding(judged(gain.over()), listed(results, "psnr", *names, unit=" dB"), gain.text("gain", " dB"))


def vgg_worse(results: Results) -> Finding:
    """VGG11 as the encoder is worse."""
    base, published, meant = "paper-ae-2000", "paper-vgg11" + PUBLISHED, "paper-vgg11"
    losses = [_gap(results, base, name, "psnr") for name in (published, meant)]
    numbers = listed(results, "psnr", base, published, meant, unit=" dB")
    return Finding(told_apart(*(loss.over() for loss in losses)), numbers, losses[1].text("loss as meant", " dB"))


def vgg_slow(results: Results) -> Finding:
    """VGG11 takes longer."""
    names = ("paper-ae-2000", "paper-vgg11")
    if results[names[0]].width != results[names[1]].width:
        return Finding(UNFIT, "the widths, over the paper's: " + listed(results, "width", *names, digits=3))
    ratio = results[names[1]].milliseconds / max(results[names[0]].milliseconds, 1e-9)
    numbers = f"{ratio:.1f} times the time an image; " + listed(results, "milliseconds", *names, unit=" ms")
    return Finding(judged(ratio >= 2), numbers)


def vae_blurry(results: Results) -> Finding:
    """The VAE blurs: by itself, or for a flaw that can be fixed."""
    names = ("paper-vae" + PUBLISHED, "paper-vae")
    published, meant = (results[name] for name in names)
    images = min(published.images, meant.images)
    gain = value_at(meant, "validation_psnr", images) - value_at(published, "validation_psnr", images)
    blurred = _blurred(published)
    # The flaw explains the blur as far as the same network without it is nearer to the faces.
    verdict = judged(blurred) if not blurred else (EXPLAINED if gain >= 1 else CONFIRMED)
    numbers = (
        f"as meant {gain:+.2f} dB at equal images seen ({images:,}); "
        f"{listed(results, 'sharpness', *names)} of the faces' sharpness; "
        f"at their ends {listed(results, 'psnr', *names, unit=' dB')}"
    )
    return Finding(verdict, numbers, _gap(results, names[1], names[0], "psnr").text("as meant, at their ends,", " dB"))


def vae_sharper(results: Results) -> Finding:
    """A VAE blurs less than a plain autoencoder."""
    names = ("paper-ae-200", "paper-vae" + PUBLISHED, "paper-vae")
    gains = [_gap(results, name, names[0], "sharpness") for name in names[1:]]
    numbers = "sharpness " + listed(results, "sharpness", *names)
    return Finding(told_apart(*(gain.over() for gain in gains)), numbers, gains[1].text("as meant"))


def sharp_but_wrong(results: Results) -> Finding:
    """A little adversarial loss sharpens and costs likeness."""
    names = ("paper-vaegan-01", "paper-vaegan-05", "paper-vaegan-10")

    def holds(ending: str) -> bool | None:
        vae, gans = "paper-vae" + ending, [name + ending for name in names]
        sharper = [_gap(results, gan, vae, "sharpness").over() for gan in gans]
        some = True if True in sharper else None if None in sharper else False
        return _all([some, *(_gap(results, vae, gan, "psnr").over() for gan in gans[1:])])

    shown = [name + ending for name in ("paper-vae", *names) for ending in (PUBLISHED, "")]
    numbers = "; ".join(
        f"{name} sharpness {results[name].sharpness:.2f}, {results[name].psnr:.1f} dB" for name in shown
    )
    gap = _gap(results, names[2], "paper-vae", "sharpness")
    return Finding(told_apart(holds(PUBLISHED), holds("")), numbers, gap.text("sharpness gained by 10 % as meant"))


def risen(result: RunResult) -> bool:
    """Whether outputs ever varied as faces do.

    Examples
    --------
    >>> noise = {"images": 9, "diversity": 0.8, "validation_psnr": 9.0}
    >>> faces = {"images": 9, "diversity": 0.4, "validation_psnr": 14.0}
    >>> [risen(RunResult("a", "", 9, 9, 1.0, mean_face=12.8, history=[line])) for line in (noise, faces)]
    [False, True]
    """
    return _highest(result) >= RISEN


def _highest(result: RunResult) -> float:
    """The most variety at a moment when outputs were nearer to their inputs than the mean face is."""
    lines = [line for line in result.history if line.get("validation_psnr", math.inf) > result.mean_face]
    return max((float(line["diversity"]) for line in lines if "diversity" in line), default=0.0)


def collapsed(result: RunResult) -> bool:
    """Whether outputs varied and are nearly equal at the run's end, by the limits of the training loop's watch.

    Examples
    --------
    >>> log = [{"images": 100, "diversity": 0.9}, {"images": 200, "diversity": 0.2}]
    >>> [collapsed(RunResult("a", "", 200, 200, 1.0, diversity=end, history=log)) for end in (0.2, 0.4)]
    [True, False]
    """
    return risen(result) and result.diversity < max(COLLAPSED, FALLEN * _highest(result))


def fate(result: RunResult) -> str:
    """`FELL`, `KEPT` or `NEVER_ROSE`: a run that never made faces has neither lost them nor kept them."""
    return NEVER_ROSE if not risen(result) else FELL if collapsed(result) else KEPT


def _fates(results: Results, name: str) -> list[str]:
    return [fate(results[seed]) for seed in seeds_of(name) if seed in results]


def _mostly(fates: Sequence[str]) -> bool | None:
    """Whether most seeds fell, or at most so few of them; None of fewer than all seeds, and of what lies between."""
    fell, least = fates.count(FELL), math.ceil(MOST * SEEDS)
    if fell >= least:
        return True
    return False if fates.count(KEPT) >= least else None


def collapse(share: str) -> Callable[[Results], Finding]:
    """Make the rule that with this percentage of adversarial loss all outputs are the same."""
    names = (f"paper-vaegan-{share}{PUBLISHED}", f"paper-vaegan-{share}")

    def judge(results: Results) -> Finding:
        fates = [_fates(results, name) for name in names]
        words = (
            f"{name}: {', '.join(f'{found.count(what)} {what}' for what in (FELL, KEPT, NEVER_ROSE))}"
            for name, found in zip(names, fates, strict=True)
        )
        ends = ", ".join(
            f"{name} " + " / ".join(f"{results[one].diversity:.2f}" for one in seeds_of(name) if one in results)
            for name in names
        )
        shares = (
            f"{'as published' if found is fates[0] else 'as meant'} {low:.0%} to {high:.0%} of seeds fall"
            for found in fates
            for low, high in [share_interval(found.count(FELL), len(found))]
        )
        verdict = told_apart(*(_mostly(found) for found in fates))
        return Finding(verdict, f"{'; '.join(words)}; diversity at the end: {ends}", ", ".join(shares))

    return judge


def share_interval(count: int, total: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share (E. B. Wilson, JASA 22, 1927); of none 0 to 1.

    Examples
    --------
    >>> [round(end, 2) for end in share_interval(4, 5)]
    [0.38, 0.96]
    """
    if not total:
        return 0.0, 1.0
    z = 1.96
    middle = (count + z * z / 2) / (total + z * z)
    half = z * math.sqrt(count * (total - count) / total + z * z / 4) / (total + z * z)
    return max(0.0, middle - half), min(1.0, middle + half)


def critic_won(results: Results) -> Finding:
    """Where outputs became the same, the discriminator had won before."""
    published = [name for share in SHARES for name in seeds_of(f"paper-vaegan-{share}{PUBLISHED}") if name in results]
    fallen = [name for name in published if collapsed(results[name])]
    if not fallen:
        return Finding(UNDECIDED, "no published run fell, so there is nothing that the discriminator caused")
    lows = {name: _lowest_loss(results[name]) for name in fallen}
    # Half of ln 2, the loss of a discriminator that knows nothing.
    won = [low < np.log(2) / 2 for low in lows.values()]
    numbers = ", ".join(f"{name} {low:.3f}" for name, low in lows.items())
    low, high = share_interval(sum(won), len(won))
    return Finding(
        judged(all(won)),
        f"lowest loss of the discriminator before its collapse: {numbers}",
        f"{low:.0%} to {high:.0%} of collapses",
    )


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
    """Variety of faces rises before it falls."""
    published = [name for share in SHARES for name in seeds_of(f"paper-vaegan-{share}{PUBLISHED}") if name in results]
    fell = {}
    for name in published:
        run = results[name]
        lines = [line for line in run.history if "diversity" in line]
        variety = np.array([line["diversity"] for line in lines])
        of_faces = np.array([line.get("validation_psnr", math.inf) > run.mean_face for line in lines], bool)
        # What comes after a collapse, such as a recovery to more than before, does not undo it.
        highest = np.maximum.accumulate(np.where(of_faces, variety, 0.0)) if len(lines) else variety
        falls = np.where((highest > RISEN) & (variety < np.maximum(COLLAPSED, FALLEN * highest)), highest - variety, 0)
        if falls.any():
            low = int(falls.argmax())
            top = int(np.where(of_faces, variety, 0.0)[:low].argmax())
            images = lines[top]["images"]
            fell[name] = f"{name} up to {variety[top]:.2f} at {images:,} images, then {variety[low]:.2f}"
    numbers = "diversity: " + ("; ".join(fell.values()) or listed(results, "diversity", *published))
    rose = [name for name in published if risen(results[name])]
    if not rose:
        return Finding(UNDECIDED, f"no run has made faces yet; {numbers}")
    low_end, high_end = share_interval(len(fell), len(rose))
    return Finding(judged(bool(fell)), numbers, f"{low_end:.0%} to {high_end:.0%} of the runs that rose")


def wgan_keeps_modes(results: Results) -> Finding:
    """The Wasserstein run keeps its variety."""
    names = ("paper-wgan" + PUBLISHED, "paper-wgan")
    held = {KEPT: True, FELL: False, NEVER_ROSE: None}
    published, meant = (held[fate(results[name])] for name in names)
    push = critic_push(results[names[0]])
    verdict = EXPLAINED if published and push == 0 else told_apart(published, meant)
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
    blurred = _blurred(published)
    push = critic_push(published)
    explained = push == 0 and critic_push(meant) > 0
    verdict = judged(blurred) if not blurred else (EXPLAINED if explained else CONFIRMED)
    numbers = (
        "sharpness "
        + listed(results, "sharpness", *names)
        + f"; gradient from the critic {push:g} as published, {critic_push(meant):.2g} as meant"
    )
    return Finding(verdict, numbers, _mean(published.faces["sharpness"]).text("as published"))


def _off(result: RunResult) -> tuple[bool | None, _Mean]:
    """Whether a channel's mean misses the data's by more than the eye takes, and the miss of the worst one."""
    misses = {channel: _mean(result.faces[channel]) for channel in ("red", "green", "blue")}
    worst = max(misses.values(), key=lambda miss: abs(miss.value))
    signed = worst if worst.value >= 0 else _Mean(-worst.value, -worst.high, -worst.low)
    return signed.over(CAST), signed


def green(results: Results) -> Finding:
    """Outputs are greener than the data."""
    published, meant = results["paper-wgan" + PUBLISHED], results["paper-wgan"]
    strong = published.means[1] > published.data_means[1] and published.cast > 0
    (off, miss), (still, _) = _off(published), _off(meant)
    verdict = told_apart(off if strong else False, still)
    return Finding(verdict, _colours(published, meant), miss.text("as published", digits=3))


def green_is_easy(results: Results) -> Finding:
    """The green goes with the last normalisation."""
    published, meant = results["paper-wgan" + PUBLISHED], results["paper-wgan"]
    (off, _), (still, miss) = _off(published), _off(meant)
    fixed = _all([off, None if still is None else not still])
    return Finding(judged(fixed), _colours(published, meant), miss.text("as meant", digits=3))


def _colours(*runs: RunResult) -> str:
    def text(means: tuple[float, float, float]) -> str:
        return " / ".join(f"{mean:.2f}" for mean in means)

    parts = [f"{run.name} {text(run.means)}, off by {run.colour_error:.3f}" for run in runs]
    return f"R / G / B: data {text(runs[0].data_means)}; " + "; ".join(parts)


def better(name: str, base: str) -> Callable[[Results], Finding]:
    """Make the rule that reconstructions of one run are nearer to the faces than another's."""

    def judge(results: Results) -> Finding:
        gain = _gap(results, name, base, "psnr")
        return Finding(judged(gain.over()), "psnr " + listed(results, "psnr", base, name), gain.text("gain", " dB"))

    return judge


def more_various(name: str, base: str) -> Callable[[Results], Finding]:
    """Make the rule that one run's outputs are more various than another's, beyond what seeds make."""

    def judge(results: Results) -> Finding:
        gain = results[name].diversity - results[base].diversity
        verdict = UNDECIDED if abs(gain) < OF_SEEDS else judged(gain > 0)
        return Finding(verdict, "diversity " + listed(results, "diversity", base, name))

    return judge


def less_sure(results: Results) -> Finding:
    """Label smoothing makes the discriminator less sure."""
    names = ("paper-vaegan-10" + PUBLISHED, "paper-smoothing")
    sure = [results[name].logged("real_logit")[1] for name in names]
    if not all(len(values) for values in sure):
        return Finding(MISSING, "the discriminator's logits were not logged")
    first, second = (_mean(values[len(values) // 2 :]) for values in sure)
    numbers = (
        f"mean logit of real faces in the second half: {names[0]} {first.value:.2f}, {names[1]} {second.value:.2f}"
    )
    less = True if second.high < first.low else False if second.low > first.high else None
    interval = f"{first.low:.2f} to {first.high:.2f}, {second.low:.2f} to {second.high:.2f} (lines of the log)"
    return Finding(judged(less), numbers, interval)


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
    low = values["pixel"]["ghosting"].get("low") or ghosts
    tops = {method: values[method]["ghosting"].get("high") or pair[1] for method, pair in found.items()}
    better = [method for method, pair in found.items() if pair[0] < distance and tops[method] < low]
    ours = [method for method in systems if method in better]
    best = min(ours or systems, key=lambda method: found[method])
    verdict = CONFIRMED if ours else (EXPLAINED if "featureblend" in better else REFUTED)
    shown = [method for method in ("pixel", best, "featureblend") if method in found]
    numbers = "; ".join(
        f"{method} patch-KID {found[method][0]:.3f}, ghosting {found[method][1]:.3f}" for method in shown
    )
    return Finding(
        verdict,
        f"{numbers}; {len(ours)} of {len(systems)} systems of the paper are ahead of pixels in both",
        f"ghosting: pixel from {low:.3f}, {best} up to {tops[best]:.3f} (pairs)",
    )
