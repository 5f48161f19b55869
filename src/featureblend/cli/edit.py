"""The commands `continuum`, `average`, `encode`, `transform`, `symmetrize` and `mix`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from ..errors import FeatureblendError
from ..io.tables import parse_number
from .options import File, Flag, Model, Number, Out, face_choices, keep_photos, plain
from .pictures import (
    Face,
    Size,
    Whose,
    check_written,
    print_measures,
    print_skipped,
    print_warnings,
    side,
    whose,
    write,
)

__all__ = ["average", "continuum", "encode", "mix", "symmetrize", "transform"]

OutPath = Annotated[Path, arg(aliases=["-o"], metavar="FILE_OR_FOLDER")]
Start = Annotated[Number, arg(name="from", metavar="NUMBER")]
End = Annotated[Number, arg(name="to", metavar="NUMBER")]


def continuum(
    photos: Positional[Annotated[tuple[Path, ...], plain("PHOTO PHOTO ...")]],
    out: OutPath,
    steps: Annotated[int, arg(metavar="COUNT")] = 11,
    start: Start = 0.0,
    end: End = 1.0,
    fps: Number = 10.0,
    bounce: Flag = False,
    ease: Literal["linear", "in", "out", "in-out"] = "linear",
    method: Annotated[str, arg(metavar="NAME")] = "latent",
    faces: Annotated[tuple[str, ...], arg(metavar="FACE ...")] = ("largest",),
    surroundings: Whose = "auto",
    size: Size = None,
    detail: bool = True,
    columns: Annotated[int | None, plain("COUNT")] = None,
    model: Model = None,
    warp: bool = True,
    mend: bool = True,
    recipe: File = None,
    metadata: bool = True,
    quiet: Flag = False,
) -> None:
    """Go from a photo to the next in even steps: a video, an animation, a contact sheet, or numbered pictures.

    Example: featureblend continuum ana.jpg ben.jpg -o walk.mp4
    Example: featureblend continuum ana.jpg ben.jpg -o caricatures.png --from -0.5 --to 1.5 --steps 9

    Args:
        photos: Two or more photos or codes, passed through in turn, before the options.
        out: .mp4, .gif, .webp, .png (contact sheet), or a name without an ending: a folder of numbered pictures.
        steps: Pictures from each photo to the next, both included; 11 are 0 %, 10 %, ... 100 %.
        start: Where to start, from the first photo (0) to the second (1); below 0 is beyond the first.
        end: Where to end, on the way to the last photo (1); above 1 is beyond it.
        fps: Pictures a second of a video or animation.
        bounce: Go there and back again.
        ease: Go evenly, or more slowly at the start (in), the end (out) or both of each way.
        method: As `blend`; beyond the photos latent, morph or pixel.
        faces: Which face, once or one a photo: 'largest', 'central', or a number from the left, from 1.
        surroundings: Whose hair and background: auto (the sharpest, plainest one's, unless small or cut off),
            mean (everyone's), or a photo's number.
        size: Side of each picture in pixels, or 'source' for the first photo's own; the model's if left out.
        detail: With 'latent': the photos' own fine detail, not only what the networks draw.
        columns: Pictures a row of a contact sheet.
        model: A model folder or the name of a bundled model; the bundled one if left out.
        warp: With 'latent': warp each face to the shape in between before it is encoded.
        mend: With 'latent': undo noise, blur, compression and weak light of photos before they are encoded.
        recipe: Also write the recipe to this file.
        metadata: Put the recipe, and a note that the pictures are synthetic, into the file.
        quiet: Show no progress bar.
    """
    from ..blend.blender import Blender
    from ..edit.continuum import continuum as run
    from ..io.metadata import write_recipe
    from ..io.video import check_out

    check_out(out, fps)
    within = [photo for photo in photos if out.is_dir() and photo.resolve().parent == out.resolve()]
    if within:
        raise FeatureblendError(f"cannot write frames into {out}: the photo {within[0]} is there; name another folder")
    check_written(photos, out, recipe)
    which = face_choices(faces)
    made = run(
        photos,
        steps=steps,
        start=start,
        end=end,
        bounce=bounce,
        ease=ease,
        method=method,
        which=which[0] if len(which) == 1 else which,
        warp=warp,
        surroundings=whose(surroundings),
        size=side(size),
        detail=detail if method == "latent" else None,
        blender=Blender.from_pretrained(model, mend=mend),
        quiet=quiet,
    )
    made.save(out, fps, columns=columns, metadata=metadata)
    if recipe is not None:
        write_recipe(recipe, made.recipe_for(fps, columns))
    print(out)
    print_warnings(made.warnings)


def average(
    folder: Positional[Annotated[tuple[Path, ...], plain("FOLDER")]],
    out: Out,
    weights_csv: File = None,
    method: Literal["latent", "morph", "pixel"] = "latent",
    faces: Face = "largest",
    surroundings: Whose = "mean",
    model: Model = None,
    warp: bool = True,
    mend: bool = True,
    recipe: File = None,
    metadata: bool = True,
    quiet: Flag = False,
) -> None:
    """Average the faces of a folder, hundreds or thousands, in constant memory.

    Photos that can't be used are skipped and listed, here and in a .skipped.csv file beside the picture. So are
    pictures in the folder that featureblend made, unless it holds nothing else.

    Example: featureblend average class-photos -o average.png

    Args:
        folder: A folder of photos and codes, taken in sorted order, folders in it too; or several photos.
        out: Picture to write (.png, .jpg, .webp).
        weights_csv: A file with a photo and its weight in each row; photos that are not in it are left out.
        method: Average latents (latent), pixels of faces warped to their mean shape (morph), or plain pixels.
        faces: Which face of each photo: 'largest', 'central', or a number from the left, from 1.
        surroundings: With 'latent', whose hair and background: mean (everyone's), auto (the
            sharpest and plainest one's, unless small or cut off), or a photo's number.
        model: A model folder or the name of a bundled model; the bundled one if left out.
        warp: With 'latent': warp each face to the mean shape before it is encoded.
        mend: With 'latent': undo noise, blur, compression and weak light of photos before they are encoded.
        recipe: Also write the recipe to this file.
        metadata: Put the recipe, and a note that the picture is synthetic, into the file.
        quiet: Show no progress bar.
    """
    from ..blend.blender import Blender
    from ..edit.average import average as run
    from ..edit.face_store import inputs_of
    from ..io.files import require_parent
    from ..io.image import picture_path

    picture_path(out)
    source = folder[0] if len(folder) == 1 and folder[0].is_dir() else list(folder)
    missing = [path for path in folder if not path.exists()]
    if missing:
        raise FeatureblendError(f"no such file or folder: {missing[0]}")
    if isinstance(source, list) and len(source) == 1:
        raise FeatureblendError(f"{source[0]} is one photo; an average needs a folder, or several photos")
    mixed = [path for path in source if path.is_dir()] if isinstance(source, list) else []
    if mixed:
        raise FeatureblendError(f"{mixed[0]} is a folder beside other inputs; name one folder, or photos only")
    files, _, _ = inputs_of(source, every=True)
    table = require_parent(out.with_suffix(".skipped.csv"))
    check_written([Path(str(path)) for path in files] + ([weights_csv] if weights_csv else []), out, recipe, table)
    made = run(
        source,
        weights=weights_csv,
        method=method,
        which=face_choices([faces])[0],
        warp=warp,
        surroundings=whose(surroundings),
        blender=Blender.from_pretrained(model, mend=mend),
        quiet=quiet,
    )
    write(out, made.image, made.recipe, recipe, metadata)
    print_measures(made.measures)
    print_warnings(made.warnings)
    print_skipped(table, made.skipped)


def encode(
    photos: Positional[Annotated[tuple[Path, ...], plain("PHOTO ...")]],
    out: OutPath,
    faces: Annotated[tuple[str, ...], arg(metavar="FACE ...")] = ("largest",),
    model: Model = None,
    mend: bool = True,
    quiet: Flag = False,
) -> None:
    """Write a photo's code: its face as the model's numbers, which every command takes in the photo's place.

    Example: featureblend encode ana.jpg -o ana.npz

    Args:
        photos: One or more photos with a face, before the options.
        out: The code's file (.npz); of several photos a folder, in which each code has its photo's name.
        faces: Which face, once or one a photo: 'largest', 'central', or a number from the left, from 1.
        model: A model folder or the name of a bundled model; the bundled one if left out.
        mend: Undo noise, blur, compression and weak light of photos before they are encoded.
        quiet: Show no progress bar.
    """
    from ..blend.blender import Blender, Code
    from ..blend.quality import photo_warnings
    from ..edit.rendering import progress
    from ..io.codes import CODE_SUFFIX
    from ..io.files import require_parent
    from ..io.inputs import read_input
    from ..io.photo_warnings import told

    if not photos:
        raise FeatureblendError("missing: a photo; it comes before the options")
    single = len(photos) == 1 and out.suffix.lower() == CODE_SUFFIX
    targets = [out] if single else [out / f"{photo.stem}{CODE_SUFFIX}" for photo in photos]
    if not single and out.suffix.lower() == CODE_SUFFIX:
        raise FeatureblendError(f"cannot write {len(photos)} codes to {out}: name a folder")
    folders = [photo for photo in photos if photo.is_dir()]
    if folders:
        raise FeatureblendError(f"{folders[0]} is a folder; photos are due, such as {folders[0] / '*.jpg'}")
    if len(photos) == 1 and not single and not out.is_dir():
        raise FeatureblendError(f"cannot write {out}: a code's file ends in {CODE_SUFFIX}")
    twice = [target.name for place, target in enumerate(targets) if target in targets[:place]]
    if twice:
        raise FeatureblendError(f"two of the photos would have the code {out / twice[0]}: encode them one by one")
    if not single and out.exists() and not out.is_dir():
        raise FeatureblendError(f"cannot write {out}: it is a file; name a folder")
    require_parent(targets[0] if single or out.is_dir() else out)
    keep_photos(photos, targets)
    which = face_choices(faces)
    if len(which) not in (1, len(photos)):
        raise FeatureblendError(f"{len(which)} faces are chosen for {len(photos)} photos; give one, or one a photo")
    blender = Blender.from_pretrained(model, mend=mend)
    chosen = which * len(photos) if len(which) == 1 else which
    pairs = list(zip(photos, chosen, strict=True))
    codes: list[Code] = []
    warnings: list[str] = []
    for photo, face in progress(pairs, "encode", "photo", quiet):
        item = read_input(photo)
        if isinstance(item, Code):
            codes.append(blender.encode(item))
            continue
        found = blender.cleaned([blender.find(photo, face)])
        codes.append(blender.code_of(found[0], photo.name))
        warnings += told([photo_warnings(found[0])], [photo.name])
    if not single:
        try:
            out.mkdir(exist_ok=True)
        except OSError as error:
            raise FeatureblendError(f"cannot write {out}: {error.strerror or error}") from error
    for code, target in zip(codes, targets, strict=True):
        print(code.save(target))
    print_warnings(warnings)


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
    from ..blend.blender import Blender
    from ..edit.transform import transform as run
    from ..io.image import picture_path

    picture_path(out)
    ends = [_expanded(start), _expanded(end)]
    check_written([photo, *ends[0], *ends[1]], out, recipe)
    made = run(
        photo,
        start[0] if len(start) == 1 else ends[0],  # of a folder the edit tells what it leaves out
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
    from ..blend.blender import Blender
    from ..edit.transform import symmetrize as run
    from ..io.image import picture_path

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
    from ..blend.blender import Blender
    from ..edit.mix import mix as run
    from ..io.image import picture_path

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
    from ..io.inputs import input_files

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
