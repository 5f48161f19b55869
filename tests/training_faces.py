"""Small faces to train on in tests."""

import dataclasses
import functools

import numpy as np
from drawn_faces import draw_face
from PIL import Image
from real_photos import lfw_photos, opened

from featureblend.data import FaceSet, person_split
from featureblend.presets import preset

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
    photos = lfw_photos(count)
    return [opened(data).crop((55, 55, 195, 195)) for _, data in photos], [person for person, _ in photos]


def _drawings(count):
    pictures = [Image.fromarray(draw_face(seed, 80)[0]) for seed in range(count)]
    return pictures, [f"drawing {seed}" for seed in range(count)]


@functools.cache
def faces(count=400, side=40, margin=1.25, source="drawn"):
    """A FaceSet split by person, with a margin for random shifts; real faces are for tests marked `real_photos`."""
    pictures, people = (_photos if source == "real" else _drawings)(count)
    images = np.stack([np.asarray(picture.resize((side, side), Image.Resampling.LANCZOS)) for picture in pictures])
    splits = np.array([person_split(person) for person in people])
    return dataclasses.replace(
        FaceSet.from_images(images, margin), people=np.array(people), sources=np.array(people), splits=splits
    )
