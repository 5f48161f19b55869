#!/usr/bin/env python3
"""Make twenty blends under other conditions, and measure how far they are from those made here in one thread.

Conditions are 2 and 8 threads; older processors, without AVX-512, AVX2 and AVX (`older_processor.py`, where it can
work); and every Python that ``--python`` names: one whose environment has other versions of what the package needs.

``python tools/sameness.py --python old/bin/python new/bin/python`` prints a table; it ends with 1 where values differ
by more than `LARGEST`. On other processors a few may (`MOST`): photos are cropped by landmarks that networks find.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from older_processor import NEEDED, PROCESSORS, as_on

ROOT = Path(__file__).parents[1]
LARGEST = 2
"""Most that a value may differ, in grey levels of 255."""
MOST = 0.001
"""Share of values that may differ by more than that on another processor."""
NAMES = ("first", "second", "third", "fourth", "fifth")


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
    command = [python, __file__, "--make", str(out), "--threads", str(threads), "--every", str(every)]
    paths = os.pathsep.join([*filter(None, [settings.get("PYTHONPATH")]), str(ROOT / "src")])
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), **settings, "PYTHONPATH": paths}
    subprocess.run(command, check=True, env=environment)
    with np.load(out) as stored:
        return [stored[name] for name in stored.files]


def row(name: str, found: list[np.ndarray], due: list[np.ndarray]) -> tuple[str, float]:
    """A line of the table, and the share of values that differ by more than `LARGEST`."""
    if any(one.shape != other.shape for one, other in zip(found, due, strict=True)):
        return f"| {name} | other sizes | | | | |", 1.0
    by_blend = [np.abs(one.astype(int) - other).ravel() for one, other in zip(found, due, strict=True)]
    differences = np.concatenate(by_blend)
    same = sum(not one.any() for one in by_blend)
    beyond = float((differences > LARGEST).mean())
    cells = f"{differences.max()} | {differences.mean():.5f} | {(differences > 0).mean():.3%} | {beyond:.4%}"
    return f"| {name} | {same} of {len(due)} | {cells} |", beyond


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
    wrong = False
    with tempfile.TemporaryDirectory() as folder:
        conditions: list[tuple[str, str, int, dict[str, str]]]
        conditions = [(f"{threads} threads", sys.executable, threads, {}) for threads in (2, 8)]
        if all(map(shutil.which, NEEDED)):
            conditions += [
                (f"as on a {processor}", sys.executable, 1, as_on(processor, Path(folder))) for processor in PROCESSORS
            ]
        conditions += [(python, python, 1, {}) for python in options.python]
        conditions = [one for one in conditions if options.only in one[0]]
        out = Path(folder, "blends.npz")
        due = made(sys.executable, 1, out, {}, options.every)
        columns = ("condition", "the same values", "largest difference of 255", "mean", "values that differ")
        columns += (f"by more than {LARGEST}",)
        print(f"| {' | '.join(columns)} |\n{'|---' * len(columns)}|")
        for name, python, threads, settings in conditions:
            line, beyond = row(name, made(python, threads, out, settings, options.every), due)
            print(line, flush=True)
            wrong |= beyond > (MOST if "OLDER_PROCESSOR" in settings else 0)
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
