"""Eigenfaces: the linear autoencoder, the baseline at a given latent width."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import FeatureblendError
from ..metrics.inputs import as_stack

BLOCK = 4096
"""Columns handled at a time, so that not all training pictures are converted to float at once."""


@dataclass(frozen=True)
class PrincipalComponents:
    """A linear encoder and decoder.

    The blend of two latents is the projection of the pixel average: what PCA adds is the loss of detail.
    """

    mean: np.ndarray = field(repr=False)
    """(H * W * 3,) float32."""
    basis: np.ndarray = field(repr=False)
    """(K, H * W * 3) float32, orthonormal rows, the strongest first."""
    shape: tuple[int, int, int]
    """(H, W, 3) of a picture."""
    faces: int
    """How many pictures it was fitted on."""
    file: str = ""
    """Where they were loaded from: another process loads them from there, and shares the memory."""

    def __reduce__(self) -> tuple[Any, ...]:
        if self.file:
            return PrincipalComponents.load, (self.file,)
        return PrincipalComponents, (self.mean, self.basis, self.shape, self.faces)

    @property
    def identity(self) -> str:
        """Name of the basis in reports."""
        return hashlib.sha256(self.mean.tobytes() + self.basis.tobytes()).hexdigest()[:12]

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the components for `load`, the basis to a file of its own: `path` and ``.npz``, ``.npy``."""
        np.savez(f"{os.fspath(path)}.npz", mean=self.mean, counts=[*self.shape, self.faces])
        np.save(f"{os.fspath(path)}.npy", self.basis)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> PrincipalComponents:
        """Open what `save` wrote; the basis stays in the file, so that processes share it."""
        with np.load(f"{os.fspath(path)}.npz") as small:
            mean, (*shape, faces) = small["mean"], small["counts"].tolist()
        basis = np.load(f"{os.fspath(path)}.npy", mmap_mode="r")
        return cls(mean, basis, (shape[0], shape[1], shape[2]), faces, os.path.abspath(path))

    def encode(self, images: np.ndarray) -> np.ndarray:
        """The (N, K) float32 latents of (N, H, W, 3) uint8 pictures."""
        return (as_stack(images).reshape(len(images), -1) - self.mean) @ self.basis.T

    def decode(self, latents: np.ndarray) -> np.ndarray:
        """The (N, H, W, 3) uint8 pictures of (N, K) latents."""
        values = np.asarray(latents, dtype=np.float32) @ self.basis + self.mean
        return np.clip(np.floor(values + 0.5), 0, 255).astype(np.uint8).reshape(-1, *self.shape)


def fit_components(images: np.ndarray, width: int) -> PrincipalComponents:
    """Fit the principal components of pictures.

    Parameters
    ----------
    images : (N, H, W, 3) uint8 array
        At least two; those to be measured are not among them.
    width : int
        Length of the latent; at most N - 1 are to be had, and fewer where pictures are alike.

    Returns
    -------
    PrincipalComponents

    Raises
    ------
    FeatureblendError
        If there are too few pictures, or all are equal.

    Notes
    -----
    By the eigenvectors of the pictures' N x N inner products, which for N below the number of pixels is exact and
    cheapest.

    References
    ----------
    M. Turk and A. Pentland, "Eigenfaces for recognition", J. Cognitive Neuroscience 3(1), 1991; L. Sirovich and M.
    Kirby, "Low-dimensional procedure for the characterization of human faces", JOSA A 4(3), 1987 (the N x N form).

    Examples
    --------
    >>> images = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), dtype=np.uint8)
    >>> components = fit_components(images, 4)
    >>> bool((components.decode(components.encode(images)) == images).all())
    True
    """
    stack = as_stack(images, "the faces to fit PCA on")
    count = len(stack)
    if count < 2 or width < 1:
        raise FeatureblendError(f"PCA takes at least two faces and one component, not {count} and {width}")
    rows = stack.reshape(count, -1)
    mean = rows.mean(axis=0, dtype=np.float64).astype(np.float32)
    blocks = [slice(start, start + BLOCK) for start in range(0, rows.shape[1], BLOCK)]
    products = np.zeros((count, count))
    for block in blocks:
        centred = rows[:, block].astype(np.float32) - mean[block]
        products += centred @ centred.T
    values, vectors = np.linalg.eigh(products)
    kept = np.flatnonzero(values > values[-1] * 1e-6)[::-1][: min(width, count - 1)]
    if values[-1] <= 0 or not len(kept):
        raise FeatureblendError("PCA: the faces are all equal")
    # An eigenvector's sign is the library's whim: the largest entry is made positive, so that results repeat.
    chosen = vectors[:, kept]
    chosen = chosen * np.sign(chosen[np.abs(chosen).argmax(axis=0), np.arange(len(kept))])
    scaled = (chosen / np.sqrt(values[kept])).astype(np.float32).T
    basis = np.empty((len(kept), rows.shape[1]), np.float32)
    for block in blocks:
        basis[:, block] = scaled @ (rows[:, block].astype(np.float32) - mean[block])
    return PrincipalComponents(mean, basis, stack.shape[1:], count)
