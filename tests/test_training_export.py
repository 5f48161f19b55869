"""From a run to a model folder, for real: a toy model is trained, exported, and used."""

import dataclasses
import json
import logging
import os
import shlex
import shutil
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from short_runs import SHORT, no_curves, run  # noqa: F401
from training_faces import PAPER, faces

from featureblend.blend.blender import Blender
from featureblend.cli import main
from featureblend.errors import FeatureblendError
from featureblend.faces import EXAMPLES
from featureblend.faces.drawn import draw_face
from featureblend.io.image import save_image
from featureblend.io.settings import from_dict, to_dict
from featureblend.model.folder import CLEANER, find_model, read_model_folder
from featureblend.training import export as export_module
from featureblend.training.experiment import Experiment
from featureblend.training.export import LARGEST_DIFFERENCE, PARTS, export_model, with_cleaner
from featureblend.training.model_card import model_card, training_command
from featureblend.training.presets import PRESETS, overridden
from featureblend.training.starting import read_start, take_over
from featureblend.training.state import RunFolder

# One run, one export: the export of two networks takes most of the time here.


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return run(tmp_path_factory.mktemp("runs") / "toy").path


@pytest.fixture(scope="module")
def exported(trained, tmp_path_factory):
    """The model folder and what was said on the way."""
    said = []
    folder = tmp_path_factory.mktemp("models") / "small"
    config = export_model(trained, folder, faces(), data="LFW, a part", say=said.append)
    return folder, config, said


@pytest.fixture
def instead(monkeypatch, exported):
    """Let the export write the networks that are there already, changed at will, in no time."""

    def patch(change=lambda proto: proto):
        def write(network, example, names, path):
            proto = onnx.load(exported[0] / path.name)
            onnx.save(change(proto) if path.name == "decoder.onnx" else proto, path)

        monkeypatch.setattr(export_module, "_to_onnx", write)

    return patch


def session(folder, name):
    return onnxruntime.InferenceSession(str(folder / name), providers=["CPUExecutionProvider"])


# --- what is written


def test_the_folder_is_whole_and_what_was_returned(exported):
    folder, config, said = exported
    assert {path.name for path in folder.iterdir()} == PARTS - {CLEANER}  # it has no cleaner
    assert read_model_folder(folder) == config
    assert (config.name, config.image_size) == ("small", 32)
    assert os.listdir(folder.parent) == ["small"]
    assert any(line.startswith("largest pixel difference from torch on ") for line in said)


def test_the_networks_are_those_of_torch(exported, trained):
    """The check of the export itself, made again on other faces, and the figure that it wrote down."""
    folder, config, _ = exported
    assert 0 <= config.metrics["onnx_largest_difference"] <= LARGEST_DIFFERENCE
    model = export_module.build(export_module.AUTOENCODERS, SHORT["toy"].model, SHORT["toy"].model_options)
    model.load_state_dict(export_module.RunFolder(trained).load()["ema"])
    images = export_module.to_network(faces().split("train").chosen(np.arange(5)).cropped(32).images)
    with torch.no_grad():
        latent = model.eval().encode(torch.from_numpy(images))
        due = model.decode(latent).numpy()
    (found,) = session(folder, "encoder.onnx").run(None, {"images": images})
    np.testing.assert_allclose(found, latent.numpy(), atol=0.02)
    (made,) = session(folder, "decoder.onnx").run(None, {"latent": found})
    assert np.abs(made - due).max() <= 2 * LARGEST_DIFFERENCE / 255


def test_the_bundled_networks_are_torchs():
    """Networks built anew with the weights of the bundled model, on good faces and on dark and noisy ones."""
    folder = find_model()
    settings = read_model_folder(folder).experiment
    model = export_module.build(export_module.AUTOENCODERS, settings["model"], settings["model_options"]).eval()
    assert take_over(model, read_start(folder)["ema"], "the bundled model") == 0
    images = export_module.to_network(np.stack([draw_face(seed, 128)[0] for seed in range(16)]))
    images[::2] = (0.5 * images[::2] - 0.3 + np.random.default_rng(0).normal(0, 0.1, images[::2].shape)).clip(-1, 1)
    cleaned, damage = session(folder, CLEANER).run(["cleaned", "damage"], {"images": images})
    (latent,) = session(folder, "encoder.onnx").run(["latent"], {"images": cleaned})
    (made,) = session(folder, "decoder.onnx").run(["images"], {"latent": latent})
    with torch.no_grad():
        due = (*model.cleaner.cleaned(torch.from_numpy(images)), model.encode_cleaned(torch.from_numpy(cleaned)))
        due = (*due, model.decode(torch.from_numpy(latent)))
    assert damage[::2].max(axis=1).min() > 0.5  # the cleaner is at work
    for found, wanted in zip((cleaned, damage, latent, made), due, strict=True):
        np.testing.assert_allclose(found, wanted.numpy(), atol=1e-4)


