"""Averages of thousands of photos: two passes, and some kilobytes of memory for each photo that went by.

The first pass finds each face and keeps its landmarks and its small aligned crop; then the mean shape is known, and the
second warps each crop to it and takes the mean, of latents or of pixels (Benson & Perrett 1993, "Extracting
prototypical facial images from expressions"). Where the average is larger than the model's pictures, each photo is read
again, and the mean of the large crops gives what is finer.

Latents are added up as they come where their mean is what a blend would be (`is_plain_mean`); else all are kept.
"""

from __future__ import annotations

import math
import os
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..blend.blender import Blender, given_or_bundled
from ..blend.compositing import with_mean_colour
from ..blend.compositing.composing import check_source, named_size, output_side, resolve_source_weights
from ..blend.compositing.restoration import restore_photo
from ..blend.recipes import normalised_weights, recipe_of
from ..errors import FeatureblendError
from ..faces.alignment import AlignedFace, rescaling, resized, transform_points
from ..faces.masks import face_mask
from ..faces.warp import mean_shape, warp_to_shape
from ..io.image import to_uint8
from ..io.inputs import Input, Skipped
from ..io.photo_warnings import PhotoWarning, counted
from ..io.progress import progress
from ..io.tables import check_choice, flag, number, parse_number, read_table, whole, write_table
from ..metrics.scores import sharpness
from ..model.mixing import Source
from .face_store import PictureStore, cleaned_one_by_one, gather, inputs_of, noted, with_photo
from .rendering import (
    batches_in_shape,
    combined,
    covers_of,
    kept,
    latents_in_shape,
    recorded_size,
    summed,
)

COARSE = 2
"""Pixels of the model's pictures from which on an average is the networks': what they draw in single pixels is softer
than the average of many photos."""

MANY = 4
"""Faces that count alike, of which a mix is their mean (`featureblend.model.fine_mixing`)."""

AVERAGE_METHODS = ("latent", "morph", "pixel")
"""What is averaged: latents of faces in the mean shape, their pixels, or the pixels of the faces as they are."""


@dataclass(frozen=True)
class Average:
    """The average of many faces."""

    image: Image.Image = field(repr=False)
    """The picture."""
    measures: dict[str, Any]
    """``photos`` that were used, how many were ``skipped``, or ``mended`` ('latent' alone), and ``sharpness``: fine
    detail, the photos' weighted mean = 1."""
    recipe: dict[str, Any] = field(repr=False)
    """Inputs by hash, weights and model: enough to make it again. Skipped photos are not in it."""
    used: tuple[str, ...] = field(default=(), repr=False)
    """The photos that are in it, sorted as they were taken."""
    skipped: tuple[Skipped, ...] = ()
    """The photos that are not, and why."""
    mended: tuple[str, ...] = ()
    """The photos that are in it without their damage; without `mend`, none."""
    warnings: tuple[str, ...] = ()
    """What speaks against the photos: of how many of them, in plain sentences."""


