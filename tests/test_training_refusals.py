"""Training that breaks, runs that must not be touched, files that are no checkpoints, and starts from other runs."""

import dataclasses
import json
import os

import pytest
import torch
from short_runs import SHORT, flat, run, same
from training_faces import TOY, faces

from featureblend.errors import FeatureblendError
from featureblend.training import loop, trainer
from featureblend.training.loop import train
from featureblend.training.state import RunFolder

JOINT = trainer.OBJECTIVES["joint"]


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """A line a step, and no curves."""
    monkeypatch.setattr(loop, "TICK_SECONDS", -1)
    monkeypatch.setattr(loop, "draw_curves", lambda history, path: None)


# --- what breaks


def breaking(monkeypatch, change):
    """From the fourth step on, change what the objective gives."""

    def faulty(networks, batch, experiment):
        result = JOINT(networks, batch, experiment)
        return change(result) if batch.seed[1] >= 3 else result

    monkeypatch.setitem(trainer.OBJECTIVES, "joint", faulty)


def test_nan_ends_with_a_clear_error_and_keeps_the_checkpoint(tmp_path, monkeypatch):
    good = run(tmp_path / "good")
    breaking(monkeypatch, lambda result: {**result, "loss": result["loss"] * float("nan")})
    run(tmp_path / "run", minutes=0)
    before = RunFolder(tmp_path / "run").checkpoint.read_bytes()
    with pytest.raises(FeatureblendError, match=r"broke down at 64 images: loss_joint, .*the last checkpoint is kept"):
        run(tmp_path / "run", resume=True)
    assert RunFolder(tmp_path / "run").checkpoint.read_bytes() == before
    monkeypatch.setitem(trainer.OBJECTIVES, "joint", JOINT)
    same(good, run(tmp_path / "run", resume=True))


def test_a_gradient_that_is_no_number_never_reaches_a_checkpoint(tmp_path, monkeypatch):
    """The loss is still finite when the weights no longer are."""

    class NoGradient(torch.autograd.Function):
        @staticmethod
        def forward(ctx, value):
            return value.clone()

        @staticmethod
        def backward(ctx, gradient):
            return gradient * float("inf")

    breaking(monkeypatch, lambda result: {**result, "loss": NoGradient.apply(result["loss"])})
    monkeypatch.setattr(loop, "SAVE_SECONDS", -1)
    with pytest.raises(FeatureblendError, match=r"broke down at 64 images: gradient_joint"):
        run(tmp_path / "run")
    state = RunFolder(tmp_path / "run").load()
    assert state["clock"]["step"] == 3
    assert all(torch.isfinite(value).all() for value in flat(state).values() if isinstance(value, torch.Tensor))


# --- what is refused


def test_a_run_that_is_there_is_not_overwritten(tmp_path):
    folder = run(tmp_path / "run", minutes=0)
    before = folder.checkpoint.read_bytes()
    with pytest.raises(FeatureblendError, match=r"holds a run already: add --resume to go on with it"):
        run(tmp_path / "run")
    assert folder.checkpoint.read_bytes() == before


def test_resuming_with_other_settings(tmp_path):
    folder = run(tmp_path / "run", minutes=0)
    before = folder.experiment_file.read_text()
    other = dataclasses.replace(SHORT["toy"], batch_size=8, seed=1)
    with pytest.raises(FeatureblendError, match="was begun with another batch_size, seed: resume with the same"):
        train(other, faces(), tmp_path / "run", resume=True, quiet=True)
    assert folder.experiment_file.read_text() == before
    described = dataclasses.replace(SHORT["toy"], description="said in other words")
    train(described, faces(), tmp_path / "run", resume=True, minutes=0, quiet=True)


def test_resuming_on_other_data(tmp_path):
    run(tmp_path / "run", minutes=0)
    with pytest.raises(FeatureblendError, match="begun on other data: resume it with the same prepared faces"):
        train(SHORT["toy"], faces(count=200), tmp_path / "run", resume=True, quiet=True)


CORRUPTIONS = {
    "cut off": lambda path: path.write_bytes(path.read_bytes()[:1000]),
    "text": lambda path: path.write_text("no checkpoint"),
    "empty": lambda path: path.write_bytes(b""),
    "other content": lambda path: torch.save({"weights": torch.zeros(3)}, path),
}


def test_damaged_checkpoint(tmp_path, subtests):
    folder = run(tmp_path / "run", minutes=0)
    whole = folder.checkpoint.read_bytes()
    for name, damage in CORRUPTIONS.items():
        folder.checkpoint.write_bytes(whole)
        damage(folder.checkpoint)
        with subtests.test(name), pytest.raises(FeatureblendError, match=r"cannot read .*checkpoint\.pt: "):
            run(tmp_path / "run", resume=True)


