"""The command `reproduce`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..io.extras import require
from .groups import Quiet
from .options import flag, option

QUICK_MINUTES = 8
"""Leaves more than one of ten minutes for measuring and drawing."""


@dataclass(kw_only=True)
class Reproduce(Quiet):
    """Run the paper's experiments again; redraw its figures and judge its claims (extras train, evaluate).

    The same command goes on with runs that a stop or --minutes cut short, and draws everything anew.

    Example: featureblend reproduce --scale quick
    """

    out: Path | None = option(
        "FOLDER",
        "Folder to write; out/reproduce if left out, out/reproduce-quick for quick runs.",
        default=None,
        short="-o",
    )
    only: Sequence[str] = option(
        "FIGURE ...",
        "Some of 1 to 8 (the paper's figures), improvements, merging; all if left out.",
        default=(),
        words=lambda: (*"12345678", "improvements", "merging"),  # their own module needs torch
    )
    scale: Literal["paper", "quick"] = option(
        None,
        "paper: full width, all faces, 50 epochs, the runs that matter most first. quick: every preset at half size on "
        "a few hundred faces, in ten minutes on two cores.",
        default="paper",
        choices=("paper", "quick"),
    )
    quick: bool = flag("The same as --scale quick.")
    minutes: float | None = option(
        "MINUTES",
        "Minutes of training; if left out until all runs are complete, quick ones 8. 0 trains nothing and draws what "
        "is there.",
        default=None,
    )
    images: int | None = option("NUMBER", "Stop each run after so many images for now.", default=None)
    plan: bool = flag("Measure how fast each run is here, print the plan with its hours, and train nothing.")
    data: Path | None = option("FACES", "Prepared faces; faces drawn by featureblend if left out.", default=None)
    size: int | None = option(
        "PIXELS",
        "Side of the pictures in pixels; if left out 128 on a GPU, and on a CPU 64, with the VAE pair at 128 as well; "
        "250 is the paper's.",
        default=None,
    )
    vgg_weights: Sequence[Path] = option(
        "FILE ...",
        "torchvision's weights of VGG11, VGG11 with BatchNorm or VGG16; what lacks them starts from scratch, but for "
        "VGG16, which the extra train brings.",
        default=(),
    )
    jobs: int | None = option(
        "NUMBER", "Runs at a time; if left out one a core, at most 8, and one for quick runs on a GPU.", default=None
    )

    def run(self) -> None:
        """Train what is due, draw and judge."""
        require("train", "torch")
        require("evaluate", "jinja2", "matplotlib", "sklearn")
        from ..paper.reproduce import reproduce

        quick = self.quick or self.scale == "quick"
        minutes = QUICK_MINUTES if self.minutes is None and quick else self.minutes
        written = reproduce(
            self.out or Path("out", "reproduce-quick" if quick else "reproduce"),
            minutes=minutes,
            quick=quick,
            weights=self.vgg_weights,
            **self.given("only", "data", "size", "jobs", "quiet", "images", "plan"),
        )
        if not self.plan:
            print(written.with_name("results.json"))
        print(written)
