"""Fine parts mix in two bands: what is broad by weight, lines from one parent at a place."""

import numpy as np
import pytest

from featureblend.faces.masks import outside_face, outside_features
from featureblend.model.fine_mixing import broad, kept_energy, line_shares, sum_fine
from featureblend.model.fine_mixing import mix_fine as mixed_by
from featureblend.model.mixing import mix

LAYOUT = {"spatial": [0, 2 * 64], "spatial_shape": [2, 8, 8], "global": [128, 132]}
FINE = {**LAYOUT, "fine": [132, 132 + 3 * 256], "fine_shape": [3, 16, 16]}
HALF = np.array([0.5, 0.5])


def latents(count, seed=0, length=900):
    return np.random.default_rng(seed).normal(size=(count, length)).astype(np.float32)


def everywhere(weights, grid=16):
    return np.repeat(np.asarray(weights, float), grid * grid).reshape(-1, grid, grid)


def mix_fine(parts, shares, lead=None):
    return mixed_by(parts, shares, shares, None if lead is None else np.reshape(lead, (-1, 1, 1)))


def test_a_blends_fine_part_has_as_much_energy_as_its_parents_where_a_mean_loses_half():
    z = latents(2)
    face = outside_features(16) == 0
    parts = z[:, 132:].reshape(2, 3, 16, 16)
    kept = mix(z, HALF, FINE)[132:].reshape(3, 16, 16)
    energies = np.square(parts).sum(axis=1)[:, face]
    assert np.square(parts.mean(axis=0)).sum(axis=0)[face].mean() == pytest.approx(energies.mean() / 2, rel=0.3)
    assert 0.7 * energies.mean() < np.square(kept).sum(axis=0)[face].mean() < 1.3 * energies.mean()
    # The coarse parts know nothing of it.
    assert np.array_equal(mix(z, HALF, FINE)[:132], mix(z[:, :132], HALF, LAYOUT))


def test_what_is_broad_is_the_weighted_mean():
    flat = np.array([1.0, 3.0])[:, None, None, None] * np.ones((2, 3, 16, 16))
    mixed = mix_fine(flat, everywhere([0.25, 0.75]), np.array([1.0, 0.0]))
    np.testing.assert_allclose(mixed, 2.5, atol=1e-5)


def test_lines_that_contradict_are_one_parents_and_not_both():
    """Stripes down and stripes across: a mean is a grid, and neither."""
    stripes = np.tile([1.0, -1.0], 8) * np.ones((16, 1))
    two = np.stack([stripes, stripes.T])[:, None]
    for lead, owner in (([0.5, -0.5], 0), ([-0.5, 0.5], 1)):
        drawn = mix_fine(two, everywhere(HALF), lead)[0]
        alike = [abs(np.corrcoef(drawn.ravel(), one.ravel())[0, 1]) for one in two[:, 0]]
        assert alike[owner] > 0.98
        assert alike[1 - owner] < 0.1


def test_eyes_of_one_parent_and_the_mouth_of_the_one_whose_hair_is_shown():
    for shown in [0, 1]:
        two = np.random.default_rng(3).normal(size=(2, 3, 32, 32)).astype(np.float32)
        layout = {
            "spatial": [0, 64],
            "spatial_shape": [1, 8, 8],
            "fine": [64, 64 + 3 * 1024],
            "fine_shape": [3, 32, 32],
        }
        z = np.concatenate([np.zeros((2, 64), np.float32), two.reshape(2, -1)], axis=1)
        lines = mix(z, HALF, layout, shown)[64:].reshape(3, 32, 32)
        eyes, mouth = (slice(None), slice(14, 17), slice(10, 22)), (slice(None), slice(24, 26), slice(13, 19))
        for place, owner in ((eyes, 1 - shown), (mouth, shown)):
            alike = [np.corrcoef(lines[place].ravel(), one[place].ravel())[0, 1] for one in two]
            assert alike[owner] > 0.9
            assert alike[1 - owner] < 0.4


