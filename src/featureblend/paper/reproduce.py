"""One command: train or resume what is missing, measure it, draw the figures, judge the claims, write the report."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..errors import FeatureblendError
from ..io.files import atomic_path, sha256
from ..training.dataset import FaceSet
from ..training.experiment import Experiment
from ..training.networks.vgg import VGG_HASHES, vgg_weights
from ..training.presets import preset, resized
from ..training.presets import quick as made_quick
from ..training.state import RunFolder
from .claims import CLAIMS, MERGING_CLAIM, Claim
from .faces import Subjects, find_subjects
from .figures import Exhibit, draw_figure, draw_rows
from .merging import PCA_WIDTHS, Merged, merge_all, merged_rows
from .plan import Figure, every_preset, figures_named, runs_of
from .report import Reproduction, write_report
from .results import Coder, RunResult, measure_linear, measure_pca, measure_run
from .running import progress_pictures, train_all
from .schedule import plan_runs, plan_table

QUICK_IMAGES, QUICK_BATCH = 900, 8
"""Training images of a quick run, and how many a step: what lets all runs pass in ten minutes on two slow cores."""

LONGER = {
    "paper-vae-published": 4800,
    "paper-vae": 4800,
    "paper-vaegan-20-published": 3600,
    "paper-vaegan-20": 3600,
    "paper-wgan": 2400,
}
"""Quick runs that need more: blur and collapse come late, and the Wasserstein run as meant, at a fifth of the VAE's
learning rate, ends dark before (its decoder has not yet unlearnt the latents that carry nothing)."""

QUICK_SIZE, FULL_SIZE = 64, 128
"""Side of pictures in pixels: of quick runs, and of all but the VAE pair on a CPU; of runs on a GPU, of that pair, and
of merges."""

SIDE_BY_SIDE = 8
"""At most so many runs at a time, unless it is said: each holds all faces."""


def reproduce(
    out: str | os.PathLike[str],
    only: Sequence[str] = (),
    minutes: float | None = None,
    quick: bool = False,
    data: FaceSet | str | os.PathLike[str] | None = None,
    size: int | None = None,
    weights: Sequence[str | os.PathLike[str]] = (),
    jobs: int | None = None,
    quiet: bool = False,
    say: Callable[[str], None] = print,
    images: int | None = None,
    plan: bool = False,
) -> Path:
    """Reproduce the paper's experiments, or resume a reproduction.

    Parameters
    ----------
    out : path-like
        Folder to write: ``runs/`` (one folder a preset), ``figures/``, ``results.json``, ``report.html``.
    only : sequence of str
        Parts of the report, as `featureblend.paper.plan.FIGURES` names them; all by default.
    minutes : float, optional
        Wall time for training; by default until all are complete. 0 trains nothing and draws what is there. Quick
        runs share it evenly; at the paper's scale those that matter most come first, a few at a time.
    quick : bool
        Every preset at half size on a few hundred faces, instead of the paper's scale: full width, all faces, 50
        epochs of them.
    data : FaceSet or path-like, optional
        Prepared faces; by default drawn ones.
    size : int, optional
        Side of the pictures in pixels. By default 128 on a GPU; on a CPU 64, and 128 for the VAE and its published twin
        as well. 250 is the paper's.
    weights : sequence of path-like
        torchvision's weights of VGG11, VGG11 with BatchNorm or VGG16, told apart by their hashes; networks without
        their file start from scratch, but for VGG16, which the extra 'train' brings.
    jobs : int, optional
        Runs at a time; by default one a core, but for quick ones on a GPU, which follow each other.
    quiet : bool
        Show no progress bar.
    say : callable
        Told what is being done.
    images : int, optional
        Stop each run after so many images for now.
    plan : bool
        Measure how fast each run is here, write the plan, and train nothing.

    Returns
    -------
    Path
        The report, or the plan.

    Raises
    ------
    FeatureblendError
        If a figure, the data or a split is missing, or `out` holds runs of other settings.
    KeyboardInterrupt
        On Ctrl-C while training, with everything saved.
    """
    figures = figures_named(only)
    if minutes is not None and minutes < 0:
        raise FeatureblendError(f"--minutes {minutes}: expected 0 or more")
    if images is not None and images < 1:
        raise FeatureblendError(f"--images {images}: expected at least 1")
    if jobs is not None and jobs < 1:
        raise FeatureblendError(f"--jobs {jobs}: expected at least 1")
    experiments = _experiments(figures, quick, size, weights)
    for name, experiment in experiments.items():
        if experiment.from_scratch and not quick:
            say(f"{name}: no pretrained weights were named (--vgg-weights), so its VGG starts from scratch")
    side = QUICK_SIZE if quick else FULL_SIZE
    subjects = find_subjects(data, quick, size or side)
    out = Path(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FeatureblendError(f"cannot write to {out}: {error.strerror or error}") from error
    if plan:
        return _planned(out, experiments, subjects, say)
    broken: dict[str, str] = {}
    jobs = jobs or _jobs(quick)
    if minutes != 0:
        first = None if quick else max(2, jobs)
        broken = train_all(experiments, subjects, out / "runs", minutes, jobs, quiet, say, first, images)
    return _written(out, figures, experiments, subjects, broken, quick, say)


def _jobs(quick: bool) -> int:
    return 1 if quick and torch.cuda.is_available() else min(SIDE_BY_SIDE, os.cpu_count() or 1)


def _planned(out: Path, experiments: Mapping[str, Experiment], subjects: Subjects, say: Callable[[str], None]) -> Path:
    table = plan_table(plan_runs(experiments, subjects.faces, out / "runs"))
    say(table)
    with atomic_path(out / "plan.md") as temporary:
        temporary.write_text(table)
    return out / "plan.md"


def _experiments(
    figures: Sequence[Figure], quick: bool, size: int | None, weights: Sequence[str | os.PathLike[str]]
) -> dict[str, Experiment]:
    """The runs by the names of their folders."""
    if quick:
        found = {name: _quick(preset(name)) for name in every_preset(figures)}
        return {name: resized(one, size) for name, one in found.items()} if size else found
    files = {_network_of(path): os.fspath(path) for path in weights}
    gpu = torch.cuda.is_available()
    side = size or (FULL_SIZE if gpu else QUICK_SIZE)
    runs = runs_of(figures, None if size or gpu else FULL_SIZE)
    # In bfloat16 where the machine computes in it: 1.6 times as fast on a core with AVX-512.
    return {
        run.name: replace(
            resized(_with_weights(preset(run.preset), files), run.size or side), seed=run.seed, precision="bf16"
        )
        for run in runs
    }


def _quick(experiment: Experiment) -> Experiment:
    images = LONGER.get(experiment.name, QUICK_IMAGES)
    return replace(made_quick(experiment, images), batch_size=QUICK_BATCH)


def _network_of(path: str | os.PathLike[str]) -> str:
    """The network that a file of torchvision's weights belongs to, by its hash."""
    if not Path(path).is_file():
        raise FeatureblendError(f"no such file: {path}; --vgg-weights takes torchvision's weights of a VGG")
    digest = sha256(path)
    for name, beginnings in VGG_HASHES.items():
        if digest.startswith(beginnings):
            return name
    raise FeatureblendError(f"{path}: its hash is that of no VGG of torchvision's; download it again")


