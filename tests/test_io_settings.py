"""Settings survive JSON; what does not fit is named."""

import ast
import dataclasses
import inspect
import json

import pytest

from featureblend.errors import FeatureblendError
from featureblend.faces.alignment import CropTemplate
from featureblend.io.settings import from_dict, to_dict
from featureblend.training.experiment import Experiment, LossWeights, Phase

KINDS = [CropTemplate, LossWeights, Phase, Experiment]
LEAST = {"name": "a", "description": "b", "model": "modern"}


def through_json(settings):
    return from_dict(type(settings), json.loads(json.dumps(to_dict(settings))), "run.json")


def test_tuples_in_options_survive_json():
    experiment = Experiment(**LEAST, model_options={"widths": (8, 16), "nested": {"blocks": ((1, 2), (3,))}})
    assert through_json(experiment) == experiment


def test_settings_are_frozen_and_each_is_documented():
    for kind in KINDS:
        assert kind.__dataclass_params__.frozen
        body = ast.parse(inspect.getsource(kind)).body[0].body
        fields = [place for place, line in enumerate(body) if isinstance(line, ast.AnnAssign)]
        assert len(fields) == len(dataclasses.fields(kind))
        for place in fields:
            following = body[place + 1]
            assert isinstance(following, ast.Expr), body[place].target.id
            assert isinstance(following.value.value, str)


def test_what_does_not_fit_is_named_with_the_file():
    for values, words in [
        ({"learning_rat": 1}, "Experiment has no setting 'learning_rat'"),
        ({"losses": {"l2": 1.0}}, "LossWeights has no setting 'l2'"),
        ({"losses": 3}, "expected LossWeights as named settings, not 3"),
        ({"phases": [{"objective": "blend"}]}, "learner"),
        ({"phases": 3}, "phases of Experiment must be"),
        ({"phases": ["blend"]}, "expected Phase as named settings"),
        ({"batch_size": "32"}, "batch_size of Experiment must be int, not '32'"),
        ({"batch_size": 3.5}, "batch_size of Experiment must be int"),
        ({"batch_size": True}, "batch_size of Experiment must be int"),
        ({"mirror": 1}, "mirror of Experiment must be bool"),
        ({"model_options": [1]}, "model_options of Experiment must be"),
        ({"name": None}, "name of Experiment must be str, not None"),
    ]:
        with pytest.raises(FeatureblendError) as caught:
            from_dict(Experiment, {**LEAST, **values}, "runs/a/experiment.json")
        assert words in str(caught.value)
        assert str(caught.value).startswith("runs/a/experiment.json: ")


def test_a_missing_setting_and_a_file_without_settings():
    with pytest.raises(FeatureblendError, match="model"):
        from_dict(Experiment, {"name": "a", "description": "b"}, "run.json")
    with pytest.raises(FeatureblendError, match=r"run\.json: expected CropTemplate as named settings"):
        from_dict(CropTemplate, [1, 2], "run.json")


def test_whole_numbers_do_for_fractions_and_optional_settings_may_be_null():
    assert from_dict(CropTemplate, {"eye_scale": 2}, "x").eye_scale == 2

    @dataclasses.dataclass(frozen=True)
    class Sizes:
        depth: "int | None" = 3
        template: "CropTemplate | None" = None

    assert from_dict(Sizes, {"depth": None}, "x").depth is None
    assert from_dict(Sizes, {"template": CropTemplate()}, "x").template == CropTemplate()
    with pytest.raises(FeatureblendError, match=r"depth of Sizes must be int \| None, not 'a'"):
        from_dict(Sizes, {"depth": "a"}, "x")
