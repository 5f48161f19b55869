"""Kept scores hold for the version that they were measured with: a change of the measurement must raise it."""

import json
from pathlib import Path

import measurement
import pytest
from evaluation_faces import TINY, make_faces, run

import featureblend.evaluation.results
from featureblend.blend.baselines import BASELINES
from featureblend.evaluation.results import VERSIONS_FILE, measurement_versions

ROOT = Path(__file__).parents[1]

KEPT = measurement.read(measurement.VALUES_FILE)


@pytest.fixture(scope="module")
def fixed():
    return measurement.FixedFaces(KEPT["faces"])


def test_the_measurement_is_what_its_version_says(fixed):
    found = {
        group: measurement.differences(group, KEPT[group], measurement.rounded(measurement.measure(group, fixed)))
        for group in measurement.GROUPS
    }
    found = [f"{group}: {line}" for group, some in found.items() for line in some]
    assert not found, "\n".join([*found, "if this is wanted: make measurement, and commit what it writes"])


def test_every_group_has_a_version(fixed):
    assert list(json.loads(VERSIONS_FILE.read_text())) == list(measurement.GROUPS)
    assert KEPT["faces"] == fixed.record()
    for method in ("real", "latent", "paper-unwarped", "pca", *BASELINES):
        assert all(number >= 1 for number in measurement_versions(method).values())


def test_renewing_raises_what_changed_and_nothing_else(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(measurement, "VALUES_FILE", tmp_path / "values.json")
    monkeypatch.setattr(measurement, "VERSIONS_FILE", tmp_path / "versions.json")
    monkeypatch.setattr(measurement, "GROUPS", ("pixel", "morph"))
    values = {"pixel": {"even": [1.0] * 64}, "morph": {"even": [2.0] * 64}}
    monkeypatch.setattr(measurement, "measure", lambda group, faces: values[group])
    measurement.main(["--renew"])
    assert measurement.read(tmp_path / "versions.json") == {"pixel": 1, "morph": 1}
    measurement.main([])
    values["morph"] = {"even": [2.1] * 64, "more": [0.0] * 64}
    with pytest.raises(SystemExit) as stop:
        measurement.main([])
    assert stop.value.code
    assert measurement.read(tmp_path / "versions.json") == {"pixel": 1, "morph": 1}
    measurement.main(["--renew"])
    assert measurement.read(tmp_path / "versions.json") == {"pixel": 1, "morph": 2}
    measurement.main([])
    assert "morph: version 2, as it was" in capsys.readouterr().out


def test_another_version_is_measured_again_and_named(tmp_path, monkeypatch):
    faces, said = make_faces(), []
    run(faces, tmp_path, ("pixel", "fourier"))
    raised = {**json.loads(VERSIONS_FILE.read_text()), "pixel": 99}
    monkeypatch.setattr(featureblend.evaluation.results, "_versions", lambda: raised)
    run(faces, tmp_path, ("pixel", "fourier"), say=said.append)
    about = [line for line in said if "kept scores" in line]
    assert [line.split(":")[0] for line in about] == ["pixel", "kept scores hold, not measured again"]
    assert "pixel 99" in about[0]
    assert "real, fourier" in about[1]
    path = tmp_path / "methods" / "pixel.json"
    record = json.loads(path.read_text())
    assert record["key"]["versions"]["pixel"] == 99
    del record["key"]["versions"]
    record["key"]["code"] = "0123456789ab"  # as earlier versions kept them
    path.write_text(json.dumps(record))
    said.clear()
    run(faces, tmp_path, ("pixel",), TINY, say=said.append)
    assert sum(line.startswith("pixel: ") for line in said) == 1
