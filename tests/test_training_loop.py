"""Runs on disk: bit-for-bit resuming, the log and the pictures, slices of time, Ctrl-C."""

import dataclasses
import itertools
import json
import signal
import threading
import time

import pytest
import torch
from PIL import Image
from short_runs import SHORT, run, same
from training_faces import TOY, faces

from featureblend.training import loop, trainer
from featureblend.training.loop import train
from featureblend.training.state import RunFolder

CURVES, STEP = loop.draw_curves, trainer.Trainer.step


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """A line a step, and no curves."""
    monkeypatch.setattr(loop, "TICK_SECONDS", -1)
    monkeypatch.setattr(loop, "draw_curves", lambda history, path: None)


@pytest.mark.parametrize("name", SHORT)
def test_stopped_and_resumed_is_the_unbroken_run_bit_for_bit(name, tmp_path):
    unbroken = run(tmp_path / "unbroken", name)
    torch.manual_seed(123)  # no random state is carried over
    for _ in range(3):
        stopped = run(tmp_path / "stopped", name, minutes=0, resume=True)
    assert stopped.load()["clock"]["step"] == 3
    resumed = run(tmp_path / "stopped", name, resume=True)
    log = same(unbroken, resumed)
    steps = SHORT[name].images // SHORT[name].batch_size
    assert [line["step"] for line in log] == list(range(1, steps + 1))
    assert log[0] != log[1]


def test_a_killed_run_repeats_what_was_not_saved(tmp_path):
    unbroken = run(tmp_path / "unbroken")
    killed = run(tmp_path / "killed", minutes=0)
    with open(killed.metrics, "a") as stream:  # steps after the checkpoint, the last line cut off
        stream.write('{"step": 2, "images": 32, "l1": 9.0}\n{"step": 3, "ima')
    same(unbroken, run(tmp_path / "killed", resume=True))


def test_a_finished_run_is_left_alone(tmp_path):
    first = run(tmp_path / "run")
    before = {path: path.read_bytes() for path in (first.checkpoint, first.metrics)}
    again = run(tmp_path / "run", resume=True)
    assert {path: path.read_bytes() for path in (again.checkpoint, again.metrics)} == before


def test_log_and_run_folder(tmp_path):
    folder = run(tmp_path / "new" / "run", data="faces.tar")
    lines = folder.history()
    assert {"step", "images", "seconds", "images_per_second", "ramp", "validation_psnr", "loss_joint"} <= set(lines[0])
    assert [line["images"] for line in lines] == [16 * step for step in range(1, 9)]
    for before, line in itertools.pairwise(lines):
        assert 0 < line["images_per_second"] < 1e5
        assert line["seconds"] >= before["seconds"]
    assert folder.experiment() == SHORT["toy"]
    assert folder.data_path() == (type(folder.path)("faces.tar")).absolute()
    assert json.loads(folder.data_file.read_text())["sha256"] == faces().identity
    state = folder.load()
    assert "cores" in state["hardware"] or torch.cuda.is_available()
    assert state["started_from"] == ""
    assert not [path for path in folder.path.iterdir() if path.name.startswith(".")]  # nothing temporary


def test_speed_is_what_the_clock_says(tmp_path, monkeypatch):
    def slow(self):
        time.sleep(0.1)
        return STEP(self)

    monkeypatch.setattr(trainer.Trainer, "step", slow)
    lines = run(tmp_path / "run").history()
    assert all(line["images_per_second"] <= 160 for line in lines)
    assert lines[-1]["seconds"] >= 0.8 - 0.05  # scoring and saving are not counted
    assert sum(16 / line["images_per_second"] for line in lines) == pytest.approx(lines[-1]["seconds"], abs=0.2)


def test_means_are_over_the_steps_that_report(tmp_path, monkeypatch):
    """The gradient penalty is done every 4 steps; its mean is over those."""
    every_step = run(tmp_path / "each").history()
    monkeypatch.setattr(loop, "TICK_SECONDS", 1e9)
    lines = run(tmp_path / "few").history()
    assert [line["step"] for line in lines] == [1, 8]
    for name in ("gradient_penalty", "loss_joint", "l1"):
        values = [line[name] for line in every_step[1:] if name in line]
        assert lines[1][name] == pytest.approx(sum(values) / len(values), abs=1e-5)
    assert len([line for line in every_step if "gradient_penalty" in line]) == 2


