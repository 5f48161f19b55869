"""Faces in photos: find them, mark 68 points, choose one, and describe whose it is.

dlib's HOG and CNN detectors, its 68-point landmark model (trained on 300-W, which is for research
use) and its face recognition network come with the packages ``dlib-bin`` and
``face_recognition_models`` and work offline. Everything that knows about dlib is in `FaceDetector`.
"""

from __future__ import annotations

import hashlib
import importlib.util
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ..errors import FeatureblendError
from ..io.image import Photo, check_image, load_photo, photo_name
from ..io.photo_warnings import TURNED_UPRIGHT, PhotoWarning
from ..io.tables import whole

__all__ = ["Face", "FaceDetector", "Search", "choose_face"]

HOG_FILE = Path(__file__).parent / "detectors" / "dlib_frontal_face.svm"
"""dlib's frontal face detector in a form that loads at once."""

SMALL_PHOTO = 640
"""Longest side of the photos that are searched at 480 pixels first; HOG's windows are 80 pixels wide."""

MAX_ENLARGEMENT = 4.0
"""Small photos are enlarged at most so many times for the search."""

CNN_FACE = 40
"""Side of the smallest face that the CNN detector finds, in pixels."""

KEPT_EMBEDDINGS = 4096
"""So many embeddings are kept, of 1 kB each: one takes 0.2 s."""

DOUBTFUL = 0.125
"""A box whose score is less than this share of the best one's in the photo is dropped: cloth, a hand, half a face."""


SURE = 1.0
"""HOG's score from which a face stands upright beyond doubt: the other three ways up are not searched. Of 134 upright
photos 6 have less; turned by 90, 180 or 270 degrees, or tilted by 30 and then turned, none has more than 0.7."""

CLEAR = 0.7
"""HOG's score from which a face in a turned photo is believed; below it, the CNN detector has to find it too."""

AHEAD = 0.3
"""By so much another way up must score better around a face that only the CNN detector found."""

LOOK = 240
"""Side in pixels at which a face of half that width is looked at; HOG's windows are 80 pixels wide."""

FAINTEST = -1.0
"""HOG's threshold for that."""


@dataclass(frozen=True)
class Face:
    """A face in a photo, in that photo's pixels."""

    box: tuple[float, float, float, float]
    """left, top, right, bottom."""
    landmarks: np.ndarray = field(repr=False)
    """(68, 2) float64: x, y of dlib's 68 points."""

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


@dataclass(frozen=True)
class _Hits:
    """What a detector found in a copy of a photo."""

    copy: np.ndarray
    scale: float
    rectangles: Sequence[Any] = ()
    scores: Sequence[float] = ()

    @property
    def best(self) -> float:
        return max(self.scores, default=-np.inf)


