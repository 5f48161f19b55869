"""Many photos' faces at hand in constant memory: the crops wait in a temporary file, what can't be used on a list."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, overload

import numpy as np

from ..blend.blender import Blender
from ..blend.compositing.composing import best_source, suitability
from ..blend.quality import is_restored, photo_warnings
from ..errors import FeatureblendError
from ..faces.alignment import AlignedFace
from ..io.codes import Code
from ..io.files import readable_name
from ..io.image import load_photo, photo_name
from ..io.inputs import Input, Skipped, input_name, read_folder
from ..io.photo_warnings import PhotoWarning
from ..io.progress import progress


class PictureStore(Sequence[np.ndarray]):
    """Pictures of one size, in order, in a temporary file that has no name.

    Examples
    --------
    >>> store = PictureStore()
    >>> store.append(np.full((8, 8, 3), 7, np.uint8))
    >>> len(store), int(store[0][0, 0, 0])
    (1, 7)
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="featureblend-")  # noqa: SIM115  lives as long as the store
        self._shape: tuple[int, ...] = ()
        self._count = 0

    def append(self, picture: np.ndarray) -> None:
        """Add a picture, uint8."""
        if self._count and picture.shape != self._shape:
            raise FeatureblendError(f"expected faces of one size, not {picture.shape} after {self._shape}")
        self._shape = picture.shape
        self._file.seek(0, os.SEEK_END)
        self._file.write(picture.tobytes())
        self._count += 1

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> np.ndarray: ...
    @overload
    def __getitem__(self, index: slice) -> list[np.ndarray]: ...
    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        size = int(np.prod(self._shape))
        self._file.seek(int(index) % len(self) * size)
        return np.frombuffer(self._file.read(size), np.uint8).reshape(self._shape)

    def close(self) -> None:
        """Let go of the file, which vanishes."""
        self._file.close()


class FaceStore(Sequence[AlignedFace]):
    """Aligned faces of one size, in order; of each only landmarks, matrix and a code's latent stay in memory.

    Examples
    --------
    >>> store = FaceStore()
    >>> store.append(AlignedFace(np.full((8, 8, 3), 7, np.uint8), np.zeros((68, 2)), np.eye(2, 3)))
    >>> len(store), int(store[0].image[0, 0, 0])
    (1, 7)
    """

    def __init__(self) -> None:
        self._pictures = PictureStore()
        self._faces: list[AlignedFace] = []
        self.native_sizes: list[int] = []
        """Sides of the crops at their photos' own scale."""

    def append(self, face: AlignedFace) -> None:
        """Add a face; its photo, where it carries one, is let go."""
        self._pictures.append(face.image)
        kept = AlignedFace(
            _NO_PIXELS, face.landmarks, face.matrix, face.latent, warnings=face.warnings, crown=face.crown
        )
        self._faces.append(replace(kept, suitability=suitability(face), quarter_turns=face.quarter_turns))
        self.native_sizes.append(face.native_size)

    def __len__(self) -> int:
        return len(self._faces)

    @overload
    def __getitem__(self, index: int) -> AlignedFace: ...
    @overload
    def __getitem__(self, index: slice) -> list[AlignedFace]: ...
    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        return replace(self._faces[index], image=self._pictures[index])

    @property
    def landmarks(self) -> list[np.ndarray]:
        """The (68, 2) landmarks of each face."""
        return [face.landmarks for face in self._faces]

    def best_source(self) -> int:
        """Whose photo serves best for hair and background, from 1; no picture is read again."""
        return best_source(self._faces)

    def close(self) -> None:
        """Let go of the pictures."""
        self._pictures.close()


_NO_PIXELS = np.zeros((0, 0, 3), np.uint8)


@dataclass(frozen=True)
class Gathered:
    """The faces of many photos."""

    faces: FaceStore = field(repr=False)
    """Those found, in order."""
    places: list[int] = field(default_factory=list)
    """The place of each in the list that was given."""
    skipped: list[Skipped] = field(default_factory=list)
    """The others."""


