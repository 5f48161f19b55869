"""Lines of both parents where they match, of one where they do not."""

import cv2
import numpy as np
import pytest

from featureblend.blend.baselines.pyramid import laplacian_pyramid
from featureblend.blend.compositing.fusion import LEAN, match_measure, toward_mean

HALF, FIRST = np.array([0.5, 0.5]), np.array([1.0, 0.0])
SIDE = 128
MIDDLE = slice(40, 88)


def stripes(strength, phase=0.0, period=16):
    """A grey picture of upright stripes, `strength` grey levels about 128."""
    wave = 128 + strength * np.sin(2 * np.pi * (np.arange(SIDE) / period + phase))
    return np.broadcast_to(wave[None, :, None], (SIDE, SIDE, 3)).astype(np.float32)


def strength(picture, period=16):
    """How strong upright stripes of that period are in the middle of a picture."""
    places = np.exp(2j * np.pi * np.arange(SIDE) / period)[None, MIDDLE]
    return 2 * abs((picture[MIDDLE, MIDDLE].mean(axis=2) * places).mean())


def made(picture, parents, weights=HALF, around=FIRST, where=None):
    where = np.ones((SIDE, SIDE), np.float32) if where is None else where
    return picture + toward_mean(picture, parents, weights, around, where)


def test_matching_lines_are_the_mean_of_both_and_lean_to_whose_hair_is_not_shown():
    parents = [stripes(60), stripes(40)]
    share = 1 / (1 + np.exp(-LEAN))
    for shown, second in ((FIRST, share), (HALF, 0.5), (FIRST[::-1], 1 - share)):
        for picture in parents:
            found = strength(made(picture, parents, around=shown))
            assert found == pytest.approx(60 + second * (40 - 60), abs=1)


def test_lines_that_do_not_match_stay_as_they_are():
    parents = [stripes(60), stripes(60, phase=0.5)]
    for picture in parents:
        assert strength(made(picture, parents)) == pytest.approx(60, abs=1)
    across = [stripes(60), stripes(60).transpose(1, 0, 2)]
    assert strength(made(across[0], across)) == pytest.approx(60, abs=3)


def test_faint_lines_and_broad_light_mix_whether_they_match_or_not():
    faint = [stripes(2), stripes(2, phase=0.5)]
    assert strength(made(faint[0], faint)) < 0.7
    light, dark = (np.full((SIDE, SIDE, 3), level, np.float32) for level in (200, 100))
    assert np.allclose(made(dark, [light, dark]), 150, atol=0.5)
    assert np.allclose(made(dark, [light, dark], weights=np.array([0.25, 0.75])), 125, atol=0.5)


def test_a_parent_at_weight_one_and_what_lies_beyond_the_face_stay_as_they_are():
    parents = [stripes(60), stripes(20)]
    assert np.allclose(made(parents[0], parents, FIRST, FIRST), parents[0], atol=1e-3)
    where = np.zeros((SIDE, SIDE), np.float32)
    where[:, :40] = 1
    change = toward_mean(parents[0], parents, HALF, FIRST, where)
    assert np.abs(change[:, 20:30]).max() > 5
    assert np.abs(change[:, 80:]).max() < 0.5


def test_the_order_of_the_parents_does_not_matter():
    draw = np.random.default_rng(0)
    three = [cv2.GaussianBlur(draw.uniform(0, 255, (SIDE, SIDE, 3)).astype(np.float32), (0, 0), 1) for _ in range(3)]
    weights, around, order = np.array([0.2, 0.3, 0.5]), np.array([0.0, 1.0, 0.0]), [2, 0, 1]
    moved = made(three[0], [three[k] for k in order], weights[order], around[order])
    assert np.allclose(made(three[0], three, weights, around), moved, atol=1e-2)


@pytest.mark.parametrize("weights", [(0.5, 0.5), (0.3, 0.7), (0.2, 0.3, 0.5)])
def test_the_match_measure_of_equal_unrelated_and_opposite_lines(weights):
    draw, weights = np.random.default_rng(1), np.array(weights)
    noise = draw.normal(0, 60, (len(weights), SIDE, SIDE, 3)).astype(np.float32)
    bands = [laplacian_pyramid(one, 1)[0] for one in noise]
    assert match_measure([bands[0]] * len(bands), weights).min() > 0.99
    assert match_measure(bands, weights).mean() == pytest.approx(0, abs=0.05)
    assert match_measure([bands[0], -bands[0]], HALF).mean() == pytest.approx(-1, abs=0.1)
