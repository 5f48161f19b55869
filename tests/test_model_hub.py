"""Models on a hub: pushed, fetched by name, found again without a network; against a stand-in on this machine."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pytest
from example_photos import small_example
from hub_server import Hub

from featureblend import Blender, Code, FeatureblendError
from featureblend.io.image import save_image
from featureblend.model.folder import BUNDLED, find_model
from featureblend.model.hub import hub_name, push_model

pytestmark = pytest.mark.extras


@pytest.fixture(scope="module")
def hub():
    running = Hub()
    yield running
    running.close()


@pytest.fixture(scope="module")
def run(hub, tmp_path_factory):
    """Run a command with the stand-in for the Hub, and a cache of its own."""
    folder = tmp_path_factory.mktemp("hub")
    save_image(folder / "ana.png", small_example("first.jpg"))

    def run(*words, cache="cache", **variables):
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("HF_")},
            **{"HF_ENDPOINT": hub.address, "HF_HOME": str(folder / cache), "HF_TOKEN": "hf_secret", **variables},
        }
        script = Path(sysconfig.get_path("scripts")) / "featureblend"
        return subprocess.run(
            [sys.executable, str(script), *words], cwd=folder, env=environment, capture_output=True, text=True
        )

    run.folder = folder
    return run


@pytest.fixture(scope="module")
def pushed(run):
    done = run("push", "lfw-128", "lab/faces", "--private")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def encode(run, model, **options):
    return run("encode", "ana.png", "-o", "ana.npz", "--model", model, **options)


def test_a_pushed_folder_is_whole_and_has_a_card(hub, pushed):
    repository, commit = pushed.split("@")
    files = hub.files[repository][commit]
    local = {path.name: path.read_bytes() for path in (BUNDLED / "lfw-128").glob("*.onnx")}
    assert {name: files[name] for name in local} == local
    assert hub.private[repository]
    card = files["README.md"].decode()
    assert card.startswith("---\nlicense: mit\nlibrary_name: featureblend\n")
    assert "# lfw-128" in card
    from safetensors.numpy import load

    weights = load(files["model.safetensors"])
    assert {name.partition(".")[0] for name in weights} == {"cleaner", "decoder", "encoder"}
    assert sum(one.size for one in weights.values()) > 5e6


def test_a_model_is_used_by_its_name_and_again_without_a_network(hub, run, pushed):
    for model in ("lab/faces", pushed):
        done = encode(run, model)
        assert done.returncode == 0, done.stderr
    expected = Blender.from_pretrained().encode(run.folder / "ana.png")
    assert np.allclose(Code.load(run.folder / "ana.npz").latent, expected.latent, atol=1e-4)
    hub.asked.clear()
    (run.folder / "ana.npz").unlink()
    for variables in ({"HF_HUB_OFFLINE": "1"}, {"HF_ENDPOINT": "http://127.0.0.1:9"}):
        done = encode(run, "lab/faces", **variables)
        assert done.returncode == 0, done.stderr
    assert hub.asked == []


def test_a_file_that_was_changed_on_the_way_is_refused(hub, run, pushed):
    commit = pushed.partition("@")[2]
    hub.files["lab/spoilt"] = {"c" * 40: {**hub.files["lab/faces"][commit], "decoder.onnx": b"something else"}}
    hub.branches["lab/spoilt"] = {"main": "c" * 40}
    done = encode(run, "lab/spoilt")
    assert (done.returncode, "decoder.onnx is damaged or changed" in done.stderr) == (2, True)


def test_what_can_not_be_had_is_one_line(hub, run, pushed):
    hub.files["lab/other"], hub.branches["lab/other"] = {"d" * 40: {}}, {"main": "d" * 40}
    for model, variables in {
        "lab/nothing": {},
        "lab/faces@v9": {},
        "lab/other": {},
        "lab/unseen": {"HF_HUB_OFFLINE": "1"},
    }.items():
        done = encode(run, model, cache="another", **variables)
        assert done.returncode == 2
        assert model in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
    done = run("push", "lfw-128", "lab/mine", HF_TOKEN="hf_wrong")
    assert (done.returncode, len(done.stderr.strip().splitlines())) == (2, 1)


def test_nothing_is_asked_for_unless_the_hub_is_named(hub, run, tmp_path):
    hub.asked.clear()
    (run.folder / "runs").mkdir(exist_ok=True)
    for model in ("runs/mine", "./lab/faces", "lfw-127"):
        assert encode(run, model).returncode == 2
    assert encode(run, "lfw-128").returncode == 0
    assert hub.asked == []
    with pytest.raises(FeatureblendError, match="no model folder"):
        find_model(tmp_path / "lab" / "faces")


def test_names():
    assert hub_name("lab/faces@main") == ("lab/faces", "main")
    for name in ("faces", "lab/faces/more", "/lab/faces", "../lab/faces", "lab/", "lab faces/x"):
        assert hub_name(name) is None
    with pytest.raises(FeatureblendError, match="org/name"):
        push_model(BUNDLED / "lfw-128", "faces")
