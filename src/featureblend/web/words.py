"""Sentences and bars that show a blend's measures on the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..io.photo_warnings import CHOOSE_FACE, NO_RESTORATION

HINTS = {
    NO_RESTORATION: "the box beside the picture leaves it as it is",
    CHOOSE_FACE: "its button “Faces” shows all of them",
}
"""What the page says where warnings name an option of the command line."""


@dataclass(frozen=True)
class Bar:
    """One measure to be drawn."""

    title: str
    """What it is."""
    value: float
    """Its length, 0 to 1."""
    text: str
    """The figure beside it."""
    meaning: str
    """What it says, in a few words."""
    mark: float | None = None
    """Where the plain pixel average of the same faces stands, 0 to 1."""


def shares(names: Sequence[str], weights: Sequence[float]) -> str:
    """The share of each photo in the blend, as text.

    Examples
    --------
    >>> shares(["ana.jpg", "ben.jpg"], [30, 10])
    'ana.jpg 75 % · ben.jpg 25 %'
    """
    total = sum(weights) or 1.0
    return " · ".join(f"{name} {_percent(weight / total)}" for name, weight in zip(names, weights, strict=True))


def verdict(measures: Mapping[str, Any], average: Mapping[str, Any], names: Sequence[str]) -> str:
    """Plain sentences on a blend's quality, compared with the pixel average of the same faces.

    Parameters
    ----------
    measures, average : mapping
        As `featureblend.metrics.measures.blend_measures` gives them, of the blend and of the pixel average.
    names : sequence of str
        The photos' names, in order.

    Examples
    --------
    >>> verdict({"sharpness": 0.8, "ghosting": 0.4, "distances": [3, 6]}, {"sharpness": 0.5, "ghosting": 0.66}, "AB")
    'Sharper than a plain average of the photos (80 % of their fine detail; the average keeps 50 %). 40 % of outlines doubled (plain average: 66 %). It looks more like A than like B.'
    """  # noqa: E501
    said = []
    sharp, plain = measures.get("sharpness"), average.get("sharpness")
    if sharp is not None and plain is not None:
        word = "Sharper than" if sharp > 1.05 * plain else "Softer than" if plain > 1.05 * sharp else "As sharp as"
        said.append(
            f"{word} a plain average of the photos ({_percent(sharp)} of their fine detail; "
            f"the average keeps {_percent(plain)})."
        )
    said.append(
        f"{_percent(measures['ghosting'])} of outlines doubled (plain average: {_percent(average['ghosting'])})."
    )
    distances = measures.get("distances") or []
    if len(distances) >= 2 and max(distances) > 0:
        near, far = (sorted(range(len(distances)), key=distances.__getitem__)[end] for end in (0, -1))
        if distances[far] < 1.15 * distances[near]:
            said.append("It looks about as much like each photo.")
        else:
            said.append(f"It looks more like {names[near]} than like {names[far]}.")
    return " ".join(said)


def on_page(warnings: Sequence[str]) -> list[str]:
    """Warnings that name the page's parts instead of options of the command line.

    Examples
    --------
    >>> on_page([f"ana.jpg: 3 faces are in it; the largest is taken ({CHOOSE_FACE})"])
    ['ana.jpg: 3 faces are in it; the largest is taken (its button “Faces” shows all of them)']
    """
    found = []
    for line in warnings:
        for option, part in HINTS.items():
            line = line.replace(option, part)
        found.append(line)
    return found


def bars(measures: Mapping[str, Any], average: Mapping[str, Any], names: Sequence[str]) -> list[Bar]:
    """Choose the measures that are drawn.

    Parameters and values as in `verdict`.

    Examples
    --------
    >>> [bar.text for bar in bars({"sharpness": 0.8, "ghosting": 0.4}, {"sharpness": 0.5, "ghosting": 0.66}, "AB")]
    ['80 %', '40 %']
    """
    found = []
    titles = {
        "sharpness": ("Fine detail", "100 % is as much as the photos have"),
        "ghosting": ("Doubled outlines", "less is better; 100 % is a cross-dissolve"),
        "ghosting_inside_face": ("… inside the face", "between brows and chin"),
        "ghosting_outside_face": ("… around the face", "hair, ears, neck and background"),
    }
    for name, (title, meaning) in titles.items():
        value, plain = measures.get(name), average.get(name)
        if value is not None:
            mark = None if plain is None else min(plain, 1.0)
            found.append(Bar(title, min(value, 1.0), _percent(value), meaning, mark))
    likeness = measures.get("similarity")
    if isinstance(likeness, (list, tuple)) and len(likeness) == len(names):
        for name, value in zip(names, likeness, strict=True):
            if value is not None:
                meaning = "100 % is that photo, 0 no nearer than the others are"
                found.append(Bar(f"Likeness to {name}", min(max(value, 0.0), 1.0), _percent(value), meaning))
    return found


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
