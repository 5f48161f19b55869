"""Small faces to train on in tests."""

import dataclasses
import functools

import numpy as np
from drawn_faces import draw_face
from PIL import Image
from real_photos import lfw_photos, opened

from featureblend.training.dataset import FaceSet, FaceTriplets, person_split
from featureblend.training.presets import preset

TOY = preset("toy")

PAPER = dataclasses.replace(
    preset("paper-merge"),
    model_options={"image_size": 32, "padding": "same", "latent_dim": 8, "feature_dim": 16, "final_batch_norm": False},
    discriminator_options={"image_size": 32, "padding": "same"},
    batch_size=4,
)
"""The paper's scheme at a size that takes milliseconds."""

HIERARCHICAL = {
    "image_size": 32,
    "widths": (8, 8),
    "detail_widths": (8, 4),
    "latent_channels": (2, 4),
    "global_dim": 6,
    "encoder_blocks": (1, 1),
    "decoder_blocks": (1, 1),
    "detail_blocks": (0, 1),
}
"""The network that is taught, at 32 px and as narrow as it gets."""
TAUGHT = dataclasses.replace(
    preset("taught"), model_options=HIERARCHICAL, from_scratch=True, batch_size=8, precision="fp32", warmup=0
)


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


@functools.cache
def triplets(count=20, side=40, margin=1.25):
    """Triplets whose middle is no pixel average: a disc whose place and colour are the mean of its parents'."""
    random = np.random.default_rng(0)
    rows, columns = np.mgrid[:side, :side] / side
    images = []
    for _ in range(count):
        drawn = random.uniform([0.3, 0.3, 0, 0, 0], [0.7, 0.7, 1, 1, 1], (2, 5))
        for row, column, *colour in (*drawn, drawn.mean(axis=0)):
            disc = np.hypot(rows - row, columns - column) < 0.2
            images.append(np.where(disc[..., None], np.array(colour), 1 - np.array(colour)))
    pictures = np.rint(255 * np.array(images)).astype(np.uint8).reshape(count, 3, side, side, 3)
    return FaceTriplets(pictures, np.array([f"{number:05d}" for number in range(count)]), margin, "drawn")
