"""An evaluation that meets bad input: it refuses before it starts, or names what it leaves out and goes on."""

import dataclasses
import hashlib

import numpy as np
import pytest
import torch
from evaluation_faces import MANY, PEOPLE, TINY, Recogniser, lines, make_faces, run
from published_networks import made_weights

import featureblend.evaluation.perception
from featureblend.blend.baselines import BASELINES
from featureblend.errors import FeatureblendError
from featureblend.evaluation.protocols import Protocol, draw
from featureblend.metrics.lpips import Lpips
from featureblend.model.networks import Networks


@pytest.fixture(scope="module")
def faces():
    return make_faces()


def test_a_method_that_fails_on_a_pair_is_named_and_counted(faces, tmp_path, monkeypatch):
    pixel, bad = BASELINES["pixel"], draw(faces, TINY, 128)
    broken = bad.faces.images[bad.pairs[3]]

    def failing(images, weights, landmarks=None):
        if np.array_equal(images, broken):
            raise ValueError("no <luck> here")
        return pixel(images, weights, landmarks)

    monkeypatch.setitem(BASELINES, "pixel", failing)
    page = run(faces, tmp_path, ("pixel", "morph")).read_text()
    counts = {(line["method"], line["figure"]): (line["count"], line["left_out"]) for line in lines(tmp_path)}
    assert (
        counts["pixel", "ghosting"] == counts["pixel", "patch_kid"] == counts["pixel", "spectrum_distance"] == (11, 1)
    )
    assert counts["pixel", "path_length"] == (2, 0)
    assert counts["morph", "ghosting"] == (12, 0)
    assert "pixel: 1 of 12 pairs left out" in page
    assert "no &lt;luck&gt; here" in page


def test_a_method_that_always_fails_leaves_a_report(faces, tmp_path, monkeypatch):
    def failing(*_):
        raise ValueError("never")

    monkeypatch.setitem(BASELINES, "pixel", failing)
    page = run(faces, tmp_path, ("pixel", "morph")).read_text()
    assert "pixel: 12 of 12 pairs left out" in page
    assert "pixel" not in {line["method"] for line in lines(tmp_path)}


def test_identity_is_measured_and_cached_in_the_folder(faces, tmp_path, monkeypatch):
    monkeypatch.setattr(featureblend.evaluation.perception, "_recognizer", Recogniser)
    page = run(faces, tmp_path, ("pixel",), MANY, identity=True).read_text()
    found = {line["figure"]: line for line in lines(tmp_path)}
    assert 0 <= found["mmpmr"]["value"] <= 1
    assert found["mmpmr"]["count"] == 40  # everybody has a second photo
    assert found["weaker_parent"]["value"] > 0.5
    assert list((tmp_path / "embeddings").rglob("*.npy"))
    assert "Faces match above" in page
    run(faces, tmp_path, ("pixel",), MANY)  # what is there already is shown without being asked for
    assert "mmpmr" in {line["figure"] for line in lines(tmp_path)}


def test_identity_needs_second_photos(faces, tmp_path):
    single = dataclasses.replace(faces, people=np.array([f"person {number}" for number in range(len(faces))]))
    with pytest.raises(FeatureblendError, match="a second photo of both people"):
        run(single, tmp_path, ("pixel",), identity=True)


def test_bad_requests_are_refused_before_anything_is_written(faces, tmp_path):
    out = tmp_path / "out"
    for message, options in {
        "unknown protocol 'pairs2': use one of pairs1k_test": {"protocol": "pairs2"},
        "unknown method 'magic': use one of latent": {"methods": ("magic",)},
        "no method is named": {"methods": ()},
        "huge on 100 faces of the test split.*5000 pairs": {"protocol": Protocol("huge", "test", 5000)},
        "holds no faces of the validation split": {"protocol": "pairs200_validation"},
        "NAME=MODEL_FOLDER is due": {"also": ("paper",)},
        "no model folder": {"also": ("paper=nowhere",)},
    }.items():
        with pytest.raises(FeatureblendError, match=message):
            run(faces, out, **{"protocol": TINY, **options})
    assert not out.exists()


def test_pca_is_left_out_or_refused_where_nobody_is_to_be_trained_on(faces, tmp_path):
    """Before anything is measured, not after the other methods."""
    only = faces.split("test")
    with pytest.raises(FeatureblendError, match="pca needs faces of the train split"):
        run(only, tmp_path / "out", ("pixel", "pca"))
    assert not (tmp_path / "out").exists()


def test_too_few_real_faces_to_compare_with_are_refused(faces):
    with pytest.raises(FeatureblendError, match=r"tiny on 16 faces of the test split.*10 real faces are due"):
        draw(faces.chosen(np.arange(16)), TINY, 128)


def test_faces_without_landmarks_are_refused(faces, tmp_path):
    bare = dataclasses.replace(faces, landmarks=np.full_like(faces.landmarks, np.nan))
    with pytest.raises(FeatureblendError, match="no landmarks"):
        run(bare, tmp_path)


