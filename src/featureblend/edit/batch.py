"""Many blends from a list: each row a picture and a line of results; what is finished is never made twice."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from itertools import combinations, zip_longest
from pathlib import Path
from typing import Any

from .. import __version__
from ..blend.blender import Blender
from ..blend.face_cache import RememberingBlender
from ..blend.pipeline import BlendOptions
from ..blend.quality import MEANINGS, Measuring
from ..errors import FeatureblendError
from ..io.cluster import check_engine, ray_workers
from ..io.files import atomic_path, cut, make_folder, read_error, readable_name, sha256
from ..io.image import picture_path
from ..io.inputs import Skipped, read_folder
from ..io.processes import Run
from ..io.progress import Progress
from ..io.tables import as_on_disk, parse_number, parse_numbers, read_table

TABLE = "results.csv"
"""What the table of a batch is called, in the folder with its pictures."""

OPTIONS = ("warp", "surroundings", "background", "cut", "onto", "size", "detail", "shape_weights", "texture_weights")
"""Columns that are handed on to `Blender.blend`."""

OTHERS = ("photos", "a", "b", "weights", "alpha", "name", "method", "faces")

PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp")
"""Endings that make a row's name that of a picture file."""

FACES = 2000
"""Photos whose faces are kept, some 300 kB each; of a list of very many, those not asked for the longest are let go."""

ROOM = 100 << 20
"""Bytes of photos that a worker of a cluster keeps, one of several on a machine."""

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
    >>> from featureblend.faces import EXAMPLES
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
        As `featureblend.io.tables.read_table`. Its first line names the columns; those that are not known here are
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
            raise ValueError(f"name {name!r}: expected a plain name, without a folder")
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
            raise ValueError(f"alpha {cells['alpha']!r}: expected one number, such as 0.5") from None
        if not 0 <= alpha <= 1:
            raise ValueError(f"alpha {cells['alpha']!r}: expected a number from 0 to 1, or a percentage such as 50%")
        return [1 - alpha, alpha]
    return parse_numbers(cells["weights"], "weights") if cells.get("weights") else None


def _yes(text: str, name: str) -> bool:
    if text.lower() not in ("yes", "no", "true", "false", "1", "0"):
        raise ValueError(f"{name} {text!r}: expected yes or no")
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
    "cut": _word,
    "shape_weights": parse_numbers,
    "texture_weights": parse_numbers,
}
"""What reads a cell of each column."""


def asked_cells(row: Row) -> dict[str, str]:
    """What a row asks for beside photos, weights and method, by column and in a list's words.

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
    asked = {**vars(BlendOptions()), **row.options}
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


LISTS = ("distances", "similarity", "reconstruction", "reconstruction_inside_face", "yaw", "identity_distances")
"""The measures that have a number for each photo, and so a column for each."""

MAX_NAME = 255
"""Bytes of a file's name that file systems take."""


@dataclass(frozen=True)
class BatchSettings:
    """Settings for all rows."""

    suffix: str = ".png"
    """Format of the pictures."""
    measures: Measuring = "pictures"
    """What is measured, as `Blender.blend`."""
    metadata: bool = True
    """Whether the pictures hold their recipes."""


@dataclass(frozen=True)
class BatchReport:
    """Result of a batch."""

    table: Path
    """``results.csv``: one line a row, in the list's order."""
    made: int = 0
    kept: int = 0
    """Rows that were finished before."""
    failures: tuple[tuple[str, str], ...] = ()
    """Name and reason of each row that failed."""

    @property
    def failed(self) -> int:
        """How many rows failed."""
        return len(self.failures)


