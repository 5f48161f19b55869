"""The report of a reproduction: one self-contained HTML file."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

import numpy as np
from PIL import Image

from ..evaluation.figures import FIGURES as SCORES
from ..evaluation.figures import REAL, best_methods, shown_value
from ..evaluation.report import STYLE
from ..io.files import atomic_path
from .claims import Claim
from .figures import Drawing
from .merging import Merged
from .plan import Figure
from .results import RunResult
from .rules import CONFIRMED, EXPLAINED, REFUTED, Finding

__all__ = ["Reproduction", "write_report"]

PAIRS = 8
"""Pairs shown of every method."""

MERGING_SCORES = (
    "patch_kid",
    "critic_auc",
    "sharpness",
    "ghosting",
    "ghosting_inside",
    "balance",
    "diversity",
    "path_irregularity",
    "reconstruction_psnr",
    "cycle_error",
)
"""What tells merges apart; `featureblend evaluate` measures more."""

MORE_STYLE = """
.claims td, .claims th { padding: .45rem .6rem; vertical-align: top; text-align: left; border-bottom: 1px solid
  var(--line); } .claims thead th { background: #f7f8fa; font-size: .85rem; } .claims td { max-width: 34rem; }
.verdict { font-weight: 700; white-space: nowrap; } .confirmed { color: #14713d; } .refuted { color: #b42318; }
.explained { color: #1d4fb8; } .open { color: var(--soft); }
.drawing { margin: .8rem 0 1.2rem; } .drawing img { max-width: 100%; display: block; }
.merged img { width: 88px; height: 88px; display: block; border-radius: 3px; } .merged td { padding: 2px; }
.merged th { text-align: right; padding-right: .7rem; font-size: .82rem; font-weight: 600; white-space: nowrap; }
"""


@dataclass(frozen=True)
class Reproduction:
    """Contents of the report."""

    subjects: str
    """Which faces it ran on."""
    conditions: str
    """Quick or full, the pictures' size, the machine."""
    figures: Sequence[tuple[Figure, Sequence[Drawing]]]
    """What was drawn."""
    findings: Sequence[tuple[Claim, Finding]]
    """What became of each claim."""
    results: Mapping[str, RunResult]
    """By run."""
    missing: Sequence[str]
    """Runs that are due but were not begun."""
    merged: Merged | None = field(default=None, repr=False)
    """Blends by every method, where they were asked for."""
    merged_note: str = ""
    """Why there are none, where they were asked for."""


def write_report(path: str | os.PathLike[str], reproduction: Reproduction) -> Path:
    """Write the report.

    Parameters
    ----------
    path : path-like
        The HTML file.
    reproduction : Reproduction

    Returns
    -------
    Path
    """
    body = [
        "<h1>Feature blending with VAEs and GANs, reproduced</h1>",
        "<p class=soft>C. Salomon Ruiz and L. Lipson, <i>Feature Blending with Variational Autoencoders and Generative "
        "Adversarial Networks</i>: every system that the paper names, trained again, those that failed both as "
        "published and as meant.</p>",
        f"<p><b>Ran on:</b> {escape(reproduction.subjects)}.<br><b>How:</b> {escape(reproduction.conditions)}.</p>",
        "<h2>The paper's claims</h2>",
        _claims(reproduction.findings),
        *(_figure(figure, drawings) for figure, drawings in reproduction.figures if figure.key != "merging"),
        *_merging(reproduction),
        "<h2>How far each run got</h2>",
        _runs(reproduction),
    ]
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        "<title>The paper, reproduced – featureblend</title>"
        f"<style>{STYLE}{MORE_STYLE}</style></head><body>{''.join(body)}</body></html>\n"
    )
    with atomic_path(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return Path(path)


def _claims(findings: Sequence[tuple[Claim, Finding]]) -> str:
    if not findings:
        return "<p>None bears on what was asked for.</p>"
    kinds = (CONFIRMED, REFUTED, EXPLAINED)
    lines = []
    for claim, finding in findings:
        kind = finding.verdict if finding.verdict in kinds else "open"
        lines.append(
            f"<tr><td>{escape(claim.words)}<br><small>section {escape(claim.place)}</small></td>"
            f'<td class="verdict {kind}">{escape(finding.verdict)}</td>'
            f"<td>{escape(finding.numbers)}</td><td class=soft>{escape(claim.rule)}</td></tr>"
        )
    counts = ", ".join(f"{sum(finding.verdict == kind for _, finding in findings)} {kind}" for kind in kinds)
    left = sum(finding.verdict not in kinds for _, finding in findings)
    return (
        f"<p>{counts}{f', {left} open' if left else ''}. <i>Confirmed</i>: it is so. <i>Refuted</i>: it is not. "
        "<i>Explained</i>: it is so as published, and not once the flaw is mended. Each verdict is the rule's at the "
        "right, applied to the numbers beside it; it holds for these faces, this size and so many images.</p>"
        "<div class=wide><table class=claims><thead><tr><th>the paper says</th><th>our runs</th><th>measured</th>"
        f"<th>rule</th></tr></thead><tbody>{''.join(lines)}</tbody></table></div>"
    )


def _figure(figure: Figure, drawings: Sequence[Drawing]) -> str:
    shown = "".join(
        f'<figure class=drawing><img src="data:image/png;base64,{_encoded(drawing.path.read_bytes())}" '
        f'alt="{escape(drawing.caption)}"><figcaption>{escape(drawing.caption)}</figcaption></figure>'
        for drawing in drawings
    )
    return f"<h2>{escape(figure.title)}</h2>{shown or '<p class=soft>None of its runs was begun.</p>'}"


def _merging(reproduction: Reproduction) -> list[str]:
    heading = next((figure.title for figure, _ in reproduction.figures if figure.key == "merging"), None)
    if heading is None:
        return []
    merged = reproduction.merged
    if merged is None:
        return [f"<h2>{escape(heading)}</h2><p class=soft>{escape(reproduction.merged_note)}</p>"]
    protocol, size = merged.drawn.protocol, merged.drawn.faces.images.shape[1]
    return [
        f"<h2>{escape(heading)}</h2>",
        "<p>The paper ends: <q>we did not get to actually average two embeddings and see the decoded results</q>. "
        f"Here they are: {protocol.count} pairs of two people of the {escape(protocol.split)} split at {size} pixels, "
        "by each system, by the bundled model (<i>featureblend</i>), and by what needs no learning.</p>",
        _scores(merged),
        "<p class=soft>Green: best in its column. <i>real</i>: the parents themselves. A blurred or collapsed system "
        "has no ghosts to show: read sharpness and diversity beside ghosting. patch-KID and critic AUC stand on patch "
        "statistics, not Inception.</p>",
        _pairs(merged),
        "<h3>Methods</h3><dl>",
        *(f"<dt>{escape(name)}</dt><dd>{escape(note)}</dd>" for name, note in merged.notes.items()),
        "</dl>",
    ]


def _scores(merged: Merged) -> str:
    shown = [SCORES[name] for name in MERGING_SCORES if any(name in rows for rows in merged.values.values())]
    best = {figure.name: best_methods(figure, merged.values) for figure in shown}
    lines = []
    for method, rows in merged.values.items():
        cells = []
        for figure in shown:
            text = shown_value(figure, rows[figure.name]["value"]) if figure.name in rows else "–"
            cells.append(f"<td{' class=best' if method in best[figure.name] else ''}>{text}</td>")
        left_out = f" ({merged.failures[method]} left out)" if merged.failures[method] else ""
        style = " class=real" if method == REAL else ""
        lines.append(f"<tr{style}><th>{escape(method + left_out)}</th>{''.join(cells)}</tr>")
    heads = "".join(f'<th title="{escape(figure.meaning)}">{escape(figure.title)}</th>' for figure in shown)
    return (
        f"<div class=wide><table class=figures><thead><tr><th>method</th>{heads}</tr></thead>"
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def _pairs(merged: Merged) -> str:
    pairs = merged.drawn.pairs[:PAIRS]
    faces = merged.drawn.faces.images
    rows: list[tuple[str, list[np.ndarray | None]]] = [
        ("A", [faces[a] for a, _ in pairs]),
        ("B", [faces[b] for _, b in pairs]),
    ]
    for method, blends in merged.pictures.items():
        if method != REAL:
            rows.append((method, [blends.get(index) for index in range(len(pairs))]))
    lines = []
    for label, images in rows:
        cells = "".join(f"<td>{_picture(image, label)}</td>" for image in images)
        lines.append(f"<tr><th>{escape(label)}</th>{cells}</tr>")
    return f"<div class=wide><table class=merged><tbody>{''.join(lines)}</tbody></table></div>"


def _picture(image: np.ndarray | None, name: str) -> str:
    if image is None:
        return "left out"
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=88)
    return f'<img src="data:image/jpeg;base64,{_encoded(stream.getvalue())}" alt="{escape(name)}" loading="lazy">'


def _encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _runs(reproduction: Reproduction) -> str:
    lines = []
    for name, run in reproduction.results.items():
        means = " / ".join(f"{mean:.2f}" for mean in run.means)
        cells = (
            f"{run.images:,} of {run.due:,}",
            f"{100 * run.share:.0f} %",
            f"{run.seconds / 60:.1f}",
            f"{run.psnr:.2f}",
            f"{run.sharpness:.2f}",
            f"{run.diversity:.2f}",
            means,
        )
        note = run.description + (f" – {run.trouble}" if run.trouble else "")
        lines.append(
            f'<tr><th title="{escape(note)}">{escape(name)}</th>'
            + "".join(f"<td>{cell}</td>" for cell in cells)
            + "</tr>"
        )
    lines += [f"<tr><th>{escape(name)}</th><td>not begun</td>{'<td>–</td>' * 6}</tr>" for name in reproduction.missing]
    heads = "".join(
        f"<th>{head}</th>"
        for head in ("images seen", "done", "minutes", "PSNR dB", "sharpness", "diversity", "R / G / B")
    )
    described = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(run.description)}"
        + "".join(f" <b>{escape(note)}</b>" for note in (run.trouble, run.collapse) if note)
        + "</dd>"
        for name, run in reproduction.results.items()
    )
    return (
        "<p class=soft>Measured with the averaged weights on held-out people. Run the same command again to go on with "
        "what is not done.</p>"
        f"<div class=wide><table class=figures><thead><tr><th>run</th>{heads}</tr></thead>"
        f"<tbody>{''.join(lines)}</tbody></table></div><h3>What each run is</h3><dl>{described}</dl>"
    )
