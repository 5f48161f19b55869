"""The documentation: its commands work, its examples run, and its pages are built without a warning."""

import ast
import os
import re
import shlex
import shutil
import subprocess
import sys
from html import unescape
from pathlib import Path

import pytest
import run_examples
from command_line import shared_detector  # noqa: F401
from PIL import Image

import featureblend
from featureblend.cli import main
from featureblend.cli.commands import COMMANDS
from featureblend.cli.options import options_of, parse, summary
from featureblend.faces import EXAMPLES

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
FOLDERS = (ROOT / "docs", ROOT / "docs" / "how-to", ROOT / "docs" / "tutorials")
PAGES = [README, *(page for folder in FOLDERS for page in sorted(folder.glob("*.md")))]
NAMES = sorted(path.stem for path in (ROOT / "examples").glob("*.py"))
HEAVY = {"prepare", "train", "export", "evaluate", "reproduce", "benchmark", "web", "demo"}
"""Commands with tests of their own: here they are read and not run."""


def blocks(path, language):
    return re.findall(rf"```{language}\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)


def commands(path):
    """The lines of a document's shell blocks that call featureblend, as words, without what the shell does."""
    lines = [line for block in blocks(path, "sh") for line in block.replace("\\\n", " ").splitlines()]
    found = [shlex.split(line, comments=True) for line in lines]
    found = [words[: words.index(">")] if ">" in words else words for words in found if words]
    return [words[1:] for words in found if words[0].endswith("featureblend")]


# --- commands


def test_every_command_in_the_documents_can_be_read():
    for page in PAGES:
        for words in commands(page):
            parse(COMMANDS[words[0]], f"featureblend {words[0]}", words[1:])  # which raises FeatureblendError


def test_every_command_has_a_line_in_the_readme_and_a_page():
    shown = README.read_text(encoding="utf-8")
    used = {words[0] for page in PAGES for words in commands(page)}
    for name in COMMANDS:
        assert re.search(rf"`(featureblend )?{name}\b", shown), name
        assert name in used | {"demo"}, name


@pytest.fixture
def desk(tmp_path, monkeypatch, model_sized):
    """A folder with the photos that the documents speak of; pictures have the model's size, which takes less time."""
    monkeypatch.chdir(tmp_path)
    for name, face in (("ana", "first"), ("ben", "second"), ("cem", "third"), ("dana", "fourth"), ("party", "fifth")):
        Image.open(EXAMPLES / f"{face}.jpg").convert("RGB").save(f"{name}.jpg", quality=95)
    for folder, people in (("photos", ("ana", "ben")), ("young", ("ben",)), ("old", ("cem", "dana"))):
        Path(folder).mkdir()
        for person in people:
            shutil.copy(f"{person}.jpg", folder)
    Path("pairs.csv").write_text("photo1,photo2,alpha\nana.jpg,ben.jpg,0.5\nana.jpg,cem.jpg,0.25\n")
    return tmp_path


def run_as_written(page):
    """Run a page's commands from top to bottom, but for those with tests of their own; hand them back."""
    ran = [words for words in commands(page) if not HEAVY & set(words) and "--identity" not in words]
    for words in ran:
        if "my-model" in words:  # which a command that is not run here would have made
            continue
        main([*words, *(["--jobs", "1"] if words[0] == "batch" else [])])
        if "-o" in words or "--out" in words:
            out = Path(words[next(words.index(flag) for flag in ("-o", "--out") if flag in words) + 1])
            assert out.exists(), words
    return ran


def test_the_commands_of_the_readme_do_what_they_say(desk, capsys):
    ran = run_as_written(README)
    assert {words[0] for words in ran} >= {"blend", "continuum", "average", "transform", "mix", "encode", "replay"}
    assert "Traceback" not in capsys.readouterr().err


def test_the_commands_of_the_tutorials_do_what_they_say(desk, capsys):
    for page in sorted((ROOT / "docs" / "tutorials").glob("*.md")):
        assert commands(page)
        run_as_written(page)
    assert "Traceback" not in capsys.readouterr().err


def test_the_python_of_the_readme_runs(desk):
    code = blocks(README, "python")
    assert code
    for block in code:
        exec(compile(block, "README.md", "exec"), {"__name__": "readme"})
    assert (desk / "blend.png").is_file()


def test_the_version_is_the_same_wherever_it_is_said():
    """In package, project file and citation; the list of changes begins with it, or with what is not released."""
    said = [
        re.search(pattern, (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE)[1]
        for name, pattern in (
            ("pyproject.toml", r'^version = "(.+)"$'),
            ("CITATION.cff", r"^version: (.+)$"),
            ("CHANGELOG.md", r"^## (\S+)"),
        )
    ]
    assert said[:2] == [featureblend.__version__] * 2
    assert said[2] in ("Unreleased", featureblend.__version__)


def test_links_of_the_readme_lead_somewhere():
    for target in re.findall(r"\]\(([^)#\s]+)", README.read_text(encoding="utf-8")):
        assert target.startswith("http") or (ROOT / target).exists(), target


# --- examples


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    return tmp_path_factory.mktemp("docs")


@pytest.fixture
def example(workplace, monkeypatch, model_sized):
    """Run an example once, at the model's size, and give the path of its page."""

    def made(name):
        page = workplace / "out" / "examples" / f"{name}.md"
        if not page.exists():
            monkeypatch.chdir(workplace)
            run_examples.main([name])
        return page

    return made


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.extras) if n == "train" else n for n in NAMES])
def test_an_example_runs_top_to_bottom_and_shows_what_it_makes(name, example):
    page = example(name)
    text = page.read_text(encoding="utf-8")
    assert text.startswith("# ")
    assert text.count("```python\n") >= 2
    shown = re.findall(r"!\[[^\]]+\]\((\S+)\)", text)
    assert shown
    for picture in shown:
        with Image.open(page.parent / picture) as image:
            assert min(image.size) >= 32
            assert image.convert("L").getextrema() != (0, 0)


