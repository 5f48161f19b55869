"""Weights files of published networks: find them, check their hashes, load them into our networks.

Nothing is downloaded. A file counts as published where its SHA-256 is one of those listed beside the network;
any other must be vouched for by its hash, written behind its name: ``FILE#sha256=0123...``.
"""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import FeatureblendError
from ..io.files import sha256

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class WeightsFile:
    """A file of weights whose hash was checked."""

    path: str
    """Path of the file."""
    sha256: str
    """Of its bytes."""
    published: str
    """Name under which it was published; empty if the user gave the hash."""

    @property
    def label(self) -> str:
        """Short name, shown beside a figure.

        Examples
        --------
        >>> WeightsFile("a/mine.pth", "ab" * 32, "").label
        'mine.pth, sha256 abababababab, not the published file'
        """
        return self.published or f"{Path(self.path).name}, sha256 {self.sha256[:12]}, not the published file"


def find_weights(word: str, published: Mapping[str, str], what: str) -> WeightsFile:
    """Find a file and check its hash.

    Parameters
    ----------
    word : str
        ``FILE`` or ``FILE#sha256=HASH``.
    published : mapping of str to str
        Names of the published files by their SHA-256.
    what : str
        What the file should hold, for messages.

    Returns
    -------
    WeightsFile

    Raises
    ------
    FeatureblendError
        If there is no such file, its hash is not the one given, or none is given and it is not a published file.

    Examples
    --------
    >>> find_weights("nowhere.pth", {}, "LPIPS")
    Traceback (most recent call last):
    featureblend.errors.FeatureblendError: cannot read nowhere.pth: there is no such file; expected LPIPS weights
    """
    name, given, digits = word.rpartition("#sha256=")
    path = Path(name if given else word)
    if given and not re.fullmatch(r"[0-9a-fA-F]{64}", digits):
        raise FeatureblendError(f"{word}: a SHA-256 has 64 hexadecimal digits; `sha256sum {path}` prints it")
    if not path.is_file():
        raise FeatureblendError(f"cannot read {path}: there is no such file; expected {what} weights")
    try:
        found = sha256(path)
    except OSError as error:
        raise FeatureblendError(f"cannot read {path}: {error.strerror or error}") from error
    if given and found != digits.lower():
        raise FeatureblendError(f"{path} is damaged or another file: its SHA-256 is {found}, not {digits.lower()}")
    if not given and found not in published:
        raise FeatureblendError(
            f"{path} is no published file of {what} ({', '.join(published.values())}): its SHA-256 is {found}; "
            f"if it is the file you mean, give {path}#sha256={found}"
        )
    return WeightsFile(str(path), found, published.get(found, ""))


def installed_weights(name: str) -> str:
    """Find a file of weights that the package stlpips_pytorch brings.

    The package is not imported: it wants torchvision, and nothing else of it is needed.

    Parameters
    ----------
    name : str
        ``alex_shift_tolerant.pth`` or ``vgg_shift_tolerant.pth``.

    Returns
    -------
    str
        Its path; empty where the package is not installed.

    Examples
    --------
    >>> installed_weights("no such file")
    ''
    """
    spec = importlib.util.find_spec("stlpips_pytorch")
    folders = spec.submodule_search_locations or () if spec else ()
    found = (Path(folder, "weights", "vST0.0", name) for folder in folders)
    return next((str(path) for path in found if path.is_file()), "")


def read_tensors(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """Read the tensors of a file written by `torch.save`, without running code from it, or of a ``.safetensors``.

    Raises
    ------
    FeatureblendError
        If it holds no tensors by name, or torch is not installed.
    """
    try:
        import torch
    except ImportError as error:
        raise FeatureblendError(f"{path} needs torch: pip install 'featureblend[train]'") from error
    try:
        if os.fspath(path).endswith(".safetensors"):
            from safetensors.torch import load_file

            return dict(load_file(path))
        values = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle raises errors of any kind
        raise FeatureblendError(f"{path} holds no weights that torch can read") from error
    if not isinstance(values, Mapping) or not all(isinstance(value, torch.Tensor) for value in values.values()):
        raise FeatureblendError(f"{path} holds no tensors by name: expected a state dict")
    return {str(name): value for name, value in values.items()}


def fit_weights(network: nn.Module, tensors: Mapping[str, Tensor], source: str, what: str) -> None:
    """Load tensors as `load_fitting` does into a network that will learn nothing more."""
    load_fitting(network, tensors, source, what)
    network.eval().requires_grad_(False)


def load_fitting(network: nn.Module, tensors: Mapping[str, Tensor], source: str, what: str) -> None:
    """Load tensors into a network by name; others, such as the classifier's, are ignored.

    Raises
    ------
    FeatureblendError
        If one is missing or has another shape.
    """
    due = {name: value for name, value in network.state_dict().items() if not name.endswith("num_batches_tracked")}
    for name, value in due.items():
        if name not in tensors:
            raise FeatureblendError(f"{source} holds no {what}: {name} is missing")
        if tensors[name].shape != value.shape:
            raise FeatureblendError(
                f"{source} holds no {what}: {name} is {tuple(tensors[name].shape)}, not {tuple(value.shape)}"
            )
    network.load_state_dict({name: tensors[name].float() for name in due}, strict=False)
