"""Prepared faces in memory: from shards or folders of crops, split by person; pairs.

Everything here is numpy; what runs on a training device is in `featureblend.training.batches`.
"""

from __future__ import annotations

import hashlib
import io
import math
import os
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from mimetypes import guess_type
from pathlib import Path

import numpy as np
from PIL import Image

from ..errors import FeatureblendError
from ..io.files import sha256
from ..io.image import load_image, not_a_photo
from ..io.tables import check_choice
from .shards import (
    SPLITS,
    FaceSample,
    person_names,
    person_split,
    read_shard,
    shard_paths,
    split_warning,
    triplet_members,
)

COLUMNS = ("images", "landmarks", "people", "sources", "splits")
"""What a `FaceSet` has of each face."""

HELD_OUT_TRIPLETS = 60
"""At most so many triplets are kept for validation."""


@dataclass(frozen=True)
class FaceSet:
    """Aligned faces in memory.

    Examples
    --------
    >>> faces = FaceSet.from_images(np.zeros((3, 160, 160, 3), np.uint8), margin=1.25)
    >>> faces.cropped(128).images.shape
    (3, 128, 128, 3)
    """

    images: np.ndarray
    """(N, S, S, 3) uint8 sRGB."""
    landmarks: np.ndarray
    """(N, 68, 2) float32: x, y in the crops' pixels; NaN where unknown."""
    people: np.ndarray
    """(N,) str."""
    sources: np.ndarray
    """(N,) str."""
    splits: np.ndarray
    """(N,) str."""
    margin: float
    """The crops show this many times the template's side."""
    identity: str = ""
    """SHA-256 over the shards that were read: names the data in reports."""

    def __len__(self) -> int:
        return len(self.images)

    @property
    def side(self) -> int:
        """Of the crops, in pixels."""
        return int(self.images.shape[1])

    @property
    def turn(self) -> np.ndarray:
        """(N,) float32: how far each head is turned, as `head_turn`."""
        return head_turn(self.landmarks)

    @classmethod
    def from_images(cls, images: np.ndarray, margin: float = 1.0, split: str = "train") -> FaceSet:
        """Wrap plain crops; each counts as a person of its own, without landmarks."""
        count = len(images)
        names = np.array([f"image-{index:06d}" for index in range(count)])
        landmarks = np.full((count, 68, 2), np.nan, np.float32)
        identity = hashlib.sha256(np.ascontiguousarray(images).tobytes()).hexdigest()
        return cls(images, landmarks, names, names, np.full(count, split), margin, identity)

    @classmethod
    def read(cls, path: str | os.PathLike[str], split: str | None = None, limit: int | None = None) -> FaceSet:
        """Read shards, or a plain folder of square crops.

        Parameters
        ----------
        path : path-like
            As `shard_paths`, or a folder of pictures, which are taken as aligned crops of one
            size without margin, of the people that `person_names` reads from the file names.
        split : {'train', 'validation', 'test'}, optional
            Keep only these.
        limit : int, optional
            Keep only the first so many (after the choice of split).

        Returns
        -------
        FaceSet

        Raises
        ------
        FeatureblendError
            If nothing is there, a shard is damaged, or no face is left.
        """
        if split is not None:
            check_choice(split, "split", SPLITS)
        paths = shard_paths(path)
        faces = _read_shards(paths, split, limit) if paths else _read_folder(Path(path), split, limit)
        if not len(faces):
            raise FeatureblendError(f"{path} holds no faces" + (f" of the {split} split" if split else ""))
        return faces

    @property
    def split_warning(self) -> str | None:
        """What is wrong with the splits, as `featureblend.training.shards.split_warning`."""
        return split_warning(Counter(self.splits.tolist()), len(np.unique(self.people)))

    def chosen(self, which: np.ndarray) -> FaceSet:
        """Keep the faces that an index or mask array names."""
        return replace(self, **{name: getattr(self, name)[which] for name in COLUMNS})

    def split(self, name: str) -> FaceSet:
        """Keep the faces of one split."""
        return self.chosen(self.splits == name)

    def cropped(self, size: int) -> FaceSet:
        """Cut the template's square, without margin, and scale it to `size` if it has another size.

        Parameters
        ----------
        size : int
            Side of the result in pixels.

        Returns
        -------
        FaceSet
            With margin 1.
        """
        side = self.images.shape[1]
        inner = round(side / self.margin)
        start = (side - inner) // 2
        images = self.images[:, start : start + inner, start : start + inner]
        landmarks = self.landmarks - start
        if inner != size:
            images = np.stack([_scaled(image, size) for image in images])
            landmarks = (landmarks + 0.5) * (size / inner) - 0.5
        return replace(self, images=np.ascontiguousarray(images), landmarks=landmarks, margin=1.0)


