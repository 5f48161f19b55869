"""The faces that a reproduction runs on: prepared ones, or drawn ones where none are given."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..errors import FeatureblendError
from ..faces.drawn import draw_faces
from ..training.dataset import COLUMNS, FaceSet

QUICK = {"train": 300, "validation": 40, "test": 80}
"""Faces of each split in a quick run: the first ones of the data, or so many drawn ones."""

DRAWN = {"train": 2000, "validation": 100, "test": 300}
"""Faces drawn for a full run without data."""


@dataclass(frozen=True)
class Subjects:
    """The faces that a reproduction trains on and is measured on."""

    faces: FaceSet
    note: str
    """What they are, for the report."""
    path: str | None = None
    """Where they came from, so that `export` finds them; None for drawn faces."""


def find_subjects(data: FaceSet | str | os.PathLike[str] | None, quick: bool, size: int) -> Subjects:
    """Read, choose or draw the faces.

    Parameters
    ----------
    data : FaceSet or path-like, optional
        Prepared faces. By default faces are drawn: of nobody, each another person, with landmarks.
    quick : bool
        Take a few hundred.
    size : int
        Side of drawn faces in pixels.

    Returns
    -------
    Subjects

    Raises
    ------
    FeatureblendError
        If a split holds no faces.

    Examples
    --------
    >>> sorted(set(find_subjects(None, True, 16).faces.splits.tolist()))
    ['test', 'train', 'validation']
    """
    if data is None:
        return _drawn(QUICK if quick else DRAWN, size)
    where = "the faces given" if isinstance(data, FaceSet) else os.fspath(data)
    if quick:
        faces = _joined([_some(data, split, limit) for split, limit in QUICK.items()])
    else:
        faces = data if isinstance(data, FaceSet) else FaceSet.read(data)
    missing = [split for split in QUICK if not (faces.splits == split).any()]
    if missing:
        raise FeatureblendError(f"{where}: no faces of the {missing[0]} split; prepare photos of more people")
    note = f"{_counted(faces)} from {where}" + (", the first of each split" if quick else "")
    return Subjects(faces, note, None if isinstance(data, FaceSet) else where)


def _some(data: FaceSet | str | os.PathLike[str], split: str, limit: int) -> FaceSet:
    if not isinstance(data, FaceSet):
        return FaceSet.read(data, split, limit)
    return data.chosen(np.flatnonzero(data.splits == split)[:limit])


def _joined(parts: list[FaceSet]) -> FaceSet:
    columns: dict[str, Any] = {name: np.concatenate([getattr(part, name) for part in parts]) for name in COLUMNS}
    return replace(parts[0], **columns)


def _drawn(counts: dict[str, int], size: int) -> Subjects:
    images, landmarks = draw_faces(range(sum(counts.values())), size)
    names = np.array([f"drawn-{number:05d}" for number in range(len(images))])
    faces = replace(
        FaceSet.from_images(images),
        landmarks=landmarks.astype(np.float32),
        people=names,
        sources=names,
        splits=np.repeat(list(counts), list(counts.values())),
    )
    return Subjects(faces, f"{_counted(faces)}, drawn by featureblend (faces of nobody; no data was given)")


def _counted(faces: FaceSet) -> str:
    counts = {split: int((faces.splits == split).sum()) for split in QUICK}
    return ", ".join(f"{count:,} {split}" for split, count in counts.items()) + " faces"
