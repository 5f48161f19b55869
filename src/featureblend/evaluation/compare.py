"""Comparison: every method on one pair of photos, as one labelled sheet with the measures under each."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from .. import __version__
from ..blend.blender import Blender, given_or_bundled
from ..blend.compositing.composing import named_size, output_side
from ..blend.pipeline import BlendKeywords
from ..blend.recipes import input_facts
from ..errors import FeatureblendError
from ..io.files import keep_inputs, require_parent
from ..io.image import Photo, photo_name
from ..io.metadata import save_picture
from ..io.progress import progress
from ..io.sheets import labelled_sheet
from .methods import VARIANTS, check_methods, default_methods, method_names, variant_of

COMPARED_METHODS = tuple(name for name in method_names() if name != "pca")
"""The methods that need no training faces."""

CELL = 512
"""Side of a picture in pixels, where none is asked for: the sheet has a dozen of them."""

COLUMNS = 6
"""Pictures a row."""

CAPTIONS = {
    "sharpness": "sharpness",
    "ghosting": "ghosting",
    "ghosting_inside_face": "… inside",
    "ghosting_outside_face": "… outside",
    "balance": "balance",
}
"""The measures that are shown, by what they are called under a picture."""


@dataclass(frozen=True)
class Comparison:
    """What several methods made of one pair."""

    measures: dict[str, dict[str, Any]] = field(repr=False)
    """Of each method, as `featureblend.metrics.measures.MEANINGS` explains them; ``{"failed": reason}`` where it
    failed."""
    warnings: tuple[str, ...] = ()
    """What speaks against the photos, whichever method met it."""


def compare(
    photos: Sequence[Photo],
    out: str | os.PathLike[str],
    blender: Blender | None = None,
    methods: Sequence[str] | None = None,
    which: Sequence[int | str] = ("largest", "largest"),
    size: int | str | None = "photos",
    quiet: bool = True,
) -> Comparison:
    """Blend two photos half and half by several methods, and lay the blends side by side.

    The sheet says what it is made of, and that it is synthetic.

    Parameters
    ----------
    photos : two photos
        Path-likes, PIL images or (H, W, 3) uint8 arrays.
    out : path-like
        The sheet to write.
    blender : Blender, optional
        The bundled model's by default.
    methods : sequence of str, optional
        Some of `COMPARED_METHODS`; by default all that differ.
    which : two of 'largest', 'central' or int
        Which face of each photo.
    size : int or str
        Side of each picture in pixels, or one of `featureblend.blend.compositing.SIZES`: the scale of the photo with
        the larger face, at most `CELL` pixels ('photos'), the model's, or the first photo's.
    quiet : bool
        Show no progress bar.

    Returns
    -------
    Comparison

    Raises
    ------
    FeatureblendError
        If there are not two photos, one shows no face, a method is unknown, or the sheet can't be written.
    """
    require_parent(out)
    size = named_size(size)
    if len(photos) != 2 or len(which) != 2:
        raise FeatureblendError(f"two photos are compared, not {len(photos)}: featureblend compare A B -o sheet.png")
    blender = given_or_bundled(blender)
    worth = [method for method in default_methods({"latent": blender}) if method in COMPARED_METHODS]
    chosen = check_methods(worth if methods is None else methods, COMPARED_METHODS)
    faces = [blender.find(photo, face, place) for place, (photo, face) in enumerate(zip(photos, which, strict=True), 1)]
    side = output_side(size, blender.image_size, [face.native_size for face in faces])
    side = min(side, max(CELL, blender.image_size)) if size == "photos" else side
    pictures = [face.at(side).image for face in faces]
    labels = [
        f"{letter}\n{_short(photo_name(photo, place))}"
        for place, (letter, photo) in enumerate(zip("AB", photos, strict=True), 1)
    ]
    names = [Path(photo_name(photo, place)).name for place, photo in enumerate(photos, 1)]
    found: dict[str, dict[str, Any]] = {}
    warnings: dict[str, None] = {}
    for method in progress(chosen, "compare", "method", quiet):
        try:
            base, variant = variant_of(method)
            way = VARIANTS[variant]
            how: BlendKeywords = (
                {"warp": way.warp, "surroundings": way.surroundings, "detail": way.detail} if base == "latent" else {}
            )
            how["size"] = side
            made = blender.blend_faces(faces, (0.5, 0.5), base, names=names, **how)
        except FeatureblendError as error:  # named on the sheet; the others go on
            found[method] = {"failed": str(error)}
            pictures.append(np.full_like(pictures[0], 235))
            labels.append(f"{method}\nfailed")
            continue
        found[method] = made.measures
        warnings |= dict.fromkeys(made.warnings)
        pictures.append(np.asarray(made.image))
        labels.append(f"{method}\n{_caption(made.measures)}")
    facts = {
        "verb": "compare",
        "method": "several",
        "methods": list(chosen),
        "inputs": [input_facts(photo, place) for place, photo in enumerate(photos, 1)],
        "faces": list(which),
        "model": blender.networks.facts("latent"),
        "featureblend": __version__,
    }
    keep_inputs(out, facts)
    save_picture(out, _sheet(pictures, labels, max(1, round(192 / side))), facts)
    return Comparison(found, tuple(warnings))


def _caption(measures: Mapping[str, Any]) -> str:
    shown = [(title, measures[name]) for name, title in CAPTIONS.items() if name in measures]
    return "\n".join(f"{title} {'–' if value is None else f'{value:.2f}'}" for title, value in shown)


def _short(name: str, length: int = 24) -> str:
    name = Path(name).name
    return name if len(name) <= length else name[: length - 1] + "…"


def _sheet(pictures: Sequence[np.ndarray], labels: Sequence[str], scale: int) -> Image.Image:
    """Lay pictures out in rows as even as can be."""
    rows = -(-len(pictures) // COLUMNS)
    columns = -(-len(pictures) // rows)
    return labelled_sheet(pictures, labels, columns, scale)
