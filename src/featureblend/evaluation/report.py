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

from ..io.files import atomic_path
from .degradation import CLEAN, SPOILING
from .figures import FIGURES, REAL, Figure, best_methods, sections, shown_value
from .learned import feature_lines
from .plots import box_plot
from .protocols import Drawn

__all__ = ["REAL", "ReportMethod", "embedded", "shown_pairs", "spoilt_section", "worst_pairs", "write_report"]


def embedded(image: np.ndarray, name: str) -> str:
    """An ``<img>`` element with the picture embedded.

    Parameters
    ----------
    image : (H, W, 3) uint8 array, sRGB
    name : str
        Read out, and shown on hovering.

    Examples
    --------
    >>> embedded(np.zeros((8, 8, 3), np.uint8), "a < b").count('"a &lt; b"')
    2
    """
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=88)
    content = base64.b64encode(stream.getvalue()).decode()
    return f'<img src="data:image/jpeg;base64,{content}" alt="{escape(name)}" title="{escape(name)}" loading="lazy">'


def spoilt_section(record: Mapping[str, Any], sheets: Mapping[str, np.ndarray]) -> str:
    """Write the section, from what `featureblend.evaluation.degraded_photos.measure_spoilt` found.

    Parameters
    ----------
    record : mapping
        A method's, with ``spoilt``.
    sheets : mapping of str to array
        'spoilt' and 'portrait', as far as there are any.

    Returns
    -------
    str
        HTML; empty where nothing was measured.

    Examples
    --------
    >>> spoilt_section({}, {})
    ''
    """
    if "spoilt" not in record:
        return ""
    found = record["spoilt"]
    parts = [
        "<h2>Spoilt photos</h2>",
        "<p class=soft>Test faces spoilt by fixed amounts, and what the model gives back: above what it saw, below "
        "what it made of it. No damage here is quite the training's own. How bright a room was it can only guess.</p>",
        _spoilt_table(record["scores"], found["before"]),
    ]
    if found["failures"]:
        items = "".join(f"<li>{escape(line)}</li>" for line in found["failures"])
        parts.append(f"<p><b>Left out:</b></p><ul>{items}</ul>")
    if "spoilt" in sheets:
        parts.append(f"<h3>The first {len(sheets['spoilt'])} of them</h3>{_sheet(sheets['spoilt'])}")
    if "portrait" in sheets:
        names = ("portrait, aligned", "given back", "a test face", "blend of both")
        figures = "".join(
            f"<figure><div>{embedded(image, name)}</div><figcaption>{name}</figcaption></figure>"
            for image, name in zip(sheets["portrait"], names, strict=True)
        )
        parts.append(
            "<h3>A portrait from elsewhere</h3><p class=soft>The astronaut of scikit-image, found and aligned as any "
            f"photo.</p><div class=row>{figures}</div>"
        )
    else:
        parts.append(f"<p class=soft>Not shown: {escape(found['no_portrait'])}.</p>")
    return "".join(parts)


def _spoilt_table(scores: Mapping[str, Any], before: Mapping[str, float]) -> str:
    heads, lines = "", ["<th>as the photo is</th>", "<th>as the model gives it back</th>"]
    for kind in (CLEAN, *SPOILING):
        given = [value for value in scores[f"psnr_{kind}"] if value is not None]
        heads += f"<th>{kind}</th>"
        lines[0] += f"<td>{before[kind]:.1f}</td>" if kind in before else "<td class=soft>–</td>"
        lines[1] += f"<td>{np.mean(given):.1f}</td>" if given else "<td class=soft>–</td>"
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return (
        f"<div class=wide><table class=figures><thead><tr><th>PSNR to the clean face, dB</th>{heads}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>"
    )


def _sheet(faces: np.ndarray) -> str:
    """Lay out (faces, kinds, 2, H, W, 3) pictures: a column per kind, two rows per face."""
    kinds = (CLEAN, *SPOILING)
    heads = "".join(f"<th>{kind}</th>" for kind in kinds)
    lines = []
    for of_face in faces:
        for which, word in enumerate(("seen", "given back")):
            cells = "".join(
                f"<td>{embedded(pictures[which], f'{kind}, {word}')}</td>"
                for kind, pictures in zip(kinds, of_face, strict=True)
            )
            lines.append(f"<tr>{cells}</tr>")
    head, body = f"<thead><tr>{heads}</tr></thead>", f"<tbody>{''.join(lines)}</tbody>"
    return f"<div class=wide><table class=faces>{head}{body}</table></div>"


