"""Spoiling inputs, not targets: what phones, weak light and strong compression do to a photo.

The encoder then learns to see the clean face behind it, and the decoder never learns to draw the damage. All on the
training device, as plain tensor arithmetic.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from .batches import moved, seeded

__all__ = ["KINDS", "degraded", "spoilt"]

BLOCK = 8
"""Side of JPEG's blocks in pixels."""


def degraded(images: Tensor, share: float, seed: tuple[object, ...]) -> Tensor:
    """Spoil a share of the pictures, each in one way: blur, noise, coarse compression, weak or coloured light.

    Parameters
    ----------
    images : (B, 3, S, S) tensor in [-1, 1]
        S a multiple of 8.
    share : float
        Of the pictures that are spoilt, 0 to 1.
    seed : tuple
        Fixes every draw.

    Returns
    -------
    (B, 3, S, S) tensor in [-1, 1]

    Examples
    --------
    >>> images = torch.rand(4, 3, 32, 32) * 2 - 1
    >>> bool((degraded(images, 0.0, (0,)) == images).all()), bool((degraded(images, 1.0, (0,)) == images).all())
    (True, False)
    """
    draws = seeded(*seed, "degrade")
    count = len(images)
    kind = torch.randint(0, len(KINDS), (count,), generator=draws)
    chosen = torch.rand(count, generator=draws) < share
    amounts = _amounts(count, draws)
    result = images
    for number, way in enumerate(_WAYS.values()):
        places = torch.nonzero(chosen & (kind == number)).flatten()
        if len(places):
            at, drawn = moved(places, images.device), moved(amounts[:, places], images.device)
            result = result.index_copy(0, at, way(images[at], drawn).clamp(-1, 1).to(images))
    return result


def spoilt(images: Tensor, kind: str, seed: tuple[object, ...]) -> Tensor:
    """Spoil every picture in the same way, by amounts drawn one by one.

    Parameters
    ----------
    images : (B, 3, S, S) tensor in [-1, 1]
    kind : str
        One of `KINDS`.
    seed : tuple
        Fixes every draw.

    Returns
    -------
    (B, 3, S, S) tensor in [-1, 1]

    Examples
    --------
    >>> images = torch.rand(4, 3, 32, 32) * 2 - 1
    >>> spoilt(images, "noise", (0,)).shape
    torch.Size([4, 3, 32, 32])
    """
    amounts = _amounts(len(images), seeded(*seed, "spoil"))
    return _WAYS[kind](images, moved(amounts, images.device)).clamp(-1, 1)


def _amounts(count: int, draws: torch.Generator) -> Tensor:
    """Draw a (4, count) tensor: a strength between 0 and 1, and three normal numbers."""
    return torch.cat([torch.rand((1, count), generator=draws), torch.randn((3, count), generator=draws)])


def _blurred(images: Tensor, amounts: Tensor) -> Tensor:
    """Halve or quarter the detail and mix it with the picture."""
    small = functional.interpolate(functional.avg_pool2d(images, 4), scale_factor=4, mode="bilinear")
    return torch.lerp(images, small, (0.3 + 0.7 * amounts[0]).view(-1, 1, 1, 1))


def _noisy(images: Tensor, amounts: Tensor) -> Tensor:
    """Add noise with a standard deviation of 5 to 40 grey levels of 256."""
    # Hash-like noise from the pictures' own places: drawing it on the CPU would be the dearest part of a step.
    grid = torch.arange(images[0].numel(), device=images.device).view(1, *images.shape[1:]).float()
    phase = amounts[1].view(-1, 1, 1, 1) * 1000
    uniform = [(torch.sin(grid * a + phase) * b).frac() for a, b in ((12.9898, 43758.5453), (78.233, 12543.123))]
    noise = sum(uniform, torch.zeros_like(images)) * math.sqrt(1.5) / 2
    return images + noise * (2 * (5 + 35 * amounts[0]) / 255).view(-1, 1, 1, 1) * 2


def _lit(images: Tensor, amounts: Tensor) -> Tensor:
    """Darken, flatten and tint: exposure down to 60 %, contrast down to a half, gains of 10 % a channel."""
    light = (images + 1) / 2
    gain = (1 - 0.4 * amounts[0]).view(-1, 1, 1, 1) * (1 + 0.1 * amounts[1:4].mT[:, :, None, None])
    flat = light.mean(dim=(1, 2, 3), keepdim=True)
    return torch.lerp(light, flat, (0.5 * amounts[0]).view(-1, 1, 1, 1)).mul(gain).clamp(0, 1) * 2 - 1


def _compressed(images: Tensor, amounts: Tensor) -> Tensor:
    """Round the discrete cosine transform of 8 x 8 blocks, coarser at higher frequencies, as JPEG does."""
    place = torch.arange(BLOCK, device=images.device, dtype=images.dtype)
    basis = torch.cos(math.pi / BLOCK * (place[None] + 0.5) * place[:, None]) * math.sqrt(2 / BLOCK)
    basis[0] /= math.sqrt(2)
    blocks = images.unflatten(2, (-1, BLOCK)).unflatten(4, (-1, BLOCK)).movedim(3, 4)  # (B, 3, rows, columns, 8, 8)
    frequencies = basis @ blocks @ basis.T
    step = (1 + place[:, None] + place[None]) * 2 * 16 / 255 * (0.3 + 2.0 * amounts[0]).view(-1, 1, 1, 1, 1, 1)
    blocks = basis.T @ ((frequencies / step).round() * step) @ basis
    return blocks.movedim(4, 3).flatten(4, 5).flatten(2, 3)


_WAYS = {"blur": _blurred, "noise": _noisy, "light": _lit, "compression": _compressed}
KINDS = tuple(_WAYS)
"""Ways to spoil a picture."""
