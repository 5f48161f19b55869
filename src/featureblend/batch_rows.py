"""The rows of a batch: read from a CSV file, or every pair of a folder; and the lines of those that are finished."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from itertools import combinations, zip_longest
from pathlib import Path
from typing import Any

from .blending import Manner
from .errors import FeatureblendError
from .files import cut
from .inputs import Skipped, read_folder
from .tables import as_on_disk, parse_number, parse_numbers, read_table

__all__ = ["OPTIONS", "TABLE", "Row", "asked_cells", "every_pair", "finished_lines", "read_rows"]

TABLE = "results.csv"
"""What the table of a batch is called, in the folder with its pictures."""

OPTIONS = ("warp", "surroundings", "background", "onto", "size", "detail", "shape_weights", "texture_weights")
"""Columns that are handed on to `Blender.blend`."""

OTHERS = ("photos", "a", "b", "weights", "alpha", "name", "method", "faces")

PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp")
"""Endings that make a row's name that of a picture file."""

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
    suffix: str = ""
    """Its picture's ending, where the name has one; else the batch's."""
    extra: dict[str, str] = field(default_factory=dict)
    """Cells of the list's other columns, by column: they go into the results as they are."""
    problem: str = ""
    """Why the row can't be done; empty where it can."""


def every_pair(
    folder: str | os.PathLike[str],
    defaults: Mapping[str, Any] | None = None,
    out: str | os.PathLike[str] | None = None,
    skipped: list[Skipped] | None = None,
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
    skipped : list, optional
        Gets the folder's other files, and why each is left out.

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
    content = read_folder(folder)
    found = content.files
    others = [Path(folder, one.photo) for one in content.skipped]
    files = found if out is None else _without_results(found, folder, out)
    told = others if out is None else _without_results(others, folder, out)
    if skipped is not None:
        skipped += [one for one, path in zip(content.skipped, others, strict=True) if path in told]
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
        As `featureblend.tables.read_table`. Its first line names the columns; those that are not known here are
        kept as they are. Numbers have a decimal point or comma, or are percentages.
    defaults : mapping, optional
        What holds where a row says nothing: ``method`` and options of `Blender.blend`.

    Returns
    -------
    list of Row

    Raises
    ------
    FeatureblendError
        If the file can't be read, has no column for photos, one whose name is a slip, no row, or a name twice.
    """
    shown = os.fspath(path)
    table = [(number, [cell.strip() for cell in cells]) for number, cells in read_table(path)]
    (_, heading), *lines = table or [(1, [])]
    while heading and not heading[-1]:  # spreadsheets write empty columns behind the last
        heading.pop()
    columns = [name.lower() if _is_known(name.lower()) else name for name in heading]
    _check_columns(columns, shown)
    if not lines:
        raise FeatureblendError(f"{shown} holds no rows below its first line, which names the columns")
    folder = Path(path).parent
    return _named([_row(columns, cells, number, folder, dict(defaults or {})) for number, cells in lines])


def _is_known(column: str) -> bool:
    return _is_photo(column) or column in OPTIONS + OTHERS


def _check_columns(columns: Sequence[str], shown: str) -> None:
    for column in columns:
        if not _is_known(column):  # the user's own, unless it is a slip: a weight must not go unheeded
            meant = get_close_matches(column.lower(), (*OTHERS, *OPTIONS), 1, 0.8)
            if meant or not column:
                hint = f"perhaps {meant[0]} is meant" if meant else "give it a name"
                raise FeatureblendError(f"{shown}: unknown column {column!r} in the first line; {hint}")
    if len({column.lower() for column in columns}) < len(columns):
        raise FeatureblendError(f"{shown}: the first line names a column twice")
    if sum(map(_is_photo, columns)) < 2 and "photos" not in columns and not {"a", "b"} <= set(columns):
        raise FeatureblendError(f"{shown}: its first line names no photos; such as: photo1,photo2,weights")


def _is_photo(column: str) -> bool:
    return re.fullmatch(r"photo[ _-]?\w+", column) is not None and column != "photos"


def _row(columns: Sequence[str], line: Sequence[str], number: int, folder: Path, defaults: dict[str, Any]) -> Row:
    cells = dict(zip(columns, line, strict=False))
    words = [word.strip() for word in cells.get("photos", "").split(";")]
    words += [value for column, value in cells.items() if _is_photo(column) or column in ("a", "b")]
    photos = tuple(as_on_disk(folder / word) for word in words if word)
    name, method = cells.get("name", ""), cells.get("method") or defaults.get("method", "latent")
    defaults.pop("method", None)
    suffix = Path(name).suffix if Path(name).suffix.lower() in PICTURES else ""
    extra = {column: value for column, value in cells.items() if not _is_known(column)}
    row = Row(name.removesuffix(suffix), photos, method=method, suffix=suffix, extra=extra)
    try:
        if any(line[len(columns) :]):
            raise ValueError("it has more cells than the first line has columns")
        if name and (name != Path(name).name or name.startswith(".") or "\\" in name):
            raise ValueError(f"name {name!r}: a plain name is due, without a folder")
        if len(photos) < 2:
            raise ValueError("two or more photos are needed for a blend")
        given = {key: _OPTION[key](cells[key], key) for key in OPTIONS if cells.get(key)}
        which = [_place(word) for word in cells.get("faces", "").replace(";", " ").split()] or ["largest"]
        return replace(row, weights=_weights(cells), which=which, options=defaults | given)
    except ValueError as error:
        return replace(row, problem=f"line {number}: {error}")


def _weights(cells: Mapping[str, str]) -> list[float] | None:
    if cells.get("weights") and cells.get("alpha"):
        raise ValueError("give weights or alpha, not both")
    if cells.get("alpha"):
        try:
            alpha = parse_number(cells["alpha"])
        except ValueError:
            raise ValueError(f"alpha {cells['alpha']!r}: one number is due, such as 0.5") from None
        if not 0 <= alpha <= 1:
            raise ValueError(f"alpha {cells['alpha']!r}: a number from 0 to 1 is due, or a percentage such as 50%")
        return [1 - alpha, alpha]
    return parse_numbers(cells["weights"], "weights") if cells.get("weights") else None


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
    "shape_weights": parse_numbers,
    "texture_weights": parse_numbers,
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
    if not os.path.exists(table):
        return {}
    (_, columns), *lines = read_table(table, strict=False) or [(1, [])]
    if not {"name", "file", "status", "key"} <= set(columns):
        raise FeatureblendError(f"{table} is no table of a batch: name another folder, or move it away")
    found = [dict(zip_longest(columns, line[: len(columns)], fillvalue="")) for _, line in lines]
    return {line["name"]: line for line in found if line["status"] == "done" and len(line["key"]) == 16}