def test_every_edit_has_an_example():
    verbs = {"blend", "continuum", "average", "transform", "symmetrize", "mix", "batch", "compare", "train"}
    assert verbs <= set(NAMES)
    assert {"codes", "recipes"} <= set(NAMES)  # encode and replay


def test_examples_are_notebooks():
    for name in NAMES:
        text = (ROOT / "examples" / f"{name}.py").read_text(encoding="utf-8")
        ast.parse(text)
        kinds = [cell.kind for cell in run_examples.cells(text)]
        assert kinds[0] == "markdown"
        assert kinds.count("markdown") >= 2
        assert not re.search(r"^(?!#).{121}", text, re.MULTILINE)


def test_an_error_in_an_example_names_its_line(tmp_path, monkeypatch):
    (tmp_path / "bad.py").write_text("# %% [markdown]\n# # Bad\n\n# %%\nfirst = 1\nfirst / 0\n")
    monkeypatch.setattr(run_examples, "EXAMPLES", tmp_path)
    with pytest.raises(ZeroDivisionError) as error:
        run_examples.run("bad")
    assert (error.traceback[-1].path.name, error.traceback[-1].lineno) == ("bad.py", 5)


# --- the site


@pytest.fixture(scope="module")
def site(workplace):
    """The pages, built as `make docs` does, of the examples that ran here."""
    for name in NAMES:
        if not (workplace / "out" / "examples" / f"{name}.md").exists():
            subprocess.run([sys.executable, str(ROOT / "tools" / "run_examples.py"), name], cwd=workplace, check=True)
    folder = workplace / "site"
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "FEATUREBLEND_EXAMPLES": str(workplace / "out" / "examples"), "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout + done.stderr == ""
    return folder


def words_of(page):
    """The words of a page, without its tags."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page.read_text(encoding="utf-8"))).split())


@pytest.mark.extras
def test_the_pages_fetch_nothing(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) > 40
    for page in pages:
        text = page.read_text(encoding="utf-8")
        fetched = re.findall(r"<(?:script|link|img|iframe|source|video)\b[^>]*?\b(?:src|href)=[\"']?([^\"'\s>]+)", text)
        assert not [address for address in fetched if re.match(r"(https?:)?//", address)], page
    for sheet in site.rglob("*.css"):
        assert not re.search(r"(url\(|@import)\s*[\"']?(https?:)?//", sheet.read_text(encoding="utf-8")), sheet


@pytest.mark.extras
def test_the_reference_has_every_command_and_option(site):
    shown = words_of(site / "commands.html")
    for name, command in COMMANDS.items():
        assert f"featureblend {name}" in shown
        assert summary(command) in shown
        section = (site / "commands.html").read_text(encoding="utf-8").split(f'<h2 id="{name}">')[1].split("<h2 ")[0]
        for _, field, how in options_of(command):
            assert how.metavar in section if how.positional else how.flags(field.name)[-1][2:] in section, field.name


@pytest.mark.extras
def test_the_python_reference_has_every_public_name(site):
    import featureblend

    shown = " ".join(page.read_text(encoding="utf-8") for page in (site / "api").glob("*.html"))
    for name in set(featureblend.__all__) - {"__version__"}:
        assert re.search(rf'<h\d id="featureblend\.[\w.]*\.{name}"', shown), name


@pytest.mark.extras
def test_the_examples_are_on_the_site_with_their_pictures(site):
    for name in NAMES:
        page = site / "examples" / f"{name}.html"
        for picture in re.findall(r'<img[^>]* src="([^"]+)"', page.read_text(encoding="utf-8")):
            assert (page.parent / picture).is_file(), picture
