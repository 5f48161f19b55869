"""Pieces of the page as HTML: the picture, before and after, a player, a sheet of methods, bars, a table.

Pictures are put into the page itself, so that a moved slider costs one answer and leaves no file.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from PIL import Image

from ..io.metadata import save_options
from .quality import Quality
from .words import Bar

__all__ = [
    "before_after",
    "card",
    "empty",
    "figure",
    "measure_bars",
    "methods_sheet",
    "notice",
    "player",
    "quality_table",
]

OPAQUE_LIMIT = 300 * 300
"""Opaque pictures with more pixels go to the page as JPEG: a PNG of theirs would take longer than the blend."""


def empty(photos: int, ready: str = "") -> str:
    """Placeholder that tells what is missing; `ready` is its text once there are two photos."""
    text = (
        ("Add two photos to see their blend here.", "Add one more photo to see a blend.")[photos]
        if photos < 2
        else ready
    )
    return f'<div class="fb-empty" role="status"><p>{escape(text)}</p></div>'


def notice(text: str, kind: str = "error") -> str:
    """A box with a sentence, as 'error' or 'note'; empty without text."""
    role = "alert" if kind == "error" else "status"
    return f'<p class="fb-notice fb-{kind}" role="{role}">{escape(text)}</p>' if text else ""


def source(picture: Image.Image, recipe: Mapping[str, Any] | None = None) -> str:
    """A data URL of a picture, with its recipe in it."""
    stream = io.BytesIO()
    if picture.width * picture.height > OPAQUE_LIMIT and picture.mode == "RGB":
        picture.save(stream, "JPEG", quality=90, **save_options("a.jpg", recipe))
        kind = "jpeg"
    else:
        picture.save(stream, "PNG", compress_level=1, **save_options("a.png", recipe))
        kind = "png"
    return f"data:image/{kind};base64,{base64.b64encode(stream.getvalue()).decode()}"


def figure(picture: Image.Image, caption: str, recipe: Mapping[str, Any] | None = None) -> str:
    """Show the blend with a line below."""
    return (
        f'<figure class="fb-blend"><img src="{source(picture, recipe)}" alt="The blend: {escape(caption)}" '
        f'width="{picture.width}" height="{picture.height}"><figcaption>{escape(caption)}</figcaption></figure>'
    )


def card(picture: Image.Image, name: str) -> str:
    """Show the face that was found in a photo."""
    return (
        f'<img class="fb-face" src="{source(picture)}" alt="The face found in {escape(name)}" title="{escape(name)}">'
    )


def before_after(before: Image.Image, after: Image.Image, name: str) -> str:
    """Lay the blend over a photo, with a slider for how much of it is uncovered."""
    return (
        '<div class="fb-compare" style="--cut: 50%">'
        f'<div class="fb-layers" style="aspect-ratio: {after.width} / {after.height}">'
        f'<img src="{source(after)}" alt="The blend">'
        f'<img class="fb-before" src="{source(before)}" alt="{escape(name)}"><span class="fb-edge"></span></div>'
        f'<label>{escape(name)}<input type="range" min="0" max="100" value="50" oninput="featureblendCut(this)" '
        f'aria-label="How much of {escape(name)} is shown over the blend">'
        "blend</label></div>"
    )


def player(frames: Sequence[Image.Image], captions: Sequence[str]) -> str:
    """Show pictures one after the other: a slider, and a button that plays them to and fro, as they do at first."""
    shown = "".join(
        f'<img src="{source(frame)}" alt="{escape(caption)}"'
        f"{' hidden' if place else ' onload=featureblendStart(this)'}>"
        for place, (frame, caption) in enumerate(zip(frames, captions, strict=True))
    )
    return (
        f'<div class="fb-player"><div class="fb-frames">{shown}</div><p class="fb-caption" aria-live="off">'
        f'{escape(captions[0])}</p><div class="fb-controls"><button type="button" class="fb-play" '
        'onclick="featureblendPlay(this)">Play</button>'
        f'<input type="range" min="0" max="{len(frames) - 1}" value="0" aria-label="Place in the continuum" '
        'oninput="featureblendHold(this)"></div></div>'
    )


def methods_sheet(found: Iterable[tuple[str, Image.Image, Mapping[str, Any]]]) -> str:
    """Lay the blends of all methods side by side, with their measures below."""
    cells = []
    for title, picture, measures in found:
        lines = [
            f"{word} {measures[name]:.2f}"
            for name, word in (("sharpness", "fine detail"), ("ghosting", "doubled outlines"))
            if measures.get(name) is not None
        ]
        below = "".join(f"<span>{escape(line)}</span>" for line in lines)
        cells.append(
            f'<figure><img src="{source(picture)}" alt="{escape(title)}"><figcaption><b>{escape(title)}</b>{below}'
            "</figcaption></figure>"
        )
    return f'<div class="fb-sheet">{"".join(cells)}</div>'


def measure_bars(sentence: str, drawn: Sequence[Bar], warnings: Sequence[str]) -> str:
    """Show the measures of a blend: a sentence, what speaks against it, and a bar each."""
    rows = "".join(
        f'<li><span class="fb-title">{escape(bar.title)}</span>'
        f'<span class="fb-bar" role="img" aria-label="{escape(bar.title)}: {escape(bar.text)}">'
        f'<i style="width: {100 * bar.value:.0f}%"></i>'
        + (
            ""
            if bar.mark is None
            else f'<b style="left: {100 * bar.mark:.0f}%" title="plain average of the photos"></b>'
        )
        + f'</span><span class="fb-value">{escape(bar.text)}</span><small>{escape(bar.meaning)}</small></li>'
        for bar in drawn
    )
    key = "<p class='fb-key'><b></b> the plain pixel average of the same faces</p>" if drawn else ""
    beware = "".join(f"<li>{escape(warning)}</li>" for warning in warnings)
    return (
        f'<section class="fb-measures"><p class="fb-verdict" aria-live="polite">{escape(sentence)}</p>'
        + (f'<ul class="fb-warnings">{beware}</ul>' if beware else "")
        + f'<ul class="fb-bars">{rows}</ul>{key}</section>'
    )


def quality_table(quality: Quality, model: str) -> str:
    """Show the figures of a model beside those of the older methods."""
    note = quality.doubt(model)
    head = "".join(
        f'<th scope="col" title="{escape(column.meaning)}">{escape(column.title)}</th>' for column in quality.columns
    )
    body = ""
    for row in quality.rows:
        cells = "".join(
            f"<td{' class=fb-best' if column.best_value == row.values.get(column.name) else ''}>"
            f"{column.shown(row.values.get(column.name))}</td>"
            for column in quality.columns
        )
        body += f'<tr{" class=fb-own" if row.own else ""}><th scope="row">{escape(row.title)}</th>{cells}</tr>'
    meanings = "".join(
        f"<dt>{escape(column.title)}</dt><dd>{escape(column.meaning)}</dd>" for column in quality.columns
    )
    return (
        notice(note, "note") + f'<p>{escape(quality.summary())}</p><div class="fb-scroll" tabindex="0" role="region" '
        f'aria-label="Figures of all methods"><table class="fb-table"><thead><tr><th scope="col">method</th>{head}</tr>'
        f'</thead><tbody>{body}</tbody></table></div><dl class="fb-meanings">{meanings}</dl>'
    )
