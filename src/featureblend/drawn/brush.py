"""Drawing tools: smooth shapes and lines, soft shadows, strands of hair, noise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import cv2
import numpy as np

FRACTION_BITS = 4
"""Points are handed to OpenCV in sixteenths of a pixel."""


class Brush:
    """Paints shapes that are given in the head's space, or in pixels, on a canvas."""

    def __init__(self, canvas: np.ndarray, unit: float, place: Callable[[np.ndarray], np.ndarray]) -> None:
        self.canvas, self.unit, self.place = canvas, unit, place

    def pixels(self, points: np.ndarray) -> np.ndarray:
        """Project (N, 3) points of the head to pixels; (N, 2) points are already in pixels."""
        points = np.asarray(points, float)
        return self.place(points) if points.shape[1] == 3 else points

    def fill(self, points: np.ndarray, colour: np.ndarray, smooth: int = 2) -> np.ndarray:
        """Fill a smoothed outline with a colour; return the outline in pixels."""
        outline = rounded(self.pixels(points), smooth)
        cv2.fillPoly(self.canvas, [fixed(outline)], colour_of(colour), cv2.LINE_AA, FRACTION_BITS)
        return outline

    def stroke(self, points: np.ndarray, colour: np.ndarray, width: float, smooth: int = 2) -> None:
        """Draw an open line; `width` in units of the head."""
        line = rounded(self.pixels(points), smooth, closed=False)
        thickness = max(1, round(width * self.unit))
        cv2.polylines(self.canvas, [fixed(line)], False, colour_of(colour), thickness, cv2.LINE_AA, FRACTION_BITS)

    def disc(self, centre: np.ndarray, radius: float, colour: np.ndarray) -> None:
        """Fill a disc; centre and radius in pixels."""
        scale = 1 << FRACTION_BITS
        at = tuple(round(float(value) * scale) for value in centre)
        cv2.circle(
            self.canvas, at, round(radius * self.unit * scale), colour_of(colour), -1, cv2.LINE_AA, FRACTION_BITS
        )

    @contextmanager
    def inside(self, outline: np.ndarray) -> Iterator[None]:
        """Keep what the block paints only within an outline (in pixels)."""
        left, top, width, height = cv2.boundingRect(outline.astype(np.float32))
        box = slice(max(top, 0), max(top + height, 0)), slice(max(left, 0), max(left + width, 0))
        mask = np.zeros(self.canvas[box].shape[:2], np.uint8)
        corner = (max(left, 0), max(top, 0))
        cv2.fillPoly(mask, [fixed(outline - corner)], 255, cv2.LINE_8, FRACTION_BITS)
        before = self.canvas.copy()
        yield
        after = self.canvas[box].copy()
        self.canvas[:] = before
        np.copyto(self.canvas[box], after, where=mask[..., None] > 0)


def fixed(points: np.ndarray) -> np.ndarray:
    """Turn pixels into OpenCV's fixed point."""
    return np.round(points * (1 << FRACTION_BITS)).astype(np.int32)


def colour_of(colour: np.ndarray) -> tuple[float, ...]:
    """Clip a colour to 0 to 255, as OpenCV takes it."""
    return tuple(min(max(float(value), 0.0), 255.0) for value in colour)


def rounded(points: np.ndarray, times: int, closed: bool = True) -> np.ndarray:
    """Round the corners of a polygon or line by repeated cutting (Chaikin)."""
    for _ in range(times):
        after = np.roll(points, -1, axis=0) if closed else points[1:]
        before = points if closed else points[:-1]
        cut = np.stack([0.75 * before + 0.25 * after, 0.25 * before + 0.75 * after], axis=1).reshape(-1, 2)
        points = cut if closed else np.concatenate([points[:1], cut, points[-1:]])
    return points


def clouds(rng: np.random.Generator, side: int, octaves: tuple[int, ...]) -> np.ndarray:
    """Smooth noise of unit order, (side, side) float32: a sum of grids of random values, one per count in `octaves`."""
    total = np.zeros((side, side), np.float32)
    for cells in octaves:
        grid = rng.standard_normal((cells, cells), dtype=np.float32)
        total += cv2.resize(grid, (side, side), interpolation=cv2.INTER_CUBIC) / len(octaves) ** 0.5
    return total


def shadow(brush: Brush, points: np.ndarray, amount: float, width: float) -> None:
    """Darken (or, below 0, lighten) the surroundings of a line, softly."""
    x, y, w, h = cv2.boundingRect(points.astype(np.float32))
    margin = round(2.5 * width * brush.unit)
    top, left = max(y - margin, 0), max(x - margin, 0)
    patch = brush.canvas[top : y + h + margin, left : x + w + margin]
    if 0 in patch.shape:
        return
    mask: np.ndarray = np.zeros(patch.shape[:2], np.float32)
    thickness = max(1, round(width * brush.unit))
    cv2.polylines(mask, [fixed(points - (left, top))], False, 1.0, thickness, cv2.LINE_AA, FRACTION_BITS)
    mask = cv2.GaussianBlur(mask, (0, 0), 0.5 * width * brush.unit)[..., None]
    patch[:] = np.clip(patch * (1 - amount * mask), 0, 255).astype(np.uint8)


def strands(brush: Brush, rng: np.random.Generator, outline: np.ndarray, colour: np.ndarray, count: int) -> None:
    """Draw strands that run along the outline's sides, from its top down, each a little lighter or darker."""
    top, half = outline[:, 1].min(), len(outline) // 2
    middle = np.array([outline[:, 0].mean(), top])
    places = rng.uniform(0.05, 1.0, count)
    lengths = rng.uniform(0.3, 0.9, count)
    tones = rng.uniform(0.7, 1.35, count)
    for place, length, tone in zip(places, lengths, tones, strict=True):
        start = rng.integers(0, half)
        way = outline[start : start + half : 3]
        line = middle + (way[: max(2, int(len(way) * length))] - middle) * place
        brush.stroke(line, colour * tone, 0.02, 0)
