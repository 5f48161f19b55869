"""Lay continua on one sheet: of each two pictures of a folder, in the order of their names, both and what is between.

    python tools/continuum_sheet.py FOLDER --out docs/images/continua.jpg

None is left out, so nobody picked the pairs. The sheet in the documents shows people who do not exist, drawn by the
generator of the example faces (`tools/make_example_faces.py`): its draws of seeds 12 and 13 in order, without those
that look like children.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from featureblend import Blender, continuum
from featureblend.io.image import save_image
from featureblend.io.sheets import grid

STEPS = 5
"""0, 25, 50, 75 and 100 %."""


def main() -> None:
    """Write the sheet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--size", type=int, default=160)
    parser.add_argument("--columns", type=int, default=2, help="pairs side by side")
    words = parser.parse_args()
    photos = sorted(path for path in words.folder.iterdir() if path.is_file())
    blender = Blender.from_pretrained()
    cells: list[np.ndarray] = []
    for first, second in zip(photos[::2], photos[1::2], strict=False):
        made = continuum([first, second], steps=STEPS, size=words.size, blender=blender)
        cells += [np.asarray(frame) for frame in made.frames]
    save_image(words.out, grid(cells, STEPS * words.columns, gap=2))


if __name__ == "__main__":
    main()
