"""Warping against scikit-image's thin-plate spline, and morphs of drawn faces."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import transform

from featureblend.blend.baselines import BASELINES
from featureblend.errors import FeatureblendError
from featureblend.faces import warp
from featureblend.faces.landmarks import landmarks_of, seen_landmarks
from featureblend.faces.pose import canonical_mesh
from featureblend.faces.warp import mean_shape, warp_map, warp_to_shape

SIZE = (96, 128)


def shape_of(left, right, mouth):
    """Twelve points: four about each of two eyes and a mouth, given by centre and half axes."""
    turn = np.array([(1, 0), (0, 1), (-1, 0), (0, -1)])
    return np.concatenate([np.array(centre) + turn * axes for centre, axes in (left, right, mouth)]).astype(float)


FACE_A = (((50, 34), (7, 4)), ((80, 36), (7, 4)), ((64, 66), (12, 5)))
FACE_B = (((44, 42), (9, 6)), ((86, 40), (8, 5)), ((66, 60), (16, 7)))
FACE_MEAN = tuple(
    tuple(tuple(np.mean(pair, axis=0)) for pair in zip(a, b, strict=True)) for a, b in zip(FACE_A, FACE_B, strict=True)
)


def draw(features):
    """Return a light picture with a dark ellipse for each feature, smooth edges."""
    picture = np.full((*SIZE, 3), 220, np.uint8)
    for centre, axes in features:
        centre, axes = (tuple(round(value * 16) for value in pair) for pair in (centre, axes))
        cv2.ellipse(picture, centre, axes, 0, 0, 360, (30, 40, 50), -1, cv2.LINE_AA, shift=4)
    return picture


def test_a_morph_of_drawn_faces_does_not_ghost_and_the_pixel_mean_does():
    images, points = [draw(FACE_A), draw(FACE_B)], [shape_of(*FACE_A), shape_of(*FACE_B)]
    ideal = draw(FACE_MEAN).astype(int)

    def half_tones(picture):
        return ((picture > 90) & (picture < 170)).any(axis=2).sum()

    blended = {name: BASELINES[name](images, (0.5, 0.5), points) for name in ("pixel", "morph")}
    assert half_tones(blended["pixel"]) > 400
    assert half_tones(blended["morph"]) < 130
    error = {name: np.abs(picture - ideal).mean() for name, picture in blended.items()}
    assert error["morph"] < 0.25 * error["pixel"]


def test_the_weights_move_the_shape():
    images, points = [draw(FACE_A), draw(FACE_B)], [shape_of(*FACE_A), shape_of(*FACE_B)]

    def height_of_left_eye(weights):
        dark = 220.0 - BASELINES["morph"](images, weights, points)[:52, 25:65, 0]
        return (dark.sum(axis=1) @ np.arange(52)) / dark.sum()

    found = [height_of_left_eye((1 - share, share)) for share in (0, 0.25, 0.5, 1)]
    np.testing.assert_allclose(found, [34, 36, 38, 42], atol=0.6)


def spline_between(source, target):
    """That of scikit-image, which for Python 3.10 ended with 0.25."""
    if hasattr(transform.ThinPlateSplineTransform, "from_estimate"):
        return transform.ThinPlateSplineTransform.from_estimate(source, target)
    spline = transform.ThinPlateSplineTransform()
    assert spline.estimate(source, target)
    return spline


def test_the_map_agrees_with_scikit_image():
    source, target = shape_of(*FACE_A), shape_of(*FACE_B)
    border = warp._border(*SIZE)
    spline = spline_between(np.concatenate([target, border]), np.concatenate([source, border]))
    columns, rows = np.meshgrid(np.arange(SIZE[1]), np.arange(SIZE[0]))
    expected = spline(np.column_stack([columns.ravel(), rows.ravel()])).reshape(*SIZE, 2)
    got = warp_map(SIZE, source, target, stiffness=0)
    assert np.abs(got - expected)[20:76, 20:108].max() < 0.1  # cubic interpolation of a grid of 3 pixels
    assert np.abs(got - expected).mean() < 0.03


def test_the_warped_picture_agrees_with_scikit_image():
    source, target = shape_of(*FACE_A), shape_of(*FACE_B)
    picture = cv2.GaussianBlur(draw(FACE_A), (0, 0), 2)
    border = warp._border(*SIZE)
    spline = spline_between(np.concatenate([target, border]), np.concatenate([source, border]))
    expected = transform.warp(picture, spline, order=3, mode="reflect", preserve_range=True)
    got = warp_to_shape(picture, source, target, stiffness=0)
    assert np.abs(got - expected).mean() < 0.3
    assert np.abs(picture - expected).mean() > 3  # the warp did something


def test_landmarks_land_on_the_target():
    source, target = shape_of(*FACE_A), shape_of(*FACE_B)
    mapping = warp_map(SIZE, source, target)
    there = cv2.remap(mapping, target.astype(np.float32)[:, None], None, cv2.INTER_LINEAR)[:, 0]
    assert np.hypot(*(there - source).T).max() < 0.6


@settings(max_examples=25, deadline=None)
@given(height=st.integers(32, 70), width=st.integers(32, 70), seed=st.integers(0, 99))
def test_warping_to_itself_is_the_identity_wherever_the_points_are(height, width, seed):
    rng = np.random.default_rng(seed)
    points = rng.uniform(-20, 90, (68, 2))
    picture = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    np.testing.assert_array_equal(warp_to_shape(picture, points, points), picture)


def test_points_that_coincide_or_lie_outside_do_no_harm():
    for stiffness in [0, warp.STIFFNESS]:
        source, target = shape_of(*FACE_A), shape_of(*FACE_B)
        source = np.concatenate([source, source[:2], [(-9, 40), (127, 95), (64, 110), (0, 0)]])
        target = np.concatenate([target, target[:2], [(-5, 44), (125, 95), (64, 104), (0, 0)]])
        mapping = warp_map(SIZE, source, target, stiffness=stiffness)
        assert np.isfinite(mapping).all()
        plain = warp_map(SIZE, source[:12], target[:12], stiffness=stiffness)
        assert np.abs(mapping - plain)[30:70, 40:90].max() < 2


def test_equal_points_with_different_aims_meet_in_the_middle():
    source = np.array([(40, 40), (40, 40), (80, 40), (60, 70)], float)
    target = np.array([(40, 40), (40, 40), (80, 40), (60, 70)], float)
    source[0, 0], source[1, 0] = 36, 42
    x, y = warp_map(SIZE, source, target)[40, 40]
    assert x == pytest.approx(39, abs=0.5)
    assert y == pytest.approx(40, abs=0.5)


def test_the_frame_stays_in_place():
    mapping = warp_map(SIZE, shape_of(*FACE_A), shape_of(*FACE_B))
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    moved = np.hypot(mapping[..., 0] - columns, mapping[..., 1] - rows)
    assert moved[34, 50] > 3
    for corner in moved[0, 0], moved[0, -1], moved[-1, 0], moved[-1, -1]:
        assert corner < 0.3
    assert max(moved[0].max(), moved[-1].max(), moved[:, 0].max(), moved[:, -1].max()) < 1.5


def test_a_chin_at_the_border_does_not_squeeze_the_picture(monkeypatch):
    jaw = np.array([(30 + 4 * k, 60 + 34 * np.sin(np.pi * k / 17)) for k in range(18)])
    target = jaw + np.array([0, 7])
    mapping = warp_map(SIZE, jaw, target)
    assert np.diff(mapping[..., 1], axis=0).min() > 0.75
    monkeypatch.setattr(warp, "YIELD_DISTANCE", 1e-3)  # were the border points to hold
    assert np.diff(warp_map(SIZE, jaw, target)[..., 1], axis=0).min() < 0.5


def test_the_mean_shape_is_linear_in_the_weights():
    a, b = shape_of(*FACE_A), shape_of(*FACE_B)
    np.testing.assert_allclose(mean_shape([a, b], (0.5, 0.5)), shape_of(*FACE_MEAN))
    np.testing.assert_allclose(mean_shape([a, b], (1.5, -0.5)), a + (a - b) / 2)


def test_a_morph_needs_landmarks_that_fit():
    images = [draw(FACE_A), draw(FACE_B)]
    points = shape_of(*FACE_A)
    for landmarks, message in (
        (None, "needs the landmarks"),
        ([points], "2 sets of landmarks, not 1"),
        ([points, points[:5]], "different numbers"),
        ([points, points * np.nan], "photo 2: not all are finite"),
        ([points, points.ravel()], "photo 2: expected a .68, 2. array"),
    ):
        with pytest.raises(FeatureblendError, match=message):
            BASELINES["morph"](images, (0.5, 0.5), landmarks)
    with pytest.raises(FeatureblendError, match="cannot be warped"):
        warp_to_shape(images[0], points, points[:5])


@pytest.mark.parametrize("yaw", [-45, 35, 45])
def test_a_turned_head_does_not_fold(yaw):
    """Of points that lie behind others the far side would be shown twice."""
    ahead, turn = canonical_mesh()[0], np.radians(yaw)
    aside = ahead @ np.array([[np.cos(turn), 0, -np.sin(turn)], [0, 1, 0], [np.sin(turn), 0, np.cos(turn)]]).T
    frontal, turned = (40 * mesh[:, :2] + 128 for mesh in (ahead, aside))

    def folded(marks):
        columns = warp_map((256, 256), marks(turned), (marks(turned) + marks(frontal)) / 2)[..., 0]
        return (np.diff(columns, axis=1) < 0).mean()

    assert folded(seen_landmarks) < 1e-3 < 5e-3 < folded(landmarks_of)
