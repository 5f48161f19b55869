"""Draw each stage of one blend, of two example faces: the pictures of docs/how-a-blend-is-made.md.

    python tools/draw_stages.py docs/images/stages.jpg

The stages are those of `featureblend.blend.pipeline`; `make figures` runs this.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np

from featureblend import Blender
from featureblend.blend.compositing.composing import best_source
from featureblend.blend.pipeline import BlendOptions, EncodedFaces, blended, cleaned, encoded, finished
from featureblend.faces import EXAMPLES
from featureblend.faces.alignment import AlignedFace
from featureblend.faces.warp import mean_shape
from featureblend.io.image import load_image, save_image
from featureblend.io.sheets import labelled_sheet

SIDE = 256
"""Of each picture on the sheet, in pixels."""
PAIR = ("third.jpg", "sixth.jpg")
EVEN = np.array([0.5, 0.5])


def main(words: list[str]) -> None:
    """Write the sheet."""
    if len(words) != 1:
        sys.exit("draw_stages: name the picture to write, such as docs/images/stages.jpg")
    blender = Blender.from_pretrained()
    photos = [EXAMPLES / name for name in PAIR]
    faces = cleaned(blender.networks, [blender.find(path) for path in photos])
    target = mean_shape([face.landmarks for face in faces], EVEN)
    known = encoded(blender.networks, faces, target)
    source = best_source(faces)
    options = BlendOptions(surroundings=source, size=SIDE)
    made = blended(blender.networks, known, EVEN, options)
    stages = [
        *((f"{place}: the photo", load_image(path)) for place, path in enumerate(photos, 1)),
        *((f"{place}: found and aligned", _marked(face)) for place, face in enumerate(faces, 1)),
        *((f"{place}: warped to the mean shape", image) for place, image in enumerate(known.images, 1)),
        *((f"{place}: what its latent decodes to", image) for place, image in enumerate(_decoded(blender, known), 1)),
        ("plain mean of the latents", _decoded_mean(blender, known, plain=True)),
        ("hair and scene of one photo", _decoded_mean(blender, known, plain=False, source=source)),
        ("mean colour of both", made.image),
        ("the photos' detail: the blend", finished(made, options)),
    ]
    pictures = [cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for _, image in stages]
    save_image(Path(words[0]), np.asarray(labelled_sheet(pictures, [label for label, _ in stages], columns=4)))
    print(Path(words[0]))


def _marked(face: AlignedFace) -> np.ndarray:
    large = face.at(SIDE)
    image = large.image.copy()
    for x, y in large.landmarks:
        cv2.circle(image, (round(x), round(y)), 2, (0, 230, 200), -1, cv2.LINE_AA)
    return image


def _decoded(blender: Blender, known: EncodedFaces) -> np.ndarray:
    return blender.networks.pictures(known.latents)


def _decoded_mean(blender: Blender, known: EncodedFaces, plain: bool, source: int = 1) -> np.ndarray:
    around = EVEN if plain else np.eye(2)[source - 1]
    latent = known.latents.T @ EVEN if plain else blender.networks.mixed(known.latents, EVEN, around)
    return blender.networks.pictures(latent[None].astype(np.float32))[0]


if __name__ == "__main__":
    main(sys.argv[1:])
