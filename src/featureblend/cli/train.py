"""The commands on the way to a model: `prepare`, `train`, `export`, `push`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..errors import FeatureblendError
from ..io.extras import require
from .groups import Quiet, Workers, print_warnings
from .options import Command, argument, flag, option, words_of

PREPARED = "--data is missing: make it with `featureblend prepare FOLDER_OR_TAR --out faces.tar`"


presets = words_of("training.presets", "PRESETS")


@dataclass(kw_only=True)
class Prepare(Workers, Quiet):
    """Cut the aligned faces out of a folder, tar or list of photos, for training and evaluation.

    Example: featureblend prepare lfw-deepfunneled.tar --out faces.tar
    """

    source: Path = argument(
        "FOLDER_OR_TAR",
        "A folder or a tar of photos; or a list: a .csv or .txt file with a photo a row, named from the list's folder, "
        "and where wanted a column 'person' (the first row then names the columns, 'photo' and 'person').",
    )
    out: Path = option("FILE", "The tar to write; several, numbered, where it grows over --shard-mb.", short="-o")
    size: int = option("PIXELS", "Side of the stored crops in pixels, a margin of a quarter included.", default=160)
    which: Literal["central", "largest"] = option(
        None, "The face to take where there are several.", default="central", choices=("central", "largest")
    )
    shard_mb: int = option("MEGABYTES", "Largest size of one tar in megabytes.", default=1000)

    def run(self) -> None:
        """Prepare, and print what was left out."""
        from ..training.prepare import PrepareSettings, prepare

        settings = PrepareSettings(size=self.size, which=self.which)
        report = prepare(
            self.source, self.out, settings, **self.given("shard_mb", "jobs", "quiet", "engine", "address")
        )
        for path in report.shards:
            print(path)
        print(report)
        print_warnings(report.warnings)


@dataclass(kw_only=True)
class Train(Quiet):
    """Train a model from a preset (needs the extra 'train').

    Example: featureblend train --preset toy --data faces.tar --run runs/toy
    """

    preset: str = option("NAME", "Which experiment; --list shows them.", default="modern", words=presets)
    recipe: str | None = option(
        "NAME",
        "In place of a preset: all stages of a model, from a folder of prepared faces to the model folder in --run.",
        default=None,
        words=words_of("training.presets", "RECIPES"),
    )
    data: Path | None = option("FACES", "Prepared faces.", default=None)
    folder: Path | None = option("FOLDER", "The run folder to write.", default=None, name="run")
    minutes: float | None = option("MINUTES", "End cleanly after so many minutes; --resume goes on.", default=None)
    resume: bool = flag("Go on with the run in the folder.")
    init: Path | None = option(
        "FOLDER", "A run folder, a model folder or a bundled model, whose weights a new run starts from.", default=None
    )
    set: Sequence[str] = option(
        "FIELD=VALUE ...", "Settings that differ from the preset, such as batch_size=16 losses.kl=0.1", default=()
    )
    stream: bool = flag("Read the faces from their shards as they are needed, for more faces than memory holds.")
    triplets: Sequence[Path] = option(
        "FACES ...",
        "Prepared faces that preset 'taught' learns blends from: parents 00000a and 00000b, the middle 00000m.",
        default=(),
    )
    generator: Path | None = option(
        "FILE",
        "A traced generator (tools/trace_generator.py) that makes them as they are needed; for a GPU.",
        default=None,
    )
    vgg_weights: Path | None = option(
        "FILE", "torchvision's weights of the preset's VGG, checked by their hash.", default=None
    )
    lpips_weights: Sequence[str] = option(
        "FILE ...", "alex_shift_tolerant.pth, for preset 'taught'; or files as `evaluate` takes them.", default=()
    )
    from_scratch: bool = flag("Do without such weights.")
    on_collapse: Literal["stop", "warn"] = option(
        None,
        "When training collapses: stop, keeping the last good checkpoint, or warn and go on.",
        default="stop",
        choices=("stop", "warn"),
    )
    dry_run: bool = flag("Print the resolved experiment and stop.")
    profile: bool = flag("Measure the training step on this machine and stop.")
    list: bool = flag("Print the presets and stop.")

    def run(self) -> None:
        """Train, or print what is asked for."""
        from dataclasses import replace

        from ..io.settings import to_dict
        from ..training.presets import PRESETS, RECIPES, overridden, preset

        if self.list:
            for experiment in PRESETS.values():
                print(f"{experiment.name:24}{experiment.description}")
            for one in RECIPES.values():
                print(f"{one.name:24}--recipe: {len(one.stages)} stages, {sum(s.images for s in one.stages):,} images")
            return
        if self.recipe is not None:
            self._follow(self.recipe)
            return
        experiment = overridden(preset(self.preset), self.set)
        if self.vgg_weights is not None:
            experiment = replace(experiment, vgg_weights=str(self.vgg_weights))
        if self.lpips_weights:
            experiment = replace(experiment, lpips_weights=tuple(self.lpips_weights))
        if self.from_scratch:
            experiment = replace(experiment, from_scratch=True)
        resolved = _json(to_dict(experiment))
        if self.dry_run:
            print(resolved, end="")
            return
        if self.data is None:
            raise FeatureblendError(PREPARED)
        if self.folder is None and not self.profile:
            raise FeatureblendError(f"--run is missing: name the folder to write, such as --run runs/{experiment.name}")
        require("train", "torch")
        from ..training.dataset import FaceTriplets
        from ..training.streaming import read_faces

        faces = read_faces(self.data, self.stream)
        triplets = FaceTriplets.read(self.triplets) if self.triplets else None
        taught: dict[str, Any] = {"triplets": triplets, "generator": self.generator}
        print(resolved, end="")  # not before an error, which would scroll away
        if self.folder is None or self.profile:
            from ..training.profile import profile

            print(_json(profile(experiment, faces, **taught)), end="")
            return
        from ..training.loop import train

        settings = self.given("minutes", "resume", "init", "quiet", "data", "on_collapse")
        print(train(experiment, faces, self.folder, **settings, **taught))

    def _follow(self, name: str) -> None:
        """Train a model's stages, or print them."""
        from ..io.settings import to_dict
        from ..training.presets import recipe

        stages = recipe(name).stages
        if self.set or self.init is not None or self.triplets or self.generator is not None or self.profile:
            words = "--set, --init, --triplets, --generator, --profile"
            raise FeatureblendError(f"a recipe says all settings: leave out {words}")
        if self.dry_run:
            facts = [{"stage": stage.name, "until": stage.images, **to_dict(stage.experiment)} for stage in stages]
            print(_json(facts), end="")
            return
        if self.data is None or self.folder is None:
            raise FeatureblendError(
                f"--data or --run is missing: a folder of prepared faces, and one to write, such as --run runs/{name}"
            )
        require("train", "torch", "onnxscript")
        from ..training.staged import follow

        settings = self.given("minutes", "resume", "quiet", "stream", "on_collapse")
        print(follow(recipe(name), self.data, self.folder, say=print, **settings))


