"""What the page does, without a page: photos on the table, and what is made of them. No Gradio here."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from PIL import Image

from ..blend.baselines import pixel
from ..blend.blender import Blender, Which
from ..blend.compositing import BACKGROUNDS
from ..blend.compositing.between import Meetings
from ..blend.compositing.composing import output_side
from ..blend.face_cache import FaceCache
from ..blend.pipeline import METHODS, BlendedCrop, BlendOptions, as_seen, blended, finished, resolved
from ..blend.recipes import Blend
from ..edit.continuum import Continuum, continuum
from ..errors import FeatureblendError
from ..faces.alignment import AlignedFace
from ..faces.detector import Search, choose_face
from ..io.files import short_name
from ..io.image import LoadedPhoto, Photo, crop_image, decode_photo
from ..io.progress import progress
from ..metrics.measures import blend_measures

MAX_PHOTOS = 6
"""Photos that the page blends at once."""

MOST_FACES = 1000
"""Photos whose faces are kept, 200 kB each: a page that is open for months holds no more."""

LIVE = 256
"""Longest side of the picture in pixels while a slider moves ..."""

PREVIEW = 640
"""... and once it rests: the download has the size that was asked for."""

ALL = (0.0, 0.0, 1.0, 1.0)
"""All of a photo, as a part of it: left, top, right, bottom as shares of its width and height."""

WHOLE = 1024
"""Longest side of a photo that is shown to be cropped, in pixels."""

SMALLEST_PART = 32
"""Shortest side of what may be used of a photo, in pixels."""

SHOWN = 384
"""Side of each of several pictures that are shown together, in pixels."""

SIZES: dict[str, int | str] = {
    "as the photos": "photos",
    "as the model": "model",
    "512 px": 512,
    "1,024 px": 1024,
    "as the first": "source",
}
"""Sizes that the page offers, by what they are called there."""


TINY = 96
"""Side of the pictures among which a background is chosen."""

Box: TypeAlias = tuple[int, int, int, int]
"""left, top, right, bottom, in pixels."""


@dataclass(frozen=True)
class OnTable:
    """A photo that was put on the table."""

    name: str
    """The file's name, without its folder."""
    content: bytes = field(repr=False)
    """The whole file."""
    sha256: str
    """Hash of the content, as in recipes."""
    faces: int
    """How many faces it shows."""
    which: Which = "largest"
    """The face that is blended: a number, from the left, from 1, once somebody has chosen."""
    crop: Box | None = None
    """The part of the photo that is used, as `featureblend.io.image.crop_image`; None for all of it."""

    @property
    def key(self) -> tuple[str, Box | None]:
        """What its faces are kept under."""
        return self.sha256, self.crop

    @property
    def facts(self) -> dict[str, Any]:
        """What a recipe says of it."""
        return {"name": self.name, "sha256": self.sha256} | ({"crop": list(self.crop)} if self.crop else {})

    def load(self) -> LoadedPhoto:
        """Read the part that is used."""
        whole = decode_photo(self.content, self.name)
        return whole if self.crop is None else replace(whole, pixels=crop_image(whole.pixels, self.crop))


@dataclass(frozen=True)
class Look:
    """How to blend, weights aside."""

    method: str = METHODS[0]
    """One of `featureblend.blend.blender.METHODS`."""
    background: str = BACKGROUNDS[0]
    """One of `featureblend.blend.compositing.BACKGROUNDS`."""
    size: int | str = "photos"
    """As `Blender.blend`."""
    hair: int = 0
    """Whose hair and surroundings: a photo's place from 1, or 0: between two photos', the best of more."""
    mend: bool = True
    """Whether the photos are restored, where the blender does so."""

    def options(self, count: int) -> dict[str, Any]:
        """Arguments of `Blender.blend` for so many photos. Of two, hair and background follow the slider."""
        whose: int | str = self.hair if 1 <= self.hair <= count else "blend" if count == 2 else "auto"
        return {"method": self.method, "background": self.background, "size": self.size, "surroundings": whose}

    def options_for(self, faces: Sequence[AlignedFace], at_most: int) -> dict[str, Any]:
        """Arguments of `Blender.blend_faces`, the size cut to `at_most` pixels."""
        model = faces[0].image.shape[0]
        size = output_side(self.size, model, [face.native_size for face in faces])
        if self.background == "source" and not isinstance(self.size, int):  # the whole photo
            size = at_most
        return {**self.options(len(faces)), "size": min(size, at_most)}


@dataclass(frozen=True)
class Whole:
    """A whole photo, to choose from. Boxes are left, top, right, bottom as shares of its width and height."""

    picture: Image.Image
    """Upright, at most `WHOLE` pixels."""
    faces: list[tuple[float, ...]]
    """The faces, from the left."""
    chosen: int | None
    """The face that is blended, from 1; None where only a part of the photo is used."""
    part: tuple[float, ...]
    """That part."""


