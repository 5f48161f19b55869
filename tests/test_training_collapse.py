"""The collapse watch: what it measures, by hand, and what it says of logs that collapse and of logs that don't."""

import pytest
import torch

from featureblend.training.collapse import CollapseWatch, diversities, margin


def photos(count=5, size=32, seed=0):
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_diversity_by_hand():
    faces = photos()
    halves = (faces + faces.roll(-1, 0)) / 2
    found = diversities({"input": faces, "reconstruction": 0.25 * faces, "blend with next": 0.5 * halves})
    assert found == {"diversity": 0.25, "blend_diversity": 0.5}
    same = faces[:1].expand_as(faces)
    assert diversities({"input": faces, "reconstruction": same})["diversity"] == 0
    # two points of one number: the mean distance is |a - b|
    points = torch.tensor([0.0, 0.5]).reshape(2, 1, 1, 1).expand(2, 3, 8, 8)
    assert diversities({"input": points, "reconstruction": 2 * points})["diversity"] == 2


def test_diversity_is_that_of_evaluation():
    from featureblend.io.image import from_network
    from featureblend.metrics.variety import diversity

    faces = photos(size=64)
    made = 0.7 * faces + 0.1 * photos(size=64, seed=1)
    ours = diversities({"input": faces, "reconstruction": made})["diversity"]
    theirs = diversity(*(from_network(images.numpy()) for images in (made, faces)))
    assert ours == pytest.approx(theirs, abs=0.02)  # which rounds to bytes first


def test_where_diversity_means_nothing():
    faces = photos()
    assert diversities({"input": faces[:1], "reconstruction": faces[:1]}) == {}
    assert diversities({"input": faces[:1].expand_as(faces), "reconstruction": faces}) == {}
    assert set(diversities({"input": faces[:2], "reconstruction": faces[:2], "blend with next": faces[:2]})) == {
        "diversity"
    }


def test_margin_by_hand():
    assert margin({"real_logit": 2.0, "reconstruction_logit": 1.0}) == 1
    assert margin({"real_logit": 2.0}) is None
    assert margin({"l1": 0.1}) is None


def lines(values, name="diversity", start=3_000, **more):
    return [{"images": start + 500 * tick, name: value, **more} for tick, value in enumerate(values)]


def said(log, kind="bce"):
    """The signs after each line."""
    watch = CollapseWatch(kind)
    return [watch.look(line) for line in log]


def test_three_falls_in_a_row_are_a_collapse():
    for name in ["diversity", "blend_diversity"]:
        signs = said(lines([0.9, 0.8, 0.2, 0.2, 0.2], name))
        assert signs[:4] == [[], [], [], []]
        assert len(signs[4]) == 1
        assert f"have become alike ({name} 0.200, it was 0.900)" in signs[4][0]


def test_ordinary_logs_are_no_collapse():
    for log in [
        lines([0.9, 0.1, 0.1, 0.8, 0.1, 0.1, 0.8]),  # it recovers each time
        lines([0.9, 0.5, 0.4, 0.4, 0.4, 0.4]),
        lines([0.9, 0.9, 0.0, 0.0, 0.0], start=0),  # the first 2,000 images don't count
        lines([0.01] * 10),  # so young that nothing has come up yet
        lines([0.5, 40.0, 40.0, 40.0], name="real_logit", reconstruction_logit=20.0),
        lines([1.0, 0.9, 1.1, 1.0, 1.0, 60.0, 60.0, 60.0], name="gradient_joint"),
        lines([1.0] * 6 + [0.0] * 6, name="gradient_blend", ramp=0.5),
        lines([1e-7] * 6 + [1e-3] * 6, name="gradient_adversarial"),  # a critic that wakes up
        lines([1e-6] * 6 + [1.0] * 6, name="gradient_penalty"),  # a term of the loss, no norm
    ]:
        assert not any(said(log))


def test_what_never_rises_is_a_collapse_too():
    signs = said(lines([0.02] * 4, start=20_000))
    assert [bool(one) for one in signs] == [False, False, True, True]
    assert "outputs are all alike (diversity 0.020)" in signs[2][0]


def test_a_critic_that_has_won():
    log = lines([45.0] * 4, name="real_logit", reconstruction_logit=0.0)
    assert "the discriminator has won (its margin is 45.0)" in said(log)[2][0]
    assert "the discriminator has won" in said(log, "bce_sigmoid")[2][0]
    assert not any(said(log, "wgan"))  # whose logits have no scale


def test_gradients_that_explode_or_vanish():
    usual = [1.0, 2.0, 1.0, 1.0, 3.0, 1.0]
    grown, gone = (said(lines(usual + [value] * 3, name="gradient_blend")) for value in (500.0, 0.001))
    assert "the gradient of 'blend' explodes (norm 500, usually 1)" in grown[-1][0]
    assert "the gradient of 'blend' has vanished (norm 0.001, usually 1)" in gone[-1][0]
    assert not any(grown[:-1])


def test_a_resumed_run_goes_on_watching():
    log = lines([0.9, 0.9, 0.1, 0.1, 0.1])
    watch = CollapseWatch("bce")
    watch.replay(log[:4])
    assert not watch.healthy
    assert watch.look(log[4])
    fresh = CollapseWatch("bce")
    assert not fresh.look(log[4])
