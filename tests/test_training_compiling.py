"""`torch.compile`: taken where it is asked for and there is a compiler, and refused in one line where there is none."""

import dataclasses
import shutil

import pytest
import torch
from training_faces import TOY, faces

from featureblend.errors import FeatureblendError
from featureblend.training import machine
from featureblend.training.machine import compiles
from featureblend.training.trainer import Trainer


def test_when_a_run_compiles():
    assert compiles("always", "cpu")
    assert compiles("cuda", "cuda:0")
    assert not compiles("cuda", "cpu")
    assert not compiles("never", "cuda")


@pytest.fixture
def eager(monkeypatch):
    """`torch.compile` that counts and changes nothing: a real compilation takes minutes."""
    compiled, real = [], torch.compile

    def fake(function, **settings):
        compiled.append(function.__name__)
        return real(function, backend="eager", **settings)

    monkeypatch.setattr(machine.torch, "compile", fake)
    return compiled


def test_a_compiled_run_trains_as_a_plain_one(eager, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: name)
    torch._dynamo.reset()
    experiment = dataclasses.replace(TOY, gradient_penalty_every=1)  # its second derivative must bypass the compiler
    plain, other = Trainer(experiment, faces()), Trainer(dataclasses.replace(experiment, compile="always"), faces())
    assert sorted(set(eager)) == ["decode", "encode", "judge", "posterior"]
    for _ in range(2):
        expected, found = plain.step(), other.step()
    assert set(found) == set(expected)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, atol=1e-4, rtol=1e-3)
    assert set(other.state()["networks"]["autoencoder"]) == set(plain.state()["networks"]["autoencoder"])
    torch._dynamo.reset()


def test_without_a_compiler_it_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(FeatureblendError, match=r"torch.compile finds no C\+\+ compiler \(g\+\+, clang\+\+\)"):
        Trainer(dataclasses.replace(TOY, compile="always"), faces())
    monkeypatch.setattr(machine.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(FeatureblendError, match="needs triton on a GPU: install it, or set compile=never"):
        machine._require_compiler(torch.device("cuda"))