def test_any_number_of_faces_goes_through_at_once(exported):
    folder, config, _ = exported
    for count in [1, 3, 5]:
        images = np.random.default_rng(0).uniform(-1, 1, (count, 3, 32, 32)).astype(np.float32)
        (latent,) = session(folder, "encoder.onnx").run(["latent"], {"images": images})
        (made,) = session(folder, "decoder.onnx").run(["images"], {"latent": latent})
        assert (latent.shape, made.shape) == ((count, config.latent_dim), images.shape)
        assert (latent.dtype, made.dtype) == (np.float32, np.float32)
        (alone,) = session(folder, "encoder.onnx").run(["latent"], {"images": images[:1]})
        np.testing.assert_allclose(latent[:1], alone, atol=1e-4)


def test_weights_are_stored_in_half_precision_and_no_path_of_this_machine(exported):
    traces = [os.getcwd(), str(Path(export_module.__file__).parents[2]), str(Path.home()), "site-packages", ".py"]
    for path in (exported[0] / "encoder.onnx", exported[0] / "decoder.onnx"):
        proto = onnx.load(path)
        onnx.checker.check_model(proto)
        sizes = {}
        for weight in proto.graph.initializer:
            kind = onnx.TensorProto.DataType.Name(weight.data_type)
            sizes[kind] = sizes.get(kind, 0) + int(np.prod(weight.dims))
        assert sizes["FLOAT16"] > 20 * sizes.get("FLOAT", 0)
        assert path.stat().st_size < 2 * sum(sizes.values()) * 1.2 + 100_000
        content = path.read_bytes()
        for trace in traces:
            assert len(trace) <= 1 or trace.encode() not in content


def test_the_settings_hold_the_training_and_the_figures(exported):
    _, config, _ = exported
    assert from_dict(Experiment, config.experiment, "config.json") == SHORT["toy"]
    training = config.training
    assert (training["steps"], training["images_seen"]) == (8, 128)
    assert training["data_sha256"] == faces().identity
    assert "cores" in training["hardware"] or "x" in training["hardware"]
    assert training["started_from"] == ""
    assert set(config.metrics) == {"faces", "psnr", "psnr_mean_face", "ssim", "sharpness", "onnx_largest_difference"}
    assert config.metrics["faces"] == min(500, len(faces().split("test")))
    layout = config.latent_layout
    spatial = int(np.prod(layout["spatial_shape"]))
    assert (layout["spatial"], layout["global"]) == ((0, spatial), (spatial, config.latent_dim))
    assert config.latent_dim == spatial + 16


# --- the model card


def test_the_card_says_how_the_model_was_made_and_what_it_can_do(exported):
    folder, config, _ = exported
    card = (folder / "README.md").read_text()
    assert card == model_card(config)
    for figure in config.metrics.values():
        assert f"| {figure} |" in card
    assert "128 images of 128 planned, in 8 steps of 16" in card
    assert config.training["hardware"] in card
    assert "Data: LFW, a part" in card
    assert "    featureblend train --preset toy --data faces.tar --run runs/toy --set images=128\n" in card
    assert "started from" not in card
    assert "mostly men" in card


def test_the_card_of_a_second_stage_and_of_other_data(exported):
    _, config, _ = exported
    training = config.training | {"started_from": "modern-reconstruct"}
    card = model_card(dataclasses.replace(config, training=training, data="my own photos", metrics={"psnr": None}))
    assert "started from the weights of another run: `modern-reconstruct`" in card
    assert "--init runs/modern-reconstruct --set images=128" in card
    from_bundled = dataclasses.replace(config, training=training | {"started_from": "lfw-128"})
    assert "--init lfw-128 --set" in model_card(from_bundled)
    assert "mostly men" not in card  # that is LFW
    assert "| PSNR of reconstructions, dB | not finite |" in card