def test_a_checkpoint_runs_no_code(tmp_path):
    class Trap:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "trapped"),))

    folder = run(tmp_path / "run", minutes=0)
    torch.save({**folder.load(), "clock": Trap()}, folder.checkpoint)
    with pytest.raises(FeatureblendError, match="damaged"):
        folder.load()
    assert not (tmp_path / "trapped").exists()


def test_nothing_is_written_for_what_cannot_be_trained(tmp_path):
    wrong = dataclasses.replace(SHORT["toy"], model_options={"image_size": 30})
    large = dataclasses.replace(SHORT["toy"], discriminator_options={})
    for experiment, data, message in (
        (wrong, faces(), "image_size 30 must be a multiple"),
        (dataclasses.replace(SHORT["toy"], adversarial="lsgan"), faces(), "adversarial is 'lsgan'"),
        (SHORT["toy"], faces().split("test"), "no faces of the train split"),
        (large, faces(), "128 px and the autoencoder makes 32 px"),
    ):
        with pytest.raises(FeatureblendError, match=message):
            train(experiment, data, tmp_path / "run", quiet=True)
        assert not (tmp_path / "run").exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(FeatureblendError, match="cannot write"):
        run(tmp_path / "file" / "run")


def test_data_without_people_to_measure_on_are_told_before_the_first_step(tmp_path, capsys):
    data = faces().split("train")
    for quiet in (True, False):
        seen = []
        settings = {"quiet": quiet, "minutes": 0, "tick_seconds": 0}
        run_of = tmp_path / f"run{quiet}"
        train(SHORT["toy"], data, run_of, watch=lambda *_, seen=seen: seen.append(capsys.readouterr().err), **settings)
        assert seen[0].startswith("featureblend: warning: no faces for validation and test (")
    train(SHORT["toy"], faces(), tmp_path / "other", quiet=True, minutes=0)
    assert "warning" not in capsys.readouterr().err


def test_folders_that_are_no_runs(tmp_path):
    folder = RunFolder(tmp_path)
    with pytest.raises(FeatureblendError, match=r"is no run folder: experiment\.json is missing"):
        folder.experiment()
    with pytest.raises(FeatureblendError, match="holds no checkpoint"):
        folder.load()
    with pytest.raises(FeatureblendError, match="is no run folder"):
        folder.data_path()
    folder.begin(SHORT["toy"])
    with pytest.raises(FeatureblendError, match="does not say which faces"):
        folder.data_path()
    (tmp_path / "experiment.json").write_text("{")
    with pytest.raises(FeatureblendError, match="not JSON"):
        folder.experiment()
    with pytest.raises(FeatureblendError, match="holds no checkpoint"):
        run(tmp_path / "new", init=tmp_path)
    assert not (tmp_path / "new").exists()


# --- going on from others


def test_init_starts_from_averaged_weights(tmp_path):
    first = run(tmp_path / "first")
    second = run(tmp_path / "second", init=tmp_path / "first", minutes=0)
    start, made = first.load(), second.load()
    assert made["started_from"] == "first"
    assert made["clock"]["step"] == 1
    # One step of a warm-up's learning rate moves a weight by at most about that.
    for name, weights in (("autoencoder", start["ema"]), ("discriminator", start["networks"]["discriminator"])):
        for key, value in weights.items():
            assert float((made["networks"][name][key] - value).abs().max()) < 2e-5, key
    assert run(tmp_path / "second", resume=True).load()["started_from"] == "first"  # remembered


def test_init_from_other_sizes(tmp_path):
    run(tmp_path / "first", minutes=0)
    wider = dataclasses.replace(SHORT["toy"], model_options={**TOY.model_options, "widths": (16, 96)})
    with pytest.raises(FeatureblendError, match=r"first has other networks than this preset: only [\d,]+ of"):
        train(wider, faces(), tmp_path / "second", init=tmp_path / "first", quiet=True)


def test_runs_of_the_first_format_go_on(tmp_path):
    """Checkpoints that lack what came later: how long closing takes, hardware, origin; settings likewise."""
    unbroken = run(tmp_path / "unbroken")
    old = run(tmp_path / "old", minutes=0)
    state = old.load()
    del state["clock"]["closing"], state["hardware"], state["started_from"]
    torch.save(state, old.checkpoint)
    values = json.loads(old.experiment_file.read_text())
    del values["even_blends"]
    old.experiment_file.write_text(json.dumps(values))
    old.data_file.unlink(missing_ok=True)
    same(unbroken, run(tmp_path / "old", resume=True))
