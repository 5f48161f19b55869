"""What each pixel of an aligned face shows: background, skin, clothes or hair.

A small U-Net of the project's own (``tools/train_face_parser.py``) looks at the face at 128 pixels; a guided filter
carries its answer to the picture's own size, so that edges lie where the picture has them.

References
----------
O. Ronneberger, P. Fischer, T. Brox, "U-Net: Convolutional Networks for Biomedical Image Segmentation", MICCAI 2015.
K. He, J. Sun, "Fast Guided Filter", arXiv:1505.00996, 2015.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ..io.onnx import open_network
from .alignment import blurred, resized

NETWORK = Path(__file__).parent / "networks" / "face_parser.onnx"
CLASSES = ("background", "skin", "clothes", "hair")
"""In the order of the network's results. Skin are face, ears and neck, and what lies on a face, such as glasses."""
SIDE = 128
"""Side of what the network sees, in pixels."""
RADIUS, SMOOTHNESS = 3, 1e-3
"""Of the guided filter: half side of its windows in pixels of `SIDE`, and the variance of brightness (0 to 1) below
which a window counts as even."""
EDGE = 0.02
"""How far the edge of a head may reach from where the network is sure of it, as a share of the side."""
HAIR_REACH, SURE_HAIR = 0.012, (0.3, 0.8)
"""Hair reaches so far beyond where it is seen, as a share of the side, and its edge is as soft; and the probabilities
that count as none, and as hair."""
PARTS = "parts"
"""What `AlignedFace.once` keeps the parts of a face by, as its restored crop shows them."""
ABOVE_EYES = 0.35
"""Height above which clothes are headwear, as a share of the side from above."""


@dataclass(frozen=True)
class FaceParts:
    """Where an aligned face has skin, hair, clothes and background.

    Examples
    --------
    >>> parts = FaceParts(np.eye(4, dtype=np.float32)[[[0, 1], [2, 3]]])
    >>> parts.hair.tolist(), parts.head.tolist()
    ([[0.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [0.0, 1.0]])
    """

    probabilities: np.ndarray = field(repr=False)
    """(S, S, 4) float32: of each of `CLASSES`; they sum to 1."""

    @property
    def background(self) -> np.ndarray:
        """(S, S) float32 in [0, 1]."""
        return self._of("background")

    @property
    def skin(self) -> np.ndarray:
        """(S, S) float32 in [0, 1]: face, ears and neck."""
        return self._of("skin")

    @property
    def clothes(self) -> np.ndarray:
        """(S, S) float32 in [0, 1]; headwear too, unless it looks like hair."""
        return self._of("clothes")

    @property
    def hair(self) -> np.ndarray:
        """(S, S) float32 in [0, 1]."""
        return self._of("hair")

    @cached_property
    def head(self) -> np.ndarray:
        """(S, S) float32 in [0, 1]: skin, hair and headwear of the person in the middle.

        Clothes that reach above the eyes are headwear: a hat, a hood or a scarf, with all that hangs together with it.
        """
        head = self.skin + self.hair
        side = len(head)
        _, patches = cv2.connectedComponents((self.clothes > 0.5).astype(np.uint8))
        above = np.bincount(patches[: round(ABOVE_EYES * side)].ravel(), minlength=patches.max() + 1) > 0
        above[0] = False
        if above.any():
            head = head + self.clothes * _grown(above[patches], side)
        count, patches = cv2.connectedComponents((head > 0.5).astype(np.uint8))
        if count > 2:
            middle = patches[3 * side // 8 : 5 * side // 8, 3 * side // 8 : 5 * side // 8]
            own = 1 + np.bincount(middle.ravel(), minlength=count)[1:].argmax()
            head = head * _grown(patches == own, side)
        return head

    def _of(self, name: str) -> np.ndarray:
        return self.probabilities[..., CLASSES.index(name)]


def _grown(mask: np.ndarray, side: int) -> np.ndarray:
    """A mask with room for the soft edge of what it covers."""
    reach = 2 * round(EDGE * side) + 1
    return cv2.dilate(mask.astype(np.uint8), np.ones((reach, reach), np.uint8))


def face_parts(image: np.ndarray) -> FaceParts:
    """Tell the parts of a face. Several threads may do so at once.

    Parameters
    ----------
    image : (S, S, 3) uint8 array, sRGB
        An aligned crop (`featureblend.faces.alignment`) of any size.

    Returns
    -------
    FaceParts
        At the same size.

    Examples
    --------
    >>> from featureblend.faces import EXAMPLES
    >>> from featureblend.io.image import load_image
    >>> parts = face_parts(load_image(EXAMPLES / "first.jpg"))  # an aligned crop
    >>> parts.probabilities.shape, bool(parts.skin[384, 384] > 0.9), bool(parts.head[10, 10] < 0.1)
    ((768, 768, 4), True, True)
    """
    small = resized(image, SIDE).astype(np.float32) / 255
    found = parser().run(None, {"images": small[None]})[0][0]
    fine = guided_filter(_brightness(image.astype(np.float32) / 255), _brightness(small), found)
    np.clip(fine, 0, 1, out=fine)
    fine /= (fine @ np.ones(len(CLASSES), np.float32))[..., None]
    return FaceParts(fine)


@cache
def parser() -> Any:
    """The network, opened once."""
    return open_network(NETWORK)


def anyones_hair(parts: Sequence[FaceParts]) -> np.ndarray:
    """Where at least one of several faces in one shape has hair, and a little beyond.

    Parameters
    ----------
    parts : sequence of FaceParts
        Of one size.

    Returns
    -------
    (S, S) float32 array in [0, 1]

    Examples
    --------
    >>> one, other = (FaceParts(np.eye(4, dtype=np.float32)[np.full((9, 9), label)]) for label in (0, 3))
    >>> anyones_hair([one, one]).max().item(), anyones_hair([one, other]).min().item()
    (0.0, 1.0)
    """
    return _and_beyond(np.max([one.hair for one in parts], axis=0))


def covered(parts: FaceParts, background: bool = False) -> np.ndarray:
    """Where hair or clothes cover a face, a scarf or a hat for one, and a little beyond.

    Parameters
    ----------
    parts : FaceParts
    background : bool
        Count background, too: all that shows no skin.

    Returns
    -------
    (S, S) float32 array in [0, 1]

    Examples
    --------
    >>> [covered(FaceParts(np.eye(4, dtype=np.float32)[np.full((9, 9), part)])).max().item() for part in range(4)]
    [0.0, 0.0, 1.0, 1.0]
    """
    return _and_beyond(1 - parts.skin if background else parts.hair + parts.clothes)


def _and_beyond(probability: np.ndarray) -> np.ndarray:
    """Where something is for sure, and as far beyond as its edge may reach."""
    sure = np.clip((probability - SURE_HAIR[0]) / (SURE_HAIR[1] - SURE_HAIR[0]), 0, 1)
    reach = max(1, round(HAIR_REACH * len(sure)))
    grown = cv2.dilate(sure, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8))
    return blurred(grown, max(0.5, HAIR_REACH * len(sure)))