def test_the_command_trains_the_same_again(capsys):
    settings = ["seed=7", "batch_size=3", "learning_rate=0.00015", "betas=[0.1,0.2]", "mirror=false", "losses.kl=0.25"]
    settings += ["precision=fp32", "model_options.padding=same"]
    for name in ["paper-vae", "paper-vaegan-10-published", "aae", "modern-fine", "modern-clean", "taught", "toy"]:
        wanted = overridden(PRESETS[name], settings)
        words = shlex.split(training_command(json.loads(json.dumps(to_dict(wanted)))))
        assert words[:2] == ["featureblend", "train"]
        main([*words[1:], "--dry-run"])
        assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(to_dict(wanted)))


def test_an_experiment_that_is_no_preset_has_no_command():
    assert training_command(to_dict(dataclasses.replace(PRESETS["toy"], name="mine"))) is None
    assert training_command(to_dict(dataclasses.replace(PRESETS["toy"], phases=PRESETS["toy"].phases[:1]))) is None
    assert training_command(to_dict(dataclasses.replace(PRESETS["toy"], model_options={"image_size": 32}))) is None
    assert training_command({}) is None


# --- using it


def test_a_blend_with_the_exported_model(exported, detector):
    blender = Blender(exported[0], detector)
    made = blender.blend([EXAMPLES / "first.jpg", EXAMPLES / "second.jpg"], [2, 1], size="model")
    assert made.image.size == (32, 32)
    assert made.recipe["model"] == {"name": "small", "identity": exported[1].identity}
    with pytest.raises(FeatureblendError, match="was encoded by model"):
        Blender.from_pretrained().decode(blender.encode(EXAMPLES / "first.jpg"))


# --- what is refused, and what is left alone


def test_networks_that_differ_from_torch_are_not_written(trained, tmp_path, instead):
    def change(proto):
        for weight in proto.graph.initializer:
            values = onnx.numpy_helper.to_array(weight)
            if values.dtype == np.float16:  # the large ones: small ones may be sizes of a resampling
                weight.CopyFrom(onnx.numpy_helper.from_array(values * np.float16(1.5), weight.name))
        return proto

    instead(change)
    with pytest.raises(FeatureblendError, match=r"differ from torch by \d+/255; at most 2/255 is allowed"):
        export_model(trained, tmp_path / "model", faces())
    assert os.listdir(tmp_path) == []


def test_a_model_folder_is_replaced_and_a_failure_keeps_the_old(trained, exported, tmp_path, instead, monkeypatch):
    target = shutil.copytree(exported[0], tmp_path / "model")
    instead()
    assert export_model(trained, target, faces(), name="second").name == "second"
    assert read_model_folder(target).name == "second"
    monkeypatch.setattr(export_module, "LARGEST_DIFFERENCE", -1)
    with pytest.raises(FeatureblendError):
        export_model(trained, target, faces(), name="third")
    assert read_model_folder(target).name == "second"
    assert os.listdir(tmp_path) == ["model"]


def test_a_link_to_a_model_folder_stays_a_link(trained, exported, tmp_path, instead):
    target = shutil.copytree(exported[0], tmp_path / "model")
    (tmp_path / "link").symlink_to(target)
    instead()
    export_model(trained, tmp_path / "link", faces(), name="second")
    assert (tmp_path / "link").is_symlink()
    assert read_model_folder(target).name == "second"


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (["notes.txt"], r"is no model folder \(it holds notes\.txt\): name a new folder"),
        (["config.json", "thesis.tex"], "it holds thesis.tex"),  # config.json is a common name
        (["README.md"], "it holds no config.json"),
    ],
)
def test_a_folder_with_other_things_in_it_is_never_replaced(trained, tmp_path, files, message):
    target = tmp_path / "mine"
    target.mkdir()
    for name in files:
        (target / name).write_text("work of years")
    with pytest.raises(FeatureblendError, match=message):
        export_model(trained, target, faces())
    assert sorted(path.name for path in target.iterdir()) == sorted(files)
    with pytest.raises(FeatureblendError, match="exists and is no folder"):
        export_model(trained, target / files[0], faces())


