"""Transforms of one face: along the way from one group of faces to another, and towards its own mirror image."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np
from PIL import Image

from ..blend.blender import Blender, given_or_bundled
from ..blend.compositing.composing import named_size, output_side
from ..blend.quality import photo_warnings
from ..blend.recipes import Blend, recipe_of
from ..errors import FeatureblendError
from ..faces.alignment import AlignedFace, rescaling, transform_points
from ..faces.landmarks import MIRRORED
from ..faces.masks import outside_face
from ..faces.warp import mean_shape
from ..io.codes import Code
from ..io.inputs import Input
from ..io.photo_warnings import PhotoWarning, counted, told
from ..io.progress import progress
from ..io.tables import flag, number
from ..metrics.mirror import symmetry
from ..metrics.scores import sharpness
from ..model.mixing import Source
from .face_store import cleaned_one_by_one, gather, inputs_of, noted
from .rendering import (
    combined,
    covers_of,
    finished,
    kept,
    latents_in_shape,
    recorded_size,
    summed,
    uncovered,
    with_source,
)

MAX_AMOUNT = 10.0
"""Larger amounts are refused: a landmark would leave the picture."""

SHOWN = 5
"""So many photos that are left out are named in warnings; of the others, how many they are."""


@dataclass(frozen=True)
class _Asked:
    """What every change of a face takes, checked."""

    amount: float
    which: int | str
    warp: bool
    keep_surroundings: bool
    size: int | str
    detail: bool
    blender: Blender

    @classmethod
    def checked(
        cls,
        amount: float,
        which: int | str,
        warp: bool,
        keep_surroundings: bool,
        size: int | str | None,
        detail: bool,
        blender: Blender | None,
    ) -> _Asked:
        amount = number(amount, "amount", -MAX_AMOUNT, MAX_AMOUNT)
        warp, detail = flag(warp, "warp"), flag(detail, "detail")
        keep_surroundings = flag(keep_surroundings, "keep_surroundings")
        size = named_size(size)
        return cls(amount, which, warp, keep_surroundings, size, detail, given_or_bundled(blender))

    def side(self, own: AlignedFace) -> int:
        """Side of the picture in pixels."""
        return output_side(self.size, self.blender.image_size, [own.native_size])

    def result(
        self,
        image: np.ndarray,
        own: AlignedFace,
        verb: str,
        items: Sequence[Input],
        more: dict[str, Any] | None = None,
        **measures: float,
    ) -> Blend:
        """The picture with its measures, warnings and recipe; `more` goes into the recipe's options."""
        options = {
            "amount": self.amount,
            **(more or {}),
            "keep_surroundings": self.keep_surroundings,
            "size": recorded_size(self.size, len(image)),
            "detail": self.detail,
        }
        which = [self.which] * len(items)
        recipe = recipe_of(self.blender.networks, verb, options, items=items, faces=which, warp=self.warp)
        detail = sharpness(own.at(len(image)).image)
        found = {**measures, "sharpness": round(sharpness(image) / detail, 3) if detail > 0 else None}
        warnings = told([photo_warnings(own)], [recipe["inputs"][0]["name"]])
        return Blend(Image.fromarray(image), found, recipe, (Image.fromarray(own.image),), warnings)


