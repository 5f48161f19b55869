"""The finished picture: a blend at any size, with its parents' detail, before a background or in its photo."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from ...errors import FeatureblendError
from ...faces.alignment import AlignedFace, invert_matrix, rescaling, resized, transform_points
from ...faces.coverings import covered_by
from ...faces.landmarks import mouth_opening
from ...faces.masks import around_face, face_mask
from ...faces.parser import face_parts
from ...faces.pose import head_pose
from ...faces.warp import mean_shape
from ...io.image import to_uint8
from ...io.tables import check_choice, whole
from ...io.threads import side_by_side
from ...model.mixing import Source, source_weights
from ..baselines.pyramid import collapse, default_levels, gaussian_pyramid, laplacian_pyramid
from .detail import GUIDE, add_detail, warped_parent
from .detail_weights import busyness, edge_sharpness
from .matting import matted, without_background
from .paste import paste
from .restoration import broad, restore_photo

BACKGROUNDS = ("blend", "source", "transparent", "black", "average")
"""What is around the face: the blend's own crop, the whole first photo, nothing (an alpha channel), black, or the mean
of the parents warped to the blend's shape."""

CUT_OUT, CUTS = ("transparent", "black"), ("head", "face")
"""The backgrounds that something is cut out for, and what: the head with its hair, or the face alone."""

LARGEST = 4096
"""Longest side that is made, in pixels."""

SIZES = ("photos", "model", "source")
"""Sizes by name: the scale of the photo with the largest face, at least the model's and at most `OWN_LARGEST` pixels;
the model's own; the scale of the photo `onto`, whatever it is."""

OWN_LARGEST = 1024
"""Longest side in pixels, where none is asked for: few photos show a face with more detail."""

WORKING = 2048
"""Crops larger than this are made at this size and enlarged: faces over 2,000 pixels hold no more detail."""

CUT_SOFTNESS = 0.012
"""Standard deviation of the edge of a face that is cut out, as a share of the crop's side."""

HEAD_EDGE = (0.25, 0.9)
"""Probabilities that a pixel shows the head, between which a head that is cut out goes from invisible to opaque."""

OPENING = "mouth opening"
"""What `opening` is kept as in a face."""

SHARP = -0.5
"""`edge_sharpness` around the face from which on a photo is sharp enough."""

PLAIN = 4.0
"""Busyness in grey levels that counts as little: grain, a wall's shade."""

BUSY = 0.2
"""How much busyness counts against sharpness: of equally sharp photos the plainest. At 1, most blends had the
softer photo's hair."""

FRONTAL, TURNING = 15.0, 15.0
"""Degrees of yaw that count for nothing, and how many more count as much as a stop of size: a blend of two faces looks
straighter ahead than the more turned one, whose hair then stands at a face that looks elsewhere."""

HEADWEAR, HAT = 3.0, 1.0
"""How much headwear counts, for each part of the head that it is, and a hat or a band that is recognised: whose
surroundings have it puts it on the other face too."""

ENOUGH = 512
"""Side of a crop in pixels that is enough."""

SMALLEST = 16
"""Shortest side that is made, in pixels."""


def check_options(background: str, size: Any, onto: int, count: int, cut: str = "head") -> None:
    """Raise `FeatureblendError` unless `compose` can do this with so many photos: to be called before any work.

    Examples
    --------
    >>> check_options("blend", 9, 1, 2)
    Traceback (most recent call last):
    featureblend.errors.FeatureblendError: size 9: use 'photos', 'model', 'source' or 16 to 4096 pixels
    """
    check_choice(background, "background", BACKGROUNDS)
    check_choice(cut, "cut", CUTS)
    named_size(size)
    if isinstance(onto, bool) or not isinstance(onto, (int, np.integer)) or not 1 <= onto <= count:
        raise FeatureblendError(f"onto {onto!r}: use the number of a photo, 1 to {count}")


