"""Ghosting: the share of the parents' outlines that show doubled in a blend, each at part of its strength.

The score is this project's own. It rests on one fact: a cross-dissolve's gradient field is the weighted sum of its
parents' gradient fields, and no photo's is. The literature names the fault (the "double exposure" of G. Wolberg,
"Image morphing: a survey", The Visual Computer 14, 1998) without a measure of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import reduce

import cv2
import numpy as np

from ..errors import FeatureblendError
from ..faces.masks import hull_mask
from ..faces.parser import FaceParts
from ..faces.warp import mean_shape, warp_map
from ..io.image import check_image
from .inputs import luma

SIDE = 128
"""The pictures are measured at this many pixels on their longer side; the lengths below are in these pixels."""

EDGE_SCALE = 1.5
"""Standard deviation of the Gaussian under the gradients: texture finer than this is no outline."""

EDGE_CONTRAST = 6.0
"""Gradients below this many grey levels a pixel are no outline (a step of about 25 levels has 6)."""

REACH = 2
"""Two parents' edges of one direction within so many pixels are one outline, not two."""

WINDOW = 5.0
"""Standard deviation of the neighbourhood in which the parents' shares in the blend's edges are estimated."""

DIRECTIONS = 8
"""Bins of edge direction, over the full circle: an edge from dark to light is another than one from light to dark."""

RIDGE = 0.02
"""Pull of a neighbourhood's shares to the whole picture's, where a parent has little to show there."""

NOISE = 1.0
"""Gradients of this many grey levels a pixel are taken for noise."""


@dataclass(frozen=True)
class Ghosting:
    """Shares of the parents' edges that show through doubled, 0 (none) to 1 (a cross-dissolve of unlike pictures)."""

    whole: float
    """Over the whole picture, or the mask that was given."""
    inside: float | None
    """Inside the face: the convex hull of the blended landmarks. None without landmarks."""
    outside: float | None
    """Outside it: hair, ears, neck and background. None without landmarks."""
    skin: float | None
    """Where every parent shows skin: face, ears and neck. None unless the parents' parts are known."""
    hair: float | None
    """Where any parent has hair, in the face too."""
    elsewhere: float | None
    """In background and clothes, and where one parent's skin meets another's background."""
    map: np.ndarray = field(repr=False)
    """(H, W) float32: ghosted edge strength at each pixel of the blend, in grey levels a pixel; for pictures."""


