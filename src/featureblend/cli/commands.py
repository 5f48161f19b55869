"""The command line: each command is a function; its docstring is its help. Heavy imports wait until one runs."""

from __future__ import annotations

import sys

__all__ = ["main"]

try:
    import os
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from typing import Literal, NoReturn

    from tyro.conf import Positional

    from .. import __version__
    from ..errors import FeatureblendError
    from ..io.console import Ended, accept_any_text, ending_on_signals
    from .blend import batch, blend, replay
    from .completion import completion_script
    from .edit import average, continuum, encode, mix, symmetrize, transform
    from .evaluate import benchmark, compare, evaluate
    from .options import Flag, Model, Out, parsed
    from .paper import reproduce
    from .pictures import print_measures
    from .train import export, prepare, train
    from .web import web
except KeyboardInterrupt:  # Ctrl-C while these are imported, which takes longer than many a command
    sys.stderr.write("featureblend: stopped\n")
    raise SystemExit(130) from None


def demo(out: Out = Path("out/demo.png"), model: Model = None, quiet: Flag = False) -> None:
    """Blend the two example faces that come with featureblend.

    Example: featureblend demo -o faces.png

    Args:
        out: Picture to write; its folder is made.
        model: A model folder or the name of a bundled model; the bundled one if left out.
        quiet: Print only where the picture is.
    """
    from ..edit.demo import write_demo

    made = write_demo(out, model)
    print(out)
    if not quiet:
        print_measures(made.measures)


def completion(shell: Positional[Literal["bash", "zsh", "fish"]]) -> None:
    """Print what completes commands and options at the Tab key, for your shell to read.

    Example: featureblend completion bash > ~/.local/share/bash-completion/completions/featureblend
    Example: featureblend completion zsh > ~/.zfunc/_featureblend
    Example: featureblend completion fish > ~/.config/fish/completions/featureblend.fish

    Args:
        shell: Your shell.
    """
    print(completion_script(COMMANDS, shell), end="")


COMMANDS: dict[str, Callable[..., None]] = {
    "blend": blend,
    "batch": batch,
    "replay": replay,
    "continuum": continuum,
    "average": average,
    "transform": transform,
    "symmetrize": symmetrize,
    "mix": mix,
    "encode": encode,
    "compare": compare,
    "demo": demo,
    "prepare": prepare,
    "train": train,
    "export": export,
    "evaluate": evaluate,
    "reproduce": reproduce,
    "benchmark": benchmark,
    "web": web,
    "completion": completion,
}


def _overview() -> str:
    """Give the text of ``featureblend --help``: every command and its first line."""
    lines = [f"  {name:12}{(command.__doc__ or '').splitlines()[0]}" for name, command in COMMANDS.items()]
    return "\n".join(
        [
            "usage: featureblend COMMAND ...",
            "",
            "Blend photos of faces in the latent space of an autoencoder. Offline: photos never leave the machine.",
            "",
            *lines,
            "",
            "`featureblend COMMAND --help` explains one; `featureblend --version` says which version this is.",
            "Exit codes: 0 done, 1 some rows of a batch failed (each is named), 2 something to fix (one line says",
            "what), 130 stopped by Ctrl-C.",
            "",
        ]
    )


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
        parsed(COMMANDS[words[0]], f"featureblend {words[0]}", words[1:])()
    else:
        raise FeatureblendError(f"unknown command {words[0]!r}: use one of {', '.join(COMMANDS)}")


def _stop(reason: str, code: int) -> NoReturn:
    print(f"featureblend: {' '.join(reason.splitlines())}", file=sys.stderr)
    raise SystemExit(code) from None
