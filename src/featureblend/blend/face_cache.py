"""Faces found once and kept: what a list of blends, or a page with sliders, asks for again and again."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from dataclasses import replace

import numpy as np

from ..faces.alignment import AlignedFace
from ..io.image import load_image
from ..io.inputs import Input
from .blender import Blender, Which

__all__ = ["RememberingBlender"]

ROOM = 400 << 20
"""Bytes of photos that are kept; aligned faces, some 100 kB each, are kept of all."""


class RememberingBlender(Blender):
    """A blender that searches each photo only once. Threads may share it.

    Photos are known by their paths: a file that changes while the blender lives keeps its first face.

    Parameters
    ----------
    blender : Blender
        Whose networks and detector it uses.
    room : int
        Bytes of photos to keep. The others are read again when they are needed, but not searched again.

    Examples
    --------
    >>> from featureblend.faces import EXAMPLES
    >>> blender = RememberingBlender(Blender.from_pretrained())
    >>> blender.find(EXAMPLES / "first.jpg").image is blender.find(EXAMPLES / "first.jpg").image
    True
    """

    def __init__(self, blender: Blender, room: int = ROOM) -> None:
        self.networks, self.detector, self.room = blender.networks, blender.detector, room
        self._recognizer = blender._recognizer
        self._faces: dict[tuple[str, Which], AlignedFace] = {}
        self._photos: OrderedDict[str, np.ndarray] = OrderedDict()
        self._busy: dict[str, threading.Lock] = {}
        self._turn = threading.Lock()

    def find(self, photo: Input, which: Which = "largest", position: int = 1) -> AlignedFace:
        """A photo's face; parameters and errors as `Blender.find`. Only files are kept."""
        if not isinstance(photo, (str, os.PathLike)):
            return super().find(photo, which, position)
        path = os.path.realpath(photo)
        with self._turn:
            busy = self._busy.setdefault(path, threading.Lock())
        with busy:  # of two threads that want one face, one waits for the other's
            known = self._faces.get((path, which))
            if known is None:
                (face,) = self.cleaned([super().find(photo, which, position)])
                self._faces[path, which] = replace(face, photo=None)
                self._keep(path, face.photo)
                return face
            if known.latent is not None:
                return known
            with self._turn:
                pixels = self._photos.get(path)
            if pixels is None:
                pixels = np.rot90(load_image(photo, position), known.quarter_turns)
            self._keep(path, pixels)
            return replace(known, photo=pixels)

    def _keep(self, path: str, pixels: np.ndarray | None) -> None:
        if pixels is None:
            return
        with self._turn:
            self._photos[path] = pixels
            self._photos.move_to_end(path)
            while len(self._photos) > 1 and sum(photo.nbytes for photo in self._photos.values()) > self.room:
                self._photos.popitem(last=False)
