"""Lay the first pairs of a protocol on one sheet, none left out: both faces and their even blend between them.

    python tools/pairs_sheet.py faces.tar --out out/pairs.png     # photos: not to publish

The protocol's order is drawn with its seed, so nobody picked the pairs.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from featureblend import Blender
from featureblend.evaluation.methods import Model
from featureblend.evaluation.protocols import draw, find_protocol
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
    options = parser.parse_args()

    blender, protocol = Blender.from_pretrained(options.model), find_protocol(options.protocol)
    drawn = draw(FaceSet.read(options.data, protocol.split), protocol, blender.image_size)
    pairs = drawn.pairs[: options.count]
    faces, landmarks = drawn.faces.images[pairs], drawn.faces.landmarks[pairs].astype(np.float64)
    model = Model(blender, blender.image_size, ["latent"])
    blends = [model.blend(*pair, (0.5, 0.5)) for pair in zip(faces, landmarks, strict=True)]
    shown = [picture for (a, b), blend in zip(faces, blends, strict=True) for picture in (a, blend, b)]
    save_image(options.out, grid(shown, 12))
    print(options.out)


if __name__ == "__main__":
    main()