def named_size(size: Any) -> int | str:
    """A size as one of `SIZES` or a number of pixels; None is 'photos'.

    Raises
    ------
    FeatureblendError
        If it is neither.

    Examples
    --------
    >>> named_size(None), named_size(256.0), named_size("model")
    ('photos', 256, 'model')
    """
    size = whole(size)
    if size is None or (isinstance(size, str) and size in SIZES):
        return size or "photos"
    names = ", ".join(map(repr, SIZES))
    if isinstance(size, bool) or not isinstance(size, int):
        raise FeatureblendError(f"size {size!r}: use {names} or a number of pixels")
    if not SMALLEST <= size <= LARGEST:
        raise FeatureblendError(f"size {size}: use {names} or {SMALLEST} to {LARGEST} pixels")
    return size


def check_source(who: Any, count: int) -> None:
    """Raise `FeatureblendError` unless that says whose hair and background a blend of so many photos has."""
    if isinstance(who, str) and who == "blend":
        if count != 2:
            raise FeatureblendError("surroundings 'blend' lie between two photos': use 'auto' or a photo's number")
        return
    number = isinstance(who, (int, np.integer)) and not isinstance(who, bool) and 1 <= who <= count
    if not number and not (isinstance(who, str) and who in ("auto", "mean")):
        raise FeatureblendError(
            f"surroundings {who!r}: use 'auto', 'mean', 'blend' or the number of a photo, 1 to {count}"
        )


def compose(
    blend: np.ndarray,
    faces: Sequence[AlignedFace],
    weights: Sequence[float] | np.ndarray,
    *,
    background: str = "blend",
    cut: str = "head",
    size: int | str | None = "model",
    detail: bool = True,
    onto: int = 1,
    warped: bool = True,
    shape_weights: Sequence[float] | np.ndarray | None = None,
    surroundings: Source | Sequence[float] | np.ndarray = "auto",
    cleaned: Sequence[np.ndarray] = (),
    degradation: np.ndarray | None = None,
    skin: np.ndarray | None = None,
    hair: np.ndarray | None = None,
    draw: Callable[[int], np.ndarray] | None = None,
) -> np.ndarray:
    """Make the finished picture of a blend.

    Parameters
    ----------
    blend : (s, s, 3) uint8 array
        What the model decoded, or a baseline made.
    faces : sequence of N AlignedFace
        Its parents, of the blend's size; their photos give the detail.
    weights : sequence of N floats
        Sum to 1; the first photo's first.
    background : str
        One of `BACKGROUNDS`.
    cut : str
        What the backgrounds `CUT_OUT` leave, one of `CUTS`.
    size : int or str
        Longest side of the result in pixels, or one of `SIZES`; a name is the photo's own size with the background
        'source'.
    detail : bool
        Take the fine detail of the parents; else the blend is scaled smoothly, or drawn anew by `draw`.
    onto : int
        With the background 'source', into which photo, and for the size 'source', whose; from 1.
    warped : bool
        Whether the blend has the mean shape of its parents. Where it has not, they are not warped either.
    shape_weights : sequence of N floats, optional
        Weights of the shapes, where they are not `weights`.
    surroundings : 'auto', 'mean', int or sequence of N floats
        Whose hair and background: the best photo's (`best_source`), everyone's by weight, that photo's (from 1), or
        shares that sum to 1. With the background 'source' they are the photo's own.
    cleaned : sequence of N (s, s, 3) uint8 arrays, optional
        The restored parents, in the blend's shape; needed where one is damaged.
    degradation : (N, 2) array, optional
        How far degradation of light and of texture was removed from each, 0 to 1; it is taken out of their detail, too
        (`featureblend.blend.compositing.restoration`).
    skin, hair : (s, s) arrays in [0, 1], optional
        As `featureblend.blend.compositing.detail.add_detail`.
    draw : callable, optional
        Gives the blend at a side in pixels, as an (n, n, 3) uint8 array, where that is no matter of networks.

    Returns
    -------
    (H, W, 3) uint8 array
        (H, W, 4) with the background 'transparent'.

    Raises
    ------
    FeatureblendError
        If an option is unknown, or that photo is not there because the face came as a code.

    Examples
    --------
    >>> from featureblend.faces.alignment import align_face
    >>> from featureblend.faces.drawn import draw_face
    >>> faces = [align_face(*draw_face(seed, 256), 64) for seed in (0, 1)]
    >>> soft = ((faces[0].image.astype(int) + faces[1].image) // 2).astype(np.uint8)
    >>> compose(soft, faces, [0.5, 0.5], size=128).shape
    (128, 128, 3)
    >>> compose(soft, faces, [0.5, 0.5], background="source").shape
    (256, 256, 3)
    """
    check_options(background, size, onto, len(faces), cut)
    if np.shape(surroundings) != (len(faces),):
        check_source(surroundings, len(faces))
    share = np.asarray(weights, np.float64)
    shape_shares = share if shape_weights is None else np.asarray(shape_weights, np.float64)
    restorations = (
        list(zip(cleaned, degradation, strict=True))
        if degradation is not None and degradation.any() and cleaned
        else []
    )
    task = _Task(blend, faces, share, shape_shares, detail, warped, surroundings, restorations, skin, hair, draw)
    target = faces[int(onto) - 1]
    if background == "source":
        return _into_photo(task, target, int(onto), size)
    side = output_side(size, blend.shape[0], [face.native_size for face in faces], int(onto))
    if background == "blend":
        return task.picture(side)
    working = min(side, WORKING)
    picture = task.picture(working)
    face = face_mask(task.shape(working), working, soft=CUT_SOFTNESS)
    if background == "average":
        return resized(_before(picture, _average(task, working), face), side)
    picture, mask = _head(picture) if cut == "head" else (picture, face)
    alpha = resized(np.floor(mask * 255 + 0.5).astype(np.uint8), side)
    picture = resized(picture, side)
    if background == "transparent":
        return np.dstack([picture, alpha])
    return to_uint8(picture * (alpha[..., None] / np.float32(255)))