def run_batch(
    rows: Sequence[Row],
    out: str | os.PathLike[str],
    model: str | os.PathLike[str] | Blender | None = None,
    settings: BatchSettings | None = None,
    jobs: int | None = None,
    quiet: bool = True,
    engine: str = "local",
    address: str | None = None,
) -> BatchReport:
    """Make the blend of each row, and ``results.csv``.

    A row is finished when its picture and its line are there; it is kept as long as its photos, settings, model and
    version are the same. A row that fails gets a line that says why, and the others go on.

    Parameters
    ----------
    rows : sequence of Row
    out : path-like
        The folder; made if it is missing.
    model : path-like, str or Blender, optional
        As `Blender.from_pretrained`.
    settings : BatchSettings, optional
    jobs : int, optional
        Rows at a time; one a core if left out. The results do not depend on it.
    quiet : bool
        Show no progress bar.
    engine : {'local', 'ray'}
        What the rows are made by: threads, or the workers of a Ray cluster, which must see the same files. There a row
        at which workers die or hang fails after some attempts, and each worker opens the model's folder itself.
    address : str, optional
        The cluster's, for 'ray'; one of this machine alone if left out.

    Returns
    -------
    BatchReport

    Raises
    ------
    FeatureblendError
        If the folder or a picture of that format can't be written, a row's picture would replace a row's photo,
        there is no such model, identity is to be measured and the recogniser is not installed, or there is no such
        engine or cluster.
    KeyboardInterrupt
        When stopped, after the rows at work are finished.
    """
    settings = settings or BatchSettings()
    check_engine(engine, address, jobs)
    _columns(rows, settings.measures, ())  # before anything is written
    out = make_folder(out)
    picture_path(out / f"name{settings.suffix}")
    before = finished_lines(out / TABLE)
    _keep_photos(rows, out, settings.suffix, before)
    blender = model if isinstance(model, Blender) else Blender.from_pretrained(model)
    if settings.measures == "identity":
        blender.recognizer.check()
    table = _Table(rows, out / TABLE, settings, before)
    with Progress(total=len(rows), desc="batch", unit="row", disable=quiet) as bar:
        try:
            with _makers(engine, jobs, address, blender, out, settings) as make:
                for made in make(rows, (before.get(row.name) for row in rows)):
                    table.add(made)
                    bar.update()
        except KeyboardInterrupt as stop:
            table.finish()
            left = f"{len(table.lines)} of {len(rows)} rows are in {table.path}; the same command goes on"
            stop.args = (f"stopped: {left}",)
            raise
    table.finish()
    failures = tuple((row.name, table.errors[row.name]) for row in rows if row.name in table.errors)
    return BatchReport(table.path, len(rows) - table.kept - len(failures), table.kept, failures)


def _keep_photos(rows: Sequence[Row], out: Path, suffix: str, before: Mapping[str, Mapping[str, str]]) -> None:
    """Refuse the list if a picture would replace a photo, of any row: that row may be read later, or again."""
    photos = _owners((photo, row.name) for row in rows for photo in row.photos)
    lines = [(line["name"], (line.get("photos") or "").split(";")) for line in before.values()]
    earlier = _owners((photo, name) for name, paths in lines for photo in paths if photo)
    made = {line["file"] for line in before.values()}  # of which blends may have been made since: they are no photos
    for row in rows:
        if row.problem:
            continue
        picture = out / f"{row.name}{row.suffix or suffix}"
        for place in _places(picture):
            owner = photos.get(place) or (None if picture.name in made else earlier.get(place))
            if owner:
                raise FeatureblendError(
                    f"row {row.name} would write over {picture}, which is a photo of row {owner}: "
                    "name another folder with --out, or give the row another name"
                )


def _owners(photos: Iterable[tuple[str | os.PathLike[str], str]]) -> dict[Any, str]:
    owners: dict[Any, str] = {}
    for photo, name in dict(photos).items():  # each photo is looked up once
        owners |= dict.fromkeys(_places(photo), name)
    return owners


def _places(path: str | os.PathLike[str]) -> list[Any]:
    """What two names of one file have in common: the real path, and the inode, for links and case-insensitive names."""
    places: list[Any] = []
    try:
        places.append(os.path.realpath(path))
        found = os.stat(path)
    except (OSError, ValueError):
        return places
    return [*places, (found.st_dev, found.st_ino)]


@dataclass(frozen=True)
class _Made:
    """What came of a row."""

    name: str
    line: dict[str, str]
    kept: bool = False


