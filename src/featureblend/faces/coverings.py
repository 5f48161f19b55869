"""What covers a face: glasses, hats, and lids that cover the eyes, recognised in the aligned crop.

For each a linear classifier of histograms of oriented gradients (Dalal and Triggs 2005) of the part of the crop where
it would be. ``tools/fit_coverings.py`` fitted them to photos of Labeled Faces in the Wild, one a person: 1,134 for
glasses and hats, 1,241 for lids. Of other people's photos 35 of 38 with glasses, 12 of 16 with hats or bands and 16 of
22 with lids over the eyes are recognised, of 82, 104 and 84 without 0, 0 and 1; of 1,404 that nobody chose 7 are taken
for closed eyes. Of 440 portraits by two generators 62 are taken for glasses or hats, 57 of them rightly.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from .alignment import resized

WEIGHTS = Path(__file__).parent / "networks" / "coverings.npz"
"""What ``tools/fit_coverings.py`` wrote: for each covering a weight a gradient, and the threshold."""

SIDE = 128
"""Side of the crops that are looked at, in pixels."""
ORIENTATIONS = 9
"""Directions by which gradients are counted, in cells; four make a block, whose counts are normalised together."""


@dataclass(frozen=True)
class Covering:
    """Something worn that covers part of a face."""

    name: str
    left: int
    top: int
    right: int
    bottom: int
    """Where it is looked for in a crop of `SIDE` pixels; whole cells."""
    cell: int = 8
    """Side of the cells, in pixels."""


COVERINGS = (
    Covering("glasses", 16, 40, 112, 80),
    Covering("hat", 16, 0, 112, 56),
    Covering("closed eyes", 24, 48, 104, 72, cell=4),
)
"""What is recognised."""


def gradients(image: np.ndarray, covering: Covering) -> np.ndarray:
    """Histograms of oriented gradients where a covering would be.

    Parameters
    ----------
    image : (S, S, 3) uint8 array, sRGB
        An aligned face.
    covering : Covering

    Returns
    -------
    (D,) float32 array

    References
    ----------
    N. Dalal and B. Triggs, "Histograms of oriented gradients for human detection", CVPR 2005.
    """
    grey = cv2.cvtColor(resized(image, SIDE), cv2.COLOR_RGB2GRAY)
    part = np.ascontiguousarray(grey[covering.top : covering.bottom, covering.left : covering.right])
    cell = (covering.cell, covering.cell)
    block = (2 * covering.cell, 2 * covering.cell)
    return np.ravel(cv2.HOGDescriptor(part.shape[::-1], block, cell, cell, ORIENTATIONS).compute(part))


@cache
def _weights() -> dict[str, np.ndarray]:
    with np.load(WEIGHTS) as file:
        return {name: file[name].astype(np.float64) for name in file.files}


def scores(image: np.ndarray) -> dict[str, float]:
    """How sure it is that a face wears each of `COVERINGS`.

    Parameters
    ----------
    image : (S, S, 3) uint8 array, sRGB
        An aligned face.

    Returns
    -------
    dict
        Name to a number; more than 0 where it is taken for it.

    Examples
    --------
    >>> from featureblend.faces.alignment import align_face
    >>> from featureblend.faces.drawn import draw_face
    >>> found = scores(align_face(*draw_face(7, 256), 128).image)
    >>> list(found), max(found.values()) < 0
    (['glasses', 'hat', 'closed eyes'], True)
    """
    found = {}
    for covering in COVERINGS:
        *weights, threshold = _weights()[covering.name]
        # A face and its mirror image are as good a view.
        both = [gradients(one, covering) @ np.array(weights) for one in (image, image[:, ::-1])]
        found[covering.name] = float(np.mean(both) - threshold)
    return found


def covered_by(image: np.ndarray) -> tuple[str, ...]:
    """What a face wears of `COVERINGS`; parameters as `scores`.

    Examples
    --------
    >>> from featureblend.faces.alignment import align_face
    >>> from featureblend.faces.drawn import draw_face
    >>> covered_by(align_face(*draw_face(7, 256), 128).image)
    ()
    """
    return tuple(name for name, score in scores(image).items() if score > 0)