EXAMPLES, WORST = 12, 10
"""Pairs shown of all methods, the first ones; and of each method, its most ghosted."""

PAPER = "paper"
"""Name of the line that holds the paper's VAE as meant."""

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
.lines { max-width: 62rem; padding-left: 1.2rem; }
@media (max-width: 700px) {
  body { margin: 1rem auto; padding: 0 .8rem; font-size: 14px; }
  .figures th, .figures td { padding: .3rem .4rem; font-size: 12.5px; }
  .figures th:first-child, .figures td:first-child { white-space: normal; overflow-wrap: anywhere; min-width: 5.5rem; }
  .faces img, .none { width: 84px; height: 84px; } .row img { width: 28vw; height: 28vw; }
  .plots { grid-template-columns: 1fr; } dl { grid-template-columns: 1fr; } dd { margin-bottom: .5rem; }
}
dt { font-weight: 600; } summary { cursor: pointer; font-weight: 600; margin: .6rem 0; }
"""


@dataclass(frozen=True)
class ReportMethod:
    """One line of the report."""

    name: str
    record: Mapping[str, Any] = field(repr=False)
    """As `featureblend.evaluation.measuring.Measured.record`."""
    pictures: Mapping[int, np.ndarray] = field(repr=False)
    """Blends by the number of their pair."""
    rows: Sequence[Mapping[str, Any]] = field(repr=False)
    """Lines of metrics.jsonl."""
    sheets: Mapping[str, np.ndarray] = field(default_factory=dict, repr=False)
    """As `featureblend.evaluation.measuring.Measured.sheets`."""

    @property
    def values(self) -> dict[str, Mapping[str, Any]]:
        """The lines by figure."""
        return {row["figure"]: row for row in self.rows}


def worst_pairs(record: Mapping[str, Any]) -> list[int]:
    """A method's most ghosted pairs, the worst first."""
    ghosts = record["scores"].get("ghosting", [])
    order = sorted((-value, index) for index, value in enumerate(ghosts) if value is not None)
    return [index for _, index in order[:WORST]]


