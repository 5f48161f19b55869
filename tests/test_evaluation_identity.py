"""Identity: MMPMR and its threshold worked by hand, and the cache of embeddings."""

import numpy as np
import pytest
from drawn_faces import draw_face

from featureblend.errors import FeatureblendError
from featureblend.evaluation.identity import (
    EmbeddingCache,
    impostor_similarities,
    match_threshold,
    mmpmr,
    similarity,
    weaker_parent,
)
from featureblend.faces.recognizers import open_recognizer


def test_a_blend_counts_only_if_it_matches_every_contributor():
    """Three of five rows have both above .5; one equals the threshold, which is no match."""
    similarities = np.array([[0.6, 0.7], [0.9, 0.51], [0.9, 0.2], [0.5, 0.9], [0.8, 0.8]])
    assert mmpmr(similarities, 0.5) == pytest.approx(3 / 5)
    np.testing.assert_allclose(weaker_parent(similarities), [0.6, 0.51, 0.2, 0.5, 0.8])


def test_three_contributors_all_count():
    assert mmpmr(np.array([[0.9, 0.9, 0.1], [0.9, 0.9, 0.9]]), 0.5) == 0.5


def test_the_threshold_lets_one_impostor_in_a_thousand_pass():
    impostors = np.random.default_rng(0).permutation(np.linspace(0, 1, 5000))
    threshold = match_threshold(impostors)
    assert (impostors > threshold).sum() == 5
    assert (impostors >= threshold).sum() == 6  # any lower, and a sixth would pass


def test_too_few_impostors_are_refused():
    with pytest.raises(FeatureblendError, match="at least 1000 pairs of different people"):
        match_threshold(np.zeros(999))
    assert match_threshold(np.zeros(1000)) == 0


def test_impostors_are_pairs_of_different_people():
    embeddings = np.array([[0.0], [0.1], [0.3], [0.7]])
    found = impostor_similarities(embeddings, np.array(["ana", "ana", "bo", "cy"]))
    np.testing.assert_allclose(np.sort(found), np.sort([0.7, 0.3, 0.8, 0.4, 0.6]))


def test_similarity_is_one_less_the_distance():
    a, b = np.array([[0.0, 0.0], [1.0, 0.0]]), np.array([[0.3, 0.4], [1.0, 0.0]])
    np.testing.assert_allclose(similarity(a, b), [0.5, 1])


@pytest.mark.parametrize("values", [np.zeros((0, 2)), np.zeros(3), np.array([[np.nan, 1]])])
def test_scores_of_nothing_are_refused(values):
    with pytest.raises(FeatureblendError, match="one row a blend"):
        mmpmr(values, 0.5)


def test_embeddings_are_computed_once_a_picture(tmp_path):
    asked = []

    def embed(image, landmarks):
        asked.append(image[0, 0, 0])
        return np.array([float(image.mean()), float(landmarks.sum())])

    points = np.ones((68, 2))
    images = [np.full((4, 4, 3), value, np.uint8) for value in (1, 2)]
    for _ in range(2):
        cache = EmbeddingCache(tmp_path / "kept", embed)
        assert [cache(image, points).tolist() for image in images] == [[1, 136], [2, 136]]
    assert asked == [1, 2]
    EmbeddingCache(tmp_path / "kept", embed)(images[0], points + 1)
    EmbeddingCache(tmp_path / "kept", embed, "another network")(images[0], points)
    assert len(asked) == 4  # other landmarks and other networks give other embeddings


def test_a_damaged_file_of_the_cache_is_made_anew(tmp_path):
    cache = EmbeddingCache(tmp_path, lambda image, landmarks: np.array([7.0]))
    image, points = np.zeros((4, 4, 3), np.uint8), np.zeros((68, 2))
    cache(image, points)
    (kept,) = tmp_path.glob("*/*.npy")
    kept.write_bytes(b"\x93NUMPY")
    assert cache(image, points).tolist() == [7]
    assert np.load(kept).tolist() == [7]


@pytest.mark.extras
def test_dlibs_embedding_knows_a_face_again_after_a_small_change(tmp_path):
    """The same drawn face a little darker is nearer than another face."""
    cache = EmbeddingCache(tmp_path, open_recognizer().embedding)
    (one, points), (other, others) = draw_face(0, 128), draw_face(5, 128)
    first, darker, second = (
        cache(*face) for face in ((one, points), ((one * 0.9).astype(np.uint8), points), (other, others))
    )
    assert first.shape == (128,)
    assert similarity(first, darker) > similarity(first, second)
