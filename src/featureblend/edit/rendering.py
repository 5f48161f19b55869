"""Pictures of faces by any shares that sum to 1: between the faces as a blend, beyond them by plain arithmetic."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import numpy as np

from ..blend.blender import Blender
from ..blend.compositing import with_mean_colour
from ..blend.compositing.restoration import restore_photo
from ..blend.pipeline import BlendOptions, cleaned, encoded
from ..faces.alignment import AlignedFace, rescaling, resized, transform_points
from ..faces.masks import outside_face
from ..faces.parser import covered, face_parts
from ..faces.warp import warp_to_shape
from ..io.image import to_uint8
from ..model.fine_mixing import sum_fine
from ..model.mixing import Source

BATCH = 16
"""Faces that are encoded at once."""


def finished(
    blender: Blender,
    latent: np.ndarray,
    target: np.ndarray | None,
    parents: Sequence[tuple[AlignedFace, np.ndarray, np.ndarray | float]],
    mean: np.ndarray,
    around: np.ndarray,
    size: int,
    detail: bool = True,
    hair: np.ndarray | None = None,
) -> np.ndarray:
    """Decode a latent, and give it back what the networks lose of its parents.

    Parameters
    ----------
    blender : Blender
    latent : (D,) float32 array
    target : (68, 2) array or None
        The shape that the latent has, in the model's pixels; None where nothing was warped.
    parents : sequence of (face, latent, share)
        Whose detail: each with its own latent in that shape, and its share: a number, or an (n, n) array over the
        crop. The shares sum to 1.
    mean, around : (S, S, 3) float arrays
        What is broad in the face, and around it: sums of the parents as they were encoded
        (`featureblend.blend.compositing.with_mean_colour`).
    size : int
        Side of the picture in pixels.
    detail : bool
        Add to the decoded picture, by share, the difference of each warped parent from its own decoded picture. A
        latent that is a parent's gives that parent's very picture; what is changed is changed by the latent alone.

    Returns
    -------
    (size, size, 3) uint8 array
    """
    pictures = blender.networks.pictures(np.stack([latent, *(own for _, own, _ in parents)]))
    points = parents[0][0].landmarks if target is None else target
    total = _scaled(with_mean_colour(pictures[0], mean, around, points, hair=hair), size)
    if detail:
        faces = cleaned(blender.networks, [face for face, _, _ in parents])
        for face, (_, _, share), known in zip(faces, parents, pictures[1:], strict=True):
            crop = face.at(size)
            warped = _warped(crop.image, crop.landmarks, target, size / blender.image_size)
            seen = _warped(face.restored, face.landmarks, target)
            if face.degradation is not None and face.degradation.any():
                warped = restore_photo(warped, seen, face.degradation)
            known = with_mean_colour(known, seen, seen, points)
            part = share if isinstance(share, (int, float)) else _scaled(np.asarray(share), size)[..., None]
            total += part * (warped - _scaled(known, size))
    return to_uint8(total)


def recorded_size(size: int | str, side: int) -> int | str | None:
    """How a recipe holds a size: None for the model's, which recipes without a size mean; in pixels for 'photos'."""
    return None if size == "model" else side if size == "photos" else size


def _scaled(image: np.ndarray, side: int) -> np.ndarray:
    return resized(image.astype(np.float32), side)


