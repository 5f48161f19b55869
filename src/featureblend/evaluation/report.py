"""The report of an evaluation, filled into report.html."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .degradation import CLEAN, DEGRADATIONS
from .figures import CEILING, FIGURES, REAL, SECTIONS, Figure
from .learned import feature_lines
from .pages import data_url, write_page
from .protocols import Drawn

EXAMPLES, WORST = 12, 10
"""Pairs shown of all methods, the first ones; and of each method, its most ghosted."""

PAPER = "paper"
"""Name of the line that holds the paper's VAE as meant."""


@dataclass(frozen=True)
class ReportMethod:
    """One line of the report."""

    name: str
    record: Mapping[str, Any] = field(repr=False)
    """As `featureblend.evaluation.summary.Measured.record`."""
    pictures: Mapping[int, np.ndarray] = field(repr=False)
    """Blends by the number of their pair."""
    rows: Sequence[Mapping[str, Any]] = field(repr=False)
    """Lines of metrics.jsonl."""
    sheets: Mapping[str, np.ndarray] = field(default_factory=dict, repr=False)
    """As `featureblend.evaluation.summary.Measured.sheets`."""

    @property
    def values(self) -> dict[str, Mapping[str, Any]]:
        """The lines by figure."""
        return {row["figure"]: row for row in self.rows}

    @property
    def left_out(self) -> list[Mapping[str, Any]]:
        """What failed: blends, then continua and reconstructions."""
        return [*self.record["failures"], *self.record["gaps"]]

    @property
    def worst(self) -> list[int]:
        """The most ghosted pairs, the worst first."""
        return _worst_pairs(dict(enumerate(self.record["scores"].get("ghosting", []))))

    @property
    def restored(self) -> dict[str, float]:
        """Mean PSNR of what the model makes of damaged faces, by the kind of damage."""
        given = {kind: self.given(f"psnr_{kind}") for kind in (CLEAN, *DEGRADATIONS)}
        return {kind: float(np.mean(values)) for kind, values in given.items() if values}

    def given(self, figure: str) -> list[float]:
        """A figure's scores, of the pairs that have one."""
        return [value for value in self.record["scores"].get(figure, []) if value is not None]

    def caption(self, index: int) -> str:
        """What is shown on hovering over the blend of a pair."""
        scores = {name: self.record["scores"][name][index] for name in ("ghosting", "sharpness")}
        known = ", ".join(f"{name} {value:.2f}" for name, value in scores.items() if value is not None)
        return f"{self.name}: {known}"


def _worst_pairs(ghosting: Mapping[int, float | None]) -> list[int]:
    order = sorted((-value, number) for number, value in ghosting.items() if value is not None)
    return [number for _, number in order[:WORST]]


def shown_pairs(ghosting: Mapping[int, float | None]) -> set[int]:
    """The pairs whose blends the report shows: the first ones, and the most ghosted.

    Parameters
    ----------
    ghosting : mapping of int to float or None
        A method's scores by the number of the pair.
    """
    return {*range(EXAMPLES), *_worst_pairs(ghosting)}


def write_report(path: str | os.PathLike[str], drawn: Drawn, methods: Sequence[ReportMethod]) -> Path:
    """Write the report of an evaluation.

    Parameters
    ----------
    path : path-like
        The HTML file.
    drawn : Drawn
        What was blended.
    methods : sequence of ReportMethod
        In the order of the table; `REAL` is the line that the others are held by.

    Returns
    -------
    Path
    """
    measured = {name for method in methods for name in method.values}
    shown = [figure for figure in FIGURES.values() if figure.name in measured]
    blended = [method for method in methods if method.name not in (REAL, CEILING)]
    identities = [method.record["identity"] for method in blended if method.record["identity"]]
    return write_page(
        path,
        "evaluation/report.html",
        drawn=drawn,
        faces=drawn.faces,
        protocol=drawn.protocol,
        methods=methods,
        blended=blended,
        shown=shown,
        features=_features(methods),
        tables=_tables(shown, methods),
        identity=identities[0] if identities and "mmpmr" in measured else None,
        kinds=(CLEAN, *DEGRADATIONS),
        # Yes or no has no spread.
        plots=_plots([figure for figure in shown if not figure.of_set and figure.name != "mmpmr"], methods),
        examples=EXAMPLES,
        worst=WORST,
    )


def _tables(shown: Sequence[Figure], methods: Sequence[ReportMethod]) -> list[tuple[str, list[Figure], dict[str, Any]]]:
    """Each table's head, figures, and the methods that have any of them with their lines."""
    tables = []
    for head, figures in SECTIONS.items():
        if measured := [figure for figure in figures if figure in shown]:
            values = {method.name: method.values for method in methods}
            names = {figure.name for figure in measured}
            tables.append((head, measured, {name: rows for name, rows in values.items() if names & set(rows)}))
    return tables


def _features(methods: Sequence[ReportMethod]) -> list[str]:
    """Lines that tell what the figures stand on, as the command prints them, and what is missing from the table."""
    names: dict[str, str] = {}
    for method in methods:
        names |= method.record["networks"]
    lines = feature_lines(names)
    if not any("nearest_training" in method.values for method in methods):
        lines.append("not measured: the nearest training face (the data hold no train split)")
    if not any(method.name == PAPER for method in methods):
        lines.append("not measured: the paper's VAE as meant (give its model folder with --also paper=FOLDER)")
    return lines


def _plots(figures: Sequence[Figure], methods: Sequence[ReportMethod]) -> list[tuple[str, str]]:
    plots = []
    for figure in figures:
        scores = {method.name: values for method in methods if (values := method.given(figure.name))}
        if scores:
            plots.append((figure.title, data_url(box_plot(figure.title, scores), "svg+xml")))
    return plots


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
    # A figure of its own, not pyplot's: a caller's notebook keeps its backend. The room for labels is reckoned, since
    # to solve for it takes a second drawing and differs in the last digits.
    left, right, above, below = 0.1 + 0.065 * max(map(len, scores)), 0.2, 0.25, 0.25
    width, height = 4.0, 0.2 * (1 + len(boxes))
    figure = Figure(figsize=(left + width + right, above + height + below))
    whole = figure.get_size_inches()
    axis = figure.add_axes((left / whole[0], below / whole[1], width / whole[0], height / whole[1]))
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