def _with_weights(experiment: Experiment, files: Mapping[str, str]) -> Experiment:
    """The experiment with the weights that its VGG starts from; without a file, marked to start from scratch."""
    encoder = str(experiment.model_options.get("encoder", ""))
    network = encoder if encoder.startswith("vgg") else str(experiment.perceptual_options.get("name", ""))
    if network == "vgg16_st" and "vgg16" in files and not encoder.startswith("vgg"):
        return replace(experiment, vgg_weights=files["vgg16"], perceptual_options={"name": "vgg16"})
    if not network or (not files.get(network) and vgg_weights(network)):
        return experiment
    if network in files:
        return replace(experiment, vgg_weights=files[network])
    return replace(experiment, from_scratch=True)


def _written(
    out: Path,
    figures: Sequence[Figure],
    experiments: Mapping[str, Experiment],
    subjects: Subjects,
    broken: Mapping[str, str],
    quick: bool,
    say: Callable[[str], None],
) -> Path:
    faces, runs = subjects.faces, out / "runs"
    held_out = faces.chosen(np.flatnonzero(faces.splits != "train"))
    results: dict[str, RunResult] = {}
    coders: dict[str, Coder] = {}
    made: dict[str, np.ndarray] = {}
    for name in experiments:
        if RunFolder(runs / name).checkpoint.exists():
            say(f"measuring {name}")
            results[name], coders[name], made[name] = measure_run(runs / name, name, held_out, broken.get(name, ""))
    if results and not quick:
        smallest = min(coder.image_size for coder in coders.values())
        for width in PCA_WIDTHS:
            say(f"measuring PCA with {width:,} numbers")
            results[f"pca-{width}"] = measure_pca(width, faces.split("train"), held_out, smallest)
        for name in ("paper-vae-published", "paper-vae"):
            if name in results:
                linear = measure_linear(experiments[name], faces.split("train"), held_out, smallest)
                results[linear.name] = linear
    side = min((coder.image_size for coder in coders.values()), default=QUICK_SIZE)
    exhibit = Exhibit(
        held_out.chosen(np.arange(min(8, len(held_out)))).cropped(side).images,
        results,
        made,
        {name: progress_pictures(runs / name) for name in results},
    )
    drawings = [(figure, draw_figure(figure, exhibit, out / "figures")) for figure in figures]
    merged, why = None, "None of the systems was trained yet."
    if coders and any(figure.key == "merging" for figure in figures):
        try:
            merged = merge_all(coders, faces, quick, min(side, FULL_SIZE) if quick else FULL_SIZE, say)
            draw_rows(out / "figures" / "merging.png", merged_rows(merged))
        except FeatureblendError as error:
            why = str(error)
    findings = [(claim, claim.finding(results)) for claim in CLAIMS if _bears(claim, figures)]
    if merged is not None:
        findings.append((MERGING_CLAIM, MERGING_CLAIM.judge(merged.values)))
    reproduction = Reproduction(
        subjects.note,
        _conditions(results, quick),
        drawings,
        findings,
        results,
        {name: experiment.images for name, experiment in experiments.items() if name not in results},
        merged,
        why,
    )
    _save_numbers(out / "results.json", reproduction)
    return write_report(out / "report.html", reproduction)


