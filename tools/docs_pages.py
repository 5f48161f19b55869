"""Pages of the documentation that nobody writes by hand: a hook of MkDocs, named in mkdocs.yml.

- ``commands.md``: every command, from its declaration;
- ``examples/*.md``: what ``tools/run_examples.py`` made, with the pictures;
- ``contributing.md`` and ``changelog.md``: the files of these names at the top of the project.
"""

from __future__ import annotations

import argparse
import io
import posixpath
import re
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

from featureblend import __version__
from featureblend.cli import main
from featureblend.cli.commands import COMMANDS
from featureblend.cli.options import parser_of, summary

ROOT = Path(__file__).parents[1]
TOP = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
PICTURE = re.compile(r"!\[[^\]]*\]\(([^)\s]+)\)")


def command_page() -> str:
    """Reference of all commands, from their declarations."""
    overview = io.StringIO()
    with redirect_stdout(overview):
        main(["--help"])
    rows = [f"| [{name}](#{name}) | {_escaped(summary(command))} |" for name, command in COMMANDS.items()]
    parts = [
        "# Commands",
        f"*This page is what the commands of featureblend {__version__} say of themselves.*",
        "```text\nfeatureblend COMMAND ...\n```",
        "\n".join(["| command | what it does |", "|---|---|", *rows]),
        _escaped(overview.getvalue().strip().split("\n\n")[-1]),
    ]
    for name, command in COMMANDS.items():
        parser = parser_of(command, f"featureblend {name}")
        parts += [f"## {name}", _escaped((parser.description or "") % ())]
        parts.append("```sh\n" + "\n".join(line.strip() for line in (parser.epilog or "").splitlines()[1:]) + "\n```")
        parts.append(f"Usage: `{' '.join((parser.usage or '').split())}`")
        rows = [f"| `{_names(action)}` | {_escaped(action.help % {})} |" for action in _shown(parser)]
        parts.append("\n".join(["| option | meaning |", "|---|---|", *rows]))
    return "\n\n".join(parts) + "\n"


def _shown(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """Arguments and options that the help shows."""
    return [action for action in parser._actions if action.help and action.help != argparse.SUPPRESS]


def _names(action: argparse.Action) -> str:
    """How an argument or option is written: ``-o, --out FILE``."""
    value = action.metavar or "/".join(action.choices or ())
    many = " ..." if action.nargs == "+" else ""
    return " ".join(filter(None, [", ".join(action.option_strings), f"{value}{many}"]))


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
