"""Restoration at full size: what a model took out of the small picture is taken out of the large one.

A model's cleaner (`featureblend.training.networks.cleaning`) gives a noisy, blurred or dim crop back without that, and
says how far it removed what. A blend takes no detail from a degradation.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...faces.alignment import blurred, resized

BROAD = 4 / 128
"""Standard deviation of the blur that tells light from texture, as a share of the side."""

WHOLE = 0.5
"""Degradation that is taken out of the large picture as far as possible; less of it by share."""

LIGHT_SEEN, TEXTURE_SEEN = (1.5, 3.0), (2.0, 4.0)
"""Changes of light and of texture in grey levels (root mean square): up to the first a photo stays as it is, whatever
the model says, since a little softness is no damage; from the second on it is restored in full."""


def restore_photo(photo: np.ndarray, cleaned: np.ndarray, degradation: Sequence[float] | np.ndarray) -> np.ndarray:
    """Restore a photo as a model restored its crop.

    Parameters
    ----------
    photo : (S, S, 3) array, 0 to 255
    cleaned : (s, s, 3) array, 0 to 255
        What the cleaner made of the photo, scaled to s.
    degradation : (2,) array
        Of light and of texture, 0 to 1: both as `featureblend.model.networks.Networks.cleaned` gives them.

    Returns
    -------
    (S, S, 3) float32 array, 0 to 255
        A good photo as it is. Where texture is damaged, detail finer than the model's pixels is left out: nobody
        knows it.

    Examples
    --------
    >>> photo = np.full((64, 64, 3), 100.0)
    >>> brighter = np.full((32, 32, 3), 140.0)
    >>> [float(restore_photo(photo, brighter, degradation).mean()) for degradation in ([0, 0], [0.25, 0], [1, 0])]
    [100.0, 120.0, 140.0]
    """
    photo = np.asarray(photo, np.float32)
    light, texture = np.clip(np.asarray(degradation, np.float32) / WHOLE, 0, 1).tolist()
    if not light and not texture:
        return photo
    side = cleaned.shape[0]
    small = resized(photo, side)
    change = cleaned.astype(np.float32) - small
    brighter, detail = broad(change), small - broad(small)
    light *= _ramp(brighter, LIGHT_SEEN)
    # A photo in weak light is flat, too: its detail grows with the light, that which the model can't see as well.
    gain = light * max(0.0, float((detail * change).sum() / (np.square(detail).sum() + 1)))
    rest = change - brighter - gain * detail
    texture *= _ramp(rest / np.float32(1 + gain), TEXTURE_SEEN)
    if not light and not texture:
        return photo
    restored = photo + resized(light * brighter + gain * detail + texture * rest, photo.shape[0])
    finer = photo - resized(small, photo.shape[0])
    return np.clip(restored + ((1 - texture) * (1 + gain) - 1) * finer, 0, 255)


def _ramp(change: np.ndarray, between: tuple[float, float]) -> float:
    low, high = between
    return float(np.clip((np.sqrt(np.square(change).mean()) - low) / (high - low), 0, 1))


def broad(image: np.ndarray) -> np.ndarray:
    """Blur a square picture so far that only its light is left.

    Examples
    --------
    >>> float(broad(np.full((32, 32, 3), 7, np.float32)).max())
    7.0
    """
    return blurred(image, BROAD * image.shape[0])
