"""Degradation of inputs (not targets): blur, noise, weak light, compression.

What sees them then learns to see the clean face behind it, and the decoder never learns to draw the damage. All on the
training device, as plain tensor arithmetic.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from .batches import moved, seeded, seeded_on

BLOCK = 8
"""Side of JPEG's blocks in pixels."""

SHARES = (1, 1, 1, 2)
"""How often each of `KINDS` is done, in proportion: compression looks different at each size of the photo, and of its
small faces, which are hardest to restore, too few would be seen."""

SECOND = 0.25
"""Share of the degraded pictures that are degraded in a second way, too."""

AMOUNTS = 6
"""Random numbers drawn per degradation."""

AS_CUT = 0.25
"""Share of the batches whose compression has upright blocks of the picture's own pixels, and, drawn apart, of those
whose noise has its grain; the others' come from a photo of another size, compression's of another angle too, from which
the face was cut out. No grain is finer than the picture's pixels, so that noise of a larger photo has those, too."""

SMALLEST, LARGEST = 0.375, 1.5
"""Side of a face in the photo that it was cut out of, as a share of the picture's; all between are as likely, on a
logarithmic scale."""

ANGLE = math.radians(12)
"""Largest rotation between the photo and the upright crop."""

MARGIN = 8
"""One part in so many of the side is added around a picture that is turned, or its corners would be lost."""

LUMINANCE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
"""Steps of the frequencies of brightness at quality 50 (ISO/IEC 10918-1, table K.1)."""

CHROMINANCE = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *((99,) * 8,) * 4,
)
"""The same of colour (table K.2)."""

MIDDLE = 1 / 255
"""JPEG counts from grey level 128, pictures in [-1, 1] from 127.5."""

YCBCR = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))
"""Brightness and two differences of colour, of red, green and blue (ITU-T T.871)."""


def degraded(
    images: Tensor, share: float, seed: tuple[object, ...], places: Tensor | None = None, count: int = 0
) -> Tensor:
    """Degrade a share of the pictures by blur, noise, compression or weak or coloured light; one in four in two ways.

    Parameters
    ----------
    images : (B, 3, S, S) tensor in [-1, 1]
        S a multiple of 16.
    share : float
        Of the pictures that are degraded, 0 to 1.
    seed : tuple
        Fixes every draw.
    places : (B,) tensor, optional
        Where these pictures stand in a batch of `count` that several processes share.
    count : int

    Returns
    -------
    (B, 3, S, S) tensor in [-1, 1]

    Examples
    --------
    >>> images = torch.rand(4, 3, 32, 32) * 2 - 1
    >>> bool((degraded(images, 0.0, (0,)) == images).all()), bool((degraded(images, 1.0, (0,)) == images).all())
    (True, False)
    """
    return degraded_with_kinds(images, share, seed, places, count)[0]


def degraded_with_kinds(
    images: Tensor, share: float, seed: tuple[object, ...], places: Tensor | None = None, count: int = 0
) -> tuple[Tensor, Tensor]:
    """Degrade pictures as `degraded` does; also return how.

    Returns
    -------
    pictures : (B, 3, S, S) tensor in [-1, 1]
    ways : (B, kinds) bool tensor
        Which of `KINDS` were done to each.

    Examples
    --------
    >>> _, ways = degraded_with_kinds(torch.zeros(100, 3, 32, 32), 0.5, (0,))
    >>> bool(ways.any(dim=1).float().mean() > 0.3), bool((ways.sum(dim=1) <= 2).all())
    (True, True)
    """
    draws = seeded(*seed, "degrade")
    mine = torch.arange(len(images)) if places is None else places
    count = count or len(images)
    shares = torch.tensor(SHARES, dtype=torch.float32)
    first, second = torch.multinomial(shares, 2 * count, replacement=True, generator=draws).view(2, count)
    chosen, again = torch.rand((2, count), generator=draws)
    ways = functional.one_hot(first, len(KINDS)).bool()
    ways |= functional.one_hot(second, len(KINDS)).bool() & (again < SECOND)[:, None]
    ways &= (chosen < share)[:, None]
    amounts = _amounts(len(KINDS), count, draws)
    result = images
    # In bfloat16 a grey level is a step, and the damage would be steps.
    with torch.autocast(images.device.type, enabled=False):
        for number, way in enumerate(_WAYS.values()):
            here = torch.nonzero(ways[mine, number]).flatten()
            if len(here):
                at = moved(here, images.device)
                grain = seeded_on(images.device, *seed, number, "grain")
                among = None if places is None else (ways[:, number].cumsum(0) - 1)[mine[here]]
                drawn = amounts[number][:, ways[:, number]]
                changed = way(result[at].float(), drawn, among, grain).clamp(-1, 1)
                result = result.index_copy(0, at, changed.to(images))
    return result, moved(ways[mine], images.device)


