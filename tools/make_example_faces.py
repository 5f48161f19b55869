"""Make the example faces that the package ships: decoded random mixes of many people's codes, nobody's photo.

    python tools/make_example_faces.py faces.tar --out src/featureblend/examples

Each face mixes several training people at random weights. Only mixes in which the detector finds a face, and which
are no nearer to any of their parents than different people are to each other, are kept.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from featureblend import Blender
from featureblend.alignment import AlignedFace
from featureblend.data import FaceSet
from featureblend.image import save_image
from featureblend.sheets import grid

NAMES = ("first", "second", "third", "fourth", "fifth")
PARENTS = 8
LARGEST_TURN = 0.12
"""Parents face the camera: the nose's tip lies this near to the middle of the eyes, as a share of their distance."""
DIFFERENT_PEOPLE = 0.6
"""dlib's embeddings of one person are nearer than this."""


def frontal(landmarks: np.ndarray) -> np.ndarray:
    """Mark the faces that look straight ahead: (N,) bool from (N, 68, 2)."""
    left, right = landmarks[:, 36:42].mean(axis=1)[:, 0], landmarks[:, 42:48].mean(axis=1)[:, 0]
    return np.abs(landmarks[:, 30, 0] - (left + right) / 2) < LARGEST_TURN * (right - left)


def main() -> None:
    """Write the faces and a sheet of all candidates to choose seeds from."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model")
    parser.add_argument("--candidates", type=int, default=40)
    parser.add_argument("--choose", type=int, nargs="*", default=[], help="candidates to write, by number from 0")
    parser.add_argument("--sheet", type=Path, help="where to write all candidates")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    blender = Blender.from_pretrained(options.model)
    faces = FaceSet.read(options.data, "train", limit=2000).cropped(blender.image_size)
    usable = np.flatnonzero(frontal(faces.landmarks))
    random = np.random.default_rng(options.seed)
    kept: list[np.ndarray] = []
    while len(kept) < options.candidates:
        chosen = random.choice(usable, PARENTS, replace=False)
        weights = random.dirichlet(np.full(PARENTS, 3.0))
        parents = [
            AlignedFace(faces.images[index], faces.landmarks[index].astype(np.float64), np.eye(3)[:2])
            for index in chosen
        ]
        # The networks' own pictures: the photos' detail must not reach what the package ships.
        made = np.asarray(blender.blend_faces(parents, weights, detail=False, measures="none").image)
        found = blender.detector.detect(made)
        if not found:
            continue
        whose = blender.detector.embedding(made, found[0].landmarks)
        near = [
            np.linalg.norm(whose - blender.detector.embedding(parent.image, parent.landmarks)) for parent in parents
        ]
        if min(near) < DIFFERENT_PEOPLE * 0.75:
            continue
        kept.append(made)
        print(f"candidate {len(kept) - 1}: nearest parent at {min(near):.2f}")
    if options.sheet:
        save_image(options.sheet, grid(kept, 8))
    for name, number in zip(NAMES, options.choose, strict=False):
        print(save_image(options.out / f"{name}.png", kept[number]))


if __name__ == "__main__":
    main()
