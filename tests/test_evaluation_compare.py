"""The sheet that compares every method on one pair."""

import json

import numpy as np
import pytest
from PIL import Image

from featureblend.blend.baselines import BASELINES
from featureblend.cli import main
from featureblend.edit.replay import replay
from featureblend.errors import FeatureblendError
from featureblend.evaluation.compare import COMPARED_METHODS, compare
from featureblend.io.files import sha256
from featureblend.io.metadata import read_recipe
from featureblend.io.progress import heard_by

pytestmark = pytest.mark.usefixtures("model_sized")


@pytest.fixture(scope="module")
def photos(face_photos):
    return face_photos[:2]


def test_every_method_is_on_the_sheet(tmp_path, blender, photos):
    found = compare(photos, tmp_path / "sheet.png", blender).measures
    assert tuple(found) == COMPARED_METHODS
    variants = {f"latent{ending}" for ending in ("", "-between", "-network", "-plain-mean", "-unwarped")}
    assert variants | {*BASELINES} == set(COMPARED_METHODS)
    for measures in found.values():
        assert {"sharpness", "ghosting", "ghosting_inside_face", "balance"} <= set(measures)
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width > 6 * blender.image_size
        assert sheet.height > 2 * blender.image_size


def test_the_sheet_says_what_it_is_and_is_not_replayed(tmp_path, blender, photos):
    for suffix in (".png", ".jpg"):
        out = tmp_path / f"sheet{suffix}"
        assert list(compare(photos, out, blender, ["pixel", "latent"], [1, "largest"]).measures) == ["latent", "pixel"]
        assert b"digitalsourcetype/compositeSynthetic" in out.read_bytes()
        facts = read_recipe(out)
        assert (facts["methods"], facts["faces"]) == (["latent", "pixel"], [1, "largest"])
        assert [one["sha256"] for one in facts["inputs"]] == [sha256(photo) for photo in photos]
        with pytest.raises(FeatureblendError):
            replay(out, tmp_path / "again.png", photos)


def test_the_measures_are_those_of_the_blend(tmp_path, blender, photos):
    methods = ["pixel", "latent-between", "latent-plain-mean", "latent-unwarped"]
    found = compare(photos, tmp_path / "a.png", blender, methods).measures
    assert found["pixel"] == blender.blend(photos, method="pixel").measures
    assert found["latent-between"] == blender.blend(photos, surroundings="blend").measures
    assert found["latent-unwarped"] == blender.blend(photos, warp=False, detail=False).measures
    assert found["latent-plain-mean"] == blender.blend(photos, surroundings="mean", detail=False).measures


def test_a_method_that_fails_is_named_and_the_rest_goes_on(tmp_path, blender, photos, monkeypatch):
    def failing(*_):
        raise FeatureblendError("no luck")

    monkeypatch.setitem(BASELINES, "pixel", failing)
    steps = []
    with heard_by(lambda *step: steps.append(step)):
        found = compare(photos, tmp_path / "a.png", blender, ["pixel", "morph"]).measures
    assert steps == [(0, 2), (1, 2), (2, 2)]
    assert found["pixel"] == {"failed": "no luck"}
    assert found["morph"]["ghosting"] > 0
    assert (tmp_path / "a.png").is_file()


def test_bad_requests_are_refused(tmp_path, blender, photos):
    kept = tmp_path / "ana.png"
    Image.open(photos[0]).save(kept)
    before = kept.read_bytes()
    for some, out, methods in (
        (photos[:1], "a.png", None),
        (photos, "a.png", ["magic"]),
        (photos, "nowhere/a.png", None),
        ([photos[0], np.zeros((80, 80, 3), np.uint8)], "a.png", ["pixel"]),
        ([kept, photos[1]], "ana.png", ["pixel"]),  # it would be written over
    ):
        with pytest.raises(FeatureblendError):
            compare(some, tmp_path / out, blender, methods)
    assert list(tmp_path.iterdir()) == [kept]
    assert kept.read_bytes() == before


def test_the_command_keeps_the_measures_and_can_be_quiet(tmp_path, blender, photos, capsys):
    sheet, kept = tmp_path / "sheet.png", tmp_path / "measures.json"
    words = ["compare", *map(str, photos), "-o", str(sheet), "--methods", "pixel", "morph", "--json", str(kept)]
    main([*words, "--quiet"])
    assert capsys.readouterr().out == f"{sheet}\n"
    found = json.loads(kept.read_text())
    assert found["photos"] == [photo.name for photo in photos]
    assert found["model"] == blender.config.identity
    assert found["measures"] == json.loads(json.dumps(compare(photos, sheet, blender, ["pixel", "morph"]).measures))
    before = kept.read_bytes()
    with pytest.raises(SystemExit):
        main([*words, "--methods", "magic"])
    assert kept.read_bytes() == before
    capsys.readouterr()
    main(words)
    assert "morph" in capsys.readouterr().out
