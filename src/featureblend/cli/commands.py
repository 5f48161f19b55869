"""The table of commands, and what runs them. Heavy imports wait until a command runs."""

from __future__ import annotations

import sys

try:
    import os
    from collections.abc import Sequence
    from dataclasses import dataclass
    from pathlib import Path
    from typing import NoReturn

    from .. import __version__
    from ..errors import FeatureblendError
    from ..io.console import Ended, accept_any_text, ending_on_signals
    from .blend import Batch, Blend, Replay
    from .completion import SHELLS, completion_script
    from .edit import Average, Continuum, Encode, Mix, Symmetrize, Transform
    from .evaluate import Benchmark, Compare, Evaluate
    from .groups import Model, print_measures
    from .options import Command, argument, flag, meant, option, parse, summary
    from .paper import Reproduce
    from .train import Export, Prepare, Push, Train
    from .web import Web
except KeyboardInterrupt:  # Ctrl-C while these are imported, which takes longer than many a command
    sys.stderr.write("featureblend: stopped\n")
    raise SystemExit(130) from None


@dataclass(kw_only=True)
class Demo(Model):
    """Blend the two example faces that come with featureblend.

    Example: featureblend demo -o faces.png
    """

    out: Path = option("FILE", "Picture to write; its folder is made.", default=Path("out/demo.png"), short="-o")
    quiet: bool = flag("Print only where the picture is.")

    def run(self) -> None:
        """Blend, write and print."""
        from ..edit.demo import write_demo

        made = write_demo(self.out, self.model)
        print(self.out)
        if not self.quiet:
            print_measures(made.measures)


@dataclass(kw_only=True)
class Completion(Command):
    """Print what completes commands and options at the Tab key, for your shell to read.

    Example: mkdir -p ~/.local/share/bash-completion/completions
    Example: featureblend completion bash > ~/.local/share/bash-completion/completions/featureblend
    Example: mkdir -p ~/.zfunc
    Example: featureblend completion zsh > ~/.zfunc/_featureblend
    Example: mkdir -p ~/.config/fish/completions
    Example: featureblend completion fish > ~/.config/fish/completions/featureblend.fish
    """

    shell: str = argument("SHELL", f"Your shell: {', '.join(SHELLS)}.", choices=SHELLS)

    def run(self) -> None:
        """Print the script."""
        print(completion_script(COMMANDS, self.shell), end="")


COMMANDS: dict[str, type[Command]] = {
    "blend": Blend,
    "batch": Batch,
    "replay": Replay,
    "continuum": Continuum,
    "average": Average,
    "transform": Transform,
    "symmetrize": Symmetrize,
    "mix": Mix,
    "encode": Encode,
    "compare": Compare,
    "demo": Demo,
    "prepare": Prepare,
    "train": Train,
    "export": Export,
    "push": Push,
    "evaluate": Evaluate,
    "reproduce": Reproduce,
    "benchmark": Benchmark,
    "web": Web,
    "completion": Completion,
}

ENDING = """\
`featureblend COMMAND --help` explains one; `featureblend --version` says which version this is.
Exit codes: 0 done, 1 some rows of a batch failed (each is named), 2 something to fix (one line says
what), 130 stopped by Ctrl-C.
"""


def _overview() -> str:
    """The text of ``featureblend --help``: every command and its first line."""
    import textwrap

    lines = [
        textwrap.fill(summary(command), 78, initial_indent=f"  {name:12}", subsequent_indent=" " * 14)
        for name, command in COMMANDS.items()
    ]
    about = (
        "Blend photos of faces in the latent space of an autoencoder. Offline: photos\nnever leave the machine.",
        "\n".join(lines),
        textwrap.fill(ENDING, 78),
    )
    return "\n\n".join(["usage: featureblend COMMAND ...", *about]) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; `FeatureblendError`, and an `OSError` as a last resort, become one line and exit code 2.

    Parameters
    ----------
    arguments : sequence of str, optional
        Without the program's name; by default those of the process.
    """
    words = sys.argv[1:] if arguments is None else [*arguments]
    accept_any_text()
    try:
        try:
            with ending_on_signals():
                _run(words)
        finally:
            print(end="", flush=True)  # here, where a pipe that was closed makes no traceback
    except FeatureblendError as error:
        _stop(str(error), 2)
    except KeyboardInterrupt as stop:
        _stop(str(stop) or "stopped", 128 + stop.number if isinstance(stop, Ended) else 130)
    except BrokenPipeError:  # `featureblend train --list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(141) from None
    except OSError as error:  # one that nothing foresaw
        where = "go on" if error.filename is None else f"read or write {os.fsdecode(error.filename)}"
        _stop(f"cannot {where}: {error.strerror or error}", 2)


def _run(words: Sequence[str]) -> None:
    if not words or words[0] in ("-h", "--help"):
        print(_overview(), end="")
    elif words[0] == "--version":
        print(f"featureblend {__version__}")
    elif words[0] in COMMANDS:
        command = parse(COMMANDS[words[0]], f"featureblend {words[0]}", words[1:])
        command.begin()
        command.run()
    else:
        close = meant(words[0], COMMANDS)
        raise FeatureblendError(f"unknown command {words[0]!r}{close}: use one of {', '.join(COMMANDS)}")


def _stop(reason: str, code: int) -> NoReturn:
    print(f"featureblend: {' '.join(reason.splitlines())}", file=sys.stderr)
    raise SystemExit(code) from None
