"""From photos to training data: every face found, aligned, marked and put in shards."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import shutil
import tarfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from functools import cache, partial
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from PIL import Image

from ..errors import FeatureblendError
from ..faces.alignment import align_face
from ..faces.detector import FaceDetector, choose_face
from ..io.cluster import check_engine, workers
from ..io.files import atomic_path, readable_name, require_parent
from ..io.image import decode_photo, not_a_photo
from ..io.inputs import files_in
from ..io.processes import Run
from ..io.progress import Progress
from ..io.tables import read_table, write_table
from .shards import (
    FaceSample,
    numbered_shards,
    person_names,
    person_split,
    read_shard,
    split_warning,
    triplet_members,
    write_shard,
)

CHUNK = 32
"""Photos a worker takes at a time; what a stop can lose."""

LISTS = (".csv", ".tsv", ".txt")
"""Endings of lists of photos."""

PLAN = 3
"""Version of what lies in the folder of unfinished work."""


@dataclass(frozen=True)
class PrepareSettings:
    """How faces are cut; a resumed run must use the same.

    Raises
    ------
    FeatureblendError
        If a value is out of its range.
    """

    size: int = 160
    """Side of the stored crops in pixels."""
    margin: float = 1.25
    """The stored crops show this many times the template's side, which leaves room for random shifts."""
    which: str = "central"
    """The face to take where there are several: 'central' or 'largest'."""
    smallest: int = 40
    """Faces whose box is narrower than this, in the photo's pixels, are skipped."""
    quality: int = 95
    """WebP quality, 1 to 100."""

    def __post_init__(self) -> None:
        if not (16 <= self.size <= 4096 and 1 <= self.margin <= 4 and 1 <= self.quality <= 100):
            given = f"size {self.size}, margin {self.margin}, quality {self.quality}"
            raise FeatureblendError(f"{given}: expected 16 to 4096, 1 to 4 and 1 to 100")
        if self.which not in ("central", "largest"):
            raise FeatureblendError(f"unknown face {self.which!r}: use 'central' or 'largest'")


@dataclass
class PrepareReport:
    """What came of a run of `prepare`."""

    shards: list[Path] = field(default_factory=list)
    """The tars that were written, in order."""
    splits: Counter[str] = field(default_factory=Counter)
    """Faces in each split."""
    people: int = 0
    """How many different people, as far as the names tell."""
    triplets: int = 0
    """How many whole triplets (`FaceTriplets`) there are, where most pictures are of one; those have no splits."""
    skipped: list[tuple[str, str]] = field(default_factory=list)
    """File and reason: photos that gave no face, and what is no photo; hidden files aside."""
    notes: list[tuple[str, str]] = field(default_factory=list)
    """Photo and what is to be known of it, although its face is used."""

    @property
    def warnings(self) -> list[str]:
        """What the data can't be used for."""
        warning = None if self.triplets else split_warning(self.splits, self.people)
        return [] if warning is None else [warning]

    def __str__(self) -> str:
        faces = sum(self.splits.values())
        kept = ", ".join(f"{self.splits[name]} {name}" for name in ("train", "validation", "test"))
        lines = [f"{faces} faces of {self.people} people ({kept})"]
        if self.triplets:
            lines = [f"{faces} faces in {self.triplets} {'triplet' if self.triplets == 1 else 'triplets'}"]
        for reason, count in _reasons(self.skipped).most_common():
            lines.append(f"{count} skipped: {reason}")
        for reason, count in _reasons(self.notes).most_common():
            lines.append(f"{count} used: {reason}")
        return "\n".join(lines)


