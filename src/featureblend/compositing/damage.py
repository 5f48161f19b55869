"""Photos without their damage at full size: what the model's cleaner took out of the small picture is taken out here.

A model with a cleaner (`featureblend.models.cleaning`) gives a noisy, blurred or dim photo back clean, and any other
nearly as it came. What it changed beyond that is damage, and a blend takes no detail from damage.
"""

from __future__ import annotations

import cv2
import numpy as np

from ..alignment import resized

__all__ = ["LIGHT", "TEXTURE", "damage", "without_damage"]

BROAD = 4 / 128
"""Standard deviation of the blur that tells light from texture, as a share of the side."""

TEXTURE = (4.5, 6.0)
"""Mean change of texture, in grey levels (root mean square): up to the first a photo counts as sound, from the second
on as damaged. Of 300 photos of LFW the bundled model changes 99 in 100 by less than 4.3; noisy ones by 19."""

LIGHT = (3.0, 6.0)
"""The same of light: 98 in 100 photos by less than 1.7, those in two thirds of their light by more than 31."""


def damage(photo: np.ndarray, given_back: np.ndarray) -> tuple[float, float]:
    """Say how far a model changed a photo.

    Parameters
    ----------
    photo, given_back : (s, s, 3) arrays, 0 to 255
        What was encoded, and what its latent decodes to.

    Returns
    -------
    light, texture : float
        0 where the change is what is usual for a sound photo, 1 where it is damage; in between both.

    Examples
    --------
    >>> grey = np.full((64, 64, 3), 100.0)
    >>> damage(grey, grey + 1), damage(grey, grey + 30)
    ((0.0, 0.0), (1.0, 0.0))
    """
    return _told_apart(np.asarray(photo, np.float32), given_back)[:2]


def without_damage(photo: np.ndarray, given_back: np.ndarray) -> np.ndarray:
    """Take out of a photo what a model with a cleaner took out of it.

    Parameters
    ----------
    photo : (S, S, 3) array, 0 to 255
    given_back : (s, s, 3) array, 0 to 255
        What the model's latent of the photo, scaled to s, decodes to.

    Returns
    -------
    (S, S, 3) float32 array, 0 to 255
        A sound photo as it is. Where texture is damaged, detail finer than the model's pixels is left out: nobody
        knows it.

    Examples
    --------
    >>> photo = np.full((64, 64, 3), 100.0)
    >>> float(without_damage(photo, np.full((32, 32, 3), 140.0)).mean())
    140.0
    """
    photo = np.asarray(photo, np.float32)
    side = given_back.shape[0]
    small = resized(photo, side)
    light, texture, gain, broad, rest = _told_apart(small, given_back)
    if not light and not texture:
        return photo
    mended = photo + gain * (photo - resized(_broad(small), photo.shape[0]))
    mended += resized(light * broad + texture * rest, photo.shape[0])
    if photo.shape[0] > side:
        mended -= texture * (photo - resized(small, photo.shape[0]))
    return np.clip(mended, 0, 255)


def _told_apart(photo: np.ndarray, given_back: np.ndarray) -> tuple[float, float, float, np.ndarray, np.ndarray]:
    """Give the damage of light and of texture, the gain of contrast that belongs to the light, and both changes."""
    change = given_back.astype(np.float32) - photo
    broad, detail = _broad(change), photo - _broad(photo)
    light = _ramp(broad, LIGHT)
    # A photo in weak light is flat, too: where its detail only grows, it is no less sound.
    gain = light * max(0.0, float((detail * change).sum() / (np.square(detail).sum() + 1)))
    rest = change - broad - gain * detail
    return light, _ramp(rest / np.float32(1 + gain), TEXTURE), gain, broad, rest


def _broad(image: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(image, (0, 0), BROAD * image.shape[0], borderType=cv2.BORDER_REFLECT_101)


def _ramp(change: np.ndarray, between: tuple[float, float]) -> float:
    low, high = between
    return float(np.clip((np.sqrt(np.square(change).mean()) - low) / (high - low), 0, 1))