def test_runs_that_hold_nothing(trained, tmp_path):
    with pytest.raises(FeatureblendError, match=r"is no run folder: experiment\.json is missing"):
        export_model(tmp_path / "nowhere", tmp_path / "model", faces())
    shutil.copytree(trained, tmp_path / "begun", ignore=shutil.ignore_patterns("checkpoint.pt"))
    with pytest.raises(FeatureblendError, match="holds no checkpoint: nothing was trained there yet"):
        export_model(tmp_path / "begun", tmp_path / "model", faces())
    assert os.listdir(tmp_path) == ["begun"]


def test_without_people_to_measure_on_the_model_is_written_and_says_so(trained, tmp_path, instead, exported):
    instead()
    said = []
    config = export_model(trained, tmp_path / "model", faces().split("train"), say=said.append)
    assert read_model_folder(tmp_path / "model") == config
    assert set(config.metrics) == {"onnx_largest_difference"}
    assert any("not measured" in line and "no faces for validation and test" in line for line in said)
    card = (tmp_path / "model" / "README.md").read_text("utf-8")
    assert "## Not measured" in card
    assert "## Measured" not in card
    assert "## Measured" in (exported[0] / "README.md").read_text("utf-8")
    assert Blender.from_pretrained(tmp_path / "model").image_size == 32


def test_only_the_exporters_own_warnings_are_silenced(caplog):
    with export_module._only_errors("torch.onnx"):
        logging.getLogger("torch.onnx._internal.exporter").warning("torchvision is not installed")
        logging.getLogger("elsewhere").warning("heard")
    logging.getLogger("torch.onnx._internal.exporter").warning("heard again")
    assert [record.message for record in caplog.records] == ["heard", "heard again"]


def test_the_layout_of_a_model_with_a_fine_part():
    from featureblend.training.networks.modern import ModernAutoencoder, ModernConfig

    model = ModernAutoencoder(
        ModernConfig(
            image_size=32,
            widths=(8, 8),
            encoder_blocks=(1, 1),
            decoder_blocks=(1, 1),
            spatial_channels=4,
            global_dim=6,
            fine_channels=3,
        )
    )
    layout = export_module._layout(model)
    assert (layout["spatial"], layout["global"], layout["fine"]) == ([0, 64], [64, 70], [70, 70 + 3 * 64])
    assert layout["fine_shape"] == [3, 8, 8]


def test_the_layout_of_a_model_without_a_spatial_part():
    model = export_module.build(export_module.AUTOENCODERS, PAPER.model, PAPER.model_options)
    assert export_module._layout(model) == {"global": [0, 8]}


# --- the mean of two runs' weights


def test_the_mean_of_two_runs_weights_is_exported(trained, tmp_path):
    """A run and itself with every weight tripled have twice the weights for a mean, down to the written network."""
    first = RunFolder(trained)
    state = first.load()
    tripled = shutil.copytree(trained, tmp_path / "first-stage")
    state["ema"] = {name: 3 * value for name, value in state["ema"].items()}
    RunFolder(tripled).save(state)
    config = export_model(trained, tmp_path / "mean", faces(), average_with=tripled)
    assert config.training["averaged_with"] == "first-stage"
    assert "mean of its own and those of the run `first-stage`" in " ".join(model_card(config).split())
    bias = first.load()["ema"]["to_spatial.bias"].numpy()
    graph = onnx.load(tmp_path / "mean" / "encoder.onnx").graph
    stored = [onnx.numpy_helper.to_array(one) for one in graph.initializer]
    assert any(one.shape == bias.shape and np.allclose(one, 2 * bias, atol=1e-3) for one in stored)


def test_runs_of_other_sizes_have_no_mean(trained, tmp_path):
    other = shutil.copytree(trained, tmp_path / "other")
    state = RunFolder(other).load()
    state["ema"]["to_spatial.bias"] = torch.zeros(3)
    RunFolder(other).save(state)
    with pytest.raises(FeatureblendError, match="other sizes: they have no mean"):
        export_model(trained, tmp_path / "mean", faces(), average_with=other)
    assert not (tmp_path / "mean").exists()


# --- another run's cleaner


