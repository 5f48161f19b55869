"""What is passed on: licences of all files and packages, and the contents of wheel and sdist."""

import importlib.util
from pathlib import Path

import pytest

pytestmark = pytest.mark.extras


def tool(name):
    spec = importlib.util.spec_from_file_location(name, Path(__file__).parents[1] / "tools" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


licences = tool("licences")


def test_everything_that_ships_or_is_needed_may_be_passed_on():
    found = licences.shipped()
    assert found["faces/networks/face_mesh.onnx"] == "Apache-2.0"
    assert found["model/pretrained/lfw-128/decoder.onnx"] == "MIT"
    packages = licences.packages()
    assert len(packages) > 10
    assert {name: one for name, one in {**found, **packages}.items() if not licences.allowed(one)} == {}


@pytest.mark.parametrize(
    "said",
    [
        *(
            "GPL-3.0-only",
            "GNU General Public License v2 (GPLv2)",
            "AGPL-3.0-or-later",
            "GNU Affero General Public License",
        ),
        *(
            "CC-BY-NC-SA-4.0",
            "For non-commercial use",
            "Other/Proprietary License",
            "MIT AND GPL-2.0",
            "",
            "(",
            "my own",
        ),
        *("(MIT OR BSD) AND GPL-3.0", "LGPL-3.0 AND CC-BY-NC-4.0"),
    ],
)
def test_what_binds_others_is_refused(said):
    assert not licences.allowed(said)


@pytest.mark.parametrize("said", ["MIT", "LGPL-3.0-or-later", "MPL-2.0 AND (Apache-2.0 OR MIT)", "GPL-2.0 OR MIT"])
def test_what_is_free_is_allowed(said):
    assert licences.allowed(said)


def test_new_weights_need_a_licence(tmp_path, monkeypatch):
    (tmp_path / "faces").mkdir()
    (tmp_path / "faces" / "someones.onnx").touch()
    monkeypatch.setattr(licences, "PACKAGE", tmp_path)
    assert not licences.allowed(licences.shipped()["faces/someones.onnx"])


def test_wheel_and_sdist_hold_the_package(tmp_path):
    """The short form of `make dist`."""
    check = tool("check_dist")
    assert check.missing(*check.built(tmp_path)) == []
