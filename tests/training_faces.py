"""Small faces to train on in tests: real photos where the shared data lies beside the project, else drawn ones."""

import dataclasses
import functools
import io
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image

from featureblend.data import FaceSet, person_split
from featureblend.presets import preset

PHOTOS = Path(__file__).parents[2] / "shared" / "data" / "lfw-deepfunneled.tar"

TOY = preset("toy")

PAPER = dataclasses.replace(
    preset("paper-merge"),
    model_options={"image_size": 32, "padding": "same", "latent_dim": 8, "feature_dim": 16, "final_batch_norm": False},
    discriminator_options={"image_size": 32, "padding": "same"},
    batch_size=4,
)
"""The paper's scheme at a size that takes milliseconds."""


def _photos(count):
    """The middle of the first photos: LFW's deep funnelling put the faces there."""
    pictures, people = [], []
    with tarfile.open(PHOTOS) as tar:
        for member in tar:
            if member.name.endswith(".jpg"):
                with Image.open(io.BytesIO(tar.extractfile(member).read())) as photo:
                    pictures.append(photo.convert("RGB").crop((55, 55, 195, 195)))
                people.append(member.name.split("/")[-2])
            if len(pictures) == count:
                break
    return pictures, people


def _drawings(count):
    from drawn_faces import draw_face

    return [Image.fromarray(draw_face(seed)[0]) for seed in range(count)], [f"drawing {seed}" for seed in range(count)]


@functools.cache
def faces(count=600, side=40, margin=1.25):
    """A FaceSet split by person, with a margin for random shifts."""
    pictures, people = _photos(count) if PHOTOS.is_file() else _drawings(count)
    images = np.stack([np.asarray(picture.resize((side, side), Image.Resampling.LANCZOS)) for picture in pictures])
    splits = np.array([person_split(person) for person in people])
    return dataclasses.replace(
        FaceSet.from_images(images, margin), people=np.array(people), sources=np.array(people), splits=splits
    )