def ghosting(
    blend: np.ndarray,
    parents: Sequence[np.ndarray],
    weights: Sequence[float] | None = None,
    landmarks: Sequence[np.ndarray] | None = None,
    mask: np.ndarray | None = None,
    parts: Sequence[FaceParts] | None = None,
) -> Ghosting:
    """Measure how much of the parents' outlines show through a blend as doubled, weaker outlines.

    Parameters
    ----------
    blend : (H, W, 3) uint8 array, sRGB
    parents : sequence of N of at least 2 (H, W, 3) uint8 arrays
        The aligned photos that were blended, of the blend's size.
    weights : sequence of N floats, optional
        The weights of the blend; equal if not given. Only used to place the mean shape of `landmarks`.
    landmarks : sequence of N (68, 2) arrays, optional
        The parents' landmarks, (x, y) in pixels. With them the blend is also compared with the parents warped to
        the mean shape, and the face is told from what surrounds it. Without them a landmark morph, compared with
        unwarped parents only, seems to have less ghosting than it has.
    mask : (H, W) array, optional
        Where to look: all shares are taken over its non-zero pixels.
    parts : sequence of N FaceParts, optional
        What the parents show, warped to the mean shape where there are landmarks (`featureblend.faces.parser`). With
        them `skin`, `hair` and `elsewhere` are told apart: the hull of landmarks holds fringes, and no forehead.

    Returns
    -------
    Ghosting

    Raises
    ------
    FeatureblendError
        If there are fewer than two parents, sizes differ, or there is not one set of landmarks, or of parts, a parent.

    Notes
    -----
    At each place, over a neighbourhood of about 10 pixels (of 128), the blend's gradient is fitted as
    ``sum_i a_i g_i``, g_i the gradient of parent i. Parent i's share is s_i = a_i / sum(a). What counts is

        ghosted = sum over parents of (edge strength of i that no other parent shares) * 4 s_i (1 - s_i) * R^2

    over the parents' edge strength in all: 1 where both parents show at equal strength, 0 where the blend follows one
    of them, whatever its contrast, sharpness or amount of smoothing. R^2, the part of the blend's gradient that the fit
    explains, takes out new outlines that lie in between. Edges that the parents share (within 2 pixels, with one
    direction) cannot be doubled, so that a landmark morph scores low inside the face as far as the features there
    are alike. Where a parent is plain, its a_i is taken from the whole picture, but only to fill the other up to full
    strength. The fit is made against the parents as they are, and warped to the mean shape if there are landmarks; at
    each place the better of the two counts.

    Measured on 60 pairs of LFW photos, in the picture / inside the face: pixel average .66 / .48 (of photos that are
    misaligned by 9 pixels .72 / .64), landmark morph .63 / .37, a third photo .06 / .05, one parent 0, the left half of
    one beside the right half of the other .05 / .07, one parent blurred by 1 or 2 pixels .03 or .08, the pixel average
    blurred by 2 or 4 pixels .60 or .43.

    What it cannot see: doubling in colour at equal luma; doubled outlines less than 2 pixels apart; invented double
    outlines that no parent has. Blurring a ghost does not hide it until little is left, but a flat picture has no edges
    and scores 0, as does noise: read it beside `sharpness`, never alone. With N parents at equal weights the
    most it can reach is 4 (N - 1) / N^2, as averages of many have fainter ghosts.

    Examples
    --------
    >>> a, b = np.full((2, 64, 64, 3), 40, np.uint8)
    >>> a[:, 16:], b[:, 48:] = 200, 200
    >>> half = ((a.astype(int) + b) // 2).astype(np.uint8)
    >>> [round(ghosting(image, [a, b]).whole, 2) for image in (half, a, b)]
    [1.0, 0.0, 0.0]
    """
    return ParentOutlines(parents, weights, landmarks, parts).ghosting(blend, mask)


class ParentOutlines:
    """The parents' side of `ghosting`: worked out once for all blends of the same parents in the same shape.

    Parameters
    ----------
    parents, weights, landmarks, parts
        As in `ghosting`.

    Raises
    ------
    FeatureblendError
        As `ghosting`.

    Examples
    --------
    >>> a, b = np.full((2, 64, 64, 3), 40, np.uint8)
    >>> a[:, 16:], b[:, 48:] = 200, 200
    >>> outlines = ParentOutlines([a, b])
    >>> [round(outlines.ghosting(image).whole, 2) for image in (a // 2 + b // 2, a, b)]
    [1.0, 0.0, 0.0]
    """

    def __init__(
        self,
        parents: Sequence[np.ndarray],
        weights: Sequence[float] | None = None,
        landmarks: Sequence[np.ndarray] | None = None,
        parts: Sequence[FaceParts] | None = None,
    ) -> None:
        if len(parents) < 2:
            raise FeatureblendError(f"ghosting compares a blend with at least two photos, not {len(parents)}")
        if landmarks is not None and len(landmarks) != len(parents):
            raise FeatureblendError(
                f"{len(parents)} parents need {len(parents)} sets of landmarks, not {len(landmarks)}"
            )
        if parts is not None and len(parts) != len(parents):
            raise FeatureblendError(f"{len(parents)} parents need {len(parents)} sets of parts, not {len(parts)}")
        self._shape = parents[0].shape
        for number, parent in enumerate(parents, 1):
            self._check(parent, f"parent {number}")
        self._scale = SIDE / max(self._shape[:2])
        originals = [luma(_resized(parent, self._scale)) for parent in parents]
        self._settings = [_Setting([_gradient(parent) for parent in originals])]
        self._face: np.ndarray | None = None
        if landmarks is not None:
            # Pixel centres lie at whole numbers, so that a change of size moves them by half a pixel.
            points = [(np.asarray(shape, dtype=np.float64) + 0.5) * self._scale - 0.5 for shape in landmarks]
            shares = [1 / len(parents)] * len(parents) if weights is None else weights
            target = mean_shape(points, shares)
            warped = [_warped(parent, at, target) for parent, at in zip(originals, points, strict=True)]
            self._settings.append(_Setting([_gradient(parent) for parent in warped]))
            self._face = hull_mask(target, originals[0].shape)
        self._parts = None if parts is None else _regions(parts, self._scale)

    def ghosting(self, blend: np.ndarray, mask: np.ndarray | None = None) -> Ghosting:
        """Measure a blend; parameters, result and errors as the function `ghosting`."""
        self._check(blend, "the blend")
        height, width = blend.shape[:2]
        if mask is not None and np.shape(mask) != (height, width):
            raise FeatureblendError(f"the mask is {np.shape(mask)} and the blend {(height, width)}: expected one size")
        gradient = _gradient(luma(_resized(blend, self._scale)))
        fits = [setting.fit(gradient) for setting in self._settings]
        better = fits[-1].explained > fits[0].explained
        ghosted = np.where(better, fits[-1].ghosted, fits[0].ghosted)
        edges = np.where(better, self._settings[-1].edges, self._settings[0].edges)
        seen = np.ones(edges.shape, bool) if mask is None else _resized(np.asarray(mask, np.float32), self._scale) > 0
        face = self._face
        skin, hair, elsewhere = (
            (None,) * 3 if self._parts is None else (_share(ghosted, edges, seen & part) for part in self._parts)
        )
        return Ghosting(
            whole=_share(ghosted, edges, seen),
            inside=None if face is None else _share(ghosted, edges, seen & face),
            outside=None if face is None else _share(ghosted, edges, seen & ~face),
            skin=skin,
            hair=hair,
            elsewhere=elsewhere,
            map=cv2.resize(ghosted, (width, height)),
        )

    def _check(self, image: np.ndarray, name: str) -> None:
        check_image(image, name)
        if image.shape != self._shape:
            raise FeatureblendError(f"{name} is {image.shape} and parent 1 is {self._shape}: expected one size")


