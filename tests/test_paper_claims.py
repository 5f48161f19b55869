"""The paper's claims are judged by rules: other numbers, another verdict."""

import dataclasses

import numpy as np
import pytest

from featureblend.paper.claims import CLAIMS, MERGING_CLAIM
from featureblend.paper.plan import FIGURES, PUBLISHED, every_preset, figures_named, runs_of, seeds_of
from featureblend.paper.results import RunResult, value_at
from featureblend.paper.rules import (
    CONFIRMED,
    EXPLAINED,
    MISSING,
    REFUTED,
    UNDECIDED,
    UNFIT,
    critic_push,
    latent_more_real,
    oscillation,
)
from featureblend.training.presets import PRESETS
from featureblend.training.presets.ours import OUR_PRESETS

BY_KEY = {claim.key: claim for claim in CLAIMS}
DATA = (0.55, 0.45, 0.35)


def result(name, **numbers):
    """A finished run that is neither sharp nor collapsed, and has the data's colours."""
    usual = {"images": 1000, "due": 1000, "seconds": 10.0, "psnr": 20.0, "sharpness": 0.3, "diversity": 0.7}
    usual |= logged(diversity=[0.1, 0.7])
    all_of_it = {**usual, "means": DATA, "data_means": DATA, **numbers}
    if "faces" not in all_of_it:  # whose numbers hardly differ from their means
        spread = np.linspace(-0.01, 0.01, 40)
        missed = {
            channel: list(all_of_it["means"][place] - DATA[place] + spread / 10)
            for place, channel in enumerate(("red", "green", "blue"))
        }
        own = {number: list(all_of_it[number] + spread) for number in ("psnr", "sharpness")}
        all_of_it["faces"] = {**own, **missed}
    return RunResult(name, f"about {name}", **all_of_it)


def verdict(key, **changes):
    """Judge a claim where all runs are as `result` makes them but for the changes, by name with _ for -."""
    claim = BY_KEY[key]
    results = {seed: result(seed) for name in claim.needs for seed in seeds_of(name)}
    for name, numbers in changes.items():  # the same of every seed
        for seed in seeds_of(name.replace("_", "-")):
            results[seed] = result(seed, **numbers)
    return claim.finding(results).verdict


def logged(**columns):
    """Lines of a log from columns of numbers."""
    count = len(next(iter(columns.values())))
    rows = [{name: values[place] for name, values in columns.items()} for place in range(count)]
    return {"history": [{"images": 100 * (place + 1), **row} for place, row in enumerate(rows)]}


def test_every_run_that_is_planned_or_judged_is_a_preset():
    planned = set(every_preset(figures_named([])))
    assert planned <= set(PRESETS)
    assert {name for claim in CLAIMS for name in claim.needs} <= planned
    ours = {one.name for one in OUR_PRESETS}
    assert planned == set(PRESETS) - ours, "each of the paper's presets is part of its reproduction"
    for name in planned:
        if name.endswith(PUBLISHED):
            assert PRESETS[name].description.startswith("Flaw: ")
            assert name.removesuffix(PUBLISHED) in planned


def test_the_figures_are_the_papers():
    assert list(FIGURES)[:8] == [str(number) for number in range(1, 9)]
    assert len({claim.key for claim in CLAIMS}) == len(CLAIMS) >= 16


def test_nothing_is_judged_without_its_runs():
    for claim in CLAIMS:
        assert claim.finding({}).verdict == MISSING, claim.key
        young = {name: dataclasses.replace(result(name), images=400) for name in claim.needs}
        assert claim.finding(young).verdict in (UNDECIDED, MISSING)
        assert f"{claim.needs[0]}: 400 of 1,000 images" in claim.runs(young)
        assert f"{claim.needs[0]}: not run" in claim.runs({})
        assert claim.predicted
        broken = {name: dataclasses.replace(run, trouble="no number") for name, run in young.items()}
        assert claim.finding(broken).verdict in (CONFIRMED, REFUTED, EXPLAINED, UNDECIDED, MISSING)


def test_what_has_happened_counts_before_a_run_is_over_and_what_has_not_does_not():
    young = {"images": 400, "due": 1000}
    fallen, kept = {**FELL, **young}, {**KEPT, **young}
    assert verdict("collapse-20", paper_vaegan_20_published=fallen, paper_vaegan_20=kept) == EXPLAINED
    assert verdict("collapse-20", paper_vaegan_20_published=kept, paper_vaegan_20=kept) == UNDECIDED
    assert verdict("deeper", paper_ae_deep={"psnr": 25.0, **young}) == UNDECIDED