def average(
    source: Input | Sequence[Input],
    *,
    weights: str | os.PathLike[str] | Mapping[str, float] | Sequence[float] | None = None,
    method: str = "latent",
    which: int | str = "largest",
    warp: bool = True,
    surroundings: Source = "mean",
    size: int | str | None = "photos",
    blender: Blender | None = None,
    quiet: bool = True,
) -> Average:
    """Average the faces of a folder, in its sorted order, one photo at a time.

    Parameters
    ----------
    source : folder, or sequence of photos and codes
        Of a folder also what lies in folders in it; pictures that featureblend made only if there is nothing else, or
        with `weights`.
    weights : path-like, mapping or sequence, optional
        A CSV file or a mapping of name to weight (`read_weights`), or one a photo; equal by default.
    method : {'latent', 'morph', 'pixel'}
    which : 'largest', 'central' or int
        Which face of each photo.
    warp : bool
        With 'latent': warp each face to the mean shape.
    surroundings : 'mean', 'auto' or int
        With 'latent': whose hair and background, as `Blender.blend`; by default everyone's, as in a mean of pixels.
    size : int or str
        Side of the picture in pixels, or one of `featureblend.blend.compositing.SIZES`: the median of the photos' own
        scales, at most 1,024 pixels ('photos'), the model's ('model'), or the first photo's own ('source').
    blender : Blender, optional
        The bundled model's by default.
    quiet : bool
        Show no progress bar.

    Returns
    -------
    Average

    Raises
    ------
    FeatureblendError
        If fewer than two photos can be used, or the weights do not fit.

    Examples
    --------
    >>> from featureblend.faces import EXAMPLES
    >>> made = average(EXAMPLES, size="model")
    >>> made.image.size, len(made.used), made.skipped
    ((128, 128), 6, ())
    """
    check_choice(method, "method", AVERAGE_METHODS)
    items, names, left_out = inputs_of(source, every=weights is not None)  # what is weighted by name may be any picture
    if isinstance(weights, (str, os.PathLike)):  # which may lie beside the photos
        left_out = tuple(one for one in left_out if not _is_same_file(source, one.photo, weights))
    table = read_weights(weights, names) if isinstance(weights, (str, os.PathLike)) else weights
    shares, unweighted = _weights_by_name(table, names, weights)
    wanted = [place for place, share in enumerate(shares) if share > 0]
    warp = flag(warp, "warp")
    surroundings = whole(surroundings)
    size = named_size(size)
    check_source(surroundings, len(items))
    blender = given_or_bundled(blender)
    found = gather(blender, [items[place] for place in wanted], [names[place] for place in wanted], which, quiet)
    mended: list[int] = []
    warnings: list[tuple[PhotoWarning, ...]] = []
    pictures = PictureStore()
    try:
        places = [wanted[place] for place in found.places]
        skipped = sorted((*unweighted, *found.skipped), key=lambda one: names.index(one.photo))
        if left_out:  # of a folder, which is taken in the order of the names
            skipped = sorted((*skipped, *left_out), key=lambda one: one.photo)
        if len(places) < 2:
            raise FeatureblendError(_too_few(len(places), len(items), skipped))
        taken = normalised_weights([shares[place] for place in places], len(places))
        target = (
            mean_shape(found.faces.landmarks, taken) if method == "morph" or (method == "latent" and warp) else None
        )
        natives = found.faces.native_sizes
        natives = [round(float(np.median(natives)))] if size == "photos" else natives
        side = output_side(size, blender.image_size, natives)
        large = progress(
            (with_photo(face, items[place]) for face, place in zip(found.faces, places, strict=True)),
            "average",
            "photo",
            quiet,
            len(places),
        )
        faces = progress(found.faces, "encode", "face", quiet or method != "latent", len(places))
        if method == "latent":
            degradations: list[np.ndarray | None] = []
            restored = noted(cleaned_one_by_one(blender, faces, mended), warnings)
            restored = _degradations_noted(restored, degradations)
            seen: Sequence[np.ndarray] | np.ndarray = pictures
            around, hair = taken, None
            if is_plain_mean(taken, surroundings):
                latent, mean = _means_as_they_come(batches_in_shape(blender, restored, target), taken, pictures)
                colours = mean, mean
            else:
                latents, warped = latents_in_shape(blender, restored, target)
                seen = warped
                if surroundings == "auto":
                    surroundings = found.faces.best_source()
                around = resolve_source_weights(found.faces, taken, surroundings)
                hair = None if surroundings == "mean" else kept(covers_of(warped), around, taken)
                latent = combined(blender, latents, taken, surroundings, hair=hair)
                colours = summed(warped, taken), summed(warped, around)
            decoded = blender.networks.pictures(latent[None])[0]
            points = mean_shape(found.faces.landmarks, taken) if target is None else target
            soft = with_mean_colour(decoded, *colours, points, hair=hair)
            if side == blender.image_size:
                picture = to_uint8(soft)
                detail = sum(share * sharpness(face.image) for share, face in zip(taken, found.faces, strict=True))
            else:
                (inside, outside), detail = _means(
                    large, [taken, around], target, side, blender.image_size, seen, degradations
                )
                picture = _with_detail(soft, inside, outside, points, hair)
        else:
            shown = noted(found.faces if side == blender.image_size else large, warnings)
            (whole_mean,), detail = _means(shown, [taken], target, side, blender.image_size)
            picture = to_uint8(whole_mean)
    finally:
        found.faces.close()
        pictures.close()
    recipe = recipe_of(
        blender.networks,
        "average",
        {} if size == "model" else {"size": recorded_size(size, side)},
        method=method,
        items=[items[place] for place in places],
        faces=[which] * len(places),
        weights=taken,
        warp=warp and method == "latent",
        surroundings=surroundings if method == "latent" else None,
    )
    measures = {
        "photos": len(places),
        "skipped": len(skipped),
        **({"mended": len(mended)} if method == "latent" else {}),
        "sharpness": round(sharpness(picture) / detail, 3) if detail > 0 else None,
    }
    used = tuple(names[place] for place in places)
    return Average(
        Image.fromarray(picture),
        measures,
        recipe,
        used,
        tuple(skipped),
        tuple(used[place] for place in mended),
        counted(warnings, used),
    )


