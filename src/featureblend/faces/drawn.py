"""Faces of nobody, drawn by rule, with their landmarks: to try things on, and to test with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import cv2
import numpy as np

LABELS = ("background", "skin", "clothes", "hair")
"""What a place of a drawing shows; skin are face, ears and neck."""

FRACTION_BITS = 4
"""Points are handed to OpenCV in sixteenths of a pixel."""


class Brush:
    """Paints shapes that are given in the head's space, or in pixels, on a canvas, and notes what they are."""

    def __init__(self, canvas: np.ndarray, unit: float, place: Callable[[np.ndarray], np.ndarray]) -> None:
        self.canvas, self.unit, self.place = canvas, unit, place
        self.labels = np.zeros(canvas.shape[:2], np.uint8)
        """Indices into `LABELS`."""

    def pixels(self, points: np.ndarray) -> np.ndarray:
        """Project (N, 3) points of the head to pixels; (N, 2) points are already in pixels."""
        points = np.asarray(points, float)
        return self.place(points) if points.shape[1] == 3 else points

    def fill(self, points: np.ndarray, colour: np.ndarray, label: str, smooth: int = 2) -> np.ndarray:
        """Fill a smoothed outline with a colour, note its label; return the outline in pixels."""
        outline = rounded(self.pixels(points), smooth)
        cv2.fillPoly(self.canvas, [fixed(outline)], colour_of(colour), cv2.LINE_AA, FRACTION_BITS)
        cv2.fillPoly(self.labels, [fixed(outline)], LABELS.index(label), cv2.LINE_8, FRACTION_BITS)
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


SUPERSAMPLING = 2
"""The face is painted at this many times its size and then reduced."""

SKINS = ((241, 205, 178), (229, 186, 152), (208, 158, 122), (176, 124, 90), (132, 88, 62), (92, 60, 44))
HAIRS = ((28, 24, 22), (52, 36, 26), (88, 58, 36), (142, 98, 54), (196, 160, 104), (120, 116, 112), (186, 184, 182))


def draw_faces(seeds: range, size: int = 128) -> tuple[np.ndarray, np.ndarray]:
    """Draw one face per seed.

    Parameters
    ----------
    seeds : range
    size : int

    Returns
    -------
    (N, size, size, 3) uint8 and (N, 68, 2) float64 arrays

    Examples
    --------
    >>> draw_faces(range(2), 64)[0].shape
    (2, 64, 64, 3)
    """
    faces = [draw_face(seed, size) for seed in seeds]
    return np.stack([image for image, _ in faces]), np.stack([points for _, points in faces])


def draw_face(seed: int, size: int = 128) -> tuple[np.ndarray, np.ndarray]:
    """Draw one face; the same seed and size give the same bytes.

    Parameters
    ----------
    seed : int
        Decides the person, the expression, the pose, the light, the clothes and the background.
    size : int
        Side in pixels. The face is about half as wide, as in LFW's central 170 pixels.

    Returns
    -------
    image : (size, size, 3) uint8 array, sRGB
    landmarks : (68, 2) float64 array
        (x, y) in pixels, pixel centres at whole numbers, in the order of `LANDMARKS`.
    """
    image, landmarks, _ = _drawn(seed, size)
    return image, landmarks


def draw_labels(seed: int, size: int = 128) -> np.ndarray:
    """What each pixel of a drawn face shows.

    Parameters
    ----------
    seed, size : int
        As in `draw_face`.

    Returns
    -------
    (size, size, 4) float32 array
        The share of each of `LABELS`; it sums to 1. Glasses count as what is behind them.

    Examples
    --------
    >>> LABELS[draw_labels(0, 64)[40, 32].argmax()]
    'skin'
    """
    labels = np.eye(len(LABELS), dtype=np.float32)[_drawn(seed, size)[2]]
    return cv2.resize(labels, (size, size), interpolation=cv2.INTER_AREA)


