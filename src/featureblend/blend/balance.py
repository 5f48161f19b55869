"""Weights at which a blend is as much one of two people as the other, found by halving an interval."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from ..errors import FeatureblendError
from ..faces.alignment import AlignedFace
from ..faces.recognizers import Recognizer, open_recognizer
from ..metrics.measures import face_distances
from ..model.networks import Networks
from .pipeline import BlendOptions, as_seen, blended, finished
from .quality import identity_distances

__all__ = ["Balancing", "even_shares", "even_weight"]

STEPS = 8
"""Halvings: the weight is right to 1/256."""


def even_weight(gap: Callable[[float], float]) -> float:
    """Find the first photo's weight at which a blend of two is equally close to both.

    Parameters
    ----------
    gap : callable
        The first photo's weight in, the blend's distance to the first less that to the second out; it falls from
        above 0 at weight 0 to below 0 at weight 1, and need not fall steadily.

    Returns
    -------
    float
        0 to 1.

    Raises
    ------
    FeatureblendError
        If the blend is nearer to one of them at both ends.

    Examples
    --------
    >>> even_weight(lambda weight: 0.625 - weight)
    0.625
    """
    low, high = 0.0, 1.0
    at_low, at_high = gap(low), gap(high)
    if at_low == 0 == at_high:
        return 0.5  # the photos are equal
    if at_low < 0 or at_high > 0:
        nearer = "first" if at_low < 0 else "second"
        raise FeatureblendError(f"no weight balances these photos: every blend of them is nearer to the {nearer}")
    for _ in range(STEPS):
        middle = (low + high) / 2
        here = gap(middle)
        if here == 0:
            return middle
        low, high = (middle, high) if here > 0 else (low, middle)
    return (low + high) / 2


Balancing = Literal["pictures", "identity"]
"""What a blend may be balanced by: how alike the pictures are, or how surely each person is recognised."""


def even_shares(
    networks: Networks,
    faces: Sequence[AlignedFace],
    options: BlendOptions,
    by: Balancing,
    recognizer: Recognizer | None = None,
) -> np.ndarray:
    """Find the weights of two faces at which the blend is equally close to both.

    Parameters
    ----------
    networks : Networks
    faces : two AlignedFace
        Of the model's size.
    options : BlendOptions
        How they are blended; size and background do not matter.
    by : 'pictures' or 'identity'
        Distances of the pictures inside the face, or of identity embeddings.
    recognizer : Recognizer, optional
        For 'identity'; by default the one of dlib.

    Returns
    -------
    (2,) float64 array
        Sums to 1.

    Raises
    ------
    FeatureblendError
        If every blend is nearer to the same one of them, or the recogniser is not installed.
    """
    plain = replace(options, background="blend", size="model")
    images, marks = [face.image for face in faces], [face.landmarks for face in faces]
    faces = as_seen(networks, faces, plain)
    if by == "identity":
        recognizer = recognizer or open_recognizer()
        known = [recognizer.embedding(face.image, face.landmarks) for face in faces]

    def gap(weight: float) -> float:
        made = blended(networks, faces, np.array([weight, 1 - weight]), plain)
        image = finished(made, faces, plain)
        if recognizer is not None and by == "identity":
            to_first, to_second = identity_distances(image, faces, recognizer, made.shape, known)
        else:
            to_first, to_second = face_distances(image, images, marks, made.shape.tolist())
        return to_first - to_second

    weight = even_weight(gap)
    return np.array([weight, 1 - weight])
