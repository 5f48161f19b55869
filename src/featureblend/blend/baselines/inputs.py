"""Input checks and output conversion shared by the baselines."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...errors import FeatureblendError
from ...io.image import check_image

MIN_SIDE = 8
"""Pictures with a side below this are refused: the filters would be wider than the picture."""


def check_inputs(images: Sequence[np.ndarray], weights: Sequence[float]) -> np.ndarray:
    """Check photos and weights before a blend, and return the weights as an array.

    Parameters
    ----------
    images : sequence of N (H, W, 3) uint8 arrays
        Aligned faces, sRGB, all of one shape.
    weights : sequence of N floats
        Sum to 1. They may lie outside [0, 1], which extrapolates.

    Returns
    -------
    (N,) float64 array

    Raises
    ------
    FeatureblendError
        If there is no photo, a photo is no (H, W, 3) uint8 array or smaller than `MIN_SIDE`, the shapes
        differ, or the weights are not N finite numbers that sum to 1.

    Examples
    --------
    >>> check_inputs([np.zeros((32, 32, 3), np.uint8)] * 2, (0.25, 0.75)).tolist()
    [0.25, 0.75]
    >>> check_inputs([np.zeros((32, 32, 3), np.uint8)] * 2, (1, 1))
    Traceback (most recent call last):
    featureblend.errors.FeatureblendError: the weights must sum to 1, not 2
    """
    if len(images) == 0:
        raise FeatureblendError("no photo to blend: give at least one")
    for position, image in enumerate(images, 1):
        check_image(image, f"photo {position}")
        if image.shape != images[0].shape:
            raise FeatureblendError(
                f"photo {position} is {_size(image)} and photo 1 is {_size(images[0])}: align them to one size first"
            )
    if min(images[0].shape[:2]) < MIN_SIDE:
        raise FeatureblendError(f"the photos are {_size(images[0])}: expected at least {MIN_SIDE} pixels a side")
    checked = np.asarray(weights, dtype=np.float64)
    if checked.shape != (len(images),):
        raise FeatureblendError(f"{len(images)} photos need {len(images)} weights, not {checked.size}")
    if not np.isfinite(checked).all():
        raise FeatureblendError(f"the weights must be finite numbers, not {checked.tolist()}")
    if abs(checked.sum() - 1) > 1e-4:
        raise FeatureblendError(f"the weights must sum to 1, not {checked.sum():g}")
    return checked


def _size(image: np.ndarray) -> str:
    return f"{image.shape[1]}x{image.shape[0]}"


def relative_weights(weights: np.ndarray) -> np.ndarray:
    """Scale weights so that the largest is 1: the gain of each photo's details before the strongest is taken.

    With it, equal photos count in full, a photo's details fade out as its weight goes to 0, and a blend of a
    photo with itself is that photo. Without it, the faintest photo would show at full strength wherever the
    others are plain.

    Examples
    --------
    >>> relative_weights(np.array([0.5, 0.5])).tolist()
    [1.0, 1.0]
    >>> relative_weights(np.array([0.8, 0.2])).tolist()
    [1.0, 0.25]
    """
    return weights / np.abs(weights).max()
