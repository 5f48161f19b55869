"""Diversity of blends, and their distance to the training faces."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from ..errors import FeatureblendError
from .inputs import Pictures, as_rows, as_stack, squared_distances

SMALL_SIDE = 32
"""Pictures are compared at this many pixels a side."""


class Nearest(NamedTuple):
    """The nearest training face of each output."""

    distances: np.ndarray
    """(N,) float64: root mean square difference."""
    indices: np.ndarray
    """(N,) int64: which training face it is."""


def _small_rows(values: Pictures, name: str) -> np.ndarray:
    """Pictures as float32 rows of their 32 x 32 copies, or features as float32 rows."""
    array = np.asarray(values)
    if array.dtype != np.uint8:
        return as_rows(array, name).astype(np.float32)
    small = [
        cv2.resize(image, (SMALL_SIDE, SMALL_SIDE), interpolation=cv2.INTER_AREA) for image in as_stack(array, name)
    ]
    return np.stack(small).reshape(len(small), -1).astype(np.float32)


def diversity(outputs: Pictures, inputs: Pictures) -> float:
    """Mean pairwise distance of outputs over that of inputs: near 0 if all outputs are one face.

    Parameters
    ----------
    outputs, inputs : (N, H, W, 3) uint8 arrays, or (N, D) float arrays of features
        At least two each. Pictures are compared at 32 x 32 pixels, a thousand take about 60 MB.

    Returns
    -------
    float
        0: all outputs are one (mode collapse). Blends of random pairs of unrelated faces at equal weights that keep
        their variety have 1; a pixel average of two halves the variance and has about .71.

    Raises
    ------
    FeatureblendError
        If there are fewer than two, or all inputs are equal.

    Notes
    -----
    It cannot see whether variety is in faces or in backgrounds and noise.

    References
    ----------
    E. Richardson and Y. Weiss, "On GANs and GMMs", NeurIPS 2018, on why variety needs a measure of its own; the ratio
    is this project's.

    Examples
    --------
    >>> diversity(np.array([[0.0], [1.0]]), np.array([[0.0], [4.0]]))
    0.25
    """
    means = []
    for values, name in ((outputs, "the outputs"), (inputs, "the inputs")):
        rows = _small_rows(values, name).astype(np.float64)
        if len(rows) < 2:
            raise FeatureblendError(f"{name}: diversity is of at least two, not {len(rows)}")
        rows -= rows.mean(axis=0)
        squares = squared_distances(rows, rows)
        np.fill_diagonal(squares, 0)
        means.append(np.sqrt(squares).sum() / (len(rows) * (len(rows) - 1)))
    if means[1] == 0:
        raise FeatureblendError("the inputs are all equal: there is no diversity to compare with")
    return float(means[0] / means[1])


def nearest_distances(outputs: Pictures, training: Pictures, block: int = 1024) -> Nearest:
    """Find each output's nearest training face, to detect memorised ones.

    Parameters
    ----------
    outputs, training : (N, H, W, 3) and (M, H, W, 3) uint8 arrays, or (N, D) and (M, D) float arrays
        Pictures are compared at 32 x 32 pixels.
    block : int
        Training faces handled at a time.

    Returns
    -------
    Nearest
        ``distances`` in grey levels for pictures, 0 for a copy, in the features' unit for features; and ``indices``.

    Raises
    ------
    FeatureblendError
        If the two are of different sizes or kinds.

    Notes
    -----
    Compare with the distances of held-out real faces to the training set: a model that copies has nearer ones. At 32
    pixels it cannot see copied details, nor a copy that is shifted or mirrored.

    References
    ----------
    The nearest-neighbour check of I. Goodfellow et al., "Generative adversarial nets", NIPS 2014, as a number.

    Examples
    --------
    >>> nearest_distances(np.array([[1.0], [9.0]]), np.array([[0.0], [7.0]]))
    Nearest(distances=array([1., 2.]), indices=array([0, 1]))
    """
    ours = _small_rows(outputs, "the outputs")
    if len(training) == 0:
        raise FeatureblendError("there is no training face to compare with")
    best, found = np.full(len(ours), np.inf), np.zeros(len(ours), dtype=np.int64)
    for start in range(0, len(training), block):
        rows = _small_rows(training[start : start + block], "the training faces")
        if rows.shape[1] != ours.shape[1]:
            raise FeatureblendError(f"rows of {ours.shape[1]} and of {rows.shape[1]} numbers cannot be compared")
        # The search is in single precision, about a common origin; the distance itself is then taken exactly.
        origin = ours.mean(axis=0)
        nearest = squared_distances(ours - origin, rows - origin).argmin(axis=1)
        exact = np.sqrt(np.square(ours.astype(np.float64) - rows[nearest]).mean(axis=1))
        nearer = exact < best
        best, found = np.where(nearer, exact, best), np.where(nearer, nearest + start, found)
    return Nearest(best, found)
