"""Adversarial losses: logits in, one scalar out. A larger logit means 'more real'.

=============  ==========================================================================
bce            Goodfellow et al. 2014, non-saturating; the paper's section 2.4
hinge          Lim & Ye 2017; Miyato et al. 2018
relativistic   Jolicoeur-Martineau 2018; with R1 and R2 the loss of R3GAN (Huang et al. 2024)
=============  ==========================================================================
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from ..errors import FeatureblendError

__all__ = ["KINDS", "discriminator_loss", "generator_loss", "gradient_penalty", "mixing_target"]

KINDS = ("bce", "hinge", "relativistic")
"""The forms of the adversarial loss."""


def _unknown(kind: str) -> FeatureblendError:
    return FeatureblendError(f"unknown adversarial loss {kind!r}: use one of {', '.join(KINDS)}")


def generator_loss(kind: str, fake: Tensor, real: Tensor | None = None) -> Tensor:
    """Say how little a generated batch convinces.

    Parameters
    ----------
    kind : {'bce', 'hinge', 'relativistic'}
    fake, real : (B,) tensors
        Logits; only the relativistic form needs `real`.

    Returns
    -------
    scalar tensor

    Raises
    ------
    FeatureblendError
        If `kind` is unknown, or the relativistic form gets no `real`.

    Examples
    --------
    >>> round(float(generator_loss("bce", torch.zeros(4))), 4)  # log 2: the critic can't tell
    0.6931
    """
    if kind == "bce":
        return functional.softplus(-fake).mean()
    if kind == "hinge":
        return -fake.mean()
    if kind == "relativistic":
        if real is None:
            raise FeatureblendError("the relativistic loss compares with the logits of real pictures")
        return functional.softplus(real - fake).mean()
    raise _unknown(kind)


def discriminator_loss(kind: str, fake: Tensor, real: Tensor) -> Tensor:
    """Say how badly the critic tells real from generated; parameters as `generator_loss`, `real` always due.

    Examples
    --------
    >>> float(discriminator_loss("hinge", torch.tensor([-1.0]), torch.tensor([2.0])))
    0.0
    """
    if kind == "bce":
        return functional.softplus(fake).mean() + functional.softplus(-real).mean()
    if kind == "hinge":
        return functional.relu(1 + fake).mean() + functional.relu(1 - real).mean()
    if kind == "relativistic":
        return functional.softplus(fake - real).mean()
    raise _unknown(kind)


def gradient_penalty(judge: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """Mean squared norm of the critic's gradient at `images`, halved: R1 on real, R2 on generated pictures.

    Parameters
    ----------
    judge : callable
        Maps (B, 3, H, W) to (B,) logits.
    images : (B, 3, H, W) tensor

    Returns
    -------
    scalar tensor

    References
    ----------
    Mescheder, Geiger & Nowozin, *Which Training Methods for GANs do actually Converge?*, 2018, equation 9.

    Examples
    --------
    >>> float(gradient_penalty(lambda x: 3 * x.sum(dim=(1, 2, 3)), torch.zeros(2, 1, 2, 2)))  # 9 * 4 pixels / 2
    18.0
    """
    images = images.detach().float().requires_grad_(True)
    (gradient,) = torch.autograd.grad(judge(images).sum(), images, create_graph=True)
    return gradient.square().sum(dim=(1, 2, 3)).mean() / 2


def mixing_target(alpha: Tensor) -> Tensor:
    """Give the smaller parent's share, 0 to 1/2: which parent came first can't be seen (ACAI, section 3)."""
    return torch.minimum(alpha, 1 - alpha)
