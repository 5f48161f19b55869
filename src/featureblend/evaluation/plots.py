"""Small plots for reports."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import numpy as np

__all__ = ["box_plot"]


def box_plot(title: str, scores: Mapping[str, Sequence[float]]) -> bytes:
    """Draw the spread of one score, a row per method: 5th to 95th percentile, quartiles and median.

    Parameters
    ----------
    title : str
    scores : mapping of str to sequence of float
        The scores of each method's blends, at least one each.

    Returns
    -------
    bytes
        An SVG file, always the same for the same scores.

    Examples
    --------
    >>> b"<svg" in box_plot("balance", {"pixel": [0.1, 0.2, 0.3]})
    True
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    places = {"whislo": 5, "q1": 25, "med": 50, "q3": 75, "whishi": 95}
    boxes = [
        {"label": name, **dict(zip(places, np.percentile(values, [*places.values()]), strict=True))}
        for name, values in scores.items()
    ]
    # A figure of its own, not pyplot's: a caller's notebook keeps its backend.
    figure = Figure(figsize=(4.8, 0.6 + 0.2 * len(boxes)), layout="constrained")
    axis = figure.subplots()
    axis.bxp(
        boxes,
        orientation="horizontal",
        widths=0.6,
        showcaps=False,
        showfliers=False,
        patch_artist=True,
        boxprops={"facecolor": "#b9cdf5", "edgecolor": "#b9cdf5"},
        medianprops={"color": "#1d4fb8", "linewidth": 2},
        whiskerprops={"color": "#98a2b3"},
    )
    axis.invert_yaxis()
    axis.set_title(title, loc="left", fontsize=9, fontweight="bold")
    axis.tick_params(length=0, labelsize=8)
    axis.grid(axis="x", color="#e3e6ec")
    axis.set_axisbelow(True)
    axis.spines[:].set_visible(False)
    stream = io.BytesIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "featureblend"}):
        figure.savefig(stream, format="svg", metadata={"Date": None})
    return stream.getvalue()
