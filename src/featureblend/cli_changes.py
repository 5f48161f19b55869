"""The commands that change one face: `transform`, `symmetrize` and `mix`, in the style of `featureblend.cli`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from .arguments import File, Flag, Model, Number, Out, face_choices, plain
from .cli_pictures import Face, Size, check_written, print_measures, print_warnings, side, write
from .errors import FeatureblendError
from .tables import parse_number

__all__ = ["mix", "symmetrize", "transform"]

From = Annotated[tuple[Path, ...], arg(name="from", metavar="PHOTO_OR_FOLDER ...")]
To = Annotated[tuple[Path, ...], arg(name="to", metavar="PHOTO_OR_FOLDER ...")]
Donor = Annotated[tuple[str, ...], plain("PHOTO [SHARE]")]


def transform(
    photo: Positional[Annotated[Path, plain("PHOTO")]],
    out: Out,
    start: From,
    end: To,
    amount: Number = 0.5,
    faces: Face = "largest",
    keep_surroundings: bool = True,
    size: Size = None,
    detail: bool = True,
    model: Model = None,
    warp: bool = True,
    mend: bool = True,
    recipe: File = None,
    metadata: bool = True,
    quiet: Flag = False,
) -> None:
    """Change a face by what tells two others, or two groups, apart: A + amount (C - B).

    Example: featureblend transform ana.jpg --from young --to old --amount 0.5 -o older.png

    Args:
        photo: The photo or code to change: A.
        out: Picture to write (.png, .jpg, .webp).
        start: B: a photo, a folder of photos, or several; their mean counts.
        end: C, as --from.
        amount: 1 adds the whole difference; more than 1, and less than 0, are allowed.
        faces: Which face of each photo: 'largest', 'central', or a number from the left, from 1.
        keep_surroundings: Leave hair and background as they are.
        size: Side of the picture in pixels, or 'source' for the photo's own; the model's if left out.
        detail: Keep the photos' own fine detail, not only what the networks draw.
        model: A model folder or the name of a bundled model; the bundled one if left out.
        warp: Change the shape too, not only what the face looks like.
        mend: With 'latent': undo noise, blur, compression and weak light of photos before they are encoded.
        recipe: Also write the recipe to this file.
        metadata: Put the recipe, and a note that the picture is synthetic, into the file.
        quiet: Show no progress bar.
    """
    from .blender import Blender
    from .image import picture_path
    from .verbs import transform as run

    picture_path(out)
    ends = [_expanded(start), _expanded(end)]
    check_written([photo, *ends[0], *ends[1]], out, recipe)
    made = run(
        photo,
        start[0] if len(start) == 1 else ends[0],  # of a folder the verb tells what it leaves out
        end[0] if len(end) == 1 else ends[1],
        amount,
        which=face_choices([faces])[0],
        warp=warp,
        keep_surroundings=keep_surroundings,
        size=side(size),
        detail=detail,
        blender=Blender.from_pretrained(model, mend=mend),
        quiet=quiet,
    )
    write(out, made.image, made.recipe, recipe, metadata)
    options = made.recipe["options"]
    left_out = len(ends[0]) + len(ends[1]) - options["from"] - options["to"]
    print_measures({**made.measures, "photos": f"{options['from']} from, {options['to']} to, {left_out} skipped"})
    print_warnings(made.warnings)


def symmetrize(
    photo: Positional[Annotated[Path, plain("PHOTO")]],
    out: Out,
    amount: Number = 1.0,
    faces: Face = "largest",
    keep_surroundings: bool = True,
    size: Size = None,
    detail: bool = True,
    model: Model = None,
    warp: bool = True,
    mend: bool = True,
    recipe: File = None,
    metadata: bool = True,
) -> None:
    """Make a face symmetric: blend it with its own mirror image.

    Example: featureblend symmetrize ana.jpg -o symmetric.png

    Args:
        photo: A photo or code.
        out: Picture to write (.png, .jpg, .webp).
        amount: 1 is symmetric, 0.5 half the way, below 0 exaggerates what differs.
        faces: Which face of the photo: 'largest', 'central', or a number from the left, from 1.
        keep_surroundings: Leave hair and background as they are.
        size: Side of the picture in pixels, or 'source' for the photo's own; the model's if left out.
        detail: Keep the photos' own fine detail, not only what the networks draw.
        model: A model folder or the name of a bundled model; the bundled one if left out.
        warp: Make the shape symmetric too.
        mend: With 'latent': undo noise, blur, compression and weak light of photos before they are encoded.
        recipe: Also write the recipe to this file.
        metadata: Put the recipe, and a note that the picture is synthetic, into the file.
    """
    from .blender import Blender
    from .image import picture_path
    from .verbs import symmetrize as run

    picture_path(out)
    check_written([photo], out, recipe)
    made = run(
        photo,
        amount,
        which=face_choices([faces])[0],
        warp=warp,
        keep_surroundings=keep_surroundings,
        size=side(size),
        detail=detail,
        blender=Blender.from_pretrained(model, mend=mend),
    )
    write(out, made.image, made.recipe, recipe, metadata)
    print_measures(made.measures)
    print_warnings(made.warnings)


def mix(
    photos: Positional[Annotated[tuple[Path, ...], plain("PHOTO ...")]],
    out: Out,
    eyes_from: Donor = (),
    nose_from: Donor = (),
    mouth_from: Donor = (),
    hair_from: Donor = (),
    faces: Face = "largest",
    size: Size = None,
    detail: bool = True,
    model: Model = None,
    warp: bool = True,
    mend: bool = True,
    recipe: File = None,
    metadata: bool = True,
) -> None:
    """Give the first photo's face the eyes, nose, mouth or hair of others, in latent space.

    Example: featureblend mix ana.jpg ben.jpg cem.jpg --eyes-from B --mouth-from C 0.5 -o mixed.png

    Args:
        photos: The photo that all else is of, and others that the options may name by their letter, before the options.
        out: Picture to write (.png, .jpg, .webp).
        eyes_from: Whose eyes and brows: a photo, or its letter among the photos (A is the first); then, if not all of
            it, how much: 0 to 1.
        nose_from: Whose nose.
        mouth_from: Whose mouth.
        hair_from: Whose hair, and all else around the face: ears and background too.
        faces: Which face of each photo: 'largest', 'central', or a number from the left, from 1.
        size: Side of the picture in pixels, or 'source' for the photo's own; the model's if left out.
        detail: Keep the photos' own fine detail, not only what the networks draw.
        model: A model folder or the name of a bundled model; the bundled one if left out.
        warp: Take the regions' shapes along.
        mend: With 'latent': undo noise, blur, compression and weak light of photos before they are encoded.
        recipe: Also write the recipe to this file.
        metadata: Put the recipe, and a note that the picture is synthetic, into the file.
    """
    from .blender import Blender
    from .image import picture_path
    from .verbs import mix as run

    picture_path(out)
    if not photos:
        raise FeatureblendError("missing: the photo that all else is of; it comes before the options")
    said = {"eyes": eyes_from, "nose": nose_from, "mouth": mouth_from, "hair": hair_from}
    regions = {region: _donor(region, words, photos) for region, words in said.items() if words}
    check_written([*photos, *(path for path, _ in regions.values())], out, recipe)
    idle = [path for path in photos[1:] if path not in [donor for donor, _ in regions.values()]]
    if regions and idle:
        raise FeatureblendError(f"nothing is taken from {idle[0]}: name it, such as --eyes-from {idle[0]}")
    blender = Blender.from_pretrained(model, mend=mend)
    made = run(
        photos[0], blender=blender, which=face_choices([faces])[0], warp=warp, size=side(size), detail=detail, **regions
    )
    write(out, made.image, made.recipe, recipe, metadata)
    print_measures(made.measures)
    print_warnings(made.warnings)


def _expanded(sources: Sequence[Path]) -> list[Path]:
    """List the photos of the folders among some paths, in order."""
    from .inputs import input_files

    return [path for source in sources for path in (input_files(source) if source.is_dir() else [source])]


def _donor(region: str, words: Sequence[str], photos: Sequence[Path]) -> tuple[Path, float]:
    """Read ``--eyes-from PHOTO [SHARE]``; a photo among `photos` may go by its letter."""
    name, share = words[0], 1.0
    if len(words) > 2:
        raise FeatureblendError(f"--{region}-from {' '.join(words)}: a photo and a share are due")
    if len(words) == 2:
        try:
            share = parse_number(words[1])
        except ValueError as error:
            raise FeatureblendError(f"--{region}-from {' '.join(words)}: {words[1]!r} is no number") from error
    letters = {chr(ord("A") + place): path for place, path in enumerate(photos[:26])}
    if not Path(name).exists() and len(name) == 1 and name.isalpha():
        if name.upper() not in letters:
            raise FeatureblendError(f"--{region}-from {name}: there are {len(photos)} photos, A to {max(letters)}")
        return letters[name.upper()], share
    return Path(name), share
