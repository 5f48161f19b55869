"""The folder that holds uploads while the page is served.

The folder holds a lock file that the server keeps locked. The operating system releases the lock however the server
ends, so a folder whose lock is free belongs to a server that was killed, and the next one to start removes it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

PREFIX = "featureblend-web-"

LOCK = "server.lock"


@contextmanager
def upload_folder() -> Iterator[Path]:
    """Folder for everything temporary, removed at the end with what is in it; removes those of killed servers first."""
    remove_abandoned()
    folder, lock = _locked_folder()
    before, tempfile.tempdir = tempfile.tempdir, str(folder)  # what the page and its libraries write goes there, too
    try:
        yield folder
    finally:
        _remove(folder, lock)
        tempfile.tempdir = before  # last: what still computes must lay nothing elsewhere


def _locked_folder() -> tuple[Path, FileLock]:
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        lock = FileLock(folder / LOCK)
        try:
            lock.acquire(timeout=0)
        except (Timeout, FileNotFoundError):
            continue  # a server that starts at this moment took the folder for an abandoned one
        if (folder / LOCK).exists():
            return folder, lock
        lock.release()


def remove_abandoned() -> None:
    """Remove upload folders whose servers are gone: those with a lock file that nobody holds."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        try:
            ours = not hasattr(os, "getuid") or folder.lstat().st_uid == os.getuid()
            if not ours or folder.is_symlink() or not (folder / LOCK).is_file():
                continue
            lock = FileLock(folder / LOCK)
            lock.acquire(timeout=0)
        except (Timeout, OSError):
            continue
        _remove(folder, lock)


def _remove(folder: Path, lock: FileLock) -> None:
    """Remove a folder whose lock is held; what can't be removed stays, with its lock file, for the next start."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name != LOCK:
            path.unlink(missing_ok=True)
    if os.name == "nt":
        lock.release()  # Windows removes no open file
    (folder / LOCK).unlink(missing_ok=True)
    try:
        folder.rmdir()
    except OSError:  # a request that was still under way wrote something more
        (folder / LOCK).touch()
    lock.release()
