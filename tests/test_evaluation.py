"""An evaluation from end to end, on drawn faces and few pairs: it repeats, goes on, and reports."""

import json
import re
import shutil
from collections import Counter

import cv2
import numpy as np
import pytest
from evaluation_faces import TINY, lines, make_faces, run

import featureblend.evaluation.run
from featureblend.blend.blender import Blender
from featureblend.errors import FeatureblendError
from featureblend.evaluation.degradation import DEGRADATIONS
from featureblend.evaluation.figures import FIGURES, SECTIONS, badness
from featureblend.evaluation.measuring import Measurer
from featureblend.evaluation.methods import Model
from featureblend.evaluation.pairs import Face, Pair
from featureblend.evaluation.pca import PrincipalComponents, fit_components
from featureblend.evaluation.protocols import PROTOCOLS, draw, find_protocol
from featureblend.evaluation.results import Results
from featureblend.faces.alignment import AlignedFace, rescaling, resized, transform_points
from featureblend.model.folder import find_model
from featureblend.model.networks import Networks

METHODS = ("latent", "latent-network", "latent-unwarped", "pca", "pixel", "morph")
"""Every kind: networks whose variants share work, components, and methods without learning."""


@pytest.fixture(scope="module")
def faces():
    return make_faces()


@pytest.fixture(scope="module")
def finished(faces, tmp_path_factory):
    out = tmp_path_factory.mktemp("evaluation")
    run(faces, out, METHODS, plots=True, jobs=2)
    return out


@pytest.fixture
def asked(monkeypatch):
    """What is measured: numbers of pairs and methods."""
    found, pair = [], Measurer.pair

    def noting(self, number, names, real):
        found.append((number, tuple(names)))
        return pair(self, number, names, real)

    monkeypatch.setattr(Measurer, "pair", noting)
    return found


def test_every_line_says_what_was_measured(finished, faces):
    found = lines(finished)
    assert {line["method"] for line in found} == {"real", *METHODS}
    for line in found:
        assert line["protocol"] == "tiny"
        assert line["data"] == faces.identity[:12]
        assert line["figure"] in FIGURES
        assert np.isfinite(line["value"])
        assert line["count"] > 0
        assert line["left_out"] == 0
        if line["low"] is not None:
            assert line["low"] <= line["high"]
        assert line.get("features", "") == FIGURES[line["figure"]].features
    models = {line["method"]: line["model"] for line in found}
    assert models["pixel"] == ""
    assert len(models["latent"]) == len(models["pca"]) == 12
    figures = {method: {line["figure"] for line in found if line["method"] == method} for method in METHODS}
    of_identity = {figure.name for figure in SECTIONS["Who is recognised"]}
    assert figures["latent"] == {name for name, one in FIGURES.items() if not one.network} - of_identity
    reconstruction = {"reconstruction_psnr", "reconstruction_ssim", "reconstruction_ms_ssim", "cycle_error"}
    assert figures["latent-network"] - figures["pixel"] == figures["pca"] - figures["pixel"] == reconstruction
    assert figures["latent"] - figures["latent-network"] == {f"psnr_{kind}" for kind in ("clean", *DEGRADATIONS)}
    counts = {line["figure"]: line["count"] for line in found if line["method"] == "latent"}
    assert (counts["ghosting"], counts["path_length"], counts["psnr_noise"]) == (12, 2, 4)


def test_figures_are_what_they_say(finished):
    value = {(line["method"], line["figure"]): line["value"] for line in lines(finished)}
    assert value["pixel", "boundary_error"] == 0  # its continuum is straight and ends at the parents
    assert value["pixel", "path_length"] == pytest.approx(1, abs=0.1)
    assert value["pixel", "ghosting_inside"] > value["morph", "ghosting_inside"]
    assert abs(np.log(value["real", "sharpness"])) < abs(np.log(value["pixel", "sharpness"]))
    assert value["real", "critic_auc"] < value["pixel", "critic_auc"]
    before = json.loads((finished / "methods" / "latent.json").read_text())["spoilt"]["before"]
    assert before["noise"] == pytest.approx(22, abs=1)  # 20 log10(255 / 20), less what is clipped
    assert all(value["latent", f"psnr_{kind}"] < value["latent", "psnr_clean"] for kind in DEGRADATIONS)
    for kind, gained in (("noise", 3), ("light", 2)):
        assert value["latent", f"psnr_{kind}"] > before[kind] + gained


