"""Warping of batches of faces to a common shape on the training device, by thin-plate splines.

At use time each face is warped to the blend's mean shape before it is encoded (`faces.warp.warp_to_mean`), so
training must see such pairs too. This is the same idea for whole batches and without a loop over pictures: about a
tenth of the time, with a coarser grid and without the use half's care for the border.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

GRID = 17
"""Nodes along each side at which the spline is evaluated; between them the displacement is interpolated."""
STIFFNESS = 1e-3
"""Regularisation: how far landmarks may stay from their aims, in the spline's units."""


def warp_batch(images: Tensor, landmarks: Tensor, target: Tensor) -> Tensor:
    """Warp each picture so that its landmarks lie on `target`; the frame stays fixed.

    Parameters
    ----------
    images : (B, 3, S, S) tensor
    landmarks, target : (B, K, 2) tensors
        x and y in pixels. Where a value is not a number, the picture stays as it is.

    Returns
    -------
    (B, 3, S, S) tensor

    References
    ----------
    Bookstein, *Principal Warps: Thin-Plate Splines and the Decomposition of Deformations*, 1989.

    Examples
    --------
    >>> image = torch.rand(1, 3, 32, 32)
    >>> face = torch.tensor([[(10.0, 12.0), (20.0, 12.0), (15.0, 22.0)]])
    >>> bool((warp_batch(image, face, face) - image).abs().max() < 1e-4)
    True
    """
    # In bfloat16 the spline, a sum of large terms that cancel, is off by a pixel and more here and there.
    with torch.autocast(images.device.type, enabled=False):
        return _warp_batch(images.float(), landmarks.float(), target.float())


def _warp_batch(images: Tensor, landmarks: Tensor, target: Tensor) -> Tensor:
    size = images.shape[-1]
    known = (landmarks.isfinite() & target.isfinite()).flatten(1).all(1)[:, None, None]
    aim, start = ((points.nan_to_num() + 0.5) * (2 / size) - 1 for points in (target, landmarks))
    aim, start = torch.where(known, aim, 0 * aim), torch.where(known, start, 0 * aim)
    side = torch.linspace(-1, 1, 3, device=images.device)
    frame = torch.cartesian_prod(side, side)
    frame = torch.cat([frame[:4], frame[5:]]).expand(len(images), -1, -1)  # without the middle
    points = torch.cat([aim, frame], dim=1)
    moves = torch.cat([start - aim, torch.zeros_like(frame)], dim=1)
    count = points.shape[1]
    affine = torch.cat([torch.ones_like(points[..., :1]), points], dim=-1)
    system = points.new_zeros(len(points), count + 3, count + 3)
    system[:, :count, :count] = _kernel(points, points) + STIFFNESS * torch.eye(count, device=points.device)
    system[:, :count, count:], system[:, count:, :count] = affine, affine.mT
    # Without a check, for which a GPU would have to wait: the frame and the regularisation keep it solvable, and where
    # nothing is known the moves, and so the solution, are 0.
    solution = torch.linalg.solve_ex(system, functional.pad(moves, (0, 0, 0, 3))).result
    solution = solution.nan_to_num(0.0, 0.0, 0.0)
    axis = torch.linspace(-1, 1, GRID, device=images.device)
    rows, columns = torch.meshgrid(axis, axis, indexing="ij")
    nodes = torch.stack([columns, rows], dim=-1).reshape(1, -1, 2).expand(len(images), -1, -1)
    affine = torch.cat([torch.ones_like(nodes[..., :1]), nodes], dim=-1)
    coarse = _kernel(nodes, points) @ solution[:, :count] + affine @ solution[:, count:]
    coarse = coarse.mT.reshape(len(images), 2, GRID, GRID)
    fine = functional.interpolate(coarse, (size, size), mode="bicubic", align_corners=True).permute(0, 2, 3, 1)
    # The nodes lie on the frame's corners, the pixels half a pixel inside: at most 1 % of a displacement.
    still = functional.affine_grid(torch.eye(2, 3, device=images.device)[None], [1, 3, size, size], align_corners=False)
    return functional.grid_sample(images, still + fine, mode="bicubic", padding_mode="reflection", align_corners=False)


def _kernel(left: Tensor, right: Tensor) -> Tensor:
    """r^2 log r for all pairs, the thin-plate kernel; 0 at r = 0."""
    squares = (left[..., :, None, :] - right[..., None, :, :]).square().sum(dim=-1)
    return 0.5 * squares * squares.clamp(min=1e-12).log()


def warp_to_group_means(images: Tensor, landmarks: Tensor, group: int, which: Tensor) -> Tensor:
    """Warp the faces of each group of neighbours to the group's mean shape.

    Parameters
    ----------
    images : (B, 3, S, S) tensor
    landmarks : (B, 68, 2) tensor
    group : int
        Divides B.
    which : (B / group,) bool tensor
        The groups that are warped; the others stay.

    Returns
    -------
    (B, 3, S, S) tensor
    """
    marks = landmarks.unflatten(0, (-1, group))
    means = torch.where(which[:, None, None, None], marks.mean(dim=1, keepdim=True), marks)
    return warp_batch(images, landmarks, means.flatten(0, 1)).clamp(-1, 1)