class Studio:
    """Makes what the page shows. One studio serves all visitors; what it keeps of a photo goes by the file's hash.

    Parameters
    ----------
    blender : Blender

    Examples
    --------
    >>> from featureblend.faces import EXAMPLES
    >>> studio = Studio(Blender.from_pretrained())
    >>> table = ()
    >>> for name in ("first.jpg", "second.jpg"):
    ...     table = studio.added(table, name, (EXAMPLES / name).read_bytes())
    >>> studio.blend(table, [50, 50], Look(size="model")).image.size
    (128, 128)
    """

    def __init__(self, blender: Blender) -> None:
        self.blender = blender
        self.cache = FaceCache(blender, most=MOST_FACES)

    @property
    def mends(self) -> bool:
        """Whether photos are restored, unless a `Look` says that it is not."""
        return self.blender.networks.mend and self.blender.config.cleans

    @cached_property
    def _plain(self) -> Blender:
        found = copy(self.blender)
        found.networks = self.blender.networks.without_restoration()
        return found

    def _blender(self, mend: bool) -> Blender:
        return self.blender if mend else self._plain

    def warm_up(self) -> None:
        """Load the networks and the detector now, so that the first photo does not wait for them."""
        self.blender.load()

    def added(self, table: Sequence[OnTable], name: str, content: bytes) -> tuple[OnTable, ...]:
        """Put a photo on the table.

        Parameters
        ----------
        table : sequence of OnTable
        name : str
            The file's name, for messages and recipes.
        content : bytes
            The whole file.

        Returns
        -------
        tuple of OnTable
            The largest face is taken where there are several, and the face's warnings say so.

        Raises
        ------
        FeatureblendError
            If the table is full, the file is no picture, or it shows no face.
        """
        if len(table) >= MAX_PHOTOS:
            raise FeatureblendError(f"{name} was left out: {MAX_PHOTOS} photos are blended at most; remove one first")
        photo = OnTable(name, content, hashlib.sha256(content).hexdigest(), 0)
        return (*table, replace(photo, faces=len(self._search(photo).faces)))

    def _search(self, photo: OnTable) -> Search:
        return self.cache.search(photo.key, photo.name, photo.load)

    def face(self, photo: OnTable) -> AlignedFace:
        """The aligned crop of the face that is chosen in a photo, restored."""
        return self.cache.face(photo.key, photo.which, photo.name, photo.load)

    def whole(self, photo: OnTable) -> Whole:
        """All of a photo, upright, with its faces and what is used of it, to choose a face or a part."""
        found = self._search(replace(photo, crop=None))
        height, width = found.image.shape[:2]
        picture = Image.fromarray(found.image)
        picture.thumbnail((WHOLE, WHOLE))
        chosen = choose_face(found.faces, (0, 0), photo.which if photo.crop is None else "largest", photo.name)
        faces = [_shares(face.box, width, height) for face in found.faces]
        part: tuple[float, ...] = ALL
        if photo.crop is not None:
            size = (height, width) if found.quarter_turns % 2 else (width, height)
            part = _turned(_shares(photo.crop, *size), found.quarter_turns)
        place = next(place for place, face in enumerate(found.faces, 1) if face is chosen)
        return Whole(picture, faces, None if photo.crop else place, part)

    def cropped(self, photo: OnTable, part: Sequence[float]) -> OnTable:
        """Use only a part of a photo; what its largest face is, is decided in that part.

        Parameters
        ----------
        photo : OnTable
        part : sequence of four float
            left, top, right, bottom as shares of the whole photo, upright; 0, 0, 1, 1 is all of it.

        Raises
        ------
        FeatureblendError
            If that part shows no face.
        """
        found = self._search(replace(photo, crop=None))
        left, top, right, bottom = _turned(part, -found.quarter_turns % 4)
        height, width = np.rot90(found.image, -found.quarter_turns).shape[:2]
        box = (round(left * width), round(top * height), round(right * width), round(bottom * height))
        if box[2] - box[0] < SMALLEST_PART or box[3] - box[1] < SMALLEST_PART:
            raise FeatureblendError(f"that part of {photo.name} is too small: draw a larger frame")
        part_of = replace(photo, crop=None if box == (0, 0, width, height) else box, which="largest")
        faces = self.cache.search(part_of.key, f"that part of {photo.name}", part_of.load).faces
        return replace(part_of, faces=len(faces))

    def backgrounds(self, table: Sequence[OnTable], look: Look) -> list[Image.Image]:
        """An even blend on each background, small."""
        networks, faces = self._blender(look.mend).networks, self.faces(table)
        even, meetings = np.full(len(faces), 1 / len(faces)), Meetings()
        made: dict[bool, BlendedCrop] = {}
        pictures = []
        for name in BACKGROUNDS:
            options = BlendOptions(**replace(look, background=name).options_for(faces, TINY))
            seen = as_seen(networks, faces, options)
            options = resolved(options, seen, even, self.blender.image_size)
            own = name == "source"  # all others lay the same blend on something else
            if own not in made:
                made[own] = blended(networks, seen, even, options, meetings=meetings)
            pictures.append(Image.fromarray(finished(made[own], options)))
        return pictures

    def faces(self, table: Sequence[OnTable]) -> list[AlignedFace]:
        """The faces of all photos on the table, in order."""
        return [self.face(photo) for photo in table]

    def preview(self, table: Sequence[OnTable], weights: Sequence[float], look: Look, at_most: int = PREVIEW) -> Blend:
        """Blend what is on the table as fast as it goes: unmeasured, at most so many pixels.

        Raises
        ------
        FeatureblendError
            If all weights are 0, or there are fewer than two photos.
        """
        return self._blended(table, weights, look, at_most, measures="none")

    def _blended(
        self, table: Sequence[OnTable], weights: Sequence[float], look: Look, at_most: int, **more: Any
    ) -> Blend:
        faces = self.faces(table)
        made = self._blender(look.mend).blend_faces(faces, _some(weights), **more, **look.options_for(faces, at_most))
        which = [photo.which for photo in table]
        return replace(made, recipe={**made.recipe, "inputs": [photo.facts for photo in table], "faces": which})

    def measured(self, table: Sequence[OnTable], weights: Sequence[float], look: Look) -> tuple[Blend, dict[str, Any]]:
        """Blend and measure what is on the table.

        Returns
        -------
        blend : Blend
            The aligned crop, at most `PREVIEW` pixels, with measures and warnings; its parents have the same size.
        average : dict
            The measures of the plain pixel average of the same faces, to compare with.
        """
        faces, names = self.faces(table), [photo.name for photo in table]
        made = self._blended(table, weights, replace(look, background="blend"), PREVIEW, names=names)
        made = replace(made, parents=tuple(Image.fromarray(face.at(made.image.width).image) for face in faces))
        images, shares = [face.image for face in faces], made.recipe["weights"]
        return made, blend_measures(pixel.blend(images, shares), images, shares, [face.landmarks for face in faces])

    def compared(
        self, table: Sequence[OnTable], weights: Sequence[float], mend: bool = True
    ) -> Iterator[tuple[str, Blend]]:
        """Blend what is on the table by every method, one after the other, at most `SHOWN` pixels each."""
        faces, shares = self.faces(table), _some(weights)
        for method in progress(METHODS, "compare", "method", quiet=True):
            yield method, self._blender(mend).blend_faces(faces, shares, **Look(method).options_for(faces, SHOWN))

    def blend(self, table: Sequence[OnTable], weights: Sequence[float], look: Look) -> Blend:
        """Blend what is on the table as ``featureblend blend`` does, at full size and with the whole recipe."""
        with self._files(table) as files:
            which = [photo.which for photo in table]
            made = self._blender(look.mend).blend(files, _some(weights), which=which, **look.options(len(table)))
        return replace(made, recipe={**made.recipe, "inputs": [photo.facts for photo in table]})

    def continuum(
        self, table: Sequence[OnTable], steps: int, method: str, mend: bool = True, at_most: int | None = None
    ) -> Continuum:
        """Go from each photo on the table to the next.

        Parameters
        ----------
        table : sequence of at least two OnTable
        steps : int
            Pictures from one photo to the next, both ends counted.
        method : str
            One of `featureblend.blend.blender.METHODS`.
        mend : bool
            As in `Look`.
        at_most : int, optional
            Side of the pictures in pixels, where the photos' own scale is larger.
        """
        size = "photos" if at_most is None else Look().options_for(self.faces(table), at_most)["size"]
        with self._files(table) as files:
            which, blender = [photo.which for photo in table], self._blender(mend)
            made = continuum(files, steps=steps, method=method, which=which, size=size, blender=blender, quiet=True)
        return replace(made, recipe={**made.recipe, "inputs": [photo.facts for photo in table]})

    @contextmanager
    def _files(self, table: Sequence[OnTable]) -> Iterator[list[Photo]]:
        """Lay the photos out as files under their own names: warnings name them so. Parts of photos stay pixels."""
        with tempfile.TemporaryDirectory(prefix="featureblend-") as folder:
            found: list[Photo] = []
            for place, photo in enumerate(table, 1):
                if photo.crop is not None:
                    found.append(photo.load().pixels)
                    continue
                path = Path(folder, str(place), short_name(Path(photo.name).name or "photo"))
                path.parent.mkdir()
                path.write_bytes(photo.content)
                found.append(path)
            yield found


def _shares(box: Sequence[float], width: int, height: int) -> tuple[float, ...]:
    left, top, right, bottom = box
    return left / width, top / height, right / width, bottom / height


def _turned(box: Sequence[float], quarter_turns: int) -> tuple[float, ...]:
    """Where a box of shares of a photo lies once `numpy.rot90` has turned it."""
    left, top, right, bottom = box
    for _ in range(quarter_turns):
        left, top, right, bottom = top, 1 - right, bottom, 1 - left
    return left, top, right, bottom


def _some(weights: Sequence[float]) -> list[float]:
    if not any(weights):
        raise FeatureblendError("all weights are 0: move at least one slider up")
    return [float(weight) for weight in weights]