def transform(
    photo: Input,
    start: Input | Sequence[Input],
    end: Input | Sequence[Input],
    amount: float = 0.5,
    *,
    which: int | str = "largest",
    warp: bool = True,
    keep_surroundings: bool = True,
    size: int | str | None = "photos",
    detail: bool = True,
    blender: Blender | None = None,
    quiet: bool = True,
) -> Blend:
    """Change a face by what tells two others apart: A + amount (C - B), in shape and in latent.

    Parameters
    ----------
    photo : photo or code
        A, the face to change.
    start, end : photo, code, folder, or sequence of these
        B and C; of several, the mean. Photos of a folder that show no face are left out, and pictures beside them that
        featureblend made; warnings name them.
    amount : float
        1 adds the whole difference; negative amounts take it away. From -10 to 10.
    which : 'largest', 'central' or int
        Which face of each photo.
    warp : bool
        Change the shape too. Every face is warped to the new shape before it is encoded, so that differences of
        latents are not those of shape.
    keep_surroundings : bool
        Leave A's hair and background alone; else the difference is added everywhere.
    size : int or str
        Side of the picture in pixels, or one of `featureblend.blend.compositing.SIZES`: A's own scale, at most 1,024
        pixels ('photos'), the model's ('model'), or A's own, whatever it is ('source').
    detail : bool
        Keep A's own fine detail; else the picture is what the networks draw, which is soft.
    blender : Blender, optional
        The bundled model's by default.
    quiet : bool
        Show no progress bar.

    Returns
    -------
    Blend
        `parents` holds A alone; the measure ``sharpness`` is relative to it.

    Raises
    ------
    FeatureblendError
        If A shows no face, no photo of B or of C does, or the amount is out of range.

    Notes
    -----
    webmorph's transform (DeBruine 2018) in latent space; B. Tiddeman, M. Burt & D. Perrett, "Prototyping and
    transforming facial textures for perception research", 2001.

    Examples
    --------
    >>> from featureblend.faces import EXAMPLES
    >>> first, second, third = (EXAMPLES / f"{name}.jpg" for name in ("first", "second", "third"))
    >>> transform(first, second, third, amount=0.5, size="model").image.size
    (128, 128)
    """
    asked = _Asked.checked(amount, which, warp, keep_surroundings, size, detail, blender)
    amount, blender = asked.amount, asked.blender
    own = blender.find(photo, which, 1)
    side = asked.side(own)
    ends, used, skipped = [], [], []
    for source, what in ((start, "--from"), (end, "--to")):
        items, names, left_out = inputs_of(source)
        if not items:
            raise FeatureblendError(f"{what}: expected one photo or more")
        found = gather(blender, items, names, which, quiet, f"find faces of {what}")
        if not found.faces or (found.skipped and len(items) == 1):
            raise FeatureblendError(f"{what}: {found.skipped[0].photo}: {found.skipped[0].reason}")
        skipped += [f"{what}: {one.photo} is left out: {one.reason}" for one in (*found.skipped, *left_out)]
        used += [names[place] for place in found.places]
        ends.append(([items[place] for place in found.places], found))
    (before, old), (after, new) = ends
    try:
        (own,) = blender.cleaned([own])
        shares = np.concatenate(
            [[1.0], np.full(len(before), -amount / len(before)), np.full(len(after), amount / len(after))]
        )
        target = mean_shape([own.landmarks, *old.faces.landmarks, *new.faces.landmarks], shares) if asked.warp else None
        faces = chain([own], old.faces, new.faces) if amount else [own]  # of 0, the others are not even encoded
        bar = progress(faces, "transform", "face", quiet, len(shares))
        warnings: list[tuple[PhotoWarning, ...]] = []
        latents, seen = latents_in_shape(blender, noted(cleaned_one_by_one(blender, bar, []), warnings), target)
        surroundings: Source = 1 if asked.keep_surroundings else "mean"
        taken = shares[: len(latents)]
        home = np.arange(len(taken)) == 0
        groups = home, np.where(home, 0, np.maximum(taken, 0)), np.maximum(-taken, 0)
        hair = None
        if asked.keep_surroundings:
            covers = np.stack(list(covers_of(seen, background=True)))
            hair = kept(covers, *groups)
            ends_of = slice(1, 1 + len(before)), slice(1 + len(before), len(taken))
            for group in ends_of if amount else ():
                latents, seen = uncovered(blender, latents, seen, covers, group)
        latent = combined(blender, latents, taken, surroundings, hair=hair)
        mean = summed(seen, taken)
        around = summed(seen[:1], [1]) if asked.keep_surroundings else mean
        image = finished(blender, latent, target, [(own, latents[0], 1.0)], mean, around, side, asked.detail, hair)
    finally:
        old.faces.close()
        new.faces.close()
    items = [photo, *before, *after]
    made = asked.result(image, own, "transform", items, {"from": len(before), "to": len(after)})
    of_groups = counted(warnings[1:], used if amount else [], "photos of both groups")
    more = [f"and {len(skipped) - SHOWN} more are left out"] if len(skipped) > SHOWN else []
    return replace(made, warnings=(*made.warnings, *of_groups, *skipped[:SHOWN], *more))


