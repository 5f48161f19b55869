#!/usr/bin/env python3
"""Make twenty blends under other conditions, and measure how far they are from those made here in one thread.

Conditions are 2 and 8 threads, numpy and OpenCV without AVX-512, and without AVX2 as well, and every Python that
``--python`` names: one whose environment has other versions of what the package needs, or an emulator with a Python
after it. ONNX Runtime asks the processor what it can do, and has no switch: ``--python "qemu-x86_64 -cpu Haswell
.venv/bin/python" --only qemu --every 4`` shows it a processor without AVX-512, for every fourth blend, since that
takes long.

``python tools/sameness.py --python old/bin/python new/bin/python`` prints a table; it ends with 1 where values differ
by more than `LARGEST`.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[1]
LARGEST = 2
"""Most that a value may differ, in grey levels of 255."""
NAMES = ("first", "second", "third", "fourth", "fifth")
NO_AVX512 = {
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL AVX512_SPR",
    "OPENCV_CPU_DISABLE": "AVX512-SKX,AVX512-CLX,AVX512-ICL",
}
NO_AVX2 = {
    "NPY_DISABLE_CPU_FEATURES": f"{NO_AVX512['NPY_DISABLE_CPU_FEATURES']} X86_V3 AVX2 FMA3",
    "OPENCV_CPU_DISABLE": f"{NO_AVX512['OPENCV_CPU_DISABLE']},AVX2,FMA3",
}
"""Names of instruction sets, as older and newer versions have them."""


def blends(threads: int, every: int = 1) -> list[np.ndarray]:
    """Ten pairs at the model's size; ten more by other methods, sizes, weights and backgrounds; or every so many."""
    import cv2

    from featureblend.blend.blender import Blender
    from featureblend.faces import EXAMPLES

    cv2.setNumThreads(threads)
    blender = Blender.from_pretrained()
    blender.networks.threads = threads
    photos = [EXAMPLES / f"{name}.jpg" for name in NAMES]
    ways: list[tuple[list[int], list[float], dict[str, Any]]]
    ways = [([*pair], [1, 1], {"size": "model"}) for pair in combinations(range(5), 2)]
    ways += [([0, 1], [3, 1], {"method": method}) for method in ("pixel", "laplacian", "morph")]
    ways += [([2, 3, 4], [5, 3, 2], {"size": size}) for size in ("model", 300)]
    ways += [([1, 4], [1, 2], {"surroundings": one}) for one in ("blend", "mean")]
    ways += [([1, 3], [1, 1], {"background": one}) for one in ("source", "black")]
    ways += [([0, 1, 2, 3, 4], [1, 1, 1, 1, 1], {})]
    return [
        np.asarray(blender.blend([photos[one] for one in which], weights, measures="none", **how).image.convert("RGB"))
        for which, weights, how in ways[::every]
    ]


def made(python: str, threads: int, out: Path, settings: dict[str, str], every: int) -> list[np.ndarray]:
    """The blends of another process."""
    command = [*shlex.split(python), __file__, "--make", str(out), "--threads", str(threads), "--every", str(every)]
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "PYTHONPATH": str(ROOT / "src"), **settings}
    subprocess.run(command, check=True, env=environment)
    with np.load(out) as stored:
        return [stored[name] for name in stored.files]


def row(name: str, found: list[np.ndarray], due: list[np.ndarray]) -> tuple[str, int]:
    """A line of the table, and the largest difference."""
    if any(one.shape != other.shape for one, other in zip(found, due, strict=True)):
        return f"| {name} | other sizes | | |", 255
    differences = [np.abs(one.astype(int) - other) for one, other in zip(found, due, strict=True)]
    largest = max(int(one.max()) for one in differences)
    same = sum(not one.any() for one in differences)
    share = sum(int((one > 0).sum()) for one in differences) / sum(one.size for one in differences)
    mean = sum(int(one.sum()) for one in differences) / sum(one.size for one in differences)
    return f"| {name} | {same} of {len(due)} | {largest} | {share:.3%} | {mean:.5f} |", largest


def main() -> int:
    """Print the table; 1 where a difference is too large."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", nargs="+", default=[], help="other Pythons; featureblend is imported from here")
    parser.add_argument("--only", default="", help="conditions whose names hold this word")
    parser.add_argument("--every", type=int, default=1, help="make every so many of the twenty")
    parser.add_argument("--make", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--threads", type=int, default=1, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.make:
        np.savez(options.make, *blends(options.threads, options.every))
        return 0
    conditions: list[tuple[str, str, int, dict[str, str]]]
    conditions = [(f"{threads} threads", sys.executable, threads, {}) for threads in (2, 8)]
    conditions += [("numpy and OpenCV without AVX-512", sys.executable, 1, NO_AVX512)]
    conditions += [("numpy and OpenCV without AVX2", sys.executable, 1, NO_AVX2)]
    conditions += [(python, python, 1, {}) for python in options.python]
    conditions = [one for one in conditions if options.only in one[0]]
    largest = 0
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "blends.npz")
        due = made(sys.executable, 1, out, {}, options.every)
        columns = ("condition", "the same bytes", "largest difference of 255", "values that differ", "mean difference")
        print(f"| {' | '.join(columns)} |\n{'|---' * len(columns)}|")
        for name, python, threads, settings in conditions:
            line, found = row(name, made(python, threads, out, settings, options.every), due)
            print(line, flush=True)
            largest = max(largest, found)
    return int(largest > LARGEST)


if __name__ == "__main__":
    sys.exit(main())