def _bears(claim: Claim, figures: Sequence[Figure]) -> bool:
    """Whether the figures asked for include everything that a claim is judged by."""
    return set(claim.needs) <= set(every_preset(figures))


def _conditions(results: Mapping[str, RunResult], quick: bool) -> str:
    machine = torch.cuda.get_device_name() if torch.cuda.is_available() else f"{os.cpu_count()} cores, no GPU"
    minutes = sum(result.seconds for result in results.values()) / 60
    kind = "quick: every preset at half size on a few hundred faces" if quick else "the presets at full width"
    return f"{kind}; {minutes:.1f} minutes of training steps in all; {platform.machine()}, {machine}"


def _save_numbers(path: Path, reproduction: Reproduction) -> None:
    """Write the report's numbers as JSON."""
    runs = {name: asdict(replace(result, history=(), faces={})) for name, result in reproduction.results.items()}
    for run in runs.values():
        del run["history"], run["faces"]
    claims = [
        {
            "claim": claim.key,
            "says": claim.words,
            "predicted": claim.predicted,
            "rule": claim.rule,
            **asdict(finding),
            "runs": claim.runs(reproduction.results),
        }
        for claim, finding in reproduction.findings
    ]
    content: dict[str, Any] = {"ran_on": reproduction.subjects, "how": reproduction.conditions}
    content |= {
        "runs": runs,
        "not_run": dict(reproduction.missing),
        "claims": claims,
        "merging": _merging_rows(reproduction.merged),
    }
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n")


def _merging_rows(merged: Merged | None) -> dict[str, dict[str, float]]:
    if merged is None:
        return {}
    found = {method: {figure: row["value"] for figure, row in rows.items()} for method, rows in merged.values.items()}
    for method, value in merged.own_kid.items():
        found[method]["own_patch_kid"] = round(value, 6)
    return found
