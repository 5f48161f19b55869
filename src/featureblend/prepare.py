"""From photos to training data: every face found, aligned, marked and put in shards."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import re
import shutil
import tarfile
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path, PurePosixPath

from PIL import Image
from tqdm import tqdm

from .alignment import align_face
from .data import FaceSample, person_split, read_shard, write_shard
from .errors import FeatureblendError
from .faces import FaceDetector, choose_face
from .files import atomic_path, require_parent
from .image import PHOTO_SUFFIXES, load_image

__all__ = ["PrepareReport", "PrepareSettings", "prepare"]

CHUNK = 128
"""Photos a worker takes at a time; what a stop can lose."""


@dataclass(frozen=True)
class PrepareSettings:
    """How faces are cut; a resumed run must use the same."""

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


@dataclass
class PrepareReport:
    """What came of a run of `prepare`."""

    shards: list[Path] = field(default_factory=list)
    """The tars that were written, in order."""
    splits: Counter[str] = field(default_factory=Counter)
    """Faces in each split."""
    people: int = 0
    """How many different people, as far as the names tell."""
    skipped: list[tuple[str, str]] = field(default_factory=list)
    """Photo and reason."""

    def __str__(self) -> str:
        kept = ", ".join(f"{self.splits[name]} {name}" for name in ("train", "validation", "test"))
        lines = [f"{sum(self.splits.values())} faces of {self.people} people ({kept})"]
        for reason, count in Counter(reason for _, reason in self.skipped).most_common():
            lines.append(f"{count} skipped: {reason}")
        return "\n".join(lines)


def prepare(
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    settings: PrepareSettings | None = None,
    shard_mb: int = 1000,
    jobs: int | None = None,
    quiet: bool = False,
) -> PrepareReport:
    """Cut the aligned face out of every photo of a folder or tar and write them to shards.

    A run that was stopped goes on where it was when it is called again; until it is done its
    parts lie in a folder named after `out`. Beside the shards a ``.skipped.csv`` lists each photo
    that gave no face, and why.

    Parameters
    ----------
    source : path-like
        A folder (searched through) or a tar of photos. Where the photos lie in several folders, a
        folder's name is the person; otherwise the file's name without a number at its end.
    out : path-like
        The tar to write; ``faces-00000.tar`` and on where it takes more than one shard.
    settings : PrepareSettings, optional
    shard_mb : int
        Largest size of a shard in megabytes.
    jobs : int, optional
        Processes; by default one a core.
    quiet : bool
        Show no progress bar.

    Returns
    -------
    PrepareReport

    Raises
    ------
    FeatureblendError
        If `source` holds no photo, or no face at all is found.
    """
    settings = settings or PrepareSettings()
    out = require_parent(out)
    if out.suffix != ".tar":
        raise FeatureblendError(f"cannot write {out}: shards are tars; name it such as {out.with_suffix('.tar')}")
    source = Path(source)
    names = _photos(source)
    people = _people(names)
    parts = out.with_name(out.name + ".part")
    plan = hashlib.sha256(json.dumps([asdict(settings), CHUNK, names]).encode()).hexdigest()
    _open_parts(parts, plan)
    chunks = [names[start : start + CHUNK] for start in range(0, len(names), CHUNK)]
    todo = [index for index in range(len(chunks)) if not (parts / f"{index:05d}.csv").exists()]
    work = partial(_prepare_chunk, source, parts, settings)
    workers = min(jobs or os.cpu_count() or 1, max(1, len(todo)))
    # 'spawn': dlib and OpenCV keep threads that a forked copy would wait for.
    with (
        ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool,
        tqdm(total=len(names), desc="prepare", unit="photo", disable=quiet) as bar,
    ):
        bar.update(sum(len(chunk) for chunk in chunks) - sum(len(chunks[index]) for index in todo))
        arguments = [(index, chunks[index], [people[name] for name in chunks[index]]) for index in todo]
        for done in pool.map(work, arguments):
            bar.update(done)
    report = _collect(parts, len(chunks), out, shard_mb)
    shutil.rmtree(parts)
    return report


def _photos(source: Path) -> list[str]:
    """List the photos in a folder or tar, by names relative to it, sorted."""
    if source.is_dir():
        names = [path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file()]
    elif source.is_file():
        try:
            with tarfile.open(source) as tar:
                names = [member.name for member in tar if member.isfile()]
        except tarfile.TarError as error:
            raise FeatureblendError(f"cannot read {source}: a folder or a tar of photos is due ({error})") from error
    else:
        raise FeatureblendError(f"no such folder or tar: {source}")
    photos = sorted(name for name in names if name.lower().endswith(PHOTO_SUFFIXES))
    if not photos:
        raise FeatureblendError(f"{source} holds no photos ({', '.join(PHOTO_SUFFIXES)})")
    return photos


def _people(names: Sequence[str]) -> dict[str, str]:
    """Say who each photo shows, from its folder where there are several folders, else from its name."""
    folders = {str(PurePosixPath(name).parent) for name in names}
    if len(folders) > 1:
        return {name: PurePosixPath(name).parent.name or PurePosixPath(name).stem for name in names}
    return {
        name: re.sub(r"[ _-]+\(?\d+\)?$", "", PurePosixPath(name).stem) or PurePosixPath(name).stem for name in names
    }


def _open_parts(parts: Path, plan: str) -> None:
    """Make the folder of unfinished work, or check that the one there belongs to this run."""
    marker = parts / "plan"
    if marker.exists() and marker.read_text() != plan:
        raise FeatureblendError(
            f"{parts} is unfinished work on other photos or settings: delete that folder, or write to another name"
        )
    parts.mkdir(exist_ok=True)
    marker.write_text(plan)


@cache
def _detector() -> FaceDetector:
    import cv2

    cv2.setNumThreads(1)  # one process a core already
    return FaceDetector()


def _prepare_chunk(
    source: Path, parts: Path, settings: PrepareSettings, work: tuple[int, Sequence[str], Sequence[str]]
) -> int:
    """Do one chunk: write its shard, then the list of what was skipped, which marks it done."""
    index, names, people = work
    samples, skipped = [], []
    for name, person, content in zip(names, people, _contents(source, names), strict=True):
        try:
            samples.append(_prepare_photo(content, name, person, settings))
        except FeatureblendError as error:
            skipped.append((name, str(error)))
    write_shard(parts / f"{index:05d}.tar", samples)
    with atomic_path(parts / f"{index:05d}.csv") as path, open(path, "w", newline="") as stream:
        csv.writer(stream).writerows(skipped)
    return len(names)


def _contents(source: Path, names: Sequence[str]) -> Iterator[bytes]:
    if source.is_dir():
        yield from ((source / name).read_bytes() for name in names)
        return
    with tarfile.open(source) as tar:
        for name in names:
            stream = tar.extractfile(name)
            assert stream is not None  # only files are listed
            yield stream.read()


def _prepare_photo(content: bytes, name: str, person: str, settings: PrepareSettings) -> FaceSample:
    try:
        opened = Image.open(io.BytesIO(content))
    except OSError as error:
        raise FeatureblendError("not a picture, or damaged") from error
    image = load_image(opened)
    faces = _detector().detect(image)
    if not faces:
        raise FeatureblendError("no face found")
    face = choose_face(faces, image.shape, settings.which, name)
    left, _, right, _ = face.box
    if right - left < settings.smallest:
        raise FeatureblendError(f"face narrower than {settings.smallest} px")
    aligned = align_face(image, face.landmarks, settings.size, settings.margin)
    buffer = io.BytesIO()
    Image.fromarray(aligned.image).save(buffer, "WEBP", quality=settings.quality)
    landmarks = [[round(float(x), 2), round(float(y), 2)] for x, y in aligned.landmarks]
    return FaceSample(buffer.getvalue(), landmarks, name, person, person_split(person), settings.margin)


def _collect(parts: Path, chunks: int, out: Path, shard_mb: int) -> PrepareReport:
    """Join the chunks' shards into the final ones, and write the list of what was skipped."""
    report = PrepareReport()
    for index in range(chunks):
        with open(parts / f"{index:05d}.csv", newline="") as stream:
            report.skipped += [(name, reason) for name, reason in csv.reader(stream)]
    batches: list[list[FaceSample]] = [[]]
    size = 0
    for index in range(chunks):
        for sample in read_shard(parts / f"{index:05d}.tar"):
            weight = len(sample.picture) + 4096  # landmarks, two headers, padding
            if size + weight > shard_mb * 10**6 and batches[-1]:
                batches.append([])
                size = 0
            batches[-1].append(sample)
            size += weight
    faces = [sample for batch in batches for sample in batch]
    if not faces:
        reasons = Counter(reason for _, reason in report.skipped).most_common(1)[0]
        shutil.rmtree(parts)
        raise FeatureblendError(f"no face in any of the {len(report.skipped)} photos; most often: {reasons[0]}")
    report.splits = Counter(sample.split for sample in faces)
    report.people = len({sample.person for sample in faces})
    first = 0
    for number, batch in enumerate(batches):
        path = out if len(batches) == 1 else out.with_name(f"{out.stem}-{number:05d}{out.suffix}")
        with atomic_path(path) as temporary:
            first += write_shard(temporary, batch, first)
        report.shards.append(path)
    with atomic_path(out.with_suffix(".skipped.csv")) as path, open(path, "w", newline="") as stream:
        csv.writer(stream).writerows([("photo", "reason"), *report.skipped])
    return report
