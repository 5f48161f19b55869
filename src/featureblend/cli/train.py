"""The commands on the way to a model: `prepare`, `train`, `export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from tyro.conf import Positional, arg

from ..errors import FeatureblendError
from ..io.extras import require
from .options import File, Flag, Folder, Out, OutFolder, plain
from .pictures import print_warnings


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
    from ..training.prepare import PrepareSettings
    from ..training.prepare import prepare as run

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

    from ..io.settings import to_dict
    from ..training.presets import PRESETS, overridden
    from ..training.presets import preset as named

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
    require("train", "torch")
    from ..training.dataset import FaceSet, FaceTriplets

    faces = FaceSet.read(data)
    taught: dict[str, Any] = {"triplets": FaceTriplets.read(triplets) if triplets else None, "generator": generator}
    if profile:
        from ..training.profile import profile as measure

        print(_json(measure(experiment, faces, **taught)), end="")
        return
    if run is None:
        raise FeatureblendError(f"--run is missing: name the folder to write, such as --run runs/{experiment.name}")
    from ..training.loop import train as start

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
    require("train", "torch")
    from ..training.dataset import FaceSet
    from ..training.export import export_model
    from ..training.state import RunFolder

    faces = FaceSet.read(data or RunFolder(run).data_path())
    export_model(
        run, out, faces, name=name, data=data_note, average_with=average_with, cleaner_from=cleaner_from, say=print
    )
    print(out)


def _json(value: Any) -> str:
    import json

    return json.dumps(value, indent=2) + "\n"
