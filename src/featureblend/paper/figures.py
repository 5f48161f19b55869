"""The paper's figures, drawn from the logs and the weights of our runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..io.files import atomic_path
from ..io.sheets import grid
from .plan import PUBLISHED, Figure
from .results import RunResult
from .running import SHOWN

COLOURS = ("#1d4fb8", "#c2410c", "#15803d", "#7c3aed", "#b45309", "#0e7490", "#be185d", "#4d7c0f", "#334155", "#dc2626")

DPI, LARGEST = 90, 96
"""Pixels an inch; and the side of a face in pixels at most."""

MOMENTS = 6
"""So many rows show a run in time."""

GENERATOR = ("adversarial_reconstruction", "adversarial_blend")
"""What the log calls the generator's adversarial loss; the first that a run has is drawn."""


@dataclass(frozen=True)
class Exhibit:
    """What figures are drawn from."""

    faces: np.ndarray
    """(N, S, S, 3) uint8: held-out faces, at the size that most runs have."""
    results: Mapping[str, RunResult]
    """By the name of the run."""
    made: Mapping[str, np.ndarray] = field(repr=False)
    """Each run's reconstructions of the faces."""
    progress: Mapping[str, Mapping[int, np.ndarray]] = field(repr=False)
    """Rows of reconstructions by images seen, as `progress_pictures` reads them."""


@dataclass(frozen=True)
class Drawing:
    """One picture of a figure."""

    path: Path
    caption: str


def draw_figure(figure: Figure, exhibit: Exhibit, folder: Path) -> list[Drawing]:
    """Draw one of the paper's figures.

    Parameters
    ----------
    figure : Figure
    exhibit : Exhibit
        Runs that are missing are left out.
    folder : Path
        Where the PNGs go; named after the figure.

    Returns
    -------
    list of Drawing
        Empty where no run of the figure is there.
    """
    names = [name for name in figure.presets if name in exhibit.results]
    if not names or figure.key not in _PARTS:
        return []
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"figure-{figure.key}" if figure.key.isdigit() else figure.key
    drawings = []
    for ending, caption, draw in _PARTS[figure.key]:
        path = folder / f"{stem}-{ending}.png"
        if draw(path, exhibit, names):
            drawings.append(Drawing(path, caption))
    return drawings


def draw_rows(path: Path, rows: Sequence[tuple[str, np.ndarray]]) -> None:
    """Draw labelled rows of pictures.

    Parameters
    ----------
    path : Path
        A PNG.
    rows : sequence of (str, (H, W, 3) uint8 array)
        Each a label, or the name of a run, and a row of pictures as one; rows of another height are scaled.
    """
    side = min(max(strip.shape[0] for _, strip in rows), LARGEST) / DPI
    width, left, height = SHOWN * side, 1.6, 1 / len(rows)
    figure = _new(width + left, side * len(rows))
    for place, (label, strip) in enumerate(rows):
        axis = figure.add_axes((left / (width + left), 1 - (place + 1) * height, width / (width + left), height))
        axis.imshow(strip, aspect="auto", interpolation="antialiased")
        axis.axis("off")
        middle = 1 - (place + 0.5) * height
        figure.text((left - 0.1) / (width + left), middle, _label(label), ha="right", va="center", fontsize=8)
    _save(figure, path, tight=False)


def _strip(images: np.ndarray) -> np.ndarray:
    return grid(list(images[:SHOWN]), min(SHOWN, len(images)), gap=0)


def _reconstructions(path: Path, exhibit: Exhibit, names: Sequence[str]) -> bool:
    rows = [("held-out faces", _strip(exhibit.faces))]
    rows += [(name, _strip(exhibit.made[name])) for name in names]
    draw_rows(path, rows)
    return True


def _label(name: str) -> str:
    return name.removeprefix("paper-").removesuffix(PUBLISHED) + ("\nas published" if name.endswith(PUBLISHED) else "")


