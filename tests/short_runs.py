"""Runs of a few steps, for tests: training them, and comparing two bit for bit."""

import dataclasses

import pytest
import torch
from training_faces import PAPER, TOY, faces

from featureblend.training import loop
from featureblend.training.loop import train
from featureblend.training.state import RunFolder

SHORT = {"toy": dataclasses.replace(TOY, images=16 * 8), "paper": dataclasses.replace(PAPER, images=4 * 5)}
TIMES = ("seconds", "images_per_second")


@pytest.fixture(scope="module", autouse=True)
def no_curves():
    """For modules that import it: runs draw no curves, which takes longer than a few steps."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "draw_curves", lambda history, path: None)
        yield


def run(folder, name="toy", of=None, **settings):
    """Train one of the short experiments."""
    return RunFolder(train(SHORT[name], of or faces(), folder, quiet=True, **settings))


def flat(value, where=""):
    """Every number of a checkpoint by its place in it."""
    if isinstance(value, dict):
        return {key: part for name in value for key, part in flat(value[name], f"{where}/{name}").items()}
    if isinstance(value, (list, tuple)):
        return {key: part for index, item in enumerate(value) for key, part in flat(item, f"{where}/{index}").items()}
    return {where: value}


def same(folder, other):
    """Assert that two runs ended with the same bits and the same log, times apart."""
    one, two = flat(folder.load()), flat(other.load())
    assert set(one) == set(two)
    for key in set(one) - {"/clock/seconds", "/clock/closing"}:
        if isinstance(one[key], torch.Tensor):
            assert torch.equal(one[key], two[key]), key
        else:
            assert one[key] == two[key], key
    logs = [
        [{name: value for name, value in line.items() if name not in TIMES} for line in each.history()]
        for each in (folder, other)
    ]
    assert logs[0] == logs[1]
    return logs[0]