@dataclass(frozen=True)
class FaceTriplets:
    """Two parents, and the face halfway between them, from a generator in whose latent space the mean is a person.

    Examples
    --------
    >>> triplets = FaceTriplets(np.zeros((30, 3, 160, 160, 3), np.uint8), np.array(["x"] * 30), margin=1.25)
    >>> len(triplets.held_out()), len(triplets.training())
    (3, 27)
    """

    images: np.ndarray
    """(N, 3, S, S, 3) uint8 sRGB: of each triplet the first parent, the second, and the face halfway."""
    names: np.ndarray
    """(N,) str: what the three file names have in common."""
    margin: float
    """The crops show this many times the template's side."""
    identity: str = ""
    """SHA-256 over the shards that were read: names the data in reports."""

    def __len__(self) -> int:
        return len(self.images)

    @classmethod
    def read(cls, paths: Sequence[str | os.PathLike[str]]) -> FaceTriplets:
        """Read triplets from prepared pictures named ``00000a.jpg``, ``00000b.jpg`` and ``00000m.jpg``, the middle.

        Parameters
        ----------
        paths : sequence of path-like
            Each as `FaceSet.read` takes it. Triplets of which a face was not found are left out.

        Returns
        -------
        FaceTriplets

        Raises
        ------
        FeatureblendError
            If a file holds no triplets, or the files hold crops of several sizes.
        """
        sets = [cls._read(Path(path)) for path in paths]
        first = sets[0]
        for path, found in zip(paths, sets, strict=True):
            if found.images.shape[1:] != first.images.shape[1:] or found.margin != first.margin:
                raise FeatureblendError(f"{path} holds crops of another size than {paths[0]}: prepare both alike")
        return cls(
            np.concatenate([found.images for found in sets]),
            np.concatenate([found.names for found in sets]),
            first.margin,
            hashlib.sha256("".join(found.identity for found in sets).encode()).hexdigest(),
        )

    @classmethod
    def _read(cls, path: Path) -> FaceTriplets:
        faces = FaceSet.read(path)
        whole = triplet_members(faces.sources.tolist())
        if not whole:
            raise FeatureblendError(
                f"{path} holds no triplets: prepare pictures named such as 00000a.jpg and 00000b.jpg, the parents, and "
                "00000m.jpg, the face halfway"
            )
        places = np.array([[whole[name][key] for key in "abm"] for name in sorted(whole)])
        return cls(faces.images[places], np.array(sorted(whole)), faces.margin, faces.identity)

    def held_out(self, share: float = 0.1) -> FaceTriplets:
        """The first triplets, which are never trained on: `HELD_OUT_TRIPLETS`, or a share where that is fewer.

        Parameters
        ----------
        share : float
            1 where none of the others are trained on either.
        """
        return self._chosen(slice(0, self._held_out(share)))

    def training(self) -> FaceTriplets:
        """All the others."""
        return self._chosen(slice(self._held_out(0.1), None))

    def _held_out(self, share: float) -> int:
        return min(HELD_OUT_TRIPLETS, math.ceil(share * len(self)))

    def _chosen(self, which: slice) -> FaceTriplets:
        return replace(self, images=self.images[which], names=self.names[which])

    def faces(self) -> FaceSet:
        """The pictures as faces, three of each triplet in a row."""
        faces = FaceSet.from_images(self.images.reshape(-1, *self.images.shape[2:]), self.margin)
        return replace(faces, sources=np.repeat(self.names, 3))


def _scaled(image: np.ndarray, size: int) -> np.ndarray:
    # Pillow's filters widen with the reduction, so that shrinking does not alias.
    return np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.LANCZOS))


def _read_shards(paths: Sequence[Path], split: str | None, limit: int | None) -> FaceSet:
    samples: list[tuple[Path, FaceSample]] = []
    for path in paths:
        for sample in read_shard(path):
            if limit is not None and len(samples) >= limit:
                break
            if split is None or sample.split == split:
                samples.append((path, sample))
    side = decoded(*samples[0]).shape[0] if samples else 1
    images = np.empty((len(samples), side, side, 3), np.uint8)

    def place(index: int) -> None:
        path, sample = samples[index]
        image = decoded(path, sample)
        if image.shape != images.shape[1:] or sample.margin != samples[0][1].margin:
            raise FeatureblendError(f"{path} holds faces of several sizes: prepare the photos together")
        images[index] = image

    with ThreadPoolExecutor() as pool:
        list(pool.map(place, range(len(samples))))
    return face_set(images, [sample for _, sample in samples], shards_identity(paths))


