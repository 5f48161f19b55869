"""Output to the terminal: any text can be printed, and signals end a command."""

from __future__ import annotations

import codecs
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn


def accept_any_text() -> None:
    r"""Make stdout and stderr accept any text, whatever the terminal can show.

    A character that the encoding lacks is written as an escape such as ``\u9854``, and a byte of a file's name that is
    no text as that byte, so that a name can be piped to another program. A stream that is closed takes all and
    shows nothing.
    """
    codecs.register_error("featureblend", _as_bytes_or_escaped)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by the shell (>&-) or missing (pythonw)
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115  lives as long as the process
        elif hasattr(stream, "reconfigure"):  # in a notebook or a test it may be no file
            stream.reconfigure(errors="featureblend")


def _as_bytes_or_escaped(error: UnicodeError) -> tuple[str | bytes, int]:
    try:
        return codecs.lookup_error("surrogateescape")(error)
    except UnicodeError:
        return codecs.lookup_error("backslashreplace")(error)


class Ended(KeyboardInterrupt):
    """A signal other than Ctrl-C told the process to end; as a `KeyboardInterrupt` it gets the same clean-up."""

    number = 0
    """The signal."""


@contextmanager
def ending_on_signals() -> Iterator[None]:
    """Raise `Ended` in the main thread on `kill` (SIGTERM) or a closed terminal (SIGHUP), so that no half is left.

    A signal that was ignored before stays ignored: `nohup` works. What is printed to a closed terminal is dropped.
    """
    # SIGBREAK is Windows's closed console.
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)]
    terminals = [stream for stream in (1, 2) if os.isatty(stream)]
    if threading.current_thread() is not threading.main_thread():  # Python gives signals to no other thread
        numbers = []
    before = {number: signal.getsignal(number) for number in numbers}
    handled = [number for number, handler in before.items() if handler == signal.SIG_DFL]

    def end(number: int, frame: FrameType | None) -> None:
        for one in handled:  # a second one must not cut the tidying short
            signal.signal(one, signal.SIG_IGN)
        if signal.Signals(number).name == "SIGHUP":  # the terminals are gone: writing to them would be an error
            for stream in terminals:
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
        error = Ended("ended by a signal")
        error.number = number
        raise error

    for number in handled:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in handled:
            signal.signal(number, before[number])


def leave(code: int) -> NoReturn:
    """End the process at once, whatever its threads still compute.

    Python's own end waits for the threads of pools, refuses them new work, and tears those of networks down in the
    middle of a call, which can abort the process.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # nobody reads it any more
            stream.flush()
    os._exit(code)