def prepare(
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    settings: PrepareSettings | None = None,
    shard_mb: float = 1000,
    jobs: int | None = None,
    quiet: bool = False,
    engine: str = "local",
    address: str | None = None,
) -> PrepareReport:
    """Cut the aligned face out of every photo of a folder or tar and write them to shards.

    A run that was stopped goes on where it was when it is called again; until it is done its
    parts lie in a folder named after `out`. Beside the shards a ``.skipped.csv`` lists each file
    that gave no face, and why; a ``.notes.csv`` what is to be known of photos that gave one: that
    one was turned upright, or cut short. What is a photo, its content decides.

    Parameters
    ----------
    source : path-like
        A folder (searched through, hidden files left out), a tar without compression, or a list: a ``.csv``,
        ``.tsv`` or ``.txt`` file (`featureblend.io.tables.read_table`) with a photo a row, named from the list's
        folder, or columns ``photo`` and ``person``. Where no column does,
        `featureblend.training.shards.person_names` says who each photo shows.
    out : path-like
        The tar to write; ``faces-00000.tar`` and on where it takes more than one shard. Shards
        of that name from before are replaced.
    settings : PrepareSettings, optional
    shard_mb : float
        Largest size of a shard in megabytes.
    jobs : int, optional
        Processes; by default one a core. With 1 the work is done in this process.
    quiet : bool
        Show no progress bar.
    engine : {'local', 'ray'}
        What does the work: this machine's processes, or the workers of a Ray cluster, which must see the same files.
    address : str, optional
        The cluster's, for 'ray'; one of this machine alone if left out.

    Returns
    -------
    PrepareReport

    Raises
    ------
    FeatureblendError
        If `source` holds no photo, no face at all is found, a setting is out of its range, or
        unfinished work of other settings is in the way, or there is no such engine or cluster.
    KeyboardInterrupt
        When stopped; what is done waits in the folder of parts, if that is anything.
    """
    settings = settings or PrepareSettings()
    if shard_mb <= 0:
        raise FeatureblendError(f"shard_mb {shard_mb}: expected more than 0")
    check_engine(engine, address, jobs)
    out, source = require_parent(out), Path(source)
    if out.suffix != ".tar":
        raise FeatureblendError(f"cannot write {out}: shards are tars; name it such as {out.with_suffix('.tar')}")
    if source.resolve() in [path.resolve() for path in (out, *numbered_shards(out))]:
        raise FeatureblendError(f"cannot write {out}: it would replace the photos; choose another name")
    photos, people, others = _listed(source) if _is_list(source) else _photos(source)
    parts = out.with_name(out.name + ".part")
    plan = hashlib.sha256(json.dumps([asdict(settings), CHUNK, PLAN, photos, people]).encode()).hexdigest()
    chunks = [
        _Chunk(number, photos[start : start + CHUNK], people[start : start + CHUNK])
        for number, start in enumerate(range(0, len(photos), CHUNK))
    ]
    try:
        _open_parts(parts, plan)
        _prepare_chunks(chunks, partial(_prepare_chunk, source, parts, settings), parts, (engine, jobs, address), quiet)
        report = _collect(parts, len(chunks), out, shard_mb, others)
        shutil.rmtree(parts)
    except KeyboardInterrupt as stop:
        done = _tidied(parts, chunks)
        left = f"{done:,} of {len(photos):,} photos are done and wait in {parts}: the same command goes on"
        stop.args = (f"stopped: {left}" if done else "stopped: nothing is left behind",)
        raise
    except OSError as error:
        raise FeatureblendError(
            f"cannot write {error.filename or out}: {error.strerror or error}; run the same again to go on"
        ) from error
    return report


class _Photo(NamedTuple):
    name: str
    """Relative to the folder or tar."""
    size: int
    """In bytes."""
    offset: int
    """Where its bytes begin in the tar; 0 in a folder."""


class _Chunk(NamedTuple):
    number: int
    photos: Sequence[_Photo]
    people: Sequence[str]


def _is_list(source: Path) -> bool:
    return source.suffix.lower() in LISTS and source.is_file()


def _listed(path: Path) -> tuple[list[_Photo], list[str], list[tuple[str, str]]]:
    """The photos of a list, as `_photos`."""
    rows = [[cell.strip() for cell in cells] for _, cells in read_table(path)]
    columns = [cell.lower() for cell in rows[0]] if rows else []
    if "photo" in columns:
        del rows[0]
    else:
        columns = ["photo"]
    cells = [dict(zip(columns, row, strict=False)) for row in rows]
    named = {cell["photo"]: cell.get("person", "") for cell in cells if cell.get("photo")}
    reasons = {name: not_a_photo(path.parent / name) for name in named}
    found = sorted(name for name, reason in reasons.items() if reason is None)
    others = sorted((name, reason) for name, reason in reasons.items() if reason is not None)
    if not found:
        raise FeatureblendError(f"{path} names no photos" + (f"; {others[0][0]}: {others[0][1]}" if others else ""))
    photos = [_Photo(name, (path.parent / name).stat().st_size, 0) for name in found]
    people = [named[name] or person for name, person in zip(found, person_names(found), strict=True)]
    return photos, people, others