def test_four_of_five_seeds_decide():
    names = seeds_of("paper-vaegan-20-published")
    flat = {"diversity": 0.8, "mean_face": 12.8, **logged(diversity=[0.1, 0.8], validation_psnr=[9.0, 9.0])}

    def judged(*fates):
        results = {seed: result(seed, **KEPT) for seed in seeds_of("paper-vaegan-20")}
        results |= {name: result(name, **one) for name, one in zip(names, fates, strict=False)}
        return BY_KEY["collapse-20"].finding(results)

    assert judged(FELL, FELL, FELL, FELL, KEPT).verdict == EXPLAINED
    assert judged(KEPT, KEPT, KEPT, KEPT, FELL).verdict == REFUTED
    assert judged(FELL, FELL, FELL, KEPT, KEPT).verdict == UNDECIDED
    assert judged(flat, flat, flat, flat, flat).verdict == UNDECIDED, "noise is no variety that could be lost"
    assert judged(FELL, FELL, FELL).verdict == UNDECIDED, "two seeds were not run"
    assert "38% to 96% of seeds fall" in judged(FELL, FELL, FELL, FELL, KEPT).interval


def test_what_faces_differ_by_decides_nothing():
    spread = list(np.linspace(-3, 3, 40))
    base = {"psnr": 20.0, "faces": {"psnr": [20.0] * 40}}
    unsure = {"psnr": 20.1, "faces": {"psnr": [20.1 + more for more in spread]}}
    assert verdict("deeper", paper_ae_2000=base, paper_ae_deep=unsure) == UNDECIDED
    assert verdict("minibatch", paper_minibatch={"diversity": 0.8}) == UNDECIDED


def test_the_runs_are_in_the_order_in_which_they_matter():
    runs = runs_of(figures_named([]), 128)
    assert {run.preset for run in runs} == set(every_preset(figures_named([])))
    assert [run.name for run in runs[:4]] == [
        *("paper-vae-published", "paper-vae", "paper-vae-published-128px", "paper-vae-128px"),
    ]
    assert sum(run.seed > 0 for run in runs) == 4 * 8
    assert all(run.seed for run in runs[-32:])


def test_claims_of_one_form_of_a_run():
    for key, confirmed, refuted in [
        ("ae-blurry", {"paper_ae_200": {"sharpness": 0.2}}, {"paper_ae_200": {"sharpness": 0.8}}),
        ("latent-width", {"paper_ae_5000": {"psnr": 20.5}}, {"paper_ae_5000": {"psnr": 25.0}}),
        ("latent-width", {"paper_ae_5000": {"psnr": 21.9}}, {"paper_ae_5000": {"psnr": 19.0}}),
        ("deeper", {"paper_ae_deep": {"psnr": 20.1}}, {"paper_ae_deep": {"psnr": 19.9}}),
        ("minibatch", {"paper_minibatch": {"diversity": 0.9}}, {"paper_minibatch": {"diversity": 0.5}}),
        ("feature-matching", {"paper_featurematch": {"psnr": 21.0}}, {"paper_featurematch": {"psnr": 19.0}}),
    ]:
        assert verdict(key, **confirmed) == CONFIRMED, key
        assert verdict(key, **refuted) == REFUTED, key


FELL = {"diversity": 0.02, **logged(diversity=[0.1, 0.8])}
KEPT = {"diversity": 0.8, **logged(diversity=[0.1, 0.8])}


def published(name):
    return f"{name}_published"


def test_a_flaw_explains_what_goes_when_it_is_fixed():
    for key, name, bad, good in [
        ("vgg-worse", "paper_vgg11", {"psnr": 15.0}, {"psnr": 24.0}),
        ("collapse-50", "paper_vaegan_50", FELL, KEPT),
        ("green", "paper_wgan", {"means": (0.5, 0.55, 0.4)}, {"means": DATA}),
    ]:
        assert verdict(key, **{published(name): bad, name: good}) == EXPLAINED
        assert verdict(key, **{published(name): bad, name: bad}) == CONFIRMED
        assert verdict(key, **{published(name): good, name: good}) == REFUTED


