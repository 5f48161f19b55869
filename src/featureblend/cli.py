"""The command line: each command is a function; its docstring is its help. Heavy imports wait until one runs."""

from __future__ import annotations

import sys

try:
    import os
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from typing import Annotated, Any, Literal, NoReturn

    from tyro.conf import Positional, arg

    from . import __version__
    from .arguments import File, Flag, Folder, Model, Out, OutFolder, parsed, plain
    from .cli_benchmark import benchmark
    from .cli_blend import batch, blend, replay
    from .cli_changes import mix, symmetrize, transform
    from .cli_evaluate import compare, evaluate
    from .cli_pictures import print_measures, print_warnings
    from .cli_reproduce import reproduce
    from .cli_verbs import average, continuum, encode
    from .cli_web import web
    from .completing import completion_script
    from .console import Ended, accept_any_text, ending_on_signals
    from .errors import FeatureblendError
except KeyboardInterrupt:  # Ctrl-C while these are imported, which takes longer than many a command
    sys.stderr.write("featureblend: stopped\n")
    raise SystemExit(130) from None

__all__ = ["main"]


def demo(out: Out = Path("out/demo.png"), model: Model = None, quiet: Flag = False) -> None:
    """Blend the two example faces that come with featureblend.

    Example: featureblend demo -o faces.png

    Args:
        out: Picture to write; its folder is made.
        model: A model folder or the name of a bundled model; the bundled one if left out.
        quiet: Print only where the picture is.
    """
    from .demo import write_demo

    made = write_demo(out, model)
    print(out)
    if not quiet:
        print_measures(made.measures)


def prepare(
    source: Positional[Annotated[Path, plain("FOLDER_OR_TAR")]],
    out: Out,
    size: Annotated[int, arg(metavar="PIXELS")] = 160,
    which: Literal["central", "largest"] = "central",
    shard_mb: Annotated[int, arg(metavar="MEGABYTES")] = 1000,
    jobs: Annotated[int | None, plain("COUNT")] = None,
    quiet: Flag = False,
) -> None:
    """Cut the aligned faces out of a folder or tar of photos, for training and evaluation.

    Example: featureblend prepare lfw-deepfunneled.tar --out faces.tar

    Args:
        source: A folder or a tar of photos.
        out: The tar to write; several, numbered, where it grows over --shard-mb.
        size: Side of the stored crops in pixels, a margin of a quarter included.
        which: The face to take where there are several.
        shard_mb: Largest size of one tar in megabytes.
        jobs: Processes; one a core if left out.
        quiet: Show no progress bar.
    """
    from .prepare import PrepareSettings
    from .prepare import prepare as run

    report = run(source, out, PrepareSettings(size=size, which=which), shard_mb, jobs, quiet)
    for path in report.shards:
        print(path)
    print(report)
    print_warnings(report.warnings)


