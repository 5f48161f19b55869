"""The commands `continuum`, `average`, `encode`, `transform`, `symmetrize` and `mix`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import FeatureblendError
from .groups import (
    FaceChoice,
    FaceChoices,
    Look,
    Mending,
    Output,
    Quiet,
    Source,
    Warping,
    keep_photos,
    methods,
    print_skipped,
    print_warnings,
)
from .options import argument, flag, option, with_default


@dataclass(kw_only=True)
class Continuum(FaceChoices, Source, Look, Warping, Output, Quiet):
    """Go from a photo to the next in even steps: a video, an animation, a contact sheet, or numbered pictures.

    Example: featureblend continuum ana.jpg ben.jpg -o walk.mp4
    Example: featureblend continuum ana.jpg ben.jpg -o caricatures.png --from -0.5 --to 1.5 --steps 9
    """

    photos: Sequence[Path] = argument(
        "PHOTO PHOTO ...", "Two or more photos or codes, passed through in turn, before the options.", default=()
    )
    out: Path = option(
        "FILE_OR_FOLDER",
        ".mp4, .gif, .webp, .png (contact sheet), or a name without an ending: a folder of numbered pictures.",
        short="-o",
    )
    steps: int = option(
        "COUNT", "Pictures from each photo to the next, both included; 11 are 0 %, 10 %, ... 100 %.", default=11
    )
    start: float = option(
        "NUMBER",
        "Where to start, from the first photo (0) to the second (1); below 0 is beyond the first.",
        default=0.0,
        name="from",
    )
    end: float = option(
        "NUMBER", "Where to end, on the way to the last photo (1); above 1 is beyond it.", default=1.0, name="to"
    )
    fps: float = option("NUMBER", "Pictures a second of a video or animation.", default=10.0)
    bounce: bool = flag("Go there and back again.")
    ease: str = option(
        None,
        "Go evenly, or more slowly at the start (in), the end (out) or both of each way.",
        default="linear",
        choices=("linear", "in", "out", "in-out"),
    )
    method: str = option(
        "NAME", "As `blend`; beyond the photos latent, morph or pixel.", default="latent", words=methods
    )
    columns: int | None = option("COUNT", "Pictures a row of a contact sheet.", default=None)

    def run(self) -> None:
        """Draw the frames and write them."""
        from ..edit.continuum import continuum
        from ..io.metadata import write_recipe
        from ..io.video import check_out

        check_out(self.out, self.fps)
        within = [one for one in self.photos if self.out.is_dir() and one.resolve().parent == self.out.resolve()]
        if within:
            raise FeatureblendError(
                f"cannot write frames into {self.out}: the photo {within[0]} is there; name another folder"
            )
        self.check(self.photos, picture=False)
        made = continuum(
            self.photos,
            detail=self.detail if self.method == "latent" else None,
            blender=self.blender(),
            **self.given("steps", "start", "end", "bounce", "ease", "method", "which", "warp", "surroundings"),
            **self.given("size", "quiet"),
        )
        made.save(self.out, self.fps, columns=self.columns, metadata=self.metadata)
        if self.recipe is not None:
            write_recipe(self.recipe, made.recipe_for(self.fps, self.columns))
        print(self.out)
        print_warnings(made.warnings)


@dataclass(kw_only=True)
class Average(FaceChoice, Source, Warping, Output, Quiet):
    """Average the faces of a folder, hundreds or thousands, read one at a time.

    Photos that can't be used are skipped and listed, here and in a .skipped.csv file beside the picture. So are
    pictures in the folder that featureblend made, unless it holds nothing else.

    Example: featureblend average class-photos -o average.png
    """

    folder: Sequence[Path] = argument(
        "FOLDER",
        "A folder of photos and codes, taken in sorted order, folders in it too; or several photos.",
        default=(),
    )
    weights_csv: Path | None = option(
        "FILE", "A file with a photo and its weight in each row; photos that are not in it are left out.", default=None
    )
    method: str = option(
        None,
        "Average latents (latent), pixels of faces warped to their mean shape (morph), or plain pixels.",
        default="latent",
        choices=("latent", "morph", "pixel"),
    )
    surroundings: Any = with_default(Source, "surroundings", "mean")
    size: int | str = option(
        "PIXELS",
        "Side in pixels; 'photos' for the median of the photos' own scales, at most 1024; 'model' for the network's "
        "own 128.",
        default="photos",
        words=lambda: ("photos", "source", "model"),
    )

    def run(self) -> None:
        """Average, write, and list what was skipped."""
        from ..edit.average import average
        from ..edit.face_store import inputs_of
        from ..io.files import require_parent

        source = self.folder[0] if len(self.folder) == 1 and self.folder[0].is_dir() else list(self.folder)
        missing = [path for path in self.folder if not path.exists()]
        if missing:
            raise FeatureblendError(f"no such file or folder: {missing[0]}")
        if isinstance(source, list) and len(source) == 1:
            raise FeatureblendError(f"{source[0]} is one photo; an average needs a folder, or several photos")
        mixed = [path for path in source if path.is_dir()] if isinstance(source, list) else []
        if mixed:
            raise FeatureblendError(f"{mixed[0]} is a folder beside other inputs; name one folder, or photos only")
        files, _, _ = inputs_of(source, every=True)
        table = require_parent(self.out.with_suffix(".skipped.csv"))
        more = [self.weights_csv] if self.weights_csv else []
        self.check([Path(str(path)) for path in files] + more, table)
        made = average(
            source,
            weights=self.weights_csv,
            which=self.faces,
            blender=self.blender(),
            **self.given("method", "warp", "surroundings", "size", "quiet"),
        )
        self.show(made)
        print_skipped(table, made.skipped)


@dataclass(kw_only=True)
class Encode(FaceChoices, Mending, Quiet):
    """Write a photo's code: its face as the model's numbers, which every command takes in the photo's place.

    Example: featureblend encode ana.jpg -o ana.npz
    """

    photos: Sequence[Path] = argument("PHOTO ...", "One or more photos with a face, before the options.", default=())
    out: Path = option(
        "FILE_OR_FOLDER",
        "The code's file (.npz); of several photos a folder, in which each code has its photo's name.",
        short="-o",
    )

    def run(self) -> None:
        """Encode all photos, then write the codes."""
        from ..blend.quality import photo_warnings
        from ..io.codes import CODE_SUFFIX, Code
        from ..io.files import make_folder
        from ..io.inputs import read_input
        from ..io.photo_warnings import told
        from ..io.progress import progress

        targets = self._targets(CODE_SUFFIX)
        blender = self.blender()
        pairs = list(zip(self.photos, self.for_each(len(self.photos)), strict=True))
        codes: list[Code] = []
        warnings: list[str] = []
        for photo, face in progress(pairs, "encode", "photo", self.quiet):
            item = read_input(photo)
            if isinstance(item, Code):
                codes.append(blender.encode(item))
                continue
            found = blender.cleaned([blender.find(photo, face)])
            codes.append(blender.code_of(found[0], photo.name))
            warnings += told([photo_warnings(found[0])], [photo.name])
        if targets != [self.out]:
            make_folder(self.out)
        for code, target in zip(codes, targets, strict=True):
            print(code.save(target))
        print_warnings(warnings)

    def _targets(self, suffix: str) -> list[Path]:
        """The file of each code; refuses what can't be written before any work."""
        from ..io.files import require_parent

        photos, out = self.photos, self.out
        if not photos:
            raise FeatureblendError("missing: a photo; it comes before the options")
        single = len(photos) == 1 and out.suffix.lower() == suffix
        targets = [out] if single else [out / f"{photo.stem}{suffix}" for photo in photos]
        if not single and out.suffix.lower() == suffix:
            raise FeatureblendError(f"cannot write {len(photos)} codes to {out}: name a folder")
        folders = [photo for photo in photos if photo.is_dir()]
        if folders:
            raise FeatureblendError(f"{folders[0]} is a folder; expected photos, such as {folders[0] / '*.jpg'}")
        if len(photos) == 1 and not single and not out.is_dir():
            raise FeatureblendError(f"cannot write {out}: a code's file ends in {suffix}")
        twice = [target.name for place, target in enumerate(targets) if target in targets[:place]]
        if twice:
            raise FeatureblendError(f"two of the photos would have the code {out / twice[0]}: encode them one by one")
        if not single and out.exists() and not out.is_dir():
            raise FeatureblendError(f"cannot write {out}: it is a file; name a folder")
        require_parent(targets[0] if single or out.is_dir() else out)
        keep_photos(photos, targets)
        self.for_each(len(photos))
        return targets


