"""The command `reproduce`, in the style of `featureblend.cli.commands`, which registers it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from ..io.extras import require
from .options import Flag, plain

__all__ = ["reproduce"]


def reproduce(
    out: Annotated[Path | None, plain("FOLDER")] = None,
    only: Annotated[tuple[str, ...], plain("FIGURE ...")] = (),
    budget: Annotated[float | None, plain("MINUTES")] = None,
    quick: Flag = False,
    data: Annotated[Path | None, plain("FACES")] = None,
    size: Annotated[int | None, plain("PIXELS")] = None,
    vgg_weights: Annotated[tuple[Path, ...], plain("FILE ...")] = (),
    jobs: Annotated[int | None, plain("NUMBER")] = None,
    quiet: Flag = False,
) -> None:
    """Run the paper's experiments again; redraw its figures and judge its claims (extras train, evaluate).

    The same command goes on with runs that a stop or a budget cut short, and draws everything anew.

    Example: featureblend reproduce --quick

    Args:
        out: Folder to write; out/reproduce if left out, out/reproduce-quick with --quick.
        only: Some of 1 to 8 (the paper's figures), improvements, merging; all if left out.
        budget: Minutes of training, shared evenly among the runs; if left out until all are complete, with --quick
            8. 0 trains nothing and draws what is there.
        quick: Every preset at half size on a few hundred faces, in ten minutes on two cores.
        data: Prepared faces; faces drawn by featureblend if left out.
        size: Side of the pictures in pixels; the presets' own if left out (250, as the paper had it).
        vgg_weights: torchvision's weights of VGG11, VGG11 with BatchNorm or VGG16; what lacks them starts from scratch.
        jobs: Runs at a time; if left out one a core with --quick and no GPU, else one.
        quiet: Show no progress bar.
    """
    require("train", "torch")
    require("evaluate", "jinja2", "matplotlib", "sklearn")
    from ..paper.reproduce import reproduce as run

    if budget is None and quick:
        budget = QUICK_MINUTES
    folder = out or Path("out", "reproduce-quick" if quick else "reproduce")
    report = run(folder, only, budget, quick, data, size, vgg_weights, jobs, quiet)
    print(report.with_name("results.json"))
    print(report)


QUICK_MINUTES = 8
"""Leaves more than one of ten minutes for measuring and drawing."""
