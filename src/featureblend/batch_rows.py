"""The rows of a batch: read from a CSV file, or every pair of a folder."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path
from typing import Any

from .errors import FeatureblendError
from .inputs import input_files

__all__ = ["Row", "every_pair", "read_rows"]

OPTIONS = ("warp", "surroundings", "background", "onto", "size", "detail", "shape_weights", "texture_weights")
"""Columns that are handed on to `Blender.blend`."""

OTHERS = ("photos", "a", "b", "weights", "alpha", "name", "method", "faces")


@dataclass(frozen=True)
class Row:
    """One blend of a batch."""

    name: str
    """Its picture's name, without the ending."""
    photos: tuple[Path, ...]
    weights: list[float] | None = None
    method: str = "latent"
    which: list[int | str] = field(default_factory=lambda: ["largest"])
    """Which face, once or one a photo."""
    options: dict[str, Any] = field(default_factory=dict)
    """The rest of what `Blender.blend` takes."""
    problem: str = ""
    """Why the row can't be done; empty where it can."""


def every_pair(folder: str | os.PathLike[str], defaults: Mapping[str, Any] | None = None) -> list[Row]:
    """List every pair of the photos and codes in a folder, in sorted order.

    Parameters
    ----------
    folder : path-like
    defaults : mapping, optional
        ``method`` and options of `Blender.blend`.

    Raises
    ------
    FeatureblendError
        If it is no folder or holds fewer than two.

    Examples
    --------
    >>> from featureblend.demo import EXAMPLES
    >>> [row.name for row in every_pair(EXAMPLES)][:2]
    ['fifth+first', 'fifth+fourth']
    """
    files = input_files(folder)
    if len(files) < 2:
        raise FeatureblendError(f"{folder} holds one photo; two or more are needed for pairs")
    options = dict(defaults or {})
    method = options.pop("method", "latent")
    return _named([Row("", pair, None, method, options=options) for pair in combinations(files, 2)])


def read_rows(path: str | os.PathLike[str], defaults: Mapping[str, Any] | None = None) -> list[Row]:
    """Read the rows of a CSV file. A row that can't be understood is kept, with its problem.

    Parameters
    ----------
    path : path-like
        UTF-8; columns parted by commas, or by semicolons or tabs where the first line has no comma.
    defaults : mapping, optional
        What holds where a row says nothing: ``method`` and options of `Blender.blend`.

    Returns
    -------
    list of Row

    Raises
    ------
    FeatureblendError
        If the file can't be read, has an unknown column or none for photos, no row, or a name twice.
    """
    shown = os.fspath(path)
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise FeatureblendError(f"no such file: {shown}") from error
    except (OSError, UnicodeDecodeError) as error:
        why = "it is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else error.strerror or error
        raise FeatureblendError(f"cannot read {shown}: {why}") from error
    first = text.partition("\n")[0]
    try:
        # Strict, and with the columns checked: what is no CSV is told as such, not row by row.
        table = csv.DictReader(text.splitlines(), delimiter=next((d for d in ",;\t" if d in first), ","), strict=True)
        columns = [(column or "").strip().lower() for column in table.fieldnames or ()]
        _check_columns(columns, shown)
        table.fieldnames = columns
        lines = [(table.line_num, line) for line in table if any(_texts(line))]
    except csv.Error as error:
        raise FeatureblendError(f"cannot read {shown}: {error}") from error
    if not lines:
        raise FeatureblendError(f"{shown} holds no rows below its first line, which names the columns")
    folder = Path(path).parent
    return _named([_row(line, number, folder, dict(defaults or {})) for number, line in lines])


def _texts(line: Mapping[str | None, Any]) -> list[str]:
    return [value for value in line.values() if isinstance(value, str) and value.strip()]


