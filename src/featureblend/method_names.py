"""The methods of an evaluation: names, order in the tables, and a note on each."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .blender import Blender
from .classical import METHODS as CLASSICAL
from .errors import FeatureblendError
from .mixing import Surroundings

__all__ = [
    "NOTES",
    "VARIANTS",
    "Variant",
    "check_methods",
    "default_methods",
    "method_names",
    "parse_also",
    "variant_of",
]


@dataclass(frozen=True)
class Variant:
    """A variant of a model's blend."""

    note: str
    """Short description."""
    warp: bool = True
    """Bend the faces to their mean shape first."""
    surroundings: Surroundings = "auto"
    """Whose hair and background."""
    detail: bool = False
    """Add the photos' own fine detail."""


VARIANTS = {
    "": Variant("faces bent to the mean shape, encoded, mixed, decoded; with the photos' own fine detail", detail=True),
    "-network": Variant("the same without that detail: what the networks make"),
    "-plain-mean": Variant(
        "networks alone, with the mean of the latents everywhere, hair and background too", surroundings="mean"
    ),
    "-unwarped": Variant("networks alone, without bending the faces first", warp=False),
}
"""Variants of a model's blend by the suffix of the method's name: the whole, and without some part."""

NOTES = {
    "pixel": "weighted mean of pixels",
    "gaussian": "multi-resolution: detail from the stronger, by Gaussian levels",
    "laplacian": "multi-resolution: Laplacian pyramid (Burt & Adelson 1983)",
    "fourier": "low frequencies of one with the high of the other",
    "poisson": "gradient-domain seamless cloning (Pérez et al. 2003)",
    "gaussian-poisson": "low-resolution mean with mixed gradients (GP-GAN's constraint)",
    "morph": "landmark warp and cross-dissolve",
    "pca": "eigenfaces, as many components as the model's latent has numbers, at most 1,280",
}
"""Short description of each method."""


def method_names(also: Sequence[str] = ()) -> tuple[str, ...]:
    """All methods, in the order of the tables.

    Parameters
    ----------
    also : sequence of str
        Names of further models.

    Examples
    --------
    >>> method_names(["paper"])[:4]
    ('latent', 'latent-network', 'latent-plain-mean', 'latent-unwarped')
    """
    learned = [model + variant for model in ("latent", *also) for variant in VARIANTS]
    return (*learned, "pca", *CLASSICAL)


def default_methods(models: Mapping[str, Blender]) -> tuple[str, ...]:
    """The methods worth a line: a plain mean only if the model's own blend differs from it.

    Parameters
    ----------
    models : mapping of str to Blender
        'latent' and the further models by name.

    Examples
    --------
    >>> default_methods({"latent": Blender.from_pretrained()})[:3]
    ('latent', 'latent-network', 'latent-plain-mean')
    """
    same = {f"{name}-plain-mean" for name, model in models.items() if "spatial" not in model.config.latent_layout}
    return tuple(name for name in method_names([name for name in models if name != "latent"]) if name not in same)


def variant_of(method: str) -> tuple[str, str]:
    """Split a method's name into the model's and the ending that `VARIANTS` knows.

    Examples
    --------
    >>> variant_of("latent-unwarped"), variant_of("gaussian-poisson")
    (('latent', '-unwarped'), ('gaussian-poisson', ''))
    """
    for variant in VARIANTS:
        if variant and method.endswith(variant):
            return method.removesuffix(variant), variant
    return method, ""


def check_methods(methods: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    """The methods in the tables' order, without duplicates.

    Raises
    ------
    FeatureblendError
        If one is unknown, or there is none.

    Examples
    --------
    >>> check_methods(["morph", "latent"], method_names())
    ('latent', 'morph')
    """
    for method in methods:
        if method not in known:
            raise FeatureblendError(f"unknown method {method!r}: use one of {', '.join(known)}")
    if not methods:
        raise FeatureblendError(f"no method is named: use some of {', '.join(known)}")
    return tuple(method for method in known if method in methods)


def parse_also(also: Sequence[str]) -> Mapping[str, str | os.PathLike[str]]:
    """Read ``NAME=MODEL_FOLDER`` words.

    Raises
    ------
    FeatureblendError
        If one is no such word, or its name is taken.

    Examples
    --------
    >>> parse_also(["paper=models/paper"])
    {'paper': 'models/paper'}
    """
    models: dict[str, str] = {}
    for word in also:
        name, equals, folder = word.partition("=")
        if not (equals and name and folder) or not name.replace("-", "").replace("_", "").isalnum():
            raise FeatureblendError(f"--also {word}: NAME=MODEL_FOLDER is due, such as paper=models/paper")
        if any(name + variant in method_names(list(models)) for variant in VARIANTS):
            raise FeatureblendError(f"--also {word}: the name {name} is taken")
        models[name] = folder
    return models