def batches_in_shape(
    blender: Blender, faces: Iterable[AlignedFace], target: np.ndarray | None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Encode faces warped to one shape, some at a time.

    Parameters
    ----------
    blender : Blender
    faces : iterable of AlignedFace
    target : (68, 2) array or None
        Where the landmarks shall lie; None leaves the faces as they are, and codes exactly so.

    Yields
    ------
    latents : (B, D) float32 array
    seen : (B, S, S, 3) uint8 array
        What was encoded: the restored faces, warped.
    """
    for batch in _batches(faces):
        found = encoded(blender.networks, batch, target)
        yield found.latents, np.stack(found.images)


def latents_in_shape(
    blender: Blender, faces: Iterable[AlignedFace], target: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """All that `batches_in_shape` gives: (N, D) float32 latents, and the (N, S, S, 3) uint8 faces."""
    latents, seen = zip(*batches_in_shape(blender, faces, target), strict=True)
    return np.concatenate(latents), np.concatenate(seen)


def summed(seen: np.ndarray, shares: Sequence[float] | np.ndarray) -> np.ndarray:
    """Sum (S, S, 3), float32, of (N, S, S, 3) pictures times (N,) shares, which may be negative."""
    return np.tensordot(np.asarray(shares, np.float32), seen.astype(np.float32), axes=1)


def covers_of(seen: Iterable[np.ndarray], background: bool = False) -> Iterator[np.ndarray]:
    """Of each (S, S, 3) uint8 face, (S, S) float32 in [0, 1]: where hair, a hat or a scarf covers it.

    With `background` also where there is none of it: beside the face, and what the parser takes for background.
    """
    return (covered(face_parts(picture), background) for picture in seen)


def kept(covers: Iterable[np.ndarray], *groups: Sequence[float] | np.ndarray) -> np.ndarray:
    """Where what covers a face stays, which is to be that of the surroundings, as hair does in blends.

    Parameters
    ----------
    covers : iterable of N (S, S) arrays
        Of faces in one shape (`covers_of`); no two are in memory at once.
    *groups : (N,) arrays
        Weights of the faces, at least 0, once for each of what is told apart: whose hair is shown, what is added, what
        is taken away.

    Returns
    -------
    (S, S) float32 array in [0, 1]
        Of the groups' shares of faces that are covered there, the largest.

    Examples
    --------
    >>> covers = np.array([[[0.0, 1.0]], [[0.0, 0.0]]])
    >>> kept(covers, [1, 0]).tolist(), kept(covers, [0, 1], [1, 3]).tolist()
    ([[0.0, 1.0]], [[0.0, 0.25]])
    """
    weights = np.array([np.divide(group, max(np.sum(group), 1e-9)) for group in groups], np.float32)
    total = sum(of[:, None, None] * cover for of, cover in zip(weights.T, covers, strict=True))
    return np.asarray(np.max(total, axis=0), np.float32)


def uncovered(
    blender: Blender, latents: np.ndarray, seen: np.ndarray, covers: np.ndarray, group: slice
) -> tuple[np.ndarray, np.ndarray]:
    """Give what is covered in a face what others of its group show there: one's scarf would be a patch on a forehead.

    Parameters
    ----------
    blender : Blender
    latents, seen
        As from `latents_in_shape`.
    covers : (N, S, S) array
        As of `covers_of`.
    group : slice
        Which of the faces. Where all of them are covered there is nothing to give.

    Returns
    -------
    latents, seen
        With the group's changed.
    """
    latents, seen = latents.copy(), seen.copy()
    own, pictures = latents[group], seen[group].astype(np.float32)
    for where, shape in placed_parts(blender):
        parts = own[:, where].reshape(len(own), *shape)
        over = np.stack([resized(cover, shape[-1]) for cover in covers[group]])[:, None]
        latents[group, where] = _filled(parts, over).reshape(len(own), -1)
    seen[group] = to_uint8(_filled(pictures, covers[group][..., None]))
    return latents, seen


def _filled(values: np.ndarray, over: np.ndarray) -> np.ndarray:
    """Replace (N, ...) values where they are covered by the mean of those that are not."""
    shown = (values * (1 - over)).sum(axis=0) / np.maximum((1 - over).sum(axis=0), 1e-3)
    return np.asarray(values + (shown - values) * over)


def _warped(image: np.ndarray, landmarks: np.ndarray, target: np.ndarray | None, scale: float = 1.0) -> np.ndarray:
    """Warp a picture's landmarks to `target`, which is of the model's size, in a picture `scale` times as large."""
    if target is None:
        return image
    return warp_to_shape(image, landmarks, target if scale == 1 else transform_points(target, rescaling(scale)))


def _batches(faces: Iterable[AlignedFace]) -> Iterator[list[AlignedFace]]:
    left = iter(faces)
    while batch := list(islice(left, BATCH)):
        yield batch


def combined(
    blender: Blender,
    latents: np.ndarray,
    shares: np.ndarray,
    surroundings: Source,
    home: int = 0,
    hair: np.ndarray | None = None,
) -> np.ndarray:
    """Make one (D,) latent of (N, D): mixed as blends are where no share is negative, else their weighted sum.

    Sums keep `home`'s surroundings (unless 'mean'), and its `hair` (`kept`): what two strangers' backgrounds
    differ in is nothing to add.
    """
    if (shares >= 0).all():
        if shares.max() == 1:
            return np.asarray(latents[int(shares.argmax())])
        source = BlendOptions(surroundings=surroundings).source_index(len(latents))
        return blender.networks.mixed(latents, shares, source, hair)
    total = shares.astype(np.float32) @ latents
    parts = placed_parts(blender)
    for where, shape in parts[1:]:  # the fine part
        total[where] = sum_fine(latents[:, where].reshape(len(latents), *shape), shares).ravel()
    return total if surroundings == "mean" else with_source(blender, total, latents[home], hair)


def with_source(blender: Blender, latent: np.ndarray, of: np.ndarray, hair: np.ndarray | None = None) -> np.ndarray:
    """Replace a (D,) latent's background and hair by another's; in the face where `hair` is."""
    latent = latent.copy()
    for where, shape in placed_parts(blender):
        mask = outside_face(shape[-1])
        if hair is not None:
            mask = np.maximum(mask, resized(hair, shape[-1]))
        latent[where] = (latent[where].reshape(shape) * (1 - mask) + of[where].reshape(shape) * mask).ravel()
    return latent


Part = tuple[slice, tuple[int, int, int]]
"""Where in a latent a part lies, and its shape: channels, rows, columns."""


def placed_parts(blender: Blender) -> list[Part]:
    """The spatially arranged parts of the model's latents: spatial, then fine."""
    layout = blender.config.latent_layout
    return [(slice(*layout[part]), tuple(layout[f"{part}_shape"])) for part in ("spatial", "fine") if part in layout]