class FaceDetector:
    """Finds faces and their landmarks with dlib. The models are loaded when they are first needed.

    One detector may be used by several threads; they take turns. Detectors of their own work at the same time.

    Examples
    --------
    >>> FaceDetector().detect(np.zeros((64, 64, 3), np.uint8))
    []
    """

    def __init__(self, use_cnn: bool = True) -> None:
        self.use_cnn = use_cnn
        """Whether to try the slow CNN detector (about 1 s a photo) when nothing else found a face."""
        # dlib lets go of Python's lock while it works on buffers of its own: two threads in it would mix them.
        self._turn = threading.RLock()
        self._known: dict[bytes, np.ndarray] = {}

    @cached_property
    def _dlib(self) -> Any:
        try:
            import dlib
        except ImportError as error:
            raise FeatureblendError("the package dlib-bin is missing: pip install dlib-bin") from error
        return dlib

    @staticmethod
    def _model_file(name: str) -> str:
        # The package imports pkg_resources, which new Pythons lack; only its folder is needed.
        found = importlib.util.find_spec("face_recognition_models")
        if found is None or found.origin is None:
            raise FeatureblendError(
                "the package face_recognition_models is missing: pip install face_recognition_models"
            )
        return str(Path(found.origin).parent / "models" / name)

    @cached_property
    def _hog(self) -> Any:
        try:
            return self._dlib.fhog_object_detector(str(HOG_FILE))
        except RuntimeError:  # another version of dlib may not read the file: its own copy takes 0.4 s to unpack
            return self._dlib.get_frontal_face_detector()

    @cached_property
    def _cnn(self) -> Any:
        return self._dlib.cnn_face_detection_model_v1(self._model_file("mmod_human_face_detector.dat"))

    @cached_property
    def _predictor(self) -> Any:
        return self._dlib.shape_predictor(self._model_file("shape_predictor_68_face_landmarks.dat"))

    @cached_property
    def _recognizer(self) -> Any:
        return self._dlib.face_recognition_model_v1(self._model_file("dlib_face_recognition_resnet_model_v1.dat"))

    def search(self, image: np.ndarray) -> Search:
        """Find the faces in a photo, whichever way up it is.

        The photo is searched with the HOG detector at 480 pixels, then at 960; a larger one at 960,
        so that a group's smaller faces are found with its larger ones, then at 1920. The first
        search that finds a face decides. Unless it is `SURE` that the face stands upright, the
        photo is searched in the same way turned by 90, 180 and 270 degrees, and the way up with the
        best score counts. Last comes the CNN detector, which finds faces any way up; which one it
        is, HOG's scores around the face tell.

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
        with self._turn:
            return self._search(image)

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

    def _search(self, image: np.ndarray) -> Search:
        sides = (480, 960) if max(image.shape[:2]) <= SMALL_PHOTO else (960, 1920)
        copies = [_resized(image, side) for side in sides]
        hits = [self._hog_hits(copies)]
        if hits[0].best < SURE:
            hits += [self._hog_hits([(_turned(copy, turns), scale) for copy, scale in copies]) for turns in (1, 2, 3)]
        turns = max(range(len(hits)), key=lambda turns: hits[turns].best)
        if hits[turns].rectangles and (turns == 0 or hits[turns].best >= CLEAR):
            return self._found(image, turns, hits[turns])
        copy, scale = _resized(image, 480)
        if not self.use_cnn or min(copy.shape[:2]) < CNN_FACE:  # it fails on strips that are smaller than its windows
            return self._found(image, 0, hits[0])
        if not hits[turns].rectangles:
            turns = 0
        copy = _turned(copy, turns)  # it finds more faces that stand upright than others
        sure = self._cnn(copy, 0)
        if not sure:
            return self._found(image, 0, hits[0])
        rectangles, scores = [one.rect for one in sure], [one.confidence for one in sure]
        if any(
            _overlap(one, scale, other, hits[turns].scale) for one in rectangles for other in hits[turns].rectangles
        ):
            return self._found(image, turns, hits[turns])
        more = self._way_up(copy, rectangles[int(np.argmax(scores))])
        turned = [_turned_rectangle(self._dlib, one, copy.shape, more) for one in rectangles]
        return self._found(image, (turns + more) % 4, _Hits(_turned(copy, more), scale, turned, scores))

    def _hog_hits(self, copies: Sequence[tuple[np.ndarray, float]]) -> _Hits:
        for copy, scale in copies:
            found, scores, _ = self._hog.run(copy, 0, 0.0)
            if found:
                return _Hits(copy, scale, found, scores)
        return _Hits(*copies[-1])

    def _way_up(self, copy: np.ndarray, face: Any) -> int:
        """Say by how many quarter turns a face stands upright that only the CNN detector found."""
        side, middle = 2 * face.width(), (face.center().x, face.center().y)
        part = cv2.getRectSubPix(copy, (side, side), middle)
        part = cv2.resize(part, (LOOK, LOOK), interpolation=cv2.INTER_LINEAR)
        scores = [max(self._hog.run(_turned(part, turns), 0, FAINTEST)[1], default=FAINTEST) for turns in range(4)]
        best = int(np.argmax(scores))
        return best if scores[best] > scores[0] + AHEAD else 0

    def _found(self, image: np.ndarray, turns: int, hits: _Hits) -> Search:
        image = _turned(image, turns)
        least = hits.best * DOUBTFUL
        boxes = [
            _box(rectangle, hits.scale)
            for rectangle, score in zip(hits.rectangles, hits.scores, strict=True)
            if score >= least
        ]
        # dlib gives landmarks in whole pixels: on the enlarged copy of a small photo that is finer.
        place = (hits.copy, hits.scale) if hits.scale > 1 else (np.ascontiguousarray(image), 1.0)
        faces = sorted((Face(box, self._landmarks(*place, box)) for box in boxes), key=lambda face: face.centre)
        return Search(image, faces, turns if faces else 0)

    def _landmarks(self, picture: np.ndarray, scale: float, box: tuple[float, float, float, float]) -> np.ndarray:
        shape = self._predictor(picture, self._dlib.rectangle(*(round(value * scale) for value in box)))
        points = np.array([(point.x, point.y) for point in shape.parts()], dtype=np.float64)
        return (points + 0.5) / scale - 0.5

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

    def embedding(self, image: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
        """Describe whose face it is: dlib's 128 numbers, nearer than about 0.6 for one person.

        Parameters
        ----------
        image : (H, W, 3) uint8 array
        landmarks : (68, 2) array
            In that picture's pixels.

        Returns
        -------
        (128,) float64 array
        """
        # A list of blends, or a search for a balance, asks for the same parents again and again.
        key = hashlib.sha256(image.tobytes() + np.asarray(landmarks, np.float64).tobytes()).digest()
        with self._turn:
            if key not in self._known:
                if len(self._known) >= KEPT_EMBEDDINGS:
                    self._known.pop(next(iter(self._known)))
                self._known[key] = self._embedded(image, landmarks)
            return self._known[key].copy()

    def _embedded(self, image: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
        dlib = self._dlib
        low, high = landmarks.min(axis=0), landmarks.max(axis=0)
        box = dlib.rectangle(int(low[0]), int(low[1]), int(high[0]), int(high[1]))
        points = dlib.points([dlib.point(int(x), int(y)) for x, y in np.rint(landmarks)])
        shape = dlib.full_object_detection(box, points)
        return np.array(self._recognizer.compute_face_descriptor(np.ascontiguousarray(image), shape))


def _resized(image: np.ndarray, side: int) -> tuple[np.ndarray, float]:
    """Return a copy whose longest side is `side`, and its scale; small pictures grow less."""
    scale = min(side / max(image.shape[:2]), MAX_ENLARGEMENT)
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    kind = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.ascontiguousarray(cv2.resize(image, size, interpolation=kind)), scale


def _turned(image: np.ndarray, turns: int) -> np.ndarray:
    return np.rot90(image, turns).copy() if turns else image


def _turned_rectangle(dlib: Any, rectangle: Any, shape: Sequence[int], turns: int) -> Any:
    """Turn a rectangle with its picture of that shape, counter-clockwise."""
    left, top, right, bottom = rectangle.left(), rectangle.top(), rectangle.right(), rectangle.bottom()
    height, width = shape[:2]
    for _ in range(turns):
        left, top, right, bottom = top, width - 1 - right, bottom, width - 1 - left
        height, width = width, height
    return dlib.rectangle(left, top, right, bottom)


def _overlap(one: Any, scale: float, other: Any, other_scale: float) -> bool:
    """Say whether two rectangles in copies of one picture lie on the same face: by the centres' distance."""
    first, second = (_box(rectangle, by) for rectangle, by in ((one, scale), (other, other_scale)))
    apart = np.abs(np.add(first[:2], first[2:]) - np.add(second[:2], second[2:])).max() / 2
    return bool(apart < (min(first[2] - first[0], second[2] - second[0])) / 2)


def _box(rectangle: Any, scale: float) -> tuple[float, float, float, float]:
    left, top = rectangle.left() / scale, rectangle.top() / scale
    return left, top, (rectangle.right() + 1) / scale, (rectangle.bottom() + 1) / scale


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
        raise FeatureblendError(
            f"{name} shows {len(faces)} face(s); there is no face number {which} (from the left, from 1)"
        )
    return faces[which - 1]
