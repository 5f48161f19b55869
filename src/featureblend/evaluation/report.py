"""The report of an evaluation, filled into report.html."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .degradation import CLEAN, DEGRADATIONS
from .figures import FIGURES, REAL, Figure, sections
from .learned import feature_lines
from .pages import data_url, write_page
from .plots import box_plot
from .protocols import Drawn

__all__ = ["REAL", "ReportMethod", "shown_pairs", "worst_pairs", "write_report"]

EXAMPLES, WORST = 12, 10
"""Pairs shown of all methods, the first ones; and of each method, its most ghosted."""

PAPER = "paper"
"""Name of the line that holds the paper's VAE as meant."""


@dataclass(frozen=True)
class ReportMethod:
    """One line of the report."""

    name: str
    record: Mapping[str, Any] = field(repr=False)
    """As `featureblend.evaluation.measuring.Measured.record`."""
    pictures: Mapping[int, np.ndarray] = field(repr=False)
    """Blends by the number of their pair."""
    rows: Sequence[Mapping[str, Any]] = field(repr=False)
    """Lines of metrics.jsonl."""
    sheets: Mapping[str, np.ndarray] = field(default_factory=dict, repr=False)
    """As `featureblend.evaluation.measuring.Measured.sheets`."""

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
        """As `worst_pairs`."""
        return worst_pairs(self.record)

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


def worst_pairs(record: Mapping[str, Any]) -> list[int]:
    """A method's most ghosted pairs, the worst first."""
    ghosts = record["scores"].get("ghosting", [])
    order = sorted((-value, index) for index, value in enumerate(ghosts) if value is not None)
    return [index for _, index in order[:WORST]]


def shown_pairs(record: Mapping[str, Any]) -> list[int]:
    """The pairs whose blends the report shows: the first ones, and the most ghosted."""
    return sorted({*range(min(EXAMPLES, record["count"])), *worst_pairs(record)})


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
    blended = [method for method in methods if method.name != REAL]
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
    for head, figures in sections().items():
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
