"""Make the example faces that the package ships: pictures of a face generator, people who do not exist.

    pip download --no-deps random_face==2021.7.21.1
    python tools/make_example_faces.py random_face-2021.7.21.1-py3-none-any.whl --out src/featureblend/faces/examples

Which draw each face is was chosen by eye among 200: adults, of both sexes, of several ages and complexions, two with
glasses. They are saved at 768 px.
"""

from __future__ import annotations

import argparse
import zipfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from trace_generator import OpenVino, read

DRAWS = {
    "first": (11, 47),
    "second": (12, 25),
    "third": (13, 35),
    "fourth": (11, 68),
    "fifth": (11, 43),
    "sixth": (12, 55),
}
"""Seed and number of the draw that each face is."""
PSI = 0.7
"""How far a code lies from the mean code, over how far it was drawn: nearer ones have fewer artefacts."""
SIDE = 768
QUALITY = 88
"""Of the JPEG: at most 150 kB a face."""


def drawn(seed: int, number: int, mapping: torch.nn.Module, mean: torch.Tensor) -> torch.Tensor:
    """Code (1, 512) of a draw."""
    z = np.random.default_rng(seed).standard_normal((number + 1, 512))[number:].astype(np.float32)
    return mean + PSI * (mapping(torch.from_numpy(z)) - mean)


def main() -> None:
    """Draw, develop, reduce and save each face."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheel")
    parser.add_argument("--out", type=Path, required=True)
    words = parser.parse_args()
    generator = read(words.wheel).eval().requires_grad_(False)
    with zipfile.ZipFile(words.wheel) as archive:
        whole = OpenVino(*(archive.read(f"random_face/data/SynthesisNetwork.{end}") for end in ("xml", "bin")))
    words.out.mkdir(parents=True, exist_ok=True)
    for name, draw in DRAWS.items():
        with torch.no_grad():
            picture = whole(drawn(*draw, generator.mapping, generator.get_buffer("mean")))[0].clamp(-1, 1)
        pixels = (picture.permute(1, 2, 0).numpy() * 127.5 + 127.5).round().astype(np.uint8)
        path = words.out / f"{name}.jpg"
        face = Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
        face.save(path, quality=QUALITY, subsampling=0, optimize=True)
        print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
