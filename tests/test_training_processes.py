"""Two processes under torchrun train what one process trains, though one of them is killed on the way."""

import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.distributed.run import parse_args
from torchrun_script import EXPERIMENT, faces

from featureblend.cli.commands import COMMANDS
from featureblend.cli.options import parse
from featureblend.training import loop
from featureblend.training.state import RunFolder

SCRIPT = Path(__file__).parent / "torchrun_script.py"
PAGE = SCRIPT.parents[1] / "docs" / "how-to" / "cluster.md"


def difference(one, two):
    """Length of the difference between two networks' weights, over the length of the first's."""
    pairs = [(one[key].double(), two[key].double()) for key in one]
    squares = [((a - b).square().sum(), a.square().sum()) for a, b in pairs]
    return float((sum(part for part, _ in squares) / sum(part for _, part in squares)).sqrt())


def test_two_processes_train_what_one_does(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "TICK_SECONDS", -1)
    monkeypatch.setattr(loop, "draw_curves", lambda history, path: None)
    start = {name: network.state_dict() for name, network in loop.Trainer(EXPERIMENT, faces()).networks.named().items()}
    one = RunFolder(loop.train(EXPERIMENT, faces(), tmp_path / "one", quiet=True))

    # What `accelerate config` left in the environment must not decide the precision.
    environment = {
        **os.environ,
        "ACCELERATE_MIXED_PRECISION": "bf16",
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
    }
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    done = subprocess.run([*command, str(SCRIPT), str(tmp_path)], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    # The one that was killed took the other with it.
    ended = [int((tmp_path / f"ended-{rank}.txt").read_text()) for rank in range(2)]
    assert ended[0] != 0
    assert os.WTERMSIG(ended[1]) == signal.SIGKILL
    two = RunFolder(tmp_path / "run")

    a, b = one.load(), two.load()
    for name, before in start.items():
        moved = difference(before, a["networks"][name])
        assert moved > 1e-4, name
        assert difference(a["networks"][name], b["networks"][name]) < 0.02 * moved, name
    for line, other in zip(one.history(), two.history(), strict=True):
        assert set(line) == set(other)
        for name in set(line) - {"seconds", "images_per_second"}:
            assert other[name] == pytest.approx(line[name], rel=1e-4, abs=1e-4), (line["step"], name)
    assert [line["step"] for line in two.history()] == [1, 2, 3, 4, 5]
    for rank in range(2):
        assert "processes see different runs" in (tmp_path / f"refused-{rank}.txt").read_text()

    # The slice of time ended both at the same step, with the same weights.
    states = [torch.load(tmp_path / f"process-{rank}-of-2.pt") for rank in range(2)]
    assert 7 <= states[0]["step"] == states[1]["step"] <= 10
    for name in ("autoencoder", "discriminator"):
        for key, value in states[0][name].items():
            assert torch.equal(value, states[1][name][key]), key
    assert RunFolder(tmp_path / "slice").load()["clock"]["step"] == states[0]["step"]


def test_the_commands_of_the_page_are_read_as_meant():
    """torchrun takes a word such as ``--run`` for one of its own options, where it can."""
    page = PAGE.read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [shlex.split(line)[1:] for line in re.findall(r"torchrun --.*", page)]
    pod = re.search(r"command: \[torchrun, (.*)\]\n *args:\n((?: *- .*\n)*)", page)
    lines.append([*pod[1].split(", "), *re.findall(r"- (.*)\n", pod[2])])
    assert len(lines) == 3
    for words in lines:
        read = parse_args(["2" if word == "$SLURM_NNODES" else word for word in words])
        assert (read.module, read.training_script, read.training_script_args[0]) == (True, "featureblend", "train")
        parse(COMMANDS["train"], "featureblend train", read.training_script_args[1:])