def test_grid_and_curves_are_pictures(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "draw_curves", CURVES)
    folder = run(tmp_path / "run")
    grids = sorted(folder.samples.iterdir())
    assert [path.name for path in grids] == ["000000016.jpg", "000000128.jpg"]
    shown = min(32, int((faces().splits == "validation").sum()))
    rows = 3 * -(-shown // 16)
    for path in grids:
        with Image.open(path) as grid:
            grid.load()
            assert grid.size == (16 * (32 + 2) - 2, rows * (32 + 2) - 2)
            assert min(high - low for low, high in grid.getextrema()) > 100
    with Image.open(folder.path / "curves.png") as curves:
        curves.load()
        assert curves.format == "PNG"
        names = {name for line in folder.history() for name in line} - {"step", "images", "seconds"}
        assert curves.size == (4 * 4 * 80, round(2.4 * -(-len(names) // 4) * 80))


# --- time


class FakeTime:
    """A clock that moves only when told to."""

    now = 1000.0

    def monotonic(self):
        return self.now

    process_time = monotonic

    def takes(self, seconds, done):
        def timed(*arguments):
            self.now += seconds
            return done(*arguments)

        return timed


def test_minutes_end_within_the_slice(tmp_path, monkeypatch):
    """With room for the last step and for saving: a machine that is there for minutes only is gone after them."""
    clock = FakeTime()
    monkeypatch.setattr(loop, "time", clock)
    monkeypatch.setattr(loop, "TICK_SECONDS", 15.0)
    monkeypatch.setattr(trainer.Trainer, "step", clock.takes(0.4, STEP))
    monkeypatch.setattr(RunFolder, "save", clock.takes(1.5, RunFolder.save))
    endless = dataclasses.replace(TOY, images=10**9)
    steps = 0
    # The second slice saves only once, at its end: the checkpoint says how long that takes.
    for saves in (2, 1):
        begin = clock.now
        folder = RunFolder(train(endless, faces(), tmp_path / "run", minutes=8 / 60, resume=True, quiet=True))
        assert 8 - 0.4 - 0.01 <= clock.now - begin <= 8
        steps += round((clock.now - begin - saves * 1.5) / 0.4)
        assert folder.load()["clock"]["step"] == folder.history()[-1]["step"] == steps
    assert folder.load()["clock"]["closing"] == pytest.approx(1.5)
    assert folder.load()["clock"]["seconds"] == pytest.approx(0.4 * steps)


def test_a_slow_step_leaves_more_room(tmp_path, monkeypatch):
    clock = FakeTime()
    monkeypatch.setattr(loop, "time", clock)
    monkeypatch.setattr(loop, "TICK_SECONDS", 1e9)

    def uneven(self):
        clock.now += 2.0 if self.clock.step == 3 else 0.1
        return STEP(self)

    monkeypatch.setattr(trainer.Trainer, "step", uneven)
    endless = dataclasses.replace(TOY, images=10**9)
    folder = RunFolder(train(endless, faces(), tmp_path / "run", minutes=5 / 60, quiet=True))
    assert 2 < folder.load()["clock"]["seconds"] <= 5 - 2 + 0.1  # the next might take as long


# --- Ctrl-C


def interrupting(monkeypatch, at, times=1):
    """Send Ctrl-C in the middle of a step."""

    def interrupted(self):
        logged = STEP(self)
        if self.clock.step == at:
            for _ in range(times):
                signal.raise_signal(signal.SIGINT)
        return logged

    monkeypatch.setattr(trainer.Trainer, "step", interrupted)


def test_ctrl_c_saves_and_says_how_to_go_on(tmp_path, monkeypatch):
    unbroken = run(tmp_path / "unbroken")
    handler = signal.getsignal(signal.SIGINT)
    interrupting(monkeypatch, at=3)
    with pytest.raises(KeyboardInterrupt, match=r"stopped after 48 images and saved in .*: go on with --resume"):
        run(tmp_path / "stopped")
    assert signal.getsignal(signal.SIGINT) is handler
    assert RunFolder(tmp_path / "stopped").load()["clock"]["step"] == 3
    monkeypatch.setattr(trainer.Trainer, "step", STEP)
    same(unbroken, run(tmp_path / "stopped", resume=True))


def test_a_second_ctrl_c_ends_at_once(tmp_path, monkeypatch):
    handler = signal.getsignal(signal.SIGINT)
    interrupting(monkeypatch, at=3, times=2)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "stopped")
    assert signal.getsignal(signal.SIGINT) is handler
    assert RunFolder(tmp_path / "stopped").load()["clock"]["step"] == 1  # the checkpoint before


def test_training_in_a_thread(tmp_path):
    """Where no signal can be caught."""
    thread = threading.Thread(target=run, args=(tmp_path / "run",))
    thread.start()
    thread.join()
    assert RunFolder(tmp_path / "run").load()["clock"]["step"] == 8
