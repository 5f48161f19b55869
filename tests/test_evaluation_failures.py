"""An evaluation that meets bad input: it refuses before it starts, or names what it leaves out and goes on."""

import dataclasses
import hashlib
import sys

import numpy as np
import pytest
import torch
from evaluation_faces import MANY, PEOPLE, TINY, Recogniser, lines, make_faces, run
from published_networks import made_weights

import featureblend.evaluation.identity
from featureblend.blend.baselines import BASELINES
from featureblend.errors import FeatureblendError
from featureblend.evaluation.degradation import degrade
from featureblend.evaluation.protocols import Protocol, draw
from featureblend.metrics.lpips import Lpips
from featureblend.model.networks import Networks


@pytest.fixture(scope="module")
def faces():
    return make_faces()


@pytest.fixture(scope="module")
def troubled(faces, tmp_path_factory):
    """The page and counts of a run in which something of each kind fails, each at another pair."""
    out, drawn, latents = tmp_path_factory.mktemp("troubled"), draw(faces, TINY, 128), Networks.latents
    first, unwarped = drawn.faces.images[drawn.pairs[3]], drawn.faces.images[drawn.pairs[5, 0]]
    noisy = degrade(drawn.faces.images[drawn.parents[1]], "noise", 1)

    def pixel(images, weights, landmarks=None, blend=BASELINES["pixel"]):
        if np.array_equal(images, first):
            raise ValueError("no <luck> here")
        return blend(images, weights, landmarks)

    def morph(images, weights, landmarks=None, blend=BASELINES["morph"]):
        if min(weights) == 0:
            raise ValueError("no end")
        return blend(images, weights, landmarks)

    def laplacian(*_):
        raise ValueError("never")

    def refusing(self, images, **options):
        if any(np.array_equal(image, unwarped) for image in images):
            raise RuntimeError("too bright")
        if any(np.array_equal(image, noisy) for image in images):
            raise RuntimeError("too noisy")
        return latents(self, images, **options)

    with pytest.MonkeyPatch.context() as patch:
        for name, method in {"pixel": pixel, "morph": morph, "laplacian": laplacian}.items():
            patch.setitem(BASELINES, name, method)
        patch.setattr(Networks, "latents", refusing)
        patch.setitem(sys.modules, "skimage.data", None)
        page = run(faces, out, ("latent", "pixel", "laplacian", "morph")).read_text()
    return page, {(line["method"], line["figure"]): (line["count"], line["left_out"]) for line in lines(out)}


def test_a_method_that_fails_on_a_pair_is_named_and_counted(troubled):
    page, counts = troubled
    for figure in ("ghosting", "patch_kid", "spectrum_distance"):
        assert counts["pixel", figure] == (11, 1)
        assert counts["latent", figure] == (12, 0)
    assert counts["pixel", "path_length"] == (2, 0)
    assert "pixel: 1 of 12 pairs left out" in page
    assert "no &lt;luck&gt; here" in page


def test_a_method_that_always_fails_leaves_a_report(troubled):
    page, counts = troubled
    assert "laplacian: 12 of 12 pairs left out" in page
    assert "laplacian" not in {method for method, _ in counts}


def test_a_continuum_that_fails_is_named_and_the_blend_counts(troubled):
    page, counts = troubled
    assert counts["morph", "ghosting"] == (12, 0)
    assert ("morph", "path_length") not in counts
    assert "morph: 0 of 12 pairs left out, 2 without a continuum or a reconstruction" in page
    assert "no continuum: no end" in page


def test_a_reconstruction_that_fails_is_named_and_the_rest_goes_on(faces, troubled):
    """The network refuses one parent when it is not warped; its blend is made of the warped one."""
    page, counts = troubled
    pairs = draw(faces, TINY, 128).pairs
    lost = int((pairs == pairs[5, 0]).any(axis=1).sum())
    assert counts["latent", "reconstruction_ms_ssim"] == counts["latent", "cycle_error"] == (12 - lost, lost)
    assert "no reconstruction: too bright" in page


def test_a_degraded_face_that_fails_and_a_missing_portrait_are_named(faces, troubled):
    page, counts = troubled
    drawn = draw(faces, TINY, 128)
    assert f"{drawn.faces.sources[drawn.parents[1]]}: too noisy" in page
    assert counts["latent", "psnr_clean"] == counts["latent", "psnr_noise"] == (3, 1)
    assert "Not shown: no portrait from elsewhere" in page


