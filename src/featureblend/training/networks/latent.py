"""What lies between encoder and decoder: the Gaussian posterior, and every way of mixing latents.

Sources: Kingma & Welling 2013, "Auto-Encoding Variational Bayes", section 2.4 and appendix B (posterior,
sampling, divergence; the paper's reference 1); Shoemake 1985, "Animating Rotation with Quaternion Curves" (slerp).

The paper blends by the plain mean of two latents (section 2), which is `weighted_mean`. The mean of N independent
codes is shorter than its parents, by 1/sqrt(N) at equal weights; `slerp` and `norm_preserving_mean` keep their length.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ...errors import FeatureblendError

__all__ = ["GaussianPosterior", "lerp", "norm_preserving_mean", "slerp", "weighted_mean"]

LOG_VARIANCE_RANGE = (-30.0, 20.0)
"""Log variances are clamped to this: e^20 is far outside training, and its square still fits float32."""

_PARALLEL = 1e-6
"""Cosines nearer to 1 than this count as parallel: arc and chord then differ by about what float32 resolves."""


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

    Raises
    ------
    FeatureblendError
        If the two have different shapes.

    Examples
    --------
    >>> posterior = GaussianPosterior(torch.zeros(2, 3), torch.zeros(2, 3))
    >>> posterior.kl()
    tensor([0., 0.])
    >>> GaussianPosterior(torch.ones(2, 3)).sample().sum()
    tensor(6.)
    """

    mean: Tensor
    log_variance: Tensor | None = None

    def __post_init__(self) -> None:
        if self.log_variance is None:
            return
        if self.log_variance.shape != self.mean.shape:
            raise FeatureblendError(
                f"mean and log variance must have one shape, not {tuple(self.mean.shape)} and "
                f"{tuple(self.log_variance.shape)}"
            )
        object.__setattr__(self, "log_variance", self.log_variance.clamp(*LOG_VARIANCE_RANGE))

    def mode(self) -> Tensor:
        """The most probable latent, which is the mean: shape (B, ...)."""
        return self.mean

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """Draw one latent a sample, differentiably (mean + deviation * noise).

        Parameters
        ----------
        generator : torch.Generator or None
            Source of the noise, on any device: one seed gives the same noise on CPU and GPU models
            if the generator stays on one device.

        Returns
        -------
        (B, ...) tensor
        """
        if self.log_variance is None:
            return self.mean
        device = self.mean.device if generator is None else generator.device
        noise = torch.randn(self.mean.shape, generator=generator, device=device, dtype=self.mean.dtype)
        return self.mean + torch.exp(0.5 * self.log_variance) * noise.to(self.mean.device)

    def kl(self) -> Tensor:
        """The divergence KL(posterior || N(0, I)), summed over all latent dimensions.

        Returns
        -------
        (B,) tensor, in nats, at least float32
            Kingma & Welling 2013, appendix B: 1/2 sum(mean^2 + variance - 1 - log variance).
        """
        mean = self.mean.to(_wide(self.mean))
        if self.log_variance is None:
            return mean.new_zeros(len(mean))
        log_variance = self.log_variance.to(mean.dtype)
        return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).flatten(1).sum(1)


def weighted_mean(latents: Tensor | Sequence[Tensor], weights: Tensor | Sequence[float]) -> Tensor:
    """Mix latents linearly: the paper's blend (section 2), for any number of parents.

    Parameters
    ----------
    latents : (N, B, ...) tensor, or sequence of N tensors (B, ...)
    weights : (N,) or (N, B) tensor, or sequence of N numbers
        The first parent's first. They should sum to 1, and are used as they are: negative ones extrapolate
        (a transform A + k (C - B) has the weights 1, -k, k), and nothing waits for the GPU to check them.

    Returns
    -------
    (B, ...) tensor of the latents' type
        Exactly the parent where its weight is 1 and the others' are 0.

    Raises
    ------
    FeatureblendError
        If the number of weights fits neither the parents nor the batch.

    Examples
    --------
    >>> weighted_mean([torch.zeros(1, 2), torch.ones(1, 2)], [0.25, 0.75])
    tensor([[0.7500, 0.7500]])
    """
    stacked, shaped = _stack(latents, weights)
    return (stacked * shaped).sum(0).to(stacked.dtype)


def lerp(a: Tensor, b: Tensor, alpha: Tensor | float) -> Tensor:
    """Go from `a` to `b` on a straight line.

    Parameters
    ----------
    a, b : (B, ...) tensors
    alpha : number, or (B,) tensor
        Weight of the second: 0 is `a`, 1 is `b`, both exactly; outside [0, 1] extrapolates.

    Returns
    -------
    (B, ...) tensor

    Examples
    --------
    >>> lerp(torch.zeros(1, 2), torch.ones(1, 2), 0.25)
    tensor([[0.2500, 0.2500]])
    """
    wide = _wide(a)
    return torch.lerp(a.to(wide), b.to(wide), _per_sample(alpha, a, wide)).to(a.dtype)


