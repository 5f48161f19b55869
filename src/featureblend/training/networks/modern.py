"""The networks of the bundled model: a residual autoencoder with a spatial and a global latent.

Own design, after VQGAN's encoder without attention (Esser et al. 2021), with sub-pixel stem and head
(Shi et al. 2016), zero-initialised residual blocks instead of normalisation (Zhang et al. 2019), and a
global vector that modulates every decoder block (Perez et al. 2018; Karras et al. 2019). Trained by this
project on Labeled Faces in the Wild; MIT licence. Pictures go in and out as (B, 3, S, S) in [-1, 1].

The latent is one flat vector, so that blends are plain vector arithmetic: first the spatial part
(`spatial_channels` x `grid` x `grid`), then the global part, then, where there is one, the fine part
(`fine_channels` x `fine_grid` x `fine_grid`): what the others are too coarse for (a hierarchy of latents, as in
Razavi et al. 2019, VQ-VAE-2, without their quantisation).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...errors import FeatureblendError
from .blocks import Downsample, ResidualBlock, Upsample, activation, conv3x3
from .cleaning import Cleaner
from .latent import FixedWidthAutoencoder


@dataclass(frozen=True)
class ModernConfig:
    """Sizes of `ModernAutoencoder`."""

    image_size: int = 128
    """Side of the pictures in pixels."""
    patch: int = 4
    """The stem folds squares of this side into channels; the head unfolds them."""
    widths: tuple[int, ...] = (64, 128, 192)
    """Channels at each resolution, finest first; each further one halves the size."""
    encoder_blocks: tuple[int, ...] = (1, 2, 2)
    """Residual blocks of the encoder at each resolution."""
    decoder_blocks: tuple[int, ...] = (2, 2, 2)
    """Residual blocks of the decoder at each resolution."""
    detail_widths: tuple[int, ...] = ()
    """Channels of the decoder's further resolutions, each twice as fine as the stem's and the one before: without
    them the head unfolds `patch` x `patch` pixels from one place at once, which leaves a lattice of that period."""
    spatial_channels: int = 16
    """Channels of the spatial latent."""
    global_dim: int = 256
    """Length of the global latent; 0 leaves it out."""
    fine_channels: int = 0
    """Channels of the fine latent, which has the stem's resolution; 0 leaves it out."""
    fine_skip: bool = False
    """Let the fine latent see pixels and make pixels without the blocks between: what it holds is nearly linear in
    them, so a linear skip learns in minutes what the blocks learn in days."""
    cleaner_widths: tuple[int, ...] = ()
    """Channels, finest first, of a network that restores a photo before it is encoded (`cleaning`); without
    them photos are encoded as they come."""
    noise: float = 0.1
    """Standard deviation of the posterior: noise added to latents in training, so that near codes decode alike.
    0 is a plain autoencoder, whose divergence is 0."""

    @property
    def grid(self) -> int:
        """Side of the spatial latent."""
        return self.image_size // (self.patch * 2 ** (len(self.widths) - 1))

    @property
    def fine_grid(self) -> int:
        """Side of the fine latent: the stem's."""
        return self.image_size // self.patch

    @property
    def head_patch(self) -> int:
        """Side of the squares that the head unfolds."""
        return self.patch // 2 ** len(self.detail_widths)

    @property
    def latent_dim(self) -> int:
        """Length of the flat latent."""
        return self.spatial_channels * self.grid**2 + self.global_dim + self.fine_channels * self.fine_grid**2

    def __post_init__(self) -> None:
        if not 0 < len(self.widths) == len(self.encoder_blocks) == len(self.decoder_blocks):
            raise FeatureblendError("model options: widths, encoder_blocks and decoder_blocks must be equally long")
        if self.grid * self.patch * 2 ** (len(self.widths) - 1) != self.image_size or self.grid < 1:
            step = self.patch * 2 ** (len(self.widths) - 1)
            raise FeatureblendError(f"model options: image_size {self.image_size} must be a multiple of {step}")
        if self.head_patch * 2 ** len(self.detail_widths) != self.patch:
            raise FeatureblendError(f"model options: detail_widths halve the patch of {self.patch} px too often")
        if self.fine_skip and not self.fine_channels:
            raise FeatureblendError("model options: fine_skip needs fine_channels")
        if self.fine_channels < 0:
            raise FeatureblendError(f"model options: fine_channels {self.fine_channels} must not be negative")
        if self.noise < 0:
            raise FeatureblendError(f"model options: noise {self.noise} must not be negative")
        if self.image_size % 2 ** len(self.cleaner_widths):
            raise FeatureblendError("model options: cleaner_widths halve the size too often")


