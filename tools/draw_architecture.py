"""Draw docs/images/architecture.svg: the packages on their floors, and which imports which, from the code itself.

    python tools/draw_architecture.py

Floors are those of the import contract in pyproject.toml, arrows those of the imports, words the first line of each
package's docstring. `tests/test_architecture.py` fails when the picture is no longer what this draws.
"""

from __future__ import annotations

import ast
import re
import textwrap
from html import escape
from pathlib import Path

import grimp

ROOT = Path(__file__).parents[1]
PACKAGE = "featureblend"
PICTURE = ROOT / "docs" / "images" / "architecture.svg"

WIDTH, MARGIN, GAP = 880, 44, 36
FLOOR, BOX = 104, 66
"""Height of a floor, and of the boxes on it, in pixels."""
LINE = 64
"""Letters in a line of a box that has half of the width."""


def floors() -> list[list[str]]:
    """Packages of each floor, the highest first, as the contract has them."""
    contract = (ROOT / "pyproject.toml").read_text(encoding="utf-8").split("layers = [")[1].split("]")[0]
    return [re.findall(r"\w+", floor) for floor in re.findall(r'"([^"]+)"', contract)]


def arrows() -> set[tuple[str, str]]:
    """Pairs of packages of which the first imports the second, anywhere in it."""
    graph = grimp.build_graph(PACKAGE, cache_dir=None)
    found = set()
    for module in graph.modules - {PACKAGE, f"{PACKAGE}.__main__"}:
        for imported in graph.find_modules_directly_imported_by(module) - {PACKAGE}:
            pair = module.split(".")[1], imported.split(".")[1]
            if pair[0] != pair[1]:
                found.add(pair)
    return found


def job(package: str) -> str:
    """What a package is there for: the first line of its docstring."""
    folder = ROOT / "src" / PACKAGE / package
    path = folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")
    return (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").split("\n")[0]


def needed(pairs: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Arrows that no detour over another package makes superfluous."""
    names = {name for pair in pairs for name in pair}
    below = {name: {other for one, other in pairs if one == name} for name in names}
    for _ in names:
        below = {name: set(others).union(*(below[other] for other in others)) for name, others in below.items()}
    around = {(one, other) for one, way in pairs for other in below[way]}
    return pairs - around


def drawn() -> str:
    """The picture as SVG."""
    rows = floors()
    pairs = arrows()
    height = FLOOR * len(rows) + 16
    boxes: dict[str, tuple[float, float, float]] = {}
    shapes: list[str] = []
    for place, names in enumerate(rows):
        top = 12 + place * FLOOR
        wide = (WIDTH - 2 * MARGIN - GAP * (len(names) - 1)) / len(names)
        shapes.append(f'<text class="floor" x="18" y="{top + BOX / 2 + 6:g}">{len(rows) - place}</text>')
        for column, name in enumerate(names):
            left = MARGIN + column * (wide + GAP)
            boxes[name] = left, top, wide
            shapes.append(f'<rect x="{left:g}" y="{top}" width="{wide:g}" height="{BOX}" rx="8"/>')
            shapes.append(f'<text class="name" x="{left + 14:g}" y="{top + 22}">{escape(name)}</text>')
            for line, words in enumerate(textwrap.wrap(job(name), round(LINE * (1 if len(names) > 1 else 2.1)))[:2]):
                shapes.append(f'<text x="{left + 14:g}" y="{top + 41 + 16 * line}">{escape(words)}</text>')
    leaving: dict[str, list[str]] = {}
    for one, other in sorted(needed(pairs), key=lambda pair: (_middle(boxes[pair[1]]), pair)):
        if boxes[one][1] == boxes[other][1]:  # neighbours
            level, end = boxes[one][1] + BOX / 2, boxes[other][0] - 3
            shapes.append(_arrow(one, other, f"M{boxes[one][0] + boxes[one][2]:g},{level:g} L{end:g},{level:g}"))
            continue
        leaving.setdefault(one, []).append(other)
    reaching: dict[str, list[str]] = {}
    for one, others in sorted(leaving.items(), key=lambda entry: _middle(boxes[entry[0]])):
        for other in others:
            reaching.setdefault(other, []).append(one)
    for one, others in leaving.items():
        for other in others:
            x1 = _port(boxes[one], others.index(other), len(others))
            x2 = _port(boxes[other], reaching[other].index(one), len(reaching[other]))
            y1, y2 = boxes[one][1] + BOX, boxes[other][1] - 3
            middle = (y1 + y2) / 2
            curve = f"M{x1:g},{y1:g} C{x1:g},{middle:g} {x2:g},{middle:g} {x2:g},{y2:g}"
            shapes.append(_arrow(one, other, curve))
    listed = "\n".join(f"{one} imports {other}" for one, other in sorted(pairs))
    body = "\n".join(shapes)
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}">
<title>The packages of {PACKAGE} on their floors</title>
<desc>{listed}</desc>
<style>
rect {{ fill: #e7f3f1; stroke: #00796b; stroke-width: 1.2 }}
text {{ fill: #263238; font: 12px sans-serif }}
.name {{ font: bold 15px sans-serif; fill: #004d40 }}
.floor {{ font: 16px sans-serif; fill: #78909c }}
path {{ fill: none; stroke: #546e7a; stroke-width: 1.6 }}
#tip path {{ fill: #546e7a; stroke: none }}
</style>
<defs><marker id="tip" viewBox="0 0 8 8" refX="6" refY="4" markerWidth="6" markerHeight="6" orient="auto">
<path d="M0,0 L8,4 L0,8 z"/></marker></defs>
<rect x="0" y="0" width="{WIDTH}" height="{height}" style="fill: #ffffff; stroke: none"/>
{body}
</svg>
"""


def _arrow(one: str, other: str, curve: str) -> str:
    return f'<path d="{curve}" marker-end="url(#tip)"><title>{one} imports {other}</title></path>'


def _middle(box: tuple[float, float, float]) -> float:
    return box[0] + box[2] / 2


def _port(box: tuple[float, float, float], place: int, count: int) -> float:
    """Where the arrow of that place leaves or reaches a box, in the middle half of its side."""
    return box[0] + box[2] * (0.5 + 0.5 * ((place + 0.5) / count - 0.5))


if __name__ == "__main__":
    PICTURE.write_text(drawn(), encoding="utf-8")
    print(PICTURE)
