"""The paper's document: tables pasted between markers, figures beside it, and no pictures of people."""

import json
from pathlib import Path

import paste_reproduction
from PIL import Image

from featureblend.paper.claims import CLAIMS
from featureblend.paper.plan import every_preset, figures_named

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs" / "paper" / "verdicts.md"


def reproduction(folder, ran_on="300 faces, drawn by featureblend"):
    (folder / "figures").mkdir(parents=True)
    for name in ("figure-1-pictures", "figure-1-psnr"):
        Image.new("RGB", (8, 8), "red").save(folder / "figures" / f"{name}.png")
    run = {"images": 1200, "due": 1200, "psnr": 18.0, "sharpness": 0.1, "diversity": 0.5, "means": [0.5, 0.4, 0.3]}
    claims = [{"claim": "a", "says": "It is so.", "verdict": "refuted", "numbers": "1 and 2"}]
    results = {
        "ran_on": ran_on,
        "runs": {"paper-vae": run},
        "not_run": {"paper-wgan": 1200},
        "claims": claims,
        "merging": {"pixel": {"patch_kid": 0.05}},
    }
    (folder / "results.json").write_text(json.dumps(results))
    return str(folder)


def test_tables_and_figures_are_pasted_and_the_rest_stays(tmp_path):
    document = tmp_path / "README.md"
    document.write_text(DOCUMENT.read_text(encoding="utf-8"), encoding="utf-8")
    paste_reproduction.main([reproduction(tmp_path / "out"), str(document)])
    text = document.read_text(encoding="utf-8")
    assert "| It is so. |  | **refuted** | 1 and 2 | – |  |  |" in text
    assert "| pixel | 0.050 | – | – | – | – | – | – |" in text
    assert "| paper-vae | 1,200 of 1,200 | 0 | 18.00 | 0.10 | 0.50 | 0.50 / 0.40 / 0.30 |" in text
    assert "| paper-wgan | not run: 0 of 1,200 | – |" in text
    assert text.startswith(DOCUMENT.read_text(encoding="utf-8").split("<!--")[0])
    assert {path.name for path in tmp_path.glob("figure-*")} == {"figure-1-pictures.jpg", "figure-1-psnr.png"}


def test_of_people_only_plots_are_put_there(tmp_path):
    document = tmp_path / "README.md"
    document.write_text(DOCUMENT.read_text(encoding="utf-8"), encoding="utf-8")
    paste_reproduction.main([reproduction(tmp_path / "out", "300 train faces from faces.tar"), str(document)])
    assert [path.name for path in tmp_path.glob("figure-*")] == ["figure-1-psnr.png"]


def test_the_document_has_every_claim_and_every_run():
    text = DOCUMENT.read_text(encoding="utf-8")
    assert all(f"| {claim.words} |" in text for claim in CLAIMS)
    assert all(f"| {name} | " in text for name in every_preset(figures_named([])))
