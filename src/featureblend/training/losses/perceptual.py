"""Perceptual loss: distance of two pictures in a network's feature maps.

Johnson, Alahi & Fei-Fei 2016, "Perceptual Losses for Real-Time Style Transfer and Super-Resolution" (the paper's
reference 6), section 3.1. The network is `featureblend.training.networks.vgg.VGGFeatures`; here come its maps.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["perceptual_loss"]


def perceptual_loss(output: Sequence[Tensor], target: Sequence[Tensor]) -> Tensor:
    """Mean squared difference of feature maps, each map's features scaled to length 1 at every place, averaged.

    Without that scale the deep layers, whose features are tens of times larger, are all that counts (Zhang et al.
    2018, "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric", section 3).

    Parameters
    ----------
    output, target : sequences of (B, C, H, W) tensors
        Maps of the picture made and of the picture it should be; the target's get no gradient.

    Returns
    -------
    scalar tensor
        0 for equal pictures, at most 4: the squared distance of two directions.

    Examples
    --------
    >>> one, other = torch.tensor([[[[1.0]], [[0.0]]]]), torch.tensor([[[[0.0]], [[5.0]]]])
    >>> float(perceptual_loss([one], [one])), float(perceptual_loss([one], [other]))
    (0.0, 2.0)
    """
    terms = [
        (functional.normalize(a.float(), dim=1) - functional.normalize(b.detach().float(), dim=1))
        .square()
        .sum(dim=1)
        .mean()
        for a, b in zip(output, target, strict=True)
    ]
    return torch.stack(terms).mean()
