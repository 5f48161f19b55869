"""The colour of a blend's skin: the weighted mean of its parents', in the face and on the skin around it.

A decoder is not linear: what it draws of a mean of latents is no mean of colours. Dark and light skin came out greyer
than both (docs/model.md), though each face alone is given back in its own colour. What is broad needs no network: as
pictures are mixed band by band (P. J. Burt and E. H. Adelson, "A multiresolution spline with application to image
mosaics", ACM Trans. Graphics 2(4), 1983), so the broad band of a face is the mean of its parents' pixels, and the
network draws what is finer.
"""

from __future__ import annotations

import cv2
import numpy as np

from ...faces.alignment import blurred, resized
from ...faces.masks import face_mask
from ...faces.parser import FaceParts, face_parts
from ...io.image import to_uint8

LOW_BAND = 1 / 32
"""Standard deviation of the blur that gives the broad band, as a share of the side."""

SURE = (0.4, 0.8)
"""Probability of skin that counts as none, and that counts as skin: a background with a trace of it would glow."""

WIDE = 16
"""Standard deviation in pixels from which a blur is wide."""

TINT_GAIN = (0.25, 4.0)
"""How far skin around a face is darkened or lightened at most."""


def with_mean_colour(
    picture: np.ndarray,
    mean: np.ndarray,
    around: np.ndarray,
    shape: np.ndarray,
    skin: np.ndarray | None = None,
    hair: np.ndarray | None = None,
) -> np.ndarray:
    """Set the low band of a blend's face to its parents' weighted mean, and the skin around it to the face's colour.

    Parameters
    ----------
    picture : (S, S, 3) uint8 or float array, 0 to 255, sRGB
        What was decoded.
    mean : (S, S, 3) float array
        Weighted mean of the parents' pixels, warped to the blend's shape. Weights may be negative.
    around : (S, S, 3) float array
        The same by their shares in hair and background.
    shape : (68, 2) array
        The blend's landmarks in pixels.
    skin : (S, S) array in [0, 1], optional
        Where `around` shows the person's skin; looked for if left out.
    hair : (S, S) array in [0, 1], optional
        Where the blend's hair is one parent's, and nothing is to be changed though the face lies there.

    Returns
    -------
    (S, S, 3) float32 array, 0 to 255
        The decoded picture on hair, clothes and background.

    Examples
    --------
    >>> from featureblend.faces.drawn import draw_face
    >>> image, points = draw_face(0, 64)
    >>> grey = np.full_like(image, 128)
    >>> corrected = with_mean_colour(grey, image, image, points)
    >>> bool(np.abs(corrected[34, 32] - image[34, 32]).max() < 40), corrected[0, 0].tolist()
    (True, [128.0, 128.0, 128.0])
    """
    size = picture.shape[0]
    picture, mean, around = (np.clip(np.asarray(one, np.float32), 0, 255) for one in (picture, mean, around))
    core = face_mask(shape, size, forehead=0, soft=0.02)
    deep = face_mask(shape, size, forehead=0)
    skin = skin_around(around) if skin is None else skin
    if hair is not None:
        core, deep = core * (1 - hair), deep * (1 - hair)
    wanted = tinted(around, spread(around, deep), spread(mean, deep))
    wanted = wanted + core[..., None] * (mean - wanted)
    known = np.maximum(core, skin)
    change = (wanted - picture) * known[..., None]
    low = blurred(change, LOW_BAND * size) / (blurred(known, LOW_BAND * size) + 1e-3)[..., None]
    return np.clip(picture + known[..., None] * low, 0, 255)


def skin_around(image: np.ndarray) -> np.ndarray:
    """Where the person in an aligned crop has skin: face, ears and neck.

    Parameters
    ----------
    image : (S, S, 3) array, 0 to 255

    Returns
    -------
    (S, S) float32 array in [0, 1]

    Examples
    --------
    >>> from featureblend.faces.drawn import draw_face
    >>> skin = skin_around(draw_face(0, 128)[0])
    >>> bool(skin[110, 64] > 0.5), bool(skin[10, 10] < 0.5)  # neck, background
    (True, True)
    """
    return skin_of(face_parts(to_uint8(image)))


def skin_of(parts: FaceParts) -> np.ndarray:
    """Where there is surely skin of the person in the middle, (S, S) float32 in [0, 1]."""
    return np.clip((np.minimum(parts.skin, parts.head) - SURE[0]) / (SURE[1] - SURE[0]), 0, 1)


