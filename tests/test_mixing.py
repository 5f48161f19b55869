"""How latents become one: weights in the face, one parent around it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from featureblend.errors import FeatureblendError
from featureblend.mixing import kept_energy, mix, outside_face, place_shares, surroundings_winner

LAYOUT = {"spatial": [0, 2 * 64], "spatial_shape": [2, 8, 8], "global": [128, 132]}
FINE = {**LAYOUT, "fine": [132, 132 + 3 * 256], "fine_shape": [3, 16, 16]}
"""With a fine part of twice the resolution."""


def latents(count, seed=0, length=132):
    return np.random.default_rng(seed).normal(size=(count, length)).astype(np.float32)


@given(st.lists(st.floats(0.0, 1.0), min_size=2, max_size=5).filter(lambda w: sum(w) > 0.1), st.integers(0, 99))
@settings(max_examples=50, deadline=None)
def test_shares_sum_to_one_everywhere(weights, seed):
    weights = np.array(weights) / sum(weights)
    shares = place_shares(latents(len(weights), seed), weights, LAYOUT)
    assert shares.min() >= 0
    np.testing.assert_allclose(shares.sum(axis=0), 1, atol=1e-5)


@pytest.mark.parametrize("chosen", [0, 1, 2])
@pytest.mark.parametrize("surroundings", ["auto", "mean", 1])
def test_a_single_parent_comes_back_whole(chosen, surroundings):
    z = latents(3)
    np.testing.assert_allclose(mix(z, np.eye(3)[chosen], LAYOUT, surroundings), z[chosen], atol=1e-6)


@given(st.permutations(range(4)))
@settings(max_examples=24, deadline=None)
def test_the_order_of_the_parents_changes_nothing(order):
    z, weights = latents(4), np.array([0.1, 0.2, 0.3, 0.4])
    np.testing.assert_allclose(mix(z[list(order)], weights[list(order)], LAYOUT), mix(z, weights, LAYOUT), atol=1e-5)


def test_at_equal_weights_all_surroundings_are_one_parents():
    z = latents(2)
    winner = surroundings_winner(z, LAYOUT)
    far = outside_face(8) == 1
    mixed = mix(z, np.array([0.5, 0.5]), LAYOUT)[:128].reshape(2, 8, 8)
    np.testing.assert_allclose(mixed[:, far], z[winner, :128].reshape(2, 8, 8)[:, far], atol=1e-6)
    near = outside_face(8) == 0
    np.testing.assert_allclose(mixed[:, near], z[:, :128].reshape(2, 2, 8, 8).mean(axis=0)[:, near], atol=1e-6)


def test_the_plainest_surroundings_win_whatever_the_face():
    z = latents(2)
    face = outside_face(8) == 0
    z[1, :128] *= 0.5
    loud = z[1, :128].reshape(2, 8, 8)
    loud[:, face] = 100  # a view: an unusual face does not count
    assert surroundings_winner(z, LAYOUT) == 1


def test_a_continuum_has_no_jump():
    z = latents(2)
    path = np.stack([mix(z, np.array([1 - t, t]), LAYOUT) for t in np.linspace(0, 1, 101)])
    steps = np.linalg.norm(np.diff(path, axis=0), axis=1)
    assert steps.max() <= 2 * np.linalg.norm(z[1] - z[0]) / 100 + 1e-5  # N = 2 times as fast as the weights


def test_mean_is_the_plain_mean_and_so_is_a_latent_without_places():
    z, weights = latents(3), np.array([0.5, 0.3, 0.2])
    np.testing.assert_allclose(mix(z, weights, LAYOUT, "mean"), weights @ z, atol=1e-6)
    np.testing.assert_allclose(mix(z, weights, {"global": [0, 132]}), weights @ z, atol=1e-6)


@pytest.mark.parametrize("wrong", [2, -1, "first"])
def test_surroundings_that_name_no_face_are_refused(wrong):
    with pytest.raises(FeatureblendError, match="surroundings"):
        mix(latents(2), np.array([0.5, 0.5]), LAYOUT, wrong)


@pytest.mark.parametrize("chosen", [0, 2])
@pytest.mark.parametrize("surroundings", ["auto", "mean", 1])
def test_a_single_parents_fine_part_comes_back_whole(chosen, surroundings):
    z = latents(3, length=900)
    np.testing.assert_allclose(mix(z, np.eye(3)[chosen], FINE, surroundings), z[chosen], atol=1e-5)


def test_the_fine_part_keeps_the_parents_energy_where_a_mean_loses_half():
    z = latents(2, length=900)
    half = np.array([0.5, 0.5])
    face = outside_face(16) == 0
    parts = z[:, 132:].reshape(2, 3, 16, 16)
    kept = mix(z, half, FINE)[132:].reshape(3, 16, 16)
    energy = np.square(parts).sum(axis=1).mean(axis=0)[face]
    assert np.square(parts.mean(axis=0)).sum(axis=0)[face].mean() == pytest.approx(energy.mean() / 2, rel=0.3)
    within = np.square(kept).sum(axis=0)[face]
    assert (within <= energy * (1 + 1e-3)).all()  # never more than the parents have
    assert within.mean() > 0.7 * energy.mean()  # less only where they cancel out
    assert np.array_equal(
        mix(z, half, FINE)[:132], mix(z[:, :132], half, LAYOUT)
    )  # the coarse parts know nothing of it


def test_where_parents_agree_their_fine_part_is_the_mean():
    same = np.repeat(latents(1, length=48).reshape(1, 3, 4, 4), 2, axis=0)
    np.testing.assert_allclose(kept_energy(same, np.full((2, 4, 4), 0.5)), same[0], rtol=1e-4)


def test_the_stretch_has_a_limit_where_parents_cancel_out():
    one = latents(1, length=48).reshape(3, 4, 4)
    shares = np.stack([np.full((4, 4), 0.6), np.full((4, 4), 0.4)])
    kept = kept_energy(np.stack([one, -one]), shares)
    limit = (1 / (0.6**2 + 0.4**2)) ** 0.5  # of 1.92 parents that count
    np.testing.assert_allclose(kept, 0.2 * limit * one, rtol=1e-3, atol=1e-4)


def test_of_four_or_more_the_fine_part_is_the_plain_mean():
    z = latents(5, length=48).reshape(5, 3, 4, 4)
    for count in (4, 5):
        shares = np.full((count, 4, 4), 1 / count)
        np.testing.assert_allclose(kept_energy(z[:count], shares), z[:count].mean(axis=0), rtol=1e-4, atol=1e-6)
    three = kept_energy(z[:3], np.full((3, 4, 4), 1 / 3))
    assert (np.linalg.norm(three, axis=0) > 1.1 * np.linalg.norm(z[:3].mean(axis=0), axis=0)).mean() > 0.8


def test_of_two_the_fine_part_keeps_its_energy_however_the_surroundings_are_said():
    """'mean', and the shares that it stands for: the ways that `average` and `blend` take."""
    z, half = latents(2, length=900), np.array([0.5, 0.5])
    np.testing.assert_allclose(mix(z, half, FINE, "mean"), mix(z, half, FINE, half), atol=1e-5)
    assert np.linalg.norm(mix(z, half, FINE, "mean")[132:]) > 1.2 * np.linalg.norm(z[:, 132:].mean(axis=0))
