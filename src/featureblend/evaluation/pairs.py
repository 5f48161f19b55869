"""A pair of faces to blend, and the scores of its blends and continua.

What several methods or scores need of a face or a pair is worked out once and kept with it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from ..faces.masks import hull_mask
from ..faces.parser import face_parts
from ..faces.warp import warp_to_mean
from ..metrics.distance import balance_of_distances, lab_levels, levels_distance
from ..metrics.ghosts import ParentOutlines
from ..metrics.inputs import Pictures
from ..metrics.mirror import symmetry
from ..metrics.patch_statistics import SIDE, image_features
from ..metrics.paths import boundary_error, mean_distance, path_irregularity, path_lengths, path_positions, smoothness
from ..metrics.scores import sharpness
from ..metrics.skin import colour_between, skin_colour
from ..metrics.spectrum import radial_spectrum

FINER_SIDE = 256
"""Pictures of this side or more are described at it, others at the features' own."""

T = TypeVar("T")


class _Shared:
    """Something that work is done on once, whoever asks for it first."""

    def __init__(self) -> None:
        self._done: dict[Hashable, Any] = {}

    def once(self, what: Hashable, work: Callable[[], T]) -> T:
        """The result of `work`, which is done only where nobody asked for `what` yet."""
        if what not in self._done:
            self._done[what] = work()
        return self._done[what]  # type: ignore[no-any-return]


class Face(_Shared):
    """A parent of one or more pairs.

    Parameters
    ----------
    image : (S, S, 3) uint8 array
    landmarks : (68, 2) array
        In its pixels.
    """

    def __init__(self, image: np.ndarray, landmarks: np.ndarray) -> None:
        super().__init__()
        self.image, self.landmarks = image, np.asarray(landmarks, np.float64)

    @cached_property
    def skin(self) -> np.ndarray:
        """(3,) colour of its skin, as `skin_colour`."""
        return skin_colour(self.image, self.landmarks)


class Pair(_Shared):
    """Two faces that are blended."""

    def __init__(self, a: Face, b: Face) -> None:
        super().__init__()
        self.faces = (a, b)

    @property
    def images(self) -> list[np.ndarray]:
        """Two (S, S, 3) uint8."""
        return [face.image for face in self.faces]

    @property
    def landmarks(self) -> list[np.ndarray]:
        """Two (68, 2) float64."""
        return [face.landmarks for face in self.faces]

    @cached_property
    def outlines(self) -> ParentOutlines:
        """What ghosts are looked for, in an even blend."""
        warped = warp_to_mean(self.images, self.landmarks, [0.5, 0.5])
        return ParentOutlines(self.images, None, self.landmarks, [face_parts(picture) for picture in warped])

    def outlines_at(self, alpha: float) -> ParentOutlines:
        """The same in a blend in which the second face has that weight."""
        return self.once(("outlines", alpha), lambda: ParentOutlines(self.images, [1 - alpha, alpha], self.landmarks))

    @cached_property
    def levels(self) -> list[list[np.ndarray]]:
        """Both pictures, ready for `levels_distance`."""
        return [lab_levels(image) for image in self.images]

    @cached_property
    def middle(self) -> np.ndarray:
        """(68, 2) landmarks of an even blend."""
        return np.mean(self.landmarks, axis=0)  # type: ignore[no-any-return]

    @cached_property
    def mask(self) -> np.ndarray | None:
        """(S, S) bool: the face of an even blend; None where it covers no pixel."""
        mask = hull_mask(self.middle, self.images[0].shape[:2])
        return mask if mask.any() else None

    @cached_property
    def apart(self) -> float:
        """The faces' distance over the whole picture."""
        return levels_distance(self.levels[0], self.levels[1])

    @cached_property
    def apart_inside(self) -> float:
        """The same inside the face."""
        return levels_distance(self.levels[0], self.levels[1], self.mask)


def described_side(side: int) -> int:
    """Side in pixels at which pictures of a side are described."""
    return FINER_SIDE if side >= FINER_SIDE else SIDE


def described(images: Pictures) -> np.ndarray:
    """(N, D) `image_features` of pictures of one size, those of `FINER_SIDE` or more with their finer detail."""
    stack = np.asarray(images)
    return image_features(stack, described_side(stack.shape[-2]))


def score_blend(blend: np.ndarray, pair: Pair) -> dict[str, Any]:
    """Score one even blend of two faces.

    Parameters
    ----------
    blend : (S, S, 3) uint8 array
    pair : Pair

    Returns
    -------
    dict
        Figures by name; ``sharpness`` in squared grey levels still, and ``spectrum`` a list.
    """
    ghosts = pair.outlines.ghosting(blend)
    levels = lab_levels(blend)
    skin, theirs = skin_colour(blend, pair.middle), [face.skin for face in pair.faces]
    return {
        "sharpness": sharpness(blend),
        "spectrum": radial_spectrum(blend)[0].tolist(),
        "ghosting": ghosts.whole,
        "ghosting_inside": ghosts.inside,
        "ghosting_outside": ghosts.outside,
        "ghosting_skin": ghosts.skin,
        "ghosting_hair": ghosts.hair,
        "ghosting_elsewhere": ghosts.elsewhere,
        "balance": _balance(levels, pair, None, pair.apart),
        "balance_inside": None if pair.mask is None else _balance(levels, pair, pair.mask, pair.apart_inside),
        "skin": colour_between(skin, theirs),
        "skin_lightness": float(skin[0] - np.mean(theirs, axis=0)[0]),
        "skin_chroma": float(np.hypot(*skin[1:]) - np.mean([np.hypot(*colour[1:]) for colour in theirs])),
        "symmetry": symmetry(blend, pair.middle),
    }


def _balance(levels: list[np.ndarray], pair: Pair, mask: np.ndarray | None, apart: float) -> float | None:
    to_a, to_b = (levels_distance(levels, parent, mask) for parent in pair.levels)
    return balance_of_distances(to_a, to_b, apart) if apart else None


def score_path(continuum: Sequence[np.ndarray], pair: Pair, real: np.ndarray) -> dict[str, float | None]:
    """Score a continuum from one face to the other; the boundary error is the mean of its two ends'.

    Parameters
    ----------
    continuum : sequence of (S, S, 3) uint8 arrays
    pair : Pair
    real : (R, D) array
        Features of real faces.

    Returns
    -------
    dict
        Figures by name.
    """
    levels, (a, b) = [lab_levels(picture) for picture in continuum], pair.levels
    lengths = path_lengths(levels, levels_distance)
    inner = described(list(continuum[1:-1])) if len(continuum) > 2 else None
    inside = zip(np.linspace(0, 1, len(continuum))[1:-1].tolist(), continuum[1:-1], strict=True)
    ghosts = [pair.outlines_at(alpha).ghosting(picture).outside for alpha, picture in inside]
    return {
        "path_irregularity": path_irregularity(lengths),
        "path_length": float(lengths.sum()) / pair.apart,
        "smoothness": smoothness(path_positions(levels, a, b, levels_distance)),
        "mean_distance": None if inner is None else mean_distance(inner, real),
        "boundary_error": float(np.mean(boundary_error(levels, a, b, levels_distance))),
        "path_ghosting": max((ghost for ghost in ghosts if ghost is not None), default=None),
    }
