"""The balance of the face alone, its colour, ghosts on the way, and the nearest training face, worked by hand."""

import numpy as np
import pytest
from drawn_faces import draw_face

from featureblend.errors import FeatureblendError
from featureblend.evaluation.measuring import PairResult
from featureblend.evaluation.pairs import Face, Pair, described, score_blend, score_path
from featureblend.evaluation.summary import Reference, nearest_training
from featureblend.metrics import image_features, picture_distance
from featureblend.metrics.skin import skin_colour

BLACK, WHITE = np.zeros((64, 64, 3), np.uint8), np.full((64, 64, 3), 255, np.uint8)


def test_a_mask_says_where_pictures_are_compared():
    half = BLACK.copy()
    half[:, 32:] = 255
    left = np.zeros((64, 64))
    left[:, :32] = 1
    assert picture_distance(half, BLACK, left) == 0
    assert picture_distance(half, BLACK, 1 - left) == pytest.approx(100)
    assert picture_distance(half, BLACK, np.ones((64, 64))) == pytest.approx(picture_distance(half, BLACK), rel=1e-6)
    for mask in (np.zeros((64, 64)), np.ones((32, 32))):
        with pytest.raises(FeatureblendError):
            picture_distance(BLACK, WHITE, mask)


def test_a_face_halfway_in_one_parents_surroundings_is_in_balance_inside_only():
    """Grey of half the lightness (119 is L* = 50) inside, and black around it, between black and white."""
    angles = np.linspace(0, 2 * np.pi, 68, endpoint=False)
    landmarks = np.stack([32 + 16 * np.cos(angles), 32 + 16 * np.sin(angles)], axis=1)
    blend = BLACK.copy()
    rows, columns = np.mgrid[:64, :64]
    blend[np.hypot(rows - 32, columns - 32) < 22] = 119
    found = score_blend(blend, Pair(Face(BLACK, landmarks), Face(WHITE, landmarks)))
    assert found["balance_inside"] < 0.02
    assert found["balance"] > 0.4


def test_how_the_skin_differs_from_the_parents_mean():
    """119 grey levels of 255 are L* = 50; all parents are grey, so that any colour is too much."""
    _, landmarks = draw_face(0, 64)
    pair = Pair(Face(BLACK + 40, landmarks), Face(WHITE - 55, landmarks))
    theirs = [skin_colour(face.image, landmarks)[0] for face in pair.faces]
    grey = score_blend(BLACK + 119, pair)
    assert grey["skin_lightness"] == pytest.approx(50 - np.mean(theirs), abs=0.5)
    assert grey["skin_chroma"] == pytest.approx(0, abs=0.1)
    assert score_blend(BLACK + np.array([160, 110, 90], np.uint8), pair)["skin_chroma"] > 10


def test_ghosts_on_the_way_are_those_of_the_worst_step():
    """Two bars cross-fade, or change over half way; and a single faded step is found among clean ones."""
    a, b = (np.full((64, 64, 3), 40, np.uint8) for _ in range(2))
    a[:, 8:12], b[:, 52:56] = 220, 220
    angles = np.linspace(0, 2 * np.pi, 68, endpoint=False)
    landmarks = np.stack([32 + 12 * np.cos(angles), 32 + 12 * np.sin(angles)], axis=1)
    pair = Pair(Face(a, landmarks), Face(b, landmarks))
    half = ((a.astype(int) + b) // 2).astype(np.uint8)
    real = np.ones((3, 391), np.float32)
    assert score_path([a, a, b, b], pair, real)["path_ghosting"] < 0.05
    assert score_path([a, a, half, b, b], pair, real)["path_ghosting"] > 0.9
    assert score_path([a, half], pair, real)["path_ghosting"] is None  # ends are no steps


def test_pictures_of_256_pixels_are_described_with_their_finer_detail():
    smooth = np.full((256, 256, 3), 128, np.uint8)
    lines = smooth.copy()
    lines[:, ::2], lines[:, 1::2] = 118, 138  # gone at 128 pixels
    assert np.abs(image_features(lines) - image_features(smooth)).max() < 0.05
    assert np.abs(described(lines) - described(smooth)).max() > 0.5
    assert np.array_equal(described(lines[::2, ::2]), image_features(lines[::2, ::2]))


def test_the_nearest_training_face():
    small = [PairResult(small=image[::2, ::2]) for image in (BLACK + 90, WHITE)]
    facts = np.zeros((1, 391)), 1.0, np.zeros(9), BLACK[None, ::2, ::2]
    training = np.stack([WHITE, BLACK + 100])[:, ::2, ::2]
    assert nearest_training(small, Reference(*facts, training=training)) == [10, 0]
    assert nearest_training(small, Reference(*facts)) == []