def shown_pairs(record: Mapping[str, Any]) -> list[int]:
    """The pairs whose blends the report shows: the first ones, and the most ghosted."""
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
        _features(methods),
        *_tables(shown, methods),
        "<p class=soft>Green: best of the methods in its column, as shown. Small: 95 % interval by the bootstrap over "
        "pairs, for the draw of pairs alone; figures of the whole set have none. <i>real</i>: the parents "
        "themselves.</p>",
        _left_out(blended),
        _identity(blended),
        f"<h2>The first {min(EXAMPLES, len(drawn.pairs))} pairs</h2>",
        _examples(drawn, blended),
        f"<h2>The {WORST} worst of each method, by ghosting</h2>",
        *(_worst(drawn, method) for method in blended),
        *(spoilt_section(method.record, method.sheets) for method in blended),
        "<h2>Spread over the pairs</h2>",
        "<p class=soft>Box: the middle half; blue: the median; line: from the 5th to the 95th percentile.</p>",
        _plots(shown, methods),
        "<h2>What the figures say</h2><dl>",
        *(f"<dt>{escape(figure.title)}</dt><dd>{escape(figure.meaning)}</dd>" for figure in shown),
        "</dl>",
        "<h2>Methods</h2><dl>",
        *(
            f"<dt>{escape(method.name)}</dt><dd>{escape(method.record['note'])}"
            + (f" <span class=soft>({escape(method.record['model'])})</span>" if method.record["model"] else "")
            + "</dd>"
            for method in methods
        ),
        "</dl>",
    ]
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(protocol.name)} – featureblend</title>"
        f"<style>{STYLE}</style></head><body>{''.join(body)}</body></html>\n"
    )
    with atomic_path(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return Path(path)


def _tables(shown: Sequence[Figure], methods: Sequence[ReportMethod]) -> list[str]:
    parts = []
    for head, figures in sections().items():
        measured = [figure for figure in figures if figure in shown]
        if measured:
            with_any = [method for method in methods if any(figure.name in method.values for figure in measured)]
            parts.append(f"<h2>{escape(head)}</h2>{_table(measured, with_any)}")
    return parts


def _table(shown: Sequence[Figure], methods: Sequence[ReportMethod]) -> str:
    values = {method.name: method.values for method in methods}
    best = {figure.name: best_methods(figure, values) for figure in shown}
    lines = []
    for method in methods:
        cells = []
        for figure in shown:
            row = values[method.name].get(figure.name)
            if row is None:
                cells.append("<td class=soft>–</td>")
                continue
            mark = " class=best" if method.name in best[figure.name] else ""
            text = shown_value(figure, row["value"])
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


def _features(methods: Sequence[ReportMethod]) -> str:
    """Lines that tell what the figures stand on, as the command prints them, and what is missing from the table."""
    names: dict[str, str] = {}
    for method in methods:
        names |= method.record["networks"]
    lines = feature_lines(names)
    if not any("nearest_training" in method.values for method in methods):
        lines.append("not measured: the nearest training face (the data hold no train split)")
    if not any(method.name == PAPER for method in methods):
        lines.append("not measured: the paper's VAE as meant (give its model folder with --also paper=FOLDER)")
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f"<ul class=lines>{items}</ul>"


def _left_out(methods: Sequence[ReportMethod]) -> str:
    failed = [method for method in methods if method.record["failures"] or method.record["gaps"]]
    if not failed:
        return "<p>No pair was left out by any method.</p>"
    parts = []
    for method in failed:
        failures, gaps = method.record["failures"], method.record["gaps"]
        lines = [
            f"pair {failure['pair'] + 1} ({' and '.join(failure['photos'])}): {failure['reason']}"
            for failure in (*failures, *gaps)
        ]
        items = "".join(f"<li>{escape(line)}</li>" for line in lines[:20])
        more = f"<li>and {len(lines) - 20} more</li>" if len(lines) > 20 else ""
        counts = f"{len(failures)} of {method.record['count']} pairs left out"
        if gaps:
            counts += f", {len(gaps)} without a continuum or a reconstruction"
        parts.append(f"<details><summary>{escape(method.name)}: {counts}</summary><ul>{items}{more}</ul></details>")
    return "<p><b>Left out, because the method failed on them:</b></p>" + "".join(parts)


def _identity(methods: Sequence[ReportMethod]) -> str:
    found = [method.record["identity"] for method in methods if method.record["identity"]]
    if not found or not any("mmpmr" in method.values for method in methods):
        return "<p class=soft>Identity (MMPMR) was not measured.</p>"
    return (
        f"<p class=soft>Identity: dlib's embeddings. Faces match above a similarity of {found[0]['threshold']:.3f}, "
        f"which one in a thousand of {found[0]['impostors']:,} pairs of different people exceeds. MMPMR counts the "
        f"{found[0]['mated']} of {methods[0].record['count']} pairs of which both people have another photo; the "
        "others are left out.</p>"
    )


def _examples(drawn: Drawn, methods: Sequence[ReportMethod]) -> str:
    heads = "".join(f"<th>{escape(head)}</th>" for head in ("A", "B", *(method.name for method in methods)))
    lines = []
    for index, (a, b) in enumerate(drawn.pairs[:EXAMPLES]):
        cells = [embedded(drawn.faces.images[parent], str(drawn.faces.sources[parent])) for parent in (a, b)]
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
    return embedded(method.pictures[index], f"{method.name}: {words}")


def _worst(drawn: Drawn, method: ReportMethod) -> str:
    figures = []
    for index in worst_pairs(method.record):
        if index not in method.pictures:
            continue
        a, b = drawn.pairs[index]
        images = (drawn.faces.images[a], drawn.faces.images[b], method.pictures[index])
        names = (str(drawn.faces.sources[a]), str(drawn.faces.sources[b]), method.name)
        pictures = "".join(embedded(image, name) for image, name in zip(images, names, strict=True))
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