class ModernAutoencoder(FixedWidthAutoencoder):
    """A residual autoencoder whose blends are decoded weighted means of flat latents.

    Examples
    --------
    >>> model = ModernAutoencoder(ModernConfig(image_size=32, widths=(8, 8), encoder_blocks=(1, 1),
    ...                                        decoder_blocks=(1, 1), global_dim=4))
    >>> model.encode(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 260])
    """

    def __init__(self, config: ModernConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or ModernConfig()

        self.cleaner = Cleaner(config.cleaner_widths) if config.cleaner_widths else None
        layers: list[nn.Module] = [conv3x3(3 * config.patch**2, config.widths[0])]
        for level, (width, blocks) in enumerate(zip(config.widths, config.encoder_blocks, strict=True)):
            if level:
                layers.append(Downsample(config.widths[level - 1], width))
            layers += [ResidualBlock(width) for _ in range(blocks)]
        self.encoder = nn.Sequential(*layers)
        self.to_spatial = nn.Conv2d(config.widths[-1], config.spatial_channels, 1)
        self.to_global = nn.Linear(config.widths[-1], config.global_dim) if config.global_dim else None

        self.from_spatial = conv3x3(config.spatial_channels, config.widths[-1])
        self.to_fine = self.from_fine = self.fine_to_pixels = None
        if config.fine_channels:
            seen = 3 * config.patch**2 if config.fine_skip else 0
            self.to_fine = nn.Conv2d(config.widths[0] + seen, config.fine_channels, 1)
            self.from_fine = conv3x3(config.fine_channels, config.widths[0])
            if config.fine_skip:
                self.fine_to_pixels = nn.Conv2d(config.fine_channels, seen, 1)
                with torch.no_grad():  # a model without such a way, whose weights a run starts from, stays as it is
                    self.to_fine.weight[:, config.widths[0] :] = 0
                    self.fine_to_pixels.weight.zero_()
                    self.fine_to_pixels.bias.zero_()  # type: ignore[union-attr]
        levels: list[nn.Module] = []
        for level in reversed(range(len(config.widths))):
            width = config.widths[level]
            levels += [ResidualBlock(width, config.global_dim) for _ in range(config.decoder_blocks[level])]
            if level:
                levels.append(Upsample(width, config.widths[level - 1]))
        for coarser, width in zip((config.widths[0], *config.detail_widths), config.detail_widths, strict=False):
            levels += [Upsample(coarser, width), ResidualBlock(width, config.global_dim)]
        self.decoder = nn.ModuleList(levels)
        self.to_pixels = conv3x3((config.widths[0], *config.detail_widths)[-1], 3 * config.head_patch**2)
        nn.init.normal_(self.to_pixels.weight, std=0.02)

    def encode(self, images: Tensor) -> Tensor:
        """Map (B, 3, S, S) in [-1, 1], restored first, to the (B, latent_dim) mean of the posterior."""
        return self.encode_cleaned(images if self.cleaner is None else self.cleaner(images))

    def encode_cleaned(self, images: Tensor) -> Tensor:
        """Latents as from `encode`, of pictures that the cleaner has already restored."""
        finest = 1 + self.config.encoder_blocks[0]  # layers at the stem's resolution
        pixels = functional.pixel_unshuffle(images, self.config.patch)
        near = self.encoder[:finest](pixels)
        features = activation(self.encoder[finest:](near))
        parts = [self.to_spatial(features).flatten(1)]
        if self.to_global is not None:
            parts.append(self.to_global(features.mean(dim=(2, 3))))
        if self.to_fine is not None:
            seen = activation(near)
            parts.append(self.to_fine(torch.cat([seen, pixels], 1) if self.config.fine_skip else seen).flatten(1))
        return torch.cat(parts, dim=1)

    def decode(self, latent: Tensor) -> Tensor:
        """Map (B, latent_dim) to (B, 3, S, S); nearly in [-1, 1], the output is linear."""
        config = self.config
        spatial, style, fine = latent.split(
            [config.spatial_channels * config.grid**2, config.global_dim, config.fine_channels * config.fine_grid**2], 1
        )
        fine = fine.unflatten(1, (config.fine_channels, config.fine_grid, config.fine_grid))
        values = self.from_spatial(spatial.unflatten(1, (config.spatial_channels, config.grid, config.grid)))
        coarser = len(config.widths) - 1  # resolutions below the stem's, each with its blocks and the step up
        joins = coarser + sum(config.decoder_blocks[1:])
        for place, layer in enumerate(self.decoder):
            if place == joins and self.from_fine is not None:
                values = values + self.from_fine(fine)
            values = layer(values, style) if isinstance(layer, ResidualBlock) else layer(values)
        image = functional.pixel_shuffle(self.to_pixels(activation(values)), config.head_patch)
        if self.fine_to_pixels is not None:
            image = image + functional.pixel_shuffle(self.fine_to_pixels(fine), config.patch)
        return image


@dataclass(frozen=True)
class ModernDiscriminatorConfig:
    """Sizes of `ModernDiscriminator`."""

    image_size: int = 128
    """Side of the pictures in pixels."""
    patch: int = 4
    """The stem folds squares of this side into channels."""
    widths: tuple[int, ...] = (64, 128, 192)
    """Channels at each resolution, finest first."""
    blocks: int = 1
    """Residual blocks at each resolution."""
    places: bool = False
    """Judge every place of the second coarsest map too (Isola et al. 2017, PatchGAN): a picture then has a logit for
    each place, what is seen there plus what is seen in the whole, so that one picture teaches as much as hundreds."""

    @property
    def grid(self) -> int:
        """Side of the maps that the heads look at."""
        return self.image_size // (self.patch * 2 ** len(self.widths))

    def __post_init__(self) -> None:
        step = self.patch * 2 ** len(self.widths)
        if self.places and len(self.widths) < 2:
            raise FeatureblendError("discriminator options: places needs at least two widths")
        if not self.widths or self.grid < 1 or self.image_size % step:
            raise FeatureblendError(
                f"discriminator options: image_size {self.image_size} must be a multiple of {step}, "
                f"the patch halved once for each of the {len(self.widths)} widths"
            )


class ModernDiscriminator(nn.Module):
    """One trunk, two heads: how real a picture looks, and how far it is mixed (ACAI).

    Examples
    --------
    >>> critic = ModernDiscriminator(ModernDiscriminatorConfig(image_size=32, widths=(8, 8)))
    >>> critic(torch.zeros(2, 3, 32, 32)).shape, critic.mixing(torch.zeros(2, 3, 32, 32)).shape
    (torch.Size([2]), torch.Size([2]))
    """

    mixes_samples = False
    """Whether a sample's logit depends on the rest of its batch."""

    def __init__(self, config: ModernDiscriminatorConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or ModernDiscriminatorConfig()
        self.stem = conv3x3(3 * config.patch**2, config.widths[0])
        self.levels = nn.ModuleList()
        for level, width in enumerate(config.widths):
            layers: list[nn.Module] = [Downsample(config.widths[level - 1], width)] if level else []
            self.levels.append(nn.Sequential(*layers, *(ResidualBlock(width) for _ in range(config.blocks))))
        self.last = Downsample(config.widths[-1], config.widths[-1])
        features = config.widths[-1] * config.grid**2
        self.heads = nn.Linear(features, 2)
        nn.init.normal_(self.heads.weight, std=0.01)
        nn.init.zeros_(self.heads.bias)
        self.place_head = nn.Conv2d(config.widths[-2], 1, 1) if config.places else None
        if self.place_head is not None:
            nn.init.normal_(self.place_head.weight, std=0.01)
            nn.init.zeros_(self.place_head.bias)  # type: ignore[arg-type]  # there is a bias

    def features(self, images: Tensor) -> list[Tensor]:
        """Feature maps of each resolution, finest first, for feature matching."""
        values = self.stem(functional.pixel_unshuffle(images, self.config.patch))
        maps = []
        for level in self.levels:
            values = level(values)
            maps.append(values)
        return maps

    def judge(self, images: Tensor) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Float32 logits (B,) or (B, places), mixing estimates (B,) and the `features`, from one pass."""
        maps = self.features(images)
        heads = self.heads(activation(self.last(maps[-1])).flatten(1)).float()
        logits = heads[:, 0]
        if self.place_head is not None:
            logits = logits[:, None] + self.place_head(activation(maps[-2])).flatten(1).float()
        # A share lies between 0 and 1/2; without bounds the generator drives the square up without end.
        return logits, 0.5 * torch.sigmoid(heads[:, 1]), maps

    def forward(self, images: Tensor) -> Tensor:
        """The (B,) or (B, places) logits: larger is more real."""
        return self.judge(images)[0]

    def mixing(self, images: Tensor) -> Tensor:
        """Estimates (B,) of the smaller parent's share: 0 for a single face, 1/2 for an even blend."""
        return self.judge(images)[1]