def _photos(source: Path) -> tuple[list[_Photo], list[str], list[tuple[str, str]]]:
    """List the photos in a folder or tar, sorted by name; whom each shows; its other files, each with the reason."""
    found: dict[str, _Photo] = {}
    others: dict[str, str] = {}
    if source.is_dir():
        for name, path in files_in(source):
            reason = not_a_photo(path)
            if reason is None:
                found[name] = _Photo(name, path.stat().st_size, 0)
            else:
                others[name] = reason
    elif source.is_file():
        try:
            # Without compression, so that each worker can go straight to its photos.
            with tarfile.open(source, "r:") as tar:
                for member in tar:
                    name = str(PurePosixPath(member.name))  # without ./
                    if member.isdir() or _is_hidden(name):
                        continue
                    content = tar.extractfile(member) if member.isreg() and not member.issparse() else None
                    reason = "not a file" if content is None else not_a_photo(content)  # type: ignore[arg-type]
                    found.pop(name, None)  # of two members with one name, the later counts
                    others.pop(name, None)
                    if reason is None:
                        found[name] = _Photo(name, member.size, member.offset_data)
                    else:
                        others[name] = reason
        except (tarfile.TarError, OSError) as error:
            raise FeatureblendError(
                f"cannot read {source}: expected a folder or a tar without compression; unpack others first ({error})"
            ) from error
    else:
        raise FeatureblendError(f"no such folder, tar or list: {source}")
    if not found:
        why = f"; {readable_name(min(others))}: {others[min(others)]}" if others else ""
        raise FeatureblendError(f"{source} holds no photos{why}")
    photos = sorted(found.values())
    return photos, person_names([photo.name for photo in photos]), sorted(others.items())


def _is_hidden(name: str) -> bool:
    # macOS puts a ._ana.jpg that is no picture beside each ana.jpg; other hidden folders hold thumbnails.
    return any(part.startswith(".") and part != ".." for part in PurePosixPath(name).parts)


def _open_parts(parts: Path, plan: str) -> None:
    """Make the folder of unfinished work, or check that the one there belongs to this run."""
    marker = parts / "plan"
    if marker.exists() and marker.read_text() != plan:
        raise FeatureblendError(
            f"{parts} is unfinished work on other photos or settings: delete that folder, or write to another name"
        )
    parts.mkdir(exist_ok=True)
    with atomic_path(marker) as path:
        path.write_text(plan)


def _prepare_chunks(
    chunks: Sequence[_Chunk],
    work: Callable[[_Chunk], int],
    parts: Path,
    hands: tuple[str, int | None, str | None],
    quiet: bool,
) -> None:
    """Do the chunks that are not done yet."""
    todo = [chunk for chunk in chunks if not (parts / f"{chunk.number:05d}.csv").exists()]
    engine, jobs, address = hands
    total, left = (sum(len(chunk.photos) for chunk in some) for some in (chunks, todo))
    with (
        ExitStack() as stack,
        Progress(total=total, initial=total - left, desc="prepare", unit="photo", disable=quiet) as bar,
    ):
        run: Run = map
        if todo and engine != "local":
            run = stack.enter_context(workers(engine, jobs, address))
        elif (jobs := min(jobs or os.cpu_count() or 1, len(todo))) > 1:
            run = stack.enter_context(workers(engine, jobs))
        for done in run(work, todo):
            bar.update(done)


def _tidied(parts: Path, chunks: Sequence[_Chunk]) -> int:
    """Leave only whole chunks in the folder of unfinished work, none of it where there is none; count their photos."""
    done = [chunk for chunk in chunks if (parts / f"{chunk.number:05d}.csv").exists()]
    if not done:
        shutil.rmtree(parts, ignore_errors=True)
        return 0
    whole = {"plan", *(f"{chunk.number:05d}{suffix}" for chunk in done for suffix in (".tar", ".csv"))}
    for path in parts.iterdir():
        if path.name not in whole:
            path.unlink(missing_ok=True)
    return sum(len(chunk.photos) for chunk in done)


@cache
def _detector() -> FaceDetector:
    return FaceDetector()


