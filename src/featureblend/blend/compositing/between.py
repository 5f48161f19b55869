"""Hair and background on the way from one photo to another: outlines meet, colours mix, lines come from one at a time.

A weighted mean of two heads shows two outlines at half strength. Here both heads are first warped to one outline, that
between theirs; then both photos get the same surroundings. These have the colours between, and the lines of the nearer
photo, half way of the better one; the background goes out of focus towards the middle and comes back as the other's.

Source of the colour transfer: E. Reinhard et al., "Color Transfer between Images", IEEE Computer Graphics and
Applications 21(5), 2001.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from ...faces.alignment import AlignedFace, blurred, rescaling, resized, transform_points
from ...faces.masks import face_mask, rescaled_points
from ...faces.parser import PARTS, FaceParts, face_parts
from ...faces.warp import mean_shape, sample, warp_map
from ...io.image import to_uint8
from ...io.threads import side_by_side
from .composing import OPENING, opening, suitability
from .matting import matted
from .restoration import restore_photo
from .skin import blurred_widely

RAYS = 40
"""Rays from the nose on which the outline of a head is looked for."""
NOSE_TIP = 30
"""Of the 68 landmarks. Below it a head's outline is long hair in one photo and a jaw or a collar in another."""
UNLIKE = 1.35
"""Ratio of two heads' radii from which they do not correspond: hair tied up, and hair worn open."""
STIFFNESS = 2e-3
"""Of the warp: a little softer than for landmarks, since outlines are found less exactly."""
BORDER = 0.01
"""Share of the side by which an outline lies within the crop where it is seen."""
FOREHEAD = 0.2
"""How far each keeps its own face above the eyes, as in `face_mask`: brows are in it. Above them foreheads have other
wrinkles, and end at other hairlines."""
FRINGE = 0.01
"""Standard deviation, as a share of the side, of the blur of what is hair in either photo: no face is its own there."""
BALD = 0.02
"""Share of the crop under which hair is too little to take its colour from."""
DEFOCUS = 1 / 8
"""Standard deviation of the background's blur half way, as a share of the side."""
FRAME = 8
"""A warp reaches at most the side over this beyond the crop."""
CONTRAST = (0.5, 2.0)
"""How far the contrast of hair and skin may be changed."""
COARSE = 128
"""Side at which colours are blurred, in pixels."""


@dataclass(frozen=True)
class _Photo:
    """A photo's crop at the working size, restored, and what is where in it."""

    image: np.ndarray
    """(S + 2 F, S + 2 F, 3) float32, 0 to 255: the crop with a frame of what the photo shows around it."""
    landmarks: np.ndarray
    """(68, 2)."""
    parts: np.ndarray
    """(S, S, 4) float32: `FaceParts.probabilities`."""
    outline: np.ndarray
    """(RAYS, 2)."""


