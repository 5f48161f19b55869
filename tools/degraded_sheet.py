"""Show what the bundled model makes of an example face that was degraded: as seen, given back, and blended with
another.

python tools/degraded_sheet.py docs/images/degraded.jpg
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from featureblend import Blender
from featureblend.evaluation.degradation import CLEAN, DEGRADATIONS, degrade
from featureblend.faces import EXAMPLES
from featureblend.faces.alignment import resized
from featureblend.io.image import load_image, save_image
from featureblend.io.sheets import labelled_sheet

SIDE = 256
SMALL = 160
"""Side of the damaged photo, in pixels."""


def main() -> None:
    """Write the sheet, and say what the model warns of."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    blender = Blender.from_pretrained()
    # Small, as damaged photos are: of a large one, a crop of the model's size would not show damage of a few pixels.
    photo, other = resized(load_image(EXAMPLES / "first.jpg", 1), SMALL), blender.find(EXAMPLES / "second.jpg")
    kinds = (CLEAN, *DEGRADATIONS)
    seen, again, blends = [], [], []
    for kind in kinds:
        face = blender.find(photo if kind == CLEAN else degrade(photo, kind))
        (picture,) = blender.networks.pictures(blender.networks.latents([face.image]))
        made = blender.blend_faces([face, other], size=SIDE, names=[kind, "second.jpg"])
        seen.append(face.at(SIDE).image)
        again.append(resized(picture, SIDE))
        blends.append(np.asarray(made.image))
        print(kind, *made.warnings, sep="\n  ")
    labels = [*kinds, *["given back"] * len(kinds), *["blended"] * len(kinds)]
    save_image(options.out, np.asarray(labelled_sheet([*seen, *again, *blends], labels, len(kinds))))


if __name__ == "__main__":
    main()
