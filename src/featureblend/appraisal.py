"""What comes with a blend: its measures, those of the photos that went in, and what speaks against them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from .alignment import AlignedFace
from .blending import Made
from .classical.morph import mean_shape
from .errors import FeatureblendError
from .evaluate import conditions
from .evaluate.distance import balance_of_distances
from .evaluate.measures import MEANINGS as OF_PICTURES
from .evaluate.measures import blend_measures
from .evaluate.scores import psnr
from .faces import FaceDetector

__all__ = [
    "MEANINGS",
    "Measuring",
    "appraise",
    "check_measuring",
    "identity_distances",
    "is_mended",
    "mending_warnings",
]

Measuring = Literal["none", "pictures", "identity"]
"""How much is measured: nothing, what the pictures tell, or also who is recognised in them."""

MEANINGS = {
    **OF_PICTURES,
    "reconstruction": "how near the model's picture of each photo, rid of damage, is to it: PSNR in dB, more is nearer",
    "reconstruction_inside_face": "the same between brows and chin",
    "yaw": "how far each head is turned, in degrees; more than 0 to the viewer's right",
    "identity_distances": "distance of dlib's identity embedding to each parent; under 0.6 it is taken for that person",
    "identity_balance": "as balance, by identity (two photos only)",
}
"""What each measure says, in a few words. 'identity' brings the last two, 'latent' the reconstructions."""


def check_measuring(measures: str) -> None:
    """Raise `FeatureblendError` unless it is one of `Measuring`."""
    if measures not in ("none", "pictures", "identity"):
        raise FeatureblendError(f"unknown measures {measures!r}: use none, pictures or identity")


def appraise(
    made: Made,
    faces: Sequence[AlignedFace],
    names: Sequence[str],
    typical: float,
    recognizer: FaceDetector | None = None,
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Measure a blend and its photos.

    Parameters
    ----------
    made : Made
        With the parents decoded, where there is a model in it.
    faces : sequence of N AlignedFace
        Cleaned (`featureblend.blending.cleaned`), where there is a model in it.
    names : N strings
        What to call the photos in warnings.
    typical : float
        The model's mean PSNR in dB on people that it never saw.
    recognizer : FaceDetector, optional
        For the measures of identity.

    Returns
    -------
    measures : dict
        Keys as in `MEANINGS`; plain numbers and lists, ready for JSON.
    warnings : tuple of str
    """
    landmarks = [face.landmarks for face in faces]
    measures = blend_measures(made.image, [face.image for face in faces], made.texture, landmarks)
    errors: list[tuple[float, float] | None] = [None] * len(faces)
    if made.decoded:
        marks = [mean_shape(landmarks, made.shape)] * len(faces) if made.bent else landmarks
        errors = [
            # Where a code was mixed as it is, its picture is the photo, and nothing is lost.
            None if face.latent is not None and not made.bent else conditions.reconstruction_errors(seen, decoded, at)
            for face, seen, decoded, at in zip(faces, made.encoded, made.decoded, marks, strict=True)
        ]
        measures["reconstruction"] = [error and _rounded(error[0]) for error in errors]
        measures["reconstruction_inside_face"] = [error and _rounded(error[1]) for error in errors]
    yaws = [conditions.head_pose(points)[0] for points in landmarks]
    measures["yaw"] = [round(yaw) for yaw in yaws]
    warnings = []
    for face, name, yaw, error in zip(faces, names, yaws, errors, strict=True):
        # A code doesn't know how large its photo was.
        width = None if face.latent is not None else conditions.face_width(face.landmarks, face.matrix)
        warnings += conditions.photo_warnings(name, yaw, width, error, typical, _mended(face))
    if recognizer is not None:
        measures |= _identity(made, faces, recognizer)
    return measures, tuple(warnings)


def mending_warnings(faces: Sequence[AlignedFace], names: Sequence[str]) -> tuple[str, ...]:
    """Say of which photos damage was undone, and no more than that.

    Parameters
    ----------
    faces : sequence of N AlignedFace
        Cleaned (`featureblend.blending.cleaned`).
    names : N strings
        What to call the photos.

    Returns
    -------
    tuple of str
    """
    pairs = zip(faces, names, strict=True)
    return tuple(line for face, name in pairs for line in conditions.photo_warnings(name, mended=_mended(face)))


def is_mended(face: AlignedFace) -> bool:
    """Say whether anything was changed in a cleaned face, be it too little for a word of `mending_warnings`."""
    return not np.array_equal(face.sound, face.image)


def _mended(face: AlignedFace) -> tuple[float, ...] | None:
    return None if face.damage is None else (psnr(face.sound, face.image), *face.damage.tolist())


def _rounded(decibels: float) -> float | None:
    return round(decibels, 1) if np.isfinite(decibels) else None


def identity_distances(
    image: np.ndarray,
    faces: Sequence[AlignedFace],
    recognizer: FaceDetector,
    shape: np.ndarray | None = None,
    parents: Sequence[np.ndarray] | None = None,
) -> list[float]:
    """Distances of dlib's identity embedding of a blend to those of its parents.

    Parameters
    ----------
    image : (S, S, 3) uint8 array
        The blend's aligned crop.
    faces : sequence of N AlignedFace
    recognizer : FaceDetector
    shape : (N,) array, optional
        Shares of the faces in the blend's shape; equal if left out.
    parents : N (128,) arrays, optional
        The parents' embeddings, where they are known.

    Returns
    -------
    list of float
        Under 0.6 the blend is taken for that person.
    """
    shares = np.full(len(faces), 1 / len(faces)) if shape is None else shape
    own = recognizer.embedding(image, mean_shape([face.landmarks for face in faces], shares))
    known = parents or [recognizer.embedding(face.image, face.landmarks) for face in faces]
    return [float(np.linalg.norm(own - parent)) for parent in known]


def _identity(made: Made, faces: Sequence[AlignedFace], recognizer: FaceDetector) -> dict[str, Any]:
    parents = [recognizer.embedding(face.image, face.landmarks) for face in faces]
    distances = identity_distances(made.image, faces, recognizer, made.shape, parents)
    found: dict[str, Any] = {"identity_distances": [round(distance, 3) for distance in distances]}
    if len(parents) == 2:
        between = float(np.linalg.norm(parents[0] - parents[1]))
        even = balance_of_distances(distances[0], distances[1], between) if between > 0 else None
        found["identity_balance"] = None if even is None else round(even, 3)
    return found
