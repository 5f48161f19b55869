"""Paste the tables of evaluations into documents, between their markers.

    python tools/paste_table.py out/pairs1k out/pairs200 --into docs/evaluation.md README.md

Each folder is what `featureblend evaluate --out FOLDER` wrote. A place in a document takes the first folder that
has one of its figures, and says what it shows, so that pasting again needs nothing but the results::

    <!-- evaluation: figures=patch_kid,ghosting methods=latent,pixel -->
    what stands here is replaced
    <!-- end of evaluation -->

`figures` and `methods` are both optional: all that were measured. Lines of methods that were not measured are left out.
``protocol=NAME`` says of which protocol, where the document has several.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from featureblend.errors import FeatureblendError
from featureblend.evaluation.figures import CEILING, FIGURES, REAL, best_methods, shown_value
from featureblend.io.files import atomic_path
from featureblend.io.tables import check_choice

PLACE = re.compile(
    r"(?P<start><!-- evaluation:(?P<what>[^>]*)-->\n)(?P<table>.*?)(?P<end><!-- end of evaluation -->)", re.DOTALL
)

Row = Mapping[str, Any]
"""A line of metrics.jsonl."""


def read_metrics(folder: str | os.PathLike[str]) -> list[Row]:
    """Read the lines of an evaluation's metrics.jsonl.

    Raises
    ------
    FeatureblendError
        If there is none, or it is damaged.
    """
    path = Path(folder) / "metrics.jsonl"
    try:
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        known = [row for row in rows if row["figure"] in FIGURES and {"method", "value", "protocol"} <= set(row)]
    except OSError as error:
        raise FeatureblendError(f"cannot read {path}: {error.strerror}; `featureblend evaluate` writes it") from error
    except (ValueError, KeyError, TypeError) as error:
        raise FeatureblendError(f"{path} is damaged: run the evaluation again") from error
    if not known:
        raise FeatureblendError(f"{path} holds no figures that are known here: run the evaluation again")
    return known


def markdown_table(rows: Sequence[Row], figures: Sequence[str] = (), methods: Sequence[str] = ()) -> str:
    """Format an evaluation's figures as a table: a row per method, a column per figure, the best in bold.

    Parameters
    ----------
    rows : sequence of mappings
        As `read_metrics`.
    figures, methods : sequence of str
        Which, in this order; all that were measured by default.

    Returns
    -------
    str
        Markdown, with the protocol under it; ends with a line's end.
    """
    values: dict[str, dict[str, Row]] = {}
    for row in rows:
        values.setdefault(row["method"], {})[row["figure"]] = row
    shown = [FIGURES[name] for name in figures or FIGURES if any(name in measured for measured in values.values())]
    names = [name for name in methods or values if name in values]
    best = {figure.name: best_methods(figure, values) for figure in shown}
    lines = ["| method | " + " | ".join(figure.title for figure in shown) + " |", "|---" * (len(shown) + 1) + "|"]
    for name in names:
        cells = []
        for figure in shown:
            measured = values[name].get(figure.name)
            text = "–" if measured is None else shown_value(figure, measured["value"])
            cells.append(f"**{text}**" if name in best[figure.name] else text)
        label = f"*{name}*" if name in (REAL, CEILING) else name
        lines.append("| " + " | ".join([label, *cells]) + " |")
    models = {row["method"]: row["model"] for row in rows if row.get("model") and row["method"] in names}
    said = f"Protocol `{rows[0]['protocol']}`, data `{rows[0]['data']}`"
    if "latent" in models:
        said += f", model `{models['latent']}`"
    features = sorted({row["features"] for row in rows if row.get("features") and row["figure"] in figures})
    if features:
        said += f", features {', '.join(features)}"
    return "\n".join([*lines, "", f"*{said}. Bold: best in its column.*", ""])


def pasted(text: str, results: Sequence[Sequence[Row]], source: str = "the document") -> str:
    r"""The document with its marked tables replaced.

    Parameters
    ----------
    text : str
        Markdown.
    results : sequence of sequences of mappings
        Each as `read_metrics`; a place takes the first that have one of its figures.
    source : str
        What the document is called, for messages.

    Returns
    -------
    str
        A place of which no figure was measured, or not by the protocol that it names, stays as it is.

    Raises
    ------
    FeatureblendError
        If there is no place, or one asks for what is not known.
    """
    if not PLACE.search(text):
        raise FeatureblendError(
            f"{source} has no place for a table: put <!-- evaluation: --> and <!-- end of evaluation --> on lines of "
            "their own"
        )

    def filled(place: re.Match[str]) -> str:
        asked = _asked(place["what"], source)
        wanted, protocols = set(asked["figures"]) or set(FIGURES), asked.pop("protocol")
        for rows in results:
            if rows[0]["protocol"] in (protocols or [rows[0]["protocol"]]) and any(
                row["figure"] in wanted for row in rows
            ):
                return place["start"] + markdown_table(rows, **asked) + place["end"]
        return place[0]

    return PLACE.sub(filled, text)


def _asked(what: str, source: str) -> dict[str, list[str]]:
    asked: dict[str, list[str]] = {"figures": [], "methods": [], "protocol": []}
    for word in what.split():
        key, _, names = word.partition("=")
        if key not in asked or not names:
            raise FeatureblendError(
                f"{source}: {word!r} is not known in a place; figures=A,B, methods=A,B or protocol=A are"
            )
        asked[key] = names.split(",")
    for name in asked["figures"]:
        check_choice(name, f"figure of {source}", FIGURES)
    return asked


def main(words: list[str] | None = None) -> None:
    """Read the results, then write each document that changes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("results", nargs="+", metavar="FOLDER", help="what `featureblend evaluate` wrote")
    parser.add_argument("--into", nargs="+", required=True, metavar="FILE", help="Markdown documents with markers")
    options = parser.parse_args(words)
    try:
        results = [read_metrics(folder) for folder in options.results]
        texts = {path: path.read_text(encoding="utf-8") for path in map(Path, options.into)}
        made = {path: pasted(text, results, str(path)) for path, text in texts.items()}
    except OSError as error:
        sys.exit(f"paste_table: cannot read {error.filename}: {error.strerror}")
    except FeatureblendError as error:
        sys.exit(f"paste_table: {error}")
    for path, text in made.items():
        if text != texts[path]:
            with atomic_path(path) as temporary:
                temporary.write_text(text, encoding="utf-8")
        print(f"{path}: {'pasted' if text != texts[path] else 'as it was'}")


if __name__ == "__main__":
    main()
