"""Sheets: several pictures laid out as one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont


def grid(images: Sequence[np.ndarray], columns: int, gap: int = 2, background: int = 255) -> np.ndarray:
    """Lay equally sized pictures out in rows.

    Parameters
    ----------
    images : sequence of (H, W, 3) uint8 arrays
        In reading order.
    columns : int
        Pictures a row.
    gap : int
        Pixels between pictures.
    background : int
        Grey value of the gaps and of empty places, 0 to 255.

    Returns
    -------
    (rows * H + gaps, columns * W + gaps, 3) uint8 array

    Examples
    --------
    >>> grid([np.zeros((4, 4, 3), np.uint8)] * 3, columns=2, gap=1).shape
    (9, 9, 3)
    """
    height, width = images[0].shape[:2]
    rows = -(-len(images) // columns)
    sheet = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap, 3), background, np.uint8)
    for index, image in enumerate(images):
        top, left = index // columns * (height + gap), index % columns * (width + gap)
        sheet[top : top + height, left : left + width] = image
    return sheet


def labelled_row(images: Sequence[np.ndarray], labels: Sequence[str], scale: int = 1, gap: int = 8) -> Image.Image:
    """Lay pictures of one size side by side with a caption under each.

    Parameters
    ----------
    images : sequence of (H, W, 3) uint8 arrays
    labels : sequence of str
        One a picture; may hold line breaks.
    scale : int
        Whole factor by which each picture is enlarged (bicubic).
    gap : int
        Pixels around and between pictures.

    Returns
    -------
    PIL image
    """
    height, width = (side * scale for side in images[0].shape[:2])
    size = max(12, width // 14)
    font = ImageFont.load_default(size)
    lines = max(label.count("\n") + 1 for label in labels)
    caption = int(lines * size * 1.35) + gap
    sheet = Image.new("RGB", (len(images) * (width + gap) + gap, height + caption + 2 * gap), "white")
    draw = ImageDraw.Draw(sheet)
    for index, (image, label) in enumerate(zip(images, labels, strict=True)):
        left = gap + index * (width + gap)
        picture = Image.fromarray(image)
        if scale != 1:
            picture = picture.resize((width, height), Image.Resampling.BICUBIC)
        sheet.paste(picture, (left, gap))
        draw.multiline_text((left + width / 2, gap + height + gap), label, "black", font, anchor="ma", align="center")
    return sheet


def labelled_sheet(images: Sequence[np.ndarray], labels: Sequence[str], columns: int, scale: int = 1) -> Image.Image:
    """Lay pictures of one size out in rows with a caption under each.

    Parameters
    ----------
    images : sequence of (H, W, 3) uint8 arrays
        In reading order.
    labels : sequence of str
        One a picture.
    columns : int
        Pictures a row, the last one aside.
    scale : int
        As `labelled_row`.

    Returns
    -------
    PIL image

    Examples
    --------
    >>> one = np.zeros((128, 128, 3), np.uint8)
    >>> labelled_sheet([one] * 3, "abc", columns=2).width == labelled_row([one] * 2, "ab").width
    True
    """
    strips = [
        labelled_row(images[start : start + columns], labels[start : start + columns], scale)
        for start in range(0, len(images), columns)
    ]
    sheet = Image.new("RGB", (max(strip.width for strip in strips), sum(strip.height for strip in strips)), "white")
    top = 0
    for strip in strips:
        sheet.paste(strip, (0, top))
        top += strip.height
    return sheet
