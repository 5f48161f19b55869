"""What holds for every baseline, over the registry."""

import subprocess
import sys

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import data

from featureblend.blend.baselines import BASELINES
from featureblend.blend.baselines.inputs import check_inputs
from featureblend.blend.baselines.selection import Strongest, local_energy
from featureblend.errors import FeatureblendError

SHAPES = [(32, 32), (33, 47), (61, 40)]
every_method = pytest.mark.parametrize("method", BASELINES.values(), ids=BASELINES)


def photos(shape, count=2):
    """Real pictures, unlike each other: pieces of one portrait, the colours turned."""
    portrait = data.astronaut()
    pieces = [portrait[k * 60 : k * 60 + 180, 130 - 30 * k : 310 - 30 * k, np.roll([0, 1, 2], k)] for k in range(count)]
    return [cv2.resize(piece, shape[::-1], interpolation=cv2.INTER_AREA) for piece in pieces]


def faces(shape, count=2):
    """Landmark sets of 68 points on ellipses about the middle, each another."""
    angle = np.linspace(0, 2 * np.pi, 68, endpoint=False)
    unit = np.column_stack([np.cos(angle), np.sin(angle)]) * np.linspace(0.3, 1, 68)[:, None]
    middle = np.array(shape[::-1]) / 2
    return [middle * (1 + 0.04 * k) + unit * middle * (0.6 - 0.08 * k) for k in range(count)]


def sharpness(image):
    return cv2.Laplacian(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32), -1).var()


def difference(a, b):
    return np.abs(a.astype(int) - b.astype(int)).max()


def test_all_the_weight_on_one_photo_returns_it():
    for method in BASELINES.values():
        for shape in SHAPES:
            images, points = photos(shape, 3), faces(shape, 3)
            for chosen in range(3):
                result = method(images, np.eye(3)[chosen], points)
                assert result.dtype == np.uint8
                np.testing.assert_array_equal(result, images[chosen])
                assert result is not images[chosen]


def test_a_photo_fades_in_without_a_jump():
    for method in BASELINES.values():
        images, points = photos((64, 64)), faces((64, 64))
        step = np.abs(method(images, (0.999, 0.001), points).astype(int) - images[0])
        assert step.max() <= 3
        assert step.mean() < 0.5


def test_the_order_of_the_photos_does_not_matter():
    for method in BASELINES.values():
        images, points, weights = photos((33, 47), 3), faces((33, 47), 3), np.array([0.5, 0.3, 0.2])
        expected = method(images, weights, points)
        for order in ([1, 0, 2], [2, 1, 0], [1, 2, 0]):
            permuted = method([images[k] for k in order], weights[order], [points[k] for k in order])
            assert difference(permuted, expected) <= 1


def test_equal_weights_are_symmetric_and_unlike_either_photo():
    for method in BASELINES.values():
        images, points = photos((48, 48)), faces((48, 48))
        result = method(images, (0.5, 0.5), points)
        assert difference(result, method(images[::-1], (0.5, 0.5), points[::-1])) <= 1
        assert all(np.abs(result.astype(int) - image).mean() > 5 for image in images)


@settings(max_examples=15, deadline=None)
@given(levels=st.lists(st.integers(0, 255), min_size=2, max_size=4), seed=st.integers(0, 99))
def test_plain_pictures_give_their_mean(levels, seed):
    for method in BASELINES.values():
        weights = np.random.default_rng(seed).dirichlet(np.ones(len(levels)))
        images = [np.full((33, 40, 3), level, np.uint8) for level in levels]
        result = method(images, weights, faces((33, 40), len(levels)))
        assert np.abs(result - np.dot(weights, levels)).max() <= 0.51


@settings(max_examples=10, deadline=None)
@given(weight=st.floats(-1, 2), side=st.integers(32, 45))
def test_a_photo_blended_with_itself_is_that_photo(weight, side):
    for method in BASELINES.values():
        image = photos((side, 36), 1)[0]
        points = faces((side, 36), 1)[0]
        assert difference(method([image, image], (1 - weight, weight), [points, points]), image) <= 1


def test_inputs_stay_as_they_were_and_runs_repeat():
    for method in BASELINES.values():
        images, points = photos((40, 40)), faces((40, 40))
        weights = np.array([0.3, 0.7])
        for array in (*images, *points, weights):
            array.setflags(write=False)
        np.testing.assert_array_equal(method(images, weights, points), method(images, weights, points))