def _is_same_file(folder: Any, name: str, other: str | os.PathLike[str]) -> bool:
    return os.path.realpath(os.path.join(folder, name)) == os.path.realpath(other)


def is_plain_mean(weights: np.ndarray, surroundings: Source) -> bool:
    """Whether mixing gives just the weighted mean: everyone's surroundings, and so many faces that lines too are mixed.

    Examples
    --------
    >>> is_plain_mean(np.full(4, 0.25), "mean"), is_plain_mean(np.full(4, 0.25), "auto")
    (True, False)
    >>> is_plain_mean(np.array([0.4, 0.2, 0.2, 0.2]), "mean")
    False
    """
    return surroundings == "mean" and bool(1 / np.square(weights).sum() >= MANY)


def _means_as_they_come(
    batches: Iterable[tuple[np.ndarray, np.ndarray]], weights: np.ndarray, store: PictureStore
) -> tuple[np.ndarray, np.ndarray]:
    """The weighted means of latents and of the pictures that they are of, which go to a file."""
    latent: Any = np.float32(0)
    colour: Any = np.float32(0)
    for latents, seen in batches:
        shares = np.asarray(weights[len(store) : len(store) + len(seen)], np.float32)
        latent, colour = latent + shares @ latents, colour + summed(seen, shares)
        for picture in seen:
            store.append(picture)
    return latent, colour


def _degradations_noted(faces: Iterable[AlignedFace], found: list[np.ndarray | None]) -> Iterator[AlignedFace]:
    for face in faces:
        found.append(face.degradation)
        yield face


def _means(
    faces: Iterable[AlignedFace],
    shares: Sequence[np.ndarray],
    target: np.ndarray | None,
    side: int,
    model: int,
    seen: Sequence[np.ndarray] | np.ndarray = (),
    degradations: Sequence[np.ndarray | None] = (),
) -> tuple[list[np.ndarray], float]:
    """Sum pictures in one shape by shares, and the sharpness of the pictures by the first of these.

    Parameters
    ----------
    faces : iterable of N AlignedFace
        Of the model's size.
    shares : sequence of (N,) arrays
    target : (68, 2) array or None
        The shape, in pixels of the model's size; None leaves the faces as they are.
    side, model : int
        Sides of the sums and of the model's pictures.
    seen, degradations : sequences of N, optional
        The pictures as they were encoded, and how far each was restored: what is larger is restored alike.

    Returns
    -------
    list of (side, side, 3) float64 arrays
        One for each row of shares.
    float
    """
    sums = [np.zeros((side, side, 3)) for _ in shares]
    detail = 0.0
    points = None if target is None else transform_points(target, rescaling(side / model))
    for place, face in enumerate(faces):
        crop = face.at(side)
        detail += float(shares[0][place]) * sharpness(crop.image)
        warped = crop.image if points is None else warp_to_shape(crop.image, crop.landmarks, points)
        degradation = degradations[place] if degradations else None
        if degradation is not None and degradation.any():
            warped = restore_photo(warped, seen[place], degradation)
        for total, row in zip(sums, shares, strict=True):
            if row[place]:
                total += row[place] * warped.astype(np.float64)
    return sums, detail


