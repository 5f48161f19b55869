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

from .errors import FeatureblendError
from .image import Photo, check_image, load_image, photo_name
from .tables import whole

__all__ = ["Face", "FaceDetector", "choose_face"]

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

    def detect(self, image: np.ndarray) -> list[Face]:
        """Find the faces in a picture.

        The picture is searched with the HOG detector at 480 pixels, then at 960; a larger one at 960,
        so that a group's smaller faces are found with its larger ones, then at 1920; last with the
        CNN detector. The first search that finds a face decides.

        Parameters
        ----------
        image : (H, W, 3) uint8 array, sRGB

        Returns
        -------
        list of Face
            From left to right; empty if there is none.

        Raises
        ------
        FeatureblendError
            If it is no such array.
        """
        check_image(image)
        with self._turn:
            return self._detected(image)

    def _detected(self, image: np.ndarray) -> list[Face]:
        for side in (480, 960) if max(image.shape[:2]) <= SMALL_PHOTO else (960, 1920):
            copy, scale = _resized(image, side)
            found, scores, _ = self._hog.run(copy, 0, 0.0)
            if found:
                return self._faces(image, copy, scale, found, scores)
        copy, scale = _resized(image, 480)
        if self.use_cnn and min(copy.shape[:2]) >= CNN_FACE:  # it fails on strips that are smaller than its windows
            sure = self._cnn(copy, 0)
            return self._faces(image, copy, scale, [one.rect for one in sure], [one.confidence for one in sure])
        return []

    def _faces(
        self, image: np.ndarray, copy: np.ndarray, scale: float, found: Sequence[Any], scores: Sequence[float]
    ) -> list[Face]:
        least = max(scores, default=0.0) * DOUBTFUL
        boxes = [_box(rectangle, scale) for rectangle, score in zip(found, scores, strict=True) if score >= least]
        # dlib gives landmarks in whole pixels: on the enlarged copy of a small photo that is finer.
        place = (copy, scale) if scale > 1 else (np.ascontiguousarray(image), 1.0)
        return sorted((Face(box, self._landmarks(*place, box)) for box in boxes), key=lambda face: face.centre)

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
        face : Face

        Raises
        ------
        FeatureblendError
            If the photo cannot be read, shows no face, or not the one asked for.
        """
        image = load_image(photo, position)
        return image, choose_face(self.detect(image), image.shape, which, photo_name(photo, position))

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


def _box(rectangle: Any, scale: float) -> tuple[float, float, float, float]:
    left, top = rectangle.left() / scale, rectangle.top() / scale
    return left, top, (rectangle.right() + 1) / scale, (rectangle.bottom() + 1) / scale


def choose_face(faces: Sequence[Face], shape: Sequence[int], which: int | str, name: str) -> Face:
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
        raise FeatureblendError(f"no face found in {name}: try a photo with a larger, upright, unhidden face")
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