def _head(picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A picture without what shows behind hair, and how opaque its head is where that is cut out.

    A trace of doubt far from a head is nothing to show.
    """
    image, (low, high) = picture.astype(np.float32), HEAD_EDGE
    parts = matted(image, face_parts(picture))
    mask = np.clip((parts.head - low) / (high - low), 0, 1)
    return to_uint8(without_background(image, parts.background)), mask


@dataclass(frozen=True)
class _Task:
    """What is to be shown, at any size."""

    blend: np.ndarray
    faces: Sequence[AlignedFace]
    weights: np.ndarray
    shape_shares: np.ndarray
    detail: bool
    warped: bool
    surroundings: Any
    restorations: Sequence[tuple[np.ndarray, np.ndarray]]
    """Each parent cleaned, and its degradation; empty where none is degraded."""
    skin: np.ndarray | None = None
    hair: np.ndarray | None = None
    draw: Callable[[int], np.ndarray] | None = None

    def around(self) -> np.ndarray:
        """(N,) shares of the parents around the face."""
        return resolve_source_weights(self.faces, self.weights, self.surroundings)

    def shape(self, size: int) -> np.ndarray:
        """(68, 2) landmarks of the blend in a crop of that size."""
        points = mean_shape([face.landmarks for face in self.faces], self.shape_shares)
        return transform_points(points, rescaling(size / self.blend.shape[0]))

    def warped_crops(self, size: int) -> list[np.ndarray]:
        """(size, size, 3) float32 parents, warped to the blend's shape where it has one."""

        def warped_crop(face: AlignedFace) -> np.ndarray:
            crop = face.at(size)
            return warped_parent(crop, self.shape(size)) if self.warped else crop.image.astype(np.float32)

        return side_by_side(warped_crop, self.faces)

    def parents(self, size: int) -> list[np.ndarray]:
        """The same, restored as far as their degradation is known."""
        parents = self.warped_crops(size)
        if not self.restorations:
            return parents
        return [restore_photo(parent, *known) for parent, known in zip(parents, self.restorations, strict=True)]

    def picture(self, size: int, surroundings: np.ndarray | None = None) -> np.ndarray:
        """(size, size, 3) uint8 blend, with its parents' detail or scaled."""
        if not self.detail:
            drawn = self.draw is not None and size > self.blend.shape[0]
            return self.draw(size) if self.draw is not None and drawn else resized(self.blend, size)
        working = int(np.clip(size, 64, WORKING))
        around = self.around() if surroundings is None else surroundings
        skin = self.skin if surroundings is None else None  # others' surroundings show other skin
        parents, mouths = self.parents(working), [opening(face) for face in self.faces]
        made = add_detail(self.blend, parents, self.weights, self.shape(working), around, skin, self.hair, mouths)
        return resized(made, size)


def opening(face: AlignedFace) -> float:
    """How far a face's mouth is open in its photo, whatever shape it has got since."""
    return float(face.once(OPENING, lambda: mouth_opening(face.landmarks)))


def resolve_source_weights(
    faces: Sequence[AlignedFace],
    weights: Sequence[float] | np.ndarray,
    surroundings: Source | Sequence[float] | np.ndarray = "auto",
) -> np.ndarray:
    """Share out hair and background: the same for a blend's latent and for its detail, at any size.

    Parameters
    ----------
    faces : sequence of N AlignedFace
    weights : sequence of N floats
    surroundings : 'auto', 'mean', int or sequence of N floats
        As in `compose`. 'auto' is the photo of `best_source`.

    Returns
    -------
    (N,) float64 array
        Sums to 1.

    Examples
    --------
    >>> from featureblend.faces.alignment import align_face
    >>> from featureblend.faces.drawn import draw_face
    >>> faces = [align_face(*draw_face(seed, 256), 64) for seed in (0, 1)]
    >>> resolve_source_weights(faces, [0.5, 0.5], 2).round(3).tolist()
    [0.0, 1.0]
    """
    shares, who = np.maximum(weights, 0), surroundings
    shares = shares / shares.sum()
    if isinstance(who, str) and who == "mean":
        return shares
    if isinstance(who, str):
        return source_weights(shares, best_source(faces) - 1)
    if np.ndim(who) == 0:
        return source_weights(shares, int(who) - 1)  # type: ignore[arg-type]
    return np.asarray(who, np.float64)


def best_source(faces: Sequence[AlignedFace]) -> int:
    """Decide whose hair and background a blend has: the photo with the sharpest and plainest ones.

    Parameters
    ----------
    faces : sequence of N AlignedFace

    Returns
    -------
    int
        The photo's place, from 1; the first of equals. It depends on the photos alone: not on weights, nor on the size
        of the blend, nor on how they were restored.

    Examples
    --------
    >>> from featureblend.faces.alignment import align_face
    >>> from featureblend.faces.drawn import draw_face
    >>> plain, points = draw_face(0, 256)
    >>> noisy = np.clip(plain + np.random.default_rng(0).normal(0, 20, plain.shape), 0, 255).astype(np.uint8)
    >>> best_source([align_face(noisy, points, 64), align_face(plain, points, 64)])
    2
    """
    return int(np.argmax([suitability(face) for face in faces])) + 1


def suitability(face: AlignedFace) -> float:
    """How well a photo serves for hair and background: sharp and plain, not small or cut off, bareheaded, frontal.

    Parameters
    ----------
    face : AlignedFace

    Returns
    -------
    float
        Edges around the face that are not sharp, much to see around the head, few pixels, a crop that reaches beyond
        the photo, a turned head and headwear count against it. More sharpness than a good photo has counts for nothing,
        and noise is no sharpness: else degraded photos would win.
    """
    if face.suitability is not None:
        return face.suitability
    crop = face.at(GUIDE)
    around = 1 - face_mask(crop.landmarks, GUIDE, forehead=0)
    blur = min(0.0, edge_sharpness(crop.image, around) - SHARP)
    busy = BUSY * float(np.log(PLAIN + busyness(crop.image, 1 - around_face(crop.landmarks, GUIDE))))
    pixels = float(np.log(min(1.0, face.native_size / ENOUGH)))
    turned = max(0.0, abs(head_pose(crop.landmarks).yaw) - FRONTAL) / TURNING
    seen_well = 2 * blur - busy + pixels - turned - _headwear(crop.image)
    if face.photo is None:
        return seen_well
    places = np.stack(np.meshgrid(*[np.arange(4, GUIDE, 8.0)] * 2), axis=-1).reshape(-1, 2)
    seen = transform_points(places, invert_matrix(crop.matrix))
    missing = ((seen < 0) | (seen > (face.photo.shape[1] - 1, face.photo.shape[0] - 1))).any(axis=1).mean()
    return seen_well - 4 * float(missing)


def _headwear(image: np.ndarray) -> float:
    """How far headwear counts against a photo."""
    parts = face_parts(image)
    covered = np.maximum(parts.head - parts.skin - parts.hair, 0).sum() / max(parts.head.sum(), 1)
    return HEADWEAR * float(covered) + HAT * ("hat" in covered_by(image))


def output_side(size: int | str | None, model: int, native: Sequence[int], onto: int = 1) -> int:
    """Side in pixels of a picture of faces.

    Parameters
    ----------
    size : int or str
        In pixels, or one of `SIZES`.
    model : int
        Side of the model's pictures.
    native : sequence of int
        Sides that the faces' crops have at their photos' own scale.
    onto : int
        Whose scale 'source' is, from 1.

    Raises
    ------
    FeatureblendError
        If there is no such size.

    Examples
    --------
    >>> [output_side(size, 128, [1600, 400], onto=2) for size in ("photos", "model", "source", 99)]
    [1024, 128, 400, 99]
    """
    size = named_size(size)
    if size == "photos":
        return min(max(model, *native), max(model, OWN_LARGEST))
    if size == "source":
        return int(np.clip(native[onto - 1], SMALLEST, LARGEST))
    return model if size == "model" else int(size)


def _into_photo(task: _Task, face: AlignedFace, onto: int, size: int | str | None) -> np.ndarray:
    photo, matrix = face.photo, face.matrix
    if photo is None:
        raise FeatureblendError(
            f"face {onto} came as a code, which holds no photo to put the blend into: give the photo, "
            "or another background"
        )
    longest = max(photo.shape[:2])
    if isinstance(size, (int, np.integer)) and size != longest:
        factor = size / longest
        shape = (max(1, round(photo.shape[1] * factor)), max(1, round(photo.shape[0] * factor)))
        scaling = np.array([[shape[0] / photo.shape[1], 0, 0], [0, shape[1] / photo.shape[0], 0]])
        scaling[:, 2] = (np.diag(scaling[:, :2]) - 1) / 2
        photo = cv2.resize(photo, shape, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC)
    else:
        scaling = rescaling(1.0)
    native = task.blend.shape[0] / float(np.hypot(*matrix[:, 0])) * scaling[0, 0]
    working = int(np.clip(round(native), SMALLEST, WORKING))
    only = np.zeros(len(task.faces))
    only[onto - 1] = 1
    crop = face.at(working)
    after = task.picture(working, only)
    if not task.detail:  # the model's own hair and background would meet the photo's at the crop's border
        mask = face_mask(task.shape(working), working)
        after = _before(after, task.parents(working)[onto - 1], mask)
    elif task.restorations:  # the photo keeps its grain around the face, and the face its light
        own = task.warped_crops(working)[onto - 1]
        restored = restore_photo(own, *task.restorations[onto - 1])
        dimmed = after - broad(restored - own)
        after = _before(dimmed, own, face_mask(task.shape(working), working))
    back = np.linalg.inv(np.vstack([scaling, [0, 0, 1]]))
    return paste(photo, crop.image, after, crop.matrix @ back)


def _average(task: _Task, size: int) -> np.ndarray:
    mean = np.zeros((size, size, 3), np.float32)
    for weight, parent in zip(task.weights, task.parents(size), strict=True):
        mean += np.float32(weight) * parent
    return mean


def _before(picture: np.ndarray, background: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Lay a picture over another, each band with an edge as soft as the band is coarse (Burt and Adelson 1983)."""
    levels = default_levels(*mask.shape)
    front, behind = (laplacian_pyramid(image, levels) for image in (picture, background))
    masks = gaussian_pyramid(mask, levels)
    return to_uint8(collapse([b + m[..., None] * (f - b) for f, b, m in zip(front, behind, masks, strict=True)]))