def test_the_report_holds_all_of_itself(finished):
    page = (finished / "report.html").read_text()
    assert not re.search(
        r"""(?:src|href|action|data)\s*=\s*["']?(?!data:)[^"'> ]+""", page.replace("<meta charset", "")
    )
    assert not re.search(r"https?:|url\(|@import|<script|<link", page)
    assert page.count("data:image/svg+xml;base64,") >= 8
    assert "class=best" in page
    shown = page[page.index("<h2>The first") : page.index("<h2>The 10 worst")]
    assert shown.count("<img") == 12 * (2 + len(METHODS))
    worst = page[page.index("<h2>The 10 worst") : page.index("<h2>Degraded photos</h2>")]
    assert worst.count("<img") == 10 * 3 * len(METHODS)
    degraded = page[page.index("<h2>Degraded photos</h2>") : page.index("<h2>Spread over")]
    assert degraded.count("<img") == 4 * (1 + len(DEGRADATIONS)) * 2 + 4  # and a portrait


def test_processes_change_no_byte(faces, finished, tmp_path):
    """One process measures what two have: the same lines, and below the report of the same."""
    some = ["latent", "pca"]
    run(faces, tmp_path, some)
    own = [line for line in lines(finished) if line["method"] in ("real", *some)]
    assert json.dumps(lines(tmp_path)) == json.dumps(own)
    for folder in (tmp_path, finished):
        assert sorted(path.name for path in folder.iterdir()) == ["methods", "metrics.jsonl", "report.html"]


def test_only_a_further_method_is_measured(faces, finished, tmp_path, asked):
    """What is done is not measured again; and alone a method has the figures that it has among others."""
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    run(faces, tmp_path, METHODS, plots=True)
    assert not asked
    assert (tmp_path / "report.html").read_bytes() == (finished / "report.html").read_bytes()
    (tmp_path / "methods" / "latent-unwarped.json").unlink()
    run(faces, tmp_path, METHODS)
    assert asked == [(number, ("latent-unwarped",)) for number in range(12)]
    assert (tmp_path / "metrics.jsonl").read_bytes() == (finished / "metrics.jsonl").read_bytes()


def test_a_stopped_run_goes_on_where_it_was(faces, tmp_path, asked, monkeypatch):
    """Of what it kept, one part is damaged."""
    methods = ("pixel", "morph")
    run(faces, tmp_path / "whole", methods)
    monkeypatch.setattr(featureblend.evaluation.run, "CHUNK", 4)
    asked.clear()
    noting = Measurer.pair

    def stopping(self, number, names, real):
        if number == 9:
            raise KeyboardInterrupt
        return noting(self, number, names, real)

    monkeypatch.setattr(Measurer, "pair", stopping)
    with pytest.raises(KeyboardInterrupt):
        run(faces, tmp_path / "parts", methods)
    assert not (tmp_path / "parts" / "metrics.jsonl").exists()
    kept = [Results(tmp_path / "parts", draw(faces, TINY, 128), identity, {}) for identity in (False, True)]
    assert len(kept[0].load_part("pixel", "", 4)) == 4
    assert kept[0].load_part("pixel", "other weights", 0) is kept[1].load_part("pixel", "", 0) is None
    (tmp_path / "parts" / "methods" / "morph" / "000000.npz").write_bytes(b"PK")
    asked.clear()
    monkeypatch.setattr(Measurer, "pair", noting)
    run(faces, tmp_path / "parts", methods)
    assert asked == [(number, ("morph",)) for number in range(4)] + [(number, methods) for number in range(8, 12)]
    for name in ("metrics.jsonl", "report.html"):
        assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert not list((tmp_path / "parts").rglob("0*.npz"))


def test_what_methods_share_is_worked_out_once(faces, monkeypatch):
    """Faces are restored once, warped faces encoded once, and of two blends that differ in their detail one decoded."""
    calls, own = Counter(), {name: getattr(Networks, name) for name in ("cleaned", "latents", "pictures")}
    for name in own:

        def noting(self, *given, name=name, **named):
            calls[name] += 1
            return own[name](self, *given, **named)

        monkeypatch.setattr(Networks, name, noting)
    names = ["latent", "latent-network", "latent-plain-mean", "latent-unwarped"]
    measurer = Measurer(draw(faces, TINY, 128), [Model(Blender.from_pretrained(), 128, names)])
    measurer.pair(5, names, np.ones((1, 391)))
    blends = len(names)  # each is encoded again, for the cycle error
    assert calls == {"cleaned": 2 + blends, "latents": 2 + 2 + blends, "pictures": 2 + blends - 1}
    measurer.pair(5, names, np.ones((1, 391)))  # the faces in another pair
    assert calls["cleaned"] == 2 + 2 * blends


