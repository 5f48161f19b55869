"""Tab completion of commands, options and values, written by shtab from the commands' own parsers."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

from .options import Command, Option, parser_of, reader_of, summary

SHELLS = ("bash", "zsh", "fish")


def completion_script(commands: Mapping[str, type[Command]], shell: str) -> str:
    """Script that makes a shell complete commands, options and values.

    Parameters
    ----------
    commands : mapping of str to type
        Each command by its name.
    shell : 'bash', 'zsh' or 'fish'

    Returns
    -------
    str
        In that shell's own words: nothing else is started when the key is pressed.
    """
    import shtab

    whole = argparse.ArgumentParser("featureblend")
    whole.add_argument("--version", action="store_true", help="Print the version.")
    group = whole.add_subparsers()
    for name, command in commands.items():
        parser = parser_of(command, f"featureblend {name}")
        for action in parser._actions:
            field = getattr(action, "field", None)
            if field is None:
                continue
            how: Option = field.metadata["option"]
            if how.words is not None:
                action.choices = tuple(how.words())
            elif reader_of(field) is Path or how.metavar in FILES:
                action.complete = shtab.FILE  # type: ignore[attr-defined]
        group.add_parser(name, help=summary(command).replace("%", "%%"), add_help=False, parents=[parser])
    return str(shtab.complete(whole, shell))


FILES = ("FILE", "FILE ...", "MODEL", "NAME=FOLDER ...", "PHOTO ...")
"""Values that are files, though they are not read as paths alone."""
