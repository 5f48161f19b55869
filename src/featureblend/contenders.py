"""Everything that can blend a pair, behind one face: what evaluation and comparison put side by side."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from .alignment import AlignedFace, resized
from .blender import Blender
from .blending import Manner, blended, finished, mixture
from .classical import METHODS as CLASSICAL
from .errors import FeatureblendError
from .evaluate.pca import PrincipalComponents
from .mixing import Surroundings

__all__ = [
    "NOTES",
    "VARIANTS",
    "Contender",
    "Variant",
    "check_methods",
    "classical_contender",
    "default_methods",
    "latent_contender",
    "method_names",
    "model_contender",
    "parse_also",
    "pca_contender",
    "scaled",
    "variant_of",
]

UNMOVED = np.eye(2, 3)
"""The crops' matrix: prepared crops are all there is of their photos."""

PairBlend = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""(B, 2, H, W, 3) uint8 parents, (B, 2, 68, 2) landmarks and (2,) weights in, (B, H, W, 3) uint8 blends out."""


@dataclass(frozen=True)
class Variant:
    """A way to blend with a model."""

    note: str
    """What it does, in a few words."""
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
"""By the ending of the method's name: a model as it is meant, and without a part of it."""

NOTES = {
    "pixel": "weighted mean of pixels",
    "gaussian": "multi-resolution: detail from the stronger, by Gaussian levels",
    "laplacian": "multi-resolution: Laplacian pyramid (Burt & Adelson 1983)",
    "fourier": "low frequencies of one with the high of the other",
    "poisson": "gradient-domain seamless cloning (Pérez et al. 2003)",
    "gaussian-poisson": "low-resolution mean with mixed gradients (GP-GAN's constraint)",
    "morph": "landmark warp and cross-dissolve",
    "pca": "eigenfaces, as many components as the model's latent has numbers",
}
"""What each method does, in a few words."""


@dataclass(frozen=True)
class Contender:
    """One way to blend two aligned faces."""

    name: str
    blend: PairBlend
    note: str = ""
    """What it is, in a few words."""
    model: str = ""
    """Identity of its weights; empty where nothing was learned."""
    portable: bool = False
    """Whether `blend` may run in another process."""
    encode: Callable[[np.ndarray], np.ndarray] | None = None
    """(B, H, W, 3) uint8 to (B, D) latents, where there are latents."""
    decode: Callable[[np.ndarray], np.ndarray] | None = None
    """(B, D) latents to (B, H, W, 3) uint8."""
    latents: PairBlend | None = None
    """As `blend`, but gives the (B, D) latents of the blends."""


def method_names(also: Sequence[str] = ()) -> tuple[str, ...]:
    """List the methods in the order of the tables.

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
    """List the methods that are worth a line: a plain mean only where a model's blend is anything else.

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
    """Return the methods in the tables' order, each once.

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


def _classical_blend(name: str, images: np.ndarray, landmarks: np.ndarray, shares: np.ndarray) -> np.ndarray:
    pairs = zip(images, landmarks, strict=True)
    return np.stack([CLASSICAL[name](list(faces), list(shares), list(points)) for faces, points in pairs])


def classical_contender(name: str) -> Contender:
    """Return the classical blend of that name."""
    return Contender(name, partial(_classical_blend, name), NOTES.get(name, ""), portable=True)


def latent_contender(
    name: str,
    note: str,
    model: str,
    encode: Callable[[np.ndarray], np.ndarray],
    decode: Callable[[np.ndarray], np.ndarray],
) -> Contender:
    """Return the blend by the weighted mean of two latents, of faces as they are.

    Parameters
    ----------
    name, note, model : str
        As in `Contender`.
    encode, decode : callable
        As in `Contender`.

    Returns
    -------
    Contender
    """

    def latents(images: np.ndarray, landmarks: np.ndarray, shares: np.ndarray) -> np.ndarray:
        of_pairs = encode(images.reshape(-1, *images.shape[2:])).reshape(len(images), len(shares), -1)
        return np.einsum("k,bkd->bd", shares.astype(np.float32), of_pairs)

    def blend(images: np.ndarray, landmarks: np.ndarray, shares: np.ndarray) -> np.ndarray:
        return decode(latents(images, landmarks, shares))

    return Contender(name, blend, note, model, encode=encode, decode=decode, latents=latents)


def model_contender(blender: Blender, size: int, name: str = "latent") -> Contender:
    """Return a model's blend.

    Parameters
    ----------
    blender : Blender
    size : int
        Side of the pictures in and out, which are scaled where the model has another size.
    name : str
        The ending says which of the model's ways to blend; see `VARIANTS`.

    Returns
    -------
    Contender
    """
    inner, variant = blender.image_size, VARIANTS[variant_of(name)[1]]
    manner = Manner(warp=variant.warp, surroundings=variant.surroundings, detail=variant.detail)

    def pairs(images: np.ndarray, landmarks: np.ndarray) -> Iterator[list[AlignedFace]]:
        marks = (np.asarray(landmarks, np.float64) + 0.5) * (inner / size) - 0.5
        for of_pair, points in zip(images, marks, strict=True):
            yield [AlignedFace(face, at, UNMOVED) for face, at in zip(scaled(of_pair, inner), points, strict=True)]

    def blend(images: np.ndarray, landmarks: np.ndarray, shares: np.ndarray) -> np.ndarray:
        made = ((blended(blender.networks, faces, shares, manner), faces) for faces in pairs(images, landmarks))
        return scaled(np.stack([finished(one, faces, manner, plain=True) for one, faces in made]), size)

    def latents(images: np.ndarray, landmarks: np.ndarray, shares: np.ndarray) -> np.ndarray:
        mixed = (mixture(blender.networks, faces, shares, shares, manner) for faces in pairs(images, landmarks))
        return np.stack([one.latent for one in mixed])

    def encode(images: np.ndarray) -> np.ndarray:
        return blender.latents(scaled(images, inner))

    def decode(latents: np.ndarray) -> np.ndarray:
        return scaled(blender.pictures(latents), size)

    note = f"{blender.config.name}: {variant.note}"
    if inner != size:
        note += f" (works at {inner} pixels; scaled)"
    return Contender(name, blend, note, blender.config.identity, encode=encode, decode=decode, latents=latents)


def pca_contender(components: PrincipalComponents) -> Contender:
    """Return the blend by principal components, of faces as they are."""
    note = f"eigenfaces: {len(components.basis)} components, fitted on {components.faces} faces of the train split"
    return latent_contender("pca", note, components.identity, components.encode, components.decode)


def scaled(images: np.ndarray, side: int) -> np.ndarray:
    """Scale (B, S, S, 3) pictures to another side."""
    return np.stack([resized(image, side) for image in images])


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
