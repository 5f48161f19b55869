r"""Make the example faces that the package ships: decoded mixes of many people's codes, nobody's photo.

    python tools/make_example_faces.py faces.tar --out src/featureblend/faces/examples --candidates 24 --seed 1 \
        --choose 15 13 18 12 3

Each face mixes a training person, drawn at random, with those whose hair, background and shape are most alike: of
people who differ in these a mean is a mist. Only mixes in which the detector finds a face, in which the model finds
nothing to restore, and which dlib's recogniser (the extra `identity`) takes for none of the people in it, are kept.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from featureblend import Blender
from featureblend.faces.alignment import AlignedFace
from featureblend.faces.masks import outside_face
from featureblend.io.image import save_image, to_uint8
from featureblend.io.sheets import grid
from featureblend.training.dataset import FaceSet

NAMES = ("first", "second", "third", "fourth", "fifth")
PARENTS = 10
SMALL = 16
"""Hair and backgrounds are compared in pictures of this side."""
SHARPENING = 1.2
"""Share of the difference from a blurred copy that is added to each face."""
OF_SHAPE = 2.4
"""Grey levels that a pixel between the landmarks counts for in that comparison."""
LARGEST_TURN = 0.12
"""Parents face the camera: the nose's tip lies this near to the middle of the eyes, as a share of their distance."""


def frontal(landmarks: np.ndarray) -> np.ndarray:
    """Mark the faces that look straight ahead: (N,) bool from (N, 68, 2)."""
    left, right = landmarks[:, 36:42].mean(axis=1)[:, 0], landmarks[:, 42:48].mean(axis=1)[:, 0]
    return np.abs(landmarks[:, 30, 0] - (left + right) / 2) < LARGEST_TURN * (right - left)


def sharpened(image: np.ndarray) -> np.ndarray:
    """Give a mean of people, which is a little soft, about the sharpness of a photo (unsharp mask)."""
    return to_uint8(image + SHARPENING * (image.astype(np.float32) - cv2.GaussianBlur(image, (0, 0), 1)))


def damaged(face: AlignedFace) -> bool:
    """Say whether the model has something to restore in a face."""
    return face.degradation is not None and bool(face.degradation.any())


class Likeness:
    """How alike faces are in hair, background and shape.

    Parameters
    ----------
    faces : FaceSet
    usable : (N,) int array
        The faces that are compared.
    """

    def __init__(self, faces: FaceSet, usable: np.ndarray) -> None:
        self.people, self.usable = [faces.people[index] for index in usable], usable
        small = [cv2.resize(faces.images[index], (SMALL, SMALL), interpolation=cv2.INTER_AREA) for index in usable]
        self.pictures = np.stack(small).astype(np.float32) * np.sqrt(outside_face(SMALL))[..., None]
        self.shapes = faces.landmarks[usable].reshape(len(usable), -1)

    def nearest(self, place: int) -> list[int]:
        """Give the indices of the `PARENTS` faces most alike to that one, itself first, one a person."""
        around = np.sqrt(np.square(self.pictures - self.pictures[place]).mean(axis=(1, 2, 3)))
        shape = np.sqrt(np.square(self.shapes - self.shapes[place]).mean(axis=1))
        chosen: dict[str, int] = {}
        for near in np.argsort(around + OF_SHAPE * shape):
            chosen.setdefault(self.people[near], int(self.usable[near]))
            if len(chosen) == PARENTS:
                break
        return list(chosen.values())


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
    faces = FaceSet.read(options.data, "train").cropped(blender.image_size)
    usable = np.flatnonzero(frontal(faces.landmarks))
    likeness, random = Likeness(faces, usable), np.random.default_rng(options.seed)
    kept: list[np.ndarray] = []
    while len(kept) < options.candidates:
        chosen = likeness.nearest(int(random.integers(len(usable))))
        weights = random.dirichlet(np.full(PARENTS, 6.0))
        parents = blender.cleaned(
            [
                AlignedFace(faces.images[index], faces.landmarks[index].astype(np.float64), np.eye(3)[:2])
                for index in chosen
            ]
        )
        if any(map(damaged, parents)):
            continue
        # The networks' own pictures: the photos' detail must not reach what the package ships.
        mixed = blender.blend_faces(parents, weights, detail=False, measures="none", surroundings="mean")
        made = sharpened(np.asarray(mixed.image))
        found = blender.detector.detect(made)
        if not found or any(map(damaged, blender.cleaned([blender.find(made)]))):
            continue
        whose = blender.recognizer.embedding(made, found[0].landmarks)
        near = [
            np.linalg.norm(whose - blender.recognizer.embedding(parent.image, parent.landmarks)) for parent in parents
        ]
        if min(near) < blender.recognizer.threshold:
            continue
        kept.append(made)
        print(f"candidate {len(kept) - 1}: nearest parent at {min(near):.2f}")
    if options.sheet:
        save_image(options.sheet, grid(kept, 8))
    for name, number in zip(NAMES, options.choose, strict=False):
        print(save_image(options.out / f"{name}.png", kept[number]))


if __name__ == "__main__":
    main()
