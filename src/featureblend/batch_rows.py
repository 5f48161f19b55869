"""The rows of a batch: read from a CSV file, or every pair of a folder; and the lines of those that are finished."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path
from typing import Any

from .blending import Manner
from .errors import FeatureblendError
from .files import cut
from .inputs import input_files

__all__ = ["OPTIONS", "TABLE", "Row", "asked_cells", "every_pair", "finished_lines", "read_rows"]

TABLE = "results.csv"
"""What the table of a batch is called, in the folder with its pictures."""

OPTIONS = ("warp", "surroundings", "background", "onto", "size", "detail", "shape_weights", "texture_weights")
"""Columns that are handed on to `Blender.blend`."""

OTHERS = ("photos", "a", "b", "weights", "alpha", "name", "method", "faces")

MAX_BYTES = 150
"""Of a name that is made of the photos' names: file systems take 255 bytes, and a number and an ending come on top."""


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


def every_pair(
    folder: str | os.PathLike[str],
    defaults: Mapping[str, Any] | None = None,
    out: str | os.PathLike[str] | None = None,
) -> list[Row]:
    """List every pair of the photos and codes in a folder, in sorted order.

    Parameters
    ----------
    folder : path-like
    defaults : mapping, optional
        ``method`` and options of `Blender.blend`.
    out : path-like, optional
        Where the blends go. What is in it is no photo if it lies inside `folder`; if it is `folder` itself, the
        pictures that its ``results.csv`` lists are none.

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
    found = input_files(folder)
    files = found if out is None else _without_results(found, folder, out)
    if len(files) < 2:
        but = f" but for what is in {out}, where the blends go" if len(files) < len(found) else ""
        raise FeatureblendError(
            f"{folder} holds {'one photo' if files else 'no photos'}{but}; two or more are needed for pairs"
        )
    options = dict(defaults or {})
    method = options.pop("method", "latent")
    return _named([Row("", pair, None, method, options=options) for pair in combinations(files, 2)])


def _without_results(
    files: Sequence[Path], folder: str | os.PathLike[str], out: str | os.PathLike[str]
) -> Sequence[Path]:
    """Leave out what a batch made: else the next run would blend the blends of the last."""
    inside, results = Path(os.path.realpath(folder)), Path(os.path.realpath(out))
    if results == inside:
        made = {line["file"] for line in finished_lines(results / TABLE).values()}
        return [file for file in files if file.parent != Path(folder) or file.name not in made]
    if inside in results.parents:
        return [file for file in files if results not in Path(os.path.realpath(file.parent), file.name).parents]
    return files


def read_rows(path: str | os.PathLike[str], defaults: Mapping[str, Any] | None = None) -> list[Row]:
    """Read the rows of a CSV file. A row that can't be understood is kept, with its problem.

    Parameters
    ----------
    path : path-like
        UTF-8; columns parted by commas, or by semicolons or tabs where the first line has no comma. Numbers have a
        decimal point or comma.
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
    if "\0" in text:
        raise FeatureblendError(
            f"cannot read {shown}: it holds a NUL character, as no list does; save it as UTF-8 text"
        )
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
        try:
            alpha = _float(cells["alpha"])
        except ValueError:
            raise ValueError(f"alpha {cells['alpha']!r}: one number is due, such as 0.5") from None
        return [1 - alpha, alpha]
    return _floats(cells["weights"], "weights") if cells.get("weights") else None


def _floats(text: str, name: str) -> list[float]:
    words = re.split(r",?[\s;:]+", text)
    alone = len(words) == 1 and "," in text
    if (alone and "." in text) or any(word.count(",") > 1 for word in words):  # 0.5,0.5 or 1,2,3: no decimal commas
        words = re.split(r"[\s;:,]+", text)
    elif alone:
        raise ValueError(f"{name} {text!r} may be one number or two: part them by a space, such as 0.5 0.5")
    try:
        return [_float(word) for word in words]
    except ValueError:
        raise ValueError(f"{name} {text!r}: numbers are due, parted by spaces") from None


def _float(word: str) -> float:
    """Read a number with a decimal point, or with the decimal comma of the languages whose lists have semicolons."""
    return float(word.replace(",", "."))


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


def asked_cells(row: Row) -> dict[str, str]:
    """Give what a row asks for beside photos, weights and method, by column and in a list's words.

    Parameters
    ----------
    row : Row

    Returns
    -------
    dict
        What its method doesn't heed is empty.

    Examples
    --------
    >>> cells = asked_cells(Row("x", (Path("a.jpg"), Path("b.jpg")), options={"size": 256, "shape_weights": [2, 1]}))
    >>> cells["size"], cells["background"], cells["warp"], cells["shape_weights"]
    ('256', 'blend', 'yes', '2 1')
    """
    asked = {**vars(Manner()), **row.options}
    if row.method != "latent":
        asked |= {"warp": None, "surroundings": None}
    return {"faces": " ".join(map(str, row.which)), **{name: _cell(asked[name]) for name in OPTIONS}}


def _cell(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return "" if value is None else "yes" if value else "no"
    if isinstance(value, (str, int)):
        return str(value)
    return " ".join(f"{one:g}" if isinstance(one, float) else str(one) for one in value)


def _named(rows: Sequence[Row]) -> list[Row]:
    """Name the rows that have no name after their photos; a number parts those that would share one."""
    taken: set[str] = set()
    for row in rows:
        if row.name and row.name in taken:
            raise FeatureblendError(f"two rows are called {row.name}: each needs a name of its own")
        taken.add(row.name)
    numbers: dict[str, int] = {}
    found = []
    for row in rows:
        name = row.name
        if not name:
            plain = name = _joined([photo.stem for photo in row.photos])
            while name in taken:
                numbers[plain] = numbers.get(plain, 1) + 1
                name = f"{plain}-{numbers[plain]}"
            taken.add(name)
        found.append(replace(row, name=name))
    return found


def _joined(stems: Sequence[str]) -> str:
    """Make a name that every file system takes; where it would be too long, each photo keeps the start of its own."""
    stems = [re.sub(r"[\ud800-\udfff]", "_", stem) for stem in stems]  # bytes that are no UTF-8
    name = "+".join(stems)
    if len(name.encode()) > MAX_BYTES:
        name = "+".join(cut(stem, max(MAX_BYTES // len(stems) - 1, 8)) for stem in stems)
    return cut(name, MAX_BYTES) or "row"


def finished_lines(table: str | os.PathLike[str]) -> dict[str, dict[str, str]]:
    """Read the lines of finished rows by name; a line cut off by a stop is none, so that its row is made again.

    Parameters
    ----------
    table : path-like
        A batch's ``results.csv``; it may be missing.

    Returns
    -------
    dict

    Raises
    ------
    FeatureblendError
        If it can't be read or is no such table.
    """
    try:
        with open(table, newline="", encoding="utf-8") as stream:
            reader = csv.DictReader(stream, restkey="")
            if not {"name", "file", "status", "key"} <= set(reader.fieldnames or ()):
                raise FeatureblendError(f"{table} is no table of a batch: name another folder, or move it away")
            lines = [line for line in reader if line["status"] == "done" and len(line["key"] or "") == 16]
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise FeatureblendError(f"cannot read {table}: {error}") from error
    return {line["name"]: {title: cell for title, cell in line.items() if title} for line in lines}
