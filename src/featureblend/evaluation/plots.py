"""Small plots as SVG text; the plain install has no plotting library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

__all__ = ["box_plot"]

ROW, LABEL, WIDTH = 20, 120, 330
"""Pixels: height of a row, width of the names, width of the field."""


def box_plot(title: str, scores: Mapping[str, Sequence[float]], digits: int = 2) -> str:
    """Draw the spread of one score, a row per method: 5th to 95th percentile, quartiles and median.

    Parameters
    ----------
    title : str
    scores : mapping of str to sequence of float
        The scores of each method's blends; methods without any are left out.
    digits : int
        Decimals on the axis.

    Returns
    -------
    str
        An ``<svg>`` element.

    Examples
    --------
    >>> box_plot("balance", {"pixel": [0.1, 0.2, 0.3]}).count("<rect")
    1
    """
    rows = {name: np.percentile(values, (5, 25, 50, 75, 95)) for name, values in scores.items() if len(values)}
    if not rows:
        return ""
    low = min(float(points[0]) for points in rows.values())
    high = max(float(points[-1]) for points in rows.values())
    margin = (high - low) * 0.04 or 0.01
    low, high = low - margin, high + margin

    def x(value: float) -> float:
        return round(LABEL + (value - low) / (high - low) * WIDTH, 1)

    height = 24 + ROW * len(rows) + 20
    parts = [
        f'<svg class="plot" viewBox="0 0 {LABEL + WIDTH + 30} {height}" role="img" aria-label="{escape(title)}">',
        f'<text x="0" y="13" class="title">{escape(title)}</text>',
    ]
    bottom = 24 + ROW * len(rows)
    for tick in np.linspace(low + margin, high - margin, 5):
        at = x(float(tick))
        parts.append(f'<line x1="{at}" x2="{at}" y1="22" y2="{bottom}" class="tick"/>')
        parts.append(f'<text x="{at}" y="{bottom + 14}" class="number">{tick:.{digits}f}</text>')
    for number, (name, points) in enumerate(rows.items()):
        middle = 24 + ROW * number + ROW / 2
        far_low, quarter, median, three, far_high = (x(float(point)) for point in points)
        parts.append(f'<text x="{LABEL - 8}" y="{middle + 4}" class="name">{escape(name)}</text>')
        parts.append(f'<line x1="{far_low}" x2="{far_high}" y1="{middle}" y2="{middle}" class="range"/>')
        width = max(round(three - quarter, 1), 1)
        parts.append(f'<rect x="{quarter}" y="{middle - 6}" width="{width}" height="12" class="box"/>')
        parts.append(f'<line x1="{median}" x2="{median}" y1="{middle - 7}" y2="{middle + 7}" class="median"/>')
    return "".join([*parts, "</svg>"])
