"""Regions of several faces put together in latent space: the eyes of one, the mouth of another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from PIL import Image

from ..blend.blender import Blender, given_or_bundled
from ..blend.compositing.composing import named_size, output_side
from ..blend.compositing.skin import tinted
from ..blend.quality import photo_warnings
from ..blend.recipes import Blend, recipe_of
from ..errors import FeatureblendError
from ..faces.alignment import AlignedFace
from ..faces.masks import face_mask, outside_face
from ..faces.parser import FaceParts, anyones_hair, face_parts
from ..io.inputs import Input
from ..io.photo_warnings import told
from ..io.tables import check_choice, flag, number
from ..metrics.distance import picture_distance
from ..metrics.scores import sharpness
from .rendering import Part, finished, latents_in_shape, placed_parts, recorded_size

REGIONS: Mapping[str, tuple[int, ...]] = {
    "eyes": (*range(17, 27), *range(36, 48)),
    "nose": tuple(range(27, 36)),
    "mouth": tuple(range(48, 68)),
    "hair": (),
}
"""The landmarks of each region. Eyes go with their brows. Hair has none and takes no shape along: it is where either
face has hair, and all else around the face, since the background behind hair that is longer is not known."""

REACH = 0.06
"""A region reaches so far beyond its landmarks, as a share of the crop's side: the skin that moves with it."""

SOFT = 0.03
"""Standard deviation of a region's edge, as a share of the crop's side."""


def region_mask(region: str, landmarks: np.ndarray, parts: Sequence[FaceParts]) -> np.ndarray:
    """How much of each place of an aligned crop belongs to a region.

    Parameters
    ----------
    region : str
        One of `REGIONS`.
    landmarks : (68, 2) array
        In the crop's pixels.
    parts : sequence of FaceParts
        Of the crops, (S, S), that the region is put into and taken from, in one shape.

    Returns
    -------
    (S, S) float32 array in [0, 1]

    Raises
    ------
    FeatureblendError
        If there is no such region.
    """
    check_choice(region, "region", REGIONS)
    hair = anyones_hair(parts)
    side = len(hair)
    if region == "hair":
        return np.maximum(outside_face(side), hair)
    points = np.rint(landmarks[list(REGIONS[region])]).astype(np.int32)
    mask = np.zeros((side, side), np.uint8)
    cv2.fillConvexPoly(mask, cv2.convexHull(points), 1)
    reach = 2 * round(REACH * side) + 1
    grown = cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))).astype(np.float32)
    soft = cv2.GaussianBlur(grown, (0, 0), max(0.5, SOFT * side))
    # Strands at the temples belong to nobody's eyes; hair over the brows does, or the brows would be missing.
    return soft * np.clip(1 - np.where(mask > 0, 0, hair), 0, 1).astype(np.float32)


def mix(
    base: Input,
    *,
    blender: Blender | None = None,
    which: int | str = "largest",
    warp: bool = True,
    size: int | str | None = "photos",
    detail: bool = True,
    **regions: Input | tuple[Input, float],
) -> Blend:
    """Give a face the eyes, nose, mouth or hair of others, in latent space.

    Parameters
    ----------
    base : photo or code
        The face that all else is of.
    blender : Blender, optional
        The bundled model's by default.
    which : 'largest', 'central' or int
        Which face of each photo.
    warp : bool
        Take the regions' shapes along.
    size : int or str
        Side of the picture in pixels, or one of `featureblend.blend.compositing.SIZES`: the scale of the photo with the
        largest face, at most 1,024 pixels ('photos'), the model's ('model'), or the base's own ('source').
    detail : bool
        Take the fine detail of the photos themselves; else the picture is what the networks draw, which is soft.
    **regions : photo, code, or tuple of one and a share
        Where ``eyes``, ``nose``, ``mouth`` and ``hair`` come from; the share, 1 by default, says how much.

    Returns
    -------
    Blend
        `parents` holds the base, then the others; the measures are its distance from each and its sharpness
        relative to the base.

    Raises
    ------
    FeatureblendError
        If no region is named, one is unknown, a share is not within 0 and 1, a photo can't be used, or the model's
        latent has no spatial part.

    Notes
    -----
    The landmarks of a region, and the latent at its places, are ``(1 - share)`` the base's plus ``share`` the other's,
    with a soft edge; every face is warped to the new shape before it is encoded. The global part of the latent is mixed
    by the part of the face's area that the regions take.

    Examples
    --------
    >>> from featureblend.faces import EXAMPLES
    >>> made = mix(EXAMPLES / "first.jpg", eyes=EXAMPLES / "second.jpg", mouth=(EXAMPLES / "third.jpg", 0.5))
    >>> made.recipe["options"]["regions"]
    {'eyes': [2, 1.0], 'mouth': [3, 0.5]}
    """
    donors, chosen = _donors(regions)
    warp, detail = flag(warp, "warp"), flag(detail, "detail")
    size = named_size(size)
    blender = given_or_bundled(blender)
    parts = placed_parts(blender)
    if not parts:
        raise FeatureblendError(
            f"the model {blender.config.name} keeps no places in its latent: regions can't be mixed"
        )
    items = [base, *donors]
    faces = blender.cleaned([blender.find(item, which, place) for place, item in enumerate(items, 1)])
    side = output_side(size, blender.image_size, [face.native_size for face in faces])
    image = _mixed(blender, faces, chosen, parts, warp, side, detail)
    options = {
        "regions": {region: [place + 1, share] for region, (place, share) in chosen.items()},
        "size": recorded_size(size, side),
        "detail": detail,
    }
    recipe = recipe_of(blender.networks, "mix", options, items=items, faces=[which] * len(items), warp=warp)
    crops = [face.at(len(image)).image for face in faces]
    sharp = sharpness(crops[0])
    measures = {
        "sharpness": round(sharpness(image) / sharp, 3) if sharp > 0 else None,
        "distances": [round(picture_distance(image, crop), 2) for crop in crops],
    }
    warnings = told([photo_warnings(face) for face in faces], [known["name"] for known in recipe["inputs"]])
    parents = tuple(Image.fromarray(face.image) for face in faces)
    return Blend(Image.fromarray(image), measures, recipe, parents, warnings)