def test_a_foreheads_lines_are_those_of_the_hair_that_is_shown():
    two = np.random.default_rng(3).normal(size=(2, 3, 32, 32)).astype(np.float32)
    layout = {"spatial": [0, 64], "spatial_shape": [1, 8, 8], "fine": [64, 64 + 3 * 1024], "fine_shape": [3, 32, 32]}
    z = np.concatenate([np.zeros((2, 64), np.float32), two.reshape(2, -1)], axis=1)
    mixed = mix(z, HALF, layout, 0)[64:].reshape(3, 32, 32)
    forehead = (outside_face(32) == 0) & (outside_features(32) == 1)
    assert forehead[:16].sum() >= 20
    drawn, own, other = ((part - broad(part))[:, forehead].ravel() for part in (mixed, *two))
    assert np.corrcoef(drawn, own)[0, 1] > 0.9
    assert abs(np.corrcoef(drawn, other)[0, 1]) < 0.3


def test_lines_that_one_parent_has_alone_are_drawn_in_full():
    two = np.zeros((2, 3, 16, 16))
    two[0, :, 7:9] = 1.0
    mixed = mix_fine(two, everywhere(HALF))
    alone = mix_fine(two[:1], everywhere([1.0]))
    lines = (np.ptp(part[:, :, 8], axis=1) for part in (mixed, alone, mix_fine(two[[1, 1]], everywhere(HALF))))
    there, full, none = (float(line.mean()) for line in lines)
    assert none == 0
    assert there > 0.75 * full


@pytest.mark.parametrize("grid", [4, 16])
def test_parents_are_treated_alike_and_a_continuum_has_no_jump(grid):
    two = np.random.default_rng(1).normal(size=(2, 3, grid, grid))

    def at(t, parts=two):
        return mix_fine(parts, everywhere([1 - t, t], grid))

    np.testing.assert_allclose(at(0.3), at(0.7, two[::-1]), atol=1e-5)
    np.testing.assert_allclose(at(0.0), two[0], atol=1e-5)
    path = np.stack([at(t) for t in np.linspace(0, 1, 201)])
    steps = np.sqrt(np.square(np.diff(path, axis=0)).sum(axis=(1, 2, 3)))
    assert steps.max() < 5 * steps.mean()


def test_sums_take_no_lines_away_and_double_none():
    two = np.random.default_rng(4).normal(size=(3, 2, 16, 16))
    lines = [part - broad(part) for part in two]
    beyond = sum_fine(two, np.array([3.0, -2.0, 0.0]))
    np.testing.assert_allclose(broad(beyond - lines[0]), broad(broad(3 * two[0] - 2 * two[1])), atol=1e-4)
    np.testing.assert_allclose(beyond - broad(3 * two[0] - 2 * two[1]), lines[0], atol=1e-4)
    away = sum_fine(two[[0, 0, 1]], np.array([1.0, -1.0, 1.0]))  # from one, less itself, to another is the other
    np.testing.assert_allclose(away, two[1], atol=1e-4)
    added = sum_fine(two, np.array([1.0, -0.5, 0.5]))
    assert abs(np.corrcoef((added - broad(added)).ravel(), lines[1].ravel())[0, 1]) < 0.2
    twice = two[[0, 0, 1]]  # each of the two is as much as both are on average
    due = mixed_by(twice, everywhere([1, 0.5, 0.5]), everywhere([0.375, 0.375, 0.25]))
    np.testing.assert_allclose(sum_fine(twice, np.array([1, 0.5, 0.5])), due, atol=1e-5)


def test_shares_of_lines_sum_to_one_and_vanish_with_the_weight():
    lines = np.random.default_rng(2).normal(size=(3, 2, 8, 8))
    shares = line_shares(lines, everywhere([0.0, 0.4, 0.6], 8), np.array([0.0, -1.0, 0.0])[:, None, None])
    np.testing.assert_allclose(shares.sum(axis=0), 1, atol=1e-5)
    assert shares[0].max() == 0