def inputs_of(
    source: Input | Sequence[Input], every: bool = False
) -> tuple[list[Input], list[str], tuple[Skipped, ...]]:
    """List what a folder, a list of inputs or one input holds, with a name for each.

    Parameters
    ----------
    source : folder, sequence of inputs, or input
    every : bool
        Take a folder's pictures that featureblend made, too, although there are photos beside them.

    Returns
    -------
    items : list
    names : list of str
        Of a folder's files, the path in the folder; of others, the file's name or the place in the list.
    left_out : tuple of Skipped
        The folder's files that are neither photos nor codes, and its pictures that featureblend made: an average is no
        photo of the next.
    """
    if isinstance(source, (str, os.PathLike)) and Path(source).is_dir():
        folder = read_folder(source, every)
        names = [readable_name(path.relative_to(source).as_posix()) for path in folder.files]
        return list(folder.files), names, folder.skipped
    items: list[Input] = list(source) if isinstance(source, (list, tuple)) else [source]  # type: ignore[list-item]
    return items, [input_name(item, place) for place, item in enumerate(items, 1)], ()


def gather(
    blender: Blender,
    items: Sequence[Input],
    names: Sequence[str],
    which: int | str = "largest",
    quiet: bool = True,
    what: str = "find faces",
) -> Gathered:
    """Find the face of each photo; list those that can't be used instead of stopping at the first.

    Parameters
    ----------
    blender : Blender
    items : sequence of photos and codes
    names : sequence of str
        What to call each on the list.
    which : 'largest', 'central' or int
        Which face of each.
    quiet : bool
        Show no progress bar.
    what : str
        What the bar says.

    Returns
    -------
    Gathered
    """
    found = Gathered(FaceStore())
    for place, (item, name) in enumerate(progress(list(zip(items, names, strict=True)), what, "photo", quiet)):
        try:
            found.faces.append(blender.find(item, which, place + 1))
        except (FeatureblendError, OSError) as error:
            shown = photo_name(item, place + 1) if not isinstance(item, Code) else item.name
            found.skipped.append(Skipped(name, _reason(str(error), shown)))
            continue
        found.places.append(place)
    return found


def with_photo(face: AlignedFace, item: Input) -> AlignedFace:
    """A face out of a store with the photo that it was found in, read again; a code has none."""
    if face.latent is not None:
        return face
    pixels = load_photo(item).pixels  # type: ignore[arg-type]
    return replace(face, photo=np.rot90(pixels, face.quarter_turns))


def cleaned_one_by_one(blender: Blender, faces: Iterable[AlignedFace], restored: list[int]) -> Iterator[AlignedFace]:
    """Clean faces as they come.

    Parameters
    ----------
    blender : Blender
    faces : iterable of AlignedFace
    restored : list of int
        Where the places of those are put, from 0, that this changed so much that it is to be told.

    Yields
    ------
    AlignedFace
    """
    for place, face in enumerate(faces):
        (seen,) = blender.cleaned([face])
        if is_restored(seen):
            restored.append(place)
        yield seen


def noted(faces: Iterable[AlignedFace], found: list[tuple[PhotoWarning, ...]]) -> Iterator[AlignedFace]:
    """Hand faces on as they come, and put the warnings of each into `found`."""
    for face in faces:
        found.append(photo_warnings(face))
        yield face


def _reason(text: str, name: str) -> str:
    """Take the photo's own name out of a message, which stands beside it in the table.

    Examples
    --------
    >>> _reason("no face found in h", "h"), _reason("no such file: h", "h"), _reason("cannot read a: a folder", "a")
    ('no face found', 'no such file', 'cannot read: a folder')
    """
    if name:  # as a word, and once: names can be as short as any word of the message
        text = re.sub(rf"(?<!\S)(in )?{re.escape(name)}(?=[:;,]?(\s|$))", "", text, count=1)
    return re.sub(r"\s+(?=[:;,])", "", " ".join(text.split())).rstrip(":")
