"""Full-size detail: the blend's low frequencies with its parents' own high ones, each place from one parent.

A model of 128 pixels knows what the blend looks like, softly; its parents' photos know what skin, hair and eyes look
like, sharply. Both are cut into bands (P. J. Burt and E. H. Adelson, "A multiresolution spline with application to
image mosaics", ACM Trans. Graphics 2(4), 1983) after the parents were warped to the blend's shape. Inside the face the
coarse bands are the blend's and the fine ones of the parent that wins the region, but where the parents' lines match
they are the mean of all (`fusion`); around it, where no landmark aligns hair or background, all bands are one parent's,
whose skin takes on the face's colour.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from ...faces.alignment import AlignedFace, blurred
from ...faces.masks import REGIONS, face_mask, region_masks, rescaled_points
from ...faces.warp import lie_at, sample, warp_map
from ...io.image import to_uint8
from ...io.threads import side_by_side
from ..baselines.pyramid import collapse, default_levels, gaussian_pyramid, laplacian_pyramid
from .detail_weights import face_shares
from .fusion import toward_mean
from .skin import skin_around, spread, tinted

GUIDE = 128
"""Side at which is decided whose detail to take, and at which colours are matched."""

SKIN_SIDE = 384
"""Side at which skin is told from what is behind it, where the picture is larger."""

BLEND_SIDE = 45
"""Bands of a pyramid level this small or smaller are the blend's inside the face ..."""
PARENT_SIDE = 128
"""... and of this many pixels or more a parent's; in between both."""

OUTLINES = 3.0
"""Where two parents share the surroundings, their shares in the outlines go with their shares to this power: a mist of
one about the other is seen less than its outlines ..."""
OUTLINES_SIDE = 30
"""... which are in the bands of pyramid levels of this side or more."""

WHOLE_SOFT = 0.012
"""Standard deviation of the edge of the face in which all parents' lines are, as a share of the side."""

MOUTH = REGIONS.index("mouth")
MOUTHS_APART, CLOSED = (0.05, 0.1), (0.03, 0.06)
"""A blend's mouth is one parent's whole, half or altogether, where two mouths' openings
(`featureblend.faces.landmarks.mouth_opening`) differ by these, and the less open one's is below these."""
LIPS = (0.01, 0.012)
"""How far the mouth then reaches beyond the lips, and how softly it ends, as in `region_masks`: no moustache."""
MOUTH_PULL = 40.0
"""Pull of an open mouth, as a logarithm of its share, for each 1 of opening: closed lips torn open show no teeth."""

FRAME = 6
"""One over this share of the crop's side is looked at around it, at most, where faces are warped ..."""
SAMPLED = 4
"""... and at least so many pixels, which Lanczos's kernel reaches."""

CONTRAST_GAIN = (0.67, 1.5)
"""How far the contrast of a parent's detail is fitted to the blend's brightness."""


def own_share(weights: np.ndarray) -> float:
    """How far a blend is a single photo: 0 at equal weights, 1 if one photo has all the weight.

    Examples
    --------
    >>> own_share(np.array([0.5, 0.5])), own_share(np.array([0.25, 0.75])), own_share(np.array([0.0, 1.0]))
    (0.0, 0.25, 1.0)
    """
    over = (float(np.max(weights)) - 1 / len(weights)) * len(weights) / max(len(weights) - 1, 1)
    return max(0.0, 1 - abs(1 - over)) ** 2