@dataclass(frozen=True)
class _Fit:
    ghosted: np.ndarray
    explained: np.ndarray


class _Setting:
    """The parents' gradients, as they are or warped, and what every fit of a blend's by them takes."""

    def __init__(self, parents: list[np.ndarray]) -> None:
        self.parents = parents
        # The neighbourhoods are wide, so that half the resolution is enough for them: (h, w, N, N) normal equations.
        self.dots = np.stack(
            [np.stack([_pooled((a * b).sum(axis=0)) for a in parents], axis=-1) for b in parents], axis=-1
        )
        self.total = self.dots.mean(axis=(0, 1), dtype=np.float64)
        self.ridge = RIDGE * np.trace(self.dots, axis1=2, axis2=3) / len(parents) + NOISE**2 / 4
        # How much of each amount the ridge supplies: where a parent is plain, its amount is a guess.
        self.guessed = self.ridge[..., None] / (np.diagonal(self.dots, axis1=2, axis2=3) + self.ridge[..., None])
        strength = [cv2.magnitude(parent[0], parent[1]) for parent in parents]
        visible = [np.maximum(edge - EDGE_CONTRAST, 0) for edge in strength]
        self.edges = np.sum(visible, axis=0)
        self.unshared = [edge * alone for edge, alone in zip(visible, _unshared(parents, strength), strict=True)]

    def fit(self, blend: np.ndarray) -> _Fit:
        """Fit a blend's gradient by the parents' in every neighbourhood, and weight what shows doubled."""
        unit = np.eye(len(self.parents), dtype=np.float32)
        onto = np.stack([_pooled((a * blend).sum(axis=0)) for a in self.parents], axis=-1)
        energy = _pooled((blend * blend).sum(axis=0))
        steady = self.total + (1e-3 * np.trace(self.total) + 1e-6) * unit
        prior = np.maximum(np.linalg.solve(steady, onto.mean(axis=(0, 1), dtype=np.float64)), 0).astype(np.float32)
        pulled = onto + self.ridge[..., None] * prior
        amounts = np.linalg.solve(self.dots + self.ridge[..., None, None] * unit, pulled[..., None])
        amounts = np.maximum(amounts[..., 0], 0)
        left = energy - 2 * (amounts * onto).sum(axis=-1)
        left = left + np.einsum("...i,...ij,...j->...", amounts, self.dots, amounts)
        explained = np.clip(1 - left / (energy + NOISE**2), 0, 1)
        shape = blend.shape[:0:-1]
        ghosted = np.zeros(blend.shape[1:], np.float32)
        for index, unshared in enumerate(self.unshared):
            doubled = _doubled(amounts, self.guessed, prior, index) * explained
            ghosted += unshared * cv2.resize(doubled, shape)
        return _Fit(ghosted, cv2.resize(explained, shape))