def _with_detail(
    soft: np.ndarray, inside: np.ndarray, outside: np.ndarray, points: np.ndarray, hair: np.ndarray | None = None
) -> np.ndarray:
    """Take what is coarse from a decoded average, and what is finer from the averages of the photos.

    Parameters
    ----------
    soft : (S, S, 3) float array
    inside, outside : (side, side, 3) arrays
        Averages of the photos, for the face and for what is around it.
    points : (68, 2) array
        The shape, in pixels of `soft`.
    hair : (S, S) array in [0, 1], optional
        Where the face has hair, which is the surroundings'.

    Returns
    -------
    (side, side, 3) uint8 array
    """
    side, model = len(inside), len(soft)
    mask = face_mask(transform_points(points, rescaling(side / model)), side)[..., None]
    if hair is not None:
        mask = mask * (1 - resized(hair, side)[..., None])
    shown = mask * inside.astype(np.float32) + (1 - mask) * outside.astype(np.float32)
    coarse = resized(np.asarray(soft, np.float32) - resized(shown, model), model // COARSE)
    return to_uint8(shown + resized(coarse, side))


def _too_few(used: int, given: int, skipped: Sequence[Skipped]) -> str:
    why = f"; {skipped[0].photo}: {skipped[0].reason}" if skipped else ""
    return f"an average needs two or more photos, and {used} of {given} can be used{why}"


def read_weights(path: str | os.PathLike[str], names: Sequence[str] = ()) -> dict[str, float]:
    """Read the weights of photos from a CSV file: a name and a number in each row, below a heading or none.

    Parameters
    ----------
    path : path-like
        As `featureblend.io.tables.read_table`, such as ``photo,weight`` and then ``ana.jpg,2``. A heading with
        ``photo`` and ``weight`` says which columns these are; else they are the first two. Other columns are left
        aside.
    names : sequence of str, optional
        What the photos are called: a first row that names one of them is no heading.

    Returns
    -------
    dict
        Name to weight, in the file's order.

    Raises
    ------
    FeatureblendError
        If it can't be read, a row is something else, or a photo has two.
    """
    shown = os.fspath(path)
    known = {_composed(one) for name in names for one in (name, Path(name).name)}
    found: dict[str, float] = {}
    photo, weight = 0, 1
    for index, (line, row) in enumerate(read_table(path)):
        try:
            name, share = row[photo].strip(), parse_number(row[weight])
        except (IndexError, ValueError) as error:
            titles = [cell.strip().lower() for cell in row]
            if index == 0 and len(row) > 1 and _composed(row[0].strip()) not in known:
                if {"photo", "weight"} <= set(titles):
                    photo, weight = titles.index("photo"), titles.index("weight")
                continue
            raise FeatureblendError(
                f"{shown}, line {line}: expected a photo and its weight, such as ana.jpg,2"
            ) from error
        if not math.isfinite(share) or share < 0:
            raise FeatureblendError(f"{shown}, line {line}: the weight of {name} must be a number of 0 or more")
        if name in found:
            raise FeatureblendError(f"{shown}, line {line}: {name} has a weight already")
        found[name] = share
    if not found:
        raise FeatureblendError(f"{shown} holds no weights: expected rows such as ana.jpg,2")
    return found


def _composed(name: str) -> str:
    """A name in the form in which accents are parts of their letters: file systems differ in that."""
    return unicodedata.normalize("NFC", name)


def _weights_by_name(
    table: Mapping[str, float] | Sequence[float] | None, names: Sequence[str], said: Any
) -> tuple[list[float], list[Skipped]]:
    """A weight for each name, 0 for those that are left out, and the list of these."""
    if table is None:
        return [1.0] * len(names), []
    if not isinstance(table, Mapping):
        return [float(share) for share in normalised_weights(table, len(names))], []
    where = os.fspath(said) if isinstance(said, (str, os.PathLike)) else "the weights"
    whole = [_composed(name) for name in names]
    short = [Path(name).name for name in whole]
    shares: list[float] = [math.nan] * len(names)
    for key, weight in table.items():
        if not isinstance(key, (str, os.PathLike)):
            raise FeatureblendError(f"{where} names {key!r}: expected a photo's name")
        places = [place for place, name in enumerate(whole) if name == _composed(os.fspath(key))]
        places = places or [place for place, name in enumerate(short) if name == _composed(os.fspath(key))]
        if len(places) != 1:
            many = f"{len(places)} photos are called that; write the folder too" if places else "there is no such photo"
            raise FeatureblendError(f"{where} names {key}: {many}")
        shares[places[0]] = number(weight, f"the weight of {key}")
    skipped = [
        Skipped(name, "weight 0" if share == 0 else f"no weight in {Path(where).name}")
        for name, share in zip(names, shares, strict=True)
        if not share > 0
    ]
    if len(skipped) == len(names):
        raise FeatureblendError(f"{where}: at least one weight must be more than 0")
    return [share if share > 0 else 0.0 for share in shares], skipped


def write_skipped(path: str | os.PathLike[str], skipped: Sequence[Skipped]) -> Path:
    """Write the table of what was skipped and why as CSV: ``photo,reason``."""
    return write_table(path, [("photo", "reason"), *((one.photo, one.reason) for one in skipped)])
