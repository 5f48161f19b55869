"""Continua: pictures in even steps from one face to the next, and beyond them."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..blend.baselines import BASELINES
from ..blend.blender import Blender, given_or_bundled, which_faces
from ..blend.compositing.composing import best_source, check_source, named_size, output_side
from ..blend.pipeline import METHODS, BlendOptions
from ..blend.quality import photo_warnings
from ..blend.recipes import recipe_of
from ..errors import FeatureblendError
from ..faces.alignment import AlignedFace
from ..faces.warp import mean_shape
from ..io.files import keep_inputs
from ..io.inputs import Input, input_name
from ..io.photo_warnings import told
from ..io.progress import progress
from ..io.tables import check_choice, flag, number, whole
from ..io.video import check_out, write_pictures
from ..model.mixing import Source
from .rendering import (
    combined,
    covers_of,
    finished,
    kept,
    latents_in_shape,
    recorded_size,
    summed,
)

EASES: Mapping[str, Callable[[float], float]] = {
    "linear": lambda t: t,
    "in": lambda t: t * t,
    "out": lambda t: t * (2 - t),
    "in-out": lambda t: (1 - math.cos(math.pi * t)) / 2,
}
"""How the way from one photo to the next is gone: evenly, or slowly at its start, its end, or both."""

BEYOND = ("latent", "morph", "pixel")
"""The methods that can go beyond the photos."""

MAX_BEYOND = 10.0
"""Nothing is asked further than this many times the way beyond a photo."""

MAX_STEPS = 10_000

FRAMES_BYTES = 600_000_000
"""All pictures of a continuum are in memory at once: where there are hundreds, they are smaller than the photos."""


@dataclass(frozen=True)
class Continuum:
    """Pictures along the way through photos."""

    frames: tuple[Image.Image, ...] = field(repr=False)
    """The pictures; there and back again, if asked."""
    positions: tuple[float, ...]
    """Where each stands: 0 is the first photo, 1 the second, 2 the third; below 0 and above the last is beyond them."""
    recipe: dict[str, Any] = field(repr=False)
    """Inputs by hash, steps and model: enough to make it again."""
    names: tuple[str, ...] = ()
    """What the photos are called."""
    warnings: tuple[str, ...] = ()
    """What speaks against the photos, in plain sentences."""

    def save(
        self,
        out: str | os.PathLike[str],
        fps: float = 10,
        *,
        columns: int | None = None,
        metadata: bool = True,
    ) -> Path:
        """Write a video (.mp4, .m4v, .mov), animation (.gif, .webp), contact sheet (.png, .jpg), or a folder of frames.

        Parameters
        ----------
        out : path-like
            A name without an ending is a folder, which gets numbered PNG files and a table of their weights,
            ``frames.csv``; it must be new, empty, or hold such frames only.
        fps : float
            Pictures a second of a video or animation.
        columns : int, optional
            Pictures a row of a contact sheet.
        metadata : bool
            Put the recipe into the file.

        Returns
        -------
        Path

        Raises
        ------
        FeatureblendError
            If the ending is unknown, the folder to write in is missing or holds other files, or a photo that went
            in would be written over.
        """
        columns, metadata = whole(columns), flag(metadata, "metadata")
        if columns is not None and (not isinstance(columns, int) or isinstance(columns, bool) or columns < 1):
            raise FeatureblendError(f"{columns!r} columns: expected at least 1")
        path = check_out(out, fps)
        for written in sorted(path.iterdir()) if path.is_dir() else [path]:
            keep_inputs(written, self.recipe)
        table = [
            {"position": f"{position:.6g}", **{f"weight_{n}": f"{share:.6g}" for n, share in enumerate(shares, 1)}}
            for position in self.positions
            for shares in [_shares(position, len(self.names))]
        ]
        return write_pictures(
            path,
            [np.asarray(frame) for frame in self.frames],
            [_label(position, len(self.names)) for position in self.positions],
            table,
            self.recipe_for(fps, columns) if metadata else None,
            fps,
            columns,
        )

    def recipe_for(self, fps: float = 10, columns: int | None = None) -> dict[str, Any]:
        """The recipe of the file that `save` writes with these settings."""
        file = {"fps": float(fps), "columns": columns}
        return {**self.recipe, "options": {**self.recipe["options"], **file}}


def continuum(
    photos: Sequence[Input],
    *,
    steps: int = 11,
    start: float = 0.0,
    end: float = 1.0,
    bounce: bool = False,
    ease: str = "linear",
    method: str = "latent",
    which: int | str | Sequence[int | str] = "largest",
    warp: bool = True,
    surroundings: Source | Sequence[int] = "auto",
    size: int | str | None = "photos",
    detail: bool | None = None,
    blender: Blender | None = None,
    quiet: bool = True,
) -> Continuum:
    """Make the pictures along the way from a photo to the next, through several in turn.

    Parameters
    ----------
    photos : sequence of two or more photos or codes
    steps : int
        Pictures from each photo to the next, both of them included: 11 are 0 %, 10 %, ... 100 %.
    start, end : float
        Where the way starts, counted from the first photo (0) to the second (1), and where it ends on the way to the
        last (1). -0.5 and 1.5 go half the way beyond both: every difference is exaggerated.
    bounce : bool
        Go there and back again, so that the film can run in a circle.
    ease : {'linear', 'in', 'out', 'in-out'}
        How the way from each photo to the next is gone.
    method : str
        One of `featureblend.blend.blender.METHODS`; beyond the photos only latent, morph and pixel.
    which : 'largest', 'central', int, or a sequence of these
        Which face of each photo.
    warp : bool
        With 'latent': warp the faces to the shape in between.
    surroundings : 'auto', 'mean', int or sequence of int
        With 'latent': whose hair and background, as `Blender.blend`; 'auto' is 'blend', the way from one photo's to the
        next one's, or without `warp` decided for each two neighbours, and so may be a number for each, as recipes keep
        it. Beyond a photo it is the photo's.
    size : int or str
        Side of each picture in pixels, or one of `featureblend.blend.compositing.SIZES`: the scale of the photo with
        the largest face, at most 1,024 pixels and so that all pictures fit in `FRAMES_BYTES` ('photos'), the model's
        ('model'), or the first photo's own ('source').
    detail : bool, optional
        Whether the fine detail is the photos' own, as `Blender.blend`; by default with 'latent' only.
    blender : Blender, optional
        The bundled model's by default.
    quiet : bool
        Show no progress bar.

    Returns
    -------
    Continuum

    Raises
    ------
    FeatureblendError
        If there are fewer than two photos, one can't be used, or a setting is out of range.

    Examples
    --------
    >>> from featureblend.faces import EXAMPLES
    >>> made = continuum([EXAMPLES / "first.jpg", EXAMPLES / "second.jpg"], steps=3, size="model")
    >>> made.positions, made.frames[0].size
    ((0.0, 0.5, 1.0), (128, 128))
    """
    items = list(photos) if isinstance(photos, (list, tuple)) else []
    if len(items) < 2:
        raise FeatureblendError("two or more photos are needed for a continuum")
    places = positions(len(items), steps, start, end, ease)
    check_choice(method, "method", METHODS)
    if (min(places) < 0 or max(places) > len(items) - 1) and method not in BEYOND:
        raise FeatureblendError(
            f"the method {method!r} can't go beyond the photos: use {', '.join(BEYOND)}, or the range 0 to 1"
        )
    surroundings = whole(surroundings)
    of_legs = list(surroundings) if isinstance(surroundings, (list, tuple)) else []
    if not of_legs:
        between = isinstance(surroundings, str) and surroundings == "blend"  # each two neighbours'
        check_source(surroundings, 2 if between else len(items))
    elif len(of_legs) != len(items) - 1 or any(who not in (leg, leg + 1) for leg, who in enumerate(of_legs, 1)):
        raise FeatureblendError(f"surroundings {surroundings!r}: expected one of its two photos' numbers for each leg")
    choices = which_faces(which, len(items))
    bounce = flag(bounce, "bounce")
    blend_options = BlendOptions(method, warp, detail=detail)
    blender = given_or_bundled(blender)
    faces = [blender.find(item, one, place) for place, (item, one) in enumerate(zip(items, choices, strict=True), 1)]
    faces = blender.cleaned(faces) if method == "latent" else faces
    size = named_size(size)
    side = output_side(size, blender.image_size, [face.native_size for face in faces])
    if size == "photos":
        side = max(blender.image_size, min(side, math.isqrt(FRAMES_BYTES // (3 * len(places)))))
    blend_options = replace(blend_options, size=side, detail=blend_options.detailed)
    legs = range(len(faces) - 1)
    if isinstance(surroundings, str) and surroundings == "auto" and method == "latent" and warp:
        surroundings = "blend"
    elif isinstance(surroundings, str) and surroundings == "auto" and method == "latent":
        # Decided once, and kept in the recipe: for each two neighbours, and of two photos simply whose.
        of_legs = [leg + best_source(faces[leg : leg + 2]) for leg in legs]
        surroundings = of_legs[0] if len(of_legs) == 1 else of_legs
    whose = [_of_pair(surroundings, leg) for leg in legs]
    pictures = [
        _between(blender, faces, position, blend_options, whose)
        for position in progress(places, "continuum", "picture", quiet)
    ]
    if bounce:
        places, pictures = places + places[-2:0:-1], pictures + pictures[-2:0:-1]
    options = {"steps": int(steps), "start": float(start), "end": float(end), "bounce": bounce, "ease": ease}
    options |= {"size": recorded_size(size, side), "detail": blend_options.detailed}
    recipe = recipe_of(
        blender.networks,
        "continuum",
        options,
        method=method,
        items=items,
        faces=choices,
        warp=blend_options.warp and method == "latent",
        surroundings=surroundings if method == "latent" else None,
    )
    names = tuple(input_name(item, place) for place, item in enumerate(items, 1))
    warnings = told([photo_warnings(face) for face in faces], names)
    return Continuum(tuple(map(Image.fromarray, pictures)), tuple(places), recipe, names, warnings)


def positions(count: int, steps: int, start: float, end: float, ease: str) -> list[float]:
    """Positions of the pictures of a continuum through `count` photos; parameters as `continuum`.

    Examples
    --------
    >>> positions(2, 3, -0.5, 1.5, "linear")
    [-0.5, 0.5, 1.5]
    >>> positions(3, 3, 0, 1, "linear")
    [0.0, 0.5, 1.0, 1.5, 2.0]
    """
    steps = whole(steps)
    if not isinstance(steps, int) or not 2 <= steps <= MAX_STEPS:
        raise FeatureblendError(f"{steps} steps: expected 2 to {MAX_STEPS}")
    check_choice(ease, "ease", EASES)
    for name, value in (("from", start), ("to", end)):
        number(value, f"--{name}", -MAX_BEYOND, MAX_BEYOND)
    if start == end and count == 2:
        raise FeatureblendError(f"the way from {start:g} to {end:g} has no length")
    found = [float(start)]
    for leg in range(count - 1):
        low, high = (start if leg == 0 else leg), (leg + end if leg == count - 2 else leg + 1)
        along = [EASES[ease](step / (steps - 1)) for step in range(1, steps)]
        found += [round(float(low + (high - low) * share), 12) for share in along]
    return found


def _shares(position: float, count: int) -> np.ndarray:
    """Each photo's share at a position; at most two are above 0."""
    leg = int(np.clip(math.floor(position), 0, count - 2))
    shares = np.zeros(count)
    shares[leg], shares[leg + 1] = 1 - (position - leg), position - leg
    return shares


