"""Run the narrated examples, and write each as a page: its text, its code, what it printed, and its pictures.

    python tools/run_examples.py [NAME ...] [--stale]

An example is a Python file in the percent format, which notebooks open too: cells begin with ``# %%``, those of text
with ``# %% [markdown]``. All run in one process, top to bottom, and write their pictures to out/examples/, where
the pages go as NAME.md; `make docs` takes them from there.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import sys
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
OUT = Path("out/examples")
"""Where the examples write, seen from the folder that they run in."""


@dataclass(frozen=True)
class Cell:
    """One cell of an example."""

    kind: str
    """'markdown' or 'code'."""
    source: str
    line: int
    """Where it begins in the file, from 1."""


def names() -> list[str]:
    """List the examples."""
    return sorted(path.stem for path in EXAMPLES.glob("*.py"))


def cells(text: str) -> list[Cell]:
    r"""Take an example apart.

    >>> [cell.kind for cell in cells("# %% [markdown]\n# # Title\n\n# %%\nprint(1)\n")]
    ['markdown', 'code']
    """
    found = []
    lines = text.splitlines()
    marks = [place for place, line in enumerate(lines) if line.startswith("# %%")]
    for start, stop in zip(marks, [*marks[1:], len(lines)], strict=True):
        body = lines[start + 1 : stop]
        if "[markdown]" in lines[start]:
            source = "\n".join(re.sub(r"^# ?", "", line) for line in body).strip()
            found.append(Cell("markdown", source, start + 2))
        else:
            first = next(place for place, line in enumerate(body) if line)
            found.append(Cell("code", "\n".join(body).strip(), start + first + 2))
    return found


def run(name: str) -> str:
    """Run an example in the current folder and give its page."""
    path = EXAMPLES / f"{name}.py"
    space: dict[str, object] = {"__name__": "__main__"}
    parts = []
    for cell in cells(path.read_text(encoding="utf-8")):
        if cell.kind == "markdown":
            parts.append(cell.source)
            continue
        said = io.StringIO()
        with redirect_stdout(said):
            exec(compile("\n" * (cell.line - 1) + cell.source, str(path), "exec"), space)
        parts.append(f"```python\n{cell.source}\n```")
        if said.getvalue().strip():
            parts.append(f'```text title="prints"\n{said.getvalue().rstrip()}\n```')
    parts.append(f"*The whole example is the file `examples/{name}.py`: run it with Python, or open it as a notebook.*")
    return "\n\n".join(parts) + "\n"


def _fresh(page: Path, newest: float) -> bool:
    return page.is_file() and page.stat().st_mtime >= newest


def main(words: list[str] | None = None) -> None:
    """Run the examples that are named, or all."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="examples, such as blend; all if left out")
    parser.add_argument("--stale", action="store_true", help="leave alone what is newer than the code and the models")
    options = parser.parse_args(words)
    unknown = [name for name in options.names if name not in names()]
    if unknown:
        sys.exit(f"run_examples: there is no example {unknown[0]!r}: use {', '.join(names())}")
    sources = [path for path in (ROOT / "src").rglob("*") if path.suffix in (".py", ".png", ".json", ".onnx")]
    newest = max(path.stat().st_mtime for path in sources)
    OUT.mkdir(parents=True, exist_ok=True)
    for name in options.names or names():
        page = OUT / f"{name}.md"
        if options.stale and _fresh(page, max(newest, (EXAMPLES / f"{name}.py").stat().st_mtime)):
            continue
        temporary = page.with_suffix(".part")
        temporary.write_text(run(name), encoding="utf-8")
        os.replace(temporary, page)
        print(page)


if __name__ == "__main__":
    main()
