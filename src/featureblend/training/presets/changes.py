"""Presets with something changed: single settings, another image size, or a size that trains in seconds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ...errors import FeatureblendError
from ...io.files import parse_json
from ...io.settings import from_dict, to_dict
from ..experiment import Experiment


def resized(experiment: Experiment, image_size: int, width: float | None = None) -> Experiment:
    """One of the paper's experiments at another image size, such as 128 px for aligned faces.

    Below 250 px the paper's convolutions keep the sizes of their maps (``padding="same"``), or too little of an image
    would be left; the divergence's weight, which counts numbers of an image, stays what it is.

    Parameters
    ----------
    experiment : Experiment
        Of the paper's networks.
    image_size : int
        Side in pixels; for VGG11 32 or more.
    width : float, optional
        Channels over the tables'; unchanged if left out.

    Returns
    -------
    Experiment

    Raises
    ------
    FeatureblendError
        If the networks are not the paper's.

    Examples
    --------
    >>> from featureblend.training.presets import preset
    >>> resized(preset("paper-vae"), 128).model_options["padding"]
    'same'
    """
    if experiment.model != "paper" or experiment.discriminator not in ("", "paper"):
        raise FeatureblendError(f"{experiment.name} is no preset of the paper's: only those can be resized")
    change: dict[str, Any] = {"image_size": image_size, "padding": "paper" if image_size >= 250 else "same"}
    if width is not None:
        change["width"] = width
    return replace(
        experiment,
        model_options={**experiment.model_options, **change},
        discriminator_options={**experiment.discriminator_options, **change} if experiment.discriminator else {},
    )


def quick(experiment: Experiment, images: int = 640) -> Experiment:
    """One of the paper's experiments at a size that trains in seconds, to try its machinery and show its flaw.

    64 px, half the channels (VGG an eighth), a tenth of the latent, 16 images a step; the Wasserstein critic makes at
    most 6 updates a step at first, and then 2. Weights files are done without: see `Experiment.from_scratch`.

    Parameters
    ----------
    experiment : Experiment
        Of the paper's networks.
    images : int
        Images after which training is complete.

    Returns
    -------
    Experiment

    Raises
    ------
    FeatureblendError
        If the networks are not the paper's.

    Examples
    --------
    >>> from featureblend.training.presets import preset
    >>> small = quick(preset("paper-ae-2000"))
    >>> small.model_options["image_size"], small.model_options["latent_dim"], small.images
    (64, 200, 640)
    """
    vgg = str(experiment.model_options.get("encoder", "paper")).startswith("vgg")
    width = float(experiment.model_options.get("width", 1.0)) * (1 / 8 if vgg else 1 / 2)
    small = resized(experiment, 64, width)
    options = dict(small.model_options)
    for name, usual in (("latent_dim", 200), ("feature_dim", 2000)):
        value = options.get(name, usual)
        options[name] = None if value is None else max(1, value // 10)
    latent_critic = {"widths": (100, 100)} if experiment.losses.prior else {}
    perceptual = {"name": "vgg11", "width": 1 / 4} if experiment.losses.perceptual else {}
    phases = tuple(
        replace(
            phase,
            times=min(phase.times, 2),
            first_times=min(phase.first_times, 6),
            first_steps=min(phase.first_steps, 3),
        )
        for phase in experiment.phases
    )
    return replace(
        small,
        model_options=options,
        latent_discriminator_options=latent_critic,
        perceptual_options=perceptual,
        from_scratch=vgg or bool(perceptual),
        vgg_weights="",
        phases=phases,
        batch_size=16,
        images=images,
    )


def overridden(experiment: Experiment, settings: Sequence[str]) -> Experiment:
    """Change single settings, as ``featureblend train --set`` does.

    Parameters
    ----------
    experiment : Experiment
    settings : sequence of str
        ``NAME=VALUE``, values as in JSON (or bare words for text). A dot leads into `losses`, `model_options` and
        `discriminator_options`, whose names are checked when the network is built.

    Returns
    -------
    Experiment

    Raises
    ------
    FeatureblendError
        If a setting is not there or its value is of another kind.

    Examples
    --------
    >>> from featureblend.training.presets import preset
    >>> changed = overridden(preset("toy"), ["batch_size=8", "losses.kl=0.5", "model_options.global_dim=0"])
    >>> changed.batch_size, changed.losses.kl, changed.model_options["global_dim"]
    (8, 0.5, 0)
    """
    values = to_dict(experiment)
    for setting in settings:
        name, equals, text = setting.partition("=")
        *outer, last = name.split(".")
        place: Any = values
        for part in outer:
            place = place.get(part) if isinstance(place, dict) else None
        free = outer in (["model_options"], ["discriminator_options"])
        if not equals or not isinstance(place, dict) or not (last in place or free) or last == "phases":
            raise FeatureblendError(f"cannot set {setting!r}: use NAME=VALUE, such as batch_size=16 or losses.kl=0.1")
        place[last] = _like(place.get(last), text, setting)
    return from_dict(Experiment, values, "--set")


def _like(before: Any, text: str, setting: str) -> Any:
    """Read a value of the kind that was there before."""
    try:
        value = parse_json(text)
    except ValueError:
        value = text
    if isinstance(before, str):
        value = text
    elif isinstance(before, float) and type(value) is int:
        value = float(value)
    elif isinstance(before, int) and isinstance(value, float) and value.is_integer():  # images=1e6
        value = int(value)
    kinds = (list, tuple) if isinstance(before, (list, tuple)) else type(before)
    if before is not None and (not isinstance(value, kinds) or isinstance(value, bool) != isinstance(before, bool)):
        raise FeatureblendError(f"cannot set {setting!r}: expected a value like {json.dumps(before)}")
    return value