def test_a_photo_without_landmarks_is_left_out_by_name(faces, tmp_path):
    bad = draw(faces, TINY, 128).pairs[3, 1]
    only = faces.split("test")
    landmarks = only.landmarks.copy()
    landmarks[bad] = np.nan
    page = run(dataclasses.replace(only, landmarks=landmarks), tmp_path, ("pixel",)).read_text()
    counts = {
        line["figure"]: (line["count"], line["left_out"]) for line in lines(tmp_path) if line["method"] == "pixel"
    }
    assert sum(counts["ghosting"]) == 12
    assert counts["ghosting"][1] >= 1
    assert "a photo has no landmarks" in page
    assert "nearest_training" not in counts  # there is no train split
    assert "not measured: the nearest training face" in page


def test_identity_is_measured_and_kept_in_the_folder(faces, tmp_path, monkeypatch):
    """Of every fifth person the second photo is taken away."""
    asked = []

    class Counting(Recogniser):
        def embedding(self, image, landmarks):
            asked.append(image)
            return super().embedding(image, landmarks)

    monkeypatch.setattr(featureblend.evaluation.identity, "_recognizer", lambda name: Counting())
    gone = [PEOPLE + number for number in range(0, PEOPLE, 5)]
    fewer = faces.chosen(np.setdiff1d(np.arange(len(faces)), gone))
    page = run(fewer, tmp_path, ("pixel",), MANY, identity=True).read_text()
    found = {line["figure"]: line for line in lines(tmp_path)}
    drawn = draw(fewer, MANY, 128)
    mated = int((drawn.probes() >= 0).all(axis=1).sum())
    assert 0 < mated < MANY.count
    assert 0 <= found["mmpmr"]["value"] <= 1
    assert (found["mmpmr"]["count"], found["mmpmr"]["left_out"]) == (mated, MANY.count - mated)
    assert (found["weaker_parent"]["count"], found["weaker_parent"]["left_out"]) == (MANY.count, 0)
    assert found["weaker_parent"]["value"] > 0.5
    assert f"{mated} of {MANY.count} pairs of which both people have another photo" in page
    asked.clear()
    run(fewer, tmp_path, ("pixel", "fourier"), MANY, identity=True)
    assert len(asked) == MANY.count  # blends of the further method; photos are known
    run(fewer, tmp_path, ("pixel",), MANY)  # what is there already is shown without being asked for
    assert "mmpmr" in {line["figure"] for line in lines(tmp_path)}


def test_bad_requests_are_refused_before_anything_is_written(faces, tmp_path):
    out = tmp_path / "out"
    bare = dataclasses.replace(faces, landmarks=np.full_like(faces.landmarks, np.nan))
    single = dataclasses.replace(faces, people=np.array([f"person {number}" for number in range(len(faces))]))
    few = faces.chosen(np.flatnonzero(np.isin(faces.people, [f"person {number}" for number in range(24)])))
    for message, some, options in [
        ("unknown protocol 'pairs2'", faces, {"protocol": "pairs2"}),
        ("unknown method 'magic'", faces, {"methods": ("magic",)}),
        ("no method is named", faces, {"methods": ()}),
        ("5000 pairs", faces, {"protocol": Protocol("huge", "test", 5000)}),
        ("no faces of the validation split", faces, {"protocol": "pairs200_validation"}),
        ("10 real faces are needed", faces.chosen(np.arange(16)), {}),
        ("expected NAME=MODEL_FOLDER", faces, {"also": ("paper",)}),
        ("no model folder", faces, {"also": ("paper=nowhere",)}),
        ("the name latent is taken", faces, {"also": ("latent=somewhere",)}),
        ("pca needs faces of the train split", faces.split("test"), {"methods": ("pixel", "pca")}),
        ("no landmarks", bare, {}),
        ("a second photo of both people", single, {"identity": True}),
        ("1000 pairs of different people .* 24 faces make", few, {"identity": True}),
    ]:
        with pytest.raises(FeatureblendError, match=message):
            run(some, out, **{"protocol": TINY, **options})
    assert not out.exists()


def test_weights_that_do_not_fit_are_refused_before_anything_is_written(faces, tmp_path):
    out, path = tmp_path / "out", tmp_path / "mine.pth"
    torch.save(made_weights(Lpips("alex")), path)
    with pytest.raises(FeatureblendError, match="is no published file of LPIPS"):
        run(faces, out, ("pixel",), lpips=[str(path)])
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(FeatureblendError, match="holds no Inception v3 of FID"):
        run(faces, out, ("pixel",), inception=f"{path}#sha256={digest}")
    assert not out.exists()
