r"""Train preset "taught" on one GPU in one command, with nothing installed but torch, accelerate, Pillow and OpenCV.

    python3 tools/train_taught.py --data faces.tar --generator generator.pt --lpips-weights alex_shift_tolerant.pth \
        --out OUT --minutes 8

Blends are drawn on the GPU as they are needed, by a generator that `tools/trace_generator.py` traced. OUT gets what is
small enough to carry: the averaged weights in half precision (``weights-0.pt`` and on, at most 16 MiB each; a state
dict in parts), ``experiment.json``, the log ``metrics.jsonl``, and a grid of pictures a minute. The run folder, from
which ``--resume`` goes on, stays in ``--run``. ``--join OUT --run RUN`` makes a run folder of OUT on another machine,
for ``featureblend export RUN`` and ``featureblend train --init RUN``. Where matplotlib is there, curves are drawn, too.

How many images the minutes are enough for is measured first, so that the learning rate has fallen when they are over;
``--set images=400000`` says it instead.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))  # nothing is installed on a borrowed machine

import torch

from featureblend.training.dataset import FaceSet, FaceTriplets
from featureblend.training.experiment import Experiment
from featureblend.training.loop import train
from featureblend.training.machine import keep_freed_memory, wait_for
from featureblend.training.presets import overridden, preset
from featureblend.training.report import draw_curves, draw_samples
from featureblend.training.state import RunFolder
from featureblend.training.trainer import Trainer

LARGEST = 16 << 20
"""Bytes that a file of weights has at most."""
FACTS = "facts.json"
"""What a checkpoint says beside its weights."""
PICTURES_SECONDS = 60.0
"""How often a grid is drawn."""
SURE = 0.85
"""Share of the images that the measured speed promises: compiling again, scoring and saving take time, too."""
ON_A_GPU = ("batch_size=256", "compile=cuda", "learning_rate=0.0012", "final_learning_rate=0.00005", "warmup=20000")
"""What differs from the preset."""


def write_weights(weights: dict[str, torch.Tensor], folder: Path, largest: int = LARGEST) -> list[Path]:
    """Write a state dict in half precision, in as many files as keep each below `largest` bytes."""
    parts: list[dict[str, torch.Tensor]] = [{}]
    room = 0.9 * largest  # names and headers take their share
    size = 0
    for name, value in weights.items():
        half = value.detach().cpu().half().contiguous() if value.is_floating_point() else value.cpu()
        weight = half.numel() * half.element_size()
        if parts[-1] and size + weight > room:
            parts.append({})
            size = 0
        parts[-1][name] = half
        size += weight
    paths = [folder / f"weights-{number}.pt" for number in range(len(parts))]
    for path, part in zip(paths, parts, strict=True):
        torch.save(part, path)
    return paths


class Reporter:
    """Prints a line a tick, and draws the pictures that it scores now and then."""

    def __init__(self, out: Path, run: Path) -> None:
        self.out, self.metrics = out, RunFolder(run).metrics
        self.drawn = 0.0

    def __call__(self, line: dict[str, Any], pictures: dict[str, torch.Tensor]) -> None:
        """Tell of a line of the log."""
        shown = ("images", "images_per_second", "l1", "lpips", "halfway_l1", "halfway_psnr", "halfway_lpips")
        shown += ("halfway_psnr_of_pixel_average", "parent_psnr", "validation_psnr", "halfway_sharpness")
        print(json.dumps({name: line[name] for name in shown if name in line}), flush=True)
        shutil.copyfile(self.metrics, self.out / "metrics.jsonl")  # what is here when time is up comes back
        if time.monotonic() - self.drawn > PICTURES_SECONDS:
            self.drawn = time.monotonic()
            self.draw(line["images"], pictures)

    def draw(self, images: int, pictures: dict[str, torch.Tensor]) -> None:
        """Draw reconstructions, and held-out blends."""
        plain = ("input", "reconstruction", "blend with next")
        for name, rows in (
            ("faces", {key: value[:16] for key, value in pictures.items() if key in plain}),
            ("halfway", {key: value for key, value in pictures.items() if key not in plain}),
        ):
            if rows:
                draw_samples(rows, self.out / f"{images:09d}-{name}.jpg")


def curves(folder: RunFolder, out: Path) -> None:
    """Draw the log where matplotlib is there."""
    try:
        draw_curves(folder.history(), out / "curves.png")
    except ImportError:
        print("no matplotlib here: --join draws the curves elsewhere")


def join(out: Path, run: Path) -> None:
    """Make a run folder of what was carried here: its weights are those of half precision, its optimisers are gone."""
    weights: dict[str, torch.Tensor] = {}
    for path in sorted(out.glob("weights-*.pt")):
        weights |= torch.load(path, map_location="cpu", weights_only=True)
    weights = {name: value.float() if value.is_floating_point() else value for name, value in weights.items()}
    folder = RunFolder(run)
    folder.path.mkdir(parents=True)
    for file in (folder.experiment_file, folder.metrics):
        shutil.copyfile(out / file.name, file)
    facts = json.loads((out / FACTS).read_text())
    folder.save({**facts, "networks": {"autoencoder": weights}, "optimisers": {}, "ema": weights})
    curves(folder, run)


def finish(out: Path, run: Path) -> None:
    """Write what is carried away."""
    folder = RunFolder(run)
    state = folder.load()
    for path in write_weights(state["ema"], out):
        print(path.name, f"{path.stat().st_size / (1 << 20):.1f} MiB")
    facts = {name: state[name] for name in ("clock", "data", "started_from", "hardware", "torch")}
    (out / FACTS).write_text(json.dumps(facts, indent=2) + "\n")
    shutil.copyfile(folder.experiment_file, out / folder.experiment_file.name)
    shutil.copyfile(folder.metrics, out / folder.metrics.name)
    curves(folder, out)


def resolved(words: argparse.Namespace) -> Experiment:
    """The experiment that the words ask for."""
    weights = f"lpips_weights={json.dumps([words.lpips_weights])}" if words.lpips_weights else "from_scratch=true"
    return overridden(preset("taught"), (*ON_A_GPU, weights, *words.set))


def measured(experiment: Experiment, *taught_by: Any, steps: int = 20) -> float:
    """Images a second, after steps that compile and warm up; nothing is kept."""
    keep_freed_memory()
    trainer = Trainer(experiment, *taught_by)
    for _ in range(3):
        trainer.step()
    wait_for(trainer.device)
    begin = time.perf_counter()
    for _ in range(steps):
        trainer.step()
    wait_for(trainer.device)
    speed = steps * experiment.batch_size / (time.perf_counter() - begin)
    print(f"{speed:.0f} images/s on {trainer.hardware}, in {trainer.precision}", flush=True)
    return speed


def main(arguments: list[str] | None = None) -> None:
    """Train for so many minutes, closing included."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="prepared photos, which are reconstructed")
    parser.add_argument("--generator", help="the traced generator")
    parser.add_argument("--triplets", nargs="*", default=[], help="prepared triplets: scored, or learned from")
    parser.add_argument("--lpips-weights", help="alex_shift_tolerant.pth")
    parser.add_argument("--out", type=Path, help="the folder to write")
    parser.add_argument("--join", type=Path, metavar="OUT", help="make the folder --run of such a folder, and stop")
    parser.add_argument("--run", type=Path, help="the run folder; by default OUT-run")
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument("--init", help="a run folder whose weights a new run starts from")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--set", nargs="*", default=[], help="settings that differ, such as batch_size=512")
    words = parser.parse_args(arguments)
    if words.join is not None and words.run is not None:
        join(words.join, words.run)
        return
    if words.data is None or words.out is None:
        parser.error("--data and --out are due, or --join and --run")
    begin = time.monotonic()
    run = words.run or words.out.with_name(words.out.name + "-run")
    words.out.mkdir(parents=True, exist_ok=True)
    faces = FaceSet.read(words.data)
    triplets = FaceTriplets.read(words.triplets) if words.triplets else None
    print(f"{len(faces)} photos read in {time.monotonic() - begin:.0f} s", flush=True)
    if words.resume and RunFolder(run).checkpoint.exists():
        experiment = RunFolder(run).experiment()
    else:
        experiment = resolved(words)
        if not any(word.startswith("images=") for word in words.set):
            speed = measured(experiment, faces, triplets, words.generator)
            seconds = 60 * words.minutes - (time.monotonic() - begin)
            images = max(1, int(SURE * speed * seconds / experiment.batch_size)) * experiment.batch_size
            experiment = dataclasses.replace(experiment, images=images, warmup=min(experiment.warmup, images // 20))
    train(
        experiment,
        faces,
        run,
        triplets=triplets,
        generator=words.generator,
        minutes=words.minutes - (time.monotonic() - begin) / 60,
        resume=words.resume,
        init=words.init,
        quiet=True,
        on_collapse="warn",  # minutes on such a machine do not come again
        watch=Reporter(words.out, run),
    )
    finish(words.out, run)


if __name__ == "__main__":
    main()