def _own(drawn: Tensor, among: Tensor | None, axis: int = -1) -> Tensor:
    """What was drawn for these of a batch's pictures; None for all of them."""
    return drawn if among is None else drawn.index_select(axis, moved(among, drawn.device))


def _amounts(kinds: int, count: int, draws: torch.Generator) -> Tensor:
    """Draw a (kinds, `AMOUNTS`, count) tensor of numbers between 0 and 1."""
    return torch.rand((kinds, AMOUNTS, count), generator=draws)


def _lit(images: Tensor, drawn: Tensor, among: Tensor | None, grain: torch.Generator) -> Tensor:
    """Darken, flatten and tint: exposure and contrast down to a half, 15 % more red and less blue, or the other way."""
    light = (images + 1) / 2
    exposure, contrast, *tint = moved(_own(drawn[:4], among), images.device).view(4, -1, 1, 1, 1)
    # Colour temperature runs from blue to red; green changes with magenta, half as much.
    red, green = 0.15 * (2 * tint[0] - 1), 0.075 * (2 * tint[1] - 1)
    gain = (1 - 0.5 * exposure) * (1 + torch.cat([red, green, -red], dim=1))
    flat = light.mean(dim=(1, 2, 3), keepdim=True)
    return torch.lerp(light, flat, 0.5 * contrast).mul(gain).clamp(0, 1) * 2 - 1


def _blurred(images: Tensor, drawn: Tensor, among: Tensor | None, grain: torch.Generator) -> Tensor:
    """Blur by a Gaussian of half a pixel to three of 128, up to twice as far along one axis: weak focus, or a shake."""
    count, channels, size, _ = images.shape
    amounts = moved(_own(drawn, among), images.device)
    most = 3 * size / 128
    reach = math.ceil(2.5 * most)
    spread = (0.5 / 3 + (2.5 / 3) * amounts[0]) * most
    narrower = 1 - 0.5 * amounts[1]
    along = amounts[2] < 0.5
    places = torch.arange(-reach, reach + 1, device=images.device, dtype=images.dtype)
    flat = functional.pad(images.reshape(1, count * channels, size, size), [reach] * 4, mode="reflect")
    for turned in (False, True):
        sigma = torch.where(along == turned, spread, spread * narrower)
        taps = (-0.5 * (places / sigma[:, None]) ** 2).exp()
        taps = (taps / taps.sum(dim=1, keepdim=True)).repeat_interleave(channels, dim=0)
        taps = taps[:, None, None, :] if turned else taps[:, None, :, None]
        flat = functional.conv2d(flat, taps, groups=count * channels)
    return flat.view_as(images)


def _noisy(images: Tensor, drawn: Tensor, among: Tensor | None, grain: torch.Generator) -> Tensor:
    """Add normal noise of 5 to 40 grey levels, of all grains: as a sensor gives it, or after scaling or warping."""
    size = images.shape[-1]
    amount, smooth, grey = moved(_own(drawn[:3], among), images.device).view(3, -1, 1, 1, 1)
    # Fine grain of a large photo is gone once its face is small, so that noise has no finer grain than the pixels.
    grains = size if float(drawn[3, 0]) < AS_CUT else min(_side(size, float(drawn[4, 0])), size)
    shape = (drawn.shape[1], images.shape[1], grains, grains)
    noise = _own(torch.randn(shape, generator=grain, device=images.device), among, axis=0)
    smoothed = functional.avg_pool2d(functional.pad(noise, [1, 0, 1, 0], mode="reflect"), 2, 1)
    noise = torch.lerp(noise, smoothed, smooth)
    noise = torch.lerp(noise, noise.mean(dim=1, keepdim=True), grey)
    noise = _resized(noise, size)
    noise = noise / noise.std(dim=(1, 2, 3), keepdim=True)
    return images + noise * (2 * (5 + 35 * amount) / 255)


