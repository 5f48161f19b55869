"""Files on disk: atomic writes, content hashes, and names."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import FeatureblendError


def as_path(path: Any) -> Path:
    """A file's name as a `Path`.

    Raises
    ------
    FeatureblendError
        If it is no name of a file.

    Examples
    --------
    >>> as_path(3)
    Traceback (most recent call last):
    featureblend.errors.FeatureblendError: expected a file's name (str or Path), not int
    """
    if isinstance(path, (str, os.PathLike)):
        try:
            return Path(path)
        except TypeError:
            pass
    raise FeatureblendError(f"expected a file's name (str or Path), not {type(path).__name__}")


def require_parent(path: str | os.PathLike[str]) -> Path:
    """`path` as a `Path`, after checking that a file can be written there.

    Parameters
    ----------
    path : path-like
        A file that is about to be written.

    Returns
    -------
    Path

    Raises
    ------
    FeatureblendError
        If the folder is missing, `path` is itself a folder, or the name is longer than the file system takes.

    Examples
    --------
    >>> require_parent("missing/a.png")
    Traceback (most recent call last):
    featureblend.errors.FeatureblendError: cannot write missing/a.png: the folder missing does not exist
    """
    path = as_path(path)
    with writing(path):
        folder, parent = path.is_dir(), path.parent.is_dir()
    if folder:
        raise FeatureblendError(f"cannot write {path}: it is a folder; name a file in it, such as {path / 'blend.png'}")
    if not parent:
        raise FeatureblendError(f"cannot write {path}: the folder {path.parent} does not exist")
    return path


@contextmanager
def writing(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turn the operating system's errors while a file is written into a line that names it.

    Examples
    --------
    >>> with writing("a.png"):
    ...     raise OSError(28, "No space left on device")
    Traceback (most recent call last):
    featureblend.errors.FeatureblendError: cannot write a.png: No space left on device
    """
    try:
        yield
    except OSError as error:
        raise FeatureblendError(f"cannot write {path}: {error.strerror or error}") from error


def make_folder(path: str | os.PathLike[str]) -> Path:
    """Make a folder, and those around it, unless they are there.

    Raises
    ------
    FeatureblendError
        If it can't be made.
    """
    if Path(path).is_file():
        raise FeatureblendError(f"cannot write into {path}: it is a file; name a folder")
    with writing(path):
        Path(path).mkdir(parents=True, exist_ok=True)
    return Path(path)


def read_error(name: str, error: Exception, due: str) -> FeatureblendError:
    """One line that tells why a file can't be read.

    Parameters
    ----------
    name : str
        What the file is called.
    error : Exception
        What reading it raised.
    due : str
        What is to be in its place where it is a folder, such as ``"a photo"``.

    Examples
    --------
    >>> print(read_error("ana.jpg", FileNotFoundError(), "a photo"))
    no such file: ana.jpg
    """
    if isinstance(error, FileNotFoundError):
        return FeatureblendError(f"no such file: {name}")
    if isinstance(error, IsADirectoryError):
        return FeatureblendError(f"{name} is a folder; expected {due}")
    return FeatureblendError(f"cannot read {name}: {getattr(error, 'strerror', None) or error}")


def readable_name(name: str) -> str:
    r"""A file's name as text that any file can hold: bytes that are not UTF-8 become ``\xe9`` and the like.

    Examples
    --------
    >>> readable_name("ana.jpg"), readable_name("caf\udce9.jpg")
    ('ana.jpg', 'caf\\xe9.jpg')
    """
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def short_name(name: str, most: int = 200) -> str:
    """Shorten a file's name to what every file system accepts, with some room; the suffix stays.

    Parameters
    ----------
    name : str
    most : int
        Bytes in UTF-8; file systems count 255.

    Examples
    --------
    >>> short_name("ana.jpg"), short_name("ä" * 9 + ".jpg", most=11)
    ('ana.jpg', 'äää.jpg')
    """
    if len(os.fsencode(name)) <= most:
        return name
    ending = cut(Path(name).suffix, most // 2)
    return cut(name, most - len(os.fsencode(ending))) + ending


def cut(text: str, most: int) -> str:
    """Shorten text to a number of UTF-8 bytes, without splitting a character.

    Examples
    --------
    >>> cut("äää", 5)
    'ää'
    """
    return os.fsencode(text)[:most].decode("utf-8", "ignore")


def keep_inputs(path: str | os.PathLike[str], recipe: Mapping[str, Any]) -> None:
    """Refuse to overwrite a photo that the picture was made from, as its recipe tells by hash.

    Parameters
    ----------
    path : path-like
        What is about to be written; nothing need be there.
    recipe : mapping
        With ``inputs``, as `featureblend.blend.recipes.input_facts` gives them.

    Raises
    ------
    FeatureblendError
        If the file that is there is one of them.
    """
    if not os.path.isfile(path):
        return
    hashes = {one["sha256"] for one in recipe.get("inputs", ()) if "sha256" in one}
    if hashes and sha256(path) in hashes:
        raise FeatureblendError(f"cannot write {path}: it is one of the photos; name another file")


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Provide a temporary name beside `path`; rename it to `path` only if the block succeeds.

    A reader never sees half a file, and a failure leaves what was there before.

    Parameters
    ----------
    path : path-like
        The file to write. Its folder must exist.

    Yields
    ------
    Path
        A name in the same folder, with the same suffix, to write to. A device or pipe is given as it is.

    Raises
    ------
    FeatureblendError
        As `require_parent`, or where the folder cannot be written to.
    """
    path = require_parent(path)
    if path.exists() and not path.is_file():
        yield path  # /dev/null, /dev/stdout in a pipe: there is nothing to rename over, and doing so would break it
        return
    shown, path = path, Path(os.path.realpath(path))  # write to what a link names, and leave the link
    with writing(shown):
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem[:40]}-", suffix=shown.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes private files; a result should have the permissions of any other new file.
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)
        with writing(shown), open(temporary, "rb+") as stream:
            os.fsync(stream.fileno())  # a machine that loses its power would else keep the name and not the content
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def parse_json(text: str | bytes) -> Any:
    """Read JSON that others wrote.

    Raises
    ------
    ValueError
        If it is none, or has brackets within brackets a thousand deep.
    """
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def write_json(path: str | os.PathLike[str], content: Any, **settings: Any) -> Path:
    """Write JSON, whole or not at all; settings as `json.dumps`."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, **{"indent": 2, **settings}) + "\n", encoding="utf-8")
    return Path(path)


def sha256(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file's bytes in hexadecimal, read in pieces."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while piece := stream.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()
