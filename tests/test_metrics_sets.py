"""Scores of sets of pictures, against scipy, sums over all pairs, and sets whose answer is known."""

import math

import numpy as np
import pytest
from drawn_faces import draw_faces

from featureblend import FeatureblendError
from featureblend.metrics import (
    FEATURES_NAME,
    bootstrap_interval,
    diversity,
    fid,
    image_features,
    kid,
    nearest_distances,
    nearest_neighbour_accuracy,
)


@pytest.fixture(scope="module")
def faces():
    return draw_faces(range(60))[0]


def clouds(count, dimensions=6, shift=0.0, scale=1.0, seed=0):
    return np.random.default_rng(seed).normal(shift, scale, (count, dimensions))


def test_kid_is_the_mean_over_all_pairs():
    a, b = clouds(5, 3), clouds(4, 3, shift=1, seed=1)

    def kernel(x, y):
        return (float(x @ y) / 3 + 1) ** 3

    within_a = np.mean([kernel(x, y) for i, x in enumerate(a) for j, y in enumerate(a) if i != j])
    within_b = np.mean([kernel(x, y) for i, x in enumerate(b) for j, y in enumerate(b) if i != j])
    across = np.mean([kernel(x, y) for x in a for y in b])
    assert kid(a, b) == pytest.approx(within_a + within_b - 2 * across)


def test_fid_equals_scipys_matrix_root():
    from scipy import linalg as linear

    rng = np.random.default_rng(0)
    a, b = (clouds(200, 8, seed=seed) @ rng.normal(size=(8, 8)) + rng.normal(size=8) for seed in (0, 1))
    covariances = [np.cov(rows, rowvar=False) for rows in (a, b)]
    root = linear.sqrtm(covariances[0] @ covariances[1]).real
    expected = np.square(a.mean(axis=0) - b.mean(axis=0)).sum() + np.trace(covariances[0] + covariances[1] - 2 * root)
    assert fid(a, b) == pytest.approx(expected, rel=1e-6)
    assert fid(a, a) == pytest.approx(0, abs=1e-8)
    assert fid(a, b) == pytest.approx(fid(b, a))


def test_fid_of_fewer_rows_than_features():
    a = clouds(5, 40)
    assert fid(a, a) == pytest.approx(0, abs=1e-6)
    assert fid(a, a + 2) == pytest.approx(4 * 40, rel=1e-6)
    b = clouds(7, 40, seed=1) * 3
    covariances = [np.cov(rows, rowvar=False) for rows in (a, b)]
    overlap = np.sqrt(np.maximum(np.linalg.eigvals(covariances[0] @ covariances[1]).real, 0)).sum()
    expected = np.square(a.mean(axis=0) - b.mean(axis=0)).sum() + np.trace(sum(covariances)) - 2 * overlap
    assert fid(a, b) == pytest.approx(expected, rel=1e-5)


def test_nearest_neighbour_accuracy_of_apart_alike_copied_and_averaged_sets():
    real, alike = clouds(400), clouds(400, seed=1)
    assert nearest_neighbour_accuracy(real, clouds(400, shift=9, seed=1)) == (1, 1, 1)
    assert nearest_neighbour_accuracy(real, alike).overall == pytest.approx(0.5, abs=0.06)
    assert nearest_neighbour_accuracy(real, real + 1e-6).overall == 0
    middle = nearest_neighbour_accuracy(clouds(400, 30), clouds(400, 30, scale=0.5, seed=2))
    assert middle.real < 0.5 < middle.fake
    assert middle.overall == pytest.approx((middle.real + middle.fake) / 2)
    with pytest.raises(FeatureblendError):
        nearest_neighbour_accuracy(real, alike[:10])


def test_two_sample_scores_refuse_bad_features():
    good = clouds(4, 3)
    for score in (kid, fid, nearest_neighbour_accuracy):
        for bad in (good[:1], clouds(4, 5), good * np.nan):
            with pytest.raises(FeatureblendError):
                score(good, bad)


