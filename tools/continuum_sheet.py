"""Lay continua on one sheet: 24 pairs of adults who do not exist, both and what is between, two pairs a row.

    pip download --no-deps random_face==2021.7.21.1
    python tools/continuum_sheet.py random_face-2021.7.21.1-py3-none-any.whl --out docs/images/continua.jpg

The people are the draws of one seed by the generator of the example faces, in their order; nobody picked the pairs.
Only draws that look like children are left out.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from make_example_faces import drawn
from trace_generator import read

from featureblend import Blender, continuum
from featureblend.io.image import save_image
from featureblend.io.sheets import grid

SEED = 12
CHILDREN = {0, 3, 22, 26, 35, 43, 44, 50, 51, 52}
"""Draws that look like children, by eye."""
PAIRS = 24
STEPS = 5
"""0, 25, 50, 75 and 100 %."""


def adults(wheel: str, count: int) -> list[np.ndarray]:
    """Draw people: (256, 256, 3) uint8 each."""
    generator = read(wheel).eval().requires_grad_(False)
    numbers = [number for number in range(count + len(CHILDREN)) if number not in CHILDREN][:count]
    pictures = []
    for number in numbers:
        with torch.no_grad():
            picture = generator(drawn(SEED, number, generator.mapping, generator.get_buffer("mean")))[0]
        pictures.append((picture.permute(1, 2, 0).numpy() * 127.5 + 127.5).round().astype(np.uint8))
    return pictures


def main() -> None:
    """Write the sheet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--size", type=int, default=160)
    parser.add_argument("--columns", type=int, default=2, help="pairs side by side")
    words = parser.parse_args()
    people = adults(words.wheel, 2 * PAIRS)
    blender = Blender.from_pretrained()
    cells: list[np.ndarray] = []
    for pair in zip(people[::2], people[1::2], strict=True):
        made = continuum(list(pair), steps=STEPS, size=words.size, blender=blender)
        cells += [np.asarray(frame) for frame in made.frames]
    save_image(words.out, grid(cells, STEPS * words.columns, gap=2))


if __name__ == "__main__":
    main()
