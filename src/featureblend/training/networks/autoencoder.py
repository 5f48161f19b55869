"""Every network by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ...io.settings import from_dict
from ...io.tables import check_choice
from .hierarchical import HierarchicalAutoencoder, HierarchicalConfig
from .latent_critic import LatentDiscriminator, LatentDiscriminatorConfig
from .modern import ModernAutoencoder, ModernConfig, ModernDiscriminator, ModernDiscriminatorConfig
from .paper import PaperAutoencoder, PaperConfig, PaperDiscriminator, PaperDiscriminatorConfig


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
    check_choice(name, "network", kinds)
    entry = kinds[name]
    return entry.network(from_dict(entry.config, dict(options or {}), "model options"))


def channels_last(model: nn.Module) -> nn.Module:
    """Lay convolution weights out as CPUs' and GPUs' matrix units like them; the values stay."""
    return model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