def test_times_compare_only_between_networks_of_one_width():
    fast, slow = {"seconds": 1.0}, {"seconds": 3.0}
    assert verdict("vgg-slow", paper_ae_2000=fast, paper_vgg11=slow) == CONFIRMED
    assert verdict("vgg-slow", paper_ae_2000=slow, paper_vgg11=fast) == REFUTED
    assert verdict("vgg-slow", paper_ae_2000=fast, paper_vgg11={**slow, "width": 0.125}) == UNFIT


def test_a_fall_to_a_third_is_a_collapse_too():
    fallen = {"diversity": 0.2, **logged(diversity=[0.1, 0.9, 0.2])}
    assert verdict("collapse-20", paper_vaegan_20_published=fallen) == EXPLAINED
    assert verdict("collapse-20", paper_vaegan_20_published={**fallen, "diversity": 0.4}) == REFUTED
    assert verdict("collapse-20", paper_vaegan_20_published=fallen, paper_vaegan_20=fallen) == CONFIRMED


def test_a_run_that_never_rose_has_not_collapsed():
    """Every network begins with one picture for all inputs."""
    flat = {"diversity": 0.05, **logged(diversity=[0.02, 0.1, 0.05])}
    assert verdict("collapse-20", paper_vaegan_20_published=flat) == UNDECIDED
    results = {name: result(name, **flat) for name in BY_KEY["collapse-20"].needs}
    assert "0 fell, 0 kept, 1 never rose" in BY_KEY["collapse-20"].finding(results).numbers
    keeps = {**logged(gradient_adversarial=[0.1, 0.2], diversity=[0.1, 0.7])}
    assert verdict("wgan-modes", paper_wgan_published=keeps, paper_wgan=keeps) == CONFIRMED
    assert verdict("wgan-modes", paper_wgan_published={**keeps, **flat}, paper_wgan=keeps) == UNDECIDED
    assert verdict("wgan-modes", paper_wgan_published={**keeps, **FELL}, paper_wgan=keeps) == REFUTED


