"""How a command is declared, and how its words are read.

A command is a dataclass: its fields are its arguments and options, its docstring is its help. Groups of options that
commands share are dataclasses too, which commands inherit; the help shows each group under its title. `argparse` of
the standard library reads the words: it takes any number of values for an option, tells of mistakes in one line, and
starts in a few milliseconds.
"""

from __future__ import annotations

import argparse
import inspect
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, NoReturn, TypeVar

from ..errors import FeatureblendError

NEGATIVE = re.compile(r"-(\d+[.,]?\d*|[.,]\d+)%?")

C = TypeVar("C", bound="Command")


@dataclass(frozen=True)
class Option:
    """How a field looks on the command line."""

    help: str
    metavar: str | None = None
    name: str = ""
    """The long name, without dashes; the field's if left out. An argument, which comes without a name, has none."""
    short: str = ""
    positional: bool = False
    choices: tuple[str, ...] = ()
    """The only words that are allowed."""
    words: Callable[[], Iterable[str]] | None = None
    """Words that the Tab key offers for an option whose values are checked elsewhere."""
    flag: bool = False
    """Without a value."""
    off: str = ""
    """Help of the ``--no-`` form of a flag."""

    def flags(self, name: str) -> tuple[str, ...]:
        """Names on the command line of the field `name`: ``("-o", "--out")``."""
        return tuple(filter(None, (self.short, f"--{self.name or name.replace('_', '-')}")))


def argument(metavar: str, help: str, *, default: Any = MISSING, **settings: Any) -> Any:
    """Declare an argument: a value that is told by its place, before the options."""
    return option(metavar, help, default=default, positional=True, **settings)


def option(metavar: str | None, help: str, *, default: Any = MISSING, **settings: Any) -> Any:
    """Declare an option that takes a value, of a field that is a sequence several; required if it has no default.

    The field's type says how a word is read: `Path`, `int`, `float` (`number`), ``int | str`` (`number_or_word`).
    """
    return field(default=default, metadata={"option": Option(help, metavar, **settings)})


def flag(help: str = "", *, off: str = "", default: bool | None = False) -> Any:
    """Declare an option without a value.

    With `off`, ``--no-NAME`` sets False; the help shows the forms that have a text, and both are understood.
    """
    return field(default=default, metadata={"option": Option(help, flag=True, off=off)})


def words_of(module: str, name: str) -> Callable[[], Sequence[str]]:
    """Give what is to be offered at the Tab key: looked up when it is pressed, since modules take time to import."""

    def words() -> Sequence[str]:
        found = getattr(import_module(f"featureblend.{module}"), name)
        return tuple(found() if callable(found) else found)

    return words


def with_default(group: type, name: str, default: Any) -> Any:
    """Declare a group's option again, with another default."""
    return field(default=default, metadata=group.__dataclass_fields__[name].metadata)  # type: ignore[attr-defined]


class Command:
    """A command: subclasses are dataclasses whose fields are made by `argument`, `option` and `flag`."""

    title: ClassVar[str] = "options"
    """Above the options in the help; a group that commands share has its own."""

    def begin(self) -> None:
        """What is to be done before `run`; groups of options do theirs here."""

    def given(self, *names: str) -> dict[str, Any]:
        """Options by their names, for what takes them under the same ones."""
        return {name: getattr(self, name) for name in names}

    def run(self) -> None:
        """Do what the options ask for."""
        raise NotImplementedError


def options_of(command: type) -> Iterator[tuple[str, Field[Any], Option]]:
    """Title of its group, field and declaration of each option: the command's own first, then those of its groups.

    A field that a command declares again, say with another default, stays in its group.
    """
    by_name = {one.name: one for one in fields(command)}
    groups = {name: group for group in command.__mro__ for name in inspect.get_annotations(group)}  # the last one's
    for group in command.__mro__:
        for name in inspect.get_annotations(group):
            if name in by_name and groups[name] is group:
                how = by_name[name].metadata["option"]
                yield "arguments" if how.positional else vars(group).get("title", "options"), by_name[name], how


def summary(command: type) -> str:
    """First line of a command's help."""
    return (command.__doc__ or "").splitlines()[0]


class Parser(argparse.ArgumentParser):
    """argparse's parser, whose mistakes are `FeatureblendError`, and whose help meets a closed pipe like any output."""

    def error(self, message: str) -> NoReturn:
        """Refuse the words."""
        raise FeatureblendError(f"{message.removeprefix('argument ')}; see `{self.prog} --help`")

    def print_help(self, file: Any = None) -> None:
        """Print the help; argparse itself drops errors of writing."""
        print(self.format_help(), end="", file=file)


