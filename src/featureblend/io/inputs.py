"""What every edit takes: photos and codes, by themselves or as files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from ..errors import FeatureblendError
from .codes import CODE_SUFFIX, Code
from .files import readable_name
from .image import Photo, not_a_photo, photo_name
from .metadata import was_made_here

Input: TypeAlias = Photo | Code
"""A photo (path, PIL image, or (H, W, 3) uint8 array) or a code (`Code`, or the path of its ``.npz``)."""

MADE_HERE = "featureblend made it; name the photos one by one to use it, too"
"""Why a picture of a folder is left out."""

OWN_LISTS = ("skipped.csv", "results.csv")
"""What our own lists' names end in: beside photos they are nothing that was passed over."""


@dataclass(frozen=True)
class Skipped:
    """A file that was not used."""

    photo: str
    """Its name."""
    reason: str
    """Why, in a few words."""


@dataclass(frozen=True)
class Folder:
    """What a folder holds, in sorted order."""

    files: list[Path]
    """The photos and codes that are used."""
    skipped: tuple[Skipped, ...]
    """The other files, by their path in the folder, and why."""


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


def files_in(folder: str | os.PathLike[str]) -> Iterator[tuple[str, Path]]:
    """The files of a folder and the folders in it, without hidden ones and our own lists.

    Yields
    ------
    name : str
        The path in the folder, with slashes.
    path : Path

    Raises
    ------
    FeatureblendError
        If it is no folder, or a folder in it can't be read.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FeatureblendError(f"{folder} is no folder" if folder.exists() else f"no such folder: {folder}")
    for inside, folders, names in os.walk(folder, onerror=_unreadable):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            if not name.startswith(".") and not name.endswith(OWN_LISTS):
                path = Path(inside, name)
                yield path.relative_to(folder).as_posix(), path


def read_folder(folder: str | os.PathLike[str], every: bool = False) -> Folder:
    """List the photos and codes of a folder and the folders in it, and say why its other files are left out.

    A photo is what has a photo's content (`featureblend.io.image.not_a_photo`), a code what ends in ``.npz``. Hidden
    files and folders are left out without a word.

    Parameters
    ----------
    folder : path-like
    every : bool
        Use pictures `made_here`, too.

    Returns
    -------
    Folder
        In the same order on every machine: by the names' characters, not by the language's rules.

    Raises
    ------
    FeatureblendError
        If it is no folder, a folder in it can't be read, or it holds neither photos nor codes.

    Examples
    --------
    >>> from featureblend.faces import EXAMPLES
    >>> [path.stem for path in read_folder(EXAMPLES).files]
    ['fifth', 'first', 'fourth', 'second', 'sixth', 'third']
    """
    found = sorted(files_in(folder))
    reasons = {path: None if _is_code(path) else not_a_photo(path) for _, path in found}
    usable = [path for path, reason in reasons.items() if reason is None]
    if not usable:
        why = f"; {readable_name(found[0][0])}: {reasons[found[0][1]]}" if found else ""
        raise FeatureblendError(f"{folder} holds no photos and no codes ({CODE_SUFFIX}){why}")
    reasons |= dict.fromkeys(() if every else made_here(usable), MADE_HERE)
    skipped = [(name, reasons[path]) for name, path in found]
    return Folder(
        [path for path in usable if reasons[path] is None],
        tuple(Skipped(readable_name(name), reason) for name, reason in skipped if reason is not None),
    )


def _is_code(path: Path) -> bool:
    return path.suffix.lower() == CODE_SUFFIX and path.is_file()


def input_files(folder: str | os.PathLike[str], every: bool = False) -> list[Path]:
    """List the photos and codes of a folder; parameters and errors as `read_folder`."""
    return read_folder(folder, every).files


def _unreadable(error: OSError) -> None:
    raise FeatureblendError(f"cannot read {error.filename}: {error.strerror or error}") from error


def made_here(files: Iterable[Path]) -> set[Path]:
    """Tell the pictures that featureblend made, where there are photos too: results of before, beside their photos.

    Of nothing but such pictures, none: they are what is to be blended.

    Examples
    --------
    >>> from featureblend.faces import EXAMPLES
    >>> made_here(input_files(EXAMPLES, every=True))
    set()
    """
    files = list(files)
    made = {path for path in files if path.suffix.lower() != CODE_SUFFIX and was_made_here(path)}
    return made if len(made) < len(files) else set()
