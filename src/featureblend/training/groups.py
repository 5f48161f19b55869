"""Blends inside a training batch: neighbours form groups, and each face leads one blend of its group."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..faces.masks import above_mouth, outside_face, outside_features
from ..model.fine_mixing import BROAD, EPS, NEAR, PULL, UNSEEN, kernel
from .experiment import Experiment


def group_size(experiment: Experiment, batch: Any) -> int:
    """Number of faces in this step's blends: 2, and in a quarter of the steps 3 to `experiment.parents`."""
    largest = experiment.parents
    chance, size = batch.chance("parents", 2).tolist()
    group = 3 + int(size * (largest - 2)) if largest > 2 and chance < 0.25 else 2
    return group if len(batch.images) % group == 0 else 2


def mixed_in_groups(latent: Tensor, weights: Tensor, model: Any, surroundings: str) -> tuple[Tensor, Tensor]:
    """Mix each face's latent with those of its group; `featureblend.model.mixing.mix` for whole batches.

    Parameters
    ----------
    latent : (B, D) tensor
    weights : (B, K) tensor
        Of the K members of each face's group; K divides B. Each row sums to 1.
    model : autoencoder
        Its configuration says where the spatial part lies.
    surroundings : 'mean' or 'auto'

    Returns
    -------
    mixed : (B, D) tensor
    shares : (B, K, grid, grid) tensor
        Each member's share at each place of the spatial part; ``grid`` is 1 for 'mean'.
    """
    group = weights.shape[1]
    members = latent.unflatten(0, (-1, group)).repeat_interleave(group, dim=0)
    mixed = torch.einsum("bk,bkd->bd", weights, members)
    config = model.config
    shares = weights[:, :, None, None]
    if surroundings == "mean":
        return _with_fine(mixed, members, config, shares, shares, torch.zeros_like(shares)), shares
    channels, grid = config.spatial_channels, config.grid
    spatial = members[:, :, : channels * grid**2].unflatten(2, (channels, grid, grid))
    mask = _on(latent.device, outside_face, grid).to(latent)
    energy = (spatial.detach().float().square().sum(dim=2) * mask.float()).sum(dim=(2, 3))
    source = functional.one_hot(energy.argmin(dim=1), group).to(weights)
    first = (group * (weights * source).sum(dim=1, keepdim=True)).clamp(max=1)
    others = weights * (1 - source)
    around = source * first + others * ((1 - first) / others.sum(dim=1, keepdim=True).clamp(min=1e-6))
    inside = shares
    shares = torch.lerp(inside, around[:, :, None, None], mask)
    placed = torch.einsum("bkij,bkcij->bcij", shares, spatial)
    mixed = torch.cat([placed.flatten(1), mixed[:, placed[0].numel() :]], dim=1)
    fine = getattr(config, "fine_grid", grid)
    masks = (_on(latent.device, mask, fine).to(latent) for mask in (outside_face, outside_features))
    near, of_lines = (torch.lerp(inside, around[:, :, None, None], mask) for mask in masks)
    lead = (weights - around)[:, :, None, None] * _on(latent.device, above_mouth, fine).to(latent)
    return _with_fine(mixed, members, config, near, of_lines, lead), shares


@lru_cache(maxsize=32)
def _on(device: torch.device, made: Callable[[Any], np.ndarray], of: float) -> Tensor:
    """A constant array on a device, cached: copying it at each step would make the host wait for the GPU."""
    return torch.from_numpy(made(of)).to(device)


def _with_fine(mixed: Tensor, members: Tensor, config: Any, shares: Tensor, of_lines: Tensor, lead: Tensor) -> Tensor:
    """Replace the mean of the fine part, if the model has one, by `featureblend.model.fine_mixing.mix_fine`.

    The shares of lines and the stretch are numbers, not ways for gradients.
    """
    channels = getattr(config, "fine_channels", 0)
    if not channels:
        return mixed
    coarse = config.spatial_channels * config.grid**2 + config.global_dim
    fine = members[:, :, coarse:].unflatten(2, (channels, config.fine_grid, config.fine_grid))
    shares, of_lines = (part.expand(-1, -1, config.fine_grid, config.fine_grid) for part in (shares, of_lines))
    low = _broad(fine, BROAD)
    lines = fine - low
    drawn = _kept_energy(lines, _line_shares(lines.detach(), of_lines, lead))
    return torch.cat([mixed[:, :coarse], (torch.einsum("bkij,bkcij->bcij", shares, low) + drawn).flatten(1)], dim=1)


def _broad(maps: Tensor, spread: float) -> Tensor:
    taps = _on(maps.device, kernel, spread).to(maps)
    reach = len(taps) // 2
    flat = functional.pad(maps.flatten(0, -3)[:, None], [reach] * 4, mode="replicate")
    blurred = functional.conv2d(functional.conv2d(flat, taps[None, None, :, None]), taps[None, None, None])
    return blurred.view_as(maps)


@torch.no_grad()
def _line_shares(lines: Tensor, shares: Tensor, lead: Tensor) -> Tensor:
    energy = _broad(lines.square().sum(dim=2), NEAR)
    energy = energy + UNSEEN * energy.mean(dim=(1, 2, 3), keepdim=True) + EPS
    choosing = (2 - 0.5 / shares.square().sum(dim=1, keepdim=True)).clamp(0, 1)
    pull = energy * (PULL * lead).exp()
    drawn = shares * (shares * pull / pull.amax(dim=1, keepdim=True)) ** choosing
    return drawn / drawn.sum(dim=1, keepdim=True)


def _kept_energy(parts: Tensor, shares: Tensor) -> Tensor:
    mean = torch.einsum("bkij,bkcij->bcij", shares, parts)
    with torch.no_grad():
        wanted = (shares * parts.square().sum(dim=2)).sum(dim=1)
        stretch = ((wanted + EPS) / (mean.square().sum(dim=1) + EPS)).sqrt()
        count = 1 / shares.square().sum(dim=1)
        most = torch.minimum(count, (4 / count).clamp(min=1)).sqrt()
    return mean * torch.minimum(stretch, most)[:, None]


def mixed_pictures(images: Tensor, shares: Tensor) -> Tensor:
    """Mix pictures as `mixed_in_groups` mixes latents, as the target of a blend's low frequencies.

    Parameters
    ----------
    images : (B, C, S, S) tensor
        Pictures, or maps of them.
    shares : (B, K, grid, grid) tensor

    Returns
    -------
    (B, C, S, S) tensor
    """
    group, size = shares.shape[1], images.shape[-1]
    members = images.unflatten(0, (-1, group)).repeat_interleave(group, dim=0)
    if shares.shape[-1] > 1:
        shares = functional.interpolate(shares, (size, size), mode="bilinear", align_corners=False)
    return torch.einsum("bkij,bkcij->bcij", shares.expand(-1, -1, size, size), members)
