"""What is passed on: licences of all files and packages, and the contents of wheel and sdist."""

from importlib import metadata
from pathlib import Path

import check_dist
import licences
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

pytestmark = pytest.mark.extras


def test_everything_that_ships_or_is_needed_may_be_passed_on():
    found = licences.shipped()
    assert found["faces/networks/face_mesh.onnx"] == "Apache-2.0"
    assert found["model/pretrained/lfw-128/decoder.onnx"] == "MIT"
    packages = licences.packages()
    assert len(packages) > 10
    assert {name: one for name, one in {**found, **packages}.items() if not licences.allowed(one)} == {}


def test_what_binds_others_is_refused():
    for said in [
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
    ]:
        assert not licences.allowed(said)


def test_what_is_free_is_allowed():
    for said in ["MIT", "LGPL-3.0-or-later", "MPL-2.0 AND (Apache-2.0 OR MIT)", "GPL-2.0 OR MIT"]:
        assert licences.allowed(said)


def test_new_weights_need_a_licence(tmp_path, monkeypatch):
    (tmp_path / "faces").mkdir()
    (tmp_path / "faces" / "someones.onnx").touch()
    monkeypatch.setattr(licences, "PACKAGE", tmp_path)
    assert not licences.allowed(licences.shipped()["faces/someones.onnx"])


def test_what_the_plain_install_needs_is_pinned_by_hash():
    text = (Path(__file__).parents[1] / "hashes.txt").read_text()
    pinned = {}
    for block in text.replace("\\\n", " ").splitlines():
        due = Requirement(block.partition(" --hash")[0])
        pinned.setdefault(canonicalize_name(due.name), []).append(due)
        assert block.count("--hash=sha256:") >= 1, due.name
    wanted = [Requirement(line) for line in metadata.requires("featureblend")]
    wanted = {canonicalize_name(one.name): one for one in wanted if one.marker is None}
    assert len(wanted) >= 8
    for name, one in wanted.items():
        for pin in pinned[name]:
            (version,) = (each.version for each in pin.specifier)
            assert one.specifier.contains(version), name
    named = [one for each in pinned.values() for one in each if one.marker is None or one.marker.evaluate()]
    constraints = (Path(__file__).parents[1] / "constraints.txt").read_text().splitlines()
    held = {
        canonicalize_name(one.name): one
        for one in map(Requirement, (line for line in constraints if line[:1] not in ("", "#")))
    }
    for one in named:
        limit = held.get(canonicalize_name(one.name))
        if limit is not None and (limit.marker is None or limit.marker.evaluate()):
            assert limit.specifier == one.specifier, one.name


def test_wheel_and_sdist_hold_the_package(tmp_path):
    """The short form of `make dist`."""
    assert check_dist.missing(*check_dist.built(tmp_path)) == []
