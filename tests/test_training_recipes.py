"""Recipes: the bundled model's makes its very architecture, and one is followed from photos to a model folder."""

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from training_faces import TOY, faces

from featureblend.cli import main
from featureblend.errors import FeatureblendError
from featureblend.model.folder import find_model, read_model_folder
from featureblend.training import loop, staged
from featureblend.training.experiment import read_experiment
from featureblend.training.model_card import model_card
from featureblend.training.networks import AUTOENCODERS, build
from featureblend.training.presets import RECIPES, Recipe, Stage, recipe
from featureblend.training.staged import follow
from featureblend.training.starting import read_start, take_over
from featureblend.training.state import RunFolder


def shapes(weights):
    return {name: tuple(value.shape) for name, value in weights.items()}


def network(stage):
    return build(AUTOENCODERS, stage.experiment.model, stage.experiment.model_options)


def test_the_recipe_builds_the_bundled_architecture():
    """By name and shape of every parameter; what the exported networks hold besides is computed, not learned."""
    last = network(recipe("lfw-128").stages[-1])
    bundled = shapes(read_start("lfw-128")["ema"])
    assert shapes(dict(last.named_parameters())) == {
        name: shape for name, shape in bundled.items() if name not in dict(last.named_buffers())
    }


def test_the_bundled_model_says_the_command_of_its_recipe():
    config = read_model_folder(find_model("lfw-128"))
    (command,) = [
        line.strip()
        for line in (find_model("lfw-128") / "README.md").read_text(encoding="utf-8").splitlines()
        if line.startswith("    featureblend ")
    ]
    assert f"    {command}\n" in model_card(config)
    name = command.split("--recipe ")[1].split()[0]
    last = RECIPES[name].stages[-1]
    trained = read_experiment(config.experiment, "config.json")
    assert dataclasses.replace(trained, description=last.experiment.description) == last.experiment
    assert (config.training["images_seen"], config.data) == (last.images, RECIPES[name].data)


@pytest.mark.parametrize("name", RECIPES)
def test_each_stage_can_begin_where_the_one_before_ended(name):
    before = None
    names = []
    for stage in recipe(name).stages:
        made = network(stage)
        assert 0 < stage.images <= stage.experiment.images
        if before is not None:
            take_over(made, before.state_dict(), "the stage before")  # refuses networks of another kind
        assert stage.mean_with in ("", *names)
        before = made
        names.append(stage.name)
    assert len(set(names)) == len(names)


def toy(**last):
    """Two stages of a few steps and the mean of their weights, and a third that is planned for more than it sees."""
    options = (f"model_options={json.dumps(TOY.model_options)}", "batch_size=16")
    return Recipe(
        "small",
        "drawn noise",
        "photos.tar",
        (
            Stage("one", "toy", (*options, "images=32")),
            Stage("two", "toy", (*options, "images=32"), mean_with="one"),
            Stage("three", "toy", (*options, "images=320"), until=48, **last),
        ),
    )


@pytest.fixture
def prepared(tmp_path, monkeypatch):
    """A folder with a shard, which `read_faces` knows; and what was exported."""
    (tmp_path / "faces").mkdir()
    (tmp_path / "faces" / "photos.tar").touch()
    for drawing in ("draw_curves", "draw_samples"):
        monkeypatch.setattr(loop, drawing, lambda *given: None)
    monkeypatch.setattr(staged, "read_faces", lambda path, stream: faces())
    done = []
    monkeypatch.setattr(staged, "export_model", lambda *given, **named: done.append((*given[:2], named)))
    return tmp_path / "faces", done


def test_a_recipe_is_followed_in_slices_and_ends_as_in_one_go(prepared, tmp_path):
    data, exported = prepared
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert follow(toy(), data, whole, quiet=True) == whole / "model"
    calls = 0
    while follow(toy(), data, parts, minutes=0, resume=calls > 0, quiet=True) != parts / "model":
        calls += 1
        assert calls < 20
    assert calls == 2 + 2 + 3 - 1  # a slice without time is one step
    one, two, three = (RunFolder(whole / name).load() for name in ("one", "two", "three"))
    assert [state["clock"]["step"] for state in (one, two, three)] == [2, 2, 3]
    mean = RunFolder(whole / "two-mean").load()
    for name, value in mean["ema"].items():
        torch.testing.assert_close(value, (one["ema"][name] + two["ema"][name]) / 2)
    assert three["started_from"] == "two-mean"
    for name in ("two", "three"):
        again = RunFolder(parts / name).load()
        assert all(
            torch.equal(value, again["ema"][key]) for key, value in RunFolder(whole / name).load()["ema"].items()
        )
    for run, out, named in exported:
        assert (Path(run).name, Path(out).name) == ("three", "model")
        assert (named["name"], named["recipe"], named["data"]) == ("small", "small", "drawn noise")
    with pytest.raises(FeatureblendError, match="add --resume"):
        follow(toy(), data, whole, quiet=True)


def test_a_missing_shard_is_named_before_anything_is_trained(prepared, tmp_path):
    with pytest.raises(FeatureblendError, match=r"drawn\.tar"):
        follow(toy(shard="drawn.tar"), prepared[0], tmp_path / "run", quiet=True)
    assert not (tmp_path / "run").exists()


def test_the_command(capsys):
    main(["train", "--recipe", "lfw-128", "--dry-run"])
    stages = json.loads(capsys.readouterr().out)
    assert [stage["stage"] for stage in stages] == [stage.name for stage in recipe("lfw-128").stages]
    for words, said in (
        (["lfw-128", "--set", "images=9"], "leave out --set"),
        (["lfw-128"], "--data or --run is missing"),
        (["lfw-128", "--data", "faces", "--run", "runs/x"], "no such prepared faces"),
        (["lfw-129"], "unknown recipe 'lfw-129': use one of lfw-128"),
    ):
        with pytest.raises(SystemExit) as stop:
            main(["train", "--recipe", *words])
        assert stop.value.code == 2
        assert said in capsys.readouterr().err
