"""Weights at which a blend is equally close to two people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from .alignment import AlignedFace
from .appraisal import identity_distances
from .blending import Manner, as_seen, blended, finished
from .evaluate.even import even_weight
from .evaluate.measures import face_distances
from .faces import FaceDetector
from .networks import Networks

__all__ = ["Balancing", "even_shares"]

Balancing = Literal["pictures", "identity"]
"""What a blend may be balanced by: how alike the pictures are, or how surely each person is recognised."""


def even_shares(
    networks: Networks, faces: Sequence[AlignedFace], manner: Manner, by: Balancing, recognizer: FaceDetector
) -> np.ndarray:
    """Find the weights of two faces at which the blend is equally close to both.

    Parameters
    ----------
    networks : Networks
    faces : two AlignedFace
        Of the model's size.
    manner : Manner
        How they are blended; size and background do not matter.
    by : 'pictures' or 'identity'
        Distances of the pictures inside the face, or of dlib's identity embedding.
    recognizer : FaceDetector

    Returns
    -------
    (2,) float64 array
        Sums to 1.

    Raises
    ------
    FeatureblendError
        If every blend is nearer to the same one of them.
    """
    plain = replace(manner, background="blend", size=None)
    images, marks = [face.image for face in faces], [face.landmarks for face in faces]
    faces = as_seen(networks, faces, plain)
    if by == "identity":
        known = [recognizer.embedding(face.image, face.landmarks) for face in faces]

    def gap(weight: float) -> float:
        made = blended(networks, faces, np.array([weight, 1 - weight]), plain)
        image = finished(made, faces, plain)
        if by == "identity":
            to_first, to_second = identity_distances(image, faces, recognizer, made.shape, known)
        else:
            to_first, to_second = face_distances(image, images, marks, made.shape.tolist())
        return to_first - to_second

    weight = even_weight(gap)
    return np.array([weight, 1 - weight])
