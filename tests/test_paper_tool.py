"""tools/train_paper.py on a toy plan: what is carried home is taken up again."""

import json

import pytest
import torch
import train_paper

from featureblend.training.state import RunFolder

WORDS = ("--scale", "quick", "--only", "1", "--images", "16", "--jobs", "1", "--minutes", "60")


@pytest.fixture(scope="module")
def carried(tmp_path_factory):
    out = tmp_path_factory.mktemp("gpu") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("featureblend.paper.faces.QUICK", {"train": 24, "validation": 8, "test": 8})
        train_paper.main([*WORDS, "--out", str(out), "--megabytes", "0.5", "--files", "8"])
    return out


def test_files_are_small_and_hold_the_runs(carried, tmp_path):
    files = list(carried.glob("runs-*.bin"))
    assert 1 < len(files) <= 8
    assert all(file.stat().st_size <= 2**19 for file in files)
    train_paper.main(["--join", str(carried), "--runs", str(tmp_path)])
    work = carried.with_name("out-work") / "runs"
    for name in json.loads((carried / "results.json").read_text())["runs"]:
        came, was = RunFolder(tmp_path / name), RunFolder(work / name)
        assert came.history() == was.history()
        assert came.experiment() == was.experiment()
        weights = was.load()["ema"]
        for key, value in came.load()["ema"].items():
            torch.testing.assert_close(value.float(), weights[key].float(), atol=1e-3, rtol=1e-3)


def test_the_next_time_goes_on(carried, tmp_path, monkeypatch):
    monkeypatch.setattr("featureblend.paper.faces.QUICK", {"train": 24, "validation": 8, "test": 8})
    words = [word if word != "16" else "24" for word in WORDS]
    train_paper.main([*words, "--out", str(tmp_path / "out"), "--back", str(carried)])
    history = RunFolder(tmp_path / "out-work" / "runs" / "paper-vae").history()
    assert [line["images"] for line in history] == [8, 16, 24]


def test_weights_without_room_are_named(carried, tmp_path):
    work = carried.with_name("out-work") / "runs"
    names = ["paper-vae-published", "paper-vae"]
    assert train_paper.pack(tmp_path, work, names, 1, 1 << 16) == names
    train_paper.main(["--join", str(tmp_path), "--runs", str(tmp_path / "runs")])
    assert RunFolder(tmp_path / "runs" / "paper-vae").history()
    assert not RunFolder(tmp_path / "runs" / "paper-vae").checkpoint.exists()
