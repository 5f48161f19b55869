"""Writing whole files or none, and hashes."""

import hashlib
import os
import stat

import pytest

from featureblend.errors import FeatureblendError
from featureblend.io.files import atomic_path, require_parent, sha256, short_name


def test_a_file_appears_only_when_it_is_whole(tmp_path):
    path = tmp_path / "a.json"
    with atomic_path(path) as temporary:
        assert temporary.parent == tmp_path
        assert temporary.suffix == ".json"
        temporary.write_text("half")
        assert not path.exists()
        temporary.write_text("whole")
    assert path.read_text() == "whole"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failure_leaves_what_was_there_and_nothing_else(tmp_path, error):
    path = tmp_path / "a.json"
    path.write_text("before")

    def write_half():
        with atomic_path(path) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(error):
        write_half()
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_the_result_has_the_permissions_of_any_new_file(tmp_path):
    (tmp_path / "plain").touch()
    with atomic_path(tmp_path / "ours"):
        pass
    assert stat.S_IMODE((tmp_path / "ours").stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)


def test_a_link_stays_a_link_and_its_file_is_written(tmp_path):
    (tmp_path / "far").mkdir()
    (tmp_path / "link.txt").symlink_to(tmp_path / "far" / "real.txt")
    for words in ("first", "second"):
        with atomic_path(tmp_path / "link.txt") as temporary:
            temporary.write_text(words)
        assert (tmp_path / "far" / "real.txt").read_text() == words
    assert (tmp_path / "link.txt").is_symlink()
    assert len(list((tmp_path / "far").iterdir())) == 1


def test_a_device_or_pipe_is_written_to_and_not_replaced(tmp_path):
    # As root, a rename over /dev/null would break the machine; a pipe stands for it here.
    os.mkfifo(tmp_path / "pipe")
    with atomic_path(tmp_path / "pipe") as temporary:
        assert temporary == tmp_path / "pipe"
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


def test_names_may_be_long_and_of_any_script(tmp_path):
    path = tmp_path / ("смесь " * 20 + "'\".png")
    with atomic_path(path) as temporary:
        temporary.write_bytes(b"x")
    assert path.read_bytes() == b"x"


def test_folders_that_are_missing_or_meant_as_files_are_named(tmp_path):
    with pytest.raises(FeatureblendError, match=r"cannot write .*none/a\.png: the folder .*none does not exist"):
        require_parent(tmp_path / "none" / "a.png")
    with pytest.raises(FeatureblendError, match="it is a folder"), atomic_path(tmp_path):
        pass
    assert require_parent("a.png").name == "a.png"


def test_a_name_longer_than_the_file_system_takes(tmp_path):
    with pytest.raises(FeatureblendError, match=r"cannot write .*xxx"):
        require_parent(tmp_path / ("x" * 300 + ".png"))
    for name in ("x" * 300 + ".png", "長" * 90 + ".jpeg", "." + "x" * 300):
        short = short_name(name)
        assert len(short.encode()) <= 200
        (tmp_path / short).write_bytes(b"")
    assert short.startswith(".x")


def test_a_folder_that_cannot_be_written_to(tmp_path, monkeypatch):
    def refuse(**options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.mkstemp", refuse)
    refused = pytest.raises(FeatureblendError, match=r"cannot write .*a\.png: Permission denied")
    with refused, atomic_path(tmp_path / "a.png"):
        pass


def test_sha256_reads_files_larger_than_one_piece(tmp_path):
    content = os.urandom((1 << 20) + 17)
    (tmp_path / "a").write_bytes(content)
    assert sha256(tmp_path / "a") == hashlib.sha256(content).hexdigest()
    (tmp_path / "b").write_bytes(b"abc")  # FIPS 180-2, appendix B.1
    assert sha256(tmp_path / "b") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