@pytest.fixture
def cleaning(trained, tmp_path):
    """A run like the first, with a cleaner that no longer leaves everything as it is."""
    folder = RunFolder(shutil.copytree(trained, tmp_path / "clean-1"))
    experiment = folder.experiment()
    options = {**experiment.model_options, "cleaner_widths": (8, 8)}
    folder.experiment_file.write_text(json.dumps(to_dict(dataclasses.replace(experiment, model_options=options))))
    torch.manual_seed(0)
    model = export_module.build(export_module.AUTOENCODERS, experiment.model, options)
    with torch.no_grad():
        model.cleaner.to_light.bias.fill_(0.25)
        model.cleaner.to_signs.bias.fill_(9.0)
    folder.save({**folder.load(), "ema": model.state_dict()})
    return folder.path


def test_another_runs_cleaner_goes_with_a_runs_networks(trained, exported, cleaning, tmp_path, monkeypatch):
    write = export_module._to_onnx

    def only_the_cleaner(network, example, names, path):
        known = exported[0] / path.name
        shutil.copy(known, path) if known.exists() else write(network, example, names, path)

    monkeypatch.setattr(export_module, "_to_onnx", only_the_cleaner)
    config = export_model(trained, tmp_path / "both", faces(), cleaner_from=cleaning)
    assert set(config.files) == {"encoder.onnx", "decoder.onnx", CLEANER}
    assert (config.training["cleaner"]["run"], config.training["steps"]) == ("clean-1", 8)
    assert config.experiment["model_options"] == exported[1].experiment["model_options"]
    assert "The cleaner is that of the run `clean-1`" in " ".join(model_card(config).split())
    (cleaned, damage) = Blender(tmp_path / "both").networks.cleaned(np.full((1, 32, 32, 3), 191, np.uint8))
    assert damage.min() > 0.9
    assert cleaned.mean() > 200  # 0.5 times 1.25, and 0.25 more


def test_a_runs_own_cleaner_goes(cleaning, tmp_path):
    """It may have other widths."""
    own = RunFolder(shutil.copytree(cleaning, tmp_path / "own"))
    options = {**own.experiment().model_options, "cleaner_widths": (16,)}
    model = export_module.build(export_module.AUTOENCODERS, "modern", options)
    own.experiment_file.write_text(json.dumps(to_dict(dataclasses.replace(own.experiment(), model_options=options))))
    own.save({**own.load(), "ema": model.state_dict()})
    weights, taken, facts = with_cleaner(model.state_dict(), options, RunFolder(cleaning), own)
    made = export_module.build(export_module.AUTOENCODERS, "modern", taken)
    made.load_state_dict(weights)
    wanted = RunFolder(cleaning).load()["ema"]
    assert all(torch.equal(value, wanted[f"cleaner.{name}"]) for name, value in made.cleaner.state_dict().items())
    assert torch.equal(made.to_spatial.weight, model.to_spatial.weight)
    assert facts["cleaner"]["images_seen"] == 128


def test_a_cleaner_must_be_there_and_fit(trained, cleaning, tmp_path, capsys):
    with pytest.raises(FeatureblendError, match="holds no cleaner"):
        export_model(trained, tmp_path / "both", faces(), cleaner_from=trained)
    small = RunFolder(shutil.copytree(cleaning, tmp_path / "small"))
    options = {**small.experiment().model_options, "image_size": 16}
    small.experiment_file.write_text(
        json.dumps(to_dict(dataclasses.replace(small.experiment(), model_options=options)))
    )
    with pytest.raises(FeatureblendError, match="makes 32 px, and"):
        export_model(trained, tmp_path / "both", faces(), cleaner_from=small.path)
    data = tmp_path / "faces"
    data.mkdir()
    for place, image in enumerate(faces().cropped(32).images[:3]):
        save_image(data / f"{place}.png", image)
    words = ["export", str(trained), "--data", str(data), "--out", str(tmp_path / "both")]
    with pytest.raises(SystemExit) as stopped:
        main([*words, "--cleaner-from", str(trained)])
    assert stopped.value.code == 2
    assert "holds no cleaner" in capsys.readouterr().err
    paper = run(tmp_path / "paper", "paper").path
    with pytest.raises(FeatureblendError, match="only `modern` networks have one"):
        export_model(paper, tmp_path / "both", faces(), cleaner_from=cleaning)
    assert not (tmp_path / "both").exists()