def _check_columns(columns: Sequence[str], shown: str) -> None:
    for column in columns:
        if not _is_photo(column) and column not in OPTIONS + OTHERS:
            known = ", ".join(("photo1", "photo2", *OTHERS, *OPTIONS))
            raise FeatureblendError(f"{shown}: unknown column {column!r} in the first line; known are {known}")
    if len(set(columns)) < len(columns):
        raise FeatureblendError(f"{shown}: the first line names a column twice")
    if sum(map(_is_photo, columns)) < 2 and "photos" not in columns and not {"a", "b"} <= set(columns):
        raise FeatureblendError(f"{shown}: its first line names no photos; such as: photo1,photo2,weights")


def _is_photo(column: str) -> bool:
    return re.fullmatch(r"photo[ _-]?\w+", column) is not None and column != "photos"


def _row(line: dict[str | None, Any], number: int, folder: Path, defaults: dict[str, Any]) -> Row:
    cells = {str(key): (value or "").strip() for key, value in line.items() if key is not None}
    words = [word.strip() for word in cells.get("photos", "").split(";")]
    words += [value for column, value in cells.items() if _is_photo(column) or column in ("a", "b")]
    photos = tuple(folder / word for word in words if word)
    name, method = cells.get("name", ""), cells.get("method") or defaults.pop("method", "latent")
    defaults.pop("method", None)
    try:
        if None in line:
            raise ValueError("it has more cells than the first line has columns")
        if name and (name != Path(name).name or name.startswith(".") or "\\" in name):
            raise ValueError(f"name {name!r}: a plain name is due, without a folder")
        if len(photos) < 2:
            raise ValueError("two or more photos are needed for a blend")
        given = {key: _OPTION[key](cells[key], key) for key in OPTIONS if cells.get(key)}
        which = [_place(word) for word in cells.get("faces", "").replace(";", " ").split()] or ["largest"]
        return Row(name, photos, _weights(cells), method, which, defaults | given)
    except ValueError as error:
        return Row(name, photos, method=method, problem=f"line {number}: {error}")


def _weights(cells: Mapping[str, str]) -> list[float] | None:
    if cells.get("weights") and cells.get("alpha"):
        raise ValueError("give weights or alpha, not both")
    if cells.get("alpha"):
        alpha = _floats(cells["alpha"], "alpha")[0]
        return [1 - alpha, alpha]
    return _floats(cells["weights"], "weights") if cells.get("weights") else None


def _floats(text: str, name: str) -> list[float]:
    try:
        return [float(word) for word in re.split(r"[\s;:,]+", text)]
    except ValueError:
        raise ValueError(f"{name} {text!r}: numbers are due, parted by spaces") from None


def _yes(text: str, name: str) -> bool:
    if text.lower() not in ("yes", "no", "true", "false", "1", "0"):
        raise ValueError(f"{name} {text!r}: yes or no is due")
    return text.lower() in ("yes", "true", "1")


def _place(text: str, name: str = "") -> int | str:
    return int(text) if text.lstrip("-").isdecimal() else text


def _word(text: str, name: str) -> str:
    return text


_OPTION: Mapping[str, Any] = {
    "warp": _yes,
    "detail": _yes,
    "surroundings": _place,
    "size": _place,
    "onto": _place,
    "background": _word,
    "shape_weights": _floats,
    "texture_weights": _floats,
}
"""What reads a cell of each column."""


def _named(rows: Sequence[Row]) -> list[Row]:
    """Name the rows that have no name after their photos; a number parts those that would share one."""
    taken: set[str] = set()
    for row in rows:
        if row.name and row.name in taken:
            raise FeatureblendError(f"two rows are called {row.name}: each needs a name of its own")
        taken.add(row.name)
    found = []
    for row in rows:
        name = row.name
        if not name:
            plain = name = "+".join(photo.stem for photo in row.photos)[:150] or "row"
            number = 1
            while name in taken:
                number += 1
                name = f"{plain}-{number}"
            taken.add(name)
        found.append(replace(row, name=name))
    return found
