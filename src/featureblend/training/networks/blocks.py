"""Building blocks of the networks: residual blocks, resampling, minibatch discrimination."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

SLOPE = 0.2
"""Of the leaky ReLU below zero; the usual choice in GANs since DCGAN."""


def activation(values: Tensor) -> Tensor:
    """Apply the leaky ReLU used everywhere in the modern networks."""
    return functional.leaky_relu(values, SLOPE)


def conv3x3(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    """A 3 x 3 convolution that keeps the size, or halves it with stride 2; He-initialised."""
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


class MultiScale(nn.Module):
    """Convolutions whose every output is concatenated with the output of the layer before it.

    The paper's "multi-scale convolution, where we concatenate the output of each convolution layer with the output
    of the previous layer" (section 4; after Huang et al. 2017, DenseNet): maps of several receptive fields lie side
    by side. The output before the first layer is the block's input.

    Parameters
    ----------
    layers : sequence of modules
        The second takes the channels of the first's input and output together, the third those of the first's and
        the second's output, and so on.
    join_last : bool
        Concatenate after the last layer too; without it the block gives that layer's output alone.
    """

    def __init__(self, layers: Sequence[nn.Module], join_last: bool = True) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.join_last = join_last

    def forward(self, values: Tensor) -> Tensor:
        """Map (B, C, H, W) to the last outputs, as large as the last layer makes them."""
        before = values
        for place, layer in enumerate(self.layers):
            output = layer(values)
            if place + 1 < len(self.layers) or self.join_last:
                values = torch.cat([fitted(before, output.shape[-1]), output], dim=1)
            else:
                values = output
            before = output
        return values


def fitted(maps: Tensor, side: int) -> Tensor:
    """Cut (B, C, S, S) maps about their middle, or put zeros around them, so that their side is `side`."""
    missing = side - maps.shape[-1]
    first, second = missing // 2, missing - missing // 2
    return functional.pad(maps, (first, second, first, second)) if missing else maps


class MinibatchDiscrimination(nn.Module):
    """Appends each sample's similarity to the rest of its batch, so that a critic sees collapse.

    Salimans et al. 2016, "Improved Techniques for Training GANs", section 3.2: the features f(x_i) times a tensor T
    give a matrix M_i with a row for each kernel; o(x_i)_b = sum over j != i of exp(-||M_ib - M_jb||_1).

    Parameters
    ----------
    features : int
        Length of f(x).
    kernels : int
        Numbers added to each sample.
    dimensions : int
        Length of each row of M.

    Examples
    --------
    >>> layer = MinibatchDiscrimination(4, kernels=2, dimensions=3)
    >>> layer(torch.zeros(5, 4))[:, 4:].unique().detach()  # four equal others, at distance 0
    tensor([4.])
    """

    def __init__(self, features: int, kernels: int, dimensions: int = 5) -> None:
        super().__init__()
        self.kernels, self.dimensions = kernels, dimensions
        self.tensor = nn.Parameter(torch.randn(features, kernels * dimensions) * features**-0.5)

    def forward(self, features: Tensor) -> Tensor:
        """Map (B, features) to (B, features + kernels)."""
        rows = (features @ self.tensor).unflatten(1, (self.kernels, self.dimensions)).float()
        distances = (rows[:, None] - rows[None]).abs().sum(dim=3)  # (B, B, kernels)
        others = torch.exp(-distances).sum(dim=1) - 1  # without the sample itself, at distance 0
        return torch.cat([features, others.to(features.dtype)], dim=1)
