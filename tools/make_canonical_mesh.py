"""Make the mean face that head poses are measured against, and the table of mirrored points.

    python tools/make_canonical_mesh.py FOLDER src/featureblend/faces/networks/canonical_mesh.npz

FOLDER holds a few hundred portraits, one face each, that look straight ahead on average. The bundled file is of 600
generated faces (the first person of each pair) and their mirror images. Needs scipy.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.optimize import linear_sum_assignment
from scipy.spatial.transform import Rotation

from featureblend.faces.finder import FaceFinder

ROUNDS = 8


def main() -> None:
    """Find the faces, average them, and write the file."""
    parser = argparse.ArgumentParser(description="Make the mean face that head poses are measured against.")
    parser.add_argument("folder", type=Path, help="portraits")
    parser.add_argument("out", type=Path, help="canonical_mesh.npz")
    arguments = parser.parse_args()
    finder, meshes = FaceFinder(), []
    for path in sorted(arguments.folder.glob("*.jpg")):
        image = np.asarray(Image.open(path).convert("RGB"))
        for shown in (image, np.ascontiguousarray(image[:, ::-1])):
            meshes += [face.points for face in finder.find(shown)[:1]]
    points, mirror = canonical(np.stack(meshes))
    np.savez_compressed(arguments.out, points=points.astype(np.float32), mirror=mirror.astype(np.int16))
    print(f"{arguments.out}: mean of {len(meshes)} faces")


def canonical(meshes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The symmetric mean of (N, 468, 3) meshes, facing the viewer, and which point mirrors which."""
    shapes = [_normalised(mesh) for mesh in meshes]
    mean = shapes[0]
    for _ in range(ROUNDS):  # generalised Procrustes analysis (Gower 1975)
        mean = _normalised(np.mean([_turned_onto(mean, shape) for shape in shapes], axis=0))
    flipped, mirror = mean * [-1, 1, 1], np.arange(len(mean))
    for _ in range(ROUNDS):  # which point is nearest depends on how the mirror image lies, and the other way round
        mirror = linear_sum_assignment(np.linalg.norm(flipped[:, None] - mean[None], axis=2))[1]
        flipped = _turned_onto(mean[mirror], flipped)
    symmetric = (mean + flipped[mirror]) / 2
    across = symmetric[263] - symmetric[33]  # from the left eye to the right one, as the viewer sees them
    across /= np.linalg.norm(across)
    down = np.array([0, 1, 0]) - across * across[1]
    down /= np.linalg.norm(down)
    found = _normalised(symmetric @ np.stack([across, down, np.cross(across, down)]).T)
    return (found + found[mirror] * [-1, 1, 1]) / 2, mirror


def _normalised(points: np.ndarray) -> np.ndarray:
    centred = points - points.mean(axis=0)
    return centred / np.sqrt(np.square(centred).sum(axis=1).mean())


def _turned_onto(target: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Points rotated, never reflected, to lie nearest to the target's; both normalised."""
    return Rotation.align_vectors(target, points)[0].apply(points)


if __name__ == "__main__":
    main()
