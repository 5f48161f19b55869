"""`torch.compile` for the networks of a run, with a clear error if there is no compiler."""

from __future__ import annotations

import importlib.util
import os
import shutil
from typing import Any

import torch

from ..errors import FeatureblendError

__all__ = ["compile_networks", "compiles"]

METHODS = ("posterior", "encode", "decode", "judge")
"""Methods that objectives call, where a network has them."""
COMPILERS = ("g++", "c++", "clang++")


def compiles(when: str, device: torch.device | str) -> bool:
    """Whether a run is compiled, as ``Experiment.compile`` and the device decide."""
    return when == "always" or (when == "cuda" and torch.device(device).type == "cuda")


def compile_networks(networks: Any, device: torch.device | str) -> None:
    """Compile the methods of networks that objectives call, in place; weights and checkpoints stay as they are.

    Each method is compiled at its first call, for the shapes of that call. Gradient penalties use the methods as they
    were: compiled ones have no second derivative.

    Parameters
    ----------
    networks : Networks
    device : torch.device

    Raises
    ------
    FeatureblendError
        If the machine lacks a compiler.
    """
    _require_compiler(torch.device(device))
    for network in networks.named().values():
        for name in METHODS:
            if hasattr(network, name):
                # An instance's attribute hides the class's method of that name.
                setattr(network, name, torch.compile(getattr(network, name), dynamic=False))


def _require_compiler(device: torch.device) -> None:
    if device.type == "cuda" and importlib.util.find_spec("triton") is None:
        raise FeatureblendError(
            "compile is set, but torch.compile needs triton on a GPU: install it, or set compile=never"
        )
    named = os.environ.get("CXX")
    if not any(shutil.which(name) for name in (*([named] if named else ()), *COMPILERS)):
        raise FeatureblendError(
            "compile is set, but torch.compile finds no C++ compiler (g++, clang++): install one, or set compile=never"
        )
