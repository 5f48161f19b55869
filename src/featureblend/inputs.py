"""What every verb takes: photos and codes, by themselves or as files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeAlias

from .codes import CODE_SUFFIX, Code
from .errors import FeatureblendError
from .image import PHOTO_SUFFIXES, Photo, photo_name

__all__ = ["Input", "input_files", "input_name", "read_input"]

Input: TypeAlias = Photo | Code
"""A photo (path, PIL image, or (H, W, 3) uint8 array) or a code (`Code`, or the path of its ``.npz``)."""


def read_input(item: Input) -> Input:
    """Read the code where a path names one; give back everything else as it is.

    Parameters
    ----------
    item : photo, code, or path-like of either

    Returns
    -------
    photo or Code

    Raises
    ------
    FeatureblendError
        If a path ends in ``.npz`` and holds no code.

    Examples
    --------
    >>> read_input("ana.jpg")
    'ana.jpg'
    >>> read_input("ana.npz")
    Traceback (most recent call last):
    featureblend.errors.FeatureblendError: no such file: ana.npz
    """
    if isinstance(item, (str, os.PathLike)) and Path(item).suffix.lower() == CODE_SUFFIX:
        return Code.load(item)
    return item


def input_name(item: Input, place: int) -> str:
    """Name an input without its folder; one that has no name by its place in the caller's list, from 1.

    Examples
    --------
    >>> input_name("photos/ana.jpg", 1)
    'ana.jpg'
    """
    return Path(item.name or f"code {place}").name if isinstance(item, Code) else Path(photo_name(item, place)).name


def input_files(folder: str | os.PathLike[str]) -> list[Path]:
    """List the photos and codes of a folder and the folders in it, sorted by name; hidden ones are left out.

    Parameters
    ----------
    folder : path-like

    Returns
    -------
    list of Path
        The same order on every machine: by the names' characters, not by the language's rules.

    Raises
    ------
    FeatureblendError
        If it is no folder or holds neither.

    Examples
    --------
    >>> from featureblend.demo import EXAMPLES
    >>> [path.stem for path in input_files(EXAMPLES)]
    ['fifth', 'first', 'fourth', 'second', 'third']
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FeatureblendError(f"{folder} is no folder" if folder.exists() else f"no such folder: {folder}")
    endings = (*PHOTO_SUFFIXES, CODE_SUFFIX)
    found = [
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in endings
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and path.is_file()
    ]
    if not found:
        raise FeatureblendError(f"{folder} holds no photos: files that end in {', '.join(endings)} are due")
    return sorted(found, key=lambda path: path.relative_to(folder).as_posix())
