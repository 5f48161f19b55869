"""What commands have in common: how options look in the help and complete at the Tab key, and mistakes as one line."""

from __future__ import annotations

import inspect
import io
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass
from functools import partial, wraps
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from tyro.conf import FlagCreatePairsOff, Positional, arg

from .errors import FeatureblendError

__all__ = [
    "File",
    "Flag",
    "Folder",
    "Model",
    "Out",
    "OutFolder",
    "completion_script",
    "face_choices",
    "keep_photos",
    "parsed",
    "plain",
]

T = TypeVar("T")


def plain(metavar: str) -> Any:
    """Name an option's value in the help, whose text says what happens without it."""
    return arg(metavar=metavar, help_behavior_hint="")


Out = Annotated[Path, arg(aliases=["-o"], metavar="FILE")]
OutFolder = Annotated[Path, arg(aliases=["-o"], metavar="FOLDER")]
File = Annotated[Path | None, plain("FILE")]
Folder = Annotated[Path | None, plain("FOLDER")]
Model = Annotated[str | None, plain("MODEL")]
Flag = Annotated[bool, arg(help_behavior_hint=""), FlagCreatePairsOff]


def face_choices(words: Sequence[str]) -> list[int | str]:
    """Read ``--faces``: numbers as numbers, words as they are; which are right, `choose_face` knows."""
    return [int(word) if word.lstrip("-").isdecimal() else word for word in words]


def keep_photos(photos: Sequence[Path], written: Sequence[Path]) -> None:
    """Refuse to write over what is read, photos and others, or twice to one file."""
    for place, path in enumerate(written):
        if any(os.path.realpath(path) == os.path.realpath(photo) for photo in photos):
            from .image import PHOTO_SUFFIXES  # here, since it brings NumPy and Pillow

            kind = "photos" if path.suffix.lower() in PHOTO_SUFFIXES else "inputs"
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


@dataclass(frozen=True)
class _Argument:
    """What a shell has to know of an option, or of what stands without one."""

    flags: tuple[str, ...]
    """How it is written; empty for what stands without an option."""
    takes: Literal["nothing", "text", "file"]
    words: tuple[str, ...]
    """Words that may follow."""
    many: bool
    """Whether several may."""
    help: str


def _arguments(name: str, command: Callable[..., None], known: Mapping[str, tuple[str, ...]]) -> Iterator[_Argument]:
    """List what a command takes, from its signature and the help in its docstring."""
    text = inspect.cleandoc(command.__doc__ or "").partition("\nArgs:\n")[2]
    helps = {
        one: " ".join(said.split()) for one, said in re.findall(r"^ {4}(\w+): (.*(?:\n {5,}.*)*)", text, re.MULTILINE)
    }
    for parameter, hint in get_type_hints(command, include_extras=True).items():
        if parameter == "return":
            continue
        kind, *notes = get_args(hint) if get_origin(hint) is Annotated else (hint,)
        how = next((note for note in notes if hasattr(note, "metavar")), None)
        flag = f"--{(how and how.name) or parameter.replace('_', '-')}"
        flags: tuple[str, ...] = (*((how and how.aliases) or ()), flag)
        takes: Literal["nothing", "text", "file"] = "text"
        words: tuple[str, ...] = ()
        if kind is bool:
            takes = "nothing"
            flags = flags if FlagCreatePairsOff in notes else (flag, f"--no-{flag[2:]}")
        elif get_origin(kind) is Literal:
            words = get_args(kind)
        else:
            shown = (how and how.metavar) or ""
            takes = "file" if "Path" in str(kind) or re.match("PHOTO|FILE|MODEL|NAME=FOLDER", shown) else "text"
            if "int" not in str(kind):  # such as --size of `prepare`, which takes no 'source'
                words = known.get(f"{name} {parameter}", known.get(parameter, ()))
        many = "tuple" in str(kind)
        yield _Argument(() if Positional in notes else flags, takes, words, many, helps.get(parameter, ""))


def _known_words() -> dict[str, tuple[str, ...]]:
    """Give the words that options know, by the option's name, or the command's and the option's."""
    from .benchmark.settings import METHODS as TIMED
    from .benchmark.settings import PARTS
    from .blending import METHODS
    from .comparison import METHODS as COMPARED
    from .evaluate.protocols import PROTOCOLS
    from .method_names import method_names
    from .model_folder import bundled_models
    from .presets import PRESETS

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
        "model": tuple(bundled_models()),
    }


def completion_script(commands: Mapping[str, Callable[..., None]], shell: str) -> str:
    """Write what makes a shell complete commands, options and their values at the Tab key.

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
    known = _known_words()
    taken = {name: list(_arguments(name, command, known)) for name, command in commands.items()}
    help_of = {name: (command.__doc__ or "").splitlines()[0] for name, command in commands.items()}
    return {"bash": _for_bash, "zsh": _for_zsh, "fish": _for_fish}[shell](taken, help_of)


_BASH = """\
# What completes featureblend at bash's Tab key; written by `featureblend completion bash`.
_featureblend() {
  local word=${COMP_WORDS[COMP_CWORD]} option= files= words= place
  COMPREPLY=()
  # The option that the word may belong to: the last one, with a '+' where other words stand between.
  for ((place = COMP_CWORD - 1; place > 1; place--)); do
    if [[ ${COMP_WORDS[place]} == -[a-z-]* ]]; then
      option=${COMP_WORDS[place]}
      ((place == COMP_CWORD - 1)) || option+=+
      break
    fi
  done
  if ((COMP_CWORD == 1)); then
    words="@COMMANDS@ --help --version"
  else
    case "${COMP_WORDS[1]} $option" in
@VALUES@
      *) case ${COMP_WORDS[1]} in
