"""The folder that holds uploads while the page is served, and the signals that end the server.

The folder holds a lock file that the server keeps locked. The operating system releases the lock however the server
ends, so a folder whose lock is free belongs to a server that was killed, and the next one to start removes it.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from filelock import FileLock, Timeout

__all__ = ["Stopped", "ending_on_signals", "upload_folder"]

PREFIX = "featureblend-web-"

LOCK = "server.lock"

ENDING = ("SIGTERM", "SIGHUP", "SIGBREAK")
"""Signals that end the server: a service manager's or `kill`'s, a closed terminal's, and Windows's closed console."""


class Stopped(BaseException):
    """The server was told to end. No `Exception`, so that no handler takes it for an error."""


@contextmanager
def ending_on_signals() -> Iterator[None]:
    """Raise `Stopped` in the main thread when one of `ENDING` arrives, so that what is open is closed.

    A signal that was ignored before stays ignored: `nohup` works. In another thread than the main one, where Python
    allows no handlers, nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [getattr(signal, name) for name in ENDING if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    handled = [number for number, handler in before.items() if handler is not signal.SIG_IGN]

    def stop(number: int, frame: FrameType | None) -> None:
        for one in handled:  # a second signal must not cut the tidying short
            signal.signal(one, signal.SIG_IGN)
        if signal.Signals(number).name == "SIGHUP":  # the terminal is gone: writing to it would be an error
            nowhere = os.open(os.devnull, os.O_WRONLY)
            for stream in (1, 2):
                os.dup2(nowhere, stream)
        raise Stopped

    for number in handled:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number in handled:
            signal.signal(number, before[number])


@contextmanager
def upload_folder() -> Iterator[Path]:
    """Folder for everything temporary, removed at the end with what is in it; removes those of killed servers first."""
    remove_abandoned()
    folder, lock = _locked_folder()
    before, tempfile.tempdir = tempfile.tempdir, str(folder)  # what the page and its libraries write goes there, too
    try:
        yield folder
    finally:
        tempfile.tempdir = before
        _remove(folder, lock)


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
