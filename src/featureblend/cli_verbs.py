"""The commands for many pictures: `continuum`, `average`, `encode`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from .arguments import File, Flag, Model, Number, Out, face_choices, keep_photos, plain
from .cli_pictures import (
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
from .errors import FeatureblendError

__all__ = ["average", "continuum", "encode"]

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
        surroundings: Whose hair and background: auto (the plainest one's, unless blurred, small or cut off),
            mean (everyone's), or a photo's number.
        size: Side of each picture in pixels, or 'source' for the first photo's own; the model's if left out.
        detail: With 'latent': the photos' own fine detail, not only what the networks draw.
        columns: Pictures a row of a contact sheet.
        model: A model folder or the name of a bundled model; the bundled one if left out.
        warp: With 'latent': bend each face to the shape in between before it is encoded.
        mend: With 'latent': undo noise, blur, compression and weak light of photos before they are encoded.
        recipe: Also write the recipe to this file.
        metadata: Put the recipe, and a note that the pictures are synthetic, into the file.
        quiet: Show no progress bar.
    """
    from .blender import Blender
    from .metadata import write_recipe
    from .verbs import continuum as run
    from .verbs.video import check_out

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
        method: Average latents (latent), pixels of faces bent to their mean shape (morph), or plain pixels.
        faces: Which face of each photo: 'largest', 'central', or a number from the left, from 1.
        surroundings: With 'latent', whose hair and background: mean (everyone's), auto (the
            plainest one's, unless blurred, small or cut off), or a photo's number.
        model: A model folder or the name of a bundled model; the bundled one if left out.
        warp: With 'latent': bend each face to the mean shape before it is encoded.
        mend: With 'latent': undo noise, blur, compression and weak light of photos before they are encoded.
        recipe: Also write the recipe to this file.
        metadata: Put the recipe, and a note that the picture is synthetic, into the file.
        quiet: Show no progress bar.
    """
    from .blender import Blender
    from .files import require_parent
    from .image import picture_path
    from .verbs.averaging import average as run
    from .verbs.gathering import inputs_of

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
    from .appraisal import photo_warnings
    from .blender import Blender, Code
    from .codes import CODE_SUFFIX
    from .files import require_parent
    from .inputs import read_input
    from .photo_warnings import told
    from .verbs.rendering import progress

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
