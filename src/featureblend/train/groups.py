"""Blends inside a training batch: neighbours form groups, and each face leads one blend of its group."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ..config import Experiment
from ..mixing import FAINT, outside_face

__all__ = ["group_size", "mixed_in_groups", "mixed_pictures"]


def group_size(experiment: Experiment, material: Any) -> int:
    """Give how many faces this step's blends are of: 2, and in a quarter of the steps 3 to `experiment.parents`."""
    largest = experiment.parents
    chance, size = material.chance("parents", 2).tolist()
    group = 3 + int(size * (largest - 2)) if largest > 2 and chance < 0.25 else 2
    return group if len(material.images) % group == 0 else 2


def mixed_in_groups(latent: Tensor, weights: Tensor, model: Any, surroundings: str) -> tuple[Tensor, Tensor]:
    """Mix each face's latent with those of its group; `featureblend.mixing.mix` for whole batches.

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
        return _with_fine(mixed, members, config, shares), shares
    channels, grid = config.spatial_channels, config.grid
    spatial = members[:, :, : channels * grid**2].unflatten(2, (channels, grid, grid))
    mask = torch.from_numpy(outside_face(grid)).to(latent)
    energy = (spatial.detach().float().square().sum(dim=2) * mask.float()).sum(dim=(2, 3))
    winner = functional.one_hot(energy.argmin(dim=1), group).to(weights)
    first = (group * (weights * winner).sum(dim=1, keepdim=True)).clamp(max=1)
    others = weights * (1 - winner)
    around = winner * first + others * ((1 - first) / others.sum(dim=1, keepdim=True).clamp(min=1e-6))
    inside, around = shares, around[:, :, None, None]
    shares = torch.lerp(inside, around, mask)
    placed = torch.einsum("bkij,bkcij->bcij", shares, spatial)
    mixed = torch.cat([placed.flatten(1), mixed[:, placed[0].numel() :]], dim=1)
    near = torch.from_numpy(outside_face(config.fine_grid)).to(latent)
    return _with_fine(mixed, members, config, torch.lerp(inside, around, near)), shares


def _with_fine(mixed: Tensor, members: Tensor, config: Any, shares: Tensor) -> Tensor:
    """Put the stretched fine part in the place of its plain mean, where the model has one."""
    channels = getattr(config, "fine_channels", 0)
    if not channels:
        return mixed
    coarse = config.spatial_channels * config.grid**2 + config.global_dim
    fine = members[:, :, coarse:].unflatten(2, (channels, config.fine_grid, config.fine_grid))
    shares = shares.expand(-1, -1, config.fine_grid, config.fine_grid)
    return torch.cat([mixed[:, :coarse], _kept_energy(fine, shares)], dim=1)


def _kept_energy(parts: Tensor, shares: Tensor) -> Tensor:
    """`featureblend.mixing.kept_energy` for whole batches, flat; its stretch is a number, not a way for gradients."""
    mean = torch.einsum("bkij,bkcij->bcij", shares, parts)
    with torch.no_grad():
        wanted = (shares * parts.square().sum(dim=2)).sum(dim=1)
        stretch = ((wanted + FAINT) / (mean.square().sum(dim=1) + FAINT)).sqrt()
        count = 1 / shares.square().sum(dim=1)
        most = torch.minimum(count, (4 / count).clamp(min=1)).sqrt()
    return (mean * torch.minimum(stretch, most)[:, None]).flatten(1)


def mixed_pictures(images: Tensor, shares: Tensor) -> Tensor:
    """Mix pictures as `mixed_in_groups` mixed their latents: what a blend's low frequencies are held to.

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
