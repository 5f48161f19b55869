"""The model card: training data, measured quality, limits."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Any

from ..errors import FeatureblendError
from ..io.settings import to_dict
from ..model.folder import ModelConfig, bundled_models
from .experiment import read_experiment
from .presets import PRESETS, overridden

FIGURES = {
    "faces": "held-out faces (people never trained on)",
    "psnr": "PSNR of reconstructions, dB",
    "psnr_mean_face": "PSNR of predicting the mean face, dB",
    "ssim": "SSIM of reconstructions",
    "sharpness": "sharpness of reconstructions, real = 1",
    "blend_sharpness": "sharpness of halfway blends, real = 1",
    "onnx_largest_difference": "largest pixel difference between ONNX and torch, of 255",
}
"""What each key of `ModelConfig.metrics` means."""

_LFW = """\
- Trained on press photos of public figures: mostly men, mostly white, mostly aged 30 to 60. It reconstructs other
  people worse, and its blends drift towards the faces it saw most.
"""
_OTHER = """\
- It reconstructs people unlike those it was trained on worse, and its blends drift towards the faces it saw most.
"""


def model_card(config: ModelConfig) -> str:
    """Write the card of a model in Markdown, from its settings alone.

    Parameters
    ----------
    config : ModelConfig

    Returns
    -------
    str
    """
    training, experiment = config.training, config.experiment
    limits = _LFW if "LFW" in config.data else _OTHER
    return f"""# {config.name}

An autoencoder of {config.image_size} x {config.image_size} px faces, made for blending: the decoded weighted mean of
several faces' latents ({config.latent_dim} numbers each) is the blend. Weights: {config.licence} licence.

## Training

{_training(experiment, training, config.data)}
{_repeat(experiment, training)}
{_measured(config.metrics)}
## Limits

- Faces only, one at a time, seen roughly from the front; glasses, hands, microphones and hats blend badly.
{limits}- A blend is a synthetic picture. It must not be used to impersonate anyone, or to pass identity checks.
- The faces were found and aligned with MediaPipe's BlazeFace and Face Mesh.
"""


def _measured(metrics: Mapping[str, Any]) -> str:
    rows = "".join(
        f"| {FIGURES.get(key, key)} | {'not finite' if value is None else value} |\n" for key, value in metrics.items()
    )
    if "faces" in metrics:
        return f"## Measured, on people of the test split\n\n| | |\n|---|---|\n{rows}"
    why = "Nobody knows how good this model is: its data had no faces of the test split, people it was not trained on."
    return f"## Not measured\n\n{why}\n\n| | |\n|---|---|\n{rows}"


def _training(experiment: dict[str, Any], training: dict[str, Any], data: str) -> str:
    before, mean, torch = training.get("started_from"), training.get("averaged_with"), training.get("torch") or "?"
    lines = [
        f"Preset: `{experiment.get('name', '?')}`, seed {experiment.get('seed', '?')}.",
        f"{training.get('images_seen', 0):,} images of {experiment.get('images', 0):,} planned, "
        f"in {training.get('steps', 0):,} steps of {experiment.get('batch_size', '?')}.",
        f"{training.get('minutes', 0)} minutes on {training.get('hardware', '?')}, torch {torch}.",
        f"Data: {data or 'not described'} (SHA-256 over the prepared shards: "
        f"`{training.get('data_sha256', '?')[:16]}...`).",
        *([f"It started from the weights of another run: `{before}`."] if before else []),
        *([f"The weights here are the mean of its own and those of the run `{mean}`."] if mean else []),
        *([_of_the_cleaner(training["cleaner"])] if training.get("cleaner") else []),
    ]
    return "".join(f"- {line}\n" for line in lines)


def _of_the_cleaner(training: dict[str, Any]) -> str:
    return (
        f"The cleaner is that of the run `{training['run']}` (preset `{training['experiment']['name']}`, "
        f"{training['images_seen']:,} images, {training['minutes']} minutes on {training['hardware']})."
    )


def _repeat(experiment: dict[str, Any], training: dict[str, Any]) -> str:
    if name := training.get("recipe"):
        return f"The same training again, all stages:\n\n    {recipe_command(name)}\n"
    cleaner = training.get("cleaner")
    runs = [(experiment, training), *([(cleaner["experiment"], cleaner)] if cleaner else [])]
    commands = [training_command(one, facts.get("started_from", "")) for one, facts in runs]
    if None in commands:
        return "Its settings are no preset's; config.json holds all of them.\n"
    return "The same training again:\n\n" + "".join(f"    {command}\n" for command in commands)


def recipe_command(name: str) -> str:
    """The command that follows a recipe.

    Examples
    --------
    >>> recipe_command("lfw-128")
    'featureblend train --recipe lfw-128 --data faces --run runs/lfw-128'
    """
    return shlex.join(["featureblend", "train", "--recipe", name, "--data", "faces", "--run", f"runs/{name}"])


def training_command(experiment: dict[str, Any], started_from: str = "") -> str | None:
    """The command that repeats the training.

    Parameters
    ----------
    experiment : dict
        As `featureblend.io.settings.to_dict` gives an `Experiment`.
    started_from : str
        The run whose weights it started from, if any.

    Returns
    -------
    str or None
        None where ``--set`` on a preset of this version can't express it.

    Examples
    --------
    >>> training_command(to_dict(PRESETS["toy"]) | {"seed": 3})
    'featureblend train --preset toy --data faces.tar --run runs/toy --set seed=3'
    """
    try:
        wanted = read_experiment(json.loads(json.dumps(experiment)), "config.json")
        settings = _differences(to_dict(PRESETS[wanted.name]), to_dict(wanted))
        # The only proof that the settings say all: the preset with them is the experiment.
        made = overridden(PRESETS[wanted.name], settings)
    except (FeatureblendError, KeyError):
        return None
    if to_dict(made) | {"description": ""} != to_dict(wanted) | {"description": ""}:
        return None
    words = ["featureblend", "train", "--preset", wanted.name, "--data", "faces.tar", "--run", f"runs/{wanted.name}"]
    if started_from:
        words += ["--init", started_from if started_from in bundled_models() else f"runs/{started_from}"]
    words += ["--set", *settings] if settings else []
    return shlex.join(words)


def _differences(before: dict[str, Any], after: dict[str, Any], prefix: str = "") -> list[str]:
    settings = []
    for name, value in after.items():
        if value == before.get(name) or prefix + name == "description":
            continue
        if isinstance(value, dict) and isinstance(before.get(name), dict):
            settings += _differences(before[name], value, f"{prefix}{name}.")
        else:
            text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
            settings.append(f"{prefix}{name}={text}")
    return settings
