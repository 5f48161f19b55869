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


def figures_shown(name):
    """What a document's tables of an evaluation show: text by protocol, method and figure."""
    titles = {figure.title: figure.name for figure in FIGURES.values()}
    text = (ROOT / name).read_text(encoding="utf-8")
    found = {}
    for protocol, table in re.findall(r"<!-- evaluation: protocol=(\w+).*?-->\n(.*?)\n\n", text, re.DOTALL):
        lines = [[cell.strip(" *") for cell in line.strip("|").split("|")] for line in table.splitlines()]
        for method, *cells in lines[2:]:
            found |= {(protocol, method, titles[title]): cell for title, cell in zip(lines[0][1:], cells, strict=True)}
    return found


def test_documents_and_the_web_page_show_the_same_figures(record):
    readme, page = figures_shown("README.md"), figures_shown("docs/evaluation.md")
    assert readme
    assert readme.items() <= page.items()
    kept = {
        (record["protocol"], method, name): shown_value(FIGURES[name], value)
        for method, values in record["methods"].items()
        for name, value in values.items()
        if value is not None
    }
    assert len(kept) > 50
    assert kept.items() <= page.items()


def test_sentences_say_what_the_tables_do(config):
    """Figures that stand in a sentence, as the sentence rounds them."""
    readme, model, speed = (
        " ".join((ROOT / name).read_text(encoding="utf-8").split())
        for name in ("README.md", "docs/model.md", "docs/performance.md")
    )
    for said, row in (
        ("`blend` takes {} s", "`featureblend blend A B`"),
        ("a step of a slider {} s", "a step of the page"),
    ):
        milliseconds = int(re.search(rf"\| {row}[^|]*\| ([\d,]+) ", speed)[1].replace(",", ""))
        assert said.format(f"{milliseconds / 1000:.{1 if milliseconds > 500 else 2}f}") in readme
    own = config.metrics
    assert (
        f"**{own['psnr']:.1f} dB, SSIM {own['ssim']:.3f}, sharpness {own['sharpness']:.3f}**".replace(" 0.", " .")
        in model
    )
    page = figures_shown("docs/evaluation.md")
    latent, morph = (
        [f"{100 * float(page['studio34', method, figure]):.0f} %" for figure in ("both_dlib", "both_sface")]
        for method in ("latent", "morph")
    )
    assert (
        f"by dlib both people in {latent[0]} of the blends, in {morph[0]} of landmark morphs; "
        f"by SFace in {latent[1]} and {morph[1]}."
    ) in model


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
