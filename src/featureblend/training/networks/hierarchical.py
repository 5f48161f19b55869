"""An autoencoder with latents at several scales, whose mean can be taught to decode to one face.

Own design, after hierarchical autoencoders (Razavi et al. 2019, VQ-VAE-2; Child 2021, very deep VAEs), without their
quantisation and ladder: each resolution of the encoder gives its own few channels of latent, and a global vector
modulates every block of the decoder (Perez et al. 2018; Karras et al. 2019). Pixels reach the decoder only through the
latents, so that all of a blend is mixed. The decoder enlarges by repeating pixels and convolving, up to the last
resolution, which leaves no lattice (Odena et al. 2016). Pictures go in and out as (B, 3, S, S) in [-1, 1].

The latent is one flat vector, so that blends are plain vector arithmetic: the global part first, then the maps from
the coarsest to the finest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...errors import FeatureblendError
from .blocks import Downsample, ResidualBlock, Upsample, activation, conv3x3
from .latent import FixedWidthAutoencoder


@dataclass(frozen=True)
class HierarchicalConfig:
    """Sizes of `HierarchicalAutoencoder`."""

    image_size: int = 128
    """Side of the pictures in pixels."""
    patch: int = 4
    """The stem folds squares of this side into channels; a power of two."""
    widths: tuple[int, ...] = (64, 128, 192)
    """Channels at each resolution of the encoder, and of the decoder up to the stem's, finest first."""
    detail_widths: tuple[int, ...] = (32, 16)
    """Channels of the decoder's resolutions beyond the stem's, one for each time that `patch` is doubled."""
    latent_channels: tuple[int, ...] = (8, 16, 32)
    """Channels of the latent at each resolution, finest first; 0 for a resolution without, but not for the coarsest."""
    global_dim: int = 256
    """Length of the global latent."""
    encoder_blocks: tuple[int, ...] = (1, 1, 2)
    """Residual blocks of the encoder at each resolution."""
    decoder_blocks: tuple[int, ...] = (2, 2, 3)
    """Residual blocks of the decoder at each resolution up to the stem's."""
    detail_blocks: tuple[int, ...] = (1, 0)
    """Residual blocks of the decoder at each resolution beyond the stem's."""
    noise: float = 0.1
    """Standard deviation of the posterior: noise added to latents in training, so that near codes decode alike."""

    @property
    def grids(self) -> tuple[int, ...]:
        """Side of the latent at each resolution, finest first."""
        return tuple(self.image_size // (self.patch * 2**level) for level in range(len(self.widths)))

    @property
    def parts(self) -> tuple[int, ...]:
        """Lengths of the flat latent's parts: the global one, then the maps, coarsest first."""
        maps = [channels * grid**2 for channels, grid in zip(self.latent_channels, self.grids, strict=True)]
        return (self.global_dim, *reversed(maps))

    @property
    def latent_dim(self) -> int:
        """Length of the flat latent."""
        return sum(self.parts)

    def __post_init__(self) -> None:
        levels = {len(self.widths), len(self.latent_channels), len(self.encoder_blocks), len(self.decoder_blocks)}
        if len(levels) > 1 or not self.widths:
            raise FeatureblendError(
                "model options: widths, latent_channels, encoder_blocks and decoder_blocks must be equally long"
            )
        if len(self.detail_widths) != len(self.detail_blocks) or 2 ** len(self.detail_widths) != self.patch:
            raise FeatureblendError(
                f"model options: a patch of {self.patch} px needs a number in detail_widths, and in detail_blocks, for "
                "each time that it is doubled"
            )
        step = self.patch * 2 ** (len(self.widths) - 1)
        if self.image_size < step or self.image_size % step:
            raise FeatureblendError(f"model options: image_size {self.image_size} must be a multiple of {step}")
        if self.global_dim < 1 or min(self.latent_channels) < 0 or not self.latent_channels[-1]:
            raise FeatureblendError("model options: global_dim and the last of latent_channels must be positive")
        if self.noise < 0:
            raise FeatureblendError(f"model options: noise {self.noise} must not be negative")


class HierarchicalAutoencoder(FixedWidthAutoencoder):
    """Latents at several scales, mixed as one flat vector; the decoder makes one picture of them.

    Examples
    --------
    >>> model = HierarchicalAutoencoder(HierarchicalConfig(
    ...     image_size=32, widths=(8, 8), latent_channels=(2, 4), global_dim=6, encoder_blocks=(1, 1),
    ...     decoder_blocks=(1, 1), detail_widths=(8, 4)))
    >>> model.encode(torch.zeros(2, 3, 32, 32)).shape  # 6 + 4 * 4 * 4 + 2 * 8 * 8
    torch.Size([2, 198])
    """

    def __init__(self, config: HierarchicalConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or HierarchicalConfig()
        widths, style = config.widths, config.global_dim
        finer = (3 * config.patch**2, *widths)
        self.encoder = nn.ModuleList(
            nn.Sequential(
                Downsample(finer[level], width) if level else conv3x3(finer[0], width),
                *(ResidualBlock(width) for _ in range(config.encoder_blocks[level])),
            )
            for level, width in enumerate(widths)
        )
        self.to_global = nn.Linear(widths[-1], style)
        self.to_maps = nn.ModuleList(
            nn.Conv2d(width, channels, 1) if channels else nn.Identity()
            for width, channels in zip(widths, config.latent_channels, strict=True)
        )
        self.from_maps = nn.ModuleList(
            conv3x3(channels, width) if channels else nn.Identity()
            for width, channels in zip(widths, config.latent_channels, strict=True)
        )
        self.enlarge = nn.ModuleList(Upsample(widths[level], widths[level - 1]) for level in range(1, len(widths)))
        self.decoder = nn.ModuleList(
            nn.ModuleList(ResidualBlock(width, style) for _ in range(blocks))
            for width, blocks in zip(widths, config.decoder_blocks, strict=True)
        )
        details = (widths[0], *config.detail_widths)
        self.detail = nn.ModuleList(
            nn.ModuleList(
                [Upsample(details[place], width), *(ResidualBlock(width, style) for _ in range(blocks))],
            )
            for place, (width, blocks) in enumerate(zip(config.detail_widths, config.detail_blocks, strict=True))
        )
        self.to_pixels = conv3x3(details[-1], 3)
        nn.init.normal_(self.to_pixels.weight, std=0.02)

    def encode(self, images: Tensor) -> Tensor:
        """Map (B, 3, S, S) in [-1, 1] to the (B, latent_dim) mean of the posterior."""
        values = functional.pixel_unshuffle(images, self.config.patch)
        maps: list[Tensor] = []
        for layers, to_map, channels in zip(self.encoder, self.to_maps, self.config.latent_channels, strict=True):
            values = layers(values)
            if channels:
                maps.append(to_map(activation(values)).flatten(1))
        whole = self.to_global(activation(values).mean(dim=(2, 3)))
        return torch.cat([whole, *reversed(maps)], dim=1)

    def decode(self, latent: Tensor) -> Tensor:
        """Map (B, latent_dim) to (B, 3, S, S); nearly in [-1, 1], the output is linear."""
        config = self.config
        style, *maps = latent.split(list(config.parts), dim=1)
        values: Tensor | None = None
        for level in reversed(range(len(config.widths))):
            channels, grid = config.latent_channels[level], config.grids[level]
            if values is not None:
                values = self.enlarge[level](values)
            given = maps[len(config.widths) - 1 - level]
            if channels:
                own = self.from_maps[level](given.unflatten(1, (channels, grid, grid)))
                values = own if values is None else values + own
            values = _through(self.decoder[level], values, style)
        for layers in self.detail:
            values = _through(layers, values, style)
        assert values is not None
        return self.to_pixels(activation(values))


def _through(layers: Any, values: Tensor | None, style: Tensor) -> Tensor | None:
    for layer in layers:
        values = layer(values, style) if isinstance(layer, ResidualBlock) else layer(values)
    return values