@dataclass(kw_only=True)
class Transform(FaceChoice, Look, Warping, Output, Quiet):
    """Change a face by what tells two others, or two groups, apart: A + amount (C - B).

    Example: featureblend transform ana.jpg --from young --to old --amount 0.5 -o older.png
    Example: featureblend transform ana.jpg --direction older.npz --amount 2 -o older.png
    """

    photo: Path = argument("PHOTO", "The photo or code to change: A.")
    start: Sequence[Path] = option(
        "PHOTO_OR_FOLDER ...", "B: a photo, a folder of photos, or several; their mean counts.", default=(), name="from"
    )
    end: Sequence[Path] = option("PHOTO_OR_FOLDER ...", "C, as --from.", default=(), name="to")
    direction: Path | None = option(
        "FILE",
        "Instead of --from and --to: a code's file that holds the difference C - B (docs/how-to/latents.md).",
        default=None,
    )
    amount: float = option(
        "NUMBER", "1 adds the whole difference; more than 1, and less than 0, are allowed.", default=0.5
    )
    keep_surroundings: bool = flag(off="Change hair and background too.", default=True)

    def run(self) -> None:
        """Transform, write and print."""
        from ..edit.transform import transform, transform_along

        if (self.direction is None) != bool(self.start and self.end) or (self.direction and (self.start or self.end)):
            raise FeatureblendError("say what to change: --from and --to, or --direction")
        common = self.given("warp", "keep_surroundings", "size", "detail")
        if self.direction is not None:
            self.check([self.photo, self.direction])
            along = {"which": self.faces, "blender": self.blender(), **common}
            self.show(transform_along(self.photo, self.direction, self.amount, **along))
            return
        ends = [_expanded(self.start), _expanded(self.end)]
        self.check([self.photo, *ends[0], *ends[1]])
        made = transform(
            self.photo,
            self.start[0] if len(self.start) == 1 else ends[0],  # of a folder the edit tells what it leaves out
            self.end[0] if len(self.end) == 1 else ends[1],
            self.amount,
            which=self.faces,
            quiet=self.quiet,
            blender=self.blender(),
            **common,
        )
        options = made.recipe["options"]
        left_out = len(ends[0]) + len(ends[1]) - options["from"] - options["to"]
        self.show(made, photos=f"{options['from']} from, {options['to']} to, {left_out} skipped")