def warped_parent(crop: AlignedFace, shape: np.ndarray) -> np.ndarray:
    """Warp a face to a shape, as `featureblend.faces.warp.warp_to_shape` does, but to float32 in 0 to 255.

    A chin that is lifted brings in what the photo shows below the crop: a mirrored chin would be a second one.

    Parameters
    ----------
    crop : AlignedFace
        At the size that is due.
    shape : (68, 2) array
        Where its landmarks shall be.

    Returns
    -------
    (S, S, 3) float32 array
    """
    if lie_at(crop.landmarks, shape):
        return crop.image.astype(np.float32)
    size = crop.image.shape[0]
    mapping = warp_map((size, size), crop.landmarks, shape)
    beyond = max(0.0, -float(mapping.min()), float(mapping.max()) - (size - 1)) + SAMPLED
    step = max(1, size // (4 * FRAME))  # few widths, so that the next blend of the face finds its frame cut
    frame = min(size // FRAME, step * int(np.ceil(beyond / step)))
    warped = sample(crop.padded(frame), mapping + np.float32(frame))
    return np.clip(warped, 0, 255, out=warped)


def add_detail(
    blend: np.ndarray,
    parents: Sequence[np.ndarray],
    weights: Sequence[float] | np.ndarray,
    shape: np.ndarray,
    surroundings: Sequence[float] | np.ndarray,
    skin: np.ndarray | None = None,
    hair: np.ndarray | None = None,
    mouths: Sequence[float] | np.ndarray | None = None,
) -> np.ndarray:
    """Add the parents' fine detail to a blend.

    Parameters
    ----------
    blend : (s, s, 3) uint8 or float array, 0 to 255, sRGB
        Of any size; it is scaled to the parents'.
    parents : sequence of N (S, S, 3) float or uint8 arrays, 0 to 255
        Warped to the blend's shape: `warped_parent`.
    weights : sequence of N floats
        Sum to 1. Negative ones give no detail.
    shape : (68, 2) array
        The blend's landmarks in pixels of the parents.
    surroundings : sequence of N floats
        Shares of the parents around the face; sum to 1:
        `featureblend.blend.compositing.composing.resolve_source_weights`.
    skin, hair : (n, n) arrays in [0, 1], optional
        Where the source of hair and background shows skin, and where any parent has hair, which is the source's then;
        of any size. Skin is looked for, in pictures larger than that too, whose edges are finer.
    mouths : sequence of N floats, optional
        How far each parent's mouth is open (`featureblend.faces.landmarks.mouth_opening`). Where one is closed and
        another is not, the mouth is one parent's whole, and the open one's first: teeth are not half there.

    Returns
    -------
    (S, S, 3) uint8 array

    Notes
    -----
    At a weight of 1 it is that parent's picture, whatever the model lost of it. It follows the weights smoothly
    and treats the parents alike.

    Examples
    --------
    >>> from featureblend.faces.drawn import draw_face
    >>> image, points = draw_face(0, 64)
    >>> bool((add_detail(image[::2, ::2], [image, image], [1, 0], points, [1, 0]) == image).all())
    True
    """
    size = parents[0].shape[0]
    images = [np.asarray(parent, np.float32) for parent in parents]
    shares = np.maximum(np.asarray(weights, np.float64), 0)
    shares = shares / shares.sum()
    own = own_share(np.asarray(weights, np.float64))
    guides = [_scaled(image, GUIDE) for image in images]
    guide, points = _scaled(np.asarray(blend, np.float32), GUIDE), rescaled_points(shape, GUIDE / size)
    # Only what lies well inside the face (deep) says how its colour differs, not what shines in from behind it.
    forms = ((0.075, 0.03), (0, WHOLE_SOFT), (0, 0.02), (0, 0.03))
    inside, whole, core, deep = (face_mask(points, GUIDE, forehead=lift, soft=soft) for lift, soft in forms)
    if hair is not None:
        bare = 1 - _scaled(hair, GUIDE)
        inside, whole, core, deep = (mask * bare for mask in (inside, whole, core, deep))
    around = np.asarray(surroundings, np.float64)
    regions = region_masks(points, GUIDE)
    apart, pulls = _mouths_apart(mouths, shares)
    rows = face_shares(guides, guide, shares, around, regions, core, pulls)
    chosen = np.tensordot(rows.T, regions, 1).astype(np.float32)
    was, becomes = (spread(one, deep) for one in (_mixed(guides, around), guide))
    becomes = was + np.float32(1 - own) * (becomes - was)
    donor = _mixed(guides, chosen)
    gain = np.clip((_brightness(guide) + 16) / (_brightness(donor) + 16), *CONTRAST_GAIN) ** (1 - own)

    outside = _mixed(images, around)
    clearer = around**OUTLINES / (around**OUTLINES).sum()
    outlines = outside if np.array_equal(clearer, around) else _mixed(images, clearer)
    side = min(size, SKIN_SIDE)
    if skin is None or len(skin) < side:
        skin = skin_around(_scaled(outside, side))
    # Both alike: an outline with the contrast of the old skin before bands of the new one would glow.
    colours = _enlarged(was, size), _enlarged(becomes, size), _enlarged(skin, size)[..., None]
    alike = outlines is outside
    outside = tinted(outside, *colours)
    outlines = outside if alike else tinted(outlines, *colours)
    detail = _mixed(images, [_enlarged(share, size) for share in chosen])
    levels = default_levels(size, size)
    masks = gaussian_pyramid(_enlarged(inside, size), levels)
    gains = gaussian_pyramid(_enlarged(gain.astype(np.float32), size), levels)
    bands: list[np.ndarray] = []
    layers = [_scaled(np.asarray(blend, np.float32), size), detail, outside, *([] if alike else [outlines])]
    pyramids = side_by_side(laplacian_pyramid, layers, [levels] * len(layers))
    for soft, fine, out, *clear, mask, local in zip(*pyramids, masks, gains, strict=True):
        if clear and len(out) >= OUTLINES_SIDE:
            (out,) = clear
        taken = _parent_share(len(fine)) if len(bands) < levels else 0.0
        taken = own + (1 - own) * taken
        face = fine if len(bands) == levels else fine * _thrice(local)
        face = cv2.addWeighted(soft, 1 - taken, face, taken, 0)
        bands.append(cv2.add(out, cv2.multiply(cv2.subtract(face, out), _thrice(mask))))
    made = collapse(bands)
    change = toward_mean(_scaled(made, GUIDE), guides, shares, around, whole * np.float32(1 - own))
    made = cv2.add(made, cv2.resize(change, (size, size), interpolation=cv2.INTER_CUBIC))
    if apart > 0 and own < 1:
        whose = rows[MOUTH].astype(np.float32)
        seen = deep * (1 - regions[MOUTH])  # skin around it tells how its light and colour differ
        before, after = (spread(one, seen) for one in (_mixed(guides, whose), _scaled(made, GUIDE)))
        lips = region_masks(points, GUIDE, grow=LIPS[0], soft=LIPS[1])[MOUTH]
        _lay_over(made, images, whose, before, after, lips * inside * np.float32(apart * (1 - own)))
    return to_uint8(made)


def _mouths_apart(openings: Sequence[float] | np.ndarray | None, shares: np.ndarray) -> tuple[float, np.ndarray]:
    """How far mouths differ, 0 to 1, and what of it speaks for each parent in each region, (K, N)."""
    pulls = np.zeros((len(REGIONS), len(shares)))
    if openings is None:
        return 0.0, pulls
    lead = np.asarray(openings, np.float64) - shares @ np.asarray(openings, np.float64)
    differing = 2 * float(np.sqrt(shares @ lead**2))  # at equal weights the difference of two
    closed = min(opening for opening, share in zip(openings, shares, strict=True) if share > 0)
    apart = float(np.interp(differing, MOUTHS_APART, (0, 1)) * np.interp(closed, CLOSED, (1, 0)))
    pulls[MOUTH] = MOUTH_PULL * apart * lead
    return apart, pulls


def _lay_over(
    picture: np.ndarray,
    images: Sequence[np.ndarray],
    shares: np.ndarray,
    before: np.ndarray,
    after: np.ndarray,
    mask: np.ndarray,
) -> None:
    """Lay parents over a picture, in place, with their skin's colour changed from `before` to `after`."""
    size = len(picture)
    if not mask.any():  # hair covers it
        return
    rows, columns = (np.flatnonzero(mask.max(axis=axis) > 0) for axis in (1, 0))
    box = tuple(
        slice(max(0, (places[0] - 1) * size // GUIDE), (places[-1] + 2) * size // GUIDE + 1)
        for places in (rows, columns)
    )
    donor = _mixed([image[box] for image in images], shares)
    was, becomes, share = (_enlarged(one, size)[box] for one in (before, after, mask))
    picture[box] += _thrice(share) * (tinted(donor, was, becomes) - picture[box])


def _parent_share(side: int) -> float:
    """A parent's share of the band inside the face, at a pyramid level of that side."""
    return float(np.clip(np.log2(side / BLEND_SIDE) / np.log2(PARENT_SIDE / BLEND_SIDE), 0, 1))


def _mixed(images: Sequence[np.ndarray], shares: Sequence[Any] | np.ndarray) -> np.ndarray:
    """The sum of pictures times their shares, numbers or (S, S) arrays; a single picture where it has all."""
    counting = [(image, share) for image, share in zip(images, shares, strict=True) if np.any(share)]
    if len(counting) == 1 and np.all(counting[0][1] == 1):
        return counting[0][0]
    total = np.zeros_like(images[0])
    for image, share in counting:
        total += image * (np.float32(share) if np.ndim(share) == 0 else _thrice(np.asarray(share)))
    return total


def _thrice(mask: np.ndarray) -> np.ndarray:
    """A mask for each colour: NumPy takes five times as long where a last axis of one meets one of three."""
    return cv2.merge([mask] * 3)


def _brightness(image: np.ndarray) -> np.ndarray:
    return blurred(image.mean(axis=2), 3.8)


def _scaled(image: np.ndarray, size: int) -> np.ndarray:
    if image.shape[0] == size:
        return image
    kind = cv2.INTER_AREA if size < image.shape[0] else cv2.INTER_CUBIC
    return np.clip(cv2.resize(image, (size, size), interpolation=kind), 0, 255)


def _enlarged(values: np.ndarray, size: int) -> np.ndarray:
    return values if len(values) == size else cv2.resize(values, (size, size), interpolation=cv2.INTER_LINEAR)