def _between(
    blender: Blender,
    faces: Sequence[AlignedFace],
    position: float,
    blend_options: BlendOptions,
    whose: Sequence[Source],
) -> np.ndarray:
    """Make the picture at one position, out of the two photos beside it, each two of which have their surroundings."""
    shares = _shares(position, len(faces))
    leg = int(np.clip(math.floor(position), 0, len(faces) - 2))
    surroundings, side = whose[leg], int(blend_options.size or 0)
    pair, shares = faces[leg : leg + 2], shares[leg : leg + 2]
    if (shares >= 0).all():
        made = blender.blend_faces(
            pair,
            shares,
            blend_options.method,
            measures="none",
            warp=blend_options.warp,
            surroundings=surroundings,
            size=blend_options.size,
            detail=blend_options.detail,
        )
        return np.asarray(made.image)
    if blend_options.method != "latent":
        crops = [face.at(side) for face in pair]
        landmarks = [crop.landmarks for crop in crops]
        return BASELINES[blend_options.method]([crop.image for crop in crops], shares.tolist(), landmarks)
    home = int(shares[1] > 1)
    target = mean_shape([face.landmarks for face in pair], shares) if blend_options.warp else None
    latents, seen = latents_in_shape(blender, pair, target)
    if isinstance(surroundings, str) and surroundings == "blend":
        surroundings = home + 1
    hair = None if surroundings == "mean" else kept(covers_of(seen), [1, 0], [0, 1])
    latent = combined(blender, latents, shares, surroundings, home, hair)
    mean = summed(seen, shares)
    around = mean if surroundings == "mean" else summed(seen[home : home + 1], [1])
    parent = (pair[home], latents[home], 1.0)
    return finished(blender, latent, target, [parent], mean, around, side, bool(blend_options.detail), hair)


def _of_pair(surroundings: Source | Sequence[int], leg: int) -> Source:
    """Whose hair and background a pair of neighbouring photos shows: 1, 2, or a mode such as "auto"."""
    if isinstance(surroundings, str):
        return surroundings  # type: ignore[return-value]
    if not isinstance(surroundings, (int, np.integer)):
        return int(surroundings[leg]) - leg
    return 1 if surroundings <= leg + 1 else 2


def _label(position: float, count: int) -> str:
    if count == 2:
        return f"{100 * position:.4g} %"
    if position == round(position) and 0 <= position <= count - 1:
        return f"photo {round(position) + 1}"
    leg = int(np.clip(math.floor(position), 0, count - 2))
    return f"{leg + 1} to {leg + 2}, {100 * (position - leg):.4g} %"
