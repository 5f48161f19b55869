"""Paste the tables of a reproduction into its document, between their markers, and put its figures beside it.

    python tools/paste_reproduction.py out/reproduce docs/paper/verdicts.md

The folder is what `featureblend reproduce --out FOLDER` wrote. Of a reproduction on photos only the plots are put
there: pictures of people, or a network's of them, do not belong in the repository. Markers are
``<!-- reproduction: claims -->`` (or ``merging``, ``runs``) and ``<!-- end of reproduction -->``. Pasting the same
results again changes nothing.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Any

from PIL import Image

from featureblend.io.files import atomic_path

MERGING = {
    "patch_kid": ("patch-KID", 3),
    "own_patch_kid": ("of single faces", 3),
    "sharpness": ("sharpness", 2),
    "ghosting": ("ghosting", 3),
    "ghosting_inside": ("ghosting inside", 3),
    "diversity": ("diversity", 2),
    "reconstruction_psnr": ("PSNR dB", 1),
}
"""Columns of the table of merges, with their decimals."""

PICTURES = ("pictures", "in-time", "merging")
"""Endings of the figures that show faces."""

BLOCK = re.compile(r"(<!-- reproduction: (\w+) -->\n).*?(<!-- end of reproduction -->)", re.DOTALL)


def main(words: list[str] | None = None) -> None:
    """Write the document, then the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="what `featureblend reproduce` wrote")
    parser.add_argument("document", type=Path, help="Markdown with markers")
    options = parser.parse_args(words)
    results = json.loads((options.folder / "results.json").read_text())
    drawn = "drawn by featureblend" in results["ran_on"]
    text = options.document.read_text(encoding="utf-8")
    made = {"claims": claims, "merging": merging, "runs": runs}
    pasted = BLOCK.sub(lambda found: found[1] + made[found[2]](results) + found[3], text)
    with atomic_path(options.document) as temporary:
        temporary.write_text(pasted, encoding="utf-8")
    for path in sorted((options.folder / "figures").glob("*.png")):
        if drawn or not path.stem.endswith(PICTURES):
            put_figure(path, options.document.parent)
    print(options.document)


def table(heads: list[str], rows: list[list[str]]) -> str:
    """Lay out a Markdown table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def claims(results: dict[str, Any]) -> str:
    """What the paper says, what was expected, the verdict, and what it rests on."""
    rows = [
        [
            claim["says"],
            claim.get("predicted", ""),
            f"**{claim['verdict']}**",
            claim["numbers"],
            claim.get("interval") or "–",
            claim.get("rule", ""),
            claim.get("runs", ""),
        ]
        for claim in results["claims"]
    ]
    return table(["the paper says", "predicted", "verdict", "measured", "95 % interval", "rule", "runs"], rows)


def merging(results: dict[str, Any]) -> str:
    """How good the merges of every system are."""
    rows = [
        [method, *(f"{row[name]:.{digits}f}" if name in row else "–" for name, (_, digits) in MERGING.items())]
        for method, row in results["merging"].items()
    ]
    return table(["method", *(title for title, _ in MERGING.values())], rows)


def runs(results: dict[str, Any]) -> str:
    """How far each run got."""
    rows = [
        [
            name,
            f"{run['images']:,} of {run['due']:,}",
            f"{run.get('seconds', 0) / 60:.0f}",
            f"{run['psnr']:.2f}",
            f"{run['sharpness']:.2f}",
            f"{run['diversity']:.2f}",
            " / ".join(f"{mean:.2f}" for mean in run["means"]),
        ]
        for name, run in results["runs"].items()
    ]
    rows += [[name, f"not run: 0 of {due:,}", *["–"] * 5] for name, due in results.get("not_run", {}).items()]
    return table(["run", "images", "minutes", "PSNR dB", "sharpness", "diversity", "R / G / B"], rows)


def put_figure(path: Path, folder: Path) -> None:
    """Copy a figure, small: sheets of pictures as JPEG, plots with a palette."""
    with Image.open(path) as figure:
        picture = figure.convert("RGB")
    if path.stem.endswith(PICTURES):
        with atomic_path(folder / f"{path.stem}.jpg") as temporary:
            picture.save(temporary, format="JPEG", quality=85)
    else:
        with atomic_path(folder / path.name) as temporary:
            picture.quantize(64, dither=Image.Dither.NONE).save(temporary, format="PNG", optimize=True)


if __name__ == "__main__":
    main()
