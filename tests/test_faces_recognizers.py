"""Who is recognised: by dlib's network, in pictures, blends and balances."""

import time
from concurrent.futures import ThreadPoolExecutor

import dlib  # noqa: F401  (without the extra these are no tests)
import numpy as np
import pytest
from drawn_faces import draw_face
from example_photos import FIRST, SECOND

from featureblend.blend import balance
from featureblend.blend.balance import least_sure, surest
from featureblend.blend.blender import Blender
from featureblend.blend.quality import identity_distances
from featureblend.faces import EXAMPLES
from featureblend.faces.alignment import align_face
from featureblend.faces.recognizers import Recognizer, further_recognizers, open_recognizer
from featureblend.model.folder import find_model


class Slow(Recognizer):
    """Notes what it was asked, and whether two threads were in it at once."""

    name, version, threshold = "slow", "slow-1", 1.0

    def __init__(self):
        super().__init__()
        self.asked, self.met, self.inside = 0, [], 0

    @classmethod
    def check(cls):
        pass

    def _embedded(self, image, landmarks):
        self.asked += 1
        self.inside += 1
        time.sleep(0.01)
        self.met.append(self.inside > 1)
        self.inside -= 1
        return np.arange(128.0)


@pytest.fixture(scope="module")
def recognizer():
    return open_recognizer()


@pytest.fixture(scope="module")
def blender(detector, recognizer):
    blender = Blender(find_model(), detector)
    blender.recognizer = recognizer
    return blender


def test_embeddings_are_near_for_one_person_and_far_for_two(detector, recognizer):
    codes, again = [], []
    for seed in range(8):
        image = draw_face(seed, 250)[0]
        (face,) = detector.detect(image)
        codes.append(recognizer.embedding(image, face.landmarks))
        crop = align_face(image, face.landmarks, 160, margin=1.25)
        again.append(recognizer.embedding(crop.image, crop.landmarks))
    assert codes[0].shape == (128,)
    between = np.linalg.norm(np.array(codes)[:, None] - codes, axis=2)[np.triu_indices(len(codes), 1)]
    assert np.linalg.norm(np.array(codes) - again, axis=1).mean() < between.mean() / 2


def test_threads_take_turns(recognizer):
    slow = Slow()
    black = np.zeros((8, 8, 3), np.uint8)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: slow.embedding(black, np.full((68, 2), float(n))), range(6)))
    assert slow.met == [False] * 6


def test_an_embedding_is_worked_out_once():
    slow = Slow()
    black, points = np.zeros((8, 8, 3), np.uint8), np.zeros((68, 2))
    first = slow.embedding(black, points)
    first[:] = 0  # a caller's own copy
    assert slow.embedding(black.copy(), points.copy())[5] == 5
    assert slow.asked == 1
    slow.embedding(black + 1, points)
    slow.embedding(black, points + 1)
    assert slow.asked == 3


def test_identity_is_measured_on_demand(blender):
    made = blender.blend([FIRST, SECOND], [1, 0], measures="identity", detail=False)
    to_first, to_second = made.measures["identity_distances"]
    assert to_first < 0.35 < to_second
    assert made.measures["identity_balance"] > 0.3


def test_a_balance_by_identity(blender, monkeypatch):
    """Whose hair, weights and shape are those that the recipe says; turned round, the same blend is found."""
    monkeypatch.setattr(balance, "WEIGHT_STEPS", (0.16,))  # each step takes two blends, and two networks look at each
    monkeypatch.setattr(balance, "SHAPE_STEPS", (0.2,))
    photos = [FIRST, EXAMPLES / "third.jpg"]
    even, half = (blender.blend(photos, balance=by, size="model") for by in ("identity", None))
    crops = [blender.find(photo) for photo in photos]
    shape = even.recipe["options"]["shape_weights"]

    def sure(made, weights):
        rows = [
            identity_distances(np.asarray(made.image), crops, one, np.array(weights))
            for one in (blender.recognizer, *further_recognizers("dlib"))
        ]
        return least_sure(rows, [blender.recognizer.threshold, *(one.threshold for one in further_recognizers("dlib"))])

    assert sure(even, shape) > sure(half, [0.5, 0.5]) + 0.1
    turned = blender.blend(photos[::-1], balance="identity", measures="none", size="model")
    assert turned.recipe["weights"] == pytest.approx(even.recipe["weights"][::-1])
    assert turned.recipe["options"]["shape_weights"] == pytest.approx(shape[::-1])
    assert {turned.recipe["surroundings"], even.recipe["surroundings"]} == {1, 2}


def test_what_is_fixed_is_not_searched(blender, monkeypatch):
    monkeypatch.setattr(balance, "WEIGHT_STEPS", (0.16,))
    made = blender.blend(
        [FIRST, SECOND], balance="identity", measures="none", size="model", surroundings=2, shape_weights=[1, 3]
    )
    assert made.recipe["surroundings"] == 2
    assert made.recipe["options"]["shape_weights"] == [1, 3]


def test_the_surest_blend_is_found_step_by_step():
    asked = []

    def sureness(owner, weight, shape):
        asked.append((owner, weight, shape))
        return -abs(owner - 2) - abs(weight - 0.71) - abs(shape - 0.22)

    owner, weight, shape = surest(sureness)
    assert owner == 2
    assert (weight, shape) == (pytest.approx(0.71, abs=0.04), pytest.approx(0.22, abs=0.1))
    assert len(asked) == len(set(asked)) <= 13
    assert surest(sureness, (1,), shaped=False) == (1, 0.5, 0.5)  # the first's hair stays whole
    assert surest(sureness, (0,))[1] == weight