@contextmanager
def _makers(
    engine: str, jobs: int | None, address: str | None, blender: Blender, out: Path, settings: BatchSettings
) -> Iterator[Run]:
    """A `map` of rows and the lines that they had before, whose results come as they are ready."""
    if engine == "ray":
        facts = (blender.folder, blender.networks.mend, out, settings)
        with ray_workers(jobs, address, _start_worker, *facts, ordered=False, given_up=_given_up) as run:
            yield lambda *columns: run(_make, *columns)
        return
    jobs = jobs or os.cpu_count() or 1
    maker = _Maker(RememberingBlender(blender, most=FACES), out, settings)
    with ThreadPoolExecutor(jobs) as pool:
        yield lambda *columns: _ready(pool, 2 * jobs, maker.make, *columns)


def _ready(pool: ThreadPoolExecutor, most: int, function: Callable[..., Any], *columns: Iterable[Any]) -> Iterator[Any]:
    """Results as they are ready, of few calls at a time: a list of a million rows is no million tasks."""
    waiting: set[Future[Any]] = set()
    calls = zip(*columns, strict=True)
    try:
        while True:
            while len(waiting) < most and (call := next(calls, None)):
                waiting.add(pool.submit(function, *call))
            if not waiting:
                return
            for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                waiting.remove(future)
                yield future.result()  # a bug keeps its traceback
    except KeyboardInterrupt:
        pool.shutdown(cancel_futures=True)  # what is at work is finished, and counts
        yield from (future.result() for future in waiting if not future.cancelled())
        raise


_MAKER: list[_Maker] = []
"""This worker's."""


def _start_worker(folder: Path, mend: bool, out: Path, settings: BatchSettings) -> None:
    blender = Blender(folder, mend=mend)
    blender.networks.threads = 1
    _MAKER[:] = [_Maker(RememberingBlender(blender, ROOM, FACES), out, settings)]


def _make(row: Row, before: dict[str, str] | None) -> _Made:
    return _MAKER[0].make(row, before)


def _given_up(row: Row, before: dict[str, str] | None, reason: str) -> _Made:
    return _Made(row.name, {**_asked(row), **_failed(reason)})


class _Maker:
    """What makes rows: the model, and the faces found so far."""

    def __init__(self, blender: RememberingBlender, out: Path, settings: BatchSettings) -> None:
        self.blender, self.out, self.settings = blender, out, settings
        self._hashes: dict[Path, str] = {}

    def make(self, row: Row, before: dict[str, str] | None) -> _Made:
        """Make a row's picture and line, unless they are there."""
        line = _asked(row)
        try:
            if row.problem:
                raise FeatureblendError(row.problem)
            line["key"] = self._key(row)
            if before and before.get("key") == line["key"] and (self.out / before["file"]).is_file():
                return _Made(row.name, {**line, **before, **row.extra}, kept=True)
            line |= self._blend(row)
        except FeatureblendError as error:
            line |= _failed(str(error))
        except UnicodeError as error:
            line |= _failed(f"a name in it is no UTF-8, rename the file: {error}")
        except OSError as error:
            line |= _failed(f"{readable_name(str(error.filename or row.name))}: {error.strerror or error}")
        return _Made(row.name, line)

    def _blend(self, row: Row) -> dict[str, str]:
        which = row.which * len(row.photos) if len(row.which) == 1 else row.which
        file = f"{row.name}{row.suffix or self.settings.suffix}"
        if (length := len(os.fsencode(file))) > MAX_NAME:
            raise FeatureblendError(f"its name makes a file name of {length} bytes, over {MAX_NAME}: shorten it")
        picture_path(self.out / file, row.options.get("background") == "transparent")
        made = self.blender.blend(
            row.photos,
            row.weights,
            row.method,
            which=list(which),
            measures=self.settings.measures,
            **row.options,
        )
        made.save(self.out / file, self.settings.metadata)
        line = {
            "file": file,
            "status": "done",
            "weights": " ".join(f"{share:.6g}" for share in made.recipe["weights"]),
            "warnings": "; ".join(made.warnings),
        }
        if "identity_distances" in made.measures:
            # What MMPMR counts: a morph works only if every contributor is taken for it.
            matches = max(made.measures["identity_distances"]) < self.blender.recognizer.threshold
            line["every_parent_matches"] = str(matches).lower()
        return line | _cells(made.measures)

    def _key(self, row: Row) -> str:
        """Hash of everything that a row's result depends on."""
        for photo in row.photos:
            if photo not in self._hashes:
                try:
                    self._hashes[photo] = sha256(photo)
                except OSError as error:
                    raise read_error(readable_name(str(photo)), error, "a photo") from error
        facts = [
            [self._hashes[photo] for photo in row.photos],
            [row.weights, row.method, row.which, row.options],
            [self.blender.networks.facts(row.method), __version__],
            [row.suffix or self.settings.suffix, self.settings.measures, self.settings.metadata],
        ]
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


