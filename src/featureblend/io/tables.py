"""Reader of CSV files and numbers as people and spreadsheets write them."""

from __future__ import annotations

import codecs
import csv
import io
import math
import os
import re
import unicodedata
from collections.abc import Iterable
from numbers import Integral, Real
from pathlib import Path
from typing import Any

from ..errors import FeatureblendError
from .files import atomic_path, read_error

BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""Marks at the start of a file, and the encoding that each tells of."""

DELIMITERS = "\t;,"
"""What may part cells; the first that the first line has does: beside tabs and semicolons a comma is a decimal one."""


def read_table(path: str | os.PathLike[str], strict: bool = True) -> list[tuple[int, list[str]]]:
    r"""Read the rows of a CSV file.

    Cells are parted by commas, semicolons or tabs, whichever the first line has (or names: ``sep=;``), and may be
    quoted, with line breaks in them. The text is UTF-8, or UTF-16 or UTF-32 with a byte order mark. Other encodings
    can't be told apart, and a wrong guess would change names without a word: they are refused.

    Parameters
    ----------
    path : path-like
    strict : bool
        Refuse what is no CSV, such as a quote that is never closed; else make the best of it.

    Returns
    -------
    list of (int, list of str)
        The line on which each row begins, from 1, and its cells as they are. Empty rows are left out.

    Raises
    ------
    FeatureblendError
        If the file can't be read or is no such text.
    """
    shown = os.fspath(path)
    text = _text(path)
    start, line = 1, text.partition("\n")[0].strip()
    if re.fullmatch(r'"?sep=.?"?', line, re.IGNORECASE):  # Excel's own hint
        delimiter = line.strip('"')[4:] or "\t"
        text, start = text.partition("\n")[2], 2
    else:
        unquoted = re.sub(r'"[^"]*"', "", line)
        delimiter = next((one for one in DELIMITERS if one in unquoted), ",")
    rows = []
    try:
        # newline="": the csv module must see line breaks as they are, and no others (such as U+2028) as such.
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=strict)
        before = 0
        for cells in reader:
            rows.append((before + start, cells))
            before = reader.line_num
    except csv.Error as error:
        raise FeatureblendError(f"cannot read {shown}: line {reader.line_num + start - 1}: {error}") from error
    return [(number, cells) for number, cells in rows if any(map(str.strip, cells))]


def write_table(path: str | os.PathLike[str], rows: Iterable[Iterable[Any]]) -> Path:
    """Write a CSV file, whole or not at all; names that are no UTF-8 as the bytes that they are."""
    with (
        atomic_path(path) as temporary,
        open(temporary, "w", newline="", encoding="utf-8", errors="surrogateescape") as stream,
    ):
        csv.writer(stream).writerows(rows)
    return Path(path)


def _text(path: str | os.PathLike[str]) -> str:
    shown = os.fspath(path)
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise read_error(shown, error, "a list") from error
    encoding = next((name for mark, name in BOMS if content.startswith(mark)), "utf-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        said = "UTF-8 text" if encoding == "utf-8" else f"the {encoding.upper()} text that its first bytes promise"
        raise FeatureblendError(
            f"cannot read {shown}: it is not {said}; save it as UTF-8 (Excel: 'CSV UTF-8 (Comma delimited)')"
        ) from error
    if "\0" in text:
        raise FeatureblendError(
            f"cannot read {shown}: it holds a NUL character, as no list does; save it as UTF-8 text"
        )
    return text


def parse_number(text: str) -> float:
    """Read a number with a decimal point or comma, or a percentage.

    Raises
    ------
    ValueError
        If it is none.

    Examples
    --------
    >>> parse_number("0.25"), parse_number("0,25"), parse_number("25 %")
    (0.25, 0.25, 0.25)
    """
    plain = text.strip().replace(",", ".").replace("\N{MINUS SIGN}", "-")
    try:
        return float(plain[:-1]) / 100 if plain.endswith("%") else float(plain)
    except ValueError:
        raise ValueError(f"{text!r} is no number") from None


def parse_numbers(text: str, name: str) -> list[float]:
    """Read several numbers, separated by blanks, semicolons or colons, or by commas that can't be decimal commas.

    Parameters
    ----------
    text : str
    name : str
        What the error calls them.

    Raises
    ------
    ValueError
        If it is something else, or may be either one number or two.

    Examples
    --------
    >>> parse_numbers("0.5,0.5", "weights"), parse_numbers("0,5 0,5", "weights"), parse_numbers("70% 30%", "weights")
    ([0.5, 0.5], [0.5, 0.5], [0.7, 0.3])
    >>> parse_numbers("0,5", "weights")
    Traceback (most recent call last):
    ValueError: weights '0,5' may be one number or two: part them by a space, such as 0.5 0.5
    """
    plain = re.sub(r"\s+%", "%", text.strip())
    words = re.split(r",?[\s;:]+", plain)
    alone = len(words) == 1 and "," in plain
    if (alone and ("." in plain or "%," in plain)) or any(word.count(",") > 1 for word in words):  # 0.5,0.5 or 1,2,3
        words = re.split(r"[\s;:,]+", plain)
    elif alone:
        raise ValueError(f"{name} {text!r} may be one number or two: part them by a space, such as 0.5 0.5")
    try:
        return [parse_number(word) for word in words]
    except ValueError as error:
        raise ValueError(f"{name} {text!r}: expected numbers separated by spaces; {error}") from None


def number(value: Any, name: str, least: float = -math.inf, most: float = math.inf) -> float:
    """A finite number of any type, as a float.

    Raises
    ------
    FeatureblendError
        If it is none, or not within the range.

    Examples
    --------
    >>> number(1.5, "alpha", 0, 1)
    Traceback (most recent call last):
    featureblend.errors.FeatureblendError: alpha 1.5: expected a number from 0 to 1
    """
    try:
        found = float(value) if isinstance(value, Real) and not isinstance(value, bool) else math.nan
    except OverflowError:
        found = math.inf
    if not math.isfinite(found) or not least <= found <= most:
        due = "a finite number" if math.isinf(most) else f"a number from {least:g} to {most:g}"
        raise FeatureblendError(f"{name} {value}: expected {due}")
    return found


def check_choice(value: Any, what: str, known: Iterable[str]) -> None:
    """Raise `FeatureblendError` unless a value is one of the words that are known.

    Examples
    --------
    >>> check_choice("pixle", "method", ("latent", "pixel"))
    Traceback (most recent call last):
    featureblend.errors.FeatureblendError: unknown method 'pixle': use one of latent, pixel
    """
    if not isinstance(value, str) or value not in known:
        raise FeatureblendError(f"unknown {what} {value!r}: use one of {', '.join(known)}")


def flag(value: Any, name: str) -> bool:
    """True or False of Python's or numpy's type, as Python's.

    Raises
    ------
    FeatureblendError
        If it is anything else: Python takes ``"no"`` and an array of one False for true and false without a word.

    Examples
    --------
    >>> import numpy as np
    >>> flag(np.bool_(True), "warp")
    True
    >>> flag("no", "warp")
    Traceback (most recent call last):
    featureblend.errors.FeatureblendError: warp 'no': expected True or False
    """
    import numpy as np  # which the command line, when it reads numbers, does without: it takes 0.1 s

    if not isinstance(value, (bool, np.bool_)):
        raise FeatureblendError(f"{name} {value!r}: expected True or False")
    return bool(value)


def whole(value: Any) -> Any:
    """A whole number of any type as an int; anything else unchanged.

    Examples
    --------
    >>> whole(256.0), whole(0.5), whole("source")
    (256, 0.5, 'source')
    """
    if isinstance(value, bool):
        return value
    if isinstance(value, Integral):
        return int(value)
    return int(float(value)) if isinstance(value, Real) and float(value).is_integer() else value


def as_on_disk(path: Path) -> Path:
    """Find a file whose name is written with its accents composed (NFC) in one place and apart (NFD) in the other.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Path
        The file that is there; `path` itself where there is none either way.
    """
    found = Path(path.anchor)
    for part in path.parts[1 if path.anchor else 0 :]:
        forms = [part, *(unicodedata.normalize(form, part) for form in ("NFC", "NFD"))]
        found = next((found / form for form in forms if os.path.lexists(found / form)), found / part)
    return found
