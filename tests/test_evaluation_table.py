"""The tables in the documents: pasted between markers, idempotent, and every score is explained."""

import json
import re
from pathlib import Path

import paste_table
import pytest
from paste_table import PLACE, markdown_table, pasted, read_metrics

from featureblend.errors import FeatureblendError
from featureblend.evaluation.figures import FIGURES, REAL

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs" / "evaluation.md"


def row(method, figure, value, **more):
    facts = {"protocol": "tiny", "data": "0123", "model": "", "count": 5, "left_out": 0, "low": None, "high": None}
    return {**facts, "method": method, "figure": figure, "value": value, **more}


ROWS = [
    row(REAL, "patch_kid", 0.001, features="patch-statistics-v1"),
    row("latent", "patch_kid", 0.02, features="patch-statistics-v1", model="abc"),
    row("latent", "sharpness", 0.5, model="abc"),
    row("pixel", "patch_kid", 0.03, features="patch-statistics-v1"),
    row("pixel", "sharpness", 0.5),
]


def results(folder, rows):
    folder.mkdir(parents=True)
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in rows))
    return str(folder)


def test_the_best_is_bold_and_real_is_not_in_the_race():
    lines = markdown_table(ROWS, ["patch_kid", "sharpness"]).splitlines()
    assert lines[:2] == ["| method | patch-KID | sharpness |", "|---|---|---|"]
    assert lines[2:5] == [
        "| *real* | 0.0010 | – |",
        "| latent | **0.0200** | 0.50 |",
        "| pixel | 0.0300 | 0.50 |",
    ]
    assert "**" not in markdown_table([row("latent", "patch_kid", 0.1)]).replace("**best", "")  # alone in the race
    assert "`tiny`, data `0123`, model `abc`, features patch-statistics-v1" in lines[-1]


def test_a_place_takes_the_methods_and_figures_that_it_names():
    text = "<!-- evaluation: figures=sharpness methods=pixel,morph,latent -->\n<!-- end of evaluation -->"
    made = pasted(text, [ROWS])
    assert [line.split(" | ")[0] for line in made.splitlines() if line.startswith("| ")] == [
        "| method",
        "| pixel",
        "| latent",
    ]
    assert "KID" not in made


def test_a_place_takes_the_first_results_that_have_its_figures():
    text = (
        "<!-- evaluation: figures=patch_kid -->\n<!-- end of evaluation -->\nbetween\n"
        "<!-- evaluation: figures=mmpmr -->\n<!-- end of evaluation -->\n"
        "<!-- evaluation: figures=cycle_error -->\nkept\n<!-- end of evaluation -->\n"
    )
    made = pasted(text, [ROWS, [row("morph", "mmpmr", 0.25, protocol="other"), row("morph", "patch_kid", 9.0)]])
    assert "0.0200" in made
    assert "9.0" not in made
    assert "0.250" in made
    assert "`other`" in made
    assert "\nbetween\n" in made
    assert "\nkept\n" in made


def test_a_place_waits_for_the_protocol_that_it_names():
    text = "<!-- evaluation: protocol=other figures=sharpness -->\nkept\n<!-- end of evaluation -->"
    assert pasted(text, [ROWS]) == text
    other = [row("latent", "sharpness", 0.75, protocol="other")]
    for results in ([ROWS, other], [other, ROWS]):
        assert "| latent | 0.75 |" in pasted(text, results)


@pytest.mark.parametrize("document", [DOCUMENT, ROOT / "README.md"], ids=lambda path: path.name)
def test_pasting_into_the_documents_twice_changes_nothing(document, tmp_path, capsys):
    """And what stands there was pasted: each place that is filled names its protocol."""
    text = document.read_text(encoding="utf-8")
    filled = [place["table"] for place in PLACE.finditer(text) if place["table"].startswith("| method |")]
    assert filled
    for table in filled:
        assert re.search(r"\*Protocol `\w+`, data `[0-9a-f]{12}`", table)
    copy = tmp_path / document.name
    copy.write_text(text, encoding="utf-8")
    methods = (REAL, "latent", "pixel")
    every = [row(method, name, 0.25, protocol="pairs1k_test") for method in methods for name in FIGURES]
    folder = results(tmp_path / "out", every)
    paste_table.main([folder, "--into", str(copy)])
    once = copy.read_bytes()
    assert once != document.read_bytes()
    paste_table.main([folder, "--into", str(copy)])
    assert copy.read_bytes() == once
    assert capsys.readouterr().out.splitlines() == [f"{copy}: pasted", f"{copy}: as it was"]
    assert PLACE.sub("", copy.read_text(encoding="utf-8")) == PLACE.sub("", text)


def test_the_document_explains_every_figure_and_has_a_place_for_it():
    text = DOCUMENT.read_text(encoding="utf-8")
    explained = {name for line in text.splitlines() if line.startswith("| `") for name in re.findall(r"`(\w+)`", line)}
    assert set(FIGURES) <= explained
    places = [place["what"] for place in PLACE.finditer(text) if "protocol=pairs" in place["what"]]
    placed = [name for what in places for name in re.search(r"figures=(\S+)", what)[1].split(",")]
    assert sorted(placed) == sorted(FIGURES)


def test_mistakes_are_one_line(tmp_path):
    good, empty = results(tmp_path / "out", ROWS), tmp_path / "empty.md"
    empty.write_text("no place\n")
    strange = tmp_path / "strange.md"
    strange.write_text("<!-- evaluation: figures=beauty -->\n<!-- end of evaluation -->\n")
    for words, message in [
        ([good, "--into", str(empty)], "has no place for a table"),
        ([good, "--into", str(strange)], "unknown figure"),
        ([good, "--into", str(tmp_path / "none.md")], "cannot read"),
        ([str(tmp_path / "nowhere"), "--into", str(empty)], "`featureblend evaluate` writes it"),
        ([results(tmp_path / "bad", ["{"]), "--into", str(empty)], "is damaged"),
    ]:
        with pytest.raises(SystemExit) as stop:
            paste_table.main(words)
        assert message in stop.value.code
        assert "\n" not in stop.value.code
    assert strange.read_text().count("\n") == 2
    with pytest.raises(FeatureblendError):  # figures that are known no more
        read_metrics(results(tmp_path / "old", [row("latent", "forgotten", 1.0)]))


def test_only_what_stands_on_inception_is_called_kid_or_fid():
    assert {figure.name for figure in FIGURES.values() if figure.title in ("KID", "FID")} == {
        figure.name for figure in FIGURES.values() if figure.network == "inception"
    }
