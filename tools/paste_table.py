"""Paste the tables of evaluations into documents, between their markers.

    python tools/paste_table.py out/pairs1k out/pairs200 --into docs/evaluation.md README.md

Each folder is what `featureblend evaluate --out FOLDER` wrote. A place in a document takes the first folder that
has one of its figures; see `featureblend.evaluation.markdown`. Pasting the same results again changes nothing.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from featureblend.errors import FeatureblendError
from featureblend.evaluation.markdown import pasted, read_metrics
from featureblend.io.files import atomic_path


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
