"""A benchmark: tasks take turns, each in its own process, so that a busy machine slows all of them equally."""

from __future__ import annotations

import os
import platform
import tempfile
import time
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ... import __version__
from ...blend.baselines import BASELINES
from ...blend.blender import Blender
from ...errors import FeatureblendError
from ...faces.alignment import align_face
from ...io.image import load_image, save_image
from .settings import BenchmarkSettings
from .tasks import EXTRA_STAGES, STAGES, USES
from .turns import Entry, Turns

WHOLE = ("latent", "morph")
"""The methods that are also timed from files to a file: all share the rest of the way, so two are enough."""

PEER_TASKS = {"opencv-seamless-clone": "opencv", "facemorpher": "facemorpher"}
"""Which task blends two faces with each peer."""

PACKAGES = ("numpy", "Pillow", "opencv-python-headless", "onnxruntime", "torch", "facemorpher")
"""Packages whose versions affect speed."""

TRAINING_STEPS = 3
"""Training steps that are timed at once, after those that warm up."""
TRAINING_ROUNDS = 7
"""How often, at most, they are timed in turns with those of a plain loop."""
PLAIN_LOOP = "plain PyTorch loop"


def benchmark(
    photos: Sequence[str | os.PathLike[str]],
    model: str | os.PathLike[str] | None = None,
    settings: BenchmarkSettings | None = None,
    which: Sequence[int | str] = ("largest", "largest"),
    quiet: bool = True,
) -> dict[str, Any]:
    """Measure the time and memory of every method and stage.

    Parameters
    ----------
    photos : two path-likes
        Photos with a face.
    model : path-like or str, optional
        As `Blender.from_pretrained`.
    settings : BenchmarkSettings, optional
    which : two of 'largest', 'central' or int
        Which face of each photo.
    quiet : bool
        Show no progress bar.

    Returns
    -------
    dict
        Ready for JSON. ``use`` holds a row for each of what people wait for (`use_rows`), ``blend`` and ``whole`` a row
        a method: ``name``; ``ms``, ``ratio``, ``first_ms`` and
        ``import_ms``, each with ``median``, ``low`` and ``high`` (quartiles); ``peak_mb`` and ``added_mb``;
        ``starts``, and ``samples_ms``, one a round. ``stages`` holds a row a stage (``ms``, ``first_ms``, and ``share``
        of the sum, to which what is done ``on_demand`` does not count); ``training`` what
        `featureblend.training.profile.profile` tells, with ``times_plain``, how many times as long a plain PyTorch loop
        takes for the same steps, or None; ``left_out`` what could not be timed (``part``,
        ``name``, ``reason``). ``reference`` is the method whose time is 1, ``rounds`` how often each was timed;
        ``machine`` and ``settings`` say where and how.

    Raises
    ------
    FeatureblendError
        If a setting doesn't fit, a photo can't be used, or nothing at all could be timed.
    """
    settings = settings or BenchmarkSettings()
    until = time.perf_counter() + settings.seconds
    if len(photos) != 2 or len(which) != 2:
        raise FeatureblendError(f"two photos are timed, each with one face, not {len(photos)}: --photos A B")
    methods = settings.check()
    reference = settings.reference or ("latent" if "latent" in methods else methods[0])
    machine = machine_facts()  # before the load is of our own making
    with tempfile.TemporaryDirectory(prefix="featureblend-benchmark-") as folder:
        common, facts = _inputs(photos, which, Blender.from_pretrained(model), settings, Path(folder))
        entries = _entries(methods, reference, settings.parts, common)
        with Turns(settings.patience, len(entries) * (settings.repeat + settings.fresh), quiet) as turns:
            turns.start(entries)
            # A third of the time is kept for fresh starts.
            turns.take(settings.repeat, until - (until - time.perf_counter()) / 3)
            running = turns.entries
            turns.stop()
            kept = turns.start_again(running, settings.fresh, until)
        training = None if settings.train is None else _training(settings, common, turns, quiet)
    if not kept and training is None:
        reasons = "; ".join(f"{one['name']}: {one['reason']}" for one in turns.left_out)
        raise FeatureblendError(f"nothing could be timed: {reasons}")
    return {
        "reference": reference,
        "rounds": turns.rounds,
        "machine": machine,
        "settings": {**facts, "repeat": settings.repeat, "fresh": settings.fresh, "seconds": settings.seconds},
        "use": use_rows([entry for entry in kept if entry.part == "use"]),
        "blend": method_rows([entry for entry in kept if entry.part == "blend"], reference),
        "whole": method_rows([entry for entry in kept if entry.part == "whole"], reference),
        "stages": [row for entry in kept if entry.part == "stages" for row in stage_rows(entry)],
        "training": training,
        "left_out": turns.left_out,
    }


