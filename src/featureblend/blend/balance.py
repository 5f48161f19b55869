"""Weights at which a blend is as much one of two people as the other, and blends in which both are recognised."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from ..errors import FeatureblendError
from ..faces.alignment import AlignedFace
from ..faces.recognizers import Recognizer
from ..metrics.measures import face_distances
from ..model.networks import Networks
from .compositing.between import Meetings
from .pipeline import BlendOptions, as_seen, blended, finished
from .quality import identity_distances

STEPS = 8
"""Halvings: the weight is right to 1/256."""

WEIGHT_STEPS, SHAPE_STEPS = (0.16, 0.08, 0.04), (0.2, 0.1)
"""How far the weights of all else and of the shape are moved to both sides in a search for who is recognised."""


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


def even_shares(networks: Networks, faces: Sequence[AlignedFace], options: BlendOptions) -> np.ndarray:
    """Find the weights of two faces at which the blend's picture is equally close to both, inside the face.

    Parameters
    ----------
    networks : Networks
    faces : two AlignedFace
        Of the model's size.
    options : BlendOptions
        How they are blended; size and background do not matter.

    Returns
    -------
    (2,) float64 array
        Sums to 1.

    Raises
    ------
    FeatureblendError
        If every blend is nearer to the same one of them.
    """
    plain = replace(options, background="blend", size="model")
    images, marks = [face.image for face in faces], [face.landmarks for face in faces]
    faces, meetings = as_seen(networks, faces, plain), Meetings()

    def gap(weight: float) -> float:
        made = blended(networks, faces, np.array([weight, 1 - weight]), plain, meetings=meetings)
        to_first, to_second = face_distances(finished(made, plain), images, marks, made.shape.tolist())
        return to_first - to_second

    weight = even_weight(gap)
    return np.array([weight, 1 - weight])


def recognized_shares(
    networks: Networks, faces: Sequence[AlignedFace], options: BlendOptions, recognizers: Sequence[Recognizer]
) -> tuple[np.ndarray, BlendOptions]:
    """Find how two faces are blended so that both are recognised, by all recognisers, as surely as can be.

    Parameters
    ----------
    networks : Networks
    faces : two AlignedFace
        Of the model's size.
    options : BlendOptions
        How they are blended; size and background do not matter. What it leaves open is searched, too: with 'latent'
        whose hair and background, and with the methods that warp the weights of the shape.
    recognizers : sequence of Recognizer
        The one that is least sure counts: what one alone is led to is often no likeness to another.

    Returns
    -------
    shares : (2,) float64 array
        Sums to 1.
    options : BlendOptions
        With what was open.
    """
    plain = replace(options, background="blend", size="model")
    faces, meetings = as_seen(networks, faces, plain), Meetings()
    known = [[one.embedding(face.image, face.landmarks) for face in faces] for one in recognizers]
    thresholds = [one.threshold for one in recognizers]
    hair = plain.method == "latent" and plain.surroundings == "auto"
    owners = (1, 2) if hair else (plain.surroundings if isinstance(plain.surroundings, int) else 0,)
    shaped = plain.warps and plain.shape_weights is None

    def chosen(whose: int, weight: float, shape: float) -> tuple[np.ndarray, BlendOptions]:
        found = replace(
            plain,
            surroundings=whose if hair else plain.surroundings,
            shape_weights=(1 - shape, shape) if shaped else plain.shape_weights,
        )
        return np.array([1 - weight, weight]), found

    def sureness(whose: int, weight: float, shape: float) -> float:
        shares, how = chosen(whose, weight, shape)
        made = blended(networks, faces, shares, how, meetings=meetings)
        picture = finished(made, how)
        distances = [
            identity_distances(picture, faces, one, made.shape, parents)
            for one, parents in zip(recognizers, known, strict=True)
        ]
        return least_sure(distances, thresholds)

    shares, found = chosen(*surest(sureness, owners, shaped))
    return shares, replace(found, background=options.background, size=options.size)


def least_sure(distances: Sequence[Sequence[float]], thresholds: Sequence[float]) -> float:
    """How surely the person that is recognised least is recognised, by the recogniser that is least sure.

    Parameters
    ----------
    distances : sequence of sequences of float
        Of each recogniser, the blend's to each person.
    thresholds : sequence of float
        Of each recogniser, the distance up to which two faces are one person's.

    Returns
    -------
    float
        1 where the blend is both people, 0 at a threshold, less beyond it.

    Examples
    --------
    >>> least_sure([[0.3, 0.45], [0.5, 0.8]], [0.6, 1.0])
    0.2
    """
    return min(round(1 - max(row) / threshold, 12) for row, threshold in zip(distances, thresholds, strict=True))


def surest(
    sureness: Callable[[int, float, float], float], owners: Sequence[int] = (1, 2), shaped: bool = True
) -> tuple[int, float, float]:
    """Search for the largest sureness, one thing after the other: a dozen blends.

    Parameters
    ----------
    sureness : callable
        Whose hair, the second photo's weight, and its weight in the shape, in.
    owners : sequence of int
        Whose hair and background it may be: 1, 2, or 0 for no single photo's. Below half of the weight a photo's own
        would show the other's through, so that its weight only grows.
    shaped : bool
        Whether the weight in the shape is open.

    Returns
    -------
    owner : int
    weight, shape : float
        0 to 1; the weight in the shape is 0.5 where it was not searched.

    Examples
    --------
    >>> surest(lambda owner, weight, shape: owner - abs(weight - 0.6) - abs(shape - 0.3))
    (2, 0.58, 0.3)
    >>> surest(lambda owner, weight, shape: -owner - abs(weight - 0.6) - abs(shape - 0.3))
    (1, 0.5, 0.3)
    """
    tried: dict[tuple[int, float, float], float] = {}

    def best_of(*places: tuple[int, float, float]) -> tuple[int, float, float]:
        for place in places:
            if place not in tried:
                tried[place] = sureness(*place)
        return max(places, key=tried.__getitem__)

    best = best_of(*((owner, 0.5, 0.5) for owner in owners))
    for step in WEIGHT_STEPS:
        owner, weight, shape = best
        weights = (round(weight + side * step, 3) for side in (-1, 1))
        whole = [one for one in weights if not owner or (one >= 0.5) == (owner == 2)]
        best = best_of(best, *((owner, one, shape) for one in whole))
    for step in SHAPE_STEPS if shaped else ():
        owner, weight, shape = best
        best = best_of(best, *((owner, weight, round(shape + side * step, 3)) for side in (-1, 1)))
    return best