def _compressed(images: Tensor, drawn: Tensor, among: Tensor | None, grain: torch.Generator) -> Tensor:
    """Compress as JPEG does at qualities of 5 to 50, the picture or the photo from which it was cut out.

    All pictures of a batch come from photos of one size and angle.
    """
    quality = 5 + 45 * moved(_own(drawn[0], among), images.device)
    as_cut, scale, angle, left, top = drawn[1:, 0].tolist()
    if as_cut < AS_CUT:
        return _as_jpeg(images, quality)
    size, margin = images.shape[-1], images.shape[-1] // MARGIN
    wide = functional.pad(images, [margin] * 4, mode="reflect")
    side = _side(wide.shape[-1], scale)
    turn = ANGLE * (2 * angle - 1)
    left, top = int(left * 2 * BLOCK), int(top * 2 * BLOCK)
    photo = _resized(_turned(wide, turn), side)
    right, bottom = -(left + side) % (2 * BLOCK), -(top + side) % (2 * BLOCK)
    photo = functional.pad(photo, [left, right, top, bottom], mode="replicate")
    photo = _as_jpeg(photo, quality).clamp(-1, 1)[..., top : top + side, left : left + side]
    back = _turned(_resized(photo, wide.shape[-1]), -turn)
    return back[..., margin : margin + size, margin : margin + size]


def _side(size: int, scale: float) -> int:
    """Side of a face in its photo, in pixels, for a number between 0 and 1."""
    return round(size * SMALLEST * (LARGEST / SMALLEST) ** scale)


def _resized(images: Tensor, side: int) -> Tensor:
    return functional.interpolate(images, (side, side), mode="bicubic", antialias=True)


def _turned(images: Tensor, angle: float) -> Tensor:
    """Rotate about the centre, by radians, with mirrored borders."""
    cosine, sine = math.cos(angle), math.sin(angle)
    turn = moved(torch.tensor([[[cosine, -sine, 0], [sine, cosine, 0]]], dtype=images.dtype), images.device)
    grid = functional.affine_grid(turn.expand(len(images), -1, -1), list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, mode="bicubic", padding_mode="reflection", align_corners=False)


def _as_jpeg(images: Tensor, quality: Tensor) -> Tensor:
    """Round the discrete cosine transform of 8 x 8 blocks by JPEG's tables, colour at half size."""
    turn = torch.tensor(YCBCR, dtype=images.dtype)
    back = moved(torch.linalg.inv(turn), images.device)
    planes = torch.einsum("dc,bcij->bdij", moved(turn, images.device), images - MIDDLE)
    scale = (50 / quality).view(-1, 1, 1, 1, 1, 1)
    brightness = _rounded(planes[:, :1], LUMINANCE, scale)
    colour = _rounded(functional.avg_pool2d(planes[:, 1:], 2), CHROMINANCE, scale)
    colour = functional.interpolate(colour, scale_factor=2.0, mode="bilinear")
    return torch.einsum("dc,bcij->bdij", back, torch.cat([brightness, colour], dim=1)) + MIDDLE


def _rounded(planes: Tensor, table: tuple[tuple[int, ...], ...], scale: Tensor) -> Tensor:
    place = torch.arange(BLOCK, device=planes.device, dtype=planes.dtype)
    basis = torch.cos(math.pi / BLOCK * (place[None] + 0.5) * place[:, None]) * math.sqrt(2 / BLOCK)
    basis[0] /= math.sqrt(2)
    blocks = planes.unflatten(2, (-1, BLOCK)).unflatten(4, (-1, BLOCK)).movedim(3, 4)
    step = (moved(torch.tensor(table, dtype=planes.dtype), planes.device) * scale).round().clamp(1, 255) * (2 / 255)
    blocks = basis.T @ (((basis @ blocks @ basis.T) / step).round() * step) @ basis
    return blocks.movedim(4, 3).flatten(4, 5).flatten(2, 3)


_WAYS = {"light": _lit, "blur": _blurred, "noise": _noisy, "compression": _compressed}
KINDS = tuple(_WAYS)
"""Degradations, in the order in which a camera causes them."""
