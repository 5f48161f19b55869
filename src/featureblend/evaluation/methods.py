"""The methods that are compared: their names, in the order of the tables, and how each blends a pair."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any

import numpy as np

from ..blend.baselines import BASELINES
from ..blend.blender import Blender
from ..blend.pipeline import BlendOptions, blended, finished, mixture
from ..errors import FeatureblendError
from ..faces.alignment import AlignedFace, resized
from ..io.memoize import memoize
from ..model.mixing import Source
from ..model.networks import Networks
from .pca import PrincipalComponents

__all__ = [
    "NOTES",
    "VARIANTS",
    "Method",
    "Variant",
    "baseline_method",
    "check_methods",
    "default_methods",
    "latent_method",
    "method_names",
    "model_method",
    "parse_also",
    "pca_method",
    "scaled",
    "variant_of",
]


@dataclass(frozen=True)
class Variant:
    """A variant of a model's blend."""

    note: str
    """Short description."""
    warp: bool = True
    """Warp the faces to their mean shape first."""
    surroundings: Source = "auto"
    """Whose hair and background."""
    detail: bool = False
    """Add the photos' own fine detail."""


VARIANTS = {
    "": Variant(
        "faces warped to the mean shape, encoded, mixed, decoded; with the photos' own fine detail", detail=True
    ),
    "-network": Variant("the same without that detail: what the networks make"),
    "-plain-mean": Variant(
        "networks alone, with the mean of the latents everywhere, hair and background too", surroundings="mean"
    ),
    "-unwarped": Variant("networks alone, without warping the faces first", warp=False),
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
    return (*learned, "pca", *BASELINES)


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


UNMOVED = np.eye(2, 3)
"""Matrix of prepared crops, whose photos are not at hand: the identity."""

PairBlend = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""(B, 2, H, W, 3) uint8 parents, (B, 2, 68, 2) landmarks and (2,) weights in, (B, H, W, 3) uint8 blends out."""


@dataclass(frozen=True)
class Method:
    """One way to blend two aligned faces."""

    name: str
    blend: PairBlend
    note: str = ""
    """Short description."""
    model: str = ""
    """Identity of its weights; empty for methods without learning."""
    portable: bool = False
    """Whether its functions may run in another process."""
    encode: Callable[[np.ndarray], np.ndarray] | None = None
    """(B, H, W, 3) uint8 to (B, D) latents, where there are latents."""
    decode: Callable[[np.ndarray], np.ndarray] | None = None
    """(B, D) latents to (B, H, W, 3) uint8."""
    latents: PairBlend | None = None
    """As `blend`, but gives the (B, D) latents of the blends."""
    again: Callable[[np.ndarray], np.ndarray] | None = None
    """(B, H, W, 3) uint8 encoded and decoded, where there is a shorter way than by `encode` and `decode`."""


def _baseline_blend(name: str, images: np.ndarray, landmarks: np.ndarray, shares: np.ndarray) -> np.ndarray:
    pairs = zip(images, landmarks, strict=True)
    return np.stack([BASELINES[name](list(faces), list(shares), list(points)) for faces, points in pairs])


def baseline_method(name: str) -> Method:
    """The baseline of that name."""
    return Method(name, partial(_baseline_blend, name), NOTES.get(name, ""), portable=True)


def latent_method(
    name: str,
    note: str,
    model: str,
    encode: Callable[[np.ndarray], np.ndarray],
    decode: Callable[[np.ndarray], np.ndarray],
) -> Method:
    """Blend by the weighted mean of two latents, of faces that are not warped.

    Parameters
    ----------
    name, note, model : str
        As in `Method`.
    encode, decode : callable
        As in `Method`.

    Returns
    -------
    Method
    """
    way = _LatentMean(encode, decode)
    return Method(name, way.blend, note, model, encode=encode, decode=decode, latents=way.latents)


@dataclass(frozen=True)
class _LatentMean:
    encode: Callable[[np.ndarray], np.ndarray]
    decode: Callable[[np.ndarray], np.ndarray]

    def latents(self, images: np.ndarray, landmarks: np.ndarray, shares: np.ndarray) -> np.ndarray:
        of_pairs = self.encode(images.reshape(-1, *images.shape[2:])).reshape(len(images), len(shares), -1)
        return np.einsum("k,bkd->bd", shares.astype(np.float32), of_pairs)

    def blend(self, images: np.ndarray, landmarks: np.ndarray, shares: np.ndarray) -> np.ndarray:
        return self.decode(self.latents(images, landmarks, shares))


def model_method(blender: Blender, size: int, name: str = "latent") -> Method:
    """A model's blend.

    Parameters
    ----------
    blender : Blender
    size : int
        Side of the pictures in and out, which are scaled where the model has another size.
    name : str
        The ending says which of the model's ways to blend; see `VARIANTS`.

    Returns
    -------
    Method
    """
    variant, inner = VARIANTS[variant_of(name)[1]], blender.image_size
    way = _ModelBlend(blender.networks, size, variant)
    note = f"{blender.config.name}: {variant.note}"
    if inner != size:
        note += f" (works at {inner} pixels; scaled)"
    if not blender.networks.mend:
        note += "; damage of photos left as it is"
    return Method(
        name,
        way.blend,
        note,
        blender.config.identity,
        portable=True,
        encode=way.encode,
        decode=way.decode,
        latents=way.latents,
        again=way.again,
    )


@dataclass(frozen=True)
class _ModelBlend:
    """A model's blend; when pickled, another process opens the model itself."""

    networks: Networks
    size: int
    variant: Variant

    def __reduce__(self) -> tuple[Any, ...]:
        return _opened_blend, (os.path.abspath(self.networks.folder), self.size, self.variant, self.networks.mend)

    @property
    def _options(self) -> BlendOptions:
        return BlendOptions(warp=self.variant.warp, surroundings=self.variant.surroundings, detail=self.variant.detail)

    def _pairs(self, images: np.ndarray, landmarks: np.ndarray) -> Iterator[list[AlignedFace]]:
        inner = self.networks.config.image_size
        marks = (np.asarray(landmarks, np.float64) + 0.5) * (inner / self.size) - 0.5
        for of_pair, points in zip(images, marks, strict=True):
            yield [AlignedFace(face, at, UNMOVED) for face, at in zip(scaled(of_pair, inner), points, strict=True)]

    def blend(self, images: np.ndarray, landmarks: np.ndarray, shares: np.ndarray) -> np.ndarray:
        options = self._options
        made = ((blended(self.networks, faces, shares, options), faces) for faces in self._pairs(images, landmarks))
        return scaled(np.stack([finished(one, faces, options, plain=True) for one, faces in made]), self.size)

    def latents(self, images: np.ndarray, landmarks: np.ndarray, shares: np.ndarray) -> np.ndarray:
        pairs = self._pairs(images, landmarks)
        return np.stack([mixture(self.networks, faces, shares, shares, self._options).latent for faces in pairs])

    def encode(self, images: np.ndarray) -> np.ndarray:
        return self.networks.latents(scaled(images, self.networks.config.image_size))

    def decode(self, latents: np.ndarray) -> np.ndarray:
        return scaled(self.networks.pictures(latents), self.size)

    def again(self, images: np.ndarray) -> np.ndarray:
        # One by one: a face is in several pairs, and all of the model's ways to blend give it back alike.
        return np.concatenate([_given_back(self.networks, face[None], self.size) for face in images])


@memoize
def _given_back(networks: Networks, face: np.ndarray, size: int) -> np.ndarray:
    """Encode and decode a face."""
    return scaled(networks.pictures(networks.latents(scaled(face, networks.config.image_size))), size)


@lru_cache
def _opened_networks(folder: str, mend: bool) -> Networks:
    return Networks(folder, threads=1, mend=mend)  # one process a core already


def _opened_blend(folder: str, size: int, variant: Variant, mend: bool) -> _ModelBlend:
    return _ModelBlend(_opened_networks(folder, mend), size, variant)


def pca_method(components: PrincipalComponents, path: str | os.PathLike[str] | None = None) -> Method:
    """Blend by principal components, of faces that are not warped.

    Parameters
    ----------
    components : PrincipalComponents
    path : path-like, optional
        A file to write the components to, from which other processes read them: they are a few hundred MB, too much
        to hand on with every task.
    """
    note = f"eigenfaces: {len(components.basis)} components, fitted on {components.faces} faces of the train split"
    if path is None:
        return latent_method("pca", note, components.identity, components.encode, components.decode)
    components.save(path)
    file = os.path.abspath(path)
    encode, decode = partial(_encoded_in, file), partial(_decoded_in, file)
    return replace(latent_method("pca", note, components.identity, encode, decode), portable=True)


@lru_cache(maxsize=1)
def _components(file: str) -> PrincipalComponents:
    return PrincipalComponents.load(file)


def _encoded_in(file: str, images: np.ndarray) -> np.ndarray:
    return _components(file).encode(images)


def _decoded_in(file: str, latents: np.ndarray) -> np.ndarray:
    return _components(file).decode(latents)


def scaled(images: np.ndarray, side: int) -> np.ndarray:
    """Scale (B, S, S, 3) pictures to another side."""
    return np.stack([resized(image, side) for image in images])
