"""Ask over several seeds whether the paper's adversarial runs collapse, as published and as meant.

    python tools/collapse_seeds.py out/collapse-seeds --data faces.tar [--seeds 3] [--size 32] [--images 2400]

One run proves little where training is chaotic. Every run is one of the quick ones of `featureblend reproduce`, smaller
and with another seed; the verdict is the report's own (`featureblend.paper.rules.collapsed`). The first
seed of every system comes before the second of any, so that a stop leaves whole rows; the same command goes on.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from featureblend.paper.faces import Subjects, find_subjects
from featureblend.paper.plan import PUBLISHED
from featureblend.paper.reproduce import QUICK_BATCH
from featureblend.paper.results import RunResult, measure_run
from featureblend.paper.rules import COLLAPSED, FALLEN, collapsed, risen
from featureblend.training.loop import train
from featureblend.training.presets import preset, quick, resized
from featureblend.training.state import RunFolder

TICK_SECONDS = 4.0
"""Between lines of the log: the highest variety of a run is read from them."""


def main() -> None:
    """Train what is missing, then print a Markdown table: a line a system, the seeds' diversities beside each other."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path, help="prepared faces; drawn ones if left out")
    parser.add_argument("--shares", nargs="+", default=["10", "20", "50"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--images", type=int, default=2400)
    options = parser.parse_args()
    torch.set_num_threads(1)  # layers this small gain nothing from a second core
    subjects = find_subjects(options.data, True, options.size)
    names = [f"paper-vaegan-{share}{ending}" for share in options.shares for ending in (PUBLISHED, "")]
    found: dict[str, list[RunResult]] = {name: [] for name in names}
    for seed in range(options.seeds):
        for name in names:
            result = _run(options.out / f"{name}-seed{seed}", name, seed, options.size, options.images, subjects)
            found[name].append(result)
            print(f"{name} seed {seed}: diversity {result.diversity:.2f} {result.collapse}", flush=True)
            (options.out / "table.md").write_text(_table(found, options.shares))
    print(_table(found, options.shares))


def _run(folder: Path, name: str, seed: int, size: int, images: int, subjects: Subjects) -> RunResult:
    experiment = replace(resized(quick(preset(name), images), size), batch_size=QUICK_BATCH, seed=seed)
    history = RunFolder(folder).history()
    if not history or history[-1]["images"] < images:
        train(
            experiment,
            subjects.faces,
            folder,
            resume=True,
            data=subjects.path,
            quiet=True,
            on_collapse="warn",
            tick_seconds=TICK_SECONDS,
            watch=lambda line, pictures: None,  # the loop's own drawings are not wanted
        )
    faces = subjects.faces
    return measure_run(folder, name, faces.chosen(np.flatnonzero(faces.splits != "train")))[0]


def _fell(result: RunResult, at_end: bool) -> bool:
    """Whether outputs were various and then became one: at the run's end, or at some time in it."""
    if at_end or not risen(result):
        return collapsed(result)
    _, variety = result.logged("diversity")
    after = variety[int(variety.argmax()) :]
    return bool(after.min() < max(COLLAPSED, FALLEN * variety.max()))


def _table(found: dict[str, list[RunResult]], shares: list[str]) -> str:
    lines = ["| share | run | diversity at the end | highest | fell, at the end | fell, at some time | never rose |"]
    lines.append("|" + "---|" * 7)
    for share in shares:
        for ending, words in ((PUBLISHED, "as published"), ("", "as meant")):
            runs = found[f"paper-vaegan-{share}{ending}"]
            tops = [float(run.logged("diversity")[1].max(initial=0.0)) for run in runs]
            cells = [
                f"{int(share)} %",
                words,
                " / ".join(f"{run.diversity:.2f}" for run in runs),
                " / ".join(f"{top:.2f}" for top in tops),
                *(f"{sum(_fell(run, at_end) for run in runs)} of {len(runs)}" for at_end in (True, False)),
                f"{sum(not risen(run) for run in runs)} of {len(runs)}",
            ]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
