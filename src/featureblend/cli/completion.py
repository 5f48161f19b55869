"""Tab completion of commands, options and values for shells, written by shtab."""

from __future__ import annotations

import argparse
import inspect
import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from tyro.conf import FlagCreatePairsOff, Positional

__all__ = ["completion_script"]


def completion_script(commands: Mapping[str, Callable[..., None]], shell: str) -> str:
    """Script that makes a shell complete commands, options and values.

    Parameters
    ----------
    commands : mapping of str to callable
        Each command by its name.
    shell : 'bash', 'zsh' or 'fish'

    Returns
    -------
    str
        In that shell's own words: nothing else is started when the key is pressed.
    """
    import shtab

    # tyro's own completion takes lines of the help for words, and knows the values of no option that is checked later.
    whole = argparse.ArgumentParser("featureblend")
    whole.add_argument("--version", action="store_true", help="Print the version.")
    group, known = whole.add_subparsers(), _known_words()
    for name, command in commands.items():
        first = (command.__doc__ or "").splitlines()[0]
        _add_arguments(group.add_parser(name, help=_escaped(first)), name, command, known)
    return str(shtab.complete(whole, shell))


def _add_arguments(
    parser: argparse.ArgumentParser, name: str, command: Callable[..., None], known: Mapping[str, tuple[str, ...]]
) -> None:
    """Add a command's arguments, from its signature and docstring."""
    import shtab

    text = inspect.cleandoc(command.__doc__ or "").partition("\nArgs:\n")[2]
    helps = {
        one: " ".join(said.split()) for one, said in re.findall(r"^ {4}(\w+): (.*(?:\n {5,}.*)*)", text, re.MULTILINE)
    }
    for parameter, hint in get_type_hints(command, include_extras=True).items():
        if parameter == "return":
            continue
        if get_origin(hint) is Union:  # Python 3.10 makes a hint whose default is None an Optional
            hint = next((part for part in get_args(hint) if get_origin(part) is Annotated), hint)
        kind, *notes = get_args(hint) if get_origin(hint) is Annotated else (hint,)
        how = next((note for note in notes if hasattr(note, "aliases")), None)
        flag = f"--{(how and how.name) or parameter.replace('_', '-')}"
        settings: dict[str, Any] = {"help": _escaped(helps.get(parameter, ""))}
        if kind is bool:
            flags = (flag,) if FlagCreatePairsOff in notes else (flag, f"--no-{flag[2:]}")
            parser.add_argument(*flags, dest=parameter, action="store_true", **settings)
            continue
        shown = (how and how.metavar) or ""
        words = get_args(kind) if get_origin(kind) is Literal else ()
        if not words and "int" not in str(kind):  # such as --size of `prepare`, which takes no 'source'
            words = known.get(f"{name} {parameter}", known.get(parameter, ()))
        if words:
            settings["choices"] = words
        if "tuple" in str(kind):
            settings["nargs"] = "*"
        if Positional in notes:
            added = parser.add_argument(parameter, **settings)
        else:
            added = parser.add_argument(*((how and how.aliases) or ()), flag, dest=parameter, **settings)
        if not words and ("Path" in str(kind) or re.match("PHOTO|FILE|MODEL|NAME=FOLDER", shown)):
            added.complete = shtab.FILE  # type: ignore[attr-defined]


def _escaped(help: str) -> str:
    return help.replace("%", "%%")  # which argparse fills in


def _known_words() -> dict[str, tuple[str, ...]]:
    """Words that options take as values, by the option's name, or by the command's and the option's."""
    from ..blend.pipeline import METHODS
    from ..evaluation.benchmark.settings import PARTS
    from ..evaluation.benchmark.settings import TIMED_METHODS as TIMED
    from ..evaluation.compare import COMPARED_METHODS as COMPARED
    from ..evaluation.methods import method_names
    from ..evaluation.protocols import PROTOCOLS
    from ..training.presets import PRESETS

    return {
        "method": METHODS,
        "methods": method_names(),
        "compare methods": COMPARED,
        "benchmark methods": TIMED,
        "benchmark reference": TIMED,
        "benchmark parts": PARTS,
        "benchmark train": tuple(PRESETS),
        "preset": tuple(PRESETS),
        "protocol": tuple(PROTOCOLS),
        "only": (*"12345678", "improvements", "merging"),  # their own module needs torch
        "surroundings": ("auto", "mean"),
        "faces": ("largest", "central"),
        "size": ("source",),
        "suffix": (".png", ".jpg", ".webp"),
    }