def slerp(a: Tensor, b: Tensor, alpha: Tensor | float) -> Tensor:
    """Go from `a` to `b` on an arc around 0 (Shoemake 1985), each sample flattened to one vector.

    Parameters
    ----------
    a, b : (B, ...) tensors
        Of any length; parents of one length have blends of that length.
    alpha : number, or (B,) tensor
        Weight of the second: 0 is `a`, 1 is `b`, both exactly.

    Returns
    -------
    (B, ...) tensor

    Notes
    -----
    Falls back to `lerp`, sample by sample, where no arc is determined: parents that are nearly parallel or
    nearly opposite, or a parent of length 0.

    Examples
    --------
    >>> slerp(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]]), 0.5)
    tensor([[0.7071, 0.7071]])
    """
    wide = _wide(a)
    first, second = a.to(wide).flatten(1), b.to(wide).flatten(1)
    t = _per_sample(alpha, first, wide)
    lengths = torch.linalg.vector_norm(first, dim=1) * torch.linalg.vector_norm(second, dim=1)
    cosine = (first * second).sum(1) / lengths.clamp_min(torch.finfo(wide).tiny)
    straight = (cosine.abs() > 1 - _PARALLEL) | (lengths == 0)
    # Clamped also where the arc is not used: the gradient of acos is infinite at 1, and 0 * inf is NaN.
    angle = torch.acos(cosine.clamp(-1 + _PARALLEL, 1 - _PARALLEL)).unsqueeze(1)
    # Divided before they meet the latents: at the ends the shares are then exactly 1 and 0.
    share_a, share_b = torch.sin((1 - t) * angle) / torch.sin(angle), torch.sin(t * angle) / torch.sin(angle)
    arc = share_a * first + share_b * second
    mixed = torch.where(straight.unsqueeze(1), torch.lerp(first, second, t), arc)
    return mixed.view_as(a).to(a.dtype)


def norm_preserving_mean(
    latents: Tensor | Sequence[Tensor], weights: Tensor | Sequence[float], center: Tensor | None = None
) -> Tensor:
    """Mix latents linearly, then stretch each blend to the weighted mean of its parents' lengths.

    Parameters
    ----------
    latents : (N, B, ...) tensor, or sequence of N tensors (B, ...)
    weights : (N,) or (N, B) tensor, or sequence of N numbers
        Sum to 1. Meant for weights of at least 0.
    center : tensor that broadcasts to (B, ...), or None
        Lengths are measured from here, such as from the mean latent of the training set; None is 0.

    Returns
    -------
    (B, ...) tensor of the latents' type
        Exactly the parent where its weight is 1 and the others' are 0.

    Raises
    ------
    FeatureblendError
        As `weighted_mean`.

    Notes
    -----
    Where a length cannot be kept (parents that cancel out, or extrapolation to a length below 0), the plain
    weighted mean is returned.

    Examples
    --------
    >>> norm_preserving_mean([torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 2.0]])], [0.5, 0.5])
    tensor([[1.4142, 1.4142]])
    """
    stacked, shaped = _stack(latents, weights)
    mean = (stacked * shaped).sum(0)
    middle = torch.zeros_like(mean) if center is None else center.to(mean).expand_as(mean)
    lengths = torch.linalg.vector_norm((stacked - middle).flatten(2), dim=2)
    wanted = (lengths * shaped.flatten(1)).sum(0)
    length = torch.linalg.vector_norm((mean - middle).flatten(1), dim=1)
    # One parent only: its own length, up to rounding. Left alone, so that the blend is the parent bit for bit.
    single = (shaped.flatten(1).expand_as(lengths) != 0).sum(0) == 1
    # Below such a share of its parents' length a blend's direction is rounding error.
    resolved = length > 16 * torch.finfo(mean.dtype).eps * lengths.sum(0)
    stretch = (wanted > 0) & resolved & ~single
    extra = torch.where(stretch, wanted / torch.where(stretch, length, 1.0) - 1, 0.0)
    return (mean + _per_sample(extra, mean, mean.dtype) * (mean - middle)).to(stacked.dtype)


def _wide(latent: Tensor) -> torch.dtype:
    """Half-precision latents are mixed in float32: a weight of 1/3 has only three digits in bfloat16."""
    return torch.promote_types(latent.dtype, torch.float32)


def _per_sample(values: Tensor | float, latent: Tensor, dtype: torch.dtype) -> Tensor:
    """Shape one number, or one for each sample, so that it broadcasts over a (B, ...) latent."""
    tensor = torch.as_tensor(values, dtype=dtype, device=latent.device)
    if tensor.ndim and tensor.shape != latent.shape[:1]:
        raise FeatureblendError(f"one alpha, or {len(latent)} in a row, are due here, not {tuple(tensor.shape)}")
    return tensor.reshape(tensor.shape + (1,) * (latent.ndim - tensor.ndim))


def _stack(latents: Tensor | Sequence[Tensor], weights: Tensor | Sequence[float]) -> tuple[Tensor, Tensor]:
    """Latents (N, B, ...) in their own type, and weights (N, 1 or B, 1, ...) in at least float32."""
    stacked = latents if isinstance(latents, Tensor) else torch.stack(list(latents))
    tensor = torch.as_tensor(weights, dtype=_wide(stacked), device=stacked.device)
    if tensor.shape not in (stacked.shape[:1], stacked.shape[:2]):
        raise FeatureblendError(
            f"{stacked.shape[0]} latents in batches of {stacked.shape[1]} need as many weights, one each or one for "
            f"each sample; these have the shape {tuple(tensor.shape)}"
        )
    return stacked, tensor.reshape(tensor.shape + (1,) * (stacked.ndim - tensor.ndim))
