"""How latents become one: weights in the face, one parent around it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from featureblend.errors import FeatureblendError
from featureblend.faces.masks import above_mouth, outside_face, outside_features
from featureblend.model.fine_mixing import mix_fine
from featureblend.model.mixing import mix, plainest_latent

LAYOUT = {"spatial": [0, 2 * 64], "spatial_shape": [2, 8, 8], "global": [128, 132]}
FINE = {**LAYOUT, "fine": [132, 132 + 3 * 256], "fine_shape": [3, 16, 16]}
"""With a fine part of twice the resolution (tests/test_model_fine_mixing.py has more of it)."""


def latents(count, seed=0, length=132):
    return np.random.default_rng(seed).normal(size=(count, length)).astype(np.float32)


@given(st.lists(st.floats(0.0, 1.0), min_size=2, max_size=5).filter(lambda w: sum(w) > 0.1), st.integers(0, 99))
@settings(max_examples=50, deadline=None)
def test_every_place_is_a_mean_of_the_parents(weights, seed):
    """The shares are at least 0 and sum to 1: with parents that differ by a constant, the mix lies between them."""
    weights = np.array(weights) / sum(weights)
    z = latents(1, seed) + np.arange(len(weights), dtype=np.float32)[:, None]
    above = mix(z, weights, LAYOUT) - z[0]
    assert above.min() >= -1e-4
    assert above.max() <= len(weights) - 1 + 1e-4


def test_a_single_parent_comes_back_whole():
    for layout, length in ((LAYOUT, 132), (FINE, 900)):
        z = latents(3, length=length)
        for chosen in [0, 1, 2]:
            for surroundings in ["auto", "mean", 1]:
                np.testing.assert_allclose(mix(z, np.eye(3)[chosen], layout, surroundings), z[chosen], atol=1e-5)


@given(st.permutations(range(4)))
@settings(max_examples=24, deadline=None)
def test_the_order_of_the_parents_changes_nothing(order):
    z, weights = latents(4), np.array([0.1, 0.2, 0.3, 0.4])
    np.testing.assert_allclose(mix(z[list(order)], weights[list(order)], LAYOUT), mix(z, weights, LAYOUT), atol=1e-5)


def test_at_equal_weights_one_parent_is_the_source():
    z = latents(2)
    source = plainest_latent(z, LAYOUT)
    far = outside_face(8) == 1
    mixed = mix(z, np.array([0.5, 0.5]), LAYOUT)[:128].reshape(2, 8, 8)
    np.testing.assert_allclose(mixed[:, far], z[source, :128].reshape(2, 8, 8)[:, far], atol=1e-6)
    near = outside_face(8) == 0
    np.testing.assert_allclose(mixed[:, near], z[:, :128].reshape(2, 2, 8, 8).mean(axis=0)[:, near], atol=1e-6)


def test_hair_is_the_sources_inside_the_face_too():
    z, half = latents(2, length=FINE["fine"][1]), np.array([0.5, 0.5])
    hair = np.zeros((128, 128), np.float32)
    hair[48:64, 48:80] = 1  # a fringe: places 3 and 4 of 8 across, in the face
    for source in (0, 1):
        plain, mixed = (mix(z, half, FINE, source, known) for known in (None, hair))
        spatial = mixed[:128].reshape(2, 8, 8)
        own = z[source, :128].reshape(2, 8, 8)
        np.testing.assert_allclose(spatial[:, 3, 3:5], own[:, 3, 3:5], atol=1e-6)
        elsewhere = np.ones((8, 8), bool)
        elsewhere[3, 3:5] = False
        np.testing.assert_array_equal(spatial[:, elsewhere], plain[:128].reshape(2, 8, 8)[:, elsewhere])
        assert np.abs(mixed[132:] - plain[132:]).max() > 0.1


def test_hair_counts_by_its_share_of_a_place():
    z, half = latents(2), np.array([0.5, 0.5])
    hair = np.zeros((128, 128), np.float32)
    hair[:, ::16] = 1  # one column of pixels in each place's sixteen
    mixed = mix(z, half, LAYOUT, 0, hair)[:128].reshape(2, 8, 8)
    own, mean = z[0, :128].reshape(2, 8, 8), z[:, :128].mean(axis=0).reshape(2, 8, 8)
    inside = outside_face(8) == 0
    np.testing.assert_allclose(mixed[:, inside], (15 * mean + own)[:, inside] / 16, atol=1e-6)


def test_the_fine_parts_lines_follow_the_weights_and_the_hair_that_is_shown():
    """Worked out here: .3 in the face, twice that around it, and so .3 behind in the lines of the eyes."""
    z, weights, around = latents(2, length=FINE["fine"][1]), np.array([0.3, 0.7]), np.array([0.6, 0.4])

    def shares(mask):
        return weights[:, None, None] * (1 - mask) + around[:, None, None] * mask

    lead = np.array([-0.3, 0.3])[:, None, None] * above_mouth(16)
    parts = z[:, 132:].reshape(2, 3, 16, 16)
    due = mix_fine(parts, shares(outside_face(16)), shares(outside_features(16)), lead)
    np.testing.assert_allclose(mix(z, weights, FINE, 0)[132:].reshape(3, 16, 16), due, atol=1e-5)


def test_the_plainest_is_the_source_whatever_the_face():
    z = latents(2)
    face = outside_face(8) == 0
    z[1, :128] *= 0.5
    loud = z[1, :128].reshape(2, 8, 8)
    loud[:, face] = 100  # a view: an unusual face does not count
    assert plainest_latent(z, LAYOUT) == 1


def test_a_continuum_has_no_jump():
    z = latents(2)
    path = np.stack([mix(z, np.array([1 - t, t]), LAYOUT) for t in np.linspace(0, 1, 101)])
    steps = np.linalg.norm(np.diff(path, axis=0), axis=1)
    assert steps.max() <= 2 * np.linalg.norm(z[1] - z[0]) / 100 + 1e-5  # N = 2 times as fast as the weights


def test_mean_is_the_plain_mean_and_so_is_a_latent_without_places():
    z, weights = latents(3), np.array([0.5, 0.3, 0.2])
    np.testing.assert_allclose(mix(z, weights, LAYOUT, "mean"), weights @ z, atol=1e-6)
    np.testing.assert_allclose(mix(z, weights, {"global": [0, 132]}), weights @ z, atol=1e-6)


def test_a_source_that_is_no_face_is_refused():
    for wrong in [2, -1, "first"]:
        with pytest.raises(FeatureblendError, match="surroundings"):
            mix(latents(2), np.array([0.5, 0.5]), LAYOUT, wrong)
