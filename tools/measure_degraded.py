"""Measure what a model makes of spoilt photos: PSNR of its picture against the clean face, kind by kind.

    python tools/measure_degraded.py faces.tar [--models lfw-128 other-model]

The faces are of the test split; each is blurred, noisy, badly lit or strongly compressed as in training
(`featureblend.train.degrading`), and the model's reconstruction is compared with the face before that.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from featureblend.blender import Blender
from featureblend.data import FaceSet
from featureblend.evaluate.scores import psnr
from featureblend.image import from_network, to_network
from featureblend.train.degrading import KINDS, spoilt


def main() -> None:
    """Print a Markdown table: a line a model, a column a kind."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("faces", type=Path)
    parser.add_argument("--models", nargs="+", default=["lfw-128"])
    parser.add_argument("--count", type=int, default=200)
    options = parser.parse_args()
    print("| model | clean | " + " | ".join(KINDS) + " |\n|---|" + "---|" * (1 + len(KINDS)))
    for name in options.models:
        blender = Blender.from_pretrained(name)
        clean = FaceSet.read(options.faces, "test", limit=options.count).cropped(blender.image_size).images
        pictures = torch.from_numpy(to_network(clean))
        inputs = [clean] + [from_network(spoilt(pictures, kind, (0, kind)).numpy()) for kind in KINDS]
        cells = []
        for images in inputs:
            made = np.concatenate(
                [blender.pictures(blender.latents(images[i : i + 20])) for i in range(0, len(images), 20)]
            )
            cells.append(f"{np.mean([psnr(a, b) for a, b in zip(made, clean, strict=True)]):.2f}")
        print(f"| {name} | " + " | ".join(cells) + " |")
    print(f"\n*PSNR in dB against the clean face, {options.count} faces of the test split.*")


if __name__ == "__main__":
    main()