@pytest.mark.parametrize("name", ["pixel.json", "pixel.npz"])
def test_damaged_results_are_measured_again(faces, finished, tmp_path, asked, name):
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    (tmp_path / "methods" / name).write_bytes(b"{")
    run(faces, tmp_path, METHODS)
    assert {names for _, names in asked} == {("pixel",)}
    assert (tmp_path / "metrics.jsonl").read_bytes() == (finished / "metrics.jsonl").read_bytes()


def test_a_further_model_has_methods_of_its_own(faces, finished, tmp_path):
    run(faces, tmp_path, ("twin", "twin-unwarped"), also=(f"twin={find_model()}",))
    found = [lines(folder) for folder in (tmp_path, finished)]
    value, due = ({(line["method"], line["figure"]): line["value"] for line in some} for some in found)
    for ending in ("", "-unwarped"):
        assert value[f"twin{ending}", "patch_fid"] == due[f"latent{ending}", "patch_fid"]


def test_a_protocols_name_fixes_its_draw(faces):
    once, again = draw(faces, TINY, 128), draw(faces, TINY, 64)
    np.testing.assert_array_equal(once.pairs, again.pairs)
    people = once.faces.people
    assert (people[once.pairs[:, 0]] != people[once.pairs[:, 1]]).all()
    assert not set(people[once.pairs].ravel()) & set(people[once.reference])
    probes = once.probes()
    np.testing.assert_array_equal(people[probes], people[once.pairs])
    assert (probes != once.pairs).all()
    assert all(find_protocol(name) is protocol for name, protocol in PROTOCOLS.items())


def test_blends_larger_than_the_model_are_the_products_own(faces):
    """At 256 pixels, even and uneven; and a continuum has hair and background between, half way too."""
    blender = Blender.from_pretrained()
    large = [cv2.resize(image, (256, 256), interpolation=cv2.INTER_CUBIC) for image in faces.images[:2]]
    points = [transform_points(marks, rescaling(2)) for marks in faces.landmarks[:2]]
    model = Model(blender, 256, ["latent"])
    given = [
        AlignedFace(resized(image, 128), transform_points(marks, rescaling(0.5)), rescaling(0.5), photo=image)
        for image, marks in zip(large, points, strict=True)
    ]
    for alpha in (0.5, 0.3):
        due = blender.blend_faces(given, alpha=alpha, size=256, measures="none")
        assert np.array_equal(model.blend(large, points, (1 - alpha, alpha)), np.asarray(due.image))
    pair = Pair(*(Face(*face) for face in zip(large, points, strict=True)))
    (halfway,) = model.continuum(pair, [0.5], "latent")
    due = blender.blend_faces(given, size=256, measures="none", surroundings="blend")
    assert np.array_equal(halfway, np.asarray(due.image))
    assert not np.array_equal(halfway, model.blend(large, points, (0.5, 0.5)))


def test_pca_agrees_with_an_outside_oracle(tmp_path):
    """The projection on the components is that of numpy's singular value decomposition; also from a file."""
    images = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 3), dtype=np.uint8)
    components = fit_components(images[:15], 6)
    rows = images.reshape(20, -1).astype(np.float64)
    mean = rows[:15].mean(axis=0)
    basis = np.linalg.svd(rows[:15] - mean, full_matrices=False)[2][:6]
    expected = (rows[15:] - mean) @ basis.T @ basis + mean
    found = components.decode(components.encode(images[15:])).reshape(5, -1)
    np.testing.assert_allclose(found, np.clip(expected, 0, 255), atol=0.51)
    components.save(tmp_path / "components")
    read = PrincipalComponents.load(tmp_path / "components")
    assert (read.identity, read.shape, read.faces) == (components.identity, components.shape, 15)
    assert len(fit_components(images[:5], 100).basis) == 4
    with pytest.raises(FeatureblendError):
        fit_components(np.zeros((3, 8, 8, 3), np.uint8), 2)


def test_the_best_is_the_nearest_to_the_ideal():
    ideals = {"patch_kid": 0, "nn_accuracy": 0.5, "sharpness": 1, "diversity": 1}
    for name, ideal in ideals.items():
        assert badness(FIGURES[name], ideal) < badness(FIGURES[name], ideal + 0.2)
    assert badness(FIGURES["nn_accuracy"], 0.4) == pytest.approx(badness(FIGURES["nn_accuracy"], 0.6))
    assert badness(FIGURES["reconstruction_psnr"], 30) < badness(FIGURES["reconstruction_psnr"], 20)
    assert badness(FIGURES["symmetry"], 0.8, real=0.8) == 0
    assert badness(FIGURES["symmetry"], 0.8) is None