def face_set(images: np.ndarray, samples: Sequence[FaceSample], identity: str) -> FaceSet:
    """Put the decoded crops of samples together."""
    return FaceSet(
        images=images,
        landmarks=np.array([sample.landmarks for sample in samples], np.float32).reshape(-1, 68, 2),
        people=np.array([sample.person for sample in samples]),
        sources=np.array([sample.source for sample in samples]),
        splits=np.array([sample.split for sample in samples]),
        margin=samples[0].margin if samples else 1.0,
        identity=identity,
    )


def shards_identity(paths: Sequence[Path]) -> str:
    """SHA-256 over shards."""
    return hashlib.sha256("".join(sha256(path) for path in paths).encode()).hexdigest()


def head_turn(landmarks: np.ndarray) -> np.ndarray:
    """How far each head is turned: the nose's place right of the middle of the eyes, in eye distances.

    Parameters
    ----------
    landmarks : (N, 68, 2) float32 array
        NaN where unknown, which counts as not turned.

    Returns
    -------
    (N,) float32 array
        Of each face the same bits, however many are asked for at once.
    """
    left, right = (sum(landmarks[:, point, 0] for point in eye) / 6 for eye in (range(36, 42), range(42, 48)))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.nan_to_num((landmarks[:, 30, 0] - (left + right) / 2) / (right - left))


def decoded(path: Path, sample: FaceSample) -> np.ndarray:
    """Decode a sample's crop, (S, S, 3) uint8.

    Raises
    ------
    FeatureblendError
        If it is damaged; the shard is named.
    """
    try:
        with Image.open(io.BytesIO(sample.picture)) as picture:
            return np.array(picture.convert("RGB"))
    except Exception as error:  # damage makes Pillow raise errors of any kind
        raise FeatureblendError(
            f"cannot read {path}: the crop of {sample.source} is damaged; prepare it again"
        ) from error


def _read_folder(folder: Path, split: str | None, limit: int | None) -> FaceSet:
    # What is called a picture and is none is an error, not left out: in a folder of crops nothing may be missing.
    paths = sorted(
        path
        for path in folder.iterdir()
        if not path.name.startswith(".")
        and (not_a_photo(path) is None or str(guess_type(path.name)[0]).startswith("image/"))
    )
    people = person_names([path.name for path in paths])
    kept = [(path, name) for path, name in zip(paths, people, strict=True) if split in (None, person_split(name))]
    kept = kept[:limit]
    if not kept:
        raise FeatureblendError(
            f"{folder} holds neither shards (*.tar) nor pictures" + (f" of the {split} split" if split else "")
        )
    images = [load_image(path) for path, _ in kept]
    for (path, _), image in zip(kept, images, strict=True):
        if image.shape != images[0].shape or image.shape[0] != image.shape[1]:
            raise FeatureblendError(
                f"{path} is {image.shape[1]} x {image.shape[0]}; a data folder holds square crops of one size: "
                f"make them from photos with `featureblend prepare {folder} --out faces.tar`"
            )
    faces = FaceSet.from_images(np.stack(images))
    return replace(
        faces,
        people=np.array([name for _, name in kept]),
        sources=np.array([path.name for path, _ in kept]),
        splits=np.array([person_split(name) for _, name in kept]),
    )


def face_pairs(people: Sequence[str] | np.ndarray, count: int, seed: int = 0) -> np.ndarray:
    """Draw pairs of faces of two different people, none twice.

    Parameters
    ----------
    people : sequence of str
        Who each face shows.
    count : int
        Pairs wanted.
    seed : int

    Returns
    -------
    (count, 2) int64 array
        Indices into `people`.

    Raises
    ------
    FeatureblendError
        If there are not so many pairs.

    Examples
    --------
    >>> face_pairs(["ana", "ana", "bo"], 2).tolist()
    [[0, 2], [1, 2]]
    """
    people = np.asarray(people)
    _, sizes = np.unique(people, return_counts=True)
    available = (len(people) ** 2 - int((sizes.astype(np.int64) ** 2).sum())) // 2
    if available < count:
        raise FeatureblendError(
            f"{count} pairs of different people are needed, but these {len(people)} faces make {available}"
        )
    random = np.random.default_rng(seed)
    chosen: dict[tuple[int, int], None] = {}
    if available < 4 * count:  # few to choose from: list them all
        first, second = np.triu_indices(len(people), 1)
        different = people[first] != people[second]
        everything = np.column_stack([first[different], second[different]])
        return everything[np.sort(random.permutation(len(everything))[:count])]
    while len(chosen) < count:
        one, other = (int(index) for index in random.integers(len(people), size=2))
        if people[one] != people[other]:
            chosen.setdefault((min(one, other), max(one, other)))
    return np.array(list(chosen), dtype=np.int64).reshape(-1, 2)