def gauss(spread, size=33):
    """Weights of a blur at each distance from the middle, cut off at three standard deviations."""
    distances = np.arange(size) - size // 2
    taps = np.exp(-(distances**2) / (2 * spread**2)) * (abs(distances) <= np.ceil(3 * spread))
    return np.outer(taps, taps) / taps.sum() ** 2


def test_both_blurs_are_the_gaussians_that_are_named():
    spot = np.zeros((2, 1, 33, 33))
    spot[0, 0, 16, 16] = 1
    np.testing.assert_allclose(broad(spot[0, 0]), gauss(2.0), atol=1e-6)
    corner = np.zeros((33, 33))
    corner[0, 0] = 1  # and all beyond it, as the border is
    half = (1 + np.sqrt(gauss(2.0)[16, 16])) / 2
    np.testing.assert_allclose(broad(corner)[0, 0], half**2, atol=1e-6)
    near = gauss(1.5)
    unseen = 0.05 * near.sum() / near.size / 2 + 1e-4  # a 20th of both parents' mean, and what counts as none
    shares = line_shares(spot, everywhere(HALF, 33))
    np.testing.assert_allclose(shares[0], (near + unseen) / (near + 2 * unseen), atol=1e-5)


@pytest.mark.parametrize(("energies", "lead", "power"), [([4, 1], [0.1, -0.1], 1), ([4, 1, 1], [0.1, 0, 0], 0.5)])
def test_shares_of_lines_by_hand(energies, lead, power):
    """Energy, a 20th of the mean and a trifle, times e to three leads; under a root where three parents count."""
    count = len(energies)
    lines = np.sqrt(np.array(energies, float))[:, None, None, None] * np.ones((count, 1, 16, 16))
    shares = line_shares(lines, everywhere([1 / count] * count), np.array(lead)[:, None, None])
    pull = (np.array(energies) + 0.05 * np.mean(energies) + 1e-4) * np.exp(3 * np.array(lead))
    np.testing.assert_allclose(shares[:, 8, 8], pull**power / (pull**power).sum(), rtol=1e-5)


def test_of_equal_lines_the_larger_share_gets_the_more():
    shares = line_shares(np.ones((2, 1, 8, 8)), everywhere([0.75, 0.25], 8))
    np.testing.assert_allclose(shares[0], 0.75**2 / (0.75**2 + 0.25**2), rtol=1e-5)


def test_maps_without_lines_mix_by_weight():
    nothing = np.zeros((2, 3, 8, 8))
    np.testing.assert_allclose(line_shares(nothing, everywhere(HALF, 8)), 0.5, atol=1e-6)
    assert not mix_fine(nothing, everywhere(HALF, 8)).any()


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
    np.testing.assert_allclose(mix_fine(z, everywhere([0.2] * 5, 4), np.eye(5)[0] - 0.2), z.mean(axis=0), atol=1e-5)
    for count in (4, 5):
        shares = np.full((count, 4, 4), 1 / count)
        np.testing.assert_allclose(kept_energy(z[:count], shares), z[:count].mean(axis=0), rtol=1e-4, atol=1e-6)
    three = kept_energy(z[:3], np.full((3, 4, 4), 1 / 3))
    assert (np.linalg.norm(three, axis=0) > 1.1 * np.linalg.norm(z[:3].mean(axis=0), axis=0)).mean() > 0.8


def test_of_two_the_fine_part_keeps_its_energy_whatever_the_source():
    """'mean', and the shares that it stands for: the ways that `average` and `blend` take."""
    z, half = latents(2, length=900), np.array([0.5, 0.5])
    np.testing.assert_allclose(mix(z, half, FINE, "mean"), mix(z, half, FINE, half), atol=1e-5)
    assert np.linalg.norm(mix(z, half, FINE, "mean")[132:]) > 1.2 * np.linalg.norm(z[:, 132:].mean(axis=0))
