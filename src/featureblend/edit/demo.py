"""The demonstration: two synthetic example faces are blended."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from ..blend.blender import Blender
from ..blend.recipes import Blend
from ..faces import EXAMPLES
from ..io.files import make_folder, require_parent
from ..io.metadata import save_picture
from ..io.sheets import labelled_row


def write_demo(out: str | os.PathLike[str], model: str | os.PathLike[str] | None = None) -> Blend:
    """Blend the example faces and write first, blend and second side by side, labelled.

    The picture says what it is made of, and that it is synthetic.

    Parameters
    ----------
    out : path-like
        The picture; its folder is made if it is missing.
    model : path-like or str, optional
        As `Blender.from_pretrained`.

    Returns
    -------
    Blend

    Raises
    ------
    FeatureblendError
        If the picture can't be written there, or there is no such model.
    """
    make_folder(Path(out).parent)
    require_parent(out)
    photos = [EXAMPLES / "first.jpg", EXAMPLES / "second.jpg"]
    blender = Blender.from_pretrained(model)
    made = blender.blend(photos)
    first, second = (blender.find(photo).at(made.image.width).image for photo in photos)
    pictures = [first, np.asarray(made.image), second]
    labels = ["first", f"blend, 50 : 50\nghosting {made.measures['ghosting']}", "second"]
    sheet = labelled_row(pictures, labels, max(1, round(384 / made.image.width)))
    save_picture(out, sheet, {**made.recipe, "verb": "demo"})
    return made
