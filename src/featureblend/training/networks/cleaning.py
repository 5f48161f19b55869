"""Undoing damage of a photo before it is encoded: noise, blur, compression, weak or coloured light.

A fine latent that says what each pixel is says what each grain of noise is, too. So degradation is removed before, by a
small network of its own that learns nothing else: the codes of a clean photo, and all that was learned of them, stay
what they are.

At use every correction is multiplied by how certain the network is that there is something to correct, and that is
exactly 0 below even odds: a clean photo comes through bit by bit. Its odds are those of use, where damage is rarer than
in training. In training it is told what was done to a picture, or what is not seen yet would never be learned to be
undone. Own design; a residual U-Net (Ronneberger et al. 2015; Zhang et al. 2017, DnCNN) on squares of pixels folded
into channels (Zhang et al. 2018, FFDNet).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from .blocks import Downsample, ResidualBlock, Upsample, activation, conv3x3

SIGNS = ("light", "texture")
"""What is told apart: weak, flat or coloured light, which a gain and an offset undo; and damage of the texture, which
is anything else."""

RARER = (3.7, 2.6)
"""By how much the logits of `SIGNS` are lower at use. As the preset trains (`degrade` .7), the light of one picture in
six is damaged, and the texture of more than half; of photos that people use, one in two hundred and one in ten are
assumed to be (Saerens, Latinne and Decaestecker 2002, "Adjusting the outputs of a classifier to new a priori
probabilities"). More than that are dim, but to colour a good photo is worse than to leave a dim one."""

MEAN_GAIN, DETAIL_GAIN = 0.5, 4.0
"""Factors of a square's mean and of its other frequencies, which bring photos' to about the same size: of plain pixels,
in which damage is a small difference of large numbers, a network learns several times as slowly."""

EPS = 1e-4
"""Mean square of a feature that counts as none."""

HIDDEN = 128
"""Width of the layer that judges the whole picture."""


class Cleaner(nn.Module):
    """Network that removes the damage it finds in pictures.

    Parameters
    ----------
    widths : sequence of int
        Channels at each resolution, finest first; each further one halves the size.
    patch : int
        Squares of this side are folded into channels.

    Examples
    --------
    >>> cleaner = Cleaner((8, 8))
    >>> pictures = torch.rand(2, 3, 32, 32) * 2 - 1
    >>> bool((cleaner(pictures) == pictures).all())  # untrained, it changes nothing
    True
    """

    frequencies: Tensor

    def __init__(self, widths: tuple[int, ...], patch: int = 2) -> None:
        super().__init__()
        self.patch = patch
        pixels = 3 * patch**2
        self.register_buffer("frequencies", _frequencies(patch), persistent=False)
        self.down, self.up, self.widen = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        for level, width in enumerate(widths):
            first = Downsample(widths[level - 1], width) if level else conv3x3(pixels, width)
            self.down.append(nn.Sequential(first, ResidualBlock(width)))
        for finer, coarser in zip(reversed(widths[:-1]), reversed(widths[1:]), strict=True):
            self.widen.append(Upsample(coarser, finer))
            self.up.append(ResidualBlock(finer))
        self.to_pixels = conv3x3(widths[0], pixels)
        nn.init.zeros_(self.to_pixels.weight)
        self.judge = nn.Linear(2 * sum(widths), HIDDEN)
        self.to_signs = nn.Linear(HIDDEN, len(SIGNS))
        self.to_light = nn.Linear(HIDDEN, 6)
        for layer in (self.to_signs, self.to_light):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def restored(self, images: Tensor, shares: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The restored pictures, and the damage that was found.

        Parameters
        ----------
        images : (B, 3, S, S) tensor in [-1, 1]
        shares : (B, 2) tensor, optional
            How far to undo what belongs to each of `SIGNS`, 0 to 1; as far as it is certain, if left out.

        Returns
        -------
        cleaned : (B, 3, S, S) tensor
            Nearly in [-1, 1].
        signs : (B, 2) float32 tensor
            Logits at the odds of training, one for each of `SIGNS`.
        """
        maps = self._maps(images)
        values, hidden = maps[-1], self._judged(maps)
        signs = self.to_signs(hidden).float()
        shares = _certainty(signs) if shares is None else shares
        light, texture = shares.to(images)[:, :, None, None, None].unbind(1)
        for widen, level, beside in zip(self.widen, self.up, reversed(maps[:-1]), strict=True):
            values = level(widen(values) + beside)
        gain, offset = self.to_light(hidden)[:, :, None, None].chunk(2, dim=1)
        correction = functional.pixel_shuffle(self.to_pixels(activation(values)), self.patch)
        return images + light * (gain * images + offset) + texture * correction, signs

    def _maps(self, images: Tensor) -> list[Tensor]:
        maps, values = [], functional.conv2d(functional.pixel_unshuffle(images, self.patch), self.frequencies)
        for level in self.down:
            values = level(values)
            maps.append(values)
        return maps

    def _judged(self, maps: list[Tensor]) -> Tensor:
        seen = [activation(found) for found in maps]
        # Noise and blur are a matter of how large the features are, everywhere: means say little without spreads.
        spreads = [(found.square().mean((2, 3)) + EPS).sqrt() for found in seen]
        return activation(self.judge(torch.cat([*(found.mean((2, 3)) for found in seen), *spreads], dim=1)))

    def forward(self, images: Tensor) -> Tensor:
        """Restore (B, 3, S, S) pictures in [-1, 1]."""
        return self.restored(images)[0]

    def cleaned(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """The restored pictures, as `forward` gives them, and how much was changed.

        Parameters
        ----------
        images : (B, 3, S, S) tensor in [-1, 1]

        Returns
        -------
        cleaned : (B, 3, S, S) tensor
        damage : (B, 2) float32 tensor
            0 to 1 for each of `SIGNS`: how certain it is of it, 0 below even odds.
        """
        cleaned, signs = self.restored(images)
        return cleaned, _certainty(signs)


def _certainty(signs: Tensor) -> Tensor:
    return (2 * torch.sigmoid(signs.float() - signs.new_tensor(RARER).float()) - 1).clamp(min=0)


def _frequencies(patch: int) -> Tensor:
    """The (3 patch^2, 3 patch^2, 1, 1) discrete cosine transform of each colour of squares, scaled."""
    place = torch.arange(patch, dtype=torch.float64)
    basis = torch.cos(math.pi / patch * (place[None] + 0.5) * place[:, None]) * math.sqrt(2 / patch)
    basis[0] /= math.sqrt(2)
    gains = torch.full((patch**2,), DETAIL_GAIN, dtype=torch.float64)
    gains[0] = MEAN_GAIN
    of_square = torch.kron(basis, basis) * gains[:, None]
    return torch.kron(torch.eye(3, dtype=torch.float64), of_square).float()[:, :, None, None]