def _style(name: str, names: Iterable[str]) -> dict[str, Any]:
    """Line style of a system: one colour each; dashed as published, solid as meant."""
    systems = list(dict.fromkeys(other.removesuffix(PUBLISHED) for other in names))
    colour = COLOURS[systems.index(name.removesuffix(PUBLISHED)) % len(COLOURS)]
    published = name.endswith(PUBLISHED)
    return {
        "color": colour,
        "linestyle": "--" if published else "-",
        "linewidth": 1.6,
        "label": _label(name).replace("\n", ", "),
    }


def _curves(number: str, title: str, logarithmic: bool = False) -> Callable[[Path, Exhibit, Sequence[str]], bool]:
    """Make the drawing of one logged number over images seen, all runs in one field."""

    def draw(path: Path, exhibit: Exhibit, names: Sequence[str]) -> bool:
        shown = [name for name in names if len(exhibit.results[name].logged(number)[0])]
        if not shown:
            return False
        figure = _new(9.6, 3.6)
        axis = figure.subplots()
        for name in shown:
            seen, values = exhibit.results[name].logged(number)
            axis.plot(seen, values, **_style(name, names))
        if logarithmic:
            axis.set_yscale("symlog", linthresh=1e-6)  # 0 has a place on it
        _dress(axis, title)
        axis.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
        _save(figure, path)
        return True

    return draw


def _measured(path: Path, exhibit: Exhibit, names: Sequence[str]) -> bool:
    """Draw where each run lies between true and sharp."""
    figure = _new(9.6, 3.8)
    axis = figure.subplots()
    for name in names:
        result, style = exhibit.results[name], _style(name, names)
        face = "none" if name.endswith(PUBLISHED) else style["color"]
        axis.scatter(
            result.psnr, result.sharpness, s=70, facecolors=face, edgecolors=style["color"], label=style["label"]
        )
    axis.axhline(1, color="#98a2b3", linewidth=1)
    _dress(axis, "sharpness of reconstructions, the faces' own = 1", "PSNR of held-out faces, dB")
    axis.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    _save(figure, path)
    return True


def _losses(path: Path, exhibit: Exhibit, names: Sequence[str]) -> bool:
    """Draw the discriminator's and the generator's loss, a field a run."""
    shown = [name for name in names if len(exhibit.results[name].logged("discriminator")[0])]
    if not shown:
        return False
    columns = 2
    rows = -(-len(shown) // columns)
    figure = _new(9.6, 2.1 * rows)
    axes = figure.subplots(rows, columns, squeeze=False)
    for axis, name in zip(axes.flat, shown, strict=False):
        result = exhibit.results[name]
        seen, values = result.logged("discriminator")
        axis.plot(seen, values, color=COLOURS[0], linewidth=1.4, label="discriminator")
        generator = next((term for term in GENERATOR if len(result.logged(term)[0])), None)
        if generator is not None:
            seen, values = result.logged(generator)
            axis.plot(seen, values / result.adversarial, color=COLOURS[1], linewidth=1.4, label="generator")
        _dress(axis, _label(name).replace("\n", ", "))
    axes.flat[0].legend(fontsize=7, frameon=False)
    for axis in axes.flat[len(shown) :]:
        axis.axis("off")
    _save(figure, path)
    return True


def _in_time(path: Path, exhibit: Exhibit, names: Sequence[str]) -> bool:
    """Draw what the published run that lost most variety made as it went on, and the same share as meant."""
    published = [name for name in names if name.endswith(PUBLISHED) and len(exhibit.progress.get(name, {})) > 1]
    if not published:
        return False
    worst = min(published, key=lambda name: (exhibit.results[name].diversity, name))
    rows = []
    for name in (worst, worst.removesuffix(PUBLISHED)):
        moments = [(images, strip) for images, strip in exhibit.progress.get(name, {}).items() if images >= 0]
        for place in sorted({round(at) for at in np.linspace(0, len(moments) - 1, min(MOMENTS, len(moments)))}):
            rows.append((f"{_label(name)}\n{moments[place][0]:,} images", moments[place][1]))
    draw_rows(path, rows)
    return True


def _colour_means(path: Path, exhibit: Exhibit, names: Sequence[str]) -> bool:
    """Draw the mean of each channel of the output over images seen, beside the data's."""
    shown = [name for name in names if len(exhibit.results[name].logged("output_green")[0])]
    if not shown:
        return False
    figure = _new(9.6, 3.4)
    axes = figure.subplots(1, 3, sharey=True)
    for axis, channel, place in zip(axes, ("red", "green", "blue"), range(3), strict=True):
        for name in shown:
            seen, values = exhibit.results[name].logged(f"output_{channel}")
            axis.plot(seen, values, **_style(name, names))
        axis.axhline(exhibit.results[shown[0]].data_means[place], color="#1d2330", linewidth=1, label="the faces")
        _dress(axis, f"mean of {channel}")
    axes[2].legend(fontsize=8, loc="center left", bbox_to_anchor=(1.02, 0.5), frameon=False)
    _save(figure, path)
    return True


def _dress(axis: Any, title: str, below: str = "images seen") -> None:
    axis.set_title(title, fontsize=9, loc="left")
    axis.set_xlabel(below, fontsize=8)
    axis.tick_params(labelsize=8)
    axis.grid(alpha=0.25)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)