def _drawn(seed: int, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A face, its landmarks, and its labels at `SUPERSAMPLING` times its size."""
    rng = np.random.default_rng(seed)
    head = _head(rng)
    place = _camera(rng, size)
    landmarks = place(head)
    fine = SUPERSAMPLING * (landmarks + 0.5) - 0.5
    unit = SUPERSAMPLING * float(np.linalg.norm(np.diff(place(np.array([[0.0, 0, 0], [1, 0, 0]])), axis=0)))
    brush = Brush(
        _background(rng, SUPERSAMPLING * size), unit, lambda points: SUPERSAMPLING * (place(points) + 0.5) - 0.5
    )
    skin = np.array(SKINS[rng.integers(len(SKINS))], float) * rng.uniform(0.94, 1.05)
    hair = np.array(HAIRS[rng.integers(len(HAIRS))], float) * rng.uniform(0.85, 1.15)
    style = rng.choice(["short", "long", "fringe", "bald"], p=[0.42, 0.3, 0.16, 0.12])
    _paint_behind(brush, rng, skin, hair, style)
    _paint_skin(brush, rng, skin, fine)
    _paint_features(brush, rng, skin, hair, fine)
    _paint_hair(brush, rng, hair, style)
    if rng.random() < 0.2:
        _paint_glasses(brush, rng, fine)
    return _photograph(brush.canvas, rng, size), landmarks, brush.labels


def _head(rng: np.random.Generator) -> np.ndarray:
    """The 68 landmarks in space: x rightwards, y down, z towards the viewer; the jaw spans x from -1 to 1."""
    width, length = rng.uniform(0.92, 1.08), rng.uniform(0.92, 1.1)
    around = np.linspace(0, np.pi, 17)
    square = rng.uniform(0.02, 0.2)
    jaw_x = -np.cos(around) * (1 - square * np.sin(around) ** 2) * width
    jaw = np.column_stack([jaw_x, -0.3 + 1.42 * length * np.sin(around) ** 1.05, -0.45 + 0.75 * np.sin(around)])
    along = np.linspace(0, 1, 5)
    arch, raised = rng.uniform(0.06, 0.16), rng.uniform(-0.05, 0.08)
    brow = np.column_stack(
        [-0.8 + 0.58 * along, -0.58 - raised - arch * np.sin(np.pi * (0.15 + 0.8 * along)), 0.3 + 0.2 * along]
    )
    apart, wide, opened = rng.uniform(0.4, 0.46), rng.uniform(0.17, 0.21), rng.uniform(0.045, 0.095)
    eye = np.array([(-1, 0.1), (-0.4, -1), (0.4, -1), (1, 0.15), (0.4, 0.8), (-0.4, 0.8)]) * (wide, opened) + (
        -apart,
        -0.36,
    )
    eye = np.column_stack([eye, np.full(6, 0.4)])
    nose_length, nose_width = rng.uniform(0.5, 0.62), rng.uniform(0.15, 0.22)
    bridge = np.column_stack([np.zeros(4), np.linspace(-0.36, -0.4 + nose_length, 4), np.linspace(0.5, 0.85, 4)])
    nostrils = np.array([(-1, 0.1), (-0.5, 0.17), (0, 0.2), (0.5, 0.17), (1, 0.1)]) * (nose_width, 1)
    nostrils = np.column_stack([nostrils + np.array([0, bridge[-1, 1]]), [0.5, 0.6, 0.65, 0.6, 0.5]])
    half, lips, gap, smile = rng.uniform(0.3, 0.42), rng.uniform(0.06, 0.1), rng.uniform(0, 1), rng.uniform(-0.04, 0.11)
    gap = 0.0 if gap < 0.45 else 0.16 * gap
    half *= 1 + smile
    middle = bridge[-1, 1] + rng.uniform(0.48, 0.58)

    def lip(x: np.ndarray, upper: bool, outer: bool) -> np.ndarray:
        bend = 1 - x**2
        edge = (-1 if upper else 1) * (gap / 2 + (lips * (0.85 if upper else 1.15) if outer else 0)) * bend
        bow = 0.02 * np.exp(-((x / 0.2) ** 2)) if upper and outer else 0
        return np.column_stack([half * x, middle + edge + bow - smile * (x**2 - 0.4), 0.62 - 0.25 * x**2])

    outer, inner = np.linspace(-1, 1, 7), np.linspace(-0.8, 0.8, 5)
    mouth = [
        lip(outer, True, True),
        lip(outer[-2:0:-1], False, True),
        lip(inner, True, False),
        lip(inner[-2:0:-1], False, False),
    ]
    mirrored = (-1, 1, 1)
    right_eye = (eye * mirrored)[[3, 2, 1, 0, 5, 4]]
    return np.concatenate([jaw, brow, (brow * mirrored)[::-1], bridge, nostrils, eye, right_eye, *mouth])


def _camera(rng: np.random.Generator, size: int) -> Callable[[np.ndarray], np.ndarray]:
    """A function that projects points in space to pixels of the picture."""
    yaw, pitch, roll = rng.normal(0, (0.18, 0.07, 0.04))
    turn_y = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    turn_x = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
    turn_z = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    matrix = (turn_z @ turn_x @ turn_y)[:2] * (size * rng.uniform(0.225, 0.25))
    shift = (size - 1) / 2 + size * (rng.normal(0, 0.012, 2) + np.array([0, 0.02]))
    return lambda points: points @ matrix.T + shift


def _background(rng: np.random.Generator, side: int) -> np.ndarray:
    # At half the resolution: it is out of focus.
    full, side = side, side // 2
    tone, other = rng.uniform(40, 215, (2, 3)) * 0.6 + rng.uniform(20, 90, (2, 1))
    kind = rng.integers(4)
    mix: np.ndarray
    if kind == 0:  # a lit wall
        mix = np.linspace(0, 1, side, dtype=np.float32)[:, None] + 0.1 * clouds(rng, side, (3, 12))
    elif kind == 1:  # people or shelves, out of focus
        mix = (clouds(rng, side, (4, 7)) > 0.2).astype(np.float32)
        mix = cv2.GaussianBlur(mix, (0, 0), side / 60)
    elif kind == 2:  # foliage
        mix = 0.5 + 0.4 * clouds(rng, side, (6, 14, 40))
    else:  # boards or curtains
        edges = np.sort(rng.uniform(0, side, rng.integers(2, 8)))
        mix = np.repeat((np.searchsorted(edges, np.arange(side)) % 2)[None].astype(np.float32), side, axis=0)
    mix = np.clip(mix, 0, 1).astype(np.float32)[..., None]
    picture = np.float32(tone) * (1 - mix) + np.float32(other) * mix
    return cv2.resize(np.clip(picture, 0, 255).astype(np.uint8), (full, full), interpolation=cv2.INTER_LINEAR)


def _paint_behind(brush: Brush, rng: np.random.Generator, skin: np.ndarray, hair: np.ndarray, style: str) -> None:
    if style == "long":
        drop = rng.uniform(0.9, 2.0)
        wide = rng.uniform(1.2, 1.45)
        outline = [
            (-wide, drop),
            (-wide * 1.05, 0),
            (-1.1, -1.1),
            (-0.45, -1.65),
            (0.45, -1.65),
            (1.1, -1.1),
            (wide * 1.05, 0),
        ]
        outline.append((wide, drop))
        shape = brush.fill(np.column_stack([outline, np.full(len(outline), -0.6)]), hair * 0.8, "hair")
        strands(brush, rng, shape, hair * 0.8, 50)
    neck = [
        (-0.55, 0.4, -0.3),
        (-0.6, 1.5, -0.4),
        (-0.9, 2.2, -0.4),
        (0.9, 2.2, -0.4),
        (0.6, 1.5, -0.4),
        (0.55, 0.4, -0.3),
    ]
    brush.fill(np.array(neck), skin * 0.78, "skin", 1)
    cloth = rng.uniform(10, 230, 3)
    top = rng.uniform(1.35, 1.55)
    shoulders = [
        (-0.62, top),
        (-1.3, top + 0.25),
        (-2.4, top + 0.6),
        (-3, 4),
        (3, 4),
        (2.4, top + 0.6),
        (1.3, top + 0.25),
    ]
    shoulders += [(0.62, top), (0, top + rng.uniform(0.2, 0.9))]
    brush.fill(np.column_stack([shoulders, np.full(len(shoulders), -0.5)]), cloth, "clothes", 1)
    if rng.random() < 0.5:
        collar = rng.uniform(150, 250, 3)
        for sign in (-1, 1):
            flap = [(0.62 * sign, top), (0.05 * sign, top + 0.55), (0.5 * sign, top + 0.75), (0.95 * sign, top + 0.15)]
            brush.fill(np.column_stack([flap, np.full(4, -0.3)]), collar, "clothes", 0)
    for sign in (-1, 1):
        ear = np.array([(0.98, -0.45), (1.16, -0.5), (1.2, -0.25), (1.1, 0.1), (0.96, 0.12)]) * (sign, 1)
        brush.fill(np.column_stack([ear, np.full(5, -0.5)]), skin * 0.85, "skin")


def _paint_skin(brush: Brush, rng: np.random.Generator, skin: np.ndarray, points: np.ndarray) -> None:
    """Paint the face from the jaw to the crown, rounded by the light, mottled, and perhaps bearded."""
    side = brush.canvas.shape[0] // 2
    crown = [
        (0.98, -0.75, -0.3),
        (0.78, -1.25, -0.1),
        (0.3, -1.52, 0),
        (-0.3, -1.52, 0),
        (-0.78, -1.25, -0.1),
        (-0.98, -0.75, -0.3),
    ]
    outline = rounded(np.concatenate([points[:17], brush.pixels(np.array(crown))]), 2)
    left, top, width, height = cv2.boundingRect(outline.astype(np.float32))
    corner = (left, top) = max(left - 1, 0), max(top - 1, 0)
    patch = brush.canvas[top : top + height + 2, left : left + width + 2]
    height, width = patch.shape[:2]
    mask = np.zeros((height, width), np.uint8)
    cv2.fillPoly(mask, [fixed(outline - corner)], 255, cv2.LINE_AA, FRACTION_BITS)
    # A ball's light at low resolution is enough: it is smooth.
    low = 24
    rows, columns = (
        (np.arange(low) + 0.5) * (extent / low) + start for extent, start in ((height, top), (width, left))
    )
    x = (columns[None, :] - points[30, 0]) / (1.25 * brush.unit)
    y = (rows[:, None] - points[30, 1] + 0.2 * brush.unit) / (1.6 * brush.unit)
    ball = np.sqrt(np.maximum(1.15 - x**2 - y**2, 0.05))
    light = rng.uniform(-0.2, 0.2), rng.uniform(-0.12, 0.02)
    shade = cv2.resize((0.62 + 0.42 * ball + light[0] * x + light[1] * y).astype(np.float32), (width, height))
    rough = cv2.resize(clouds(rng, side, (12, 48, 100)), (width, height))
    shade += 0.012 * rough
    if rng.random() < 0.25:
        beard = np.zeros((height, width), np.float32)
        chin = np.concatenate([points[2:15], points[[54, 33, 48]]])
        cv2.fillPoly(beard, [fixed(chin - corner)], 1.0, cv2.LINE_AA, FRACTION_BITS)
        dark = np.clip(rng.uniform(0.25, 0.6) + 0.12 * np.roll(rough, 7, axis=0), 0, 1)
        shade *= 1 - cv2.GaussianBlur(beard, (0, 0), 0.06 * brush.unit) * dark
    tint = shade[..., None] * np.float32(skin)
    tint[..., 0] += cv2.resize(6 * clouds(rng, 6, (6,)), (width, height), interpolation=cv2.INTER_CUBIC)
    tint = np.clip(tint, 0, 255, out=tint).astype(np.uint8)
    alpha = mask.astype(np.float32) / 255
    brush.labels[top : top + height, left : left + width][mask > 127] = LABELS.index("skin")
    patch[:] = cv2.blendLinear(tint, np.ascontiguousarray(patch), alpha, 1 - alpha)


def _paint_features(
    brush: Brush, rng: np.random.Generator, skin: np.ndarray, hair: np.ndarray, points: np.ndarray
) -> None:
    iris = np.array([(70, 48, 32), (92, 110, 120), (84, 96, 64), (44, 30, 22)][rng.integers(4)], float)
    brow_colour = 0.5 * (hair * 0.6) + 0.5 * (skin * 0.35)
    brow_width = rng.uniform(0.05, 0.1)
    for brow, eye in ((points[17:22], points[36:42]), (points[22:27], points[42:48])):
        shadow(brush, eye[[0, 1, 2, 3]] - (0, 0.07 * brush.unit), 0.28, 0.16)
        shadow(brush, eye[[0, 5, 4, 3]] + (0, 0.06 * brush.unit), 0.14, 0.1)
        white = brush.fill(eye, np.array([226, 220, 214]) * 0.92, "skin")
        centre = eye.mean(axis=0)
        with brush.inside(white):
            brush.disc(centre, 0.095, iris)
            brush.disc(centre, 0.045, np.array([12, 10, 10]))
            brush.disc(centre - (0.03 * brush.unit, 0.03 * brush.unit), 0.018, np.array([250, 250, 250]))
        brush.stroke(eye[:4], skin * 0.22, 0.045)
        brush.stroke(eye[[3, 4, 5, 0]], skin * 0.6, 0.02)
        brush.stroke(brow, brow_colour, brow_width)
        brush.stroke(brow[1:4], brow_colour, brow_width * 1.4)
    bridge, nostrils = points[27:31], points[31:36]
    side = 1 if rng.random() < 0.5 else -1
    shadow(brush, bridge + np.array([side * 0.13 * brush.unit, 0]), 0.22, 0.12)
    shadow(brush, bridge, -0.12, 0.08)
    shadow(brush, nostrils + np.array([0, 0.03 * brush.unit]), 0.3, 0.08)
    brush.stroke(nostrils, skin * 0.62, 0.03)
    for at in (nostrils[1], nostrils[3]):
        brush.disc(at - (0, 0.01 * brush.unit), 0.045, skin * 0.25)
    for corner, wing in ((48, 31), (54, 35)):
        fold = np.stack([points[wing], 0.5 * (points[wing] + points[corner]), points[corner]])
        fold = fold + (points[corner] - points[66]) * [[0.15], [0.3], [0.3]]
        shadow(brush, fold, rng.uniform(0.05, 0.22), 0.06)
    lip = skin * np.array([0.82, 0.6, 0.6]) + rng.uniform(-12, 12, 3)
    brush.fill(points[48:60], lip, "skin", 1)
    opened = np.linalg.norm(points[62] - points[66]) / brush.unit
    brush.fill(points[60:68], np.array([60, 26, 26]), "skin", 1)
    if opened > 0.05:
        teeth = np.concatenate(
            [points[60:65], points[[64, 63, 62, 61, 60]] * 0.45 + points[[64, 65, 66, 67, 60]] * 0.55]
        )
        brush.fill(teeth, np.array([232, 226, 214]), "skin", 0)
    brush.stroke(points[60:65], skin * 0.3, 0.03)
    shadow(brush, points[[58, 57, 56]] + (0, 0.1 * brush.unit), 0.25, 0.1)
    shadow(brush, points[4:13], 0.2, 0.06)


def _paint_hair(brush: Brush, rng: np.random.Generator, hair: np.ndarray, style: str) -> None:
    if style == "bald":
        return
    line = {"short": rng.uniform(-1.2, -0.95), "long": rng.uniform(-1.2, -0.95), "fringe": rng.uniform(-0.85, -0.75)}[
        style
    ]
    height = rng.uniform(1.62, 1.85)
    parting = rng.uniform(-0.4, 0.4)
    burn = rng.uniform(-0.45, 0.0) if style == "short" else rng.uniform(0.2, 0.9)
    outline = [
        (-1.02, burn, -0.4),
        (-1.16, -0.5, -0.5),
        (-1.12, -1.1, -0.4),
        (-0.6, -height, -0.3),
        (0.6, -height, -0.3),
    ]
    outline += [
        (1.12, -1.1, -0.4),
        (1.16, -0.5, -0.5),
        (1.02, burn, -0.4),
        (0.95, -0.6, -0.1),
        (0.72, line + 0.05, 0.2),
    ]
    outline += [(0.3 + parting, line - 0.06, 0.35), (parting, line - 0.14, 0.35), (-0.3 + parting, line - 0.02, 0.35)]
    outline += [(-0.72, line + 0.1, 0.2), (-0.95, -0.6, -0.1)]
    shape = brush.fill(np.array(outline), hair, "hair")
    crown = shape[: len(shape) * 8 // 15]
    with brush.inside(shape):
        strands(brush, rng, crown, hair, 80)


def _paint_glasses(brush: Brush, rng: np.random.Generator, points: np.ndarray) -> None:
    frame = rng.uniform(10, 90) * np.ones(3)
    width = rng.uniform(0.025, 0.05)
    around = np.linspace(0, 2 * np.pi, 17)
    for eye in (points[36:42], points[42:48]):
        across = (eye[3] - eye[0]) * 0.85
        down = np.array([-across[1], across[0]]) * 0.75
        brush.stroke(
            eye.mean(axis=0) + np.outer(np.cos(around), across) + np.outer(np.sin(around), down), frame, width, 0
        )
    brush.stroke(np.stack([points[39], points[27], points[42]]), frame, width, 1)
    brush.stroke(np.stack([points[36] * 1.4 - points[39] * 0.4, points[0]]), frame, width, 0)
    brush.stroke(np.stack([points[45] * 1.4 - points[42] * 0.4, points[16]]), frame, width, 0)


def _photograph(canvas: np.ndarray, rng: np.random.Generator, size: int) -> np.ndarray:
    """Reduce the painting to its size through a lens and a sensor: a little blur, exposure, white balance and noise."""
    soft = cv2.GaussianBlur(canvas, (0, 0), SUPERSAMPLING * rng.uniform(0.4, 0.6))
    small = cv2.resize(soft, (size, size), interpolation=cv2.INTER_AREA).astype(np.float32)
    gain = (rng.uniform(0.82, 1.08) * rng.uniform(0.95, 1.05, 3)).astype(np.float32)
    exposed = small * gain + np.float32(rng.uniform(0, 10))
    grain = rng.standard_normal((size, size, 3), dtype=np.float32) * np.float32(rng.uniform(0.5, 1.6))
    return np.clip(exposed + grain + 0.5, 0, 255).astype(np.uint8)
