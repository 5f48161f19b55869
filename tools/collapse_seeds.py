"""Ask over several seeds whether the paper's adversarial runs collapse, as published and as meant: on a small scale.

    python tools/collapse_seeds.py out/collapse-seeds --data faces.tar [--size 64] [--images 3200] [--shares 20 10]

One run proves little where training is chaotic. Every run is one of the quick ones of `featureblend reproduce`, with
another seed; the verdicts are the report's own (`featureblend.paper.rules.collapse`). The first seed of every system
comes before the second of any, so that a stop leaves whole rows; the same command goes on. At the paper's scale
`featureblend reproduce --only 4` runs all seeds.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from featureblend.paper.faces import Subjects, find_subjects
from featureblend.paper.plan import PUBLISHED, SEEDS, seeds_of
from featureblend.paper.reproduce import QUICK_BATCH
from featureblend.paper.results import RunResult, measure_run
from featureblend.paper.rules import FELL, KEPT, NEVER_ROSE, collapse, fate, share_interval
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
    parser.add_argument("--shares", nargs="+", default=["20", "10", "50", "01"])
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--images", type=int, default=3200)
    options = parser.parse_args()
    torch.set_num_threads(1)  # layers this small gain nothing from a second core
    subjects = find_subjects(options.data, options.data is None, options.size)
    names = [f"paper-vaegan-{share}{ending}" for share in options.shares for ending in (PUBLISHED, "")]
    found: dict[str, RunResult] = {}
    for seed in range(SEEDS):
        for name in names:
            key = seeds_of(name)[seed]
            result = _run(options.out / key, name, seed, options.size, options.images, subjects)
            found[key] = result
            print(f"{key}: {fate(result)}, diversity {result.diversity:.2f} {result.collapse}", flush=True)
            (options.out / "table.md").write_text(_table(found, options.shares))
    print(_table(found, options.shares))


def _run(folder: Path, name: str, seed: int, size: int, images: int, subjects: Subjects) -> RunResult:
    experiment = resized(quick(preset(name), images), size)
    experiment = replace(experiment, batch_size=QUICK_BATCH, precision="bf16", seed=seed)
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


def _table(found: dict[str, RunResult], shares: list[str]) -> str:
    lines = [
        f"| share | run | diversity at the end | PSNR dB | {FELL} | {KEPT} | {NEVER_ROSE} | fall, 95 % | verdict |"
    ]
    lines.append("|" + "---|" * 9)
    for share in shares:
        verdict = collapse(share)(found).verdict
        for ending, words in ((PUBLISHED, "as published"), ("", "as meant")):
            runs = [found[key] for key in seeds_of(f"paper-vaegan-{share}{ending}") if key in found]
            fates = [fate(run) for run in runs]
            low, high = share_interval(fates.count(FELL), len(fates))
            cells = [
                f"{int(share)} %",
                words,
                " / ".join(f"{run.diversity:.2f}" for run in runs),
                " / ".join(f"{run.psnr:.1f}" for run in runs),
                *(f"{fates.count(kind)} of {len(fates)}" for kind in (FELL, KEPT, NEVER_ROSE)),
                f"{low:.0%} to {high:.0%}",
                verdict,
            ]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
