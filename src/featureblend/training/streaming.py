"""Prepared faces that stay in their shards and are read as they are needed: more than memory holds.

Shards are tars without compression, so that a face is read by its place in one. Only the places are held, some 30 bytes
a face, and so the batches are the very ones of faces in memory: any order over all faces, at any step. A pass in the
order of the files, as WebDataset makes it, would mix neighbours only, and would have to be read again from its start
to resume in its middle.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np

from ..errors import FeatureblendError
from .dataset import FaceSet, decoded, face_set, head_turn, shards_identity
from .shards import SPLITS, FaceSample, parse_sample, placed_samples, shard_paths, split_warning

PLACE = np.dtype(
    [
        ("shard", "u4"),
        ("start", "u8"),
        ("picture", "u4"),
        ("facts", "u4"),
        ("end", "u4"),
        ("split", "u1"),
        ("turn", "f4"),
    ]
)
"""A face's shard; where its picture begins there; how long that is; where from there its facts begin and end; ..."""


@dataclass(frozen=True)
class StreamedFaces:
    """Prepared faces on disk.

    Examples
    --------
    >>> from io import BytesIO
    >>> from tempfile import TemporaryDirectory
    >>> from PIL import Image
    >>> from featureblend.training.shards import write_shard
    >>> folder, picture = TemporaryDirectory(), BytesIO()
    >>> Image.new("RGB", (40, 40)).save(picture, "WEBP")
    >>> sample = FaceSample(picture.getvalue(), [[20.0, 20.0]] * 68, "ana.jpg", "Ana", "train", margin=1.25)
    >>> write_shard(Path(folder.name, "faces.tar"), [sample])
    1
    >>> faces = StreamedFaces.open(Path(folder.name, "faces.tar"))
    >>> len(faces), faces.chosen(np.array([0])).cropped(32).images.shape
    (1, (1, 32, 32, 3))
    """

    paths: tuple[Path, ...]
    """The shards."""
    places: np.ndarray
    """(N,) of `PLACE`."""
    side: int
    """Of the crops, in pixels."""
    margin: float
    """The crops show this many times the template's side."""
    split_warning: str | None
    """What is wrong with the splits, as `featureblend.training.shards.split_warning`."""
    identity: str
    """SHA-256 over the shards: that of the same faces in memory."""

    def __len__(self) -> int:
        return len(self.places)

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> StreamedFaces:
        """Look through shards, each of which is read once.

        Parameters
        ----------
        path : path-like
            As `featureblend.training.shards.shard_paths`.

        Raises
        ------
        FeatureblendError
            If there are no shards, one is damaged, or they hold no faces.
        """
        paths = tuple(shard_paths(path))
        if not paths:
            raise FeatureblendError(f"{path} holds no shards (*.tar) to stream: make them with `featureblend prepare`")
        people = array("q")
        places = np.concatenate(
            [np.fromiter(_places(number, path, people), PLACE) for number, path in enumerate(paths)]
        )
        if not len(places):
            raise FeatureblendError(f"{path} holds no faces")
        counts = dict(zip(SPLITS, np.bincount(places["split"], minlength=len(SPLITS)).tolist(), strict=True))
        warning = split_warning(counts, len(np.unique(np.asarray(people))))
        faces = cls(paths, places, 1, 1.0, warning, shards_identity(paths))
        sample, image = faces.read(0)
        return replace(faces, side=image.shape[0], margin=sample.margin)

    @property
    def turn(self) -> np.ndarray:
        """(N,) float32: how far each head is turned, as `featureblend.training.dataset.head_turn`."""
        return self.places["turn"].copy()

    def split(self, name: str) -> StreamedFaces:
        """Keep the faces of one split."""
        return replace(self, places=self.places[self.places["split"] == list(SPLITS).index(name)])

    def read(self, place: int) -> tuple[FaceSample, np.ndarray]:
        """Read one face and decode it.

        Raises
        ------
        FeatureblendError
            If its shard can't be read, or is no longer what it was.
        """
        face = self.places[place]
        path = self.paths[face["shard"]]
        try:
            with open(path, "rb", buffering=0) as shard:
                shard.seek(int(face["start"]))
                content = shard.read(int(face["end"]))
            sample = parse_sample(content[: face["picture"]], content[face["facts"] :])
        except (OSError, ValueError, TypeError) as error:
            raise FeatureblendError(f"cannot read {path}: it was changed or taken away meanwhile ({error})") from error
        return sample, decoded(path, sample)

    def gathered(self, found: Sequence[tuple[FaceSample, np.ndarray]]) -> FaceSet:
        """Put faces that were read together.

        Raises
        ------
        FeatureblendError
            If they are of several sizes.
        """
        for sample, image in found:
            if image.shape[:2] != (self.side, self.side) or sample.margin != self.margin:
                raise FeatureblendError(f"{self.paths[0]} holds faces of several sizes: prepare the photos together")
        return face_set(np.stack([image for _, image in found]), [sample for sample, _ in found], self.identity)

    def chosen(self, which: np.ndarray) -> FaceSet:
        """Read the faces that an index or mask array names."""
        return self.gathered([self.read(place) for place in np.arange(len(self))[which].tolist()])


Faces: TypeAlias = FaceSet | StreamedFaces
"""Prepared faces, in memory or not."""


def read_faces(path: str | os.PathLike[str], stream: bool = False) -> Faces:
    """Read prepared faces into memory, or only look where they are."""
    return StreamedFaces.open(path) if stream else FaceSet.read(path)


def _places(number: int, path: Path, people: array[int]) -> Iterator[tuple[float, ...]]:
    """The places of a shard's faces; whom they show is added to `people`, as numbers."""
    splits = list(SPLITS)
    for sample, (start, end, facts, facts_end) in placed_samples(path):
        if sample.split not in SPLITS:
            raise FeatureblendError(f"cannot read {path}: {sample.source} is of no split; prepare it again")
        people.append(hash(sample.person))
        (turn,) = head_turn(np.array([sample.landmarks], np.float32))
        yield number, start, end - start, facts - start, facts_end - start, splits.index(sample.split), turn
