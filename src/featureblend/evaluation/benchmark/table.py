"""A benchmark as Markdown tables, with columns aligned for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def as_text(report: Mapping[str, Any]) -> str:
    """Format the result of `featureblend.evaluation.benchmark.run.benchmark`.

    Returns
    -------
    str
        Markdown, with a line at the end for each thing that could not be timed.
    """
    machine, settings, reference = report["machine"], report["settings"], report["reference"]
    photos = " and ".join(f"{one['name']} ({one['width']} x {one['height']})" for one in settings["photos"])
    model = settings["model"]
    parts = [
        f"featureblend {machine['featureblend']}, model {model['name']}. {machine['system']}, {machine['processor']}, "
        f"{machine['cores']} cores, Python {machine['python']}. Photos: {photos}."
    ]
    if report["rounds"]:
        rounds = "1 round" if report["rounds"] == 1 else f"{report['rounds']} rounds"
        parts[0] += (
            f"\n{rounds}, all in turns. Times are medians, with the middle half in brackets; a ratio is the time over "
            f"that of {reference} in the same round. 'first' opens what is needed and blends once; 'import' is before "
            "it. Memory is the peak of a process that does nothing else; 'added' is what came after its imports."
        )
    scaled = "" if model["size"] == settings["size"] else f" (latent methods work at {model['size']} and scale)"
    if report["use"]:
        uses = [
            (row["name"], _spread(row["ms"]), _spread(row["ratio"]), _middle(row["first_ms"]), row["what"])
            for row in report["use"]
        ]
        header = ("use", "ms", "times faster than facemorpher", "first, ms", "what")
        parts.append("## What people wait for\n\n" + _table(header, uses))
    for key, title in (
        ("blend", f"Two aligned faces of {settings['size']} pixels to one{scaled}"),
        ("whole", "Two photo files to a picture file"),
    ):
        if report[key]:
            columns = ("method", "ms", "ratio", "first, ms", "import, ms", "peak, MB", "added, MB")
            parts.append(f"## {title}\n\n" + _table(columns, [_method_cells(row) for row in report[key]]))
    if report["stages"]:
        stages = [
            (row["name"], _spread(row["ms"]), _share(row), _middle(row["first_ms"]), row["what"])
            for row in report["stages"]
        ]
        header = ("stage", "ms", "share", "first, ms", "what")
        parts.append("## Stages of a latent blend, both photos together\n\n" + _table(header, stages))
    if report["training"]:
        titles = ("preset", "images/s", "times faster than a plain PyTorch loop", "of the matrix rate", "peak, MB")
        parts.append("## Training\n\n" + _table(titles, [_training_cells(report["training"])]))
    if report["left_out"]:
        lines = [f"- {one['part']}, {one['name']}: {one['reason']}" for one in report["left_out"]]
        parts.append("## Left out\n\n" + "\n".join(lines))
    return "\n\n".join(parts) + "\n"


def _method_cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        row["name"],
        _spread(row["ms"]),
        _spread(row["ratio"]),
        _middle(row["first_ms"]),
        _middle(row["import_ms"]),
        _number(row["peak_mb"]),
        _number(row["added_mb"]),
    )


def _training_cells(found: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        found["preset"],
        _number(found["images_per_second"]),
        _spread(found["times_plain"]),
        f"{100 * found['share']:.0f} %",
        _number(found["peak_mb"]),
    )


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Align a Markdown table: the first and a last column of words to the left, numbers to the right.

    Examples
    --------
    >>> print(_table(("a", "ms"), [("pixel", "1.0")]))
    | a     |  ms |
    |-------|----:|
    | pixel | 1.0 |
    """
    columns = list(zip(header, *rows, strict=True))
    widths = [max(map(len, column)) for column in columns]
    words = [place == 0 or title == "what" for place, title in enumerate(header)]

    def line(cells: Sequence[str]) -> str:
        padded = (
            cell.ljust(width) if word else cell.rjust(width)
            for cell, width, word in zip(cells, widths, words, strict=True)
        )
        return f"| {' | '.join(padded)} |"

    rule = "|".join(
        "-" * (width + 2) if word else "-" * (width + 1) + ":" for width, word in zip(widths, words, strict=True)
    )
    return "\n".join([line(header), f"|{rule}|", *map(line, rows)])


def _spread(values: Mapping[str, float] | None) -> str:
    return (
        "–" if values is None else f"{_number(values['median'])} ({_number(values['low'])}–{_number(values['high'])})"
    )


def _middle(values: Mapping[str, float] | None) -> str:
    return "–" if values is None else _number(values["median"])


def _share(row: Mapping[str, Any]) -> str:
    """Format a stage's share of the whole; on-demand stages are added to it."""
    return ("+" if row["on_demand"] else "") + f"{100 * row['share']['median']:.1f} %"


def _number(value: float | None) -> str:
    """Format a number with three digits, or all those before the point.

    Examples
    --------
    >>> _number(0.01234), _number(1.0), _number(1234.4), _number(None)
    ('0.0123', '1.00', '1234', '–')
    """
    if value is None:
        return "–"
    if abs(value) < 1:
        return f"{value:.3g}"
    return f"{value:.{max(0, 3 - len(str(int(abs(value)))))}f}"
