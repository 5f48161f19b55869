"""The model folder, the contract between the halves: ONNX networks and what is needed to use them.

    encoder.onnx   images (B, 3, S, S) float32 in [-1, 1]  ->  latent (B, D) float32
    decoder.onnx   latent (B, D) float32  ->  images (B, 3, S, S) float32, about [-1, 1]
    cleaner.onnx   images as the encoder's  ->  cleaned, the same without their damage, and damage (B, 2) float32 in
                   [0, 1]: how far that of light and that of texture was removed
                   (`featureblend.training.networks.cleaning`); for photos, before the encoder; only of models that
                   have one
    config.json    sizes, crop template, training, data, licence, measured figures, and each file's hash
    README.md      the model card

`featureblend.training.export` writes it; `featureblend.blend.blender` reads it. Weights are stored in half precision.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..errors import FeatureblendError
from ..faces.alignment import CropTemplate
from ..io.files import as_path, parse_json, sha256
from ..io.settings import from_dict

FORMAT = 1
"""Raised when a folder written before can no longer be read."""

CLEANER = "cleaner.onnx"
"""The network that restores photos, of models that have one."""

BUNDLED = Path(__file__).parent / "pretrained"
"""Where the models that come with the package lie, a folder each."""

DEFAULT_MODEL = "lfw-128"
"""The bundled model that is used when none is named."""


@dataclass(frozen=True)
class ModelConfig:
    """Contents of ``config.json``."""

    name: str
    """The model's name, shown in recipes and reports."""
    image_size: int
    """Side of the pictures in pixels."""
    latent_dim: int
    """Length of a latent."""
    files: dict[str, str]
    """SHA-256 of each network file."""
    format: int = FORMAT
    """Version of this layout."""
    value_range: tuple[float, float] = (-1.0, 1.0)
    """Black and white in the networks."""
    crop: CropTemplate = field(default_factory=CropTemplate)
    """How faces are cut from photos for this model."""
    latent_layout: dict[str, Any] = field(default_factory=dict)
    """How the flat latent is made up, for those who mix parts of it."""
    experiment: dict[str, Any] = field(default_factory=dict)
    """The experiment that trained it (`featureblend.training.experiment.Experiment`)."""
    training: dict[str, Any] = field(default_factory=dict)
    """Images and steps seen, minutes, hardware, the hash of the data, and what run came before."""
    metrics: dict[str, Any] = field(default_factory=dict)
    """Figures on held-out people, measured at export; null where one is infinite."""
    licence: str = "MIT"
    """Licence of the weights."""
    data: str = ""
    """What it was trained on."""
    featureblend: str = ""
    """Version that wrote the folder."""

    @property
    def identity(self) -> str:
        """Identity of the weights in recipes and reports: the first 12 digits of a hash over the networks' hashes."""
        return hashlib.sha256(json.dumps(self.files, sort_keys=True).encode()).hexdigest()[:12]

    @property
    def cleans(self) -> bool:
        """Whether the model restores photos before they are encoded."""
        return CLEANER in self.files

    def to_json(self) -> str:
        """Text of ``config.json``."""
        # Python would write NaN and Infinity, which no other JSON reader takes.
        return json.dumps(asdict(self), indent=2, allow_nan=False) + "\n"


def bundled_models() -> list[str]:
    """List the models that come with the package."""
    return sorted(path.parent.name for path in BUNDLED.glob("*/config.json"))


def find_model(model: str | os.PathLike[str] | None = None) -> Path:
    """Find a model's folder.

    Parameters
    ----------
    model : path-like or str, optional
        A folder, the name of a bundled model, or one on the Hub, ``org/name`` or ``org/name@revision``, which alone is
        fetched (`featureblend.model.hub`); by default the bundled `DEFAULT_MODEL`.

    Returns
    -------
    Path

    Raises
    ------
    FeatureblendError
        If there is no such folder or model.

    Examples
    --------
    >>> find_model("mine")
    Traceback (most recent call last):
    featureblend.errors.FeatureblendError: no model folder and no bundled model is called mine (bundled: lfw-128)
    """
    name = DEFAULT_MODEL if model is None else os.fspath(as_path(model))
    if Path(name).is_dir():
        return Path(name)
    if (BUNDLED / name / "config.json").is_file():
        return BUNDLED / name
    if isinstance(model, str):  # a path object is none of the Hub's names
        from .hub import fetch_model, hub_name

        if (found := hub_name(model)) is not None:
            return fetch_model(*found)
    known = ", ".join(bundled_models()) or "none"
    raise FeatureblendError(f"no model folder and no bundled model is called {name} (bundled: {known})")


def read_config(path: str | os.PathLike[str]) -> ModelConfig:
    """Read a model's ``config.json``.

    Raises
    ------
    FeatureblendError
        If it is missing, or of another format.
    """
    path = Path(path)
    folder = path.parent
    try:
        values = parse_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise FeatureblendError(
            f"{folder} is no model folder: config.json is missing; `featureblend export` makes one"
        ) from error
    except (ValueError, OSError) as error:
        raise FeatureblendError(f"cannot read {path}: {error}") from error
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise FeatureblendError(f"{path} has a format this version does not know: export the model again, or upgrade")
    if isinstance(values.get("crop"), dict):
        values["crop"] = from_dict(CropTemplate, values["crop"], str(path))
    config = from_dict(ModelConfig, values, str(path))
    if config.value_range != (-1.0, 1.0):
        raise FeatureblendError(f"{path}: value_range {list(config.value_range)} is not known here; expected [-1, 1]")
    strange = sorted(set(config.files) - {"encoder.onnx", "decoder.onnx", CLEANER})
    if strange:
        raise FeatureblendError(f"{path} names {strange[0]}, which this version does not know: export the model again")
    return config


def read_model_folder(folder: str | os.PathLike[str]) -> ModelConfig:
    """Read a model's settings and check that its networks are the ones they were written with.

    Parameters
    ----------
    folder : path-like

    Returns
    -------
    ModelConfig

    Raises
    ------
    FeatureblendError
        If a file is missing, changed, or of another format.
    """
    config = read_config(Path(folder) / "config.json")
    for name in ("encoder.onnx", "decoder.onnx", *([CLEANER] if config.cleans else [])):
        network = Path(folder) / name
        if not network.is_file():
            raise FeatureblendError(f"{folder} is no whole model folder: {name} is missing")
        if sha256(network) != config.files.get(name):
            raise FeatureblendError(
                f"{network} is damaged or changed: its hash is not the one in config.json; export it again"
            )
    return config