def _doubled(amounts: np.ndarray, guessed: np.ndarray, prior: np.ndarray, index: int) -> np.ndarray:
    """4 s (1 - s) at each place, where s is the share of parent `index`."""
    own = amounts[..., index]
    # A guess at another parent may fill this one up to full strength, no more: an outline at full strength is clean.
    room = np.maximum(1 - own, 0)[..., None]
    others = np.maximum(amounts - guessed * np.maximum(prior - room, 0), 0)
    rest = others.sum(axis=-1) - others[..., index]
    share = own / (own + rest + 1e-3)
    return 4 * share * (1 - share)


def _unshared(parents: list[np.ndarray], strength: list[np.ndarray]) -> list[np.ndarray]:
    """For each parent and pixel, the part of its edge that is not near an edge of every other parent."""
    angles = np.arange(DIRECTIONS) * (2 * np.pi / DIRECTIONS)
    near = np.ones((2 * REACH + 1, 2 * REACH + 1), np.uint8)
    bins = [
        np.rint(cv2.phase(parent[0], parent[1]) * np.float32(DIRECTIONS / (2 * np.pi))).astype(np.int8) % DIRECTIONS
        for parent in parents
    ]
    unshared = [np.zeros_like(edge) for edge in strength]
    for direction, angle in enumerate(angles):
        along = [
            cv2.dilate(parent[0] * np.float32(np.cos(angle)) + parent[1] * np.float32(np.sin(angle)), near)
            for parent in parents
        ]
        for index, edge in enumerate(strength):
            weakest = reduce(np.minimum, [other for at, other in enumerate(along) if at != index])
            alone = np.clip(1 - weakest / (edge + 1e-6), 0, 1)
            unshared[index] = np.where(bins[index] == direction, alone, unshared[index])
    return unshared


def _warped(grey: np.ndarray, landmarks: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Warp a picture as the landmark morph does."""
    mapping = warp_map((grey.shape[0], grey.shape[1]), landmarks, target)
    return cv2.remap(grey, mapping[..., 0], mapping[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)


def _gradient(grey: np.ndarray) -> np.ndarray:
    """The (2, H, W) gradient of the smoothed luma, in grey levels per pixel."""
    smooth = cv2.GaussianBlur(grey, (0, 0), EDGE_SCALE)
    return np.stack([cv2.Scharr(smooth, cv2.CV_32F, 1, 0), cv2.Scharr(smooth, cv2.CV_32F, 0, 1)]) / 32


def _pooled(values: np.ndarray) -> np.ndarray:
    half = cv2.resize(values, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    return cv2.GaussianBlur(half, (0, 0), WINDOW / 2)


def _regions(parts: Sequence[FaceParts], scale: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where all parents show skin, where any has hair, and all else: (H, W) bool arrays."""
    skin = np.min([_resized(one.skin, scale) for one in parts], axis=0) > 0.5
    hair = np.max([_resized(one.hair, scale) for one in parts], axis=0) > 0.5
    return skin, hair, ~(skin | hair)


def _resized(image: np.ndarray, scale: float) -> np.ndarray:
    if scale == 1:
        return image
    height, width = (max(round(side * scale), 8) for side in image.shape[:2])
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return cv2.resize(image, (width, height), interpolation=interpolation)


def _share(ghosted: np.ndarray, edges: np.ndarray, where: np.ndarray) -> float:
    total = edges[where].sum(dtype=np.float64)
    return float(ghosted[where].sum(dtype=np.float64) / total) if total > 0 else 0.0
