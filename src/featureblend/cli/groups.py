"""Groups of options that commands share, with what they do for a command: checks before any work, and writing."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from ..errors import FeatureblendError
from .options import Command, flag, option, words_of

if TYPE_CHECKING:
    from ..blend.blender import Blender
    from ..io.inputs import Skipped


BACKGROUNDS = ("blend", "source", "transparent", "black", "average")
CUTS = ("head", "face")
SHOWN = 30
"""So many files that were left out are printed; the table has them all."""

FACE_WORDS = ("largest", "central")


methods = words_of("blend.pipeline", "METHODS")


# --- groups


@dataclass(kw_only=True)
class Quiet(Command):
    """Whether a bar and measures are printed."""

    quiet: bool = flag("Show no progress bar.")


@dataclass(kw_only=True)
class Workers(Command):
    """What shares the work."""

    title: ClassVar[str] = "workers"

    jobs: int | None = option(
        "COUNT", "Workers; one a core if left out. The results do not depend on it.", default=None
    )
    engine: Literal["local", "ray"] = option(
        None,
        "What the workers are: this machine's, or those of a Ray cluster (needs the extra 'cluster'), which must see "
        "the same files.",
        default="local",
        choices=("local", "ray"),
    )
    address: str | None = option(
        "ADDRESS",
        "The running Ray cluster to use, such as auto or head:6379; if left out, one of this machine alone.",
        default=None,
    )


@dataclass(kw_only=True)
class FaceChoice(Command):
    """Which face of each photo."""

    title: ClassVar[str] = "faces"

    faces: int | str = option(
        "FACE",
        "Which face of each photo: 'largest', 'central', or a number from the left, from 1.",
        default="largest",
        words=lambda: FACE_WORDS,
    )


@dataclass(kw_only=True)
class FaceChoices(Command):
    """Which face of each photo, where each may have its own."""

    title: ClassVar[str] = "faces"

    faces: Sequence[int | str] = option(
        "FACE ...",
        "Which face, once or one a photo: 'largest', 'central', or a number from the left, from 1.",
        default=("largest",),
        words=lambda: FACE_WORDS,
    )

    @property
    def which(self) -> int | str | Sequence[int | str]:
        """The choice for all photos, or one a photo."""
        return self.faces[0] if len(self.faces) == 1 else self.faces

    def for_each(self, count: int) -> Sequence[int | str]:
        """One choice a photo."""
        if len(self.faces) not in (1, count):
            raise FeatureblendError(f"--faces: {len(self.faces)} for {count} photos; give one, or one a photo")
        return [*self.faces] * count if len(self.faces) == 1 else self.faces


@dataclass(kw_only=True)
class Look(Command):
    """Size and sharpness of a picture."""

    title: ClassVar[str] = "picture"

    size: int | str = option(
        "PIXELS",
        "Longest side in pixels; 'photos' for the scale of the photo with the largest face, at most 1024; 'source' for "
        "the first photo's, whatever it is; 'model' for the network's own 128.",
        default="photos",
        words=lambda: ("photos", "source", "model"),
    )
    detail: bool = flag(off="Show only what the networks draw, without the photos' own fine detail.", default=True)


@dataclass(kw_only=True)
class Source(Command):
    """Whose hair and background a picture has."""

    title: ClassVar[str] = "picture"

    surroundings: Any = option(
        "WHOSE",
        "With 'latent', whose hair and background: auto (the sharpest, plainest one's, unless small or cut off; at "
        "uneven weights of two photos blend), mean (everyone's), blend (between two photos'), or a photo's number.",
        default="auto",
        words=lambda: ("auto", "mean", "blend"),
    )


@dataclass(kw_only=True)
class Model(Command):
    """The model."""

    title: ClassVar[str] = "model"

    model: str | None = option(
        "MODEL",
        "A model folder, the name of a bundled model, or org/name[@revision] on the Hugging Face Hub, which is fetched "
        "once; the bundled one if left out.",
        default=None,
    )
    device: str | None = option(
        None,
        "What the networks compute on; auto takes the fastest that is there. Another device than the CPU may change a "
        "blend by a grey level.",
        default=None,
        choices=("cpu", "cuda", "coreml", "directml", "auto"),
    )

    def begin(self) -> None:
        """Choose the device before any network is opened, and say which was taken."""
        if self.device is not None:
            from ..io.onnx import choose_device

            print(f"featureblend: device: {choose_device(self.device)}", file=sys.stderr)


@dataclass(kw_only=True)
class Mending(Model):
    """The model, and whether it restores photos."""

    title: ClassVar[str] = "model"

    mend: bool = flag(
        off="Leave noise, blur, compression and weak light of the photos as they are ('latent' undoes them first).",
        default=True,
    )

    def blender(self) -> Blender:
        """What blends with this model."""
        from ..blend.blender import Blender

        return Blender.from_pretrained(self.model, mend=self.mend)


@dataclass(kw_only=True)
class Warping(Mending):
    """The model, and what it is shown of a photo."""

    title: ClassVar[str] = "model"

    warp: bool = flag(off="Encode the faces in their own shapes; 'latent' warps them to one shape first.", default=True)


@dataclass(kw_only=True)
class Output(Command):
    """The picture to write, and its recipe."""

    title: ClassVar[str] = "files"

    out: Path = option("FILE", "Picture to write (.png, .jpg, .webp).", short="-o")
    recipe: Path | None = option(
        "FILE", "Also write the recipe to this file; `featureblend replay` makes the same file from it.", default=None
    )
    metadata: bool = flag(off="Leave the recipe, and the note that it is synthetic, out of the file.", default=True)

    def check(self, inputs: Sequence[Path], *more: Path | None, picture: bool = True) -> None:
        """Refuse to write over what is read, or a picture in no known format, before any work."""
        from ..io.files import require_parent
        from ..io.image import picture_path

        if picture:
            picture_path(self.out, getattr(self, "background", "") == "transparent")
        keep_photos(inputs, [path for path in (self.out, self.recipe, *more) if path is not None])
        for path in (self.recipe, *more):
            if path is not None:
                require_parent(path)

    def show(self, made: Any, **more: Any) -> None:
        """Write a picture, its recipe too if that was asked for, and print where it is, its measures and warnings."""
        from ..io.files import atomic_path
        from ..io.metadata import save_picture, write_recipe

        with ExitStack() as both:
            if self.recipe is not None:
                write_recipe(both.enter_context(atomic_path(self.recipe)), made.recipe)
            save_picture(self.out, made.image, made.recipe if self.metadata else None)
        print(self.out)
        print_warnings(self.room_warnings(made.recipe))
        print_measures({**made.measures, **more})
        print_warnings(made.warnings)

    def room_warnings(self, recipe: Mapping[str, Any]) -> list[str]:
        """A warning where the picture is to hold its recipe and can't, and nothing else does."""
        from ..io.metadata import has_room

        lost = self.metadata and self.recipe is None and not has_room(self.out, recipe)
        return [f"{self.out} has no room for the recipe: keep it with --recipe FILE"] if lost else []


# --- checks and printing


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


def print_measures(measures: Mapping[str, Any]) -> None:
    """Print a picture's measures, a line each."""
    for name, value in measures.items():
        print(f"  {name.replace('_', ' '):28}{value}")


def print_skipped(table: Path, skipped: Sequence[Skipped]) -> None:
    """Write the files that were left out, and why, to a table, and print them; of very many, the first ones."""
    from ..edit.average import write_skipped

    if skipped or table.exists():  # an old table would tell of another run
        write_skipped(table, skipped)
    if not skipped:
        return
    print(table)
    width = min(48, max(len(one.photo) for one in skipped))
    for one in skipped[:SHOWN]:
        print(f"  {one.photo:{width}}  {one.reason}")
    if len(skipped) > SHOWN:
        print(f"  and {len(skipped) - SHOWN} more")


def print_warnings(warnings: Iterable[str]) -> None:
    """Print what speaks against a picture, a line each, where it does not mix with what is read from stdout."""
    for warning in warnings:
        print(f"featureblend: warning: {warning}", file=sys.stderr)