def test_the_colours_are_treated_alike():
    for method in BASELINES.values():
        images, points = photos((48, 40)), faces((48, 40))
        turned = method([image[..., ::-1] for image in images], (0.6, 0.4), points)
        assert difference(turned[..., ::-1], method(images, (0.6, 0.4), points)) <= 1


def test_weights_beyond_0_and_1_extrapolate():
    for method in BASELINES.values():
        images, points = photos((64, 64)), faces((64, 64))
        result = method(images, (1.5, -0.5), points)
        away = result.mean(axis=(0, 1)) - images[0].mean(axis=(0, 1))
        towards = images[1].mean(axis=(0, 1)) - images[0].mean(axis=(0, 1))
        assert away @ towards < 0


def test_many_photos():
    for method in BASELINES.values():
        images, points = photos((32, 40), 5), faces((32, 40), 5)
        result = method(images, [0.2] * 5, points)
        mean = np.mean(images, axis=0)
        assert np.abs(result.mean(axis=(0, 1)) - mean.mean(axis=(0, 1))).max() < 12


def test_more_detail_is_left_than_in_the_pixel_mean():
    for name, factor in [
        ("gaussian", 1.7),
        ("laplacian", 2.8),
        ("fourier", 1.6),
        ("poisson", 1.2),
        ("gaussian-poisson", 2.8),
    ]:
        images = photos((128, 128))
        plain = sharpness(BASELINES["pixel"](images, (0.5, 0.5)))
        assert sharpness(BASELINES[name](images, (0.5, 0.5))) > factor * plain


def test_the_coarse_colours_are_the_mean():
    for name in ["gaussian", "fourier", "gaussian-poisson"]:
        images = photos((128, 128))
        blurred = [
            cv2.GaussianBlur(BASELINES[method](images, (0.5, 0.5)).astype(np.float32), (0, 0), 24)
            for method in ("pixel", name)
        ]
        assert np.abs(blurred[1] - blurred[0]).mean() < 3


@given(
    levels=st.lists(st.integers(0, 255), min_size=2, max_size=2),
    weight=st.floats(-1, 2).filter(lambda value: abs(value) > 1e-9),
)
def test_the_pixel_mean_is_the_textbook_formula(levels, weight):
    images = [np.full((8, 8, 3), level, np.uint8) for level in levels]
    exact = (1 - weight) * levels[0] + weight * levels[1]
    assert np.abs(BASELINES["pixel"](images, (1 - weight, weight)) - np.clip(exact, 0, 255)).max() <= 0.5 + 1e-9


MISFITS = [
    ([], [], "no photo"),
    ([(32, 32, 3), (32, 33, 3)], [0.5, 0.5], "photo 2 is 33x32 and photo 1 is 32x32"),
    ([(32, 32, 3), (32, 32)], [0.5, 0.5], "photo 2"),
    ([(4, 32, 3)], [1.0], "at least 8 pixels"),
    ([(32, 32, 3)] * 2, [0.5, 0.6], "sum to 1"),
    ([(32, 32, 3)] * 2, [1.0], "2 photos need 2 weights"),
    ([(32, 32, 3)] * 2, [float("nan"), 1.0], "finite"),
]


def test_what_does_not_fit_is_named():
    for method in BASELINES.values():
        for shapes, weights, message in MISFITS:
            images = [np.zeros(shape, np.uint8) for shape in shapes]
            with pytest.raises(FeatureblendError, match=message):
                method(images, weights, [np.ones((68, 2))] * len(images))


def test_float_pictures_are_refused():
    with pytest.raises(FeatureblendError, match="uint8"):
        check_inputs([np.zeros((32, 32, 3))], [1.0])


def test_the_strongest_candidate_wins_and_equals_are_averaged():
    rng = np.random.default_rng(3)
    values, energies = rng.normal(size=(4, 9, 7, 3)), rng.integers(0, 3, (4, 9, 7)).astype(float)
    strongest = Strongest()
    for value, energy in zip(values, energies, strict=True):
        strongest.add(value, energy)
    winners = (energies == energies.max(axis=0))[..., None]
    np.testing.assert_allclose(strongest.values(), (values * winners).sum(axis=0) / winners.sum(axis=0))


def test_local_energy_keeps_the_total_and_spreads_over_the_window():
    spike = np.zeros((15, 15, 3))
    spike[7, 7] = 1, 2, 3
    energy = local_energy(spike)
    assert energy.sum() == pytest.approx(14, rel=1e-5)
    assert (energy > 0).sum() == 25


def test_opencv_is_not_imported_with_the_package():
    code = "import sys, featureblend; sys.exit('cv2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
