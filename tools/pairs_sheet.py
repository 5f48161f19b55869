"""Lay the first pairs of a protocol on one sheet, none left out: both faces and their even blend, or the blend alone.

    python tools/pairs_sheet.py faces.tar --out out/pairs.png     # photos: not to publish
    python tools/pairs_sheet.py faces.tar --out docs/images/blends.jpg --blends-only

The protocol's order is drawn with its seed, so nobody picked the pairs. `--blends-only` shows what the networks make of
the face, where both people are mixed: around it they draw one person's hair and background almost as in the photo.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from featureblend import Blender
from featureblend.evaluation.methods import Model
from featureblend.evaluation.protocols import draw, find_protocol
from featureblend.faces.masks import outside_face
from featureblend.io.image import save_image
from featureblend.io.sheets import grid
from featureblend.training.dataset import FaceSet


def main() -> None:
    """Write the sheet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="what `featureblend prepare` wrote")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model")
    parser.add_argument("--protocol", default="pairs1k_test")
    parser.add_argument("--count", type=int, default=32)
    parser.add_argument("--blends-only", action="store_true")
    options = parser.parse_args()

    blender, protocol = Blender.from_pretrained(options.model), find_protocol(options.protocol)
    drawn = draw(FaceSet.read(options.data, protocol.split), protocol, blender.image_size)
    pairs = drawn.pairs[: options.count]
    faces, landmarks = drawn.faces.images[pairs], drawn.faces.landmarks[pairs].astype(np.float64)
    method = "latent-network" if options.blends_only else "latent"
    model = Model(blender, blender.image_size, [method])
    blends = [model.blend(*pair, (0.5, 0.5)) for pair in zip(faces, landmarks, strict=True)]
    if options.blends_only:
        around = outside_face(blender.image_size)[..., None]
        save_image(options.out, grid([np.uint8(blend * (1 - around) + 255 * around) for blend in blends], 8))
    else:
        shown = [picture for (a, b), blend in zip(faces, blends, strict=True) for picture in (a, blend, b)]
        save_image(options.out, grid(shown, 12))
    print(options.out)


if __name__ == "__main__":
    main()
