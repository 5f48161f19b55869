"""Pieces of the page as HTML, from the template beside this file: the picture, a player, a sheet of methods, bars.

Pictures are put into the page itself, so that a moved slider costs one answer and leaves no file.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from PIL import Image

from ..io.metadata import save_options
from ..io.templates import macros
from .quality import Quality
from .studio import Whole
from .words import Bar

OPAQUE_LIMIT = 300 * 300
"""Opaque pictures with more pixels go to the page as JPEG: a PNG of theirs would take longer than the blend."""


def source(picture: Image.Image, recipe: Mapping[str, Any] | None = None) -> str:
    """A data URL of a picture, with its recipe in it."""
    kind = "jpeg" if picture.width * picture.height > OPAQUE_LIMIT and picture.mode == "RGB" else "png"
    settings: dict[str, Any] = {"quality": 90} if kind == "jpeg" else {"compress_level": 1}
    stream = io.BytesIO()
    picture.save(stream, kind.upper(), **settings, **save_options(f"a.{kind}", recipe))
    return f"data:image/{kind};base64,{base64.b64encode(stream.getvalue()).decode()}"


@cache
def _macros() -> Any:
    return macros("web/fragments.html", source=source)


def empty(photos: int, ready: str = "") -> str:
    """Placeholder that tells what is missing; `ready` is its text once there are two photos."""
    missing = (
        "Add two photos or a pair of example faces to see their blend here.",
        "Add one more photo to see a blend.",
    )
    return str(_macros().empty(missing[photos] if photos < 2 else ready))


def notice(text: str, kind: str = "error") -> str:
    """A box with a sentence, as 'error' or 'note'; empty without text."""
    return str(_macros().notice(text, kind)) if text else ""


def figure(picture: Image.Image, caption: str, recipe: Mapping[str, Any] | None = None) -> str:
    """Show the blend with a line below."""
    return str(_macros().figure(picture, caption, recipe))


def card(picture: Image.Image, name: str, place: int = 1, count: int = 1) -> str:
    """Show the face that was found in a photo, with the handle that moves it to another place."""
    return str(_macros().card(picture, name, place, count))


def pictures(shown: Iterable[tuple[Image.Image, Sequence[tuple[str, int]]]]) -> str:
    """Show pictures above choices of a `gradio.Radio`, which knows only words: each with their ids and places."""
    return str(_macros().pictures(shown))


def cropper(whole: Whole, name: str, place: int) -> str:
    """Show all of the photo in a dialog, to pick a face or a part of it."""
    return str(_macros().cropper(whole, name, place))


def before_after(before: Image.Image, after: Image.Image, name: str) -> str:
    """Lay the blend over a photo, with a slider for how much of it is uncovered."""
    return str(_macros().before_after(before, after, name))


def player(frames: Sequence[Image.Image], captions: Sequence[str]) -> str:
    """Show pictures one after the other: a slider, and a button that plays them to and fro, as they do at first."""
    return str(_macros().player(frames, captions))


def methods_sheet(found: Iterable[tuple[str, Image.Image, Mapping[str, Any]]]) -> str:
    """Lay the blends of all methods side by side, with their measures below."""
    return str(_macros().methods_sheet(found))


def measure_bars(sentence: str, drawn: Sequence[Bar], warnings: Sequence[str]) -> str:
    """Show the measures of a blend: a sentence, what speaks against it, and a bar each."""
    return str(_macros().measure_bars(sentence, drawn, warnings))


def quality_table(quality: Quality, model: str) -> str:
    """Show the figures of a model beside those of the older methods."""
    return str(_macros().quality_table(quality, quality.doubt(model)))
