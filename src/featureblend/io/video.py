"""Sequences of pictures as a video, an animation, a contact sheet, or a folder of numbered pictures."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..errors import FeatureblendError
from .files import as_path, atomic_path, require_parent, writing
from .metadata import save_options, save_picture, video_entries, write_recipe
from .sheets import labelled_sheet
from .tables import number, write_table

VIDEOS = (".mp4", ".m4v", ".mov")
ANIMATIONS = (".gif", ".webp")
SHEETS = (".png", ".jpg", ".jpeg")

ENCODING = {"crf": "16", "preset": "slow", "tune": "animation", "x264-params": "mbtree=0"}
"""x264's options. A constant rate factor of 16 is hardly to be told from the pictures: 42 to 43 dB of a continuum.
"mbtree" spends more on blocks that later pictures repeat. Without it a file of that quality is up to a quarter larger,
but with it x264 165 reads memory that it never wrote, at many widths (such as 64 and 300, not 128), and the same
pictures make another file now and then (`tests/test_edit_continuum.py` shows it).
"""

COLUMNS = 6
"""Pictures a row on a contact sheet, at most, where nothing is said; eleven make two even rows."""

TABLE = "frames.csv"
_OWN = re.compile(r"frame_\d{3,}\.png|frames\.csv|recipe\.json")
"""What a folder of frames holds; a folder with anything else is left alone."""

MAX_FPS = 240
MAX_GIF_FPS = 50
"""A GIF counts hundredths of a second, and browsers slow down what is shown for less than two."""


def check_out(out: str | os.PathLike[str], fps: float = 10) -> Path:
    """Check that pictures can be written to `out`, before they are made.

    Parameters
    ----------
    out : path-like
        A file, whose ending says what it becomes, or a folder: a name without an ending, missing, empty, or with an
        earlier row of frames in it, which is replaced.
    fps : float
        Pictures a second.

    Returns
    -------
    Path

    Raises
    ------
    FeatureblendError
        If the ending is unknown, the folder to write in is missing or holds other files, or `fps` makes no sense.

    Examples
    --------
    >>> check_out("walk.avi")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    featureblend.errors.FeatureblendError: cannot write walk.avi: use .mp4, .m4v, .mov, .gif, .webp, .png, ...
    """
    path = as_path(out)
    fps = number(fps, "pictures a second")
    most = MAX_GIF_FPS if path.suffix.lower() == ".gif" else MAX_FPS
    if not 0 < fps <= most:
        other = f" of a GIF; a video can have {MAX_FPS}" if most < MAX_FPS else ""
        raise FeatureblendError(f"{fps:g} pictures a second: expected a number above 0, up to {most}{other}")
    if path.is_dir():
        others = sorted(entry.name for entry in path.iterdir() if not _OWN.fullmatch(entry.name))
        if others:
            raise FeatureblendError(
                f"cannot write frames into {path}: it holds other files ({others[0]}); name a new or empty folder"
            )
        return path
    if not path.suffix:
        if path.exists():
            raise FeatureblendError(f"cannot write {path}: it is a file; add an ending such as .mp4, or name a folder")
        return require_parent(path)
    known = (*VIDEOS, *ANIMATIONS, *SHEETS)
    if path.suffix.lower() not in known:
        raise FeatureblendError(
            f"cannot write {path}: use {', '.join(known[:-1])} or {known[-1]}, or a folder's name without an ending"
        )
    return require_parent(path)


def write_pictures(
    out: str | os.PathLike[str],
    pictures: Sequence[np.ndarray],
    labels: Sequence[str],
    table: Sequence[Mapping[str, Any]],
    recipe: Mapping[str, Any] | None,
    fps: float = 10,
    columns: int | None = None,
) -> Path:
    """Write pictures in the format of `out`'s suffix, completely or not at all.

    Parameters
    ----------
    out : path-like
        As `check_out`.
    pictures : sequence of (H, W, 3) uint8 arrays
        Of one size.
    labels : sequence of str
        One a picture, for a contact sheet.
    table : sequence of mappings
        One a picture, for the table that lies beside numbered frames.
    recipe : mapping or None
        Goes into the file's metadata; beside numbered frames, into ``recipe.json`` and each frame.
    fps : float
        Pictures a second.
    columns : int, optional
        Pictures a row of a contact sheet.

    Returns
    -------
    Path

    Raises
    ------
    FeatureblendError
        As `check_out`, or where the disk is full.
    """
    path = check_out(out, fps)
    ending = path.suffix.lower() if not path.is_dir() else ""
    if not ending:
        _write_folder(path, pictures, table, recipe)
    elif ending in SHEETS:
        rows = -(-len(pictures) // (columns or COLUMNS))
        save_picture(path, labelled_sheet(pictures, labels, columns or -(-len(pictures) // rows)), recipe)
    elif ending in ANIMATIONS:
        _write_animation(path, pictures, recipe, fps)
    else:
        _write_video(path, pictures, recipe, fps)
    return path


def _write_animation(path: Path, pictures: Sequence[np.ndarray], recipe: Mapping[str, Any] | None, fps: float) -> None:
    frames = [Image.fromarray(picture) for picture in pictures]
    options: dict[str, Any] = {"quality": 90, "method": 4}
    if path.suffix.lower() == ".gif":  # 256 colours, chosen anew for each picture
        frames = [frame.quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.FLOYDSTEINBERG) for frame in frames]
        options = {"disposal": 1, "optimize": False}
    tick = 10 if path.suffix.lower() == ".gif" else 1  # the file counts in so many milliseconds
    ends = [round(1000 * place / fps / tick) * tick for place in range(len(frames) + 1)]
    shown = [after - before for before, after in itertools.pairwise(ends)]  # rounded so that they add up
    options.update(save_all=True, append_images=frames[1:], duration=shown, loop=0)
    with atomic_path(path) as temporary, writing(path):
        frames[0].save(temporary, **options, **save_options(path, recipe))


def _write_video(path: Path, pictures: Sequence[np.ndarray], recipe: Mapping[str, Any] | None, fps: float) -> None:
    try:
        import av
    except ImportError as error:
        raise FeatureblendError("a video needs the package av: pip install av; or write a .gif or .webp") from error
    height, width = (side + side % 2 for side in pictures[0].shape[:2])  # H.264 stores colour for every other pixel
    with atomic_path(path) as temporary:
        try:
            # The index in front, so that players and browsers can start at once; keys of our own are kept by name.
            with av.open(
                str(temporary), "w", format="mp4" if path.suffix.lower() != ".mov" else "mov",
                options={"movflags": "+faststart"},
            ) as container:  # fmt: skip
                container.metadata.update(video_entries(recipe))
                stream: Any = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1000))
                stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
                stream.codec_context.thread_count = 1  # the same bytes on a machine with any number of cores
                stream.options = dict(ENCODING)
                for picture in pictures:
                    edges = ((0, height - picture.shape[0]), (0, width - picture.shape[1]), (0, 0))
                    frame = av.VideoFrame.from_ndarray(np.pad(picture, edges, "edge"), format="rgb24")
                    container.mux(stream.encode(frame))
                container.mux(stream.encode(None))
        except (av.FFmpegError, OSError) as error:
            raise FeatureblendError(f"cannot write {path}: {getattr(error, 'strerror', None) or error}") from error


def _write_folder(
    path: Path, pictures: Sequence[np.ndarray], table: Sequence[Mapping[str, Any]], recipe: Mapping[str, Any] | None
) -> None:
    """Fill a temporary folder, and move it into place when it is complete."""
    path = Path(os.path.realpath(path))
    with writing(path):
        made = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name[:40]}-"))
    new, old = made / "new", made / "old"
    try:
        with writing(path):
            new.mkdir()
            digits = max(3, len(str(len(pictures) - 1)))
            names = [f"frame_{place:0{digits}}.png" for place in range(len(pictures))]
            for name, picture in zip(names, pictures, strict=True):
                save_picture(new / name, picture, recipe)
            rows = ([name, *row.values()] for name, row in zip(names, table, strict=True))
            write_table(new / TABLE, [["frame", *table[0]], *rows])
            if recipe is not None:
                write_recipe(new / "recipe.json", recipe)
            if path.exists():
                path.rename(old)
            try:
                new.rename(path)
            except OSError:
                if old.exists():
                    old.rename(path)
                raise
    finally:
        shutil.rmtree(made, ignore_errors=True)
