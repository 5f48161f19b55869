"""The device that networks compute on: chosen once, for all of them, and never another than what was asked for."""

import os
import subprocess
import sys

import onnxruntime
import pytest
from example_photos import small_example

from featureblend import Blender, FeatureblendError
from featureblend.cli import main
from featureblend.faces import EXAMPLES
from featureblend.faces.parser import NETWORK
from featureblend.io import onnx
from featureblend.io.image import save_image

GONE = [name for name, provider in onnx.DEVICES.items() if provider not in onnxruntime.get_available_providers()]


@pytest.fixture(autouse=True)
def nothing_chosen(monkeypatch):
    monkeypatch.delenv(onnx.CHOSEN, raising=False)
    yield
    os.environ.pop(onnx.CHOSEN, None)


@pytest.fixture
def opened(monkeypatch):
    """Stands for an ONNX Runtime with CUDA: what its sessions are opened with; `starts` says if CUDA does."""
    calls = []

    class Session:
        starts = True

        def __init__(self, network, options, providers):
            calls.append((network, options.intra_op_num_threads, providers))

        def get_providers(self):
            return calls[-1][2] if self.starts else ["CPUExecutionProvider"]

    Session.calls = calls
    monkeypatch.setattr(
        onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"]
    )
    monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
    return Session


def test_networks_compute_on_the_cpu_unless_told_otherwise():
    assert onnx.open_network(NETWORK).get_providers() == ["CPUExecutionProvider"]


@pytest.mark.parametrize("asked", ["cuda", "auto"])
def test_every_network_is_opened_on_the_chosen_device(opened, asked):
    assert onnx.choose_device(asked) == "cuda"
    onnx.open_network(NETWORK, 3)
    assert opened.calls[-1] == (str(NETWORK), 3, ["CUDAExecutionProvider", "CPUExecutionProvider"])


def test_a_device_that_does_not_start_is_refused_and_auto_passes_it_over(opened):
    opened.starts = False
    with pytest.raises(FeatureblendError, match="cuda does not start"):
        onnx.choose_device("cuda")
    assert onnx.CHOSEN not in os.environ
    assert onnx.choose_device("auto") == "cpu"


def test_a_device_that_is_not_there_is_refused():
    for name in [*GONE, "abacus"]:
        with pytest.raises(FeatureblendError, match=name):
            Blender.from_pretrained(device=name)


def test_auto_is_what_this_machine_has():
    assert onnx.choose_device("auto") not in GONE


def test_the_command_says_which_device_was_taken(tmp_path, capsys):
    photos = []
    for name in ("first", "second"):
        photos.append(str(save_image(tmp_path / f"{name}.png", small_example(f"{name}.jpg"))))
    main(["blend", *photos, "-o", str(tmp_path / "blend.png"), "--device", "cpu"])
    assert "device: cpu" in capsys.readouterr().err
    with pytest.raises(SystemExit) as stopped:
        main(["blend", str(EXAMPLES / "first.jpg"), "-o", str(tmp_path / "blend.png"), "--device", GONE[0]])
    assert stopped.value.code == 2
    assert GONE[0] in capsys.readouterr().err


def test_processes_that_are_started_inherit_the_choice(opened):
    onnx.choose_device("cuda")
    code = "import os; print(os.environ['FEATUREBLEND_DEVICE'])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "cuda\n"
