"""The discriminator on latents: does a code come from the prior or from the encoder?

Makhzani et al. 2016, "Adversarial Autoencoders" (the paper's reference 4), section 2: an adversary makes the codes of
the data, taken together, look like draws from N(0, I). Their network for faces and digits has two layers of 1,000.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from torch import Tensor, nn

from ...errors import FeatureblendError
from .blocks import SLOPE


@dataclass(frozen=True)
class LatentDiscriminatorConfig:
    """Sizes of `LatentDiscriminator`."""

    latent_dim: int = 200
    """Numbers in a code."""
    widths: tuple[int, ...] = (1000, 1000)
    """Outputs of each hidden layer."""

    def __post_init__(self) -> None:
        if self.latent_dim < 1 or not self.widths or min(self.widths) < 1:
            raise FeatureblendError("latent discriminator options: latent_dim and all widths must be at least 1")


class LatentDiscriminator(nn.Module):
    """Fully connected layers from a code to a logit: larger is more like the prior.

    Examples
    --------
    >>> import torch
    >>> LatentDiscriminator(LatentDiscriminatorConfig(8, (16,)))(torch.zeros(2, 8)).shape
    torch.Size([2])
    """

    def __init__(self, config: LatentDiscriminatorConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or LatentDiscriminatorConfig()
        sizes = (config.latent_dim, *config.widths)
        layers: list[nn.Module] = []
        for inputs, outputs in itertools.pairwise(sizes):
            layers += [nn.Linear(inputs, outputs), nn.LeakyReLU(SLOPE)]
        self.layers = nn.Sequential(*layers, nn.Linear(sizes[-1], 1))

    def forward(self, codes: Tensor) -> Tensor:
        """Map codes (B, latent_dim) to float32 logits (B,)."""
        if codes.ndim != 2 or codes.shape[1] != self.config.latent_dim:
            raise FeatureblendError(f"expected codes of shape (B, {self.config.latent_dim}), not {tuple(codes.shape)}")
        return self.layers(codes).squeeze(1).float()
