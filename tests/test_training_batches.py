"""Batches: which faces, which crop of each, and that nothing but seed and step decides it."""

import dataclasses

import numpy as np
import pytest
import torch

from featureblend.errors import FeatureblendError
from featureblend.training.batches import FaceBatches, seeded
from featureblend.training.dataset import FaceSet

SIZE, SIDE = 8, 12


def marked(count=7, side=SIDE, margin=1.5):
    """Faces whose pixels say which face, row and column they are."""
    images = np.zeros((count, side, side, 3), np.uint8)
    images[..., 0] = np.arange(count)[:, None, None]
    images[..., 1] = np.arange(side)[None, :, None]
    images[..., 2] = np.arange(side)[None, None, :]
    return FaceSet.from_images(images, margin)


def read(batch):
    """Turn a batch back into the marks: face, rows and columns of each picture."""
    marks = torch.round((batch + 1) * 127.5).long()
    return marks[:, 0, 0, 0].tolist(), marks[:, 1, :, 0], marks[:, 2, 0, :]


def test_crops_are_shifted_and_mirrored_squares():
    faces, rows, columns = read(FaceBatches(marked(), SIZE, 64, shift=2).batch(0))
    tops, lefts, flips = set(), set(), set()
    for row, column in zip(rows, columns, strict=True):
        flipped = bool(column[0] > column[-1])
        left = int(column.min())
        assert row.tolist() == list(range(int(row[0]), int(row[0]) + SIZE))
        assert column.tolist() == list(range(left, left + SIZE))[:: -1 if flipped else 1]
        tops.add(int(row[0]))
        lefts.add(left)
        flips.add(flipped)
    assert tops == lefts == {0, 1, 2, 3, 4}
    assert flips == {True, False}
    assert set(faces) == set(range(7))


def test_pixels_are_the_data_scaled():
    images = np.random.default_rng(0).integers(0, 256, (4, SIZE, SIZE, 3), dtype=np.uint8)
    batches = FaceBatches(FaceSet.from_images(images), SIZE, 4, mirror=False)
    expected = images[batches.chosen(0).numpy()].astype(np.float32).transpose(0, 3, 1, 2) / 127.5 - 1
    batch = batches.batch(0)
    assert batch.dtype == torch.float32
    assert batch.is_contiguous(memory_format=torch.channels_last)
    np.testing.assert_allclose(batch.numpy(), expected, atol=1e-6)


def test_shift_stays_within_the_margin():
    batches = FaceBatches(marked(), SIZE, 64, shift=100)
    _, rows, _ = read(batches.batch(0))
    assert {int(row[0]) for row in rows} == {0, 1, 2, 3, 4}
    _, rows, columns = read(FaceBatches(marked(), SIZE, 64, shift=0, mirror=False).batch(0))
    assert {(int(row[0]), int(column[0])) for row, column in zip(rows, columns, strict=True)} == {(2, 2)}


def test_faces_of_another_size_are_scaled():
    batch = FaceBatches(marked(), 4, 7, mirror=False).batch(0)
    assert batch.shape == (7, 3, 4, 4)
    assert sorted(read(batch)[0]) == list(range(7))


def test_every_epoch_shows_every_face_once():
    """Also where a batch is larger than the data, and holds two epochs or more."""
    for batch_size in [3, 7, 16]:
        batches = FaceBatches(marked(), SIZE, batch_size)
        seen = torch.cat([batches.chosen(step) for step in range(21)]).tolist()
        epochs = [seen[start : start + 7] for start in range(0, len(seen) - 6, 7)]
        assert len(epochs) >= 9
        assert all(sorted(epoch) == list(range(7)) for epoch in epochs)
        assert len({tuple(epoch) for epoch in epochs}) > 1


def test_any_step_can_be_asked_for_first():
    """A resumed run draws what the unbroken one would have."""
    straight = FaceBatches(marked(), SIZE, 4, seed=3)
    for step in range(40):
        straight.batch(step)
        straight.batch(step, stream=1)
    resumed = FaceBatches(marked(), SIZE, 4, seed=3)
    assert torch.equal(resumed.batch(40), straight.batch(40))
    assert torch.equal(resumed.batch(40, stream=1), straight.batch(40, stream=1))
    assert not torch.equal(resumed.batch(40), resumed.batch(41))
    assert not torch.equal(resumed.batch(40), resumed.batch(40, stream=1))
    assert not torch.equal(resumed.batch(40), FaceBatches(marked(), SIZE, 4, seed=4).batch(40))


def test_processes_share_out_the_batch():
    whole = FaceBatches(marked(), SIZE, 6).batch(5)
    shares = [FaceBatches(marked(), SIZE, 6, rank=rank, world=3).batch(5) for rank in range(3)]
    assert torch.equal(torch.cat(shares), whole)
    with pytest.raises(FeatureblendError, match="batch_size 6 must be a multiple of the number of processes, 4"):
        FaceBatches(marked(), SIZE, 6, world=4)


def test_no_faces():
    with pytest.raises(FeatureblendError, match="no faces of the train split"):
        FaceBatches(marked().split("test"), SIZE, 4)


def test_seeded_streams():
    first = torch.rand(4, generator=seeded(0, "noise", 7))
    torch.manual_seed(5)
    assert torch.equal(torch.rand(4, generator=seeded(0, "noise", 7)), first)
    for other in ((1, "noise", 7), (0, "alpha", 7), (0, "noise", 8), (0, "noise7")):
        assert not torch.equal(torch.rand(4, generator=seeded(*other)), first)


def test_match_turn_puts_heads_that_look_the_same_way_next_to_each_other():
    """The place of the nose between the eyes decides the order, on either side of the middle."""
    images = np.zeros((5, 8, 8, 3), np.uint8)
    landmarks = np.zeros((5, 68, 2), np.float32)
    landmarks[:, 36:42, 0], landmarks[:, 42:48, 0] = 2, 6  # eyes 4 apart, their middle at 4
    landmarks[:, 30, 0] = 4 + 4 * np.array([0.3, -0.2, 0.0, 0.1, -0.4])
    images[:] = (np.arange(5, dtype=np.uint8) * 50)[:, None, None, None]
    faces = dataclasses.replace(FaceSet.from_images(images), landmarks=landmarks)
    batches = FaceBatches(faces, 8, 5, mirror=False, match_turn=True)
    shown = ((batches.batch(0)[:, 0, 0, 0] + 1) * 127.5 / 50).round().int().tolist()
    assert shown == [4, 1, 2, 3, 0]
    assert sorted(FaceBatches(faces, 8, 5, mirror=False).chosen(0).tolist()) == [0, 1, 2, 3, 4]


def test_match_turn_counts_unknown_landmarks_as_not_turned():
    faces = FaceSet.from_images(np.zeros((4, 8, 8, 3), np.uint8))
    assert FaceBatches(faces, 8, 4, match_turn=True).turn.tolist() == [0.0] * 4