def test_the_blur_is_explained_by_a_decibel_at_equal_images_seen():
    flawed = {"sharpness": 0.1, **logged(validation_psnr=[10.0] * 10)}

    def meant(decibels, images=1000):
        # Rises all the way: only what both have seen counts.
        rising = [8.0 + decibels * place for place in range(1, images // 100 + 1)]
        return {"images": images, "due": images, **logged(validation_psnr=rising)}

    def judged(**run):
        return verdict("vae-blurry", paper_vae_published=flawed, paper_vae=run)

    assert judged(**meant(0.31)) == EXPLAINED
    assert judged(**meant(0.29)) == CONFIRMED
    assert judged(**meant(0.29, 2000)) == CONFIRMED
    assert verdict("vae-blurry", paper_vae_published={**flawed, "sharpness": 0.9}, paper_vae=meant(1)) == REFUTED
    late = result("late", **logged(validation_psnr=[0.0, 10.0, 20.0]))
    assert value_at(late, "validation_psnr", 150) == pytest.approx(5.0)


def test_sharp_but_wrong_needs_both():
    flawed = {f"paper_vaegan_{share}_published": {"sharpness": 0.9, "psnr": 15.0} for share in ("01", "05", "10")}
    meant = {f"paper_vaegan_{share}": {"sharpness": 0.9, "psnr": 15.0} for share in ("01", "05", "10")}
    soft = {name: {"sharpness": 0.1, "psnr": 25.0} for name in meant}
    assert verdict("sharp-but-inaccurate", **flawed, **soft) == EXPLAINED
    assert verdict("sharp-but-inaccurate", **flawed, **meant) == CONFIRMED
    true = {name: {**numbers, "psnr": 25.0} for name, numbers in flawed.items()}
    assert verdict("sharp-but-inaccurate", **true) == REFUTED


def test_the_critic_is_blamed_only_where_it_had_won():
    fallen = {"diversity": 0.01, **logged(discriminator=[1.3, 0.4, 0.01], diversity=[0.1, 0.9, 0.01])}
    assert verdict("critic-too-fast", paper_vaegan_50_published=fallen) == CONFIRMED
    even = {"diversity": 0.01, **logged(discriminator=[1.3, 1.0, 0.7], diversity=[0.1, 0.9, 0.01])}
    assert verdict("critic-too-fast", paper_vaegan_50_published=even) == REFUTED
    assert verdict("critic-too-fast") == UNDECIDED


def test_oscillation_is_of_both_losses():
    swing = [0.0, 1.0] * 8
    against = logged(discriminator=swing, adversarial_reconstruction=swing[1:] + swing[:1])
    along = logged(discriminator=swing, adversarial_reconstruction=swing)
    assert oscillation(result("a", **against)) == pytest.approx(-1)
    assert oscillation(result("a", **along)) == pytest.approx(1)
    assert verdict("oscillation", paper_vaegan_20_published=against) == EXPLAINED
    assert verdict("oscillation", paper_vaegan_20_published=against, paper_vaegan_20=against) == CONFIRMED
    assert verdict("oscillation", paper_vaegan_20_published=along) == REFUTED
    slight = logged(discriminator=[0.01 * x for x in swing], adversarial_reconstruction=swing[1:] + swing[:1])
    assert verdict("oscillation", paper_vaegan_20_published=against, paper_vaegan_20=slight) == EXPLAINED


def test_rise_and_fall_is_in_that_order():
    rise = logged(diversity=[0.0, 0.1, 0.5, 0.3, 0.02])
    assert verdict("rise-and-fall", paper_vaegan_20_published=rise) == CONFIRMED
    recovered = logged(diversity=[0.0, 0.1, 0.6, 0.05, 0.4, 0.7])
    assert verdict("rise-and-fall", paper_vaegan_20_published=recovered) == CONFIRMED
    for steady in ([0.0, 0.02, 0.3, 0.5], [0.6, 0.4, 0.7], []):
        assert verdict("rise-and-fall", paper_vaegan_20_published=logged(diversity=steady)) == REFUTED
    noise = logged(diversity=[0.9, 0.05, 0.02], validation_psnr=[9.0, 9.0, 9.0])
    assert verdict("rise-and-fall", paper_vaegan_20_published={**noise, "mean_face": 12.8}) == REFUTED


def test_a_critic_that_pushes_nobody_explains_the_wasserstein_run():
    still = {"sharpness": 0.1, **logged(gradient_adversarial=[0.0, 0.0], diversity=[0.1, 0.7])}
    pushed = {"sharpness": 0.4, **logged(gradient_adversarial=[0.1, 0.2], diversity=[0.1, 0.7])}
    assert critic_push(result("a", **still)) == 0
    for key in ("wgan-blurry", "wgan-modes"):
        assert verdict(key, paper_wgan_published=still, paper_wgan=pushed) == EXPLAINED
        assert verdict(key, paper_wgan_published=pushed, paper_wgan=pushed) == CONFIRMED
    assert verdict("wgan-blurry", paper_wgan_published={**still, "sharpness": 0.9}, paper_wgan=pushed) == REFUTED


def test_green_is_green():
    blue = {"means": (0.5, 0.44, 0.5)}
    assert verdict("green", paper_wgan_published=blue) == REFUTED
    green = {"means": (0.5, 0.55, 0.4)}
    assert verdict("green-is-easy", paper_wgan_published=green) == CONFIRMED
    assert verdict("green-is-easy", paper_wgan_published=green, paper_wgan=green) == REFUTED
    assert result("a", means=(0.5, 0.55, 0.4)).cast == pytest.approx(0.15)


def test_smoothing_makes_less_sure():
    sure, unsure = logged(real_logit=[0.0, 9.0]), logged(real_logit=[9.0, 2.0])
    assert verdict("smoothing", paper_vaegan_10_published=sure, paper_smoothing=unsure) == CONFIRMED
    assert verdict("smoothing", paper_vaegan_10_published=unsure, paper_smoothing=sure) == REFUTED


def test_merges_are_judged_beside_pixels():
    def line(kid, ghosting):
        return {"patch_kid": {"value": kid}, "ghosting": {"value": ghosting}}

    pixel = {"pixel": line(0.2, 0.3)}
    assert MERGING_CLAIM.judge(pixel).verdict == MISSING
    assert latent_more_real({**pixel, "paper-vae": line(0.1, 0.1)}).verdict == CONFIRMED
    blurred = {**pixel, "paper-vae": line(0.5, 0.1)}
    assert latent_more_real(blurred).verdict == REFUTED
    assert latent_more_real({**blurred, "featureblend": line(0.1, 0.1)}).verdict == EXPLAINED
