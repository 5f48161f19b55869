"""Identity: MMPMR and its threshold worked by hand, and the recogniser."""

from dataclasses import replace

import numpy as np
import pytest
from drawn_faces import draw_face, draw_faces

from featureblend.errors import FeatureblendError
from featureblend.evaluation.identity import (
    add_identity,
    embedding,
    impostor_similarities,
    match_threshold,
    mean_embeddings,
    similarity,
)
from featureblend.evaluation.measuring import PairResult
from featureblend.evaluation.protocols import Protocol, draw
from featureblend.training.dataset import FaceSet


def test_a_blend_counts_only_if_it_matches_every_contributor():
    """One number tells people apart: a blend in the middle of two is half as far from both."""
    images, points = draw_faces(range(60), 32)
    faces = replace(FaceSet.from_images(images, split="test"), landmarks=points.astype(np.float32))
    faces = replace(faces, people=np.array([f"person {number // 2}" for number in range(60)]))
    drawn = draw(faces, Protocol("some", "test", 5), 32)
    places = {person: 0.4 * number for number, person in enumerate(dict.fromkeys(drawn.faces.people.tolist()))}
    one, other = drawn.faces.people[drawn.pairs[3]]
    places[other] = places[one] + 0.1  # hardly to be told apart: a blend of these two is taken for both
    known = {index: np.array([[places[person]]]) for index, person in enumerate(drawn.faces.people.tolist())}
    near, far = (np.stack([known[index] for index in drawn.pairs[:, side]]) for side in (0, 1))
    blends = {number: value for number, value in enumerate((near + far) / 2) if number != 1}
    blends[2] = near[2]
    record = {"scores": {}}
    add_identity(record, drawn, known, [PairResult(embedding=blends.get(number)) for number in range(5)])
    columns, facts = record["scores"], record["identity"]
    apart = np.abs(near - far)[:, 0, 0]
    due = [1 - gap / 2 for gap in apart]
    due[1:3] = None, 1 - apart[2]
    assert columns["weaker_parent"] == [None if value is None else pytest.approx(value) for value in due]
    assert columns["mmpmr"] == [None if value is None else float(value > facts["threshold"]) for value in due]
    assert columns["mmpmr"][3] == 1
    assert columns["mmpmr"].count(0) >= 2
    assert facts["mated"] == 5


def test_two_recognisers_and_what_they_would_say_of_the_mean_of_embeddings(tmp_path):
    """Photos in a plane, those of one person alike: by dlib as far apart as they are, by SFace as their directions."""
    images, points = draw_faces(range(66), 32)
    sources = np.array([f"{folder}/{number}.jpg" for folder in ("still", "moved") for number in range(25)])
    sources = np.concatenate([sources, [f"others/{number}.jpg" for number in range(16)]])
    faces = replace(FaceSet.from_images(images), landmarks=points.astype(np.float32), sources=sources)
    names = ("dlib", "sface")
    drawn = draw(faces, Protocol("two", "", 60, by_file=True, folders=("still", "moved"), recognizers=names), 32)
    angle = {str(number): 2 * np.pi * number / 25 for number in range(25)}
    around = [[np.cos(angle.get(person, 0)), np.sin(angle.get(person, 0))] for person in drawn.faces.people]
    known = {index: np.array([[0.55 * x, 0.55 * y], [x, y]]) for index, (x, y) in enumerate(around[:50])}
    assert {folder for folder, _ in (source.split("/") for source in sources[drawn.pairs.ravel()])} == {"still"}
    assert {source.split("/")[0] for source in sources[drawn.probes().ravel()]} == {"moved"}
    assert {source.split("/")[0] for source in sources[drawn.reference]} == {"others"}
    record = mean_embeddings(drawn, known)
    apart = np.array([angle[sources[b][6:-4]] - angle[sources[a][6:-4]] for a, b in drawn.pairs])
    half = np.abs((apart + np.pi) % (2 * np.pi) - np.pi) / 2
    scores = record["scores"]
    np.testing.assert_allclose(np.array(scores["weaker_dlib"]), 0.55 * np.sin(half), atol=1e-9)
    np.testing.assert_allclose(np.array(scores["weaker_sface"]), np.cos(half), atol=1e-9)
    assert scores["both_dlib"] == [1.0] * 60  # all are nearer than .6 to their middle
    assert (np.array(scores["both_sface"]) == (np.cos(half) > 0.363)).all()
    assert mean_embeddings(drawn, {}) is None


def test_the_threshold_lets_one_impostor_in_a_thousand_pass():
    impostors = np.random.default_rng(0).permutation(np.linspace(0, 1, 5000))
    threshold = match_threshold(impostors)
    assert (impostors > threshold).sum() == 5
    assert (impostors >= threshold).sum() == 6  # any lower, and a sixth would pass
    assert match_threshold(np.zeros(1000)) == 0
    with pytest.raises(FeatureblendError):
        match_threshold(np.zeros(999))


def test_impostors_are_pairs_of_different_people():
    embeddings = np.array([[0.0], [0.1], [0.3], [0.7]])
    found = impostor_similarities(embeddings, np.array(["ana", "ana", "bo", "cy"]))
    np.testing.assert_allclose(np.sort(found), np.sort([0.7, 0.3, 0.8, 0.4, 0.6]))


@pytest.mark.extras
def test_dlibs_embedding_knows_a_face_again_after_a_small_change():
    """The same drawn face a little darker is nearer than another face."""
    (one, points), (other, others) = draw_face(0, 128), draw_face(5, 128)
    first, darker, second = (
        embedding(*face)[0] for face in ((one, points), ((one * 0.9).astype(np.uint8), points), (other, others))
    )
    assert first.shape == (128,)
    assert similarity(first, darker) > similarity(first, second)
