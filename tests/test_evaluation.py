"""An evaluation from end to end, on drawn faces and few pairs: it repeats, goes on, counts failures and reports."""

import re

import numpy as np
import pytest
from evaluation_faces import TINY, lines, make_faces, run

import featureblend.evaluation.run
from featureblend.errors import FeatureblendError
from featureblend.evaluation.figures import FIGURES, badness
from featureblend.evaluation.methods import parse_also
from featureblend.evaluation.pca import fit_components
from featureblend.evaluation.protocols import PROTOCOLS, draw, find_protocol
from featureblend.evaluation.run import evaluate


@pytest.fixture(scope="module")
def faces():
    return make_faces()


@pytest.fixture(scope="module")
def finished(faces, tmp_path_factory):
    out = tmp_path_factory.mktemp("evaluation")
    run(faces, out, ("latent", "pca", "pixel", "morph"))
    return out


def test_two_runs_give_the_same_bytes(faces, finished, tmp_path):
    run(faces, tmp_path, ("latent", "pca", "pixel", "morph"))
    assert (tmp_path / "metrics.jsonl").read_bytes() == (finished / "metrics.jsonl").read_bytes()
    assert (tmp_path / "report.html").read_bytes() == (finished / "report.html").read_bytes()


def test_every_line_says_what_was_measured(finished, faces):
    found = lines(finished)
    assert {line["method"] for line in found} == {"real", "latent", "pca", "pixel", "morph"}
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
    latent = {line["figure"] for line in found if line["method"] == "latent"}
    assert latent == {name for name, figure in FIGURES.items() if not figure.network} - {"mmpmr", "weaker_parent"}
    pixel = {line["figure"] for line in found if line["method"] == "pixel"}
    reconstruction = {"reconstruction_psnr", "reconstruction_ssim", "reconstruction_ms_ssim"}
    degraded = {f"psnr_{kind}" for kind in ("clean", "blur", "noise", "light", "compression", "thumbnail")}
    assert latent - pixel == {*reconstruction, "cycle_error", *degraded}


def test_the_pixel_average_is_what_it_is(finished):
    """Its continuum is straight and ends at the parents; a real face is as sharp as real faces."""
    value = {(line["method"], line["figure"]): line["value"] for line in lines(finished)}
    assert value["pixel", "boundary_error"] == 0
    assert value["pixel", "path_length"] == pytest.approx(1, abs=0.1)
    assert value["pixel", "ghosting_inside"] > value["morph", "ghosting_inside"]
    assert abs(np.log(value["real", "sharpness"])) < abs(np.log(value["pixel", "sharpness"]))
    assert value["real", "critic_auc"] < value["pixel", "critic_auc"]


def test_the_report_holds_all_of_itself(finished):
    page = (finished / "report.html").read_text()
    assert not re.search(
        r"""(?:src|href|action|data)\s*=\s*["']?(?!data:)[^"'> ]+""", page.replace("<meta charset", "")
    )
    assert not re.search(r"https?:|url\(|@import|<script|<link", page)
    assert page.count("data:image/jpeg;base64,") >= 12 * 6
    assert "on patch-statistics-v1, not Inception" in page
    assert "not measured: FID and KID (give the weights with --inception-weights FILE)" in page
    assert page.count("data:image/svg+xml;base64,") >= 8
    assert "class=best" in page
    assert "No pair was left out" in page


def test_a_second_run_measures_nothing_again(faces, finished, monkeypatch):
    def refuse(*_):
        raise AssertionError("measured again")

    before = (finished / "metrics.jsonl").read_bytes()
    monkeypatch.setattr(featureblend.evaluation.run, "measure_method", refuse)
    monkeypatch.setattr(featureblend.evaluation.run, "measure_real", refuse)
    run(faces, finished, ("latent", "pca", "pixel", "morph"))
    assert (finished / "metrics.jsonl").read_bytes() == before