class _Table:
    """The table: lines are added as rows are made, and put in order at the end."""

    def __init__(
        self, rows: Sequence[Row], path: Path, settings: BatchSettings, before: dict[str, dict[str, str]]
    ) -> None:
        self.rows, self.path, self.before = rows, path, before
        self.columns = _columns(rows, settings.measures, before.values())
        self.lines: dict[str, str] = {}
        """As text, by row: as mappings they would take ten times the memory."""
        self.errors: dict[str, str] = {}
        self.kept = 0
        self._write([self._text(line) for line in before.values()])

    def add(self, made: _Made) -> None:
        """Take what came of a row."""
        text = self.lines[made.name] = self._text(made.line)
        if error := made.line.get("error"):
            self.errors[made.name] = error
        self.kept += made.kept
        if not made.kept:
            self._write([text], again=False)

    def finish(self) -> None:
        """Put the table into the list's order; lines of other lists stay, below it."""
        names = dict.fromkeys([*(row.name for row in self.rows), *self.before])
        earlier = (self.lines.get(name) or self._text(self.before.get(name, {})) for name in names)
        self._write(line for line in earlier if line)

    def _text(self, line: Mapping[str, str]) -> str:
        stream = io.StringIO(newline="")
        csv.DictWriter(stream, self.columns, extrasaction="ignore", restval="").writerows([line] if line else [])
        return stream.getvalue()

    def _write(self, lines: Iterable[str], again: bool = True) -> None:
        """Write the table anew, or add to it."""
        try:
            with (
                atomic_path(self.path) if again else nullcontext(self.path) as table,
                open(table, "w" if again else "a", newline="", encoding="utf-8", errors="backslashreplace") as stream,
            ):
                if again:
                    csv.writer(stream).writerow(self.columns)
                stream.writelines(lines)
        except OSError as error:  # without a table no row can be told finished: this ends the batch
            raise FeatureblendError(f"cannot write {self.path}: {error.strerror or error}") from error


def _asked(row: Row) -> dict[str, str]:
    return {
        "name": row.name,
        "photos": ";".join(readable_name(str(photo)) for photo in row.photos),
        "method": row.method,
        **({} if row.problem else asked_cells(row)),
        **row.extra,
    }


def _failed(reason: str) -> dict[str, str]:
    return {"status": "failed", "error": " ".join(reason.split())}


def _columns(rows: Sequence[Row], measures: Measuring, before: Iterable[Mapping[str, str]]) -> list[str]:
    photos = max((len(row.photos) for row in rows), default=2)
    found = ["name", "file", "status", "error", "photos", "weights", "method", "faces", *OPTIONS]
    for name in MEANINGS:
        if measures == "none" or (name.startswith("identity") and measures != "identity"):
            continue
        found += [f"{name}_{place}" for place in range(1, photos + 1)] if name in LISTS else [name]
    found += ["every_parent_matches"] if measures == "identity" else []
    last = ("warnings", "key")  # a line that has its key is whole
    own = dict.fromkeys(title for row in rows for title in row.extra)
    if taken := [title for title in own if title in (*found, *last)]:
        raise FeatureblendError(f"the list has a column {taken[0]!r}, which {TABLE} fills itself: give it another name")
    found += own
    others = dict.fromkeys(title for line in before for title in line if title not in (*found, *last))
    return [*found, *others, *last]


def _cells(measures: Mapping[str, Any]) -> dict[str, str]:
    cells: dict[str, str] = {}
    for name, value in measures.items():
        values = {f"{name}_{place}": one for place, one in enumerate(value, 1)} if name in LISTS else {name: value}
        cells |= {title: "" if one is None else str(one) for title, one in values.items()}
    return cells
