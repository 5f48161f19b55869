"""The report of a reproduction, filled into report.html."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..evaluation.figures import FIGURES as SCORES
from ..evaluation.pages import data_url, write_page
from .claims import Claim
from .figures import Drawing
from .merging import Merged
from .plan import Figure
from .results import RunResult
from .rules import CONFIRMED, EXPLAINED, REFUTED, Finding

PAIRS = 8
"""Pairs shown of every method."""

MERGING_SCORES = (
    "patch_kid",
    "critic_auc",
    "sharpness",
    "ghosting",
    "ghosting_inside",
    "balance",
    "diversity",
    "path_irregularity",
    "reconstruction_psnr",
    "cycle_error",
)
"""What tells merges apart; `featureblend evaluate` measures more."""


@dataclass(frozen=True)
class Reproduction:
    """Contents of the report."""

    subjects: str
    """Which faces it ran on."""
    conditions: str
    """Quick or full, the pictures' size, the machine."""
    figures: Sequence[tuple[Figure, Sequence[Drawing]]]
    """What was drawn."""
    findings: Sequence[tuple[Claim, Finding]]
    """What became of each claim."""
    results: Mapping[str, RunResult]
    """By run."""
    missing: Mapping[str, int]
    """Images of the runs that are due but were not begun."""
    merged: Merged | None = field(default=None, repr=False)
    """Blends by every method, where they were asked for."""
    merged_note: str = ""
    """Why there are none, where they were asked for."""


def write_report(path: str | os.PathLike[str], reproduction: Reproduction) -> Path:
    """Write the report.

    Parameters
    ----------
    path : path-like
        The HTML file.
    reproduction : Reproduction

    Returns
    -------
    Path
    """
    merged = reproduction.merged
    values = merged.values if merged else {}
    failures = merged.failures if merged else {}
    verdicts = Counter(finding.verdict for _, finding in reproduction.findings)
    counts = {kind: verdicts.pop(kind, 0) for kind in (CONFIRMED, REFUTED, EXPLAINED)}
    if verdicts:
        counts["open"] = verdicts.total()
    return write_page(
        path,
        "paper/report.html",
        **vars(reproduction),
        counts=counts,
        scores=[SCORES[name] for name in MERGING_SCORES if any(name in rows for rows in values.values())],
        labels={method: f"{method} ({count} left out)" for method, count in failures.items() if count},
        shown_pairs=PAIRS,
        png=lambda path: data_url(path.read_bytes(), "png"),
    )