def guided_filter(
    guide: np.ndarray, coarse: np.ndarray, values: np.ndarray, radius: int = RADIUS, smoothness: float = SMOOTHNESS
) -> np.ndarray:
    """Enlarge values so that their edges follow a picture's: He and Sun's fast guided filter.

    Parameters
    ----------
    guide : (H, W) float32 array
    coarse : (h, w) float32 array
        The guide at the values' size.
    values : (h, w, C) float32 array
    radius : int
        Half side of the windows in which values are a linear function of the guide, in pixels of `values`.
    smoothness : float
        The guide's variance below which a window counts as even, and has the values' mean.

    Returns
    -------
    (H, W, C) float32 array

    Examples
    --------
    >>> guide = np.zeros((8, 8), np.float32)
    >>> guide[:, 5:] = 1
    >>> soft = cv2.GaussianBlur(guide, (0, 0), 1.0)
    >>> bool(np.abs(guided_filter(guide, guide, soft[..., None])[..., 0] - guide).max() < np.abs(soft - guide).max())
    True
    """

    def mean(of: np.ndarray) -> np.ndarray:
        side = 2 * radius + 1
        return cv2.blur(of, (side, side), borderType=cv2.BORDER_REFLECT).reshape(of.shape)

    known = coarse[..., None]
    centre, level = mean(known), mean(values)
    variance = mean(known**2) - centre**2
    slope = (mean(known * values) - centre * level) / (variance + smoothness)
    size = (guide.shape[1], guide.shape[0])
    slope, offset = (cv2.resize(mean(one), size).reshape(*guide.shape, -1) for one in (slope, level - slope * centre))
    return np.asarray(cv2.add(slope * guide[..., None], offset)).reshape(slope.shape)


def _brightness(image: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
