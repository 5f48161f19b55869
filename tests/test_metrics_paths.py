"""Balance and continua, by hand, by the published code of ACAI, and on drawn faces."""

import math

import numpy as np
import pytest
from drawn_faces import draw_face
from skimage.color import deltaE_cie76, rgb2lab

from featureblend import FeatureblendError
from featureblend.metrics import (
    balance,
    balance_of_distances,
    boundary_error,
    cycle_error,
    mean_distance,
    path_irregularity,
    path_lengths,
    path_positions,
    picture_distance,
    smoothness,
)


def mixed(a, b, alpha):
    return np.floor(a * (1 - alpha) + b * alpha + 0.5).astype(np.uint8)


def far(a, b):
    return abs(a - b)


def test_picture_distance_of_plain_colours_is_cie_76():
    red, blue = np.full((32, 32, 3), (200, 30, 40), np.uint8), np.full((32, 32, 3), (20, 60, 180), np.uint8)
    expected = deltaE_cie76(rgb2lab(red), rgb2lab(blue)).mean()
    assert picture_distance(red, blue) == pytest.approx(expected, rel=0.01)


def test_picture_distance_averages_four_scales():
    board = ((np.indices((32, 32)).sum(axis=0) % 2) * 255).astype(np.uint8)
    image = np.dstack([board] * 3)
    # Against its negative: 100 apart at the finest scale, equal at the three coarser ones.
    assert picture_distance(image, 255 - image) == pytest.approx(math.sqrt(100**2 / 4), rel=1e-3)


def test_picture_distance_counts_pixels_by_the_mask():
    black, half = np.zeros((2, 16, 32, 3), np.uint8)
    half[:, 16:] = 255
    mask = np.zeros((16, 32))
    for left, right, due in ((1, 0, 0.0), (0, 2, 100.0), (3, 1, 50.0)):  # the root of a quarter of 100 squared
        mask[:, :16], mask[:, 16:] = left, right
        assert picture_distance(black, half, mask) == pytest.approx(due, abs=0.01)
    assert picture_distance(black, half) == pytest.approx(100 / math.sqrt(2), abs=0.01)
    for wrong in (mask * 0, mask.T, mask[..., None]):
        with pytest.raises(FeatureblendError):
            picture_distance(black, half, wrong)


def test_balance_by_hand_and_on_faces():
    assert balance_of_distances(3, 1, 4) == 0.5
    assert balance_of_distances(0, 0, 0) == 0
    a, b = draw_face(0)[0], draw_face(1)[0]
    assert balance(a, a, b) == pytest.approx(1)
    assert balance(mixed(a, b, 0.5), a, b) < 0.1
    assert balance(mixed(a, b, 0.5), a, b) < balance(mixed(a, b, 0.25), a, b) < balance(mixed(a, b, 0.05), a, b) < 1
    assert balance(5.0, 0.0, 8.0, distance=far) == 0.25
    with pytest.raises(FeatureblendError):
        balance_of_distances(1, 2, 0)
    with pytest.raises(FeatureblendError):
        balance_of_distances(-1, 2, 3)


def test_path_lengths_and_irregularity_of_an_even_and_an_uneven_path():
    a, b = draw_face(2)[0], draw_face(3)[0]
    even = path_lengths([mixed(a, b, alpha) for alpha in np.linspace(0, 1, 6)])
    jump = path_lengths([a, a, a, b, b, b])
    assert even.shape == jump.shape == (5,)
    assert path_irregularity(even) < 1.3
    assert path_irregularity(jump) == pytest.approx(5)
    assert even.sum() == pytest.approx(picture_distance(a, b), rel=0.1)
    assert math.isnan(path_irregularity([0.0, 0.0]))
    for bad in ([], [-1.0]):
        with pytest.raises(FeatureblendError):
            path_irregularity(bad)
    with pytest.raises(FeatureblendError):
        path_lengths([a])


def test_boundary_error_is_a_share_of_the_way():
    assert boundary_error([2.0, 9.0], 0.0, 8.0, distance=far) == (0.25, 0.125)
    a, b = draw_face(4)[0], draw_face(5)[0]
    assert boundary_error([a, b], a, b) == (0.0, 0.0)
    assert boundary_error([b, a], a, b) == (1.0, 1.0)
    with pytest.raises(FeatureblendError):
        boundary_error([a], a, a)
    with pytest.raises(FeatureblendError):
        boundary_error([], a, b)


def test_smoothness_by_hand():
    assert smoothness([0, 1, 2, 3]) == pytest.approx(0)
    assert smoothness([0, 0, 3, 3]) == pytest.approx(1 - 1 / 3)
    assert smoothness([0, 4, 2]) == pytest.approx(2 - 1 / 2)  # it overshoots
    assert math.isnan(smoothness([1, 2, 1]))
    with pytest.raises(FeatureblendError):
        smoothness([1.0])


def test_path_positions_of_faces_feed_smoothness():
    a, b = draw_face(6)[0], draw_face(7)[0]
    alphas = np.linspace(0, 1, 5)
    positions = path_positions([mixed(a, b, alpha) for alpha in alphas], a, b)
    assert positions == pytest.approx(alphas, abs=0.06)
    assert smoothness(positions) < 0.06
    assert smoothness(path_positions([a, a, a, b, b], a, b)) == pytest.approx(0.75)
    with pytest.raises(FeatureblendError):
        path_positions([a], a, a)


def test_mean_distance_equals_scipy():
    from scipy.spatial import distance

    rng = np.random.default_rng(0)
    points, real = rng.normal(size=(7, 3, 2)), rng.normal(size=(11, 3, 2))
    expected = distance.cdist(points.reshape(7, -1), real.reshape(11, -1), "cosine").min(axis=1).mean()
    assert mean_distance(points, real) == pytest.approx(expected)
    assert mean_distance(points, real, block=3) == pytest.approx(expected)
    assert mean_distance(real * 5, real) == pytest.approx(0, abs=1e-12)
    for bad, other in ((np.zeros((1, 3)), np.ones((1, 3))), (np.ones((1, 3)), np.ones((1, 4)))):
        with pytest.raises(FeatureblendError):
            mean_distance(bad, other)


def test_cycle_error():
    rng = np.random.default_rng(0)
    latent = rng.normal(size=(16, 8, 8))
    assert cycle_error(latent, latent) == 0
    assert cycle_error(latent, 1.1 * latent) == pytest.approx(0.1)
    assert cycle_error(latent, -latent) == pytest.approx(2)
    assert cycle_error(latent, rng.normal(size=latent.shape)) == pytest.approx(math.sqrt(2), abs=0.1)
    with pytest.raises(FeatureblendError):
        cycle_error(0 * latent, latent)
    with pytest.raises(FeatureblendError):
        cycle_error(latent, latent[:2])
