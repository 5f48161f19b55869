"""Fixtures for tests of the command line: a folder with two photos, and commands that must fail."""

import shutil

import pytest
from example_photos import FIRST, SECOND
from PIL import Image

from featureblend.blend import blender as blender_module
from featureblend.cli import main


@pytest.fixture(autouse=True)
def shared_detector(monkeypatch, detector):
    monkeypatch.setattr(blender_module, "FaceDetector", lambda: detector)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder to work in, with two photos."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(FIRST, tmp_path / "ana.png")
    Image.open(SECOND).convert("RGB").save(tmp_path / "ben.jpg", quality=95)
    return tmp_path


@pytest.fixture
def fails(place, capsys):
    """Run a command that must fail: return its one line, having checked that it left nothing behind."""

    def run(*words):
        before = {path: path.read_bytes() if path.is_file() else None for path in place.rglob("*")}
        with pytest.raises(SystemExit) as stop:
            main([str(word) for word in words])
        shown = capsys.readouterr()
        assert stop.value.code == 2
        assert shown.out == ""
        assert {path: path.read_bytes() if path.is_file() else None for path in place.rglob("*")} == before
        assert shown.err.startswith("featureblend: ")
        assert shown.err.endswith("\n")
        assert shown.err.count("\n") == 1, shown.err
        return shown.err[len("featureblend: ") : -1]

    return run
