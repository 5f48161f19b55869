"""Faces in photos: find them whichever way up the photo is, mark them, and choose one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ..errors import FeatureblendError
from ..io.image import Photo, check_image, load_photo, photo_name
from ..io.photo_warnings import TURNED_UPRIGHT, PhotoWarning
from ..io.tables import whole
from .finder import FaceFinder, MeshFace
from .landmarks import seen_landmarks

TILTED = 60.0
"""Degrees up to which a head counts as held on one side, in a photo that is upright; beyond, the photo is turned."""


@dataclass(frozen=True)
class Face:
    """A face in a photo, in that photo's pixels."""

    box: tuple[float, float, float, float]
    """left, top, right, bottom: forehead to chin."""
    landmarks: np.ndarray = field(repr=False)
    """(68, 2) float64: x, y (`featureblend.faces.landmarks.LANDMARKS`)."""
    mesh: np.ndarray | None = field(default=None, repr=False)
    """(468, 3) float64: x, y and depth, of which the landmarks are some; None where only these are known."""

    @property
    def area(self) -> float:
        """Area of the box in square pixels."""
        left, top, right, bottom = self.box
        return (right - left) * (bottom - top)

    @property
    def centre(self) -> tuple[float, float]:
        """Centre of the box: x, y in pixels."""
        left, top, right, bottom = self.box
        return (left + right) / 2, (top + bottom) / 2


@dataclass(frozen=True)
class Search:
    """What was found in a photo, and the photo the way up in which it was found."""

    image: np.ndarray = field(repr=False)
    """(H, W, 3) uint8: the photo, upright."""
    faces: list[Face]
    """From left to right, in that image's pixels; empty if there is none."""
    quarter_turns: int = 0
    """How often the photo was turned by 90 degrees counter-clockwise, 0 to 3, as in `numpy.rot90`."""

    @property
    def warnings(self) -> tuple[PhotoWarning, ...]:
        """That the photo was turned, where it was."""
        return (TURNED_UPRIGHT[self.quarter_turns],) if self.quarter_turns else ()


class FaceDetector:
    """Finds faces and marks 468 points of each. The networks are loaded when they are first needed.

    One detector may be used by several threads at once.

    Parameters
    ----------
    finder : FaceFinder, optional

    Examples
    --------
    >>> FaceDetector().detect(np.zeros((64, 64, 3), np.uint8))
    []
    """

    def __init__(self, finder: FaceFinder | None = None) -> None:
        self.finder = finder or FaceFinder()

    def search(self, image: np.ndarray) -> Search:
        """Find the faces in a photo, whichever way up it is.

        The largest face says which way up the photo is: it is turned by 90, 180 or 270 degrees where that brings
        this face nearer to upright, and it is tilted by more than `TILTED`.

        Parameters
        ----------
        image : (H, W, 3) uint8 array, sRGB

        Returns
        -------
        Search

        Raises
        ------
        FeatureblendError
            If it is no such array.
        """
        check_image(image)
        found = self.finder.find(image)
        if not found:
            return Search(image, [])
        largest = max(found, key=lambda face: np.prod(np.ptp(face.points[:, :2], axis=0)))
        turns = round(largest.roll / 90) % 4 if abs(largest.roll) > TILTED else 0
        upright = np.ascontiguousarray(np.rot90(image, turns)) if turns else image
        faces = sorted((_face(one, image.shape, turns) for one in found), key=lambda face: face.centre)
        return Search(upright, faces, turns)

    def detect(self, image: np.ndarray) -> list[Face]:
        """Find the faces that stand upright in a picture.

        Parameters
        ----------
        image : (H, W, 3) uint8 array, sRGB

        Returns
        -------
        list of Face
            From left to right; empty if there is none, or the picture has to be turned to show one (`search`).

        Raises
        ------
        FeatureblendError
            As `search`.
        """
        found = self.search(image)
        return [] if found.quarter_turns else found.faces

    def find(self, photo: Photo, which: int | str = "largest", position: int = 1) -> tuple[np.ndarray, Face]:
        """Load a photo and find one face in it.

        Parameters
        ----------
        photo : path-like, PIL image or (H, W, 3) uint8 array
        which : 'largest', 'central' or int
            As `choose_face`.
        position : int
            The photo's place in the caller's list, from 1, for messages.

        Returns
        -------
        image : (H, W, 3) uint8 array
            The photo, turned upright where it was not (`search`).
        face : Face

        Raises
        ------
        FeatureblendError
            If the photo cannot be read, shows no face, or not the one asked for.
        """
        loaded = load_photo(photo, position)
        found = self.search(loaded.pixels)
        name = photo_name(photo, position)
        return found.image, choose_face(found.faces, found.image.shape, which, name, loaded.warnings)


def _face(found: MeshFace, shape: Sequence[int], turns: int) -> Face:
    """A face in the photo of `shape` after it was turned by `np.rot90`."""
    mesh = found.points.copy()
    height, width = shape[:2]
    x, y = found.points[:, 0], found.points[:, 1]
    mesh[:, 0], mesh[:, 1] = {
        0: (x, y),
        1: (y, width - 1 - x),
        2: (width - 1 - x, height - 1 - y),
        3: (height - 1 - y, x),
    }[turns]
    (left, top), (right, bottom) = mesh[:, :2].min(axis=0), mesh[:, :2].max(axis=0)
    return Face((float(left), float(top), float(right), float(bottom)), seen_landmarks(mesh), mesh)


def choose_face(
    faces: Sequence[Face], shape: Sequence[int], which: int | str, name: str, warnings: Sequence[PhotoWarning] = ()
) -> Face:
    """Pick one face of several.

    Parameters
    ----------
    faces : sequence of Face
        From left to right, as `FaceDetector.detect` gives them.
    shape : sequence of int
        Height and width of the photo.
    which : 'largest', 'central' or int
        The largest box; the box nearest to the middle of the photo; or a number from 1, counted from the left.
    name : str
        The photo's name for messages.
    warnings : sequence of PhotoWarning
        What was found out while it was read, which may be why it shows no face.

    Returns
    -------
    Face

    Raises
    ------
    FeatureblendError
        If there is no face, or not as many as asked for.

    Examples
    --------
    >>> choose_face([], (64, 64), "largest", "beach.jpg")
    Traceback (most recent call last):
    featureblend.errors.FeatureblendError: no face found in beach.jpg: try a photo with a larger, upright, unhidden face
    """
    if not faces:
        why = "; ".join(warning.one for warning in warnings) or "try a photo with a larger, upright, unhidden face"
        raise FeatureblendError(f"no face found in {name}: {why}")
    which = whole(which)
    if isinstance(which, str) and which == "largest":
        return max(faces, key=lambda face: face.area)
    if isinstance(which, str) and which == "central":
        middle = np.array([shape[1] / 2, shape[0] / 2])
        return min(faces, key=lambda face: float(np.hypot(*(np.array(face.centre) - middle))))
    if not isinstance(which, (int, np.integer)) or isinstance(which, bool):
        raise FeatureblendError(f"unknown face {which!r}: use 'largest', 'central' or a number from 1")
    if not 1 <= which <= len(faces):
        many = "1 face" if len(faces) == 1 else f"{len(faces)} faces"
        raise FeatureblendError(f"{name} shows {many}; there is no face number {which} (counted from the left, from 1)")
    return faces[which - 1]