def _prepare_chunk(source: Path, parts: Path, settings: PrepareSettings, chunk: _Chunk) -> int:
    """Do one chunk: write its shard, then the list of what was skipped, which marks it done."""
    samples: list[FaceSample] = []
    told: list[tuple[str, str, str]] = []  # kind, photo and reason
    with ExitStack() as stack:
        folder = source.parent if _is_list(source) else source
        tar = stack.enter_context(open(source, "rb")) if folder.is_file() else None
        for photo, person in zip(chunk.photos, chunk.people, strict=True):
            try:
                if tar is None:
                    content = (folder / photo.name).read_bytes()
                else:
                    tar.seek(photo.offset)
                    content = tar.read(photo.size)
                sample, notes = _prepare_photo(content, photo.name, person, settings)
                samples.append(sample)
                told += [("note", photo.name, note) for note in notes]
            except FeatureblendError as error:
                told.append(("skipped", photo.name, str(error)))
            except OSError as error:
                told.append(("skipped", photo.name, f"cannot read the file: {error.strerror or error}"))
            except Exception as error:  # no single photo may end hours of work
                told.append(("skipped", photo.name, f"unexpected error: {type(error).__name__} {error}"))
    write_shard(parts / f"{chunk.number:05d}.tar", samples)
    write_table(parts / f"{chunk.number:05d}.csv", told)
    return len(chunk.photos)


def _prepare_photo(
    content: bytes, name: str, person: str, settings: PrepareSettings
) -> tuple[FaceSample, tuple[str, ...]]:
    photo = decode_photo(content, "the file")
    found = _detector().search(photo.pixels)
    if not found.faces:
        raise FeatureblendError(": ".join(["no face found", *(warning.one for warning in photo.warnings)]))
    face = choose_face(found.faces, found.image.shape, settings.which, name)
    left, _, right, _ = face.box
    if right - left < settings.smallest:
        raise FeatureblendError(f"face narrower than {settings.smallest} px")
    aligned = align_face(found.image, face.landmarks, settings.size, settings.margin)
    buffer = io.BytesIO()
    Image.fromarray(aligned.image).save(buffer, "WEBP", quality=settings.quality)
    landmarks = [[round(float(x), 2), round(float(y), 2)] for x, y in aligned.landmarks]
    sample = FaceSample(buffer.getvalue(), landmarks, name, person, person_split(person), settings.margin)
    return sample, tuple(warning.one for warning in (*photo.warnings, *found.warnings))


def _read_csv(path: Path) -> list[list[str]]:
    with open(path, newline="", encoding="utf-8", errors="surrogateescape") as stream:
        return list(csv.reader(stream))


def _reasons(skipped: Sequence[tuple[str, str]]) -> Counter[str]:
    """Count the reasons, without what each says of a single photo."""
    return Counter(reason.split(":")[0] for _, reason in skipped)


def _finished(parts: Path, chunks: int) -> Iterator[FaceSample]:
    for index in range(chunks):
        yield from read_shard(parts / f"{index:05d}.tar")


def _collect(parts: Path, chunks: int, out: Path, shard_mb: float, others: Sequence[tuple[str, str]]) -> PrepareReport:
    """Join the chunks' shards into the final ones, and write the list of what was skipped."""
    report = PrepareReport()
    for index in range(chunks):
        for kind, name, reason in _read_csv(parts / f"{index:05d}.csv"):
            (report.notes if kind == "note" else report.skipped).append((name, reason))
    people: set[str] = set()
    sources: list[str] = []
    counts, size = [0], 0  # faces in each shard; all pictures at once would fill the memory
    for sample in _finished(parts, chunks):
        weight = len(sample.picture) + 4096  # landmarks, two headers, padding
        if counts[-1] and size + weight > shard_mb * 10**6:
            counts.append(0)
            size = 0
        counts[-1] += 1
        size += weight
        people.add(sample.person)
        sources.append(sample.source)
        report.splits[sample.split] += 1
    if not people:
        shutil.rmtree(parts)
        reason = _reasons(report.skipped).most_common(1)[0][0]
        raise FeatureblendError(f"no face in any of the {len(report.skipped)} photos; most often: {reason}")
    report.skipped = sorted((*report.skipped, *others))
    report.people = len(people)
    triplets = len(triplet_members(sources))
    report.triplets = triplets if 6 * triplets > len(sources) else 0  # three pictures each
    samples = _finished(parts, chunks)
    for number, count in enumerate(counts):
        path = out if len(counts) == 1 else out.with_name(f"{out.stem}-{number:05d}{out.suffix}")
        with atomic_path(path) as temporary:
            write_shard(temporary, islice(samples, count), sum(counts[:number]))
        report.shards.append(path)
    for stale in {out, *numbered_shards(out)} - set(report.shards):
        stale.unlink(missing_ok=True)  # of an earlier run: they would be read with, or instead of, the new ones
    write_table(out.with_suffix(".skipped.csv"), [("photo", "reason"), *report.skipped])
    notes = out.with_suffix(".notes.csv")
    if report.notes:
        write_table(notes, [("photo", "note"), *report.notes])
    else:
        notes.unlink(missing_ok=True)  # it would tell of another run
    return report