@dataclass(kw_only=True)
class Symmetrize(FaceChoice, Look, Warping, Output):
    """Make a face symmetric: blend it with its own mirror image.

    Example: featureblend symmetrize ana.jpg -o symmetric.png
    """

    photo: Path = argument("PHOTO", "A photo or code.")
    amount: float = option("NUMBER", "1 is symmetric, 0.5 half the way, below 0 exaggerates what differs.", default=1.0)
    keep_surroundings: bool = flag(off="Make hair and background symmetric too.", default=True)

    def run(self) -> None:
        """Symmetrize, write and print."""
        from ..edit.transform import symmetrize

        self.check([self.photo])
        made = symmetrize(
            self.photo,
            self.amount,
            which=self.faces,
            blender=self.blender(),
            **self.given("warp", "keep_surroundings", "size", "detail"),
        )
        self.show(made)


@dataclass(kw_only=True)
class Mix(FaceChoice, Look, Warping, Output):
    """Give the first photo's face the eyes, nose, mouth or hair of others, in latent space.

    Example: featureblend mix ana.jpg ben.jpg cem.jpg --eyes-from B --mouth-from C 0.5 -o mixed.png
    """

    photos: Sequence[Path] = argument(
        "PHOTO ...",
        "The photo that all else is of, and others that the options may name by their letter, before the options.",
        default=(),
    )
    eyes_from: Sequence[str] = option(
        "PHOTO ...",
        "Whose eyes and brows: a photo, or its letter among the photos (A is the first); then, if not all of it, how "
        "much: 0 to 1.",
        default=(),
    )
    nose_from: Sequence[str] = option("PHOTO ...", "Whose nose.", default=())
    mouth_from: Sequence[str] = option("PHOTO ...", "Whose mouth.", default=())
    hair_from: Sequence[str] = option(
        "PHOTO ...", "Whose hair, fringe included, and all else around the face: ears and background too.", default=()
    )

    def run(self) -> None:
        """Mix, write and print."""
        from ..edit.mix import mix

        if not self.photos:
            raise FeatureblendError("missing: the photo that all else is of; it comes before the options")
        said = {"eyes": self.eyes_from, "nose": self.nose_from, "mouth": self.mouth_from, "hair": self.hair_from}
        regions: dict[str, Any] = {
            region: _donor(region, words, self.photos) for region, words in said.items() if words
        }
        self.check([*self.photos, *(path for path, _ in regions.values())])
        idle = [path for path in self.photos[1:] if path not in [donor for donor, _ in regions.values()]]
        if regions and idle:
            raise FeatureblendError(f"nothing is taken from {idle[0]}: name it, such as --eyes-from {idle[0]}")
        made = mix(
            self.photos[0],
            blender=self.blender(),
            which=self.faces,
            **self.given("warp", "size", "detail"),
            **regions,
        )
        self.show(made)


def _expanded(sources: Sequence[Path]) -> list[Path]:
    """List the photos of the folders among some paths, in order."""
    from ..io.inputs import input_files

    return [path for source in sources for path in (input_files(source) if source.is_dir() else [source])]


def _donor(region: str, words: Sequence[str], photos: Sequence[Path]) -> tuple[Path, float]:
    """Read ``--eyes-from PHOTO [SHARE]``; a photo among `photos` may go by its letter."""
    from ..io.tables import parse_number

    name, share = words[0], 1.0
    if len(words) > 2:
        raise FeatureblendError(f"--{region}-from {' '.join(words)}: expected a photo and a share")
    if len(words) == 2:
        try:
            share = parse_number(words[1])
        except ValueError as error:
            raise FeatureblendError(f"--{region}-from {' '.join(words)}: {error}") from error
    letters = {chr(ord("A") + place): path for place, path in enumerate(photos[:26])}
    if not Path(name).exists() and len(name) == 1 and name.isalpha():
        if name.upper() not in letters:
            raise FeatureblendError(f"--{region}-from {name}: there are {len(photos)} photos, A to {max(letters)}")
        return letters[name.upper()], share
    return Path(name), share