def test_a_stop_keeps_the_methods_that_are_done(faces, tmp_path, monkeypatch):
    measure, done = featureblend.evaluation.run.measure_method, []

    def stopping(method, *rest):
        if method.name == "morph" and len(done) == 1:
            raise KeyboardInterrupt
        done.append(method.name)
        return measure(method, *rest)

    monkeypatch.setattr(featureblend.evaluation.run, "measure_method", stopping)
    with pytest.raises(KeyboardInterrupt):
        run(faces, tmp_path, ("pixel", "morph"))
    assert not (tmp_path / "metrics.jsonl").exists()
    done.append("stopped")
    run(faces, tmp_path, ("pixel", "morph"))
    assert done == ["pixel", "stopped", "morph"]


@pytest.mark.parametrize("name", ["pixel.json", "pixel.npz"])
def test_damaged_results_are_measured_again(faces, tmp_path, name):
    run(faces, tmp_path, ("pixel",))
    before = (tmp_path / "metrics.jsonl").read_bytes()
    (tmp_path / "methods" / name).write_bytes(b"{")
    run(faces, tmp_path, ("pixel",))
    assert (tmp_path / "metrics.jsonl").read_bytes() == before


def test_processes_change_nothing(faces, finished, tmp_path):
    evaluate(faces, tmp_path, TINY, methods=("pixel", "morph"), jobs=2, quiet=True)
    apart = [line for line in lines(finished) if line["method"] in ("real", "pixel", "morph")]
    assert lines(tmp_path) == apart


def test_a_further_model_brings_two_methods(faces, tmp_path):
    from featureblend.model.folder import find_model

    run(faces, tmp_path, ("latent", "twin", "twin-unwarped"), also=(f"twin={find_model()}",))
    value = {(line["method"], line["figure"]): line["value"] for line in lines(tmp_path)}
    assert value["twin", "patch_fid"] == value["latent", "patch_fid"] != value["twin-unwarped", "patch_fid"]
    with pytest.raises(FeatureblendError, match="the name latent is taken"):
        parse_also(["latent=somewhere"])


def test_a_protocols_name_fixes_its_draw(faces):
    once, again = draw(faces, TINY, 128), draw(faces, TINY, 64)
    np.testing.assert_array_equal(once.pairs, again.pairs)
    people = once.faces.people
    assert (people[once.pairs[:, 0]] != people[once.pairs[:, 1]]).all()
    assert not set(people[once.pairs].ravel()) & set(people[once.reference])
    probes = once.probes()
    np.testing.assert_array_equal(people[probes], people[once.pairs])
    assert (probes != once.pairs).all()
    for name, protocol in PROTOCOLS.items():
        assert find_protocol(name) is protocol
        assert name == f"pairs{protocol.count // 1000}k_test" if protocol.count >= 1000 else str(protocol.count) in name


def test_pca_agrees_with_an_outside_oracle():
    """The projection on the components is that of numpy's singular value decomposition."""
    images = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 3), dtype=np.uint8)
    components = fit_components(images[:15], 6)
    rows = images.reshape(20, -1).astype(np.float64)
    mean = rows[:15].mean(axis=0)
    basis = np.linalg.svd(rows[:15] - mean, full_matrices=False)[2][:6]
    expected = (rows[15:] - mean) @ basis.T @ basis + mean
    found = components.decode(components.encode(images[15:])).reshape(5, -1)
    np.testing.assert_allclose(found, np.clip(expected, 0, 255), atol=0.51)
    assert len(fit_components(images[:5], 100).basis) == 4
    with pytest.raises(FeatureblendError, match="all equal"):
        fit_components(np.zeros((3, 8, 8, 3), np.uint8), 2)


def test_the_best_is_the_nearest_to_the_ideal():
    ideals = {"patch_kid": 0, "nn_accuracy": 0.5, "sharpness": 1, "diversity": 1}
    for name, ideal in ideals.items():
        assert badness(FIGURES[name], ideal) < badness(FIGURES[name], ideal + 0.2)
    assert badness(FIGURES["nn_accuracy"], 0.4) == pytest.approx(badness(FIGURES["nn_accuracy"], 0.6))
    assert badness(FIGURES["reconstruction_psnr"], 30) < badness(FIGURES["reconstruction_psnr"], 20)
    assert badness(FIGURES["symmetry"], 0.8, real=0.8) == 0
    assert badness(FIGURES["symmetry"], 0.8) is None
