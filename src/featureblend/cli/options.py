"""What commands have in common: how their options look in the help, and mistakes in them as one line."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr
from functools import partial, wraps
from pathlib import Path
from typing import Annotated, Any, TypeVar

from tyro.conf import FlagCreatePairsOff, arg
from tyro.constructors import PrimitiveConstructorSpec

from ..errors import FeatureblendError
from ..io.tables import parse_number

__all__ = [
    "File",
    "Flag",
    "Folder",
    "Model",
    "Number",
    "Out",
    "OutFolder",
    "face_choices",
    "keep_photos",
    "parsed",
    "plain",
]

T = TypeVar("T")


NEGATIVE = re.compile(r"-(\d+[.,]?\d*|[.,]\d+)%?")


def plain(metavar: str) -> Any:
    """Name an option's value in the help, whose text says what happens without it."""
    return arg(metavar=metavar, help_behavior_hint="")


Out = Annotated[Path, arg(aliases=["-o"], metavar="FILE")]
OutFolder = Annotated[Path, arg(aliases=["-o"], metavar="FOLDER")]
File = Annotated[Path | None, plain("FILE")]
Folder = Annotated[Path | None, plain("FOLDER")]
Model = Annotated[str | None, plain("MODEL")]
Flag = Annotated[bool, arg(help_behavior_hint=""), FlagCreatePairsOff]


Number = Annotated[
    float,
    PrimitiveConstructorSpec(
        nargs=1,
        metavar="NUMBER",
        instance_from_str=lambda words: parse_number(words[0]),
        is_instance=lambda value: isinstance(value, float),
        str_from_instance=lambda value: [f"{value:g}"],
    ),
]
"""A number with a decimal point or comma, or a percentage."""


def face_choices(words: Sequence[str]) -> list[int | str]:
    """Read ``--faces``: numbers as numbers, words as they are; which are right, `choose_face` knows."""
    return [int(word) if word.lstrip("-").isdecimal() else word for word in words]


def keep_photos(photos: Sequence[Path], written: Sequence[Path]) -> None:
    """Refuse to write over what is read, photos and others, or twice to one file."""
    for place, path in enumerate(written):
        if any(os.path.realpath(path) == os.path.realpath(photo) for photo in photos):
            kind = "inputs" if path.suffix.lower() in (".csv", ".npz") else "photos"
            raise FeatureblendError(f"cannot write {path}: it is one of the {kind}; name another file")
        if os.path.realpath(path) in map(os.path.realpath, written[:place]):
            raise FeatureblendError(
                f"cannot write {path}: another file of this command goes there; give each a name of its own"
            )


def parsed(command: Callable[..., T], program: str, words: Sequence[str]) -> Callable[[], T]:
    """Read a command's words and give the call that they ask for.

    tyro explains a mistake in a box of many lines; here it becomes one line, as every other error.
    """
    import tyro

    @wraps(command)  # which shows tyro the command's options
    def later(**options: Any) -> Callable[[], T]:
        return partial(command, **options)

    # tyro joins neighbouring lines: each example stands by itself.
    later.__doc__ = re.sub(r"\n(?= *Example: )", "\n\n", command.__doc__ or "") or None

    if "-" in words:
        raise FeatureblendError(
            "'-' (standard input or output) can't be used: name a file (one that is called so is ./-); "
            f"see `{program} --help`"
        )
    # What begins with a minus sign is an option, but for plain numbers: -0,5 and -50% become such.
    words = [f"{parse_number(word):g}" if NEGATIVE.fullmatch(word) else word for word in words]
    said = io.StringIO()
    try:
        with redirect_stderr(said):
            call: Any = tyro.cli(later, prog=program, args=words, config=(tyro.conf.DisallowNone,))
    except SystemExit as stop:
        if not stop.code:  # --help
            raise
        raise FeatureblendError(f"{_in_one_line(said.getvalue())}; see `{program} --help`") from None
    return call


def _in_one_line(box: str) -> str:
    """Take the message out of tyro's box: what stands below the title and above the next rule."""
    lines = [line.strip("│ ") for line in re.sub(r"\x1b\[[0-9;]*m", "", box).splitlines()]
    rules = [place for place, line in enumerate(lines) if re.fullmatch(r"[╭╰]?[-─]{5,}[╮╯]?", line)] + [len(lines)]
    title = 1 if rules[0] == 1 else 0  # without box characters, a rule of its own underlines it
    message = " ".join(" ".join(lines[title + 1 : rules[title]]).split()).split(" Got errors:")[0]
    message = re.sub(r"^Missing from .*?: ", "missing: ", message.replace(" (required)", ""))
    message = re.sub(r"Error parsing (\S+): .*instantiated from \[(.*)\].*", r"\1 can't be \2", message).rstrip(".")
    meant = [lines[place + 1] for place, line in enumerate(lines[:-1]) if line.startswith("Perhaps you meant")]
    return (message or "the command line can't be understood") + (f" (perhaps {meant[0]} is meant)" if meant else "")
