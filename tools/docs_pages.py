"""Pages of the documentation that nobody writes by hand: a hook of MkDocs, named in mkdocs.yml.

- ``commands.md``: every command, from its own ``--help``;
- ``examples/*.md``: what ``tools/run_examples.py`` made, with the pictures;
- ``contributing.md`` and ``changelog.md``: the files of these names at the top of the project.
"""

from __future__ import annotations

import io
import os
import posixpath
import re
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

from featureblend import __version__
from featureblend.cli import main
from featureblend.cli.commands import COMMANDS

ROOT = Path(__file__).parents[1]
TOP = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
PICTURE = re.compile(r"!\[[^\]]*\]\(([^)\s]+)\)")


@dataclass
class Help:
    """What a command's ``--help`` says, taken apart."""

    usage: str
    text: list[str] = field(default_factory=list)
    """Paragraphs."""
    examples: list[str] = field(default_factory=list)
    options: list[tuple[str, str]] = field(default_factory=list)
    """Arguments and options, each with its explanation."""


def shown(words: list[str]) -> str:
    """Give what the command line prints."""
    said, columns = io.StringIO(), os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = "1000"  # so that nothing is broken into lines
    try:
        with redirect_stdout(said), suppress(SystemExit):
            main(words)
    finally:
        os.environ.pop("COLUMNS") if columns is None else os.environ.update(COLUMNS=columns)
    return said.getvalue()


def read_help(name: str) -> Help:
    """Take the help of a command apart."""
    found, inside = Help(""), False
    for raw in shown([name, "--help"]).splitlines():
        line = raw.strip("│╭╰╮╯─").rstrip()
        bare = line.strip(" -─")
        if raw.startswith("usage: "):
            found.usage = raw.removeprefix("usage: ")
        elif bare in ("options", "positional arguments"):
            inside = True
        elif not bare:
            continue
        elif not inside:
            parts = re.split(r"(?=Example: )", line.strip())
            found.text += [part.strip() for part in parts if part.strip() and not part.startswith("Example: ")]
            found.examples += [part.removeprefix("Example: ").strip() for part in parts if part.startswith("Example: ")]
        else:
            start, _, rest = line.strip().partition("  ")
            deep = len(line) - len(line.lstrip())
            if deep > 4:
                option, text = found.options[-1]
                found.options[-1] = (option, f"{text} {line.strip()}".strip())
            else:
                found.options.append((start.strip(), rest.strip()))
    if not found.usage or not found.options:
        raise PluginError(f"the help of `featureblend {name}` can't be read: has its look changed?")
    return found


def command_page() -> str:
    """Write the reference of all commands."""
    head, *middle, tail = re.split(r"\n\n", shown(["--help"]).removeprefix("usage: ").strip())
    listed = [re.fullmatch(r"  (\S+) +(.*)", line) for line in "\n".join(middle).splitlines()]
    rows = [f"| [{line[1]}](#{line[1]}) | {_escaped(line[2])} |" for line in listed if line]
    if len(rows) != len(COMMANDS):
        raise PluginError("`featureblend --help` can't be read: has its look changed?")
    parts = [
        "# Commands",
        f"*This page is what the commands of featureblend {__version__} say of themselves.*",
        f"```text\n{head}\n```",
        "\n".join(["| command | what it does |", "|---|---|", *rows]),
        _escaped(tail),
    ]
    for name in COMMANDS:
        said = read_help(name)
        parts += [f"## {name}", *map(_escaped, said.text)]
        if said.examples:
            parts.append("```sh\n" + "\n".join(said.examples) + "\n```")
        rows = [f"| `{option.replace('|', '/')}` | {_escaped(text)} |" for option, text in said.options]
        parts.append("\n".join([f"| `{said.usage}` | |", "|---|---|", *rows]))
    return "\n\n".join(parts) + "\n"


def _escaped(text: str) -> str:
    """Keep what Markdown would read as a sign; code stays code."""
    return "".join(
        part if place % 2 else re.sub(r"([*_<>|\[\]])", r"\\\1", part)
        for place, part in enumerate(re.split(r"(`[^`]*`)", text))
    )


def example_files(folder: Path, config: Any) -> list[File]:
    """Take the pages of the examples and the pictures that they show."""
    names = sorted(path.stem for path in (ROOT / "examples").glob("*.py"))
    missing = [name for name in names if not (folder / f"{name}.md").is_file()]
    if missing:
        raise PluginError(
            f"{folder / missing[0]}.md is missing: `python tools/run_examples.py` makes it (or `make docs`)"
        )
    found = []
    for name in names:
        text = (folder / f"{name}.md").read_text(encoding="utf-8")
        found.append(File.generated(config, f"examples/{name}.md", content=text))
        found += [
            File.generated(config, f"examples/{shown}", abs_src_path=str((folder / shown).resolve()))
            for shown in PICTURE.findall(text)
        ]
    return found


def on_config(config: Any) -> Any:
    """Put the paper's pages into the menu, if they are there."""
    if (ROOT / "docs" / "paper" / "README.md").is_file():
        project = next(entry["Project"] for entry in config.nav if "Project" in entry)
        project.insert(-2, {"The paper, run again": "paper/README.md"})
    return config


def on_files(files: Files, *, config: Any) -> Files:
    """Add the generated pages to what MkDocs found."""
    files.append(File.generated(config, "commands.md", content=command_page()))
    for top, page in TOP.items():
        files.append(File.generated(config, page, content=_links_within((ROOT / top).read_text(encoding="utf-8"))))
    for file in example_files(ROOT / config.extra["examples"], config):
        files.append(file)
    return files


def _links_within(text: str) -> str:
    """Turn a link from the project's top into one from the documentation's."""
    text = re.sub(r"\]\(docs/([^)\s]+)\)", r"](\1)", text)
    for top, page in TOP.items():
        text = text.replace(f"]({top})", f"]({page})")
    return text


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Let links that leave the documentation find their page, or give the file's name where it has none."""
    here = posixpath.dirname(page.file.src_uri)

    def link(found: re.Match[str]) -> str:
        text, target = found.groups()
        path = posixpath.normpath(posixpath.join("docs", here, target))
        if path.startswith("docs/") or not (ROOT / path).exists():  # MkDocs judges these
            return found[0]
        if path in TOP:
            return f"[{text}]({posixpath.relpath(TOP[path], here or '.')})"
        return text if f"`{path}`" in text else f"{text} (`{path}`)"

    return re.sub(r"(?<!!)\[([^\[\]]+)\]\(((?:\.\./)+[^)#\s]+)\)", link, markdown)


def on_page_content(html: str, **_: Any) -> str:
    """Fix the one word of numpydoc that is read as a subtraction."""
    return html.replace("path - like", "path-like")
