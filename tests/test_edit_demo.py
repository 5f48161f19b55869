"""The demonstration that `make demo` ends with."""

import numpy as np
import pytest
from PIL import Image

from featureblend.blend import blender as blender_module
from featureblend.cli import main
from featureblend.edit.demo import write_demo
from featureblend.errors import FeatureblendError
from featureblend.faces import EXAMPLES
from featureblend.io.metadata import read_recipe


@pytest.fixture(autouse=True)
def _shared_detector(monkeypatch, detector):
    monkeypatch.setattr(blender_module, "FaceDetector", lambda: detector)


def test_the_demo_writes_three_pictures_in_a_row_and_says_where(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    main(["demo"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "out/demo.png"
    assert any(line.strip().startswith("ghosting ") for line in lines)
    with Image.open("out/demo.png") as picture:
        assert picture.width > 2.9 * 128 * 3
        assert picture.height > 128 * 3
        row = np.asarray(picture.convert("RGB")).astype(int)
    thirds = [row[:384, start : start + 350] for start in (0, row.shape[1] // 3, 2 * row.shape[1] // 3)]
    assert all(np.abs(one - other).mean() > 1 for one, other in ((thirds[0], thirds[1]), (thirds[1], thirds[2])))
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["demo.png"]


def test_the_picture_says_what_it_is_and_is_not_replayed(tmp_path, capsys):
    out = tmp_path / "demo.png"
    write_demo(out)
    assert b"digitalsourcetype/compositeWithTrainedAlgorithmicMedia" in out.read_bytes()
    assert [one["name"] for one in read_recipe(out)["inputs"]] == ["first.jpg", "second.jpg"]
    with pytest.raises(SystemExit) as stop:
        main(["replay", str(out)])
    assert stop.value.code == 2
    assert "run `featureblend demo` again" in capsys.readouterr().err


def test_the_blend_is_that_of_the_examples(tmp_path, detector):
    made = write_demo(tmp_path / "demo.png")
    again = blender_module.Blender.from_pretrained().blend([EXAMPLES / "first.jpg", EXAMPLES / "second.jpg"])
    assert made.image.tobytes() == again.image.tobytes()


@pytest.mark.parametrize(("out", "message"), [("file/demo.png", "cannot write .*file"), ("folder", "it is a folder")])
def test_places_where_nothing_can_be_written(tmp_path, out, message):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(FeatureblendError, match=message):
        write_demo(tmp_path / out)


def test_the_examples_show_one_face_each(detector):
    for path in sorted(EXAMPLES.glob("*.jpg")):
        with Image.open(path) as picture:
            assert len(detector.detect(np.asarray(picture.convert("RGB")))) == 1, path.name
