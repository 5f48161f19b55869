"""Files on disk: writing without leaving halves behind, and hashes that name a file's content."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import FeatureblendError

__all__ = ["atomic_path", "require_parent", "sha256"]


def require_parent(path: str | os.PathLike[str]) -> Path:
    """Return `path` as a `Path`, having checked that a file can be written there.

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
        If the folder is missing, or `path` is itself a folder.

    Examples
    --------
    >>> require_parent("missing/a.png")
    Traceback (most recent call last):
    featureblend.errors.FeatureblendError: cannot write missing/a.png: the folder missing does not exist
    """
    path = Path(path)
    if path.is_dir():
        raise FeatureblendError(f"cannot write {path}: it is a folder; name a file in it, such as {path / 'blend.png'}")
    if not path.parent.is_dir():
        raise FeatureblendError(f"cannot write {path}: the folder {path.parent} does not exist")
    return path


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary name beside `path`, and rename it to `path` only when the block ends well.

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
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem[:40]}-", suffix=shown.suffix)
    except OSError as error:
        raise FeatureblendError(f"cannot write {shown}: {error.strerror or error}") from error
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes private files; a result should have the permissions of any other new file.
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def sha256(path: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of a file's bytes in hexadecimal, read in pieces."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while piece := stream.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()
