"""What speaks against a photo: heads turned by a known angle, parts hidden, small faces; and what blends say of it."""

import cv2
import numpy as np
import pytest
from PIL import Image

from featureblend.blender import Blender
from featureblend.demo import EXAMPLES
from featureblend.errors import FeatureblendError
from featureblend.evaluate.conditions import HEAD, POINTS, head_pose, photo_warnings, reconstruction_errors
from featureblend.evaluate.even import even_weight
from featureblend.evaluate.measures import similarities
from featureblend.model_folder import find_model

FIRST, SECOND = EXAMPLES / "first.png", EXAMPLES / "second.png"


@pytest.fixture(scope="module")
def blender(detector):
    return Blender(find_model(), detector)


def seen_from_afar(yaw, pitch=0.0, roll=0.0):
    """The mean head's points after turning it: a parallel projection, worked out here by hand."""
    y, p, r = np.radians([yaw, pitch, roll])
    around_y = np.array([[np.cos(y), 0, -np.sin(y)], [0, 1, 0], [np.sin(y), 0, np.cos(y)]])
    around_x = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    around_z = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    marks = np.zeros((68, 2))
    marks[POINTS] = (HEAD @ (around_z @ around_x @ around_y).T)[:, :2] * 0.2 + 64
    return marks


@pytest.mark.parametrize("yaw", [-50, -25, -10, 0, 10, 25, 50])
def test_a_head_turned_by_hand_is_measured_right(yaw):
    found, _, roll = head_pose(seen_from_afar(yaw))
    assert abs(abs(found) - abs(yaw)) < 3
    assert abs(roll) < 3
    # The tip of the nose goes to the side that it is said to point to.
    marks = seen_from_afar(yaw)
    if yaw:
        assert np.sign(found) == np.sign(marks[30, 0] - marks[[36, 45], 0].mean())


def test_roll_and_scale_do_not_count_as_yaw():
    for roll in (-20, 20):
        yaw, _, measured = head_pose(seen_from_afar(0, roll=roll))
        assert abs(yaw) < 3
        assert abs(measured - roll) < 3
    assert np.allclose(head_pose(seen_from_afar(20)), head_pose(seen_from_afar(20) * 7 + 300), atol=0.5)


def test_a_mirrored_face_is_turned_to_the_other_side(detector, astronaut):
    [face] = [max(detector.detect(astronaut), key=lambda face: face.area)]
    mirrored = max(detector.detect(np.ascontiguousarray(astronaut[:, ::-1])), key=lambda face: face.area)
    one, other = head_pose(face.landmarks)[0], head_pose(mirrored.landmarks)[0]
    assert np.sign(one) == -np.sign(other)
    assert abs(one + other) < 12


def test_reconstruction_error_is_psnr_here_and_inside():
    photo, marks = np.full((64, 64, 3), 100, np.uint8), np.zeros((68, 2))
    marks[:, 0], marks[:, 1] = np.tile([20, 44], 34), np.repeat([20, 44], 34)
    decoded = photo.copy()
    decoded[20:45, 20:45] += 10  # the inside, 25 x 25 pixels
    whole, inside = reconstruction_errors(photo, decoded, marks)
    assert inside == pytest.approx(20 * np.log10(255 / 10))
    assert whole == pytest.approx(10 * np.log10(255**2 / (100 * 625 / 4096)))
    assert reconstruction_errors(photo, photo, marks) == (float("inf"), float("inf"))


def test_the_warnings_in_words():
    assert photo_warnings("a", yaw=24, width=60, reconstruction=(28, 28)) == []
    assert "turned by about 40 degrees to the right" in photo_warnings("a", yaw=40)[0]
    assert "only 30 pixels wide" in photo_warnings("a", width=30.2)[0]
    assert photo_warnings("ana.jpg", reconstruction=(17.2, 20))[0].startswith("ana.jpg encodes badly: 17.2 dB")
    assert "inside the face: 20.0 dB" in photo_warnings("a", reconstruction=(27, 20))[0]
    assert photo_warnings("a", reconstruction=(17.2, 20), typical=20) == []


def test_damage_that_was_undone_is_told_where_it_is_seen():
    assert "light was evened out" in photo_warnings("a", mended=(15, 1, 0))[0]
    assert "noise, blur or compression" in photo_warnings("a", mended=(23, 0, 0.6))[0]
    assert len(photo_warnings("a", mended=(15, 1, 1))) == 2
    assert photo_warnings("a", mended=(36, 0, 1)) == []  # hardly changed
    assert photo_warnings("a", mended=(20, 0.4, 0.4)) == []  # hardly certain
    assert len(photo_warnings("a", reconstruction=(21, 29))) == len(photo_warnings("a", reconstruction=(29, 22))) == 1
    assert "taken out" in photo_warnings("a", reconstruction=(21, 22.5), mended=(23, 0, 1))[-1]  # the rest of its grain
    both = photo_warnings("a", reconstruction=(17, 17), mended=(17, 0, 1))
    assert ["taken out" in both[0], "encodes badly" in both[1]] == [True, True]


def test_a_hidden_face_a_small_one_and_noise_are_told(blender):
    photo = np.asarray(Image.open(FIRST).convert("RGB"))
    assert blender.blend([photo, SECOND]).warnings == ()
    small = cv2.resize(photo, None, fx=0.35, fy=0.35, interpolation=cv2.INTER_AREA)
    found = blender.find(photo)
    hidden = found.image.copy()
    tiles = np.indices((22, 60)).sum(axis=0) // 3 % 2 * 255  # a scarf with checks, over mouth and chin
    hidden[88:110, 34:94] = tiles[..., None]
    covered = type(found)(hidden, found.landmarks, found.matrix)
    noise = np.random.default_rng(0).integers(0, 256, found.image.shape, dtype=np.uint8)
    spoilt = type(found)(noise, found.landmarks, found.matrix)
    other = blender.find(SECOND)
    told = blender.blend_faces([covered, other], names=["ana.jpg", "b"]).warnings
    assert any("ana.jpg encodes badly" in line for line in told), told
    made = blender.blend_faces([other, spoilt])
    assert any("photo 2 encodes badly" in line for line in made.warnings)
    sound, broken = made.measures["reconstruction"]
    assert broken < sound - 10
    [line] = blender.blend([FIRST, small]).warnings[:1]
    assert line.startswith("photo 2: the face is only ")


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
