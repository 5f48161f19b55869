"""Every network by name, and networks as folders: weights in safetensors, settings in JSON, no pickled code."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ...errors import FeatureblendError
from ...io.files import atomic_path
from ...io.settings import from_dict, to_dict
from .hierarchical import HierarchicalAutoencoder, HierarchicalConfig
from .latent_critic import LatentDiscriminator, LatentDiscriminatorConfig
from .modern import ModernAutoencoder, ModernConfig, ModernDiscriminator, ModernDiscriminatorConfig
from .paper import PaperAutoencoder, PaperConfig, PaperDiscriminator, PaperDiscriminatorConfig

__all__ = [
    "AUTOENCODERS",
    "DISCRIMINATORS",
    "LATENT_DISCRIMINATORS",
    "build",
    "channels_last",
    "load_autoencoder",
    "parameter_count",
    "save_autoencoder",
]


@dataclass(frozen=True)
class Entry:
    """A network and the dataclass that sizes it."""

    network: type[nn.Module]
    config: type[Any]


AUTOENCODERS: Mapping[str, Entry] = {
    "modern": Entry(ModernAutoencoder, ModernConfig),
    "hierarchical": Entry(HierarchicalAutoencoder, HierarchicalConfig),
    "paper": Entry(PaperAutoencoder, PaperConfig),
}
"""Autoencoders by the name that an experiment uses."""

DISCRIMINATORS: Mapping[str, Entry] = {
    "modern": Entry(ModernDiscriminator, ModernDiscriminatorConfig),
    "paper": Entry(PaperDiscriminator, PaperDiscriminatorConfig),
}
"""Discriminators by the name that an experiment uses."""

LATENT_DISCRIMINATORS: Mapping[str, Entry] = {"mlp": Entry(LatentDiscriminator, LatentDiscriminatorConfig)}
"""Discriminators of codes."""


def build(kinds: Mapping[str, Entry], name: str, options: Mapping[str, Any] | None = None) -> Any:
    """Make a network with fresh weights.

    Parameters
    ----------
    kinds : mapping
        `AUTOENCODERS`, `DISCRIMINATORS` or `LATENT_DISCRIMINATORS`.
    name : str
    options : mapping, optional
        Settings that differ from the defaults.

    Returns
    -------
    torch.nn.Module

    Raises
    ------
    FeatureblendError
        If there is no such network or setting.

    Examples
    --------
    >>> build(AUTOENCODERS, "modern", {"image_size": 64}).image_size
    64
    """
    if name not in kinds:
        raise FeatureblendError(f"unknown network {name!r}: use one of {', '.join(kinds)}")
    entry = kinds[name]
    return entry.network(from_dict(entry.config, dict(options or {}), "model options"))


def save_autoencoder(folder: str | os.PathLike[str], name: str, model: Any) -> Path:
    """Write ``model.safetensors`` and ``model.json``, from which `load_autoencoder` makes the same model.

    Parameters
    ----------
    folder : path-like
        Made if it is missing.
    name : str
        The model's name in `AUTOENCODERS`.
    model : torch.nn.Module

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    FeatureblendError
        If the folder cannot be written to.
    """
    from safetensors.torch import save_file

    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FeatureblendError(f"cannot write to {folder}: {error.strerror or error}") from error
    weights = {key: value.detach().cpu().contiguous() for key, value in model.state_dict().items()}
    with atomic_path(folder / "model.safetensors") as path:
        save_file(weights, str(path))
    with atomic_path(folder / "model.json") as path:
        path.write_text(json.dumps({"model": name, "options": to_dict(model.config)}, indent=2) + "\n")
    return folder


def load_autoencoder(folder: str | os.PathLike[str]) -> Any:
    """Make the model that `save_autoencoder` wrote, in evaluation mode.

    Raises
    ------
    FeatureblendError
        If a file is missing or the weights do not fit the settings.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    folder = Path(folder)
    for name in ("model.json", "model.safetensors"):
        if not (folder / name).is_file():
            raise FeatureblendError(f"{folder} is no saved model: {name} is missing")
    try:
        facts = json.loads((folder / "model.json").read_text())
        model = build(AUTOENCODERS, facts["model"], facts["options"])
        model.load_state_dict(load_file(str(folder / "model.safetensors")))
    except (ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise FeatureblendError(f"cannot load {folder}: damaged, or of another version ({error})") from error
    return model.eval()


def parameter_count(model: nn.Module) -> int:
    """Count the numbers that are learned."""
    return sum(parameter.numel() for parameter in model.parameters())


def channels_last(model: nn.Module) -> nn.Module:
    """Lay convolution weights out as CPUs' and GPUs' matrix units like them; the values stay."""
    return model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
