"""The pieces that the modern networks are tables of: residual blocks without normalisation, resampling."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["Downsample", "ResidualBlock", "Upsample", "activation", "conv3x3"]

SLOPE = 0.2
"""Of the leaky ReLU below zero; the usual choice in GANs since DCGAN."""


def activation(values: Tensor) -> Tensor:
    """Apply the leaky ReLU used everywhere in the modern networks."""
    return functional.leaky_relu(values, SLOPE)


def conv3x3(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    """Give a 3 x 3 convolution that keeps the size (or halves it, with stride 2), He-initialised."""
    layer = nn.Conv2d(inputs, outputs, 3, stride, padding=1)
    nn.init.kaiming_normal_(layer.weight, a=SLOPE)
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]  # there is a bias
    return layer


class ResidualBlock(nn.Module):
    """``x + conv(act(modulate(conv(act(x)))))``, the identity at the start of training.

    The last convolution starts at zero (Fixup, Zhang et al. 2019), which stands in for normalisation.
    With a style, each channel between the two is scaled and shifted by a linear map of it
    (FiLM, Perez et al. 2018).

    Parameters
    ----------
    channels : int
    style_dim : int
        Length of the style vector; 0 for a block without.
    """

    def __init__(self, channels: int, style_dim: int = 0) -> None:
        super().__init__()
        self.first, self.second = conv3x3(channels, channels), conv3x3(channels, channels)
        nn.init.zeros_(self.second.weight)
        self.modulation = nn.Linear(style_dim, 2 * channels) if style_dim else None
        if self.modulation is not None:
            nn.init.normal_(self.modulation.weight, std=0.02)
            nn.init.zeros_(self.modulation.bias)

    def forward(self, values: Tensor, style: Tensor | None = None) -> Tensor:
        """Map (B, C, H, W), and a (B, style_dim) style where the block has one, to (B, C, H, W)."""
        hidden = self.first(activation(values))
        if self.modulation is not None and style is not None:
            scale, shift = self.modulation(style)[:, :, None, None].chunk(2, dim=1)
            hidden = torch.addcmul(shift, hidden, 1 + scale)
        return values + self.second(activation(hidden))


class Downsample(nn.Module):
    """Half the size with a strided convolution."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = conv3x3(inputs, outputs, stride=2)

    def forward(self, values: Tensor) -> Tensor:
        """Map (B, inputs, H, W) to (B, outputs, H / 2, W / 2)."""
        return self.conv(activation(values))


class Upsample(nn.Module):
    """Twice the size: repeat pixels, then convolve, which leaves no checkerboard (Odena et al. 2016)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = conv3x3(inputs, outputs)

    def forward(self, values: Tensor) -> Tensor:
        """Map (B, inputs, H, W) to (B, outputs, 2 H, 2 W)."""
        return self.conv(functional.interpolate(activation(values), scale_factor=2.0, mode="nearest"))
