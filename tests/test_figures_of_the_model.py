"""Every figure and picture that documents show is of the bundled model, and of blends as they are made now."""

import json
import re
from pathlib import Path

import pytest

from featureblend.evaluation.figures import FIGURES, shown_value
from featureblend.evaluation.results import measurement_versions
from featureblend.model.folder import BUNDLED, DEFAULT_MODEL, read_model_folder

ROOT = Path(__file__).parents[1]
MODEL = BUNDLED / DEFAULT_MODEL


@pytest.fixture(scope="module")
def config():
    return read_model_folder(MODEL)


@pytest.fixture(scope="module")
def record():
    """The figures that the web page shows."""
    return json.loads((MODEL / "evaluation.json").read_text(encoding="utf-8"))


def test_tables_name_the_bundled_model(config, record):
    assert record["model"] == config.identity
    for name in ("README.md", "docs/evaluation.md", "docs/model.md"):
        named = re.findall(r"(?:model|identity) `([0-9a-f]{12})`", (ROOT / name).read_text(encoding="utf-8"))
        assert set(named) == {config.identity}, name


def test_the_readme_shows_what_the_web_page_shows(record):
    table = re.search(
        r"^\| method \|.*?\n\n", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    heading, _, *rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in table[0].splitlines() if line
    ]
    figures = {figure.title: figure for figure in FIGURES.values()}
    compared = 0
    for method, *cells in rows:
        for title, cell in zip(heading[1:], cells, strict=True):
            value = record["methods"].get(method, {}).get(figures[title].name)
            if value is not None:
                assert cell.strip("*") == shown_value(figures[title], value), (method, title)
                compared += 1
    assert compared > 15


def test_the_model_card_shows_what_the_model_says_of_itself(config):
    card = (MODEL / "README.md").read_text(encoding="utf-8")
    for name, value in config.metrics.items():
        assert f"| {value} |" in card, name
    assert f"({config.latent_dim} numbers each)" in card
    assert f"{config.training['images_seen']:,} images" in card
    assert config.training["data_sha256"][:16] in card


def test_tables_are_of_blends_as_they_are_made_now(record):
    """Where this fails: evaluate again, paste and record, as docs/evaluation.md says."""
    assert record["versions"] == measurement_versions("latent")


def test_pictures_are_of_blends_as_they_are_made_now():
    """Where this fails: `make figures`."""
    import figures

    assert json.loads(figures.MADE.read_text(encoding="utf-8")) == dict.fromkeys(figures.COMMANDS, figures.stamp())
    documents = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    shown = {
        name for page in documents for name in re.findall(r"images/([\w-]+\.\w+)\)", page.read_text(encoding="utf-8"))
    }
    assert shown == {*figures.COMMANDS, "architecture.svg"}  # which test_architecture.py holds
