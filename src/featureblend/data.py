"""Prepared faces: shards of aligned crops with landmarks, split by person; folders of crops; pairs.

A shard is a tar in WebDataset's layout: each face is two members with one stem, ``000123.webp``
(the crop) and ``000123.json`` (landmarks, source, person, split). Everything here is numpy; what
runs on a training device is in `featureblend.train.batches`.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from .errors import FeatureblendError
from .files import sha256
from .image import PHOTO_SUFFIXES, load_image

__all__ = ["SPLITS", "FaceSample", "FaceSet", "face_pairs", "person_split", "shard_paths", "write_shard"]

SPLITS = {"train": 0.85, "validation": 0.05, "test": 0.10}
"""Share of people in each split."""


def person_split(person: str) -> str:
    """Say which split a person belongs to, by a hash of the name: the same everywhere and for ever.

    Examples
    --------
    >>> person_split("Ada Lovelace") == person_split("Ada Lovelace")
    True
    """
    place = int.from_bytes(hashlib.sha256(person.encode()).digest()[:8], "big") / 2**64
    for split, share in SPLITS.items():
        if place < share:
            return split
        place -= share
    return "test"


@dataclass(frozen=True)
class FaceSample:
    """One prepared face as it lies in a shard."""

    picture: bytes
    """The encoded crop (WebP)."""
    landmarks: list[list[float]]
    """68 x, y pairs in the crop's pixels."""
    source: str
    """The photo's name, relative to the folder or tar that was prepared."""
    person: str
    """Who is shown, as far as the names tell."""
    split: str
    """'train', 'validation' or 'test'."""
    margin: float
    """The crop shows this many times the template's side."""


def write_shard(path: str | os.PathLike[str], samples: Iterable[FaceSample], first: int = 0) -> int:
    """Write samples to a tar, numbered from `first`; return how many.

    The bytes depend on the samples alone: members carry no time, owner or mode of this machine.
    """
    count = 0
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for count, sample in enumerate(samples, start=1):
            facts = {name: value for name, value in vars(sample).items() if name != "picture"}
            stem = f"{first + count - 1:06d}"
            for suffix, content in ((".webp", sample.picture), (".json", json.dumps(facts).encode())):
                member = tarfile.TarInfo(stem + suffix)
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    return count


def read_shard(path: str | os.PathLike[str]) -> Iterator[FaceSample]:
    """Give the samples of a shard in order; a damaged shard is an error that names it."""
    try:
        with tarfile.open(path) as tar:
            parts: dict[str, bytes] = {}
            for member in tar:
                stream = tar.extractfile(member)
                if stream is None:
                    continue
                parts[Path(member.name).suffix] = stream.read()
                if ".webp" in parts and ".json" in parts:
                    facts: dict[str, Any] = json.loads(parts[".json"])
                    yield FaceSample(picture=parts[".webp"], **facts)
                    parts = {}
    except (tarfile.TarError, OSError, ValueError, TypeError) as error:
        raise FeatureblendError(
            f"cannot read {path}: not a tar that `featureblend prepare` wrote, or damaged ({error}); prepare it again"
        ) from error


def shard_paths(path: str | os.PathLike[str]) -> list[Path]:
    """List the shards that a name stands for: one tar, ``faces-00000.tar`` and on, or a folder's tars.

    Parameters
    ----------
    path : path-like
        ``faces.tar`` also stands for ``faces-00000.tar, faces-00001.tar, ...`` beside it.

    Returns
    -------
    list of Path
        In order; empty where `path` is a folder without tars.

    Raises
    ------
    FeatureblendError
        If nothing is there.
    """
    path = Path(path)
    if path.is_dir():
        return sorted(path.glob("*.tar"))
    if path.is_file():
        return [path]
    parts = sorted(path.parent.glob(f"{path.stem}-[0-9][0-9][0-9][0-9][0-9]{path.suffix}"))
    if not parts:
        raise FeatureblendError(f"no such data: {path}; make it with `featureblend prepare FOLDER_OR_TAR --out {path}`")
    return parts


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
            size without margin, split by their file name.
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
        if split is not None and split not in SPLITS:
            raise FeatureblendError(f"unknown split {split!r}: use one of {', '.join(SPLITS)}")
        paths = shard_paths(path)
        faces = _read_shards(paths, split, limit) if paths else _read_folder(Path(path), split, limit)
        if not len(faces):
            raise FeatureblendError(f"{path} holds no faces" + (f" of the {split} split" if split else ""))
        return faces

    def chosen(self, which: np.ndarray) -> FaceSet:
        """Keep the faces that an index or mask array names."""
        fields = ("images", "landmarks", "people", "sources", "splits")
        return replace(self, **{name: getattr(self, name)[which] for name in fields})

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


def _scaled(image: np.ndarray, size: int) -> np.ndarray:
    # Pillow's filters widen with the reduction, so that shrinking does not alias.
    return np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.LANCZOS))


def _read_shards(paths: Sequence[Path], split: str | None, limit: int | None) -> FaceSet:
    samples: list[FaceSample] = []
    for path in paths:
        for sample in read_shard(path):
            if limit is not None and len(samples) >= limit:
                break
            if split is None or sample.split == split:
                samples.append(sample)
    with ThreadPoolExecutor() as pool:
        images = list(pool.map(_decoded, samples))
    if len({image.shape for image in images}) > 1 or len({sample.margin for sample in samples}) > 1:
        raise FeatureblendError(
            f"the shards beside {paths[0]} were prepared with different sizes: prepare them together"
        )
    digest = hashlib.sha256("".join(sha256(path) for path in paths).encode()).hexdigest()
    return FaceSet(
        images=np.stack(images) if images else np.zeros((0, 1, 1, 3), np.uint8),
        landmarks=np.array([sample.landmarks for sample in samples], np.float32).reshape(-1, 68, 2),
        people=np.array([sample.person for sample in samples]),
        sources=np.array([sample.source for sample in samples]),
        splits=np.array([sample.split for sample in samples]),
        margin=samples[0].margin if samples else 1.0,
        identity=digest,
    )


def _decoded(sample: FaceSample) -> np.ndarray:
    with Image.open(io.BytesIO(sample.picture)) as picture:
        return np.array(picture.convert("RGB"))


def _read_folder(folder: Path, split: str | None, limit: int | None) -> FaceSet:
    paths = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in PHOTO_SUFFIXES]
    splits = [person_split(path.stem) for path in paths]
    kept = [(path, name) for path, name in zip(paths, splits, strict=True) if split in (None, name)][:limit]
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
    names = np.array([path.stem for path, _ in kept])
    return replace(faces, people=names, sources=names, splits=np.array([name for _, name in kept]))


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
            f"{count} pairs of different people are due, but these {len(people)} faces make {available}"
        )
    random = np.random.default_rng(seed)
    chosen: dict[tuple[int, int], None] = {}
    if available < 4 * count:  # few to choose from: list them all
        first, second = np.triu_indices(len(people), 1)
        different = people[first] != people[second]
        everything = np.column_stack([first[different], second[different]])
        return everything[np.sort(random.permutation(len(everything))[:count])]
    while len(chosen) < count:
        first, second = (int(index) for index in random.integers(len(people), size=2))
        if people[first] != people[second]:
            chosen.setdefault((min(first, second), max(first, second)))
    return np.array(list(chosen), dtype=np.int64)