def _inputs(
    photos: Sequence[str | os.PathLike[str]],
    which: Sequence[int | str],
    blender: Blender,
    settings: BenchmarkSettings,
    folder: Path,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Find the faces and write the tasks' inputs; also return a description of them."""
    size = settings.size or blender.image_size
    paths, shown, faces = [], [], []
    for place, (photo, face) in enumerate(zip(photos, which, strict=True), 1):
        path = Path(photo)
        if settings.photo_size is not None:
            scaled = _scaled(load_image(path, place), settings.photo_size)
            path = save_image(folder / f"photo{place}.jpg", scaled, quality=95)
        image, found = blender.detector.find(path, face, place)
        faces.append(align_face(image, found.landmarks, size, template=blender.config.crop))
        paths.append(str(path.resolve()))
        shown.append({"name": Path(photo).name, "width": image.shape[1], "height": image.shape[0]})
    np.savez(
        folder / "faces.npz",
        images=np.stack([face.image for face in faces]),
        landmarks=np.stack([face.landmarks for face in faces]),
    )
    common = {
        "faces": str(folder / "faces.npz"),
        "photos": paths,
        "which": list(which),
        "size": size,
        "model": str(blender.folder.resolve()),
        "folder": str(folder),
    }
    facts = {"photos": shown, "size": size, "model": {"name": blender.config.name, "size": blender.image_size}}
    return common, facts


def _scaled(image: np.ndarray, side: int) -> np.ndarray:
    scale = side / max(image.shape[:2])
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)


def _entries(methods: Sequence[str], reference: str, parts: Sequence[str], common: dict[str, Any]) -> list[Entry]:
    """List the tasks to be timed."""
    asked = []
    for name in methods:
        plain = "latent" if name.startswith("latent") else "baseline"
        asked.append(("blend", name, PEER_TASKS.get(name, plain)))
    for name in methods:
        if name == "facemorpher":
            asked.append(("whole", name, "facemorpher-whole"))
        elif name in WHOLE or (name == reference and name in BASELINES):
            asked.append(("whole", name, "whole"))
    asked.append(("stages", "latent", "stages"))
    entries = [_use(name, common) for name in USES] if "use" in parts else []
    for part, name, task in asked:
        if part in parts:
            # Each writes a picture of its own, or one could pass for another's.
            spec = {**common, "task": task, "name": name, "out": str(Path(common["folder"]) / f"{part}-{name}.png")}
            module = name if name == "facemorpher" else None
            entries.append(Entry(part, name, spec, module, package="facemorpher" if module else ""))
    return entries


def _use(name: str, common: dict[str, Any]) -> Entry:
    """The task of one of `USES`."""
    spec = {**common, "name": name, "out": str(Path(common["folder"]) / f"use-{name.replace(', ', '-')}.png")}
    what, _, size = name.partition(", ")
    if what == "facemorpher":
        spec |= {"task": "command" if size == "command" else "facemorpher-whole", "size": 512}
        return Entry("use", name, spec, what, package=what)
    if what == "call":
        spec["size"] = "model" if size == "model's size" else int(size.split()[0])
    return Entry("use", name, {**spec, "task": what}, "gradio" if what == "page" else None, "'featureblend[web]'")


def use_rows(entries: Sequence[Entry]) -> list[dict[str, Any]]:
    """Rows of what people wait for: commands beside facemorpher's command, calls beside its call, the rest alone.

    A ratio is how many times as long facemorpher takes in the same round.
    """
    rows = []
    for entry in entries:
        peer = {"command": "facemorpher, command", "call": "facemorpher, call"}.get(entry.name.split(",")[0])
        (row,) = method_rows([entry], "")
        beside = next((one for one in entries if one.name == peer), None)
        if beside is not None:
            seconds = [[sample["seconds"] for sample in one.samples] for one in (beside, entry)]
            row["ratio"] = spread(ratios(seconds[0], seconds[1]))
        rows.append({**row, "what": USES[entry.name]})
    return rows


def _training(settings: BenchmarkSettings, common: dict[str, Any], turns: Turns, quiet: bool) -> dict[str, Any] | None:
    """Time a preset's training step alone, then in turns with a plain loop's, each in its own process."""
    spec = {**common, "name": settings.train, "steps": TRAINING_STEPS}
    names = {"profile": "training", "featureblend": "training-steps", PLAIN_LOOP: "plain-training-steps"}
    entries = {
        name: Entry("training", f"{settings.train}, {name}", {**spec, "task": task}, "torch", "'featureblend[train]'")
        for name, task in names.items()
    }
    whole = entries.pop("profile")
    rounds = min(settings.repeat, TRAINING_ROUNDS)
    with Turns(settings.patience * 5, 1, quiet) as first:
        first.start([whole])
    turns.left_out.extend(first.left_out)
    if not whole.starts:
        return None
    with Turns(settings.patience * 5, len(entries) * (rounds + 1), quiet) as both:
        both.start(entries.values())
        both.take(rounds, time.perf_counter() + settings.seconds)
    turns.left_out.extend(both.left_out)
    found = whole.starts[0]
    # By the processor's own time, where it does all the work: a step takes so long that others' work would be seen.
    alone = " cpu, " in found["laps"]["device"]
    ours, plain = (
        [one["laps"]["processor"] if alone else one["seconds"] for one in entry.samples] for entry in entries.values()
    )
    return {
        "preset": settings.train,
        **found["laps"],
        "peak_mb": most([found["peak"]]),
        "rounds": both.rounds,
        "times_plain": spread(ratios(plain, ours)) if len(ours) == len(plain) else None,
    }


