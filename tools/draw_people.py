"""Write drawn faces as photos of people who don't exist, for `featureblend prepare`: a little variety beside photos.

    python tools/draw_people.py drawn --count 600

A cleaner that only ever saw photos takes flat, even colours for weak light; with a few drawn faces among its photos it
does so for one drawn face in fourteen instead of two in three. Seeds begin far above those of tests and evaluations.
Use an empty folder.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from featureblend.faces.drawn import draw_face
from featureblend.io.image import save_image

FIRST = 1_000_000
SIZE = 250
"""Side in pixels, as LFW's photos have; the faces fill more of it."""


def main() -> None:
    """Write one folder a person."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--count", type=int, default=600)
    arguments = parser.parse_args()
    for seed in range(FIRST, FIRST + arguments.count):
        # Each in a folder of its own: for `prepare` that is a person.
        folder = arguments.out / f"drawn_{seed}"
        folder.mkdir(parents=True, exist_ok=True)
        save_image(folder / f"drawn_{seed}.png", draw_face(seed, SIZE)[0])


if __name__ == "__main__":
    main()
