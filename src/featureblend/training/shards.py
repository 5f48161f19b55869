"""Shards on disk: tars of aligned faces with landmarks, source, person and split.

A shard is a tar in WebDataset's layout: each face is two members with one stem, ``000123.webp``
(the crop) and ``000123.json`` (landmarks, source, person, split, margin).
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import tarfile
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from glob import escape
from pathlib import Path, PurePosixPath

from ..errors import FeatureblendError
from ..io.files import parse_json

SPLITS = {"train": 0.85, "validation": 0.05, "test": 0.10}
"""Share of people in each split."""


def person_split(person: str) -> str:
    """Split of a person, by a hash of the name: the same everywhere and always.

    Notes
    -----
    The first 8 bytes of the SHA-256 of the name, as a fraction of 1: below 0.85 train, then
    validation up to 0.90, then test. The name is in Unicode's composed form (NFC) and UTF-8, since
    one file system writes an accent as a letter of its own and another does not.

    Examples
    --------
    >>> person_split("Ada Lovelace") == person_split("Ada Lovelace")
    True
    """
    name = unicodedata.normalize("NFC", person).encode(errors="surrogateescape")
    place = int.from_bytes(hashlib.sha256(name).digest()[:8], "big") / 2**64
    for split, share in SPLITS.items():
        if place < share:
            return split
        place -= share
    return "test"


def person_names(photos: Sequence[str]) -> list[str]:
    """Person that each photo shows, as far as file names tell.

    Where the photos lie in several folders, the folder's name is the person. Otherwise it is the
    file's name without a number at its end; but if that leaves one name for all of them, as with
    ``IMG_0001.jpg`` and on, the names tell nothing and each photo counts as a person of its own.

    Parameters
    ----------
    photos : sequence of str
        Names with ``/`` between folders.

    Returns
    -------
    list of str
        In the order of `photos`.

    Examples
    --------
    >>> person_names(["Ana_Ek/1.jpg", "Bo_Li/1.jpg"])
    ['Ana_Ek', 'Bo_Li']
    >>> person_names(["Ana_Ek_0001.jpg", "Ana_Ek_0002.jpg", "Bo Li (1).jpg"])
    ['Ana_Ek', 'Ana_Ek', 'Bo Li']
    >>> person_names(["IMG_0001.jpg", "IMG_0002.jpg"])
    ['IMG_0001', 'IMG_0002']
    """
    paths = [PurePosixPath(photo) for photo in photos]
    stems = [path.stem for path in paths]
    names = [re.sub(r"[ _-]+\(?\d+\)?$", "", stem) or stem for stem in stems]
    if len({path.parent for path in paths}) > 1:
        return [path.parent.name or name for path, name in zip(paths, names, strict=True)]
    return names if len(set(names)) > 1 else stems


def triplet_members(photos: Sequence[str]) -> dict[str, dict[str, int]]:
    """Pictures of triplets by what their three names have in common, and by the letter that each adds to it.

    Parameters
    ----------
    photos : sequence of str

    Returns
    -------
    dict
        Place in `photos` by ``'a'``, ``'b'`` (the parents) and ``'m'`` (the face halfway), of each whole triplet.

    Examples
    --------
    >>> triplet_members(["g/01a.jpg", "g/01b.jpg", "g/01m.jpg", "g/02a.jpg"])
    {'g/01': {'a': 0, 'b': 1, 'm': 2}}
    """
    members: dict[str, dict[str, int]] = {}
    for place, photo in enumerate(photos):
        stem = PurePosixPath(photo).with_suffix("").as_posix()
        if stem[-1:] in ("a", "b", "m"):
            members.setdefault(stem[:-1], {})[stem[-1]] = place
    return {name: found for name, found in members.items() if len(found) == 3}


def split_warning(faces: Mapping[str, int], people: int) -> str | None:
    """Warn of data in which a split is empty: what is trained on it can't be measured on people it never saw.

    Parameters
    ----------
    faces : mapping of str to int
        Faces in each split; a split that is not named has none.
    people : int

    Returns
    -------
    str or None
        None where every split has faces.

    Examples
    --------
    >>> split_warning({"train": 244}, 3)[:83]
    'no faces for validation and test (244 train, 0 validation, 0 test): by folders and '
    """
    empty = [name for name in SPLITS if not faces.get(name)]
    if not empty:
        return None
    counts = ", ".join(f"{faces.get(name, 0):,} {name}" for name in SPLITS)
    return (
        f"no faces for {' and '.join(empty)} ({counts}): by folders and file names the photos show "
        f"{people:,} {'person' if people == 1 else 'people'}, and each is in one split. Sort them by person, "
        "or put all into one folder, each named differently"
    )


@dataclass(frozen=True)
class FaceSample:
    """One prepared face in a shard."""

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
    """Iterate over the samples of a shard in order; parameters and errors as `placed_samples`."""
    for sample, _ in placed_samples(path):
        yield sample


def placed_samples(path: str | os.PathLike[str]) -> Iterator[tuple[FaceSample, tuple[int, int, int, int]]]:
    """Iterate over the samples of a shard in order, each with where its picture and its facts begin and end there.

    Raises
    ------
    FeatureblendError
        If the shard is damaged, cut short, or not a tar that `write_shard` wrote; it is named.
    """
    try:
        with tarfile.open(path, "r:") as tar:
            parts: dict[str, bytes] = {}
            places: dict[str, tuple[int, int]] = {}
            for member in tar:
                tar.members = []  # type: ignore[attr-defined]  # it keeps all: of a large shard hundreds of MB
                stream = tar.extractfile(member)
                if stream is None:
                    continue
                suffix = PurePosixPath(member.name).suffix
                parts[suffix] = stream.read()
                places[suffix] = member.offset_data, member.offset_data + member.size
                if ".webp" in parts and ".json" in parts:
                    yield parse_sample(parts[".webp"], parts[".json"]), (*places[".webp"], *places[".json"])
                    parts = {}
            if parts:
                raise ValueError("a face lacks its picture or its facts")
            # tarfile takes a damaged header, or the lack of any more, for the end of the archive.
            assert tar.fileobj is not None
            tar.fileobj.seek(tar.offset)
            if tar.fileobj.read(1024) != bytes(1024):
                raise ValueError("it does not end as a tar does")
    except (tarfile.TarError, OSError, ValueError, TypeError) as error:
        raise FeatureblendError(
            f"cannot read {path}: not a tar that `featureblend prepare` wrote, or damaged ({error}); prepare it again"
        ) from error


def parse_sample(picture: bytes, facts: bytes) -> FaceSample:
    """Make a sample of its two members.

    Raises
    ------
    ValueError
        If the facts are no JSON, or have no 68 landmarks.
    TypeError
        If one is missing or unknown.
    """
    sample = FaceSample(picture=picture, **parse_json(facts))
    if len(sample.landmarks) != 68 or any(len(point) != 2 for point in sample.landmarks):
        raise ValueError(f"{sample.source} has no 68 landmarks")
    return sample


def shard_paths(path: str | os.PathLike[str]) -> list[Path]:
    """The shards that a name stands for: one tar, ``faces-00000.tar`` and so on, or a folder's tars.

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
        If nothing is there, or a shard in the middle is missing.
    """
    path = Path(path)
    if path.is_dir():
        # Names that begin with a dot are other programs' business, or files that are being written.
        return sorted(tar for tar in path.glob("*.tar") if not tar.name.startswith("."))
    if path.is_file():
        return [path]
    parts = numbered_shards(path)
    if not parts:
        raise FeatureblendError(f"no such data: {path}; make it with `featureblend prepare FOLDER_OR_TAR --out {path}`")
    for number, part in enumerate(parts):
        if int(part.stem[-5:]) != number:
            raise FeatureblendError(f"{path} is not whole: the shard {path.stem}-{number:05d}{path.suffix} is missing")
    return parts


def numbered_shards(path: str | os.PathLike[str]) -> list[Path]:
    """The existing shards ``faces-00000.tar`` and so on of ``faces.tar``."""
    path = Path(path)
    return sorted(path.parent.glob(f"{escape(path.stem)}-[0-9][0-9][0-9][0-9][0-9]{escape(path.suffix)}"))