class Meeting:
    """Two faces that get one head's outline and the same hair and background, those between theirs.

    Parameters
    ----------
    faces : sequence of two AlignedFace
        Of the model's size; restored where they are to be.
    side : int
        Side in pixels at which it is worked out, and of the new faces' photos.

    Examples
    --------
    >>> from featureblend.faces.alignment import align_face
    >>> from featureblend.faces.drawn import draw_face
    >>> faces = [align_face(*draw_face(seed, 256), 64) for seed in (0, 1)]
    >>> first, second = Meeting(faces, 128).at([0.5, 0.5])
    >>> first.photo.shape, bool((first.photo[0] == second.photo[0]).all())
    ((128, 128, 3), True)
    """

    def __init__(self, faces: Sequence[AlignedFace], side: int) -> None:
        self.faces, self.side = faces, side
        self._photos = side_by_side(_seen, faces, [side] * 2)
        self.stronger = int(suitability(faces[1]) > suitability(faces[0]))
        """Whose lines hair and background have half way: the place of one of the faces, from 0."""
        alike = _corresponding(self._photos)
        self._points = [np.concatenate([photo.landmarks, photo.outline[alike]]) for photo in self._photos]

    def at(
        self, shares: Sequence[float] | np.ndarray, shape: Sequence[float] | np.ndarray | None = None
    ) -> list[AlignedFace]:
        """The faces as they meet at these weights.

        Parameters
        ----------
        shares : sequence of two floats
            0 to 1; they sum to 1.
        shape : sequence of two floats, optional
            Weights of the shapes, where they are others.

        Returns
        -------
        list of two AlignedFace
            Both with the landmarks of their mean shape. Each keeps its own face, as far as neither has hair there; all
            else is the same in both, and at the shares (1, 0) the first photo's own.
        """
        share, side = np.asarray(shares, np.float64), self.side
        target = mean_shape(self._points, share if shape is None else shape)

        def warped(photo: _Photo, own: np.ndarray) -> tuple[np.ndarray, FaceParts]:
            where = warp_map((side, side), own, target, stiffness=STIFFNESS)
            parts = cv2.remap(photo.parts, where, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[call-overload]
            return sample(photo.image, where + np.float32(side // FRAME)), FaceParts(parts)

        images, parts = zip(*side_by_side(warped, self._photos, self._points), strict=True)
        near = self.stronger if share[0] == share[1] else int(share[1] > share[0])
        around = _around(images, parts, share, near)
        landmarks = target[: len(self._photos[0].landmarks)]
        own = cv2.resize(_own(landmarks, [one.hair for one in parts]), (side, side))[..., None]
        others = parts[near].probabilities
        return [
            self._met(
                face, to_uint8(around + (image - around) * own), others + (its.probabilities - others) * own, landmarks
            )
            for face, image, its in zip(self.faces, images, parts, strict=True)
        ]

    def _met(self, face: AlignedFace, photo: np.ndarray, parts: np.ndarray, landmarks: np.ndarray) -> AlignedFace:
        size = face.image.shape[0]
        scaling = rescaling(size / self.side)
        image = resized(photo, size)
        clean = face.cleaned is not None or face.latent is not None
        met = AlignedFace(
            image,
            transform_points(landmarks, scaling),
            scaling[:2],
            photo=photo,
            cleaned=image if clean else None,
            degradation=np.zeros(2, np.float32) if clean else None,
            suitability=face.suitability,
        )
        met.once(OPENING, lambda: opening(face))
        met.once(PARTS, lambda: FaceParts(cv2.resize(parts, (size, size), interpolation=cv2.INTER_AREA)))
        return met


class Meetings:
    """The last two faces that met, at each of a few sizes: sliders and continua ask for the same two again."""

    MOST = 3

    def __init__(self) -> None:
        self._kept: dict[int, Meeting] = {}

    def of(self, faces: Sequence[AlignedFace], side: int) -> Meeting:
        """The meeting of two faces at a size; parameters as `Meeting`."""
        kept = {size: one for size, one in self._kept.items() if all(map(_is_same, one.faces, faces))}
        if side not in kept:
            kept = dict([*kept.items()][1 - self.MOST :])
            kept[side] = Meeting(faces, side)
        self._kept = kept
        return kept[side]


def _is_same(one: AlignedFace, other: AlignedFace) -> bool:
    """Whether two faces are of the very same pixels: what is copied with another setting shares them."""
    return one.image is other.image and one.cleaned is other.cleaned and one.photo is other.photo


def _seen(face: AlignedFace, side: int) -> _Photo:
    crop, frame = face.at(side), side // FRAME
    wide = crop.padded(frame).astype(np.float32)
    if face.cleaned is not None and face.degradation is not None and face.degradation.any():
        restored = restore_photo(crop.image, face.cleaned, face.degradation)
        wide += cv2.copyMakeBorder(restored - crop.image, frame, frame, frame, frame, cv2.BORDER_REFLECT_101)
    image = wide[frame:-frame, frame:-frame]
    parts = matted(image, face_parts(to_uint8(image)))
    return _Photo(wide, crop.landmarks, parts.probabilities, _outline(parts.head, crop.landmarks))


def _outline(head: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """(RAYS, 2) points where rays from the nose leave the head; of a head that goes on beyond the crop, its border."""
    side = len(head)
    soft = cv2.GaussianBlur(head, (0, 0), side / COARSE)
    angles = np.linspace(0, 2 * np.pi, RAYS, endpoint=False)
    along = np.arange(0, 1.5 * side)
    found = np.empty((RAYS, 2))
    for ray, direction in enumerate(np.column_stack([np.cos(angles), np.sin(angles)])):
        places = landmarks[NOSE_TIP] + along[:, None] * direction
        places = places[((places >= 0) & (places <= side - 1)).all(axis=1)]
        inside = np.flatnonzero(soft[tuple(places.round().astype(int).T[::-1])] > 0.5)
        found[ray] = places[inside[-1]] if len(inside) else landmarks[NOSE_TIP]
    return found


def _corresponding(photos: Sequence[_Photo]) -> np.ndarray:
    """(RAYS,) bool: rays on which both outlines are seen, above the nose, and about as far from it."""
    noses = [photo.landmarks[NOSE_TIP] for photo in photos]
    first, second = (
        np.maximum(np.hypot(*(photo.outline - nose).T), 1) for photo, nose in zip(photos, noses, strict=True)
    )
    alike = np.maximum(first / second, second / first) < UNLIKE
    for photo, nose in zip(photos, noses, strict=True):
        side = len(photo.parts)
        edge = np.minimum(photo.outline, side - 1 - photo.outline).min(axis=1)
        alike &= (photo.outline[:, 1] < nose[1]) & (edge > BORDER * side)
    return alike


def _own(landmarks: np.ndarray, hair: Sequence[np.ndarray]) -> np.ndarray:
    """(COARSE, COARSE) float32: where each keeps its own face."""
    points = rescaled_points(landmarks, COARSE / len(hair[0]))
    covered = blurred(np.maximum(*(resized(one, COARSE) for one in hair)), FRINGE * COARSE)
    return face_mask(points, COARSE, forehead=FOREHEAD) * (1 - np.minimum(1.5 * covered, 1))


def _around(images: Sequence[np.ndarray], parts: Sequence[FaceParts], share: np.ndarray, near: int) -> np.ndarray:
    """(S, S, 3) float32: one photo's surroundings in the colours between both."""
    around = images[near]
    for masks, least in (([one.skin for one in parts], 0.0), ([one.hair for one in parts], BALD)):
        around = _coloured(around, images, masks, share, near, least)
    blurred = side_by_side(_blurred_in, images, [one.background for one in parts])
    # Where hair and background share a pixel, only what is behind the hair is to change: its blur tells what that is.
    room = parts[near].background[..., None]
    lines = (images[near] - blurred[near]) * _smooth(2 * room - 0.5)
    mean = np.float32(share[0]) * blurred[0] + np.float32(share[1]) * blurred[1]
    return around + (mean - blurred[near] - np.float32(2 - 2 * share[near]) * lines) * room


def _blurred_in(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """A picture blurred within a mask; beyond it, the nearest of its colours."""
    small, room = resized(image, COARSE), resized(mask, COARSE)
    small = small * room[..., None]
    colours, weights = np.zeros_like(small), np.full_like(room, 1e-6)
    for times, part, blur in ((1, 1.0, blurred), (4, 1e-3, blurred), (16, 1e-5, blurred_widely)):
        deviation = times * DEFOCUS * COARSE
        colours += np.float32(part) * blur(small, deviation)
        weights += np.float32(part) * blur(room, deviation)
    return resized(colours / weights[..., None], len(image))


def _coloured(
    picture: np.ndarray,
    images: Sequence[np.ndarray],
    masks: Sequence[np.ndarray],
    share: np.ndarray,
    near: int,
    least: float,
) -> np.ndarray:
    """A picture of one photo with the mean and spread of colours in its mask between those in both photos' masks."""
    if any(mask.mean() <= least for mask in masks):
        return picture
    known = [_mean_and_spread(resized(i, COARSE), resized(m, COARSE)) for i, m in zip(images, masks, strict=True)]
    (mean, spread), (own_mean, own_spread) = np.tensordot(share, np.array(known), axes=1), known[near]
    factor = np.clip(spread / np.maximum(own_spread, 1), *CONTRAST)
    change = images[near] * np.float32(factor - 1) + np.float32(mean - factor * own_mean)
    return picture + change * _smooth(masks[near])[..., None]


def _mean_and_spread(colours: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    weights = (mask / mask.sum())[..., None]
    mean = (colours * weights).sum(axis=(0, 1))
    return mean, np.sqrt((np.square(colours - mean) * weights).sum(axis=(0, 1)))


def _smooth(values: np.ndarray | float) -> np.ndarray:
    """The smooth step from 0 to 1."""
    clipped = np.clip(values, 0, 1)
    return np.asarray(clipped * clipped * (3 - 2 * clipped), np.float32)