def parser_of(command: type, program: str) -> Parser:
    """Parser of a command's words, which also prints its help.

    Parameters
    ----------
    command : type
        A subclass of `Command`.
    program : str
        What the command is called, such as ``"featureblend blend"``.
    """
    about, examples = _about(command)
    declared = list(options_of(command))
    usage = [how.metavar for _, _, how in declared if how.positional]
    usage += [f"{how.flags(one.name)[0]} {how.metavar}" for _, one, how in declared if _required(one, how)]
    parser = Parser(
        program,
        usage=_wrapped(" ".join([program, *map(str, usage), "[options]"]), 72, " " * 7),
        description=about,
        epilog="\n".join(["examples:" if len(examples) > 1 else "example:", *(f"  {line}" for line in examples)]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        add_help=False,
    )
    # One group for each title, that of the command's own options first.
    titles = dict.fromkeys(["arguments", "options", *(title for title, _, _ in declared)])
    groups = {title: parser.add_argument_group(title) for title in titles}
    for title, one, how in declared:
        _add(groups[title], one, how)
    groups["options"].add_argument("-h", "--help", action="help", help="Show this help.")
    return parser


def _about(command: type) -> tuple[str, list[str]]:
    """Description of a command, in lines that fit a terminal, and its examples."""
    lines = inspect.cleandoc(command.__doc__ or "").splitlines()
    examples = [line.removeprefix("Example: ") for line in lines if line.startswith("Example: ")]
    text = "\n".join(line for line in lines if not line.startswith("Example: ")).strip()
    paragraphs = [" ".join(part.split()) for part in re.split(r"\n\n+", text)]
    return "\n\n".join(_wrapped(part) for part in paragraphs), examples


def _wrapped(text: str, width: int = 78, indent: str = "") -> str:
    return textwrap.fill(text, width, subsequent_indent=indent, break_on_hyphens=False).replace("%", "%%")


def _required(one: Field[Any], how: Option) -> bool:
    return one.default is MISSING and not how.positional


def _add(group: argparse._ArgumentGroup, one: Field[Any], how: Option) -> None:
    """Add a field's option to the parser."""
    if how.flag:
        either = group.add_mutually_exclusive_group()
        for name, value, text in ((one.name, True, how.help), (f"no_{one.name}", False, how.off)):
            if how.help and not how.off and not value:
                continue  # there is nothing to turn off
            shown = text.replace("%", "%%") if text else argparse.SUPPRESS
            action = "store_true" if value else "store_false"
            either.add_argument(*how.flags(name), dest=one.name, action=action, default=one.default, help=shown)
        return
    default = None if one.default is MISSING else one.default
    text = how.help if default in (None, (), "") else f"{how.help} (default: {_shown(default)})"
    settings: dict[str, Any] = {"help": text.replace("%", "%%"), "type": reader_of(one), "default": default}
    if how.choices:
        settings["choices"] = how.choices
    if how.metavar:
        settings["metavar"] = how.metavar if how.positional else how.metavar.removesuffix(" ...")
    if how.positional:
        nargs = "*" if _is_many(one) else None if one.default is MISSING else "?"
        added = group.add_argument(one.name, nargs=nargs, **settings)
    else:
        if _is_many(one):
            settings |= {"nargs": "+", "action": _Collected}
        added = group.add_argument(*how.flags(one.name), dest=one.name, required=_required(one, how), **settings)
    added.field = one  # type: ignore[attr-defined]  # for the Tab key


class _Collected(argparse.Action):
    """Keeps the values of an option that is given several times; argparse's own "extend" would add to the default."""

    def __call__(self, parser: Any, namespace: argparse.Namespace, values: Any, option_string: Any = None) -> None:
        earlier = getattr(namespace, self.dest)
        setattr(namespace, self.dest, values if earlier is self.default else [*earlier, *values])


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return " ".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def parse(command: type[C], program: str, words: Sequence[str]) -> C:
    """Read a command's words.

    Raises
    ------
    FeatureblendError
        They can't be understood: the line names the option, and what it allows.
    """
    parser = parser_of(command, program)
    known = {name for action in parser._actions for name in action.option_strings}
    for place, word in enumerate(words):
        if word == "-":
            parser.error("'-' (standard input or output) can't be used: name a file (one that is called so is ./-)")
        name = word.partition("=")[0]
        if word == "--":
            break
        if NEGATIVE.fullmatch(word):  # What begins with a minus sign is an option, but for plain numbers.
            words = [*words[:place], f"{number(word):.12f}".rstrip("0").rstrip("."), *words[place + 1 :]]
        elif word.startswith("-") and " " not in word and name not in known and word[:2] not in known - {"--"}:
            parser.error(f"unknown option {name}{meant(name, [one for one in known if one.startswith('--')])}")
    return command(**vars(parser.parse_intermixed_args(words)))


def meant(word: str, known: Iterable[str]) -> str:
    """Words that add what is probably meant by a word that is not known: " (did you mean ...?)", or none."""
    from difflib import get_close_matches

    close = get_close_matches(word, list(known), 1)
    return f" (did you mean {close[0]}?)" if close else ""


# --- values


def _is_many(one: Field[Any]) -> bool:
    return str(one.type).startswith("Sequence[")


def reader_of(one: Field[Any]) -> Callable[[str], Any]:
    """What reads a word of a field, by the field's type, which annotations keep as text."""
    kind = str(one.type).removesuffix(" | None").removeprefix("Sequence[").removesuffix("]")
    readers: dict[str, Callable[[str], Any]] = {
        "Path": Path,
        "int": integer,
        "float": number,
        "int | str": number_or_word,
        "Any": number_or_word,
    }
    return readers.get(kind, str)


def number(word: str) -> float:
    """Read a number with a decimal point or comma, or a percentage."""
    from ..io.tables import parse_number

    try:
        return parse_number(word)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def integer(word: str) -> int:
    """Read a whole number."""
    try:
        return int(word)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{word!r} is no whole number") from error


def number_or_word(word: str) -> int | str:
    """Read a whole number as such and leave other words: which are right, the edits know."""
    try:
        value = float(word)
    except ValueError:
        return word
    return int(value) if value.is_integer() else word
