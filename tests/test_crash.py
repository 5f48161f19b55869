"""The short form of `make crash`: commands killed at random moments, a full disk, photos that vanish."""

import resource
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "tools"))  # a process that it starts imports it by its name

import crash


@pytest.mark.parametrize("name", ["prepare", "batch"])
def test_what_is_killed_goes_on(tmp_path, name, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    (task,) = (one for one in crash.tasks(tmp_path, small=True) if one.name == name)
    campaign = crash.Campaign(task, tmp_path, 0, crash.server(small=True))
    campaign.kills(1 if name == "prepare" else 2)
    if name == "batch":
        campaign.full_disk(1)
        campaign.read_only()
    assert campaign.wrong == []
    assert campaign.moments


@pytest.fixture
def no_room():
    """No file may be over 10 kB: the system's answer to writing more is an error, as with a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.extras
def test_a_full_disk_keeps_the_last_checkpoint(tmp_path, request):
    import torch

    from featureblend.errors import FeatureblendError
    from featureblend.training.state import STATE, RunFolder

    folder = RunFolder(tmp_path)
    folder.save(dict.fromkeys(STATE, 1))
    request.getfixturevalue("no_room")
    with pytest.raises(FeatureblendError, match=r"cannot write .*checkpoint\.pt"):
        folder.save({**dict.fromkeys(STATE, 2), "ema": torch.zeros(100_000)})
    assert folder.load() == dict.fromkeys(STATE, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.pt"]
