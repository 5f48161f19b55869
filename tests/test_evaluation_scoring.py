"""The balance of the face alone, and the nearest training face, worked by hand."""

import numpy as np
import pytest

from featureblend.errors import FeatureblendError
from featureblend.evaluation.measuring import PairResult
from featureblend.evaluation.pairs import Face, Pair, score_blend
from featureblend.evaluation.summary import Reference, nearest_training
from featureblend.metrics import picture_distance

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


def test_the_nearest_training_face():
    small = [PairResult(small=image[::2, ::2]) for image in (BLACK + 90, WHITE)]
    facts = np.zeros((1, 391)), 1.0, np.zeros(9), BLACK[None, ::2, ::2]
    training = np.stack([WHITE, BLACK + 100])[:, ::2, ::2]
    assert nearest_training(small, Reference(*facts, training=training)) == [10, 0]
    assert nearest_training(small, Reference(*facts)) == []