def transform_along(
    photo: Input,
    direction: Code | str | os.PathLike[str],
    amount: float = 1.0,
    *,
    which: int | str = "largest",
    warp: bool = True,
    keep_surroundings: bool = True,
    size: int | str | None = "photos",
    detail: bool = True,
    blender: Blender | None = None,
) -> Blend:
    """Change a face along a direction in latent space and in shape, such as a regression of a trait gives.

    Parameters
    ----------
    photo : photo or code
        The face to change.
    direction : Code or path of one
        Differences in place of a face: of latents and, where the shape is to change, of landmarks in pixels of the
        aligned crop. It is saved and loaded as any code.
    amount : float
        1 adds the whole direction; negative amounts take it away. From -10 to 10.
    which, warp, keep_surroundings, size, detail, blender
        As `transform`.

    Returns
    -------
    Blend
        `parents` holds the face alone; the measure ``sharpness`` is relative to it.

    Raises
    ------
    FeatureblendError
        If the photo shows no face, the direction is another model's or a face's code, or the amount is out of range.

    Examples
    --------
    >>> from featureblend.faces import EXAMPLES
    >>> blender = Blender.from_pretrained()
    >>> first, second = (blender.encode(EXAMPLES / f"{name}.jpg") for name in ("first", "second"))
    >>> direction = replace(first, latent=second.latent - first.latent, landmarks=second.landmarks - first.landmarks)
    >>> transform_along(first, direction, 0.5, blender=blender, size="model").image.size
    (128, 128)
    """
    asked = _Asked.checked(amount, which, warp, keep_surroundings, size, detail, blender)
    amount, blender = asked.amount, asked.blender
    way = direction if isinstance(direction, Code) else Code.load(direction)
    blender.check_code(way, 2, difference=True)
    (own,) = blender.cleaned([blender.find(photo, which, 1)])
    side = asked.side(own)
    target = None
    if asked.warp:
        target = own.landmarks if way.landmarks is None else own.landmarks + amount * way.landmarks
    latents, seen = latents_in_shape(blender, [own], target)
    latent = latents[0] + np.float32(amount) * way.latent
    hair = None
    if asked.keep_surroundings and amount:
        hair = kept(covers_of(seen), np.ones(1))
        latent = with_source(blender, latent, latents[0], hair)
    # No photo tells the colours of the changed face: it is the decoded change that is added to its own.
    before, after = blender.networks.pictures(np.stack([latents[0], latent])).astype(np.float32)
    around = summed(seen, [1])
    mean = around + after - before
    around = around if asked.keep_surroundings else mean
    image = finished(blender, latent, target, [(own, latents[0], 1.0)], mean, around, side, asked.detail, hair)
    return asked.result(image, own, "transform", [photo, direction], {"direction": True})


