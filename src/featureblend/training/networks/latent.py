"""The Gaussian posterior between encoder and decoder.

Source: Kingma & Welling 2013, "Auto-Encoding Variational Bayes", section 2.4 and appendix B (posterior, sampling,
divergence; the paper's reference 1).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

LOG_VARIANCE_RANGE = (-30.0, 20.0)
"""Log variances are clamped to this: e^20 is far outside training, and its square still fits float32."""


@dataclass(frozen=True, eq=False)
class GaussianPosterior:
    """A Gaussian with diagonal covariance over latents, one for each sample; or, without variance, a point.

    Parameters
    ----------
    mean : (B, ...) tensor
        Where a blend takes its latents from.
    log_variance : (B, ...) tensor or None
        Natural logarithm of the variance of each dimension, clamped to [-30, 20] on the way in.
        None is a plain autoencoder: a sample is the mean, and the divergence is 0.

    Examples
    --------
    >>> posterior = GaussianPosterior(torch.zeros(2, 3), torch.zeros(2, 3))
    >>> posterior.kl()
    tensor([0., 0.])
    """

    mean: Tensor
    log_variance: Tensor | None = None

    def __post_init__(self) -> None:
        if self.log_variance is not None:
            object.__setattr__(self, "log_variance", self.log_variance.clamp(*LOG_VARIANCE_RANGE))

    def sample(self, noise: Callable[[Tensor], Tensor]) -> Tensor:
        """Draw one latent a sample, differentiably (mean + deviation * noise).

        Parameters
        ----------
        noise : callable
            Maps the mean to standard normal numbers of its shape; not called where there is no variance.

        Returns
        -------
        (B, ...) tensor

        Examples
        --------
        >>> GaussianPosterior(torch.ones(2, 3), torch.zeros(2, 3)).sample(torch.ones_like).sum()
        tensor(12.)
        """
        if self.log_variance is None:
            return self.mean
        return self.mean + (0.5 * self.log_variance).exp() * noise(self.mean)

    def kl(self) -> Tensor:
        """The divergence KL(posterior || N(0, I)), summed over all latent dimensions.

        Returns
        -------
        (B,) tensor, in nats, at least float32
            Kingma & Welling 2013, appendix B: 1/2 sum(mean^2 + variance - 1 - log variance).
        """
        mean = self.mean.to(torch.promote_types(self.mean.dtype, torch.float32))
        if self.log_variance is None:
            return mean.new_zeros(len(mean))
        log_variance = self.log_variance.to(mean.dtype)
        return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).flatten(1).sum(1)


class FixedWidthAutoencoder(nn.Module):
    """What autoencoders share whose posterior has one width everywhere, `config.noise`.

    With a fixed variance the divergence from N(0, I) is half the squared code plus a constant:
    it keeps the latents' scale, and the noise keeps neighbours alike (Ghosh et al. 2020).
    """

    config: Any
    encode: Callable[[Tensor], Tensor]
    decode: Callable[[Tensor], Tensor]

    @property
    def image_size(self) -> int:
        """Side of the pictures in pixels."""
        return int(self.config.image_size)

    def posterior(self, images: Tensor) -> GaussianPosterior:
        """Map (B, 3, S, S) in [-1, 1] to a Gaussian of fixed width around the code."""
        mean, noise = self.encode(images), self.config.noise
        return GaussianPosterior(mean, torch.full_like(mean, 2 * math.log(noise)) if noise else None)

    def forward(self, images: Tensor) -> Tensor:
        """Reconstruct (B, 3, S, S)."""
        return self.decode(self.encode(images))
