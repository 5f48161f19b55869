"""Every method of blending a pair, behind one interface, for evaluation and comparison."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any

import numpy as np

from .alignment import AlignedFace, resized
from .blender import Blender
from .blending import Manner, blended, finished, mixture
from .classical import METHODS as CLASSICAL
from .evaluate.pca import PrincipalComponents
from .kept import kept
from .method_names import NOTES, VARIANTS, Variant, variant_of
from .networks import Networks

__all__ = [
    "Contender",
    "classical_contender",
    "latent_contender",
    "model_contender",
    "pca_contender",
    "scaled",
]

UNMOVED = np.eye(2, 3)
"""Matrix of prepared crops, whose photos are not at hand: the identity."""

PairBlend = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""(B, 2, H, W, 3) uint8 parents, (B, 2, 68, 2) landmarks and (2,) weights in, (B, H, W, 3) uint8 blends out."""


@dataclass(frozen=True)
class Contender:
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


def _classical_blend(name: str, images: np.ndarray, landmarks: np.ndarray, shares: np.ndarray) -> np.ndarray:
    pairs = zip(images, landmarks, strict=True)
    return np.stack([CLASSICAL[name](list(faces), list(shares), list(points)) for faces, points in pairs])


def classical_contender(name: str) -> Contender:
    """The classical blend of that name."""
    return Contender(name, partial(_classical_blend, name), NOTES.get(name, ""), portable=True)


def latent_contender(
    name: str,
    note: str,
    model: str,
    encode: Callable[[np.ndarray], np.ndarray],
    decode: Callable[[np.ndarray], np.ndarray],
) -> Contender:
    """Blend by the weighted mean of two latents, of faces that are not warped.

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
    way = _LatentMean(encode, decode)
    return Contender(name, way.blend, note, model, encode=encode, decode=decode, latents=way.latents)


@dataclass(frozen=True)
class _LatentMean:
    encode: Callable[[np.ndarray], np.ndarray]
    decode: Callable[[np.ndarray], np.ndarray]

    def latents(self, images: np.ndarray, landmarks: np.ndarray, shares: np.ndarray) -> np.ndarray:
        of_pairs = self.encode(images.reshape(-1, *images.shape[2:])).reshape(len(images), len(shares), -1)
        return np.einsum("k,bkd->bd", shares.astype(np.float32), of_pairs)

    def blend(self, images: np.ndarray, landmarks: np.ndarray, shares: np.ndarray) -> np.ndarray:
        return self.decode(self.latents(images, landmarks, shares))


def model_contender(blender: Blender, size: int, name: str = "latent") -> Contender:
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
    Contender
    """
    variant, inner = VARIANTS[variant_of(name)[1]], blender.image_size
    way = _ModelBlend(blender.networks, size, variant)
    note = f"{blender.config.name}: {variant.note}"
    if inner != size:
        note += f" (works at {inner} pixels; scaled)"
    if not blender.networks.mend:
        note += "; damage of photos left as it is"
    return Contender(
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
    def _manner(self) -> Manner:
        return Manner(warp=self.variant.warp, surroundings=self.variant.surroundings, detail=self.variant.detail)

    def _pairs(self, images: np.ndarray, landmarks: np.ndarray) -> Iterator[list[AlignedFace]]:
        inner = self.networks.config.image_size
        marks = (np.asarray(landmarks, np.float64) + 0.5) * (inner / self.size) - 0.5
        for of_pair, points in zip(images, marks, strict=True):
            yield [AlignedFace(face, at, UNMOVED) for face, at in zip(scaled(of_pair, inner), points, strict=True)]

    def blend(self, images: np.ndarray, landmarks: np.ndarray, shares: np.ndarray) -> np.ndarray:
        manner = self._manner
        made = ((blended(self.networks, faces, shares, manner), faces) for faces in self._pairs(images, landmarks))
        return scaled(np.stack([finished(one, faces, manner, plain=True) for one, faces in made]), self.size)

    def latents(self, images: np.ndarray, landmarks: np.ndarray, shares: np.ndarray) -> np.ndarray:
        pairs = self._pairs(images, landmarks)
        return np.stack([mixture(self.networks, faces, shares, shares, self._manner).latent for faces in pairs])

    def encode(self, images: np.ndarray) -> np.ndarray:
        return self.networks.latents(scaled(images, self.networks.config.image_size))

    def decode(self, latents: np.ndarray) -> np.ndarray:
        return scaled(self.networks.pictures(latents), self.size)

    def again(self, images: np.ndarray) -> np.ndarray:
        # One by one: a face is in several pairs, and all of the model's ways to blend give it back alike.
        return np.concatenate([_given_back(self.networks, face[None], self.size) for face in images])


@kept
def _given_back(networks: Networks, face: np.ndarray, size: int) -> np.ndarray:
    """Encode and decode a face."""
    return scaled(networks.pictures(networks.latents(scaled(face, networks.config.image_size))), size)


@lru_cache
def _opened_networks(folder: str, mend: bool) -> Networks:
    return Networks(folder, threads=1, mend=mend)  # one process a core already


def _opened_blend(folder: str, size: int, variant: Variant, mend: bool) -> _ModelBlend:
    return _ModelBlend(_opened_networks(folder, mend), size, variant)


def pca_contender(components: PrincipalComponents, path: str | os.PathLike[str] | None = None) -> Contender:
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
        return latent_contender("pca", note, components.identity, components.encode, components.decode)
    components.save(path)
    file = os.path.abspath(path)
    encode, decode = partial(_encoded_in, file), partial(_decoded_in, file)
    return replace(latent_contender("pca", note, components.identity, encode, decode), portable=True)


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
