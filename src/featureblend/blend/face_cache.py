"""Faces found once and kept: what a list of blends, or a page with sliders, asks for again and again."""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Collection, Hashable
from dataclasses import dataclass, field, replace

import numpy as np

from ..faces.alignment import AlignedFace
from ..faces.detector import Face, Search, choose_face
from ..io.codes import Code
from ..io.image import LoadedPhoto, load_photo, photo_name
from ..io.inputs import Input, read_input
from ..io.photo_warnings import PhotoWarning
from .blender import Blender, Which

ROOM = 400 << 20
"""Bytes of photos that are kept; faces and their aligned crops, some 200 kB a photo, are kept of all."""


@dataclass
class _Found:
    """What a photo shows: its faces, and the crops that were cut; the photo itself only while there is room."""

    faces: list[Face]
    quarter_turns: int
    warnings: tuple[PhotoWarning, ...]
    photo: np.ndarray | None = None
    cut: dict[Which, AlignedFace] = field(default_factory=dict)
    used: float = 0.0
    """When it was last asked for, by `time.monotonic`."""

    def hold(self, photo: np.ndarray | None) -> None:
        """Take the upright photo, or let it go."""
        self.photo = photo
        self.cut = {which: replace(face, photo=photo) for which, face in self.cut.items()}


class FaceCache:
    """The faces of photos, each of which is searched only once. Threads may share it.

    Parameters
    ----------
    blender : Blender
        What searches, cuts and restores.
    room : int
        Bytes of photos to keep. The others are read again when they are needed, but not searched again.
    most : int, optional
        Photos whose faces are kept; of more, the one that nobody asked for the longest is forgotten.

    Examples
    --------
    >>> from featureblend.faces import EXAMPLES
    >>> cache, path = FaceCache(Blender.from_pretrained()), EXAMPLES / "first.jpg"
    >>> cache.face(path, "largest", "first", lambda: load_photo(path)).image.shape
    (128, 128, 3)
    """

    def __init__(self, blender: Blender, room: int = ROOM, most: int | None = None) -> None:
        self.blender, self.room, self.most = blender, room, most
        self._found: OrderedDict[Hashable, _Found] = OrderedDict()
        self._busy: defaultdict[Hashable, threading.Lock] = defaultdict(threading.Lock)
        self._turn = threading.Lock()

    def search(self, key: Hashable, name: str, load: Callable[[], LoadedPhoto]) -> Search:
        """All faces of a photo, and the photo the way up in which they were found.

        Parameters
        ----------
        key : hashable
            What the photo is known by.
        name : str
            For messages.
        load : callable
            Reads the photo.

        Raises
        ------
        FeatureblendError
            If it can't be read, or shows no face.
        """
        with self._lock_of(key):
            return self._searched(key, name, load)[1]

    def face(self, key: Hashable, which: Which, name: str, load: Callable[[], LoadedPhoto]) -> AlignedFace:
        """One face of a photo, restored, as `Blender.find` and `Blender.cleaned` give it; parameters as `search`."""
        with self._lock_of(key):  # of two threads that want one face, one waits for the other's
            found, search = self._searched(key, name, load)
            face = found.cut.get(which)
            if face is None:
                (face,) = self.blender.cleaned([self.blender.face_in(search, which, name, found.warnings)])
            with self._turn:  # meanwhile another thread's photo may have taken the room of this one
                found.cut[which] = face if found.photo is not None else replace(face, photo=None)
            return face if face.photo is not None else replace(face, photo=search.image)

    def keep(self, keys: Collection[Hashable], seconds: float) -> bool:
        """Let go of all photos but these and those that were asked for in the last seconds.

        Returns
        -------
        bool
            Whether there were others. Should they come again, they are searched anew.
        """
        with self._turn:
            since = time.monotonic() - seconds
            others = [key for key, found in self._found.items() if found.used <= since and key not in keys]
            for key in others:
                self._drop(key)
        return bool(others)

    def _drop(self, key: Hashable) -> None:
        del self._found[key]
        self._busy.pop(key, None)

    def _lock_of(self, key: Hashable) -> threading.Lock:
        with self._turn:
            return self._busy[key]

    def _searched(self, key: Hashable, name: str, load: Callable[[], LoadedPhoto]) -> tuple[_Found, Search]:
        found = self._found.get(key)
        photo = None if found is None else found.photo
        if found is None:
            loaded = load()
            search = self.blender.detector.search(loaded.pixels)
            if not search.faces:
                choose_face([], search.image.shape, "largest", name, loaded.warnings)  # says that there is none
            found, photo = _Found(search.faces, search.quarter_turns, loaded.warnings), search.image
        elif photo is None:
            photo = np.ascontiguousarray(np.rot90(load().pixels, found.quarter_turns))
        with self._turn:
            if found.photo is not photo:
                found.hold(photo)
            self._found[key], found.used = found, time.monotonic()
            self._found.move_to_end(key)
            while self.most is not None and len(self._found) > self.most:
                self._drop(next(iter(self._found)))
            held = [one for one in self._found.values() if one.photo is not None]
            for one in held[:-1]:
                if sum(one.photo.nbytes for one in held if one.photo is not None) > self.room:
                    one.hold(None)
        return found, Search(photo, found.faces, found.quarter_turns)


class RememberingBlender(Blender):
    """A blender that searches each photo only once. Threads may share it.

    Photos are known by their paths: a file that changes while the blender lives keeps its first face.

    Parameters
    ----------
    blender : Blender
        Whose networks and detector it uses.
    room, most : int
        As of `FaceCache`.

    Examples
    --------
    >>> from featureblend.faces import EXAMPLES
    >>> blender = RememberingBlender(Blender.from_pretrained())
    >>> blender.find(EXAMPLES / "first.jpg").image is blender.find(EXAMPLES / "first.jpg").image
    True
    """

    def __init__(self, blender: Blender, room: int = ROOM, most: int | None = None) -> None:
        vars(self).update(vars(blender))
        self.cache = FaceCache(blender, room, most)

    def find(self, photo: Input, which: Which = "largest", position: int = 1) -> AlignedFace:
        """A photo's face; parameters and errors as `Blender.find`. Only files are kept."""
        item = read_input(photo)
        if isinstance(item, Code) or not isinstance(item, (str, os.PathLike)):
            return super().find(item, which, position)
        name = photo_name(item, position)
        found = self.cache.face(os.path.realpath(item), which, name, lambda: load_photo(item, position))
        return replace(found)  # what is cut from it at other sizes goes with the caller's copy
