"""An evaluation with Inception's and LPIPS's weights by path, and with the paper's model bundled or named."""

import hashlib

import pytest
import torch
from evaluation_faces import lines, make_faces, run
from published_networks import made_weights

from featureblend.evaluation.figures import FIGURES
from featureblend.evaluation.protocols import Protocol
from featureblend.metrics.inception import Inception
from featureblend.metrics.lpips import Lpips

FEW = Protocol("few", "test", 10, paths=1, steps=2, reference=10)


@pytest.fixture(scope="module")
def faces():
    return make_faces()


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    words = {}
    for name, network in {"inception": Inception(), "lpips": Lpips("alex")}.items():
        torch.save(made_weights(network), folder / f"{name}.pth")
        digest = hashlib.sha256((folder / f"{name}.pth").read_bytes()).hexdigest()
        words[name] = f"{folder / name}.pth#sha256={digest}"
    return {"inception": words["inception"], "lpips": [words["lpips"]]}


def test_figures_of_networks_name_their_features(faces, weights, tmp_path):
    said = []
    page = run(faces, tmp_path, ("latent",), FEW, say=said.append, **weights).read_text()
    found = {(line["method"], line["figure"]): line for line in lines(tmp_path)}
    for kind, name in (("inception", "Inception v3 (inception.pth, sha256 "), ("lpips", "LPIPS (lpips.pth, sha256 ")):
        figures = [figure for figure in FIGURES.values() if figure.network == kind]
        assert figures
        for figure in figures:
            assert found["latent", figure.name]["features"].startswith(name)
            assert found["latent", figure.name]["features"].endswith("not the published file)")
        assert sum(name in line for line in said) == 1
        assert name in page
    assert ("real", "inception_fid") in found
    assert found["latent", "inception_fid"]["value"] > 0
    assert found["latent", "lpips_balance"]["count"] == 10
    assert found["latent", "lpips_path_length"]["count"] == 1
    assert "not measured: LPIPS" not in page
    before = (tmp_path / "metrics.jsonl").read_bytes()
    run(faces, tmp_path, ("latent",), FEW)  # what is there already is shown without being asked for
    assert (tmp_path / "metrics.jsonl").read_bytes() == before


def test_results_without_a_network_are_measured_again_with_it(faces, weights, tmp_path):
    """In two processes, which change nothing here either."""
    said = []
    run(faces, tmp_path / "two", ("pixel",), FEW, say=said.append)
    assert [line.split(":")[0] for line in said] == ["features", "not measured", "not measured", "not measured"]
    assert "lpips_balance" not in {line["figure"] for line in lines(tmp_path / "two")}
    run(faces, tmp_path / "two", ("pixel",), FEW, jobs=2, lpips=weights["lpips"])
    run(faces, tmp_path / "one", ("pixel",), FEW, lpips=weights["lpips"])
    assert (tmp_path / "one/metrics.jsonl").read_bytes() == (tmp_path / "two/metrics.jsonl").read_bytes()
    found = {line["figure"] for line in lines(tmp_path / "one")}
    assert "lpips_balance" in found
    assert "reconstruction_lpips" not in found  # which pixels have none of
