"""The methods that are compared: their names, in the order of the tables, and how each blends a pair."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from ..blend.baselines import BASELINES
from ..blend.blender import Blender
from ..blend.compositing.between import Meetings
from ..blend.pipeline import BlendedCrop, BlendOptions, EncodedFaces, blended, cleaned, encoded, finished
from ..errors import FeatureblendError
from ..faces.alignment import AlignedFace, rescaling, resized, transform_points
from ..faces.warp import mean_shape
from ..io.tables import check_choice
from ..model.mixing import Source
from ..model.networks import Networks
from .pairs import Face, Pair
from .pca import PrincipalComponents


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

    @property
    def meets(self) -> bool:
        """Whether hair and background lie between both photos', at uneven weights and in a continuum."""
        return self.warp and self.surroundings == "auto"


VARIANTS = {
    "": Variant(
        "faces warped to the mean shape, encoded, mixed, decoded; with the photos' own fine detail", detail=True
    ),
    "-between": Variant(
        "the same with hair and background between both photos', as on the web page and in continua",
        surroundings="blend",
        detail=True,
    ),
    "-network": Variant("as the first without that detail: what the networks make"),
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
    ('latent', 'latent-between', 'latent-network', 'latent-plain-mean')
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
    ('latent', 'latent-between', 'latent-network')
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
        check_choice(method, "method", known)
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
            raise FeatureblendError(f"--also {word}: expected NAME=MODEL_FOLDER, such as paper=models/paper")
        if any(name + variant in method_names(list(models)) for variant in VARIANTS):
            raise FeatureblendError(f"--also {word}: the name {name} is taken")
        models[name] = folder
    return models


@dataclass(frozen=True)
class Made:
    """A blend of a pair."""

    picture: np.ndarray
    """(S, S, 3) uint8."""
    latent: np.ndarray | None = None
    """(D,) latent that it was decoded from, where there are latents."""


class System:
    """What makes the blends of a method, or of several that share its work on a pair.

    Parameters
    ----------
    notes : mapping of str to str
        A short description of each of its methods, by the method's name.
    model : str
        Identity of its weights; empty without learning.
    """

    def __init__(self, notes: Mapping[str, str], model: str = "") -> None:
        self.notes, self.model = notes, model

    @property
    def names(self) -> tuple[str, ...]:
        """Its methods."""
        return tuple(self.notes)

    def made(self, pair: Pair, shares: np.ndarray, name: str) -> Made:
        """Blend a pair by one of the methods; `shares` are two numbers that sum to 1."""
        raise NotImplementedError

    def continuum(self, pair: Pair, alphas: Sequence[float], name: str) -> list[np.ndarray]:
        """Blend a pair at several weights of the second face, as a continuum does."""
        return [self.made(pair, np.array([1 - alpha, alpha]), name).picture for alpha in alphas]

    def blend(
        self, images: Sequence[np.ndarray], landmarks: Sequence[np.ndarray], shares: Sequence[float], name: str = ""
    ) -> np.ndarray:
        """Blend two faces, (S, S, 3) uint8 with (68, 2) landmarks, by a method: the first by default."""
        pair = Pair(*(Face(*face) for face in zip(images, landmarks, strict=True)))
        return self.made(pair, np.asarray(shares, np.float64), name or self.names[0]).picture


class Baseline(System):
    """A method without learning."""

    def __init__(self, name: str) -> None:
        super().__init__({name: NOTES.get(name, "")})

    def made(self, pair: Pair, shares: np.ndarray, name: str) -> Made:
        """Blend a pair."""
        return Made(BASELINES[name](pair.images, list(shares), pair.landmarks))


class Autoencoder(System):
    """Blend by the weighted mean of two latents, of faces that are not warped.

    Parameters
    ----------
    name, note, model : str
    encode, decode : callable
        (B, S, S, 3) uint8 pictures to (B, D) latents, and back.
    """

    def __init__(
        self,
        name: str,
        note: str,
        model: str,
        encode: Callable[[np.ndarray], np.ndarray],
        decode: Callable[[np.ndarray], np.ndarray],
    ) -> None:
        super().__init__({name: note}, model)
        self._encode, self._decode = encode, decode

    def encode(self, images: np.ndarray) -> np.ndarray:
        """Encode (B, S, S, 3) uint8 pictures into (B, D) latents."""
        return self._encode(images)

    def decode(self, latents: np.ndarray) -> np.ndarray:
        """Decode (B, D) latents into (B, S, S, 3) uint8 pictures."""
        return self._decode(latents)

    def given_back(self, face: Face) -> np.ndarray:
        """A face encoded and decoded: (S, S, 3) uint8."""
        return face.once((self.names[0], "again"), lambda: self.decode(self._latent(face)[None])[0])

    def made(self, pair: Pair, shares: np.ndarray, name: str) -> Made:
        """Blend a pair."""
        latent = shares.astype(np.float32) @ np.stack([self._latent(face) for face in pair.faces])
        return Made(self.decode(latent[None])[0], latent)

    def _latent(self, face: Face) -> np.ndarray:
        return face.once((self.names[0], "latent"), lambda: self.encode(face.image[None])[0])


class Pca(Autoencoder):
    """Blend by principal components; other processes read them from their file, if they have one."""

    def __init__(self, components: PrincipalComponents, name: str = "pca") -> None:
        note = f"eigenfaces: {len(components.basis)} components, fitted on {components.faces} faces of the train split"
        super().__init__(name, note, components.identity, components.encode, components.decode)
        self.components = components

    def __reduce__(self) -> tuple[Any, ...]:
        return Pca, (self.components, self.names[0])


class Model(Autoencoder):
    """A model's blends, by one or more of its `VARIANTS`; another process opens the model itself.

    Parameters
    ----------
    blender : Blender
    size : int
        Side of the pictures in and out, which are scaled where the model has another size.
    names : sequence of str
        Methods; the ending of each says which of the model's ways to blend.
    """

    def __init__(self, blender: Blender, size: int, names: Sequence[str] = ("latent",)) -> None:
        extra = f" (works at {blender.image_size} pixels; scaled)" if blender.image_size != size else ""
        if not blender.networks.mend:
            extra += "; damage of photos left as it is"
        self._setup(
            blender.networks,
            size,
            {name: f"{blender.config.name}: {VARIANTS[variant_of(name)[1]].note}{extra}" for name in names},
        )

    def _setup(self, networks: Networks, size: int, notes: Mapping[str, str]) -> None:
        System.__init__(self, notes, networks.config.identity)
        self.networks, self.size, self.inner = networks, size, networks.config.image_size

    def __reduce__(self) -> tuple[Any, ...]:
        return _opened_model, (os.path.abspath(self.networks.folder), self.networks.mend, self.size, dict(self.notes))

    def encode(self, images: np.ndarray) -> np.ndarray:
        """Encode pictures, restored."""
        return self.networks.latents(scaled(images, self.inner))

    def decode(self, latents: np.ndarray) -> np.ndarray:
        """Decode latents."""
        return scaled(self.networks.pictures(latents), self.size)

    def made(self, pair: Pair, shares: np.ndarray, name: str) -> Made:
        """Blend a pair; variants that differ in their detail alone share the rest."""
        variant = VARIANTS[variant_of(name)[1]]
        uneven = shares[0] != shares[1]
        return self._made(pair, shares, variant, "blend" if uneven and variant.meets else variant.surroundings)

    def continuum(self, pair: Pair, alphas: Sequence[float], name: str) -> list[np.ndarray]:
        """Blend a pair at several weights, half way too with hair and background between."""
        variant = VARIANTS[variant_of(name)[1]]
        whose = "blend" if variant.meets else variant.surroundings
        return [self._made(pair, np.array([1 - alpha, alpha]), variant, whose).picture for alpha in alphas]

    def _made(self, pair: Pair, shares: np.ndarray, variant: Variant, whose: Source) -> Made:
        faces = [self._prepared(face) for face in pair.faces]
        size = max(self.size, self.inner)
        options = BlendOptions(warp=variant.warp, surroundings=whose, detail=variant.detail, size=size)

        def crop() -> BlendedCrop:
            if whose == "blend":
                meetings = pair.once((self.names[0], "meetings"), Meetings)
                return blended(self.networks, faces, shares, options, meetings=meetings)
            return blended(self.networks, self._encoded(pair, faces, shares, variant.warp), shares, options)

        made = pair.once((self.names[0], "crop", variant.warp, whose, *shares), crop)
        return Made(resized(finished(made, options), self.size), made.latent)

    def _prepared(self, face: Face) -> AlignedFace:
        def prepared() -> AlignedFace:
            scaling = rescaling(self.inner / self.size)
            image, marks = resized(face.image, self.inner), transform_points(face.landmarks, scaling)
            # Where the crop is as small as what the networks see, there is no photo at hand.
            photo = face.image if self.size > self.inner else None
            found = AlignedFace(image, marks, np.eye(2, 3) if photo is None else scaling, photo=photo)
            return cleaned(self.networks, [found])[0]

        return face.once((self.names[0], "face"), prepared)

    def _encoded(self, pair: Pair, faces: Sequence[AlignedFace], shares: np.ndarray, warp: bool) -> EncodedFaces:
        target = mean_shape([face.landmarks for face in faces], shares) if warp else None
        what = (self.names[0], "encoded", warp, *(shares if warp else ()))
        return pair.once(what, lambda: encoded(self.networks, faces, target))

    def _latent(self, face: Face) -> np.ndarray:
        return self.networks.latents([self._prepared(face).restored], cleaned=True)[0]


@lru_cache
def _opened_networks(folder: str, mend: bool) -> Networks:
    return Networks(folder, threads=1, mend=mend)  # one process a core already


def _opened_model(folder: str, mend: bool, size: int, notes: Mapping[str, str]) -> Model:
    model = Model.__new__(Model)
    model._setup(_opened_networks(folder, mend), size, notes)
    return model


def scaled(images: np.ndarray, side: int) -> np.ndarray:
    """Scale (N, S, S, 3) pictures to another side."""
    return np.stack([resized(image, side) for image in images])
