r"""Run `featureblend reproduce` on a GPU that is at hand for minutes, and bring home what is small enough to carry.

    featureblend prepare photos --size 80 --out small.tar    # 13 MB for 12,500 faces: enough for pictures of 64 px
    python3 tools/train_paper.py --data small.tar --size 64 --out OUT --minutes 8 [--back OUT_OF_LAST_TIME]

Nothing has to be installed but torch, accelerate, torchmetrics, matplotlib, jinja2, scikit-learn, ONNX Runtime, Pillow
and OpenCV. The runs are those of the paper's scale, in its order, several side by side. They are measured where they
were trained: OUT gets ``results.json``, the log of every run, and the weights of as many runs as there is room for, the
first ones first, in half precision, in files ``runs-0.bin`` and on of at most `--megabytes` MiB. ``--back OUT`` takes
them up again, here or elsewhere: a run that is not complete goes on from its weights, with new optimisers. ``--join OUT
--runs FOLDER`` makes run folders of them, which ``featureblend reproduce --out`` draws and measures where FOLDER is its
``runs``. `--scale quick` tries it all on a CPU.
"""

from __future__ import annotations

import argparse
import io
import json
import shutil
import sys
import tarfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))  # nothing is installed on a borrowed machine

import torch

from featureblend.paper.plan import FIGURES
from featureblend.paper.reproduce import reproduce
from featureblend.training.state import RunFolder

CLOSING = 0.2
"""Share of the minutes that measuring and packing are left."""
CARRIED = ("experiment.json", "metrics.jsonl", "data.json", "collapse.json")
"""Files of a run folder that are carried as they are."""
WEIGHTS = "small.pt"
END = bytes(1024)
"""What a tar ends in."""


def pack(out: Path, runs: Path, names: list[str], files: int, largest: int) -> list[str]:
    """Write runs into files; give the names of those whose weights found no room."""
    logs = {name: _packed(runs / name, CARRIED) for name in names}
    room, parts, left_out = files * largest - sum(map(len, logs.values())), [*logs.values()], []
    for name in names:
        weights = _weights(RunFolder(runs / name))
        if len(weights) <= room:
            parts.append(weights)
            room -= len(weights)
        else:
            left_out.append(name)
    whole = b"".join(parts)
    for path in out.glob("runs-*.bin"):
        path.unlink()
    for number, start in enumerate(range(0, len(whole), largest)):
        (out / f"runs-{number}.bin").write_bytes(whole[start : start + largest])
    return left_out


def _packed(folder: Path, names: tuple[str, ...]) -> bytes:
    """Files of a run as a tar without its end, so that several in a row are one."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name in names:
            if (folder / name).exists():
                tar.add(folder / name, f"{folder.name}/{name}")
        end = tar.offset
    return stream.getvalue()[:end]


def _weights(folder: RunFolder) -> bytes:
    state = folder.load()
    # Nothing is averaged in these runs, so that the autoencoder is the averaged one.
    networks = {**state["networks"], "autoencoder": state["ema"]}
    half = {
        which: {key: value.half() if value.is_floating_point() else value for key, value in values.items()}
        for which, values in networks.items()
    }
    facts = {name: state[name] for name in ("clock", "data", "started_from", "hardware", "torch")}
    small = folder.path / WEIGHTS
    torch.save({**facts, "networks": half}, small)
    packed = _packed(folder.path, (WEIGHTS,))
    small.unlink()
    return packed


def unpack(out: Path, runs: Path) -> None:
    """Make run folders of what `pack` wrote."""
    paths = sorted(out.glob("runs-*.bin"), key=lambda path: int(path.stem.rpartition("-")[2]))
    with tarfile.open(fileobj=io.BytesIO(b"".join(path.read_bytes() for path in paths) + END)) as tar:
        tar.extractall(runs, filter="data")
    for path in runs.glob(f"*/{WEIGHTS}"):
        state = torch.load(path, map_location="cpu", weights_only=True)
        networks = {
            which: {key: value.float() if value.is_floating_point() else value for key, value in values.items()}
            for which, values in state["networks"].items()
        }
        RunFolder(path.parent).save({**state, "networks": networks, "optimisers": {}, "ema": networks["autoencoder"]})
        path.unlink()


def main(arguments: list[str] | None = None) -> None:
    """Train for so many minutes, measuring and packing included."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", help="prepared photos; drawn faces if left out")
    parser.add_argument("--out", type=Path, help="the folder to write")
    parser.add_argument("--back", type=Path, metavar="OUT", help="go on with what is in such a folder")
    parser.add_argument("--join", type=Path, metavar="OUT", help="make run folders of such a folder, and stop")
    parser.add_argument("--runs", type=Path, help="the folder of run folders that --join makes")
    figures = [key for key in FIGURES if key != "merging"]  # which takes longer than a slice
    parser.add_argument("--only", nargs="*", default=figures, help="figures, as `featureblend reproduce` takes them")
    parser.add_argument("--scale", choices=("paper", "quick"), default="paper")
    parser.add_argument("--size", type=int)
    parser.add_argument("--images", type=int, help="stop each run after so many for now")
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument("--jobs", type=int, help="runs at a time")
    parser.add_argument("--files", type=int, default=4)
    parser.add_argument("--megabytes", type=float, default=16)
    words = parser.parse_args(arguments)
    if words.join is not None and words.runs is not None:
        unpack(words.join, words.runs)
        return
    if words.out is None:
        parser.error("--out is due, or --join and --runs")
    begin = time.monotonic()
    work = words.out.with_name(words.out.name + "-work")
    words.out.mkdir(parents=True, exist_ok=True)
    if words.back is not None:
        unpack(words.back, work / "runs")
    minutes = (1 - CLOSING) * words.minutes - (time.monotonic() - begin) / 60
    reproduce(
        work,
        words.only,
        max(0.0, minutes),
        words.scale == "quick",
        words.data,
        words.size,
        jobs=words.jobs,
        quiet=True,
        say=lambda text: print(text, flush=True),
        images=words.images,
    )
    shutil.copyfile(work / "results.json", words.out / "results.json")
    trained = list(json.loads((work / "results.json").read_text())["runs"])
    left_out = pack(words.out, work / "runs", trained, words.files, int(words.megabytes * 2**20))
    print(f"{len(trained)} runs; no room for the weights of: {', '.join(left_out) or 'none'}")


if __name__ == "__main__":
    main()