@OTHERS@
      esac ;;
    esac
    [[ $word == -* ]] && files= && case ${COMP_WORDS[1]} in
@OPTIONS@
    esac
  fi
  [[ $files ]] || compopt +o default 2>/dev/null # with it, readline completes files where no word fits
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -o default -F _featureblend featureblend
"""


def _for_bash(taken: Mapping[str, Sequence[_Argument]], help_of: Mapping[str, str]) -> str:
    options, values, others = [], [], []
    for name, found in taken.items():
        flags = " ".join(["-h", "--help", *(flag for one in found for flag in one.flags)])
        options.append(f'      {name}) words="{flags}" ;;')
        others.append(f'        {name}) words="{flags}" ;;')
        for one in found:
            what = f'words="{" ".join(one.words)}"' + (" files=yes" if one.takes == "file" else "")
            if not one.flags:
                others[-1] = f"        {name}) {what} ;;"
            elif one.takes != "nothing":
                ways = [f'"{name} {flag}{far}"' for flag in one.flags for far in (("", "+") if one.many else ("",))]
                values.append(f"      {'|'.join(ways)}) {what} ;;")
    parts = {"COMMANDS": " ".join(taken), "VALUES": "\n".join(values), "OTHERS": "\n".join(others)}
    return re.sub("@([A-Z]+)@", lambda found: {**parts, "OPTIONS": "\n".join(options)}[found[1]], _BASH)


def _for_zsh(taken: Mapping[str, Sequence[_Argument]], help_of: Mapping[str, str]) -> str:
    def quoted(text: str) -> str:
        return "'" + text.replace("'", "'\\''") + "'"

    def specs(one: _Argument) -> Iterator[str]:
        words = " ".join(one.words)
        what = {"file": f"{{compadd {words}; _files}}" if words else "_files", "text": f"({words})" if words else " "}
        if not one.flags:
            yield quoted(f"{'*' if one.many else '1'}:what to take:{what[one.takes]}")
        for flag in one.flags:
            help = re.sub(r"([\[\]:\\])", r"\\\1", one.help)
            many = "*-*:" if one.many else ""  # up to the next option
            value = "" if one.takes == "nothing" else f":{many}{flag.lstrip('-')}:{what[one.takes]}"
            yield quoted(f"({' '.join(one.flags)}){flag}[{help}]{value}")

    lines = ["#compdef featureblend", "# What completes featureblend at zsh's Tab key.", "_featureblend() {"]
    lines += ["  if ((CURRENT == 2)); then", "    local -a commands=("]
    lines += [f"      {quoted(f'{name}:{help_of[name]}')}" for name in taken]
    lines += ["    )", "    _describe command commands", "    return", "  fi", "  shift words", "  ((CURRENT--))"]
    lines += ["  case $words[1] in"]
    for name, found in taken.items():
        each = [quoted("(-h --help)--help[Explain this command.]"), *(spec for one in found for spec in specs(one))]
        lines += [f"    {name}) _arguments \\", *(f"      {spec} \\" for spec in each), "      ;;"]
    return "\n".join([*lines, "  esac", "}", '_featureblend "$@"', ""])


_FISH = """\
# What completes featureblend at fish's Tab key; written by `featureblend completion fish`.
function __featureblend_runs
    set -l words (commandline -opc)
    test (count $words) -gt 1; and contains -- $words[2] $argv
end
complete -c featureblend -n "test (count (commandline -opc)) -eq 1" -f -l help -d "Name every command."
complete -c featureblend -n "test (count (commandline -opc)) -eq 1" -f -l version -d "Print the version."
"""


def _for_fish(taken: Mapping[str, Sequence[_Argument]], help_of: Mapping[str, str]) -> str:
    def quoted(text: str) -> str:
        return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"

    def line(when: str, how: str, words: Sequence[str], help: str) -> str:
        more = f" -a {quoted(' '.join(words))}" if words else ""
        return f'complete -c featureblend -n "{when}" {how}{more}' + (f" -d {quoted(help)}" if help else "")

    lines = [line("test (count (commandline -opc)) -eq 1", "-f", [name], help_of[name]) for name in taken]
    for name, found in taken.items():
        here = f"__featureblend_runs {name}"
        lines.append(line(here, "-s h -l help", [], "Explain this command."))
        free = next((one for one in found if not one.flags), None)
        if free is None or free.takes != "file":
            lines.append(line(here, "-f", free.words if free else [], ""))
        for one in found:
            takes = {"nothing": "", "text": " -x", "file": " -r -F"}[one.takes]
            for flag in one.flags:
                short = "-s" if len(flag) == 2 else "-l"
                lines.append(line(here, f"{short} {flag.lstrip('-')}{takes}", one.words, one.help))
    return _FISH + "\n".join([*lines, ""])
