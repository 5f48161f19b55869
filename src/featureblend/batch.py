"""Blends from a list: each row makes one picture and one line of results; finished rows are not repeated."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import __version__
from .appraisal import MEANINGS, Measuring
from .batch_rows import OPTIONS, TABLE, Row, asked_cells, finished_lines
from .blender import Blender
from .console import Progress
from .errors import FeatureblendError
from .face_cache import RememberingBlender
from .files import atomic_path, read_error, readable_name, sha256
from .image import picture_path

__all__ = ["BatchReport", "BatchSettings", "run_batch"]

LISTS = ("distances", "similarity", "reconstruction", "reconstruction_inside_face", "yaw", "identity_distances")
"""The measures that have a number for each photo, and so a column for each."""

MAX_NAME = 255
"""Bytes of a file's name that file systems take."""

SAME_PERSON = 0.6
"""dlib takes two embeddings nearer than this for one person."""


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

    Returns
    -------
    BatchReport

    Raises
    ------
    FeatureblendError
        If the folder or a picture of that format can't be written, a row's picture would replace a row's photo, or
        there is no such model.
    KeyboardInterrupt
        When stopped, after the rows at work are finished.
    """
    settings = settings or BatchSettings()
    jobs = (os.cpu_count() or 1) if jobs is None else jobs
    if jobs < 1:
        raise FeatureblendError(f"--jobs {jobs}: at least 1 is due")
    _columns(rows, settings.measures, ())  # before anything is written
    out = Path(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FeatureblendError(f"cannot write to {out}: {error.strerror or error}") from error
    picture_path(out / f"name{settings.suffix}")
    before = finished_lines(out / TABLE)
    _keep_photos(rows, out, settings.suffix, before)
    blender = model if isinstance(model, Blender) else Blender.from_pretrained(model)
    work = _Work(blender, out, settings, rows, before)
    stopped = _all_rows(work, rows, jobs, quiet)
    work.finish()
    if stopped:
        raise KeyboardInterrupt(
            f"stopped: {len(work.lines)} of {len(rows)} rows are in {work.table}; the same command goes on"
        )
    failures = tuple((row.name, work.lines[row.name]["error"]) for row in rows if work.lines[row.name]["error"])
    return BatchReport(work.table, work.made, work.kept, failures)


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


def _all_rows(work: _Work, rows: Sequence[Row], jobs: int, quiet: bool) -> bool:
    """Work through the rows; return whether Ctrl-C stopped it."""
    with ThreadPoolExecutor(jobs) as pool, Progress(total=len(rows), desc="batch", unit="row", disable=quiet) as bar:
        waiting: set[Future[None]] = set()
        try:
            for row in rows:  # few at a time, so that a list of a million rows is no million tasks
                if len(waiting) >= 2 * jobs:
                    waiting = _taken(waiting, bar)
                waiting.add(pool.submit(work.do, row))
            while waiting:
                waiting = _taken(waiting, bar)
        except KeyboardInterrupt:
            pool.shutdown(cancel_futures=True)
            return True
    return False


def _taken(waiting: set[Future[None]], bar: Any) -> set[Future[None]]:
    done, rest = wait(waiting, return_when=FIRST_COMPLETED)
    for future in done:
        future.result()  # a bug keeps its traceback
    bar.update(len(done))
    return rest


class _Work:
    """The rows' common part: the model, the faces found so far, and the table."""

    def __init__(
        self,
        blender: Blender,
        out: Path,
        settings: BatchSettings,
        rows: Sequence[Row],
        before: dict[str, dict[str, str]],
    ) -> None:
        self.blender, self.out, self.settings, self.rows = RememberingBlender(blender), out, settings, rows
        self.table = out / TABLE
        self.before = before
        self.columns = _columns(rows, settings.measures, before.values())
        self.lines: dict[str, dict[str, str]] = {}
        self.made = self.kept = 0
        self._hashes: dict[Path, str] = {}
        self._turn = threading.Lock()
        self._write(self.before.values())

    def do(self, row: Row) -> None:
        """Make one row's picture and line, unless they are there."""
        line = dict.fromkeys(self.columns, "") | {
            "name": row.name,
            "photos": ";".join(readable_name(str(photo)) for photo in row.photos),
            "method": row.method,
            **({} if row.problem else asked_cells(row)),
            **row.extra,
        }
        kept = False
        try:
            if row.problem:
                raise FeatureblendError(row.problem)
            line["key"] = self._key(row)
            before = self.before.get(row.name)
            if before and before.get("key") == line["key"] and (self.out / before["file"]).is_file():
                line, kept = {**line, **before, **row.extra}, True
            else:
                line |= self._blend(row)
        except FeatureblendError as error:
            line |= _failed(str(error))
        except UnicodeError as error:
            line |= _failed(f"a name in it is no UTF-8, rename the file: {error}")
        except OSError as error:
            line |= _failed(f"{readable_name(str(error.filename or row.name))}: {error.strerror or error}")
        with self._turn:
            self.lines[row.name] = line
            self.kept += kept
            self.made += not kept and line["status"] == "done"
            if not kept:
                self._write([line], again=False)

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

    def finish(self) -> None:
        """Put the table into the list's order; lines of other lists stay, below it."""
        own = [self.lines.get(row.name) or self.before.get(row.name) for row in self.rows]
        names = {row.name for row in self.rows}
        self._write(
            [line for line in own if line] + [line for line in self.before.values() if line["name"] not in names]
        )

    def _write(self, lines: Iterable[Mapping[str, str]], again: bool = True) -> None:
        """Write the table anew, or add to it."""
        try:
            with (
                atomic_path(self.table) if again else nullcontext(self.table) as table,
                open(table, "w" if again else "a", newline="", encoding="utf-8", errors="backslashreplace") as stream,
            ):
                writer = csv.DictWriter(stream, self.columns, extrasaction="ignore", restval="")
                if again:
                    writer.writeheader()
                writer.writerows(lines)
        except OSError as error:  # without a table no row can be told finished: this ends the batch
            raise FeatureblendError(f"cannot write {self.table}: {error.strerror or error}") from error


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
    if "identity_distances" in measures:
        # What MMPMR counts: a morph works only if every contributor is taken for it.
        cells["every_parent_matches"] = str(max(measures["identity_distances"]) < SAME_PERSON).lower()
    return cells