def test_identity_is_refused_before_anything_is_measured(faces, tmp_path):
    single = dataclasses.replace(faces, people=np.array([f"person {number}" for number in range(len(faces))]))
    out = tmp_path / "out"
    with pytest.raises(FeatureblendError, match="leave --identity out"):
        run(single, out, ("pixel",), identity=True)
    few = faces.chosen(np.flatnonzero(np.isin(faces.people, [f"person {number}" for number in range(24)])))
    with pytest.raises(FeatureblendError, match=r"1000 pairs of different people .* 24 faces make"):
        run(few, out, ("pixel",), identity=True)
    assert not out.exists()


def test_pairs_without_a_second_photo_are_left_out_of_mmpmr_and_counted(faces, tmp_path, monkeypatch):
    """Of every fifth person the second photo is taken away."""
    monkeypatch.setattr(featureblend.evaluation.perception, "_recognizer", Recogniser)
    gone = [PEOPLE + number for number in range(0, PEOPLE, 5)]
    fewer = faces.chosen(np.setdiff1d(np.arange(len(faces)), gone))
    page = run(fewer, tmp_path, ("pixel",), MANY, identity=True).read_text()
    found = {line["figure"]: line for line in lines(tmp_path)}
    probes = draw(fewer, MANY, 128).probes()
    mated = int((probes >= 0).all(axis=1).sum())
    assert 0 < mated < 40
    assert (found["mmpmr"]["count"], found["mmpmr"]["left_out"]) == (mated, 40 - mated)
    assert (found["weaker_parent"]["count"], found["weaker_parent"]["left_out"]) == (40, 0)
    assert f"{mated} of 40 pairs of which both people have another photo" in page


def test_a_photo_without_landmarks_is_left_out_by_name(faces, tmp_path):
    bad = draw(faces, TINY, 128).pairs[3, 1]
    landmarks = faces.landmarks.copy()
    landmarks[np.flatnonzero(faces.splits == "test")[bad]] = np.nan
    page = run(dataclasses.replace(faces, landmarks=landmarks), tmp_path, ("pixel",)).read_text()
    counts = {
        line["figure"]: (line["count"], line["left_out"]) for line in lines(tmp_path) if line["method"] == "pixel"
    }
    assert counts["ghosting"][0] + counts["ghosting"][1] == 12
    assert counts["ghosting"][1] >= 1
    assert "a photo has no landmarks" in page
    assert f"pixel: {counts['ghosting'][1]} of 12 pairs left out" in page


def test_a_continuum_that_fails_is_named_and_the_blend_counts(faces, tmp_path, monkeypatch):
    pixel = BASELINES["pixel"]

    def failing(images, weights, landmarks=None):
        if min(weights) == 0:
            raise ValueError("no end")
        return pixel(images, weights, landmarks)

    monkeypatch.setitem(BASELINES, "pixel", failing)
    page = run(faces, tmp_path, ("pixel",)).read_text()
    figures = {line["figure"] for line in lines(tmp_path) if line["method"] == "pixel"}
    assert "ghosting" in figures
    assert "path_length" not in figures
    assert "pixel: 0 of 12 pairs left out, 2 without a continuum or a reconstruction" in page
    assert "no continuum: no end" in page


def test_a_reconstruction_that_fails_is_named_and_the_rest_goes_on(faces, tmp_path, monkeypatch):
    """The network refuses one parent when it is not warped; its blend is made of the warped one."""
    drawn, latents = draw(faces, TINY, 128), Networks.latents
    broken = drawn.faces.images[drawn.pairs[5, 0]]

    def failing(self, images, **options):
        if any(np.array_equal(image, broken) for image in images):
            raise RuntimeError("too bright")
        return latents(self, images, **options)

    monkeypatch.setattr(Networks, "latents", failing)
    page = run(faces, tmp_path, ("latent",)).read_text()
    counts = {
        line["figure"]: (line["count"], line["left_out"]) for line in lines(tmp_path) if line["method"] == "latent"
    }
    lost = (drawn.pairs == drawn.pairs[5, 0]).any(axis=1).sum()
    assert counts["ghosting"] == (12, 0)
    assert counts["reconstruction_ms_ssim"] == counts["cycle_error"] == (12 - lost, lost)
    assert "no reconstruction: too bright" in page


def test_without_a_train_split_the_nearest_training_face_is_not_measured_and_said_so(faces, tmp_path):
    page = run(faces.split("test"), tmp_path, ("pixel",)).read_text()
    assert "nearest_training" not in {line["figure"] for line in lines(tmp_path)}
    assert "not measured: the nearest training face (the data hold no train split)" in page


def test_weights_that_do_not_fit_are_refused_before_anything_is_written(faces, tmp_path):
    out, path = tmp_path / "out", tmp_path / "mine.pth"
    torch.save(made_weights(Lpips("alex")), path)
    with pytest.raises(FeatureblendError, match="is no published file of LPIPS"):
        run(faces, out, ("pixel",), lpips=[str(path)])
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(FeatureblendError, match="holds no Inception v3 of FID"):
        run(faces, out, ("pixel",), inception=f"{path}#sha256={digest}")
    assert not out.exists()