def _new(width: float, height: float) -> Any:
    # A figure of its own, not pyplot's: a caller's notebook keeps its backend.
    from matplotlib.figure import Figure as Canvas

    return Canvas(figsize=(width, height))


def _save(figure: Any, path: Path, tight: bool = True) -> None:
    if tight:
        figure.tight_layout()
    with atomic_path(path) as temporary:
        # No software name in the file: the same runs give the same bytes with every version of matplotlib that can.
        figure.savefig(temporary, dpi=DPI, format="png", metadata={"Software": None})


Part = tuple[str, str, Callable[[Path, Exhibit, Sequence[str]], bool]]

_PSNR = "PSNR of held-out faces over images seen, in decibels (averaged weights)."
_VARIETY = "Diversity of the reconstructions over images seen: 1 as various as the faces, 0 all alike."
_PICTURES = "Held-out faces and their reconstructions."

_PARTS: dict[str, tuple[Part, ...]] = {
    "1": (("pictures", _PICTURES, _reconstructions), ("psnr", _PSNR, _curves("validation_psnr", "PSNR, dB"))),
    "2": (("pictures", _PICTURES, _reconstructions), ("psnr", _PSNR, _curves("validation_psnr", "PSNR, dB"))),
    "3": (
        ("pictures", _PICTURES, _reconstructions),
        ("sharpness", "True or sharp: open circles as published, full ones as meant.", _measured),
    ),
    "4": (("pictures", _PICTURES, _reconstructions), ("diversity", _VARIETY, _curves("diversity", "diversity"))),
    "5": (("losses", "The discriminator's loss and the generator's, before its weight.", _losses),),
    "6": (
        ("in-time", "The published run that lost most variety, as it went on, and the same share as meant.", _in_time),
        ("diversity", _VARIETY, _curves("diversity", "diversity")),
    ),
    "7": (
        ("pictures", _PICTURES, _reconstructions),
        (
            "colours",
            "Means of the output's channels over images seen, and the data's: the cast, and its end.",
            _colour_means,
        ),
    ),
    "8": (
        ("losses", "The critic's loss and the generator's, before its weight.", _losses),
        (
            "gradient",
            "The gradient that the generator gets from its critic (its norm): 0 as published.",
            _curves("gradient_adversarial", "norm of the gradient", logarithmic=True),
        ),
    ),
    "improvements": (
        ("pictures", _PICTURES, _reconstructions),
        ("sharpness", "True or sharp: open circles as published, full ones as meant.", _measured),
    ),
}
