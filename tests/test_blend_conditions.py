"""What makes a photo hard to blend, measured: heads turned by a known angle, reconstructions; and even weights."""

import numpy as np
import pytest

from featureblend.blend.balance import even_weight
from featureblend.blend.blender import Blender
from featureblend.blend.conditions import reconstruction_errors, yaw
from featureblend.errors import FeatureblendError
from featureblend.faces import EXAMPLES
from featureblend.metrics.measures import similarities
from featureblend.model.folder import find_model

FIRST, SECOND = EXAMPLES / "first.png", EXAMPLES / "second.png"


@pytest.fixture(scope="module")
def blender(detector):
    return Blender(find_model(), detector)


def head_seen(yaw, roll=0.0, scale=40.0):
    """Landmarks of a head, turned and seen from afar: the jaw's ends a unit from its middle, the bridge one before."""
    points = np.zeros((68, 3))
    points[0:5] = [(-1, y, 0) for y in np.linspace(0, 0.8, 5)]
    points[12:17] = [(1, y, 0) for y in np.linspace(0.8, 0, 5)]
    points[27:31] = [(0, y, 1) for y in np.linspace(0, 0.5, 4)]
    points[36:42], points[42:48] = (-0.45, 0, 0.7), (0.45, 0, 0.7)
    y, r = np.radians([yaw, roll])
    across = np.cos(y) * points[:, 0] + np.sin(y) * points[:, 2]
    down = points[:, 1]
    return np.stack([np.cos(r) * across - np.sin(r) * down, np.sin(r) * across + np.cos(r) * down], axis=1) * scale + 64


@pytest.mark.parametrize("angle", [-50, -25, -10, 0, 10, 25, 50])
def test_a_head_turned_by_hand_is_measured_right(angle):
    for roll in (-20, 0, 20):
        for scale in (4, 300):
            assert yaw(head_seen(angle, roll, scale)) == pytest.approx(angle, abs=0.1)


def test_a_mirrored_face_is_turned_to_the_other_side(detector, astronaut):
    [face] = [max(detector.detect(astronaut), key=lambda face: face.area)]
    mirrored = max(detector.detect(np.ascontiguousarray(astronaut[:, ::-1])), key=lambda face: face.area)
    one, other = yaw(face.landmarks), yaw(mirrored.landmarks)
    assert np.sign(one) == -np.sign(other)
    assert abs(one + other) < 4


def test_reconstruction_error_is_psnr_here_and_inside():
    photo, marks = np.full((64, 64, 3), 100, np.uint8), np.zeros((68, 2))
    marks[:, 0], marks[:, 1] = np.tile([20, 44], 34), np.repeat([20, 44], 34)
    decoded = photo.copy()
    decoded[20:45, 20:45] += 10  # the inside, 25 x 25 pixels
    whole, inside = reconstruction_errors(photo, decoded, marks)
    assert inside == pytest.approx(20 * np.log10(255 / 10))
    assert whole == pytest.approx(10 * np.log10(255**2 / (100 * 625 / 4096)))
    assert reconstruction_errors(photo, photo, marks) == (float("inf"), float("inf"))


def test_identity_is_measured_on_demand(blender, detector):
    made = blender.blend([FIRST, SECOND], [1, 0], measures="identity", detail=False)
    to_first, to_second = made.measures["identity_distances"]
    assert to_first < 0.35 < to_second
    assert made.measures["identity_balance"] > 0.3
    assert "identity_distances" not in blender.blend([FIRST, SECOND]).measures
    assert blender.blend([FIRST, SECOND], measures="none").measures == {}
    with pytest.raises(FeatureblendError, match="unknown measures 'all'"):
        blender.blend([FIRST, SECOND], measures="all")


def test_balance_by_pictures_and_by_identity(blender):
    for by, name in (("pictures", "balance"), ("identity", "identity_balance")):
        even = blender.blend([FIRST, SECOND], balance=by, measures="identity")
        half = blender.blend([FIRST, SECOND], measures="identity")
        assert even.measures[name] <= max(0.02, half.measures[name] / 3)
        turned = blender.blend([SECOND, FIRST], balance=by, measures="none")
        assert turned.recipe["weights"] == pytest.approx(even.recipe["weights"][::-1], abs=0.02)
    for photos, weights in (([FIRST, SECOND, FIRST], None), ([FIRST, SECOND], [1, 1])):
        with pytest.raises(FeatureblendError, match="a balance is searched for two photos, and in place of weights"):
            blender.blend(photos, weights, balance="pictures")


def test_the_search_itself():
    assert even_weight(lambda weight: 0.3 - weight) == pytest.approx(0.3, abs=1 / 256)
    assert even_weight(lambda weight: 0.0) == 0.5
    with pytest.raises(FeatureblendError, match="nearer to the first"):
        even_weight(lambda weight: -1.0)
    with pytest.raises(FeatureblendError, match="nearer to the second"):
        even_weight(lambda weight: 1.0)


def test_similarity_by_hand():
    assert similarities([0.0, 8.0, 4.0], [[0, 8, 4], [8, 0, 8], [4, 8, 0]]) == [1.0, 0.0, 0.333]
    assert similarities([0.0, 0.0], [[0, 0], [0, 0]]) == [None, None]