def method_rows(entries: Sequence[Entry], reference: str) -> list[dict[str, Any]]:
    """Turn samples into a table's rows.

    Parameters
    ----------
    entries : sequence of Entry
        All with the same rounds.
    reference : str
        Whose time is 1; without it among them, there are no ratios.

    Returns
    -------
    list of dict
        As `benchmark` describes them.
    """
    compared = next(([one["seconds"] for one in entry.samples] for entry in entries if entry.name == reference), None)
    rows = []
    for entry in entries:
        times = [sample["seconds"] for sample in entry.samples]
        peak = most([one["peak"] for one in (*entry.starts, *entry.samples)])
        idle = most([start["before"] for start in entry.starts])
        rows.append(
            {
                "name": entry.name,
                "ms": spread(times, 1000),
                "ratio": None if compared is None else spread(ratios(times, compared)),
                "first_ms": spread([start["first"] for start in entry.starts], 1000),
                "import_ms": spread([start["imported"] for start in entry.starts], 1000),
                "peak_mb": peak,
                "added_mb": None if peak is None or idle is None else round(peak - idle, 1),
                "starts": len(entry.starts),
                "samples_ms": [float(f"{1000 * seconds:.4g}") for seconds in times],
            }
        )
    return rows


def stage_rows(entry: Entry) -> list[dict[str, Any]]:
    """Turn the laps of each round into a row per stage; shares are of the round's sum, without on-demand stages."""
    rounds = [sample["laps"] for sample in entry.samples]
    sums = [sum(laps[name] for name in STAGES) for laps in rounds]
    return [
        {
            "name": name,
            "what": what,
            "on_demand": name in EXTRA_STAGES,
            "ms": spread([laps[name] for laps in rounds], 1000),
            "share": spread(ratios([laps[name] for laps in rounds], sums)),
            "first_ms": spread([start["laps"][name] for start in entry.starts], 1000),
        }
        for name, what in {**STAGES, **EXTRA_STAGES}.items()
    ]


def spread(values: Sequence[float], factor: float = 1.0, digits: int = 4) -> dict[str, float] | None:
    """Median and quartiles.

    Parameters
    ----------
    values : sequence of float
    factor : float
        What they are multiplied by, such as 1000 for milliseconds.
    digits : int
        Significant digits that are kept.

    Returns
    -------
    dict
        ``median``, ``low`` and ``high`` (the quartiles: half of the values lie between); None without values.

    Examples
    --------
    >>> spread([1.0, 2.0, 3.0, 4.0, 100.0])
    {'median': 3.0, 'low': 2.0, 'high': 4.0}
    """
    if not values:
        return None
    low, median, high = (float(f"{value:.{digits}g}") for value in np.quantile(values, (0.25, 0.5, 0.75)) * factor)
    return {"median": median, "low": low, "high": high}


def ratios(times: Sequence[float], reference: Sequence[float]) -> list[float]:
    """Ratio of each round's time to the reference's in the same round, so that slow moments of the machine cancel.

    Parameters
    ----------
    times, reference : sequence of float
        One a round, in the same order and of the same length; more than 0.

    Returns
    -------
    list of float

    Examples
    --------
    >>> ratios([2.0, 20.0], [1.0, 10.0])
    [2.0, 2.0]
    """
    return [time / other for time, other in zip(times, reference, strict=True)]


def most(values: Sequence[Any]) -> float | None:
    """The largest value, in megabytes; None if any is unknown.

    Examples
    --------
    >>> most([5_000_000, 7_250_000]), most([None])
    (7.2, None)
    """
    known = [value for value in values if value is not None]
    return round(max(known) / 1e6, 1) if known and len(known) == len(values) else None


def machine_facts() -> dict[str, Any]:
    """Facts about the machine and the versions of the libraries; no host or user name is among them.

    Examples
    --------
    >>> machine_facts()["cores"] > 0
    True
    """
    affinity = getattr(os, "sched_getaffinity", None)
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": len(affinity(0)) if affinity else os.cpu_count(),
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "threads": os.environ.get("OMP_NUM_THREADS"),
        "python": platform.python_version(),
        "featureblend": __version__,
        "packages": {name: found for name in PACKAGES if (found := _version(name)) is not None},
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
