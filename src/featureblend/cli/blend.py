"""The commands for single blends and lists of them: `blend`, `replay`, `batch`; `featureblend.cli.commands` registers
them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any, Literal

from tyro.conf import Positional, arg

from ..errors import FeatureblendError
from ..io.tables import parse_number, parse_numbers
from .options import File, Flag, Folder, Model, Out, OutFolder, face_choices, keep_photos, plain
from .pictures import (
    check_written,
    idle_options,
    print_measures,
    print_skipped,
    print_warnings,
    room_warnings,
    side,
    whose,
)

__all__ = ["batch", "blend", "replay"]

Numbers = Annotated[tuple[str, ...] | None, plain("NUMBER ...")]
Background = Literal["blend", "source", "transparent", "black", "average"]


def blend(
    photos: Positional[Annotated[tuple[Path, ...], plain("PHOTO PHOTO ...")]],
    out: Out,
    weights: Numbers = None,
    alpha: Annotated[str | None, plain("NUMBER")] = None,
    method: Annotated[str, arg(metavar="NAME")] = "latent",
    faces: Annotated[tuple[str, ...], arg(metavar="FACE ...")] = ("largest",),
    background: Background = "blend",
    onto: Annotated[int, arg(metavar="NUMBER")] = 1,
    size: Annotated[str | None, plain("PIXELS")] = None,
    detail: Flag = False,
    no_detail: Flag = False,
    surroundings: Annotated[str, arg(metavar="WHOSE")] = "auto",
    shape_weights: Numbers = None,
    texture_weights: Numbers = None,
    balance: Flag = False,
    identity: Flag = False,
    model: Model = None,
    warp: bool = True,
    mend: bool = True,
    json: File = None,
    recipe: File = None,
    metadata: bool = True,
    quiet: Flag = False,
) -> None:
    """Blend two or more photos into one.

    Example: featureblend blend ana.jpg ben.jpg -o blend.png --weights 2 1
    Example: featureblend blend ana.jpg ben.jpg -o portrait.jpg --background source
    Example: featureblend blend ana.jpg ben.jpg cem.jpg -o face.png --background transparent --size 1024

    Args:
        photos: Two or more photos with a face, or codes (.npz), before the options.
        out: Picture to write (.png, .jpg, .webp).
        weights: One a photo, the first photo's first, such as 2 1, or 30% 70%; scaled to sum 1. Equal if left out.
        alpha: Of two photos, in place of weights: the second one's weight, 0 to 1, or a percentage.
        method: latent, or without learning: pixel, gaussian, laplacian, fourier, poisson, gaussian-poisson, morph
            (landmarks warped to the mean, then averaged).
        faces: Which face, once or one a photo: 'largest', 'central', or a number from the left, from 1.
        background: Around the face: the blend's own crop, a whole photo with hair and scene (source), nothing, black,
            or the mean of the photos.
        onto: With --background source, into which photo the blend is put, from 1.
        size: Longest side in pixels, or 'source' for the photo's own; the model's if left out.
        detail: Take the photos' own fine detail, as 'latent' does by itself.
        no_detail: Show what the network draws, without the photos' detail.
        surroundings: With 'latent', whose hair and background: auto (the sharpest, plainest one's, unless small or
            cut off), mean (everyone's), or a photo's number.
        shape_weights: Weights of the shapes alone, one a photo (latent, morph).
        texture_weights: Weights of all but the shapes, one a photo (latent, morph).
        balance: Of two photos: find the weights at which both count the same (with --identity, to who is recognised).
        identity: Also measure who is recognised in the blend (0.2 s a face).
        model: A model folder or the name of a bundled model; the bundled one if left out.
        warp: With 'latent': warp each face to the mean shape before it is encoded.
        mend: With 'latent': undo noise, blur, compression and weak light of photos before they are encoded.
        json: Also write the measures, the warnings and the recipe to this file.
        recipe: Also write the recipe to this file; `featureblend replay` makes the same picture from it.
        metadata: Put the recipe, and a note that the picture is synthetic, into the picture.
        quiet: Print only where the picture is.
    """
    from ..io.files import atomic_path, require_parent
    from ..io.image import picture_path

    shares = _numbers(weights, "weights")
    options: dict[str, Any] = {
        "warp": warp,
        "surroundings": whose(surroundings),
        "shape_weights": _numbers(shape_weights, "shape-weights"),
        "texture_weights": _numbers(texture_weights, "texture-weights"),
        "background": background,
        "onto": onto,
        "size": side(size),
        "detail": _either(detail, no_detail),
    }
    picture_path(out, background == "transparent")
    check_written(photos, out, recipe, *([json] if json is not None else []))
    if json is not None:
        require_parent(json)
    if balance and (shares is not None or alpha is not None):
        raise FeatureblendError("--balance finds the weights: leave out --weights and --alpha")
    which = face_choices(faces)

    from ..blend.blender import Blender
    from ..io.metadata import write_recipe

    made = Blender.from_pretrained(model, mend=mend).blend(
        photos,
        shares,
        method,
        alpha=None if alpha is None else _number(alpha, "alpha"),
        which=which[0] if len(which) == 1 else which,
        measures="identity" if identity else "pictures",
        balance=("identity" if identity else "pictures") if balance else None,
        **options,
    )
    with ExitStack() as together:  # the files appear together or not at all
        if json is not None:
            facts = {"measures": made.measures, "warnings": made.warnings, "recipe": made.recipe}
            together.enter_context(atomic_path(json)).write_text(_text(facts), encoding="utf-8")
        if recipe is not None:
            write_recipe(together.enter_context(atomic_path(recipe)), made.recipe)
        made.save(out, metadata)
    print(out)
    if quiet:
        return
    if balance:
        print(f"  {'weights':28}{' '.join(f'{share:.3f}' for share in made.recipe['weights'])}")
    print_measures(made.measures)
    idle = idle_options(method, warp, surroundings, mend, background, onto, size)
    print_warnings([*idle, *made.warnings, *room_warnings(out, made.recipe, recipe, metadata)])


def replay(
    made: Positional[Annotated[Path, plain("RECIPE_OR_PICTURE")]],
    out: Annotated[Path | None, arg(aliases=["-o"], metavar="FILE_OR_FOLDER", help_behavior_hint="")] = None,
    photos: Annotated[tuple[Path, ...], plain("PHOTO ...")] = (),
    inputs_dir: Annotated[tuple[Path, ...], plain("FOLDER ...")] = (),
    model: Model = None,
    metadata: bool = True,
    quiet: Flag = False,
) -> None:
    """Make a file again from its recipe: on one machine, byte for byte.

    The inputs are found by what they hold, whatever they are called now.

    Example: featureblend replay blend.png --inputs-dir photos -o again.png

    Args:
        made: A picture, video or folder of frames that featureblend made, or the recipe that --recipe wrote.
        out: What to write; by default beside it, with '-again' after its name (of a frame, beside its folder).
        photos: The photos and codes that went in, in any order.
        inputs_dir: Folders to look for them; by default the recipe's own and this one.
        model: The folder of the recipe's model, if it is not a bundled one.
        metadata: Put the recipe, and a note that the file is synthetic, into it.
        quiet: Print only where the file is.
    """
    from ..edit.replay import is_same, likely_folders, replayed_path
    from ..edit.replay import replay as run
    from ..io.image import picture_path
    from ..io.metadata import read_recipe

    if os.path.isfile(made / "recipe.json"):  # a folder of frames
        made = made / "recipe.json"
    recipe = read_recipe(made)
    if out is None:
        out = replayed_path(made, recipe)
    keep_photos([made, *photos], [out])
    options = recipe.get("options")
    if isinstance(options, dict) and options.get("background") == "transparent":
        picture_path(out, transparent=True)
    done = run(made, out, photos, inputs_dir or (() if photos else likely_folders(made, recipe)), model, metadata)
    print(done.path)
    if quiet:
        return
    for note in done.notes:
        print(f"featureblend: warning: {note}", file=sys.stderr)
    same = is_same(made, done.path, recipe)
    if same is not None:
        print("  the same, byte for byte" if same else f"  not the same bytes as {made}")


def batch(
    pairs: Positional[Annotated[Path | None, plain("PAIRS_CSV")]] = None,
    out: OutFolder = Path("blends"),
    all_pairs: Folder = None,
    jobs: Annotated[int | None, plain("COUNT")] = None,
    method: Annotated[str, arg(metavar="NAME")] = "latent",
    background: Background = "blend",
    size: Annotated[str | None, plain("PIXELS")] = None,
    suffix: Annotated[str, arg(metavar="SUFFIX")] = ".png",
    identity: Flag = False,
    model: Model = None,
    warp: bool = True,
    mend: bool = True,
    metadata: bool = True,
    quiet: Flag = False,
) -> None:
    """Make a blend for each row of a list, and a table of their measures. Stopped, it goes on where it was.

    The list's first line names its columns: photo1, photo2, ... (or photos, parted by ';'), and where wanted weights
    ('2 1') or alpha (the second photo's weight), name, method, faces, warp, surroundings, background, onto, size,
    detail, shape_weights, texture_weights; other columns go into results.csv as they are. Photos are named from the
    list's folder. Numbers have a decimal point or comma, or are percentages, and spaces between them.

    Example: featureblend batch pairs.csv --out morphs --jobs 2
    Example: featureblend batch --all-pairs portraits --out morphs --identity

    Args:
        pairs: A CSV file with a row for each blend.
        out: The folder for the pictures and for results.csv; rows that are finished there are kept.
        all_pairs: In place of a list: every pair of the photos and codes in this folder, half and half; blends in
            the --out folder are left out. Its other files are listed in skipped.csv in the --out folder.
        jobs: Rows at a time; one a core if left out.
        method: For rows that name none.
        background: For rows that name none.
        size: For rows that name none.
        suffix: Format of the pictures (.png, .jpg, .webp).
        identity: Also measure who is recognised in each blend (0.2 s a face).
        model: A model folder or the name of a bundled model; the bundled one if left out.
        warp: With 'latent': warp each face to the mean shape before it is encoded, in rows that do not say.
        mend: With 'latent': undo noise, blur, compression and weak light of photos before they are encoded.
        metadata: Put the recipe, and a note that the picture is synthetic, into each picture.
        quiet: Show no progress bar.
    """
    from ..blend.blender import Blender
    from ..edit.batch import BatchSettings, every_pair, read_rows, run_batch
    from ..io.inputs import Skipped

    if (pairs is None) == (all_pairs is None):
        raise FeatureblendError("name either a CSV file with a row for each blend, or --all-pairs FOLDER")
    defaults = {"method": method, "background": background, "size": side(size), "warp": warp}
    skipped: list[Skipped] = []
    if all_pairs is not None:
        rows = every_pair(all_pairs, defaults, out, skipped)
    else:
        rows = read_rows(pairs or Path(), defaults)
    settings = BatchSettings(suffix=suffix, measures="identity" if identity else "pictures", metadata=metadata)
    report = run_batch(rows, out, Blender.from_pretrained(model, mend=mend), settings, jobs, quiet)
    print(report.table)
    print(f"{report.made} made, {report.kept} kept, {report.failed} failed, of {len(rows)} rows")
    print_skipped(out / "skipped.csv", skipped)
    if report.failed:
        for name, reason in report.failures:
            print(f"featureblend: {name}: {reason}", file=sys.stderr)
        raise SystemExit(1)


def _numbers(words: Sequence[str] | None, option: str) -> list[float] | None:
    """Read weights; text, so that the error can tell of photos that came after them."""
    if words is None:
        return None
    try:
        return parse_numbers(" ".join(words), option) if words else []
    except ValueError as error:
        raise FeatureblendError(f"{error} (photos come before the options)") from error


def _number(word: str, option: str) -> float:
    try:
        return parse_number(word)
    except ValueError as error:
        raise FeatureblendError(f"{option} {word!r}: one number is due, such as 0.5") from error


def _either(yes: bool, no: bool) -> bool | None:
    if yes and no:
        raise FeatureblendError("--detail and --no-detail exclude each other")
    return True if yes else False if no else None


def _text(value: Any) -> str:
    import json

    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
