"""Runs made to collapse: they say what was seen, keep the last good checkpoint, and stop, or warn and go on."""

import dataclasses
import json

import pytest
from short_runs import SHORT, flat, run
from training_faces import TOY, faces

from featureblend.errors import FeatureblendError
from featureblend.training import collapse, loop, trainer
from featureblend.training.loop import train
from featureblend.training.state import RunFolder

VALIDATE = trainer.Trainer.validate
STEPS, TURN = 12, 6
EXPERIMENT = dataclasses.replace(TOY, images=16 * STEPS)
LIMITS = collapse.Limits(settled=16 * 2, grace=16 * 1000)


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """A line and a checkpoint a step, no curves, and limits for a run of 12 steps."""
    monkeypatch.setattr(loop, "TICK_SECONDS", -1)
    monkeypatch.setattr(loop, "SAVE_SECONDS", -1)
    monkeypatch.setattr(loop, "draw_curves", lambda history, path: None)
    monkeypatch.setattr(loop, "draw_samples", lambda pictures, path: None)
    monkeypatch.setattr(collapse, "LIMITS", LIMITS)


def draws(monkeypatch, turn):
    """Let a run show its input, darker; and from step `turn` on, one face for all. What it learns plays no part."""

    def validate(self):
        scores, pictures = VALIDATE(self)
        faces = pictures["input"]
        made = 0.9 * faces if self.clock.step < turn else faces[:1].expand_as(faces)
        return scores, {**pictures, "reconstruction": made, "blend with next": (made + made.roll(-1, 0)) / 2}

    monkeypatch.setattr(trainer.Trainer, "validate", validate)


def made_to_collapse(monkeypatch):
    draws(monkeypatch, TURN)


def trained(folder, **settings):
    return train(EXPERIMENT, faces(), folder, quiet=True, **settings)


def test_a_collapsed_run_stops_and_keeps_what_was_good(tmp_path, monkeypatch, capsys):
    made_to_collapse(monkeypatch)
    with pytest.raises(FeatureblendError, match=r"training collapsed at .* images: outputs have become alike") as error:
        trained(tmp_path / "run")
    assert "\n" not in str(error.value)
    folder = RunFolder(tmp_path / "run")
    assert f"--init {folder.good}" in str(error.value)
    log = folder.history()
    facts = json.loads(folder.collapse_file.read_text())
    assert facts["images"] == log[-1]["images"] < 16 * STEPS
    assert any("become alike" in sign for sign in facts["signs"])
    # Good is what came before the first bad line, and its outputs were various.
    assert facts["last_good"] == folder.good_images() < facts["images"]
    at = {line["images"]: line for line in log}
    peak = max(line["diversity"] for line in log if line["images"] >= LIMITS.settled)
    assert at[facts["last_good"]]["diversity"] > peak / 3 > log[-1]["diversity"]
    kept = RunFolder(folder.good)
    assert kept.experiment() == EXPERIMENT
    assert kept.load()["clock"]["step"] * 16 == facts["last_good"]
    # The collapsed state is there too, to be looked at.
    assert folder.load()["clock"]["step"] * 16 == facts["images"]
    # A new run starts from what was good.
    monkeypatch.setattr(trainer.Trainer, "validate", VALIDATE)
    new = RunFolder(train(EXPERIMENT, faces(), tmp_path / "new", init=folder.good, minutes=0, quiet=True))
    assert new.load()["started_from"] == "last-good"


def test_a_collapsed_run_may_go_on(tmp_path, monkeypatch, capsys):
    made_to_collapse(monkeypatch)
    folder = RunFolder(trained(tmp_path / "run", on_collapse="warn"))
    said = capsys.readouterr().err
    assert said.count("outputs have become alike") == 1  # once, however long it lasts
    assert "; going on" in said
    assert folder.load()["clock"]["step"] == STEPS
    good = flat(RunFolder(folder.good).load())
    assert good["/clock/step"] * 16 == json.loads(folder.collapse_file.read_text())["last_good"]
    # Resumed with the default, the log's lines of collapse count.
    state = folder.load()
    state["clock"]["step"] = STEPS - 2
    folder.save(state)
    with pytest.raises(FeatureblendError, match="training collapsed at"):
        trained(folder.path, resume=True)


def test_a_healthy_run_says_nothing(tmp_path, capsys, monkeypatch):
    draws(monkeypatch, STEPS + 1)
    folder = RunFolder(trained(tmp_path / "run"))
    assert not folder.collapse_file.exists()
    assert "collapse" not in capsys.readouterr().err
    line = folder.history()[-1]
    assert line["diversity"] == pytest.approx(0.9, abs=1e-3)
    assert line["blend_diversity"] == pytest.approx(0.9, abs=1e-3)
    apart = line["real_logit"] - (line["reconstruction_logit"] + line["blend_logit"]) / 2
    assert line["discriminator_margin"] == pytest.approx(apart, abs=1e-3)
    assert line["gradient_adversarial"] > 0
    assert RunFolder(folder.good).load()["clock"]["step"] == STEPS


def test_the_good_checkpoint_is_no_copy_that_later_ones_write_into(tmp_path):
    folder = run(tmp_path / "run", minutes=0)
    before = (folder.good / "checkpoint.pt").read_bytes()
    folder.save({**folder.load(), "clock": {"step": 99}})
    assert (folder.good / "checkpoint.pt").read_bytes() == before
    assert folder.good_images() == SHORT["toy"].batch_size


def test_without_links_it_is_copied(tmp_path, monkeypatch):
    from featureblend.training import state

    def refused(*paths):
        raise OSError("no links here")

    monkeypatch.setattr(state.os, "link", refused)
    folder = run(tmp_path / "run", minutes=0)
    assert (folder.good / "checkpoint.pt").read_bytes() == folder.checkpoint.read_bytes()


def test_what_else_could_be_done_is_refused(tmp_path):
    with pytest.raises(FeatureblendError, match="on_collapse is 'ignore': use one of stop, warn"):
        trained(tmp_path / "run", on_collapse="ignore")
    assert not (tmp_path / "run").exists()
