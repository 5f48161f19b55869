"""The commands for single blends and lists of them: `blend`, `replay`, `batch`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import FeatureblendError
from .groups import (
    BACKGROUNDS,
    CUTS,
    FaceChoices,
    Look,
    Output,
    Quiet,
    Source,
    Warping,
    Workers,
    keep_photos,
    methods,
    print_measures,
    print_skipped,
    print_warnings,
)
from .options import argument, flag, option


@dataclass(kw_only=True)
class Blend(FaceChoices, Source, Look, Warping, Output, Quiet):
    """Blend two or more photos into one.

    Example: featureblend blend ana.jpg ben.jpg -o blend.png --weights 2 1
    Example: featureblend blend ana.jpg ben.jpg -o portrait.jpg --background source
    Example: featureblend blend ana.jpg ben.jpg cem.jpg -o face.png --background transparent --size 1024
    """

    photos: Sequence[Path] = argument(
        "PHOTO PHOTO ...", "Two or more photos with a face, or codes (.npz), before the options.", default=()
    )
    weights: Sequence[str] | None = option(
        "NUMBER ...",
        "One a photo, the first photo's first, such as 2 1, or 30% 70%; scaled to sum 1. Equal if left out.",
        default=None,
    )
    alpha: float | None = option(
        "NUMBER", "Of two photos, in place of weights: the second one's weight, 0 to 1, or a percentage.", default=None
    )
    method: str = option(
        "NAME",
        "latent, or without learning: pixel, gaussian, laplacian, fourier, poisson, gaussian-poisson, morph (landmarks "
        "warped to the mean, then averaged).",
        default="latent",
        words=methods,
    )
    shape_weights: Sequence[str] | None = option(
        "NUMBER ...", "Weights of the shapes alone, one a photo (latent, morph).", default=None
    )
    texture_weights: Sequence[str] | None = option(
        "NUMBER ...", "Weights of all but the shapes, one a photo (latent, morph).", default=None
    )
    balance: bool = flag(
        "Of two photos: find the weights at which both count the same; with --identity, the hair and weights by which "
        "both people are recognised most surely."
    )
    identity: bool = flag("Also measure who is recognised in the blend (0.2 s a face).")
    background: str = option(
        None,
        "Around the face: the blend's own crop, a whole photo with hair and scene (source), nothing, black, or the "
        "mean of the photos.",
        default="blend",
        choices=BACKGROUNDS,
    )
    cut: str = option(
        None,
        "With --background transparent or black, what is left: the head with its hair, or the face alone.",
        default="head",
        choices=CUTS,
    )
    onto: int = option("NUMBER", "With --background source, into which photo the blend is put, from 1.", default=1)
    detail: Any = flag(
        "Take the photos' own fine detail, as 'latent' does by itself.",
        off="Show only what the networks draw, without the photos' own fine detail.",
        default=None,
    )
    json: Path | None = option(
        "FILE", "Also write the measures, the warnings and the recipe to this file.", default=None
    )
    quiet: bool = flag("Print only where the picture is.")

    def run(self) -> None:
        """Blend, write and print."""
        from ..io.files import atomic_path

        shares = _numbers(self.weights, "weights")
        measures: Any = "identity" if self.identity else "pictures"
        self.check(self.photos, self.json)
        if self.balance and (shares is not None or self.alpha is not None):
            raise FeatureblendError("--balance finds the weights: leave out --weights and --alpha")

        from ..io.metadata import write_recipe

        made = self.blender().blend(
            self.photos,
            shares,
            self.method,
            measures=measures,
            balance=measures if self.balance else None,
            shape_weights=_numbers(self.shape_weights, "shape-weights"),
            texture_weights=_numbers(self.texture_weights, "texture-weights"),
            **self.given("alpha", "which", "warp", "surroundings", "background", "cut", "onto", "size", "detail"),
        )
        with ExitStack() as together:  # the files appear together or not at all
            if self.json is not None:
                facts = {"measures": made.measures, "warnings": made.warnings, "recipe": made.recipe}
                together.enter_context(atomic_path(self.json)).write_text(_text(facts), encoding="utf-8")
            if self.recipe is not None:
                write_recipe(together.enter_context(atomic_path(self.recipe)), made.recipe)
            made.save(self.out, self.metadata)
        print(self.out)
        if self.quiet:
            return
        if self.balance:
            print(f"  {'weights':28}{' '.join(f'{share:.3f}' for share in made.recipe['weights'])}")
        print_measures(made.measures)
        print_warnings([*self._idle(), *made.warnings, *self.room_warnings(made.recipe)])

    def _idle(self) -> list[str]:
        """The options that were given and do nothing here, each in a sentence."""
        of_latent = {
            "--surroundings": self.surroundings != "auto",
            "--no-warp": not self.warp,
            "--no-mend": not self.mend,
        }
        given = [name for name, said in of_latent.items() if said and self.method != "latent"]
        idle = [f"{name} does nothing with the method {self.method!r}" for name in given]
        if self.cut != "head" and self.background not in ("transparent", "black"):
            idle.append("--cut does nothing without --background transparent or black")
        if self.onto != 1 and self.background != "source" and self.size != "source":
            idle.append("--onto does nothing without --background source, or --size source")
        return idle


@dataclass(kw_only=True)
class Replay(Quiet):
    """Make a file again from its recipe: on one machine, byte for byte.

    The inputs are found by what they hold, whatever they are called now.

    Example: featureblend replay blend.png --inputs-dir photos -o again.png
    """

    made: Path = argument(
        "RECIPE_OR_PICTURE",
        "A picture, video or folder of frames that featureblend made, or the recipe that --recipe wrote.",
    )
    out: Path | None = option(
        "FILE_OR_FOLDER",
        "What to write; by default beside it, with '-again' after its name (of a frame, beside its folder).",
        default=None,
        short="-o",
    )
    photos: Sequence[Path] = option("PHOTO ...", "The photos and codes that went in, in any order.", default=())
    inputs_dir: Sequence[Path] = option(
        "FOLDER ...", "Folders to look for them; by default the recipe's own and this one.", default=()
    )
    model: str | None = option("MODEL", "The folder of the recipe's model, if it is not a bundled one.", default=None)
    metadata: bool = flag(off="Leave the recipe, and the note that it is synthetic, out of the file.", default=True)
    quiet: bool = flag("Print only where the file is.")

    def run(self) -> None:
        """Make the file again, and compare."""
        from ..edit.replay import difference, is_same, likely_folders, replay, replayed_path
        from ..io.image import picture_path
        from ..io.metadata import read_recipe

        made = self.made / "recipe.json" if os.path.isfile(self.made / "recipe.json") else self.made  # of frames
        recipe = read_recipe(made)
        out = replayed_path(made, recipe) if self.out is None else self.out
        keep_photos([made, *self.photos], [out])
        options = recipe.get("options")
        if isinstance(options, dict) and options.get("background") == "transparent":
            picture_path(out, transparent=True)
        folders = self.inputs_dir or (() if self.photos else likely_folders(made, recipe))
        done = replay(made, out, self.photos, folders, self.model, self.metadata)
        print(done.path)
        if self.quiet:
            return
        print_warnings(done.notes)
        same = is_same(made, done.path, recipe)
        if same:
            print("  the same, byte for byte")
        elif same is not None:
            near = difference(made, done.path, recipe)
            how = "the values of its pixels cannot be compared"
            if near is not None:
                how = (
                    f"{near[1]:.2%} of its pixels' values differ, by at most {near[0]} of 255"
                    if near[0]
                    else "its pixels are the same"
                )
            print(f"  not the same bytes as {made}: {how}")


@dataclass(kw_only=True)
class Batch(Warping, Workers, Quiet):
    """Make a blend for each row of a list, and a table of their measures. Run again after a stop, it goes on.

    The list's first line names its columns: photo1, photo2, ... (or photos, separated by ';'), and where wanted weights
    ('2 1') or alpha (the second photo's weight), name, method, faces, warp, surroundings, background, cut, onto,
    size, detail, shape_weights, texture_weights; other columns go into results.csv as they are. Photos are named from
    the list's folder. Numbers have a decimal point or comma, or are percentages, and spaces between them.

    Example: featureblend batch pairs.csv --out morphs --jobs 2
    Example: featureblend batch --all-pairs portraits --out morphs --identity
    """

    pairs: Path | None = argument("PAIRS_CSV", "A CSV file with a row for each blend.", default=None)
    out: Path = option(
        "FOLDER",
        "The folder for the pictures and for results.csv; rows that are finished there are kept.",
        default=Path("blends"),
        short="-o",
    )
    all_pairs: Path | None = option(
        "FOLDER",
        "In place of a list: every pair of the photos and codes in this folder, half and half; blends in the --out "
        "folder are left out. Its other files are listed in skipped.csv in the --out folder.",
        default=None,
    )
    method: str = option("NAME", "For rows that name none.", default="latent", words=methods)
    background: str = option(None, "For rows that name none.", default="blend", choices=BACKGROUNDS)
    size: int | str = option(
        "PIXELS", "For rows that name none.", default="photos", words=lambda: ("photos", "source", "model")
    )
    suffix: str = option(
        "SUFFIX", "Format of the pictures (.png, .jpg, .webp).", default=".png", words=lambda: (".png", ".jpg", ".webp")
    )
    identity: bool = flag("Also measure who is recognised in each blend (0.2 s a face).")
    metadata: bool = flag(off="Leave the recipe, and the note that it is synthetic, out of the pictures.", default=True)

    def run(self) -> None:
        """Make the rows that are due, and print what failed."""
        from ..edit.batch import BatchSettings, every_pair, read_rows, run_batch
        from ..io.inputs import Skipped

        defaults = {"method": self.method, "background": self.background, "size": self.size, "warp": self.warp}
        skipped: list[Skipped] = []
        if self.all_pairs is not None and self.pairs is None:
            rows = every_pair(self.all_pairs, defaults, self.out, skipped)
        elif self.pairs is not None and self.all_pairs is None:
            rows = read_rows(self.pairs, defaults)
        else:
            raise FeatureblendError("name either a CSV file with a row for each blend, or --all-pairs FOLDER")
        settings = BatchSettings(
            suffix=self.suffix, measures="identity" if self.identity else "pictures", metadata=self.metadata
        )
        report = run_batch(rows, self.out, self.blender(), settings, self.jobs, self.quiet, self.engine, self.address)
        print(report.table)
        print(f"{report.made} made, {report.kept} kept, {report.failed} failed, of {len(rows)} rows")
        print_skipped(self.out / "skipped.csv", skipped)
        if report.failed:
            for name, reason in report.failures:
                print(f"featureblend: {name}: {reason}", file=sys.stderr)
            raise SystemExit(1)


def _numbers(words: Sequence[str] | None, option: str) -> list[float] | None:
    """Read weights, which may stand in one word or have blanks before their percent signs."""
    from ..io.tables import parse_numbers

    if words is None:
        return None
    try:
        return parse_numbers(" ".join(words), option) if words else []
    except ValueError as error:
        raise FeatureblendError(f"--{error} (photos come before the options)") from error


def _text(value: Any) -> str:
    import json

    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
