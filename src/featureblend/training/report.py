"""Pictures of a run in progress: a grid of faces, and the curves of its log."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from ..io.files import atomic_path
from ..io.image import from_network, save_image
from ..io.sheets import grid

NOT_DRAWN = ("step", "images", "seconds")


def draw_samples(pictures: Mapping[str, Tensor], path: str | os.PathLike[str], columns: int = 16) -> None:
    """Write a grid: under each input its reconstruction and its blend with the next face.

    Parameters
    ----------
    pictures : mapping of str to (N, 3, H, W) tensors in [-1, 1]
        Rows of the grid, in order.
    path : path-like
    columns : int
        Faces a row.
    """
    rows = [from_network(images.float().cpu().numpy()) for images in pictures.values()]
    sheet: list[np.ndarray] = []
    for start in range(0, len(rows[0]), columns):
        for row in rows:
            block = list(row[start : start + columns])
            sheet += block + [np.full_like(block[0], 255)] * (columns - len(block))
    save_image(path, grid(sheet, columns))


def draw_curves(history: Sequence[Mapping[str, Any]], path: str | os.PathLike[str]) -> None:
    """Plot every number of the log over images seen, one small panel each.

    Parameters
    ----------
    history : sequence of mappings
        Lines of ``metrics.jsonl``.
    path : path-like
        A PNG.
    """
    # A figure of its own, not pyplot's: a caller's notebook keeps its backend.
    from matplotlib.figure import Figure

    names = sorted({name for line in history for name in line} - set(NOT_DRAWN))
    columns = 4
    rows = -(-len(names) // columns)
    width, height = 4 * columns, 2.4 * rows
    figure = Figure(figsize=(width, height))
    axes = figure.subplots(rows, columns, squeeze=False)
    # In inches, since a tight layout takes as long as the drawing; and of the texts at ticks, a few will do.
    figure.subplots_adjust(
        left=0.5 / width, right=1 - 0.15 / width, bottom=0.45 / height, top=1 - 0.3 / height, wspace=0.2, hspace=0.5
    )
    for axis, name in zip(axes.flat, names, strict=False):
        points = [(line["images"] / 1000, line[name]) for line in history if name in line]
        axis.plot(*zip(*points, strict=True), linewidth=1)
        axis.set_title(name.replace("_", " "), fontsize=9)
        axis.set_xlabel("thousand images", fontsize=7, labelpad=1)
        axis.locator_params(nbins=4)
        axis.tick_params(labelsize=7)
        axis.grid(alpha=0.3)
    for axis in axes.flat[len(names) :]:
        axis.axis("off")
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=80, format="png")
