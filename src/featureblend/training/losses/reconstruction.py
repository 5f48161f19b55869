"""Reconstruction losses: tensors in, one scalar out.

Pictures are (B, 3, H, W) in [-1, 1]. Each loss is 0 for equal pictures and is averaged over the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

# Wang et al. 2004: (0.01 L)^2 and (0.03 L)^2, where the range L of [-1, 1] is 2.
SSIM_LUMINANCE, SSIM_CONTRAST = (0.01 * 2) ** 2, (0.03 * 2) ** 2

EPS = (2 / 255) ** 2
"""Energy, in the units of [-1, 1], of a grey level: texture below it counts as none."""


def l1(output: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference, 0 to 2."""
    return (output - target).abs().mean()


def mse(output: Tensor, target: Tensor) -> Tensor:
    """Mean squared difference, 0 to 4 (paper, section 2.4)."""
    return (output - target).square().mean()


def ssim_loss(output: Tensor, target: Tensor, scales: int = 2, window: int = 8) -> Tensor:
    """1 - SSIM, averaged over scales that halve the size; 0 to 2.

    Windows are 8 x 8 boxes, 4 pixels apart, as in the first form of the index (Wang & Bovik 2002):
    a quarter of the time of Gaussian windows at every pixel, and as good a gradient.

    Parameters
    ----------
    output, target : (B, C, H, W) tensors in [-1, 1]
    scales : int
        How many sizes are compared.
    window : int
        Side of a window in pixels.

    Examples
    --------
    >>> picture = torch.rand(1, 3, 32, 32)
    >>> round(float(ssim_loss(picture, picture)), 6)
    0.0
    """
    total = output.new_zeros(())
    for scale in range(scales):
        if scale:
            output, target = functional.avg_pool2d(output, 2), functional.avg_pool2d(target, 2)

        def local(values: Tensor) -> Tensor:
            return functional.avg_pool2d(values, window, window // 2)

        mean_a, mean_b = local(output), local(target)
        variance_a, variance_b = local(output.square()) - mean_a**2, local(target.square()) - mean_b**2
        covariance = local(output * target) - mean_a * mean_b
        luminance = (2 * mean_a * mean_b + SSIM_LUMINANCE) / (mean_a**2 + mean_b**2 + SSIM_LUMINANCE)
        contrast = (2 * covariance + SSIM_CONTRAST) / (variance_a + variance_b + SSIM_CONTRAST)
        total = total + 1 - (luminance * contrast).mean()
    return total / scales


def laplacian_l1(output: Tensor, target: Tensor, levels: int = 3) -> Tensor:
    """Mean absolute difference of the band-pass levels of a Laplacian pyramid, summed over levels.

    Each level counts alike however few its pixels are, so that structure at every scale is kept
    (Bojanowski et al. 2018, who weight them by size).

    Parameters
    ----------
    output, target : (B, C, H, W) tensors
        With H and W divisible by ``2 ** levels``.
    levels : int

    Examples
    --------
    >>> flat = torch.zeros(1, 3, 16, 16)
    >>> float(laplacian_l1(flat + 0.5, flat))  # a change of brightness is in no band
    0.0
    """
    difference = output - target
    total = output.new_zeros(())
    for _ in range(levels):
        reduced = functional.avg_pool2d(difference, 2)
        total = total + (difference - functional.interpolate(reduced, scale_factor=2.0, mode="nearest")).abs().mean()
        difference = reduced
    return total


def anchor_l1(blend: Tensor, target: Tensor, factor: int = 8) -> Tensor:
    """L1 between pictures reduced by `factor`, so that a blend may invent detail but not another face."""
    return l1(functional.avg_pool2d(blend, factor), functional.avg_pool2d(target, factor))


def band_energies(images: Tensor, levels: int = 2, window: int = 8) -> list[Tensor]:
    """Amount of detail at each place: the local mean square of each band of a Laplacian pyramid.

    Parameters
    ----------
    images : (B, C, H, W) tensor
        With H and W divisible by ``2 ** levels``.
    levels : int
        Bands, finest first.
    window : int
        Side in pixels of the band over which energy is averaged; windows overlap by half.

    Returns
    -------
    list of (B, 1, h, w) tensors

    Examples
    --------
    >>> stripes = torch.tensor([1.0, -1.0]).repeat(8).expand(1, 3, 16, 16)
    >>> [float(energy.mean()) for energy in band_energies(stripes)]  # all of it in the finest band
    [1.0, 0.0]
    """
    energies = []
    for _ in range(levels):
        reduced = functional.avg_pool2d(images, 2)
        band = images - functional.interpolate(reduced, scale_factor=2.0, mode="nearest")
        size = min(window, band.shape[-1])
        energies.append(functional.avg_pool2d(band.square().mean(dim=1, keepdim=True), size, max(1, size // 2)))
        images = reduced
    return energies


def texture_l1(output: list[Tensor], target: list[Tensor]) -> Tensor:
    """L1 between the logarithms of `band_energies`: how far an output is too smooth or too rough, in e-folds.

    What the detail is, it does not say; that is left to the other terms and to the adversary. A reconstruction that is
    wrong in the phase of fine detail costs least in L1 or SSIM where it is flat, and so does a mean of two faces: this
    is the counterweight.

    Examples
    --------
    >>> one, half = torch.ones(1, 1, 2, 2), torch.full((1, 1, 2, 2), 0.5)
    >>> round(float(texture_l1([half], [one])), 3)  # log 2, but for the grey level under which nothing counts
    0.693
    """
    terms = [((a + EPS).log() - (b + EPS).log()).abs().mean() for a, b in zip(output, target, strict=True)]
    return torch.stack(terms).mean()


def feature_l1(
    output: list[Tensor], target: list[Tensor], mean: Callable[[Tensor], Tensor] = lambda sizes: sizes
) -> Tensor:
    """L1 between lists of feature maps, each divided by the target's mean size (Larsen et al. 2016).

    `mean` averages those sizes over the processes that share a batch.
    """
    # Maps may be bfloat16, whose three digits are too few for a mean.
    sizes = mean(torch.stack([b.abs().mean(dtype=torch.float32) for b in target]))
    terms = [(a - b).abs().mean(dtype=torch.float32) for a, b in zip(output, target, strict=True)]
    return (torch.stack(terms) / (sizes + 1e-6)).mean()


def perceptual_loss(output: Sequence[Tensor], target: Sequence[Tensor]) -> Tensor:
    """Mean squared difference of feature maps, each map's features scaled to length 1 at every place, averaged.

    The maps come from `featureblend.training.networks.vgg.VGGFeatures` (Johnson, Alahi & Fei-Fei 2016, "Perceptual
    Losses for Real-Time Style Transfer and Super-Resolution", section 3.1; the paper's reference 6). Without that scale
    the deep layers, whose features are tens of times larger, are all that counts (Zhang et al. 2018, "The Unreasonable
    Effectiveness of Deep Features as a Perceptual Metric", section 3).

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