def train(
    preset: Annotated[str, arg(metavar="NAME")] = "modern",
    data: Annotated[Path | None, plain("FACES")] = None,
    run: Folder = None,
    minutes: Annotated[float | None, plain("MINUTES")] = None,
    resume: Flag = False,
    init: Folder = None,
    set: Annotated[tuple[str, ...], plain("FIELD=VALUE ...")] = (),
    triplets: Annotated[tuple[Path, ...], plain("FACES ...")] = (),
    generator: File = None,
    vgg_weights: File = None,
    lpips_weights: Annotated[tuple[str, ...], plain("FILE ...")] = (),
    from_scratch: Flag = False,
    on_collapse: Literal["stop", "warn"] = "stop",
    dry_run: Flag = False,
    profile: Flag = False,
    list: Flag = False,
    quiet: Flag = False,
) -> None:
    """Train a model from a preset (needs the extra 'train').

    Example: featureblend train --preset toy --data faces.tar --run runs/toy

    Args:
        preset: Which experiment; --list shows them.
        data: Prepared faces.
        run: The run folder to write.
        minutes: End cleanly after so many minutes; --resume goes on.
        resume: Go on with the run in the folder.
        init: A run folder, a model folder or a bundled model, whose weights a new run starts from.
        set: Settings that differ from the preset, such as batch_size=16 losses.kl=0.1
        triplets: Prepared faces that preset 'taught' learns blends from: parents 00000a and 00000b, the middle 00000m.
        generator: A traced generator (tools/trace_generator.py) that makes them as they are needed; for a GPU.
        vgg_weights: torchvision's weights of the preset's VGG, checked by their hash.
        lpips_weights: alex_shift_tolerant.pth, for preset 'taught'; or files as `evaluate` takes them.
        from_scratch: Do without such weights.
        on_collapse: When training collapses: stop, keeping the last good checkpoint, or warn and go on.
        dry_run: Print the resolved experiment and stop.
        profile: Measure the training step on this machine and stop.
        list: Print the presets and stop.
        quiet: Show no progress bar.
    """
    from dataclasses import replace

    from .config import to_dict
    from .presets import PRESETS, overridden
    from .presets import preset as named

    if list:
        for experiment in PRESETS.values():
            print(f"{experiment.name:24}{experiment.description}")
        return
    experiment = overridden(named(preset), set)
    if vgg_weights is not None:
        experiment = replace(experiment, vgg_weights=str(vgg_weights))
    if lpips_weights:
        experiment = replace(experiment, lpips_weights=lpips_weights)
    if from_scratch:
        experiment = replace(experiment, from_scratch=True)
    print(_json(to_dict(experiment)), end="")
    if dry_run:
        return
    if data is None:
        raise FeatureblendError("--data is missing: make it with `featureblend prepare FOLDER_OR_TAR --out faces.tar`")
    _need("torch", "train")
    from .data import FaceSet, FaceTriplets

    faces = FaceSet.read(data)
    taught: dict[str, Any] = {"triplets": FaceTriplets.read(triplets) if triplets else None, "generator": generator}
    if profile:
        from .train.profile import profile as measure

        print(_json(measure(experiment, faces, **taught)), end="")
        return
    if run is None:
        raise FeatureblendError(f"--run is missing: name the folder to write, such as --run runs/{experiment.name}")
    from .train.loop import train as start

    settings: dict[str, Any] = {"minutes": minutes, "resume": resume, "init": init, "quiet": quiet, "data": data}
    settings |= taught
    print(start(experiment, faces, run, on_collapse=on_collapse, **settings))


def export(
    run: Positional[Annotated[Path, plain("RUN")]],
    out: OutFolder,
    data: Annotated[Path | None, plain("FACES")] = None,
    name: Annotated[str | None, plain("NAME")] = None,
    data_note: Annotated[str, plain("TEXT")] = "",
    average_with: Annotated[Path | None, plain("RUN")] = None,
    cleaner_from: Annotated[Path | None, plain("RUN")] = None,
) -> None:
    """Turn a training run into a model folder that the plain install can use (needs the extra 'train').

    Example: featureblend export runs/modern --out my-model

    Args:
        run: A run folder.
        out: The model folder to write.
        data: Prepared faces for the check against torch and the held-out figures; the run's own if left out.
        name: The model's name; by default the folder's.
        data_note: What the model card says of the data.
        average_with: Export the mean of this run's weights and those of the run it started from.
        cleaner_from: Export another run's cleaner (preset modern-clean) with this run's networks.
    """
    _need("torch", "train")
    from .data import FaceSet
    from .export import export_model
    from .train.state import RunFolder

    faces = FaceSet.read(data or RunFolder(run).data_path())
    export_model(
        run, out, faces, name=name, data=data_note, average_with=average_with, cleaner_from=cleaner_from, say=print
    )
    print(out)


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
            "Exit codes: 0 done, 1 some rows of a batch failed (each is named), 2 something to mend (one line says",
            "what), 130 stopped by Ctrl-C.",
            "",
        ]
    )


def _need(module: str, extra: str) -> None:
    """Say which extra brings a missing package."""
    import importlib.util

    if importlib.util.find_spec(module) is None:
        raise FeatureblendError(f"this command needs {module}: pip install 'featureblend[{extra}]'")


def _json(value: Any) -> str:
    import json

    return json.dumps(value, indent=2) + "\n"


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
