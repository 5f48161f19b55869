"""The figures that come with every blend, and those of a model on held-out people."""

import json

import cv2
import numpy as np
import pytest
from drawn_faces import draw_faces

from featureblend.errors import FeatureblendError
from featureblend.faces.masks import hull_mask, outside_face
from featureblend.metrics import measures as measures_module
from featureblend.metrics.distance import balance_of_distances, picture_distance
from featureblend.metrics.ghosts import ghosting
from featureblend.metrics.measures import blend_measures, face_distances, similarities
from featureblend.metrics.scores import psnr, sharpness
from featureblend.training.dataset import FaceSet
from featureblend.training.export import held_out_figures


@pytest.fixture(scope="module")
def drawn():
    return draw_faces(range(12), 64)


# --- of a blend


def test_a_pixel_mean_is_known_by_its_ghosts(drawn):
    images, landmarks = drawn
    a, b = images[0], images[1]
    mean = ((a.astype(int) + b + 1) // 2).astype(np.uint8)
    measures = blend_measures(mean, [a, b], [0.5, 0.5], landmarks[:2])
    assert set(measures) == set(measures_module.MEANINGS)
    assert measures["ghosting"] > 0.3
    assert measures["balance"] < 0.1
    alone = blend_measures(a, [a, b], [1, 0], landmarks[:2])
    assert alone["ghosting"] <= 0.005
    assert (alone["balance"], alone["distances"][0], alone["sharpness"]) == (1.0, 0.0, 1.0)


def test_sharpness_is_relative_to_the_weighted_parents(drawn):
    a, b, c = drawn[0][:3]
    there, back = blend_measures(c, [a, b], [0.5, 0.5]), blend_measures(c, [b, a], [0.5, 0.5])
    assert there.pop("distances") == back.pop("distances")[::-1]
    assert there == back  # the order of parents orders nothing else
    measures = blend_measures(a, [a, b], [0.25, 0.75])
    assert measures["sharpness"] == round(sharpness(a) / (0.25 * sharpness(a) + 0.75 * sharpness(b)), 3)


def test_without_landmarks_or_with_three_parents_what_is_unknown_is_left_out(drawn):
    images = drawn[0]
    assert not {"ghosting_inside_face", "ghosting_outside_face"} & set(
        blend_measures(images[0], images[:2], [0.5, 0.5])
    )
    three = blend_measures(images[0], images[:3], [0.2, 0.3, 0.5])
    assert "balance" not in three
    assert len(three["distances"]) == 3


@pytest.mark.parametrize(("count", "marked", "crop"), [(2, True, 64), (3, True, 64), (2, False, 48), (3, False, 48)])
def test_each_measure_is_the_scores_own_rounded(drawn, count, marked, crop):
    """Of the whole picture's ghosts, and of the face alone how near it is to each parent."""
    images = [image[:, :crop] for image in drawn[0]]
    parents, blend, weights = images[:count], images[5], np.arange(1, count + 1) / sum(range(1, count + 1))
    landmarks = list(drawn[1][:count]) if marked else None
    face = cv2.resize(outside_face(64), (crop, 64)) < 0.5
    even = face
    if marked:
        face, even = (
            hull_mask(sum(share * points for share, points in zip(shares, landmarks, strict=True)), (64, 64))
            for shares in (weights, np.full(count, 1 / count))
        )
    found = blend_measures(blend, parents, weights, landmarks)
    ghosts = ghosting(blend, parents, weights, landmarks)
    names = {"ghosting": "whole"}
    if marked:
        names |= {"ghosting_inside_face": "inside", "ghosting_outside_face": "outside"}
    assert {name: found[name] for name in names} == {
        name: round(getattr(ghosts, one), 3) for name, one in names.items()
    }
    distances = [picture_distance(blend, parent, face) for parent in parents]
    assert found["distances"] == [round(distance, 2) for distance in distances]
    apart = [[picture_distance(one, other, face) for other in parents] for one in parents]
    assert found["similarity"] == [
        round(max(0.0, 1 - distance / (sum(row) / (count - 1))), 3)
        for distance, row in zip(distances, apart, strict=True)
    ]
    if count == 2:
        assert found["balance"] == round(balance_of_distances(*distances, apart[0][1]), 3)
    evenly = [picture_distance(blend, parent, even) for parent in parents]
    assert face_distances(blend, parents, landmarks) == pytest.approx(evenly)


def test_similarities_by_hand():
    """Each by the mean distance of the other parents; beyond it nothing, and nothing is known of equal parents."""
    assert similarities([2.0, 6.0, 9.0], [[0, 4, 6], [4, 0, 8], [6, 8, 0]]) == [0.6, 0.0, 0.0]
    assert similarities([0.25, 0.0], [[0, 0.5], [0.5, 0]]) == [0.5, 1.0]
    assert similarities([1.0, 1.0], [[0, 0], [0, 0]]) == [None, None]
    assert similarities([1 / 3, 1.0], [[0, 1], [1, 0]]) == [0.667, 0.0]
    with pytest.raises(ValueError, match="shorter"):
        similarities([1.0, 1.0, 1.0], [[0, 1], [1, 0]])


def test_nearly_flat_and_nearly_equal_parents_still_count():
    flat, faint = np.full((64, 64, 3), 100, np.uint8), np.full((64, 64, 3), 100, np.uint8)
    faint[::7, ::5] += 1
    measures = blend_measures(faint, [flat, faint], [0.5, 0.5])
    assert (measures["sharpness"], measures["balance"]) == (2.0, 1.0)
    one_pixel = np.zeros((8, 8, 3), np.uint8)  # of which no mask of landmarks beyond it holds anything
    beyond = np.full((68, 2), 500.0)
    assert face_distances(one_pixel, [one_pixel + 9], [beyond]) == face_distances(one_pixel, [one_pixel + 9])


def test_flat_and_equal_pictures_give_json_all_the_same():
    flat = np.full((64, 64, 3), 100, np.uint8)
    measures = blend_measures(flat, [flat, flat], [0.5, 0.5])
    assert (measures["sharpness"], measures["balance"], measures["ghosting"]) == (None, None, 0.0)
    assert json.loads(json.dumps(measures, allow_nan=False)) == measures


# --- of a model


@pytest.fixture(scope="module")
def faces(drawn):
    images = drawn[0]
    faces = FaceSet.from_images(images)
    faces.splits[:] = ["train"] * 6 + ["validation"] * 2 + ["test"] * 4
    return faces


def test_a_perfect_model_has_no_finite_psnr(faces):
    figures = held_out_figures(faces, 64, lambda images: images)
    assert figures["psnr"] is None
    assert (figures["faces"], figures["ssim"], figures["sharpness"]) == (4, 1.0, 1.0)
    json.dumps(figures, allow_nan=False)
    seen = []
    held_out_figures(faces, 64, lambda images: seen.append(images) or images, limit=3)
    np.testing.assert_array_equal(seen[0], faces.images[8:11])
    flat = FaceSet.from_images(np.full((2, 64, 64, 3), 9, np.uint8), split="test")
    assert held_out_figures(flat, 64, lambda images: images)["sharpness"] is None
    with pytest.raises(FeatureblendError):
        held_out_figures(faces.split("train"), 64, lambda images: images)


def test_the_mean_face_scores_what_the_floor_says(faces):
    train, test = faces.images[:6], faces.images[8:]
    mean = np.clip(np.floor(train.mean(axis=0) + 0.5), 0, 255).astype(np.uint8)
    figures = held_out_figures(faces, 64, lambda images: np.repeat(mean[None], len(images), axis=0))
    assert figures["psnr"] == figures["psnr_mean_face"] == round(float(np.mean([psnr(mean, one) for one in test])), 3)
    assert figures["sharpness"] == round(sharpness(mean) / float(np.mean([sharpness(one) for one in test])), 3)