def _donors(regions: Mapping[str, Any]) -> tuple[list[Input], dict[str, tuple[int, float]]]:
    """List the photos that regions come from, each once, and for each region the place (from 1) and the share."""
    if not regions:
        raise FeatureblendError(
            f"nothing to mix: say where {' or '.join(REGIONS)} come from, such as --eyes-from PHOTO"
        )
    donors: list[Input] = []
    chosen = {}
    for region in REGIONS:
        if region not in regions:
            continue
        said = regions[region]
        if isinstance(said, tuple) and len(said) != 2:
            raise FeatureblendError(f"{region}: expected a photo, or a photo and a share")
        item, share = said if isinstance(said, tuple) else (said, 1.0)
        number(share, f"{region}: the share", 0, 1)
        place = next((n for n, known in enumerate(donors) if _same(known, item)), len(donors))
        if place == len(donors):
            donors.append(item)
        chosen[region] = (place + 1, float(share))
    for region in regions:
        check_choice(region, "region", REGIONS)
    return donors, chosen


def _same(one: Input, other: Input) -> bool:
    return (
        one is other
        or (isinstance(one, type(other)) and isinstance(one, (str, bytes)) and one == other)
        or (hasattr(one, "__fspath__") and hasattr(other, "__fspath__") and one == other)
    )


def _mixed(
    blender: Blender,
    faces: Sequence[AlignedFace],
    chosen: Mapping[str, tuple[int, float]],
    parts: Sequence[Part],
    warp: bool,
    size: int,
    detail: bool,
) -> np.ndarray:
    base = faces[0].landmarks
    target = base.copy()
    for region, (place, share) in chosen.items():
        points = list(REGIONS[region])
        target[points] += share * (faces[place].landmarks[points] - base[points])
    latents, seen = latents_in_shape(blender, faces, target if warp else None)
    side = blender.image_size
    shown = [face_parts(picture) for picture in seen]
    whole = [share * region_mask(region, target, [shown[0], shown[place]]) for region, (place, share) in chosen.items()]

    def taken(grid: int) -> list[np.ndarray]:
        masks = [cv2.resize(mask, (grid, grid), interpolation=cv2.INTER_AREA) for mask in whole]
        # Where regions overlap they share the place; nowhere is more than all of it given away.
        crowded = np.maximum(1, np.sum(masks, axis=0))
        return [mask / crowded for mask in masks]

    result = latents[0].copy()
    elsewhere = np.ones(len(result), bool)
    for where, shape in parts:
        elsewhere[where] = False
        for mask, (place, _) in zip(taken(shape[-1]), chosen.values(), strict=True):
            result[where] += (mask * (latents[place][where] - latents[0][where]).reshape(shape)).ravel()
    coarse = parts[0][1][-1]
    face = 1 - outside_face(coarse)
    for mask, (place, _) in zip(taken(coarse), chosen.values(), strict=True):
        area = float((mask * face).sum() / face.sum())
        result[elsewhere] += area * (latents[place] - latents[0])[elsewhere]
    # The detail of each at the same places, on the crop's own grid.
    fine = taken(side)
    parents: list[tuple[AlignedFace, np.ndarray, np.ndarray | float]] = [
        (faces[0], latents[0], 1 - np.sum(fine, axis=0))
    ]
    for mask, (place, _) in zip(fine, chosen.values(), strict=True):
        parents.append((faces[place], latents[place], mask))
    # A region comes with its lines and its shade, but its skin is the base's.
    pictures = [_in_colour_of(seen[0], picture, target) for picture in seen]
    mean = pictures[0] + sum(
        mask[..., None] * (pictures[place] - pictures[0])
        for mask, (region, (place, _)) in zip(fine, chosen.items(), strict=True)
        if region != "hair"
    )
    place, share = chosen.get("hair", (0, 0.0))
    around = (1 - share) * pictures[0] + share * seen[place]
    return finished(blender, result, target if warp else None, parents, mean, around, size, detail)


def _in_colour_of(base: np.ndarray, picture: np.ndarray, points: np.ndarray) -> np.ndarray:
    """A picture with the mean colour of another's face, (S, S, 3) float32."""
    where = face_mask(points, len(base), forehead=0).ravel()
    old, new = (np.average(one.reshape(-1, 3), axis=0, weights=where) for one in (picture, base))
    return tinted(picture.astype(np.float32), *(np.broadcast_to(one, base.shape) for one in (old, new)))
