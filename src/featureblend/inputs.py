"""What every verb takes: photos and codes, by themselves or as files."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TypeAlias

from .codes import CODE_SUFFIX, Code
from .errors import FeatureblendError
from .image import PHOTO_SUFFIXES, Photo, photo_name
from .metadata import was_made_here

__all__ = ["Input", "input_files", "input_name", "made_here", "read_input"]

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
    return Path(photo_name(item.name or f"code {place}" if isinstance(item, Code) else item, place)).name


def input_files(folder: str | os.PathLike[str], every: bool = False) -> list[Path]:
    """List the photos and codes of a folder and the folders in it, sorted by name; hidden ones are left out.

    Parameters
    ----------
    folder : path-like
    every : bool
        List pictures `made_here`, too.

    Returns
    -------
    list of Path
        The same order on every machine: by the names' characters, not by the language's rules.

    Raises
    ------
    FeatureblendError
        If it is no folder, a folder in it can't be read, or it holds neither.

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
    found = []
    for inside, folders, names in os.walk(folder, onerror=_unreadable):
        folders[:] = [name for name in folders if not name.startswith(".")]
        paths = [Path(inside, name) for name in names if not name.startswith(".")]
        found += [path for path in paths if path.suffix.lower() in endings and path.is_file()]
    if not found:
        raise FeatureblendError(f"{folder} holds no photos: files that end in {', '.join(endings)} are due")
    found.sort(key=lambda path: path.relative_to(folder).as_posix())
    results = set() if every else made_here(found)
    return [path for path in found if path not in results]


def _unreadable(error: OSError) -> None:
    raise FeatureblendError(f"cannot read {error.filename}: {error.strerror or error}") from error


def made_here(files: Iterable[Path]) -> set[Path]:
    """Tell the pictures that featureblend made, where there are photos too: results of before, beside their photos.

    Of nothing but such pictures, none: they are what is to be blended.

    Examples
    --------
    >>> from featureblend.demo import EXAMPLES
    >>> made_here(input_files(EXAMPLES, every=True))
    set()
    """
    files = list(files)
    made = {path for path in files if path.suffix.lower() != CODE_SUFFIX and was_made_here(path)}
    return made if len(made) < len(files) else set()