@dataclass(kw_only=True)
class Export(Quiet):
    """Turn a training run into a model folder that the plain install can use (needs the extra 'train').

    Example: featureblend export runs/modern --out my-model
    """

    folder: Path = argument("RUN", "A run folder.")
    out: Path = option("FOLDER", "The model folder to write.", short="-o")
    data: Path | None = option(
        "FACES",
        "Prepared faces for the check against torch and the held-out figures; the run's own if left out.",
        default=None,
    )
    name: str | None = option("NAME", "The model's name; by default the folder's.", default=None)
    data_note: str = option("TEXT", "What the model card says of the data.", default="")
    average_with: Path | None = option(
        "RUN", "Export the mean of this run's weights and those of the run it started from.", default=None
    )
    cleaner_from: Path | None = option(
        "RUN", "Export another run's cleaner (preset modern-clean) with this run's networks.", default=None
    )

    def run(self) -> None:
        """Export and check."""
        require("train", "torch")
        from ..training.export import export_model
        from ..training.shards import shard_paths
        from ..training.state import RunFolder
        from ..training.streaming import read_faces

        data = self.data or RunFolder(self.folder).data_path()
        faces = read_faces(data, stream=bool(shard_paths(data)))  # of which it needs few
        more = self.given("name", "average_with", "cleaner_from")
        export_model(self.folder, self.out, faces, data=self.data_note, say=print, **more)
        print(self.out)


@dataclass(kw_only=True)
class Push(Command):
    """Put a model folder on the Hugging Face Hub (needs the extra 'hub'), where every command can take it from.

    Log in with `hf auth login` first. HF_ENDPOINT names another server.

    Example: featureblend push my-model lab/my-model
    """

    folder: str = argument("MODEL", "A model folder, or the name of a bundled model.")
    repository: str = argument("ORG/NAME", "Where to; made if it is not there.")
    private: bool = flag("Make a repository that only its owners see.")
    message: str = option("TEXT", "Of the commit.", default="")

    def run(self) -> None:
        """Check the folder, push it, and print how it is named."""
        from ..model.folder import find_model
        from ..model.hub import push_model

        commit = push_model(find_model(self.folder), self.repository, private=self.private, message=self.message)
        print(f"{self.repository}@{commit}")


def _json(value: Any) -> str:
    import json

    return json.dumps(value, indent=2) + "\n"