def tinted(image: np.ndarray, old: np.ndarray, new: np.ndarray, share: np.ndarray | float = 1.0) -> np.ndarray:
    """Recolour skin and keep its shading.

    Parameters
    ----------
    image : (H, W, 3) float array, 0 to 255
    old, new : (H, W, 3) float arrays, 0 to 255
        Colour of the skin in the light of the face, before and after.
    share : (H, W, 1) array or float
        How far, 0 to 1.

    Returns
    -------
    (H, W, 3) float32 array
        Brightness that is below that of `old` is scaled by the ratio of `new` to `old`, so that black stays black; what
        is above moves along with `old`, and white is never exceeded. Chroma moves by the difference of theirs, less
        towards black and white.

    Notes
    -----
    A gain of each channel would do for one colour, but multiplies whatever a place differs by: the shadows of dark skin
    came out orange, a green reflection as paint.

    Examples
    --------
    >>> old, new = np.full((1, 3, 3), 200.0), np.full((1, 3, 3), 100.0)
    >>> tinted(np.array([[[0.0] * 3, [100.0] * 3, [255.0] * 3]]), old, new)[0, :, 0].round().tolist()
    [0.0, 50.0, 155.0]
    """
    image, old, new = (np.asarray(one, np.float32) for one in (image, old, new))
    if np.ndim(share) == 0:
        return _tinted(image, old, new, float(share))
    tinted_there = image.copy()
    left, top, width, height = cv2.boundingRect((np.asarray(share) > 0).astype(np.uint8))
    where = np.s_[top : top + height, left : left + width]
    if width:
        there = np.asarray(share, np.float32)[where][..., 0]
        tinted_there[where] = _tinted(image[where], old[where], new[where], there)
    return tinted_there


def _tinted(image: np.ndarray, old: np.ndarray, new: np.ndarray, share: np.ndarray | float) -> np.ndarray:
    level, was, becomes = (_luma(one) for one in (image, old, new))
    gain = np.clip(np.maximum(becomes, 1) / np.maximum(was, 1), *TINT_GAIN)
    there, room = np.minimum(was * gain, 255), np.maximum(255 - was, 1)
    dark = level <= was
    left = np.where(dark, level / np.maximum(was, 1), (255 - level) / room)
    moved = np.where(dark, level * gain, there + (level - was) * np.minimum(1, (255 - there) / room))
    # Light skin that darkens keeps less of what a place differs by, dark skin that lightens no more of it.
    kept = np.minimum(1, gain)
    # Chroma, left * (new - becomes) + kept * (image - level - left * (old - was)), is worked out a colour at a time:
    # NumPy takes several times as long where a last axis of one meets one of three.
    grey = moved - kept * level - left * (becomes - kept * was)
    colours = [
        one + share * (grey + left * (after - kept * before) + (kept - 1) * one)
        for one, before, after in zip(cv2.split(image), cv2.split(old), cv2.split(new), strict=True)
    ]
    return cv2.merge(colours)


def _luma(image: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)


def spread(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Carry values from where they are known to everywhere: normalised convolution, the nearest counting most.

    Parameters
    ----------
    values : (S, S, C) float32 array
    known : (S, S) float32 array in [0, 1]

    Returns
    -------
    (S, S, C) float32 array

    Examples
    --------
    >>> known = np.zeros((32, 32), np.float32)
    >>> known[:, :9] = 1
    >>> float(spread(np.full((32, 32, 1), 7, np.float32), known)[9, 12, 0].round(1))
    7.0
    """
    unit = len(known) / 128
    total, weight = np.zeros_like(values), np.zeros_like(known)
    for deviation, share in ((5.0, 1.0), (10.0, 1e-1), (20.0, 1e-2), (40.0, 1e-3)):
        near = blurred_widely(values * known[..., None], deviation * unit)
        total += share * near.reshape(values.shape)
        weight += share * blurred_widely(known, deviation * unit)
    return total / (weight[..., None] + 1e-6)


def blurred_widely(values: np.ndarray, deviation: float) -> np.ndarray:
    """Blur a square picture, mirrored at its border; a wide blur at a quarter of its side, in a tenth of the time."""
    side = len(values)
    if deviation < WIDE or side < 4 * WIDE:
        return blurred(values, deviation)
    return resized(blurred(resized(values, side // 4), deviation * (side // 4) / side), side)
