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
from ..training.networks.vgg import TORCHVISION_HASHES
from ..training.presets import preset, resized
from ..training.presets import quick as made_quick
from ..training.state import RunFolder
from .claims import CLAIMS, MERGING_CLAIM, Claim
from .faces import Subjects, find_subjects
from .figures import Exhibit, draw_figure, draw_rows
from .merging import Merged, merge_all, merged_rows
from .plan import Figure, every_preset, figures_named
from .report import Reproduction, write_report
from .results import Coder, RunResult, measure_run
from .running import progress_pictures, train_all

__all__ = ["reproduce"]

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
"""Side of drawn faces in pixels where no data is given, and of merges at most."""


def reproduce(
    out: str | os.PathLike[str],
    only: Sequence[str] = (),
    minutes: float | None = None,
    quick: bool = False,
    data: FaceSet | str | os.PathLike[str] | None = None,
    size: int | None = None,
    vgg_weights: Sequence[str | os.PathLike[str]] = (),
    jobs: int | None = None,
    quiet: bool = False,
    say: Callable[[str], None] = print,
) -> Path:
    """Reproduce the paper's experiments, or resume a reproduction.

    Parameters
    ----------
    out : path-like
        Folder to write: ``runs/`` (one folder a preset), ``figures/``, ``results.json``, ``report.html``.
    only : sequence of str
        Parts of the report, as `featureblend.paper.plan.FIGURES` names them; all by default.
    minutes : float, optional
        Wall time for training, shared evenly among the runs; by default until all are complete. 0 trains nothing and
        draws what is there.
    quick : bool
        Every preset at half size on a few hundred faces.
    data : FaceSet or path-like, optional
        Prepared faces; by default drawn ones.
    size : int, optional
        Side of the pictures in pixels, where it is not to be the presets' own.
    vgg_weights : sequence of path-like
        torchvision's weights of VGG11, VGG11 with BatchNorm or VGG16, told apart by their hashes; networks without
        their file start from scratch.
    jobs : int, optional
        Runs at a time; by default one a core for quick ones without a GPU, and otherwise one.
    quiet : bool
        Show no progress bar.
    say : callable
        Told what is being done.

    Returns
    -------
    Path
        The report.

    Raises
    ------
    FeatureblendError
        If a figure, the data or a split is missing, or `out` holds runs of other settings.
    KeyboardInterrupt
        On Ctrl-C while training, with everything saved.
    """
    figures = figures_named(only)
    if minutes is not None and minutes < 0:
        raise FeatureblendError(f"--budget {minutes}: 0 or more minutes are due")
    if jobs is not None and jobs < 1:
        raise FeatureblendError(f"--jobs {jobs}: at least 1 is due")
    experiments = _experiments(figures, quick, size, vgg_weights)
    for name, experiment in experiments.items():
        if experiment.from_scratch and not quick:
            say(f"{name}: no pretrained weights were named (--vgg-weights), so its VGG starts from scratch")
    side = size or (QUICK_SIZE if quick else FULL_SIZE)
    subjects = find_subjects(data, quick, side)
    out = Path(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FeatureblendError(f"cannot write to {out}: {error.strerror or error}") from error
    broken: dict[str, str] = {}
    if minutes != 0:
        broken = train_all(experiments, subjects, out / "runs", minutes, jobs or _jobs(quick), quiet, say)
    return _written(out, figures, experiments, subjects, broken, quick, say)


def _jobs(quick: bool) -> int:
    return (os.cpu_count() or 1) if quick and not torch.cuda.is_available() else 1


def _experiments(
    figures: Sequence[Figure], quick: bool, size: int | None, weights: Sequence[str | os.PathLike[str]]
) -> dict[str, Experiment]:
    found = {name: preset(name) for name in every_preset(figures)}
    if quick:
        found = {name: _quick(experiment) for name, experiment in found.items()}
    else:
        files = {_network_of(path): os.fspath(path) for path in weights}
        found = {name: _with_weights(experiment, files) for name, experiment in found.items()}
    if size is not None:
        found = {name: resized(experiment, size) for name, experiment in found.items()}
    return found


def _quick(experiment: Experiment) -> Experiment:
    images = LONGER.get(experiment.name, QUICK_IMAGES)
    return replace(made_quick(experiment, images), batch_size=QUICK_BATCH)


def _network_of(path: str | os.PathLike[str]) -> str:
    """The network that a file of torchvision's weights belongs to, by its hash."""
    if not Path(path).is_file():
        raise FeatureblendError(f"no such file: {path}; --vgg-weights takes torchvision's weights of a VGG")
    digest = sha256(path)
    for name, beginnings in TORCHVISION_HASHES.items():
        if digest.startswith(beginnings):
            return name
    raise FeatureblendError(f"{path}: its hash is that of no VGG of torchvision's; download it again")


def _with_weights(experiment: Experiment, files: Mapping[str, str]) -> Experiment:
    """The experiment with the weights that its VGG starts from; without a file, marked to start from scratch."""
    encoder = str(experiment.model_options.get("encoder", ""))
    network = encoder if encoder.startswith("vgg") else str(experiment.perceptual_options.get("name", ""))
    if not network:
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
            merged = merge_all(coders, faces, quick, min(side, FULL_SIZE), say)
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
        [name for name in experiments if name not in results],
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
    kind = "quick: every preset at half size on a few hundred faces" if quick else "the presets at full size"
    return f"{kind}; {minutes:.1f} minutes of training steps in all; {platform.machine()}, {machine}"


def _save_numbers(path: Path, reproduction: Reproduction) -> None:
    """Write the report's numbers as JSON."""
    runs = {name: asdict(replace(result, history=())) for name, result in reproduction.results.items()}
    for run in runs.values():
        del run["history"]
    claims = [{"claim": claim.key, "says": claim.words, **asdict(finding)} for claim, finding in reproduction.findings]
    content: dict[str, Any] = {"ran_on": reproduction.subjects, "how": reproduction.conditions}
    content |= {"runs": runs, "claims": claims, "merging": _merging_rows(reproduction.merged)}
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n")


def _merging_rows(merged: Merged | None) -> dict[str, dict[str, float]]:
    if merged is None:
        return {}
    return {method: {figure: row["value"] for figure, row in rows.items()} for method, rows in merged.values.items()}
