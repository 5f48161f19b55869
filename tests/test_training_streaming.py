"""Faces that stay in their shards: the batches of those in memory, bit for bit, in memory that does not grow."""

import io
import tracemalloc

import numpy as np
import pytest
import torch
from PIL import Image
from short_runs import run, same
from training_faces import faces

from featureblend.errors import FeatureblendError
from featureblend.training import loop
from featureblend.training.batches import FaceBatches
from featureblend.training.dataset import FaceSet
from featureblend.training.shards import FaceSample, placed_samples, write_shard
from featureblend.training.streaming import StreamedFaces


def packed(image):
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "WEBP", lossless=True)
    return stream.getvalue()


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    """Two shards of the small faces, their landmarks at random."""
    whole, random = faces(120), np.random.default_rng(0)
    samples = [
        FaceSample(packed(image), random.uniform(0, 40, (68, 2)).round(2).tolist(), source, person, split, 1.25)
        for image, source, person, split in zip(whole.images, whole.sources, whole.people, whole.splits, strict=True)
    ]
    path = tmp_path_factory.mktemp("shards") / "faces.tar"
    for number, part in enumerate((samples[:70], samples[70:])):
        write_shard(path.with_name(f"faces-{number:05d}.tar"), part, 70 * number)
    return path


@pytest.mark.parametrize("size", [32, 24])
@pytest.mark.parametrize("settings", [{}, {"match_turn": True, "rank": 1, "world": 2}])
def test_batches_are_those_of_faces_in_memory(shards, size, settings):
    held, streamed = FaceSet.read(shards), StreamedFaces.open(shards)
    assert (streamed.identity, streamed.split_warning) == (held.identity, held.split_warning)
    held, streamed = (FaceBatches(both.split("train"), size, 16, **settings) for both in (held, streamed))
    for step in [0, 1, 2, 3, 40, 41, 42, 7]:
        for stream in (0, 1):
            for one, other in zip(held.marked(step, stream), streamed.marked(step, stream), strict=True):
                assert torch.equal(one, other), (step, stream)


def test_a_run_begun_in_memory_goes_on_streamed(shards, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "draw_curves", lambda history, path: None)
    whole = run(tmp_path / "whole", of=FaceSet.read(shards))
    run(tmp_path / "parts", of=FaceSet.read(shards), minutes=0)
    same(whole, run(tmp_path / "parts", of=StreamedFaces.open(shards), resume=True))


def test_memory_does_not_grow_with_a_shard(tmp_path):
    """Nor by what tarfile notes of each member."""
    picture = packed(np.zeros((40, 40, 3), np.uint8))
    samples = (FaceSample(picture, [[20.0, 20.0]] * 68, f"{n}.jpg", f"{n}", "train", 1.25) for n in range(1000))
    write_shard(tmp_path / "faces.tar", samples)
    tracemalloc.start()
    try:
        assert sum(1 for _ in placed_samples(tmp_path / "faces.tar")) == 1000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 3e5
    assert StreamedFaces.open(tmp_path / "faces.tar").places.nbytes < 32 * 1000


def test_what_can_not_be_streamed_is_named(tmp_path):
    Image.new("RGB", (40, 40)).save(tmp_path / "a.png")
    with pytest.raises(FeatureblendError, match="holds no shards"):
        StreamedFaces.open(tmp_path)
    sizes = [FaceSample(packed(np.zeros((s, s, 3), np.uint8)), [[1.0, 1.0]] * 68, "a", "a", "train", 1) for s in (8, 9)]
    write_shard(tmp_path / "faces.tar", sizes)
    found = StreamedFaces.open(tmp_path / "faces.tar")
    with pytest.raises(FeatureblendError, match="several sizes"):
        found.chosen(np.arange(2))
    (tmp_path / "faces.tar").write_bytes(b"")
    with pytest.raises(FeatureblendError, match=r"faces\.tar: it was changed"):
        found.read(1)
