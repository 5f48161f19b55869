"""Merge pairs of faces by every trained system, PCA, the bundled model and pixels; lay them on one sheet.

    featureblend prepare pairs --out pairs.tar       # 00005a.jpg and 00005b.jpg, then the next two, ...
    python tools/merging_sheet.py out/reproduce/runs pairs.tar --data faces.tar --out docs/paper/merging.jpg

The faces are those of people who do not exist, or the sheet is not to publish. PCA is fitted on the train split of
`--data`, the faces that the runs were trained on.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from featureblend.io.image import load_image, save_image
from featureblend.paper.figures import draw_rows
from featureblend.paper.merging import merging_systems
from featureblend.paper.plan import figures_named, runs_of
from featureblend.paper.results import Coder
from featureblend.training.dataset import FaceSet
from featureblend.training.state import RunFolder

SIDE = 128


def main() -> None:
    """Write the sheet."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", type=Path)
    parser.add_argument("pairs", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    names = [run.name for run in runs_of(figures_named([]), SIDE) if not run.seed]
    folders = {name: RunFolder(options.runs / name) for name in names}
    trained = {name: folder for name, folder in folders.items() if folder.checkpoint.exists()}
    coders = {name: Coder(folder.experiment(), folder.load()["ema"]) for name, folder in trained.items()}
    shown = FaceSet.read(options.pairs)
    shown = shown.chosen(np.argsort(shown.sources)).cropped(SIDE)
    images, marks = shown.images.reshape(-1, 2, *shown.images.shape[1:]), shown.landmarks.reshape(-1, 2, 68, 2)
    rows = [(letter, images[:, place]) for place, letter in enumerate("AB")]
    for system in merging_systems(coders, FaceSet.read(options.data, "train"), False, SIDE):
        blends = [system.blend(*pair, (0.5, 0.5)) for pair in zip(images, marks.astype(np.float64), strict=True)]
        rows.append((system.names[0], np.stack(blends)))
    sheet = options.out.with_suffix(".png")
    draw_rows(sheet, [(label, np.concatenate(list(faces), axis=1)) for label, faces in rows])
    if options.out != sheet:
        save_image(options.out, load_image(sheet))
        sheet.unlink()
    print(options.out)


if __name__ == "__main__":
    main()
