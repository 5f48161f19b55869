"""The report of an evaluation: one HTML file that holds all of itself and asks nothing of the network."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..files import atomic_path
from .figures import FIGURES, Figure, badness
from .patch_statistics import FEATURES_NAME
from .plots import box_plot
from .protocols import Drawn

__all__ = ["REAL", "ReportMethod", "shown_pairs", "worst_pairs", "write_report"]

REAL = "real"
"""Name of the line that holds the figures of real faces: what a blend could reach."""

EXAMPLES, WORST = 12, 10
"""Pairs shown of all methods, the first ones; and of each method, its most ghosted."""

REALISM = tuple(FIGURES)[: tuple(FIGURES).index("balance")]
"""The figures of the first table; all others stand in the second."""

STYLE = """
:root { color-scheme: light; --ink: #1d2330; --soft: #667085; --line: #e3e6ec; --best: #dcf3e4; --mark: #14713d; }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); margin: 2rem auto; max-width: 1600px;
  padding: 0 1.5rem; }
h1 { font-size: 1.6rem; margin: 0 0 .3rem; } h2 { font-size: 1.15rem; margin: 2.4rem 0 .5rem; }
h3 { font-size: 1rem; margin: 1.4rem 0 .4rem; }
p { max-width: 60rem; margin: .4rem 0; } .soft, small { color: var(--soft); }
.wide { overflow-x: auto; width: fit-content; max-width: 100%; border: 1px solid var(--line); border-radius: 8px; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
.figures th, .figures td { padding: .35rem .6rem; text-align: right; white-space: nowrap;
  border-bottom: 1px solid var(--line); }
.figures tr:last-child td, .figures tr:last-child th { border-bottom: 0; }
.figures thead th { font-weight: 600; font-size: .85rem; background: #f7f8fa; }
.figures th:first-child { text-align: left; position: sticky; left: 0; background: #fff; z-index: 1; }
.figures thead th:first-child { background: #f7f8fa; }
.figures td small { display: block; font-size: .7rem; line-height: 1.1; }
.figures td.best { background: var(--best); color: var(--mark); font-weight: 700; }
.figures tr.real td, .figures tr.real th { font-style: italic; color: var(--soft); }
.faces td { padding: 2px; } .faces th { font-size: .78rem; padding: .3rem 2px; font-weight: 600; text-align: center; }
.faces img, .row img { width: 112px; height: 112px; display: block; border-radius: 3px; }
.none { width: 112px; height: 112px; background: #f2f4f7; color: var(--soft); font-size: .75rem; display: grid;
  place-items: center; text-align: center; border-radius: 3px; }
.row { display: flex; flex-wrap: wrap; gap: 10px; } .row figure { margin: 0; }
.row figure div { display: flex; gap: 2px; } .row img { width: 84px; height: 84px; }
figcaption { font-size: .75rem; color: var(--soft); }
.plots { display: grid; grid-template-columns: repeat(auto-fill, minmax(400px, 1fr)); gap: 18px; }
.plot { width: 100%; } .plot text { font-size: 11px; fill: var(--soft); } .plot .number { text-anchor: middle; }
.plot .title { font-size: 13px; font-weight: 600; fill: var(--ink); }
.plot .name { text-anchor: end; fill: var(--ink); }
.plot .tick { stroke: var(--line); } .plot .range { stroke: #98a2b3; } .plot .box { fill: #b9cdf5; }
.plot .median { stroke: #1d4fb8; stroke-width: 2; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; max-width: 62rem; } dd { margin: 0; }
dt { font-weight: 600; } summary { cursor: pointer; font-weight: 600; margin: .6rem 0; }
"""


@dataclass(frozen=True)
class ReportMethod:
    """One line of the report."""

    name: str
    record: Mapping[str, Any] = field(repr=False)
    """As `featureblend.measuring.Measured.record`."""
    pictures: Mapping[int, np.ndarray] = field(repr=False)
    """Blends by the number of their pair."""
    rows: Sequence[Mapping[str, Any]] = field(repr=False)
    """Lines of metrics.jsonl."""

    @property
    def values(self) -> dict[str, Mapping[str, Any]]:
        """The lines by figure."""
        return {row["figure"]: row for row in self.rows}


def worst_pairs(record: Mapping[str, Any]) -> list[int]:
    """List a method's most ghosted pairs, the worst first."""
    ghosts = record["scores"].get("ghosting", [])
    order = sorted((-value, index) for index, value in enumerate(ghosts) if value is not None)
    return [index for _, index in order[:WORST]]


def shown_pairs(record: Mapping[str, Any]) -> list[int]:
    """List the pairs whose blends the report shows: the first, and the most ghosted."""
    return sorted({*range(min(EXAMPLES, record["count"])), *worst_pairs(record)})


def write_report(path: str | os.PathLike[str], drawn: Drawn, methods: Sequence[ReportMethod]) -> Path:
    """Write the report of an evaluation.

    Parameters
    ----------
    path : path-like
        The HTML file.
    drawn : Drawn
        What was blended.
    methods : sequence of ReportMethod
        In the order of the table; `REAL` is the line that the others are held by.

    Returns
    -------
    Path
    """
    blended = [method for method in methods if method.name != REAL]
    shown = [figure for figure in FIGURES.values() if any(figure.name in method.values for method in methods)]
    protocol = drawn.protocol
    body = [
        f"<h1>Blends compared: {escape(protocol.name)}</h1>",
        f"<p class=soft>{protocol.count} pairs of two people of the {protocol.split} split, blended half and half at "
        f"{drawn.faces.images.shape[1]} pixels; {len(drawn.reference)} real faces of other people to compare with. "
        f"Data {escape(drawn.faces.identity[:12])}, seed {protocol.seed}.</p>",
        f"<p><b>KID, FID, 1-NN and critic AUC on {FEATURES_NAME}, not Inception</b>: they compare with each other in "
        "this table, never with published figures. LPIPS is not measured: no weights of it are here.</p>",
        "<h2>How real the blends are</h2>",
        _table([figure for figure in shown if figure.name in REALISM], methods),
        "<h2>How evenly they lie between their parents, and what is lost</h2>",
        _table([figure for figure in shown if figure.name not in REALISM], methods),
        "<p class=soft>Green: best of the methods in its column, as shown. Small: 95 % interval by the bootstrap over "
        "pairs, for the draw of pairs alone; figures of the whole set have none. <i>real</i>: the parents "
        "themselves.</p>",
        _left_out(blended),
        "<h2>What the figures say</h2><dl>",
        *(f"<dt>{escape(figure.title)}</dt><dd>{escape(figure.meaning)}</dd>" for figure in shown),
        "</dl>",
        _identity(blended),
        "<h2>Methods</h2><dl>",
        *(
            f"<dt>{escape(method.name)}</dt><dd>{escape(method.record['note'])}"
            + (f" <span class=soft>({escape(method.record['model'])})</span>" if method.record["model"] else "")
            + "</dd>"
            for method in methods
        ),
        "</dl>",
        f"<h2>The first {min(EXAMPLES, len(drawn.pairs))} pairs</h2>",
        _examples(drawn, blended),
        f"<h2>The {WORST} worst of each method, by ghosting</h2>",
        *(_worst(drawn, method) for method in blended),
        "<h2>Spread over the pairs</h2>",
        "<p class=soft>Box: the middle half; blue: the median; line: from the 5th to the 95th percentile.</p>",
        _plots(shown, methods),
    ]
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>{escape(protocol.name)} – featureblend</title>"
        f"<style>{STYLE}</style></head><body>{''.join(body)}</body></html>\n"
    )
    with atomic_path(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return Path(path)


def _table(shown: Sequence[Figure], methods: Sequence[ReportMethod]) -> str:
    values = {method.name: method.values for method in methods}
    best = {figure.name: _best(figure, values) for figure in shown}
    lines = []
    for method in methods:
        cells = []
        for figure in shown:
            row = values[method.name].get(figure.name)
            if row is None:
                cells.append("<td class=soft>–</td>")
                continue
            mark = " class=best" if method.name in best[figure.name] else ""
            # A zero more: a negative that rounds to nothing is shown as 0.
            text = f"{round(row['value'], figure.digits) + 0.0:.{figure.digits}f}"
            if row["low"] is not None:
                text += f"<small>{row['low']:.{figure.digits}f} to {row['high']:.{figure.digits}f}</small>"
            cells.append(f"<td{mark}>{text}</td>")
        style = " class=real" if method.name == REAL else ""
        lines.append(f"<tr{style}><th>{escape(method.name)}</th>{''.join(cells)}</tr>")
    heads = "".join(f'<th title="{escape(figure.meaning)}">{escape(figure.title)}</th>' for figure in shown)
    return (
        f"<div class=wide><table class=figures><thead><tr><th>method</th>{heads}</tr></thead>"
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def _best(figure: Figure, values: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> set[str]:
    """Name the best methods of a figure: several, where they are equal as shown."""
    real = values.get(REAL, {}).get(figure.name)
    grades = {}
    for name, rows in values.items():
        if name == REAL or figure.name not in rows:
            continue
        grade = badness(figure, round(rows[figure.name]["value"], figure.digits), real["value"] if real else None)
        if grade is not None:
            grades[name] = round(grade, 9)
    return {name for name, grade in grades.items() if grade == min(grades.values())} if len(grades) > 1 else set()


def _left_out(methods: Sequence[ReportMethod]) -> str:
    failed = [method for method in methods if method.record["failures"]]
    if not failed:
        return "<p>No pair was left out by any method.</p>"
    parts = []
    for method in failed:
        failures = method.record["failures"]
        lines = [
            f"pair {failure['pair'] + 1} ({' and '.join(failure['photos'])}): {failure['reason']}"
            for failure in failures
        ]
        items = "".join(f"<li>{escape(line)}</li>" for line in lines[:20])
        more = f"<li>and {len(failures) - 20} more</li>" if len(failures) > 20 else ""
        parts.append(
            f"<details><summary>{escape(method.name)}: {len(failures)} of {method.record['count']} pairs left out"
            f"</summary><ul>{items}{more}</ul></details>"
        )
    return "<p><b>Left out, because the method failed on them:</b></p>" + "".join(parts)


def _identity(methods: Sequence[ReportMethod]) -> str:
    found = [method.record["identity"] for method in methods if method.record["identity"]]
    if not found or not any("mmpmr" in method.values for method in methods):
        return "<p class=soft>Identity (MMPMR) was not measured.</p>"
    return (
        f"<p class=soft>Identity: dlib's embeddings. Faces match above a similarity of {found[0]['threshold']:.3f}, "
        f"which one in a thousand of {found[0]['impostors']} pairs of different people exceeds. MMPMR counts the pairs "
        "of which both people have another photo.</p>"
    )


def _examples(drawn: Drawn, methods: Sequence[ReportMethod]) -> str:
    heads = "".join(f"<th>{escape(head)}</th>" for head in ("A", "B", *(method.name for method in methods)))
    lines = []
    for index, (a, b) in enumerate(drawn.pairs[:EXAMPLES]):
        cells = [_picture(drawn.faces.images[parent], str(drawn.faces.sources[parent])) for parent in (a, b)]
        cells += [_blend(method, index) for method in methods]
        lines.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    table = f"<table class=faces><thead><tr>{heads}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
    return f"<div class=wide>{table}</div>"


def _blend(method: ReportMethod, index: int) -> str:
    if index not in method.pictures:
        return "<div class=none>left out</div>"
    scores = method.record["scores"]
    known = {name: scores[name][index] for name in ("ghosting", "sharpness")}
    words = ", ".join(f"{name} {value:.2f}" for name, value in known.items() if value is not None)
    return _picture(method.pictures[index], f"{method.name}: {words}")


def _worst(drawn: Drawn, method: ReportMethod) -> str:
    figures = []
    for index in worst_pairs(method.record):
        if index not in method.pictures:
            continue
        a, b = drawn.pairs[index]
        images = (drawn.faces.images[a], drawn.faces.images[b], method.pictures[index])
        names = (str(drawn.faces.sources[a]), str(drawn.faces.sources[b]), method.name)
        pictures = "".join(_picture(image, name) for image, name in zip(images, names, strict=True))
        caption = f"pair {index + 1}, ghosting {method.record['scores']['ghosting'][index]:.3f}"
        figures.append(f"<figure><div>{pictures}</div><figcaption>{caption}</figcaption></figure>")
    return f"<h3>{escape(method.name)}</h3><div class=row>{''.join(figures) or 'none'}</div>"


def _plots(shown: Sequence[Figure], methods: Sequence[ReportMethod]) -> str:
    plots = []
    for figure in shown:
        scores = {
            method.name: [value for value in method.record["scores"].get(figure.name, []) if value is not None]
            for method in methods
        }
        # Yes or no has no spread.
        if not figure.of_set and figure.name != "mmpmr":
            plots.append(box_plot(figure.title, scores, max(min(figure.digits, 2), 1)))
    return f"<div class=plots>{''.join(plots)}</div>"


def _picture(image: np.ndarray, name: str) -> str:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=88)
    content = base64.b64encode(stream.getvalue()).decode()
    return f'<img src="data:image/jpeg;base64,{content}" alt="{escape(name)}" title="{escape(name)}" loading="lazy">'
