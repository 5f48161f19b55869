"""The contract between the halves: what config.json says, and what is refused."""

import dataclasses
import hashlib
import json

import pytest

from featureblend.errors import FeatureblendError
from featureblend.faces.alignment import CropTemplate
from featureblend.model import folder as model_folder
from featureblend.model.folder import BUNDLED, DEFAULT_MODEL, ModelConfig, bundled_models, find_model, read_model_folder


def write(folder, **changes):
    """A folder that is whole as far as hashes tell."""
    folder.mkdir(exist_ok=True)
    for name in ("encoder.onnx", "decoder.onnx"):
        (folder / name).write_bytes(name.encode())
    files = {name: hashlib.sha256(name.encode()).hexdigest() for name in ("encoder.onnx", "decoder.onnx")}
    config = dataclasses.replace(ModelConfig("mine", 64, 8, files, crop=CropTemplate(eye_scale=2.5)), **changes)
    (folder / "config.json").write_text(config.to_json())
    return config


def test_settings_come_back_as_they_were_written(tmp_path):
    config = write(tmp_path / "mine", metrics={"psnr": None}, latent_layout={"global": (0, 8)})
    assert read_model_folder(tmp_path / "mine") == config
    assert read_model_folder(str(tmp_path / "mine")).crop == CropTemplate(eye_scale=2.5)


def test_the_identity_follows_the_weights_and_nothing_else(tmp_path):
    config = write(tmp_path / "mine")
    assert len(config.identity) == 12
    assert dataclasses.replace(config, name="other", metrics={"psnr": 30}).identity == config.identity
    changed = dataclasses.replace(config, files=config.files | {"decoder.onnx": "0" * 64})
    assert changed.identity != config.identity
    turned = dataclasses.replace(config, files=dict(reversed(config.files.items())))
    assert turned.identity == config.identity


def test_settings_are_json_that_every_reader_takes():
    with pytest.raises(ValueError, match="Out of range float"):
        ModelConfig("mine", 64, 8, {}, metrics={"psnr": float("inf")}).to_json()


def test_a_network_that_is_missing_or_changed(tmp_path):
    for name in ["encoder.onnx", "decoder.onnx"]:
        write(tmp_path / "mine")
        network = tmp_path / "mine" / name
        network.write_bytes(network.read_bytes() + b"\0")
        with pytest.raises(FeatureblendError, match=f"{name} is damaged or changed"):
            read_model_folder(tmp_path / "mine")
        network.unlink()
        with pytest.raises(FeatureblendError, match=f"no whole model folder: {name} is missing"):
            read_model_folder(tmp_path / "mine")


def test_settings_that_do_not_fit(tmp_path):
    for changes, message in [
        ({"format": 2}, "has a format this version does not know"),
        ({"format": None}, "has a format this version does not know"),
        ({"crop": {"eye_scale": "wide"}}, "eye_scale of CropTemplate must be float"),
        ({"crop": {"nose": 1}}, "CropTemplate has no setting 'nose'"),
        ({"files": []}, "files of ModelConfig must be dict"),
        ({"files": {}}, "is damaged or changed"),
        ({"files": {"damage.onnx": "0"}}, "names damage.onnx, which this version does not know: export"),
        ({"latent_dim": 8.5}, "latent_dim of ModelConfig must be int"),
        ({"value_range": [0, 1]}, "value_range"),
    ]:
        write(tmp_path / "mine")
        path = tmp_path / "mine" / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))
        with pytest.raises(FeatureblendError, match=message) as raised:
            read_model_folder(tmp_path / "mine")
        assert "config.json" in str(raised.value)


def test_a_setting_that_is_missing(tmp_path):
    write(tmp_path / "mine")
    path = tmp_path / "mine" / "config.json"
    values = json.loads(path.read_text())
    del values["image_size"]
    path.write_text(json.dumps(values))
    with pytest.raises(FeatureblendError, match="image_size"):
        read_model_folder(tmp_path / "mine")


def test_a_model_is_found_by_folder_or_name(tmp_path, monkeypatch):
    monkeypatch.setattr(model_folder, "BUNDLED", tmp_path)
    write(tmp_path / "small")
    write(tmp_path / DEFAULT_MODEL)
    (tmp_path / "no model").mkdir()
    assert bundled_models() == sorted(["small", DEFAULT_MODEL])
    assert find_model() == tmp_path / DEFAULT_MODEL
    assert find_model("small") == tmp_path / "small"
    assert find_model(tmp_path / "small") == find_model(str(tmp_path / "small")) == tmp_path / "small"
    with pytest.raises(FeatureblendError, match=r"called no model \(bundled: .*small"):
        find_model("no model")
    monkeypatch.setattr(model_folder, "BUNDLED", tmp_path / "nowhere")
    with pytest.raises(FeatureblendError, match="bundled: none"):
        find_model()


def test_the_bundled_model_is_whole_small_and_says_what_it_is():
    folder = BUNDLED / DEFAULT_MODEL
    config = read_model_folder(folder)
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 25e6
    assert config.image_size == 128
    assert config.training["images_seen"] > 0
    assert config.metrics["psnr"] >= 22
    assert config.metrics["psnr"] >= config.metrics["psnr_mean_face"] + 3
    card = (folder / "README.md").read_text()
    for figure in ("psnr", "psnr_mean_face", "ssim", "sharpness"):
        assert f"| {config.metrics[figure]} |" in card