def test_features_have_a_name_and_are_pinned(faces):
    features = image_features(faces[:8])
    assert features.shape == (8, 391)
    assert features.dtype == np.float32
    assert np.isfinite(features).all()
    assert np.abs(features).max() < 10
    assert features.tobytes() == image_features(list(faces[:8])).tobytes()
    assert np.array_equal(image_features(faces[3])[0], features[3])
    for image in (np.zeros((40, 60, 3), np.uint8), np.full((300, 200, 3), 255, np.uint8)):
        assert np.isfinite(image_features(image)).all()
    for bad in (faces[0].astype(float), faces[0][..., :2], [], [faces[0], faces[0][:10]]):
        with pytest.raises(FeatureblendError):
            image_features(bad)
    # Another rule behind the same name would make figures of two versions look comparable.
    ramp = np.broadcast_to(np.arange(128, dtype=np.uint8)[None, :, None] * 2, (128, 128, 3))
    sums = image_features(np.ascontiguousarray(ramp))[0].astype(float)
    assert FEATURES_NAME == "patch-statistics-v1"
    assert [round(float(part.sum()), 1) for part in np.split(sums, [118, 246, 268])] == PINNED


PINNED = [-5.1, -22.4, 17.4, -50.1]


def test_diversity_by_hand_and_of_collapsed_outputs(faces):
    assert diversity(np.array([[0.0], [1.0], [3.0]]), np.array([[0.0], [2.0], [6.0]])) == pytest.approx(0.5)
    assert diversity(faces, faces) == pytest.approx(1)
    assert diversity(np.stack([faces[0]] * 10), faces) == 0
    averages = ((faces[:30].astype(int) + faces[30:]) // 2).astype(np.uint8)
    assert diversity(averages, faces) == pytest.approx(math.sqrt(0.5), abs=0.08)
    with pytest.raises(FeatureblendError):
        diversity(faces, np.stack([faces[0]] * 2))
    with pytest.raises(FeatureblendError):
        diversity(faces[:1], faces)


def test_nearest_distances_finds_the_copy_and_the_nearest(faces):
    found = nearest_distances(faces[[7, 3]], faces)
    assert found.indices.tolist() == [7, 3]
    assert found.distances.tolist() == [0, 0]
    points, training = clouds(20, 5), clouds(70, 5, seed=1)
    everything = np.sqrt(np.square(points[:, None] - training[None]).mean(axis=2))
    for block in (7, 1024):
        found = nearest_distances(points, training, block=block)
        assert found.distances == pytest.approx(everything.min(axis=1), rel=1e-5)
        assert found.indices.tolist() == everything.argmin(axis=1).tolist()
    brighter = np.clip(faces[:1].astype(int) + 3, 0, 255).astype(np.uint8)
    assert nearest_distances(brighter, faces).distances[0] == pytest.approx(3, abs=0.1)
    with pytest.raises(FeatureblendError):
        nearest_distances(faces, faces[:0])
    with pytest.raises(FeatureblendError):
        nearest_distances(points, faces)


def test_bootstrap_interval_covers_the_mean_and_repeats():
    values = clouds(200, 1, shift=3)[:, 0]
    low, high = bootstrap_interval(values)
    assert low < values.mean() < high
    # Of the mean: +- 1.96 standard errors.
    assert high - low == pytest.approx(2 * 1.96 * values.std() / math.sqrt(200), rel=0.12)
    assert (low, high) == bootstrap_interval(values)
    assert (low, high) != bootstrap_interval(values, seed=1)
    wider = bootstrap_interval(values, confidence=0.99)
    assert wider[0] < low < high < wider[1]
    rows = np.column_stack([values, 2 * values])
    ratio = bootstrap_interval(rows, statistic=lambda drawn: drawn[:, 1].mean() / drawn[:, 0].mean())
    assert ratio == pytest.approx((2, 2))
    for bad in ({"values": []}, {"values": values, "samples": 0}, {"values": values, "confidence": 1.0}):
        with pytest.raises(FeatureblendError):
            bootstrap_interval(**bad)
