"""How evenly a continuum moves from one photo to another, and how realistic the pictures between are."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from ..errors import FeatureblendError
from .distance import Distance, picture_distance
from .inputs import Pictures, as_rows


def path_lengths(continuum: Sequence[Any] | np.ndarray, distance: Distance = picture_distance) -> np.ndarray:
    """Distance of each step of a continuum.

    Parameters
    ----------
    continuum : sequence of N of at least 2 pictures
        In order of alpha. Or whatever `distance` takes.
    distance : callable

    Returns
    -------
    (N - 1,) float64 array
        Their sum over d(A, B) is the path's length: 1 for a straight one, more for detours.

    References
    ----------
    T. Karras, S. Laine and T. Aila, "A style-based generator architecture for generative adversarial networks", CVPR
    2019 (perceptual path length, here with a named distance and finite steps).

    Examples
    --------
    >>> path_lengths([0.0, 1.0, 3.0], distance=lambda a, b: abs(a - b)).tolist()
    [1.0, 2.0]
    """
    if len(continuum) < 2:
        raise FeatureblendError(f"a path has at least two pictures, not {len(continuum)}")
    return np.array([distance(before, after) for before, after in pairwise(continuum)], dtype=np.float64)


def path_irregularity(lengths: Sequence[float] | np.ndarray) -> float:
    """Longest step over the mean step.

    Parameters
    ----------
    lengths : sequence of at least one float
        From `path_lengths`, of equal steps in alpha.

    Returns
    -------
    float
        1 (even) to the number of steps (one jump); NaN where nothing moves. It cannot see a path that is evenly wrong.

    Examples
    --------
    >>> path_irregularity([1.0, 2.0, 3.0])
    1.5
    """
    steps = np.asarray(lengths, dtype=np.float64)
    if steps.ndim != 1 or steps.size == 0 or not (steps >= 0).all():
        raise FeatureblendError("expected a path's steps: at least one number, none negative")
    mean = steps.mean()
    return float(steps.max() / mean) if mean > 0 else float("nan")


def boundary_error(
    continuum: Sequence[Any] | np.ndarray, a: Any, b: Any, distance: Distance = picture_distance
) -> tuple[float, float]:
    """Distance between the ends of a continuum and its photos.

    Parameters
    ----------
    continuum : sequence of pictures
        From alpha 0 (A) to alpha 1 (B).
    a, b : (H, W, 3) uint8 arrays
        The photos. Or whatever `distance` takes.
    distance : callable

    Returns
    -------
    (float, float)
        d(first, A) / d(A, B) and d(last, B) / d(A, B): 0 is ideal, 1 is as far as the other photo.

    Raises
    ------
    FeatureblendError
        If the continuum is empty or A and B are equal.

    Examples
    --------
    >>> boundary_error([1.0, 5.0, 9.5], 0.0, 10.0, distance=lambda a, b: abs(a - b))
    (0.1, 0.05)
    """
    if len(continuum) == 0:
        raise FeatureblendError("the continuum is empty")
    between = distance(a, b)
    if between <= 0:
        raise FeatureblendError("the two photos are equal: errors cannot be given as a share of their distance")
    return float(distance(continuum[0], a) / between), float(distance(continuum[-1], b) / between)


def path_positions(
    continuum: Sequence[Any] | np.ndarray, a: Any, b: Any, distance: Distance = picture_distance
) -> np.ndarray:
    """Position of each picture of a continuum between A and B: d(x, A) / (d(x, A) + d(x, B)).

    Returns
    -------
    (N,) float64 array
        0 at A, 1 at B. For `smoothness`, as faces have no angle to read.

    Examples
    --------
    >>> path_positions([0.0, 2.5, 10.0], 0.0, 10.0, distance=lambda a, b: abs(a - b)).tolist()
    [0.0, 0.25, 1.0]
    """
    to_a = np.array([distance(picture, a) for picture in continuum], dtype=np.float64)
    to_b = np.array([distance(picture, b) for picture in continuum], dtype=np.float64)
    if not (to_a + to_b > 0).all():
        raise FeatureblendError("the two photos and a picture between them are all equal: it has no position")
    return to_a / (to_a + to_b)


def smoothness(positions: Sequence[float] | np.ndarray) -> float:
    """ACAI's smoothness: the largest step along an interpolation, as a share of the way, beyond an even step.

    Parameters
    ----------
    positions : (N,) array of at least 2
        What each of N points is the nearest real thing to: an angle in the paper's task of lines, `path_positions`
        here.

    Returns
    -------
    float
        0 (even steps) to 1 - 1 / (N - 1) (one jump), and above where the path overshoots; NaN where both ends are one.

    Notes
    -----
    It cannot see whether the points are real: read it with `mean_distance`.

    References
    ----------
    D. Berthelot, C. Raffel, A. Roy and I. Goodfellow, "Understanding and improving interpolation in autoencoders via an
    adversarial regularizer", ICLR 2019 (arXiv:1807.07543), section 3.1.

    Examples
    --------
    >>> smoothness([0.0, 0.25, 1.0])  # steps of 1/4 and 3/4; even ones are 1/2
    0.25
    """
    places = np.asarray(positions, dtype=np.float64)
    if places.ndim != 1 or len(places) < 2 or not np.isfinite(places).all():
        raise FeatureblendError(f"smoothness takes the positions of at least two points, not {places.shape}")
    way = abs(places[-1] - places[0])
    return float(np.abs(np.diff(places)).max() / way - 1 / (len(places) - 1)) if way > 1e-4 else float("nan")


def mean_distance(interpolated: Pictures, real: Pictures, block: int = 256) -> float:
    """ACAI's mean distance: how far interpolated points are from their nearest real ones, by the cosine distance.

    Parameters
    ----------
    interpolated, real : (N, ...) and (M, ...) arrays
        Pictures or features of one shape.
    block : int
        Interpolated points handled at a time.

    Returns
    -------
    float
        0 (all on real points) to 2.

    Raises
    ------
    FeatureblendError
        If the shapes differ, or a point is all zero and has no direction.

    Notes
    -----
    On the pixels of photos it mostly compares brightness; `image_features` or identity embeddings say more. It falls
    as M grows, so compare figures of one M.

    References
    ----------
    Berthelot et al. 2019, as `smoothness`.

    Examples
    --------
    >>> round(mean_distance(np.array([[1.0, 0.0], [1.0, 1.0]]), np.array([[3.0, 0.0]])), 4)  # 0 and 1 - cos 45
    0.1464
    """
    ours, others = as_rows(interpolated, "the interpolated points"), as_rows(real, "the real points")
    if ours.shape[1] != others.shape[1]:
        raise FeatureblendError(f"points of {ours.shape[1]} and of {others.shape[1]} numbers cannot be compared")
    norms = [np.linalg.norm(rows, axis=1, keepdims=True) for rows in (ours, others)]
    if min(norm.min() for norm in norms) == 0:
        raise FeatureblendError("a point is all zero: it has no direction to compare")
    ours, others = ours / norms[0], others / norms[1]
    nearest = [1 - (ours[start : start + block] @ others.T).max(axis=1) for start in range(0, len(ours), block)]
    return float(np.concatenate(nearest).mean())


def cycle_error(latent: np.ndarray, latent_again: np.ndarray) -> float:
    """Relative change of a latent when it is decoded and encoded again: |E(G(z)) - z| / |z|.

    Parameters
    ----------
    latent, latent_again : arrays of one shape
        z, and E(G(z)).

    Returns
    -------
    float
        0 (nothing) upwards; about 1.4 where the two have nothing to do with each other. It cannot see errors that
        decoder and encoder agree on.

    References
    ----------
    The latent form of cycle consistency: J.-Y. Zhu et al., "Unpaired image-to-image translation using cycle-consistent
    adversarial networks", ICCV 2017.

    Examples
    --------
    >>> cycle_error(np.array([3.0, 4.0]), np.array([3.0, 3.0]))
    0.2
    """
    first, second = (np.asarray(values, dtype=np.float64) for values in (latent, latent_again))
    if first.shape != second.shape:
        raise FeatureblendError(f"the latents differ in shape: {first.shape} and {second.shape}")
    size = float(np.linalg.norm(first))
    if size == 0:
        raise FeatureblendError("the latent is zero: errors cannot be given as a share of it")
    return float(np.linalg.norm(second - first) / size)