def symmetrize(
    photo: Input,
    amount: float = 1.0,
    *,
    which: int | str = "largest",
    warp: bool = True,
    keep_surroundings: bool = True,
    size: int | str | None = "photos",
    detail: bool = True,
    blender: Blender | None = None,
) -> Blend:
    """Blend a face with its own mirror image, in shape and in latent.

    Parameters
    ----------
    photo : photo or code
    amount : float
        0 leaves it as it is, 1 makes it symmetric, -1 doubles its asymmetry. From -10 to 10.
    which : 'largest', 'central' or int
        Which face of the photo.
    warp : bool
        Make the shape symmetric too.
    keep_surroundings : bool
        Leave hair and background alone: landmarks align the face only, so hair and its mirror image do not meet.
    size : int or str
        Side of the picture in pixels, or one of `featureblend.blend.compositing.SIZES`: the photo's own scale, at most
        1,024 pixels ('photos'), the model's ('model'), or the photo's own, whatever it is ('source').
    detail : bool
        Keep the photo's own fine detail; else the picture is what the networks draw, which is soft.
    blender : Blender, optional
        The bundled model's by default.

    Returns
    -------
    Blend
        Measures: ``symmetry`` of the result and ``symmetry_before`` (`featureblend.metrics.mirror.symmetry`), and
        ``sharpness`` relative to the photo.

    Raises
    ------
    FeatureblendError
        If the photo shows no face, or the amount is out of range.

    Examples
    --------
    >>> from featureblend.faces import EXAMPLES
    >>> made = symmetrize(EXAMPLES / "first.jpg")
    >>> made.measures["symmetry"] > made.measures["symmetry_before"]
    True
    """
    asked = _Asked.checked(amount, which, warp, keep_surroundings, size, detail, blender)
    amount, blender = asked.amount, asked.blender
    (own,) = blender.cleaned([blender.find(photo, which, 1)])
    side = asked.side(own)
    other = _mirrored(own)
    shares = np.array([1 - amount / 2, amount / 2])
    target = mean_shape([own.landmarks, other.landmarks], shares) if asked.warp else None
    latents, seen = latents_in_shape(blender, [own, other], target)
    latent = combined(blender, latents, shares, "mean")  # else lines of one side would be drawn on both
    theirs, hair = np.full((blender.image_size,) * 2, np.clip(amount / 2, 0, 1), np.float32), None
    if asked.keep_surroundings:
        hair = kept(covers_of(seen), [1, 0], [0, 1])
        latent = with_source(blender, latent, latents[0], hair)
        theirs *= 1 - np.maximum(outside_face(blender.image_size), hair)
    parents = [(own, latents[0], 1 - theirs), (other, latents[1], theirs)]
    mean = summed(seen, shares)
    around = summed(seen[:1], [1]) if asked.keep_surroundings else mean
    image = finished(blender, latent, target, parents, mean, around, side, asked.detail, hair)
    if amount == 1 and not asked.keep_surroundings:
        # The networks know left from right a little; the mean with the picture's own mirror image takes that out.
        image = ((image.astype(np.uint16) + image[:, ::-1] + 1) // 2).astype(np.uint8)
    points = transform_points(own.landmarks if target is None else target, rescaling(len(image) / blender.image_size))
    return asked.result(
        image,
        own,
        "symmetrize",
        [photo],
        symmetry=round(symmetry(image, points), 3),
        symmetry_before=round(symmetry(own.image, own.landmarks), 3),
    )


def _mirrored(face: AlignedFace) -> AlignedFace:
    """The mirrored face, with its mirrored photo."""
    side = face.image.shape[1]
    turned = face.landmarks[list(MIRRORED)] * (-1, 1) + (side - 1, 0)
    photo = None if face.photo is None else face.photo[:, ::-1]
    width = side if photo is None else photo.shape[1]
    flips = [np.array([[-1.0, 0, length - 1], [0, 1, 0], [0, 0, 1]]) for length in (side, width)]
    matrix = (flips[0] @ np.vstack([face.matrix, [0, 0, 1]]) @ flips[1])[:2]
    # Cleaned anew, the mirror image would differ a little: the cleaner knows left from right.
    image, restored = (np.ascontiguousarray(one[:, ::-1]) for one in (face.image, face.restored))
    crown = None if face.crown is None else replace(face.crown, x=width - 1 - face.crown.x)
    return AlignedFace(image, turned, matrix, photo=photo, cleaned=restored, degradation=face.degradation, crown=crown)
