"""How latents of several faces become one: inside the face by weight, around it from one of them.

A mean of latents is a mean at every place, so hair and background, which no landmark aligns, show both parents at half
strength. Around the face this mixing therefore takes one parent, the *source*, at equal weights: no network, a dozen
lines, and ghosting outside the face falls from .63 to .16.

The weights `w` hold inside an ellipse round the face and in the global latent (the paper's mean, section 2). Outside,
the source's share is ``min(1, N w)`` and the others divide the rest by weight. So the mixing is symmetric in its
inputs, gives a single parent back at its weight 1, and moves at most N times as fast as the weights do.

A fine part, where a model has one, is mixed in two bands: `featureblend.model.fine_mixing`. Its lines come from one
parent at a place: brows, eyes and nose from those whose hair is not shown, the mouth from the one whose hair is, so
that each is recognised (`above_mouth`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import cv2
import numpy as np

from ..errors import FeatureblendError
from ..faces.masks import above_mouth, outside_face, outside_features
from .fine_mixing import mix_fine

Source = Literal["auto", "mean", "blend"] | int
"""Whose hair and background a blend has: 'auto' the best photo's, 'mean' everyone's by weight, 'blend' those between
two photos' (`blend.compositing.between`, before anything is encoded), or a place in the list.
Latents alone tell the plainest by `plainest_latent`; where there are photos,
`blend.compositing.composing.best_source` decides before anything is mixed."""


def plainest_latent(latents: np.ndarray, layout: Mapping[str, Any]) -> int:
    """Find the face with the plainest surroundings: the smallest spatial latent outside the face.

    Training pulls latents towards 0, the average face, so a hat, a hand or a busy background has a large one.

    Parameters
    ----------
    latents : (N, D) float array
    layout : mapping
        A model folder's `latent_layout`.

    Returns
    -------
    int
        From 0; the first of equals.

    Examples
    --------
    >>> layout = {"spatial": [0, 16], "spatial_shape": [1, 4, 4]}
    >>> plainest_latent(np.array([[3.0] * 16, [1.0] * 16]), layout)
    1
    """
    spatial = _spatial(latents, layout)
    energy = np.square(spatial, dtype=np.float64).sum(axis=1) * outside_face(spatial.shape[-1])
    return int(energy.sum(axis=(1, 2)).argmin())


def source_weights(weights: np.ndarray, source: int) -> np.ndarray:
    """Share out hair and background, the source first.

    Parameters
    ----------
    weights : (N,) array
        At least 0; sum to 1.
    source : int
        From 0.

    Returns
    -------
    (N,) float64 array
        Sums to 1: ``min(1, N w)`` for the source; the others divide the rest by their weights.

    Examples
    --------
    >>> source_weights(np.array([0.25, 0.75]), 0).tolist(), source_weights(np.array([0.25, 0.75]), 1).tolist()
    ([0.5, 0.5], [0.0, 1.0])
    """
    shares = np.array(weights, np.float64)
    first = min(1.0, len(shares) * shares[source])
    shares[source] = 0
    if shares.sum() > 0:
        shares *= (1 - first) / shares.sum()
    shares[source] = first
    return shares


def _placed(inside: np.ndarray, around: np.ndarray, mask: np.ndarray) -> np.ndarray:
    return (inside[:, None, None] * (1 - mask) + around[:, None, None] * mask).astype(np.float32)


def _with_hair(outside: np.ndarray, hair: np.ndarray | None) -> np.ndarray:
    if hair is None:
        return outside
    return np.maximum(outside, cv2.resize(hair, outside.shape[::-1], interpolation=cv2.INTER_AREA))


def _inside_and_around(
    latents: np.ndarray, weights: np.ndarray, layout: Mapping[str, Any], surroundings: Source | np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Each face's shares inside the face and around it."""
    count = len(latents)
    inside = np.asarray(weights, np.float64)
    around = inside
    if not isinstance(surroundings, (str, int, np.integer)):
        around = np.asarray(surroundings, np.float64)
    elif surroundings != "mean":
        source = plainest_latent(latents, layout) if surroundings == "auto" else surroundings
        if isinstance(source, str) or not 0 <= source < count:
            raise FeatureblendError(f"surroundings {surroundings!r}: use 'auto', 'mean' or the place of a photo")
        around = source_weights(inside, source)
    return inside, around


def mix(
    latents: np.ndarray,
    weights: np.ndarray,
    layout: Mapping[str, Any],
    surroundings: Source | np.ndarray = "auto",
    hair: np.ndarray | None = None,
) -> np.ndarray:
    """Mix latents by weight in the face, and by the shares of `surroundings` around it and where there is hair.

    Parameters
    ----------
    latents : (N, D) float array
    weights : (N,) array
        At least 0; sum to 1.
    layout : mapping
        A model folder's `latent_layout`. Without a spatial part the mix is the plain weighted mean.
    surroundings : 'auto', 'mean', int or (N,) array
        Whose hair and background: that of the plainest latent, everyone's by weight, that face's, from 0, or shares
        that sum to 1, for whoever knows more than the latents (`blend.compositing.composing.resolve_source_weights`
        sees the photos).
    hair : (S, S) array in [0, 1], optional
        Where any of the faces has hair, S at least the latent's places: a fringe that one of them has is all of it
        there, or not at all.

    Returns
    -------
    (D,) float32 array

    Raises
    ------
    FeatureblendError
        If `surroundings` names no face.

    Examples
    --------
    >>> layout = {"spatial": [0, 16], "spatial_shape": [1, 4, 4], "global": [16, 17]}
    >>> mixed = mix(np.array([[3.0] * 17, [1.0] * 17]), np.array([0.5, 0.5]), layout)
    >>> float(mixed[0]), float(mixed[16])  # the second face's surroundings are plainer; the global part is the mean
    (1.0, 2.0)
    """
    mixed = np.asarray(weights, np.float32) @ np.asarray(latents, np.float32)
    if "spatial" not in layout:
        return mixed
    inside, around = _inside_and_around(latents, weights, layout, surroundings)
    if not (isinstance(surroundings, str) and surroundings == "mean"):
        spatial = _spatial(latents, layout)
        shares = _placed(inside, around, _with_hair(outside_face(spatial.shape[-1]), hair))
        mixed[slice(*layout["spatial"])] = np.einsum("nij,ncij->cij", shares, spatial).ravel()
    if "fine" in layout:
        fine = _spatial(latents, layout, "fine")
        shares, of_lines = (
            _placed(inside, around, _with_hair(mask(fine.shape[-1]), hair)) for mask in (outside_face, outside_features)
        )
        lead = (inside - around)[:, None, None] * above_mouth(fine.shape[-1])
        mixed[slice(*layout["fine"])] = mix_fine(fine, shares, of_lines, lead).ravel()
    return mixed


def _spatial(latents: np.ndarray, layout: Mapping[str, Any], part: str = "spatial") -> np.ndarray:
    start, end = layout[part]
    return np.asarray(latents, np.float32)[:, start:end].reshape(len(latents), *layout[f"{part}_shape"])
