"""Initial weights of a run, from another run or from a model folder such as the bundled one."""

from __future__ import annotations

import operator
import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import FeatureblendError
from ..model.folder import find_model, read_model_folder
from .state import RunFolder

__all__ = ["read_start", "take_over"]

WRAPPER = "owner."
"""What `export` puts before the name of each weight in the exported networks."""


def read_start(source: str | os.PathLike[str]) -> dict[str, Any]:
    """Read the weights to start from.

    Parameters
    ----------
    source : path-like or str
        A run folder with a checkpoint, a model folder, or the name of a bundled model.

    Returns
    -------
    dict
        Of a checkpoint, as `RunFolder.load` gives; of a model folder ``"ema"`` and no other network.

    Raises
    ------
    FeatureblendError
        If it is neither, or damaged.

    Examples
    --------
    >>> sorted(read_start("lfw-128"))
    ['ema', 'networks']
    """
    if Path(source, "config.json").is_file() or not Path(source).is_dir():
        folder = find_model(source)
        weights: dict[str, Tensor] = {}
        for network in read_model_folder(folder).files:  # which also checks their hashes
            weights |= _exported(folder / network)
        return {"ema": weights, "networks": {}}
    return RunFolder(source).load()


def _exported(path: Path) -> dict[str, Tensor]:
    """Read the weights out of an exported network; those kept as float16 are widened."""
    import onnx
    from onnx import numpy_helper

    weights = {}
    for stored in onnx.load(str(path)).graph.initializer:
        if stored.name.startswith(WRAPPER):
            name = stored.name.removeprefix(WRAPPER).removesuffix(".float16")
            weights[name] = torch.tensor(numpy_helper.to_array(stored)).float()
    return weights


def take_over(network: nn.Module, weights: dict[str, Tensor], source: str) -> int:
    """Copy every weight with a matching name and no larger shape; the rest keeps its initial values.

    A wider layer takes a narrower one as its first channels, so that a model can be given more of them.

    Parameters
    ----------
    network : torch.nn.Module
    weights : dict
        As `torch.nn.Module.state_dict` gives.
    source : str
        Where they come from, for messages.

    Returns
    -------
    int
        How many numbers stay fresh: 0 if the networks are the same.

    Raises
    ------
    FeatureblendError
        If less than half of the network's numbers fit.

    Examples
    --------
    >>> take_over(nn.Linear(2, 3), nn.Linear(2, 3).state_dict(), "a run")
    0
    >>> take_over(nn.Linear(2, 4), nn.Linear(2, 3).state_dict(), "a run")  # one more output: two weights and a bias
    3
    """
    own = {name: value.clone() for name, value in network.state_dict().items()}  # nothing is touched if it is refused
    total, taken = sum(value.numel() for value in own.values()), 0
    for name, fresh in own.items():
        given = weights.get(name)
        if given is None or given.dim() != fresh.dim() or any(map(operator.gt, given.shape, fresh.shape)):
            continue
        fresh[tuple(slice(length) for length in given.shape)] = given
        taken += given.numel()
    if 2 * taken < total:
        raise FeatureblendError(
            f"{source} has other networks than this preset: only {taken:,} of {total:,} numbers fit; "
            "start from a run of a like preset"
        )
    network.load_state_dict(own)
    return total - taken
