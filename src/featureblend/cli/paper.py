"""The command `reproduce`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..io.extras import require
from .groups import Quiet
from .options import flag, option

__all__ = ["Reproduce"]

QUICK_MINUTES = 8
"""Leaves more than one of ten minutes for measuring and drawing."""


@dataclass(kw_only=True)
class Reproduce(Quiet):
    """Run the paper's experiments again; redraw its figures and judge its claims (extras train, evaluate).

    The same command goes on with runs that a stop or a budget cut short, and draws everything anew.

    Example: featureblend reproduce --quick
    """

    out: Path | None = option(
        "FOLDER",
        "Folder to write; out/reproduce if left out, out/reproduce-quick with --quick.",
        default=None,
        short="-o",
    )
    only: Sequence[str] = option(
        "FIGURE ...",
        "Some of 1 to 8 (the paper's figures), improvements, merging; all if left out.",
        default=(),
        words=lambda: (*"12345678", "improvements", "merging"),  # their own module needs torch
    )
    budget: float | None = option(
        "MINUTES",
        "Minutes of training, shared evenly among the runs; if left out until all are complete, with --quick 8. 0 "
        "trains nothing and draws what is there.",
        default=None,
    )
    quick: bool = flag("Every preset at half size on a few hundred faces, in ten minutes on two cores.")
    data: Path | None = option("FACES", "Prepared faces; faces drawn by featureblend if left out.", default=None)
    size: int | None = option(
        "PIXELS",
        "Side of the pictures in pixels; the presets' own if left out (250, as the paper had it).",
        default=None,
    )
    vgg_weights: Sequence[Path] = option(
        "FILE ...",
        "torchvision's weights of VGG11, VGG11 with BatchNorm or VGG16; what lacks them starts from scratch.",
        default=(),
    )
    jobs: int | None = option(
        "NUMBER", "Runs at a time; if left out one a core with --quick and no GPU, else one.", default=None
    )

    def run(self) -> None:
        """Train what is due, draw and judge."""
        require("train", "torch")
        require("evaluate", "jinja2", "matplotlib", "sklearn")
        from ..paper.reproduce import reproduce

        budget = QUICK_MINUTES if self.budget is None and self.quick else self.budget
        folder = self.out or Path("out", "reproduce-quick" if self.quick else "reproduce")
        report = reproduce(
            folder, self.only, budget, self.quick, self.data, self.size, self.vgg_weights, self.jobs, self.quiet
        )
        print(report.with_name("results.json"))
        print(report)
