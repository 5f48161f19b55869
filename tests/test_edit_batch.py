"""Lists of blends: what is read, made, kept, refused and counted."""

# ruff: noqa: F811 (fixtures that are imported)

import csv
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from command_line import fails, place, shared_detector  # noqa: F401
from PIL import Image

from featureblend.blend.face_cache import RememberingBlender
from featureblend.cli import main
from featureblend.edit.batch import BatchSettings, every_pair, read_rows, run_batch
from featureblend.errors import FeatureblendError
from featureblend.faces import EXAMPLES
from featureblend.io.console import Ended
from featureblend.io.metadata import read_recipe

pytestmark = pytest.mark.usefixtures("model_sized")

ROWS = """photo1,photo2,weights,alpha,name,method
ana.png,ben.jpg,2 1,,first,
ana.png,ben.jpg,,0.25,second,pixel
ben.jpg,ana.png,,,,morph
"""


def table(folder):
    with open(Path(folder) / "results.csv", newline="") as stream:
        return list(csv.DictReader(stream))


def state(folder):
    return {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in Path(folder).iterdir()}


def test_each_row_becomes_a_picture_and_a_line(place, capsys):
    (place / "pairs.csv").write_text(ROWS)
    main(["batch", "pairs.csv", "--out", "deep/out", "--jobs", "2", "--quiet"])
    assert capsys.readouterr().out == "deep/out/results.csv\n3 made, 0 kept, 0 failed, of 3 rows\n"
    lines = table("deep/out")
    assert [line["name"] for line in lines] == ["first", "second", "ben+ana"]
    assert [line["weights"] for line in lines] == ["0.666667 0.333333", "0.75 0.25", "0.5 0.5"]
    assert {line["status"] for line in lines} == {"done"}
    assert sorted(os.listdir("deep/out")) == ["ben+ana.png", "first.png", "results.csv", "second.png"]
    main(["blend", "ana.png", "ben.jpg", "-o", "due.png", "--weights", "2", "1", "--quiet"])
    assert (place / "deep/out/first.png").read_bytes() == (place / "due.png").read_bytes()
    assert read_recipe("deep/out/second.png")["method"] == "pixel"
    assert float(lines[0]["distances_1"]) < float(lines[0]["distances_2"]) * 3
    assert lines[1]["reconstruction_1"] == ""  # nothing was encoded


def test_the_result_does_not_depend_on_jobs(place, blender):
    (place / "pairs.csv").write_text(ROWS)
    rows = read_rows("pairs.csv")
    for jobs in (1, 3):
        run_batch(rows, f"out{jobs}", blender, jobs=jobs)
    assert {name: content for name, (_, content) in state("out1").items()} == {
        name: content for name, (_, content) in state("out3").items()
    }


def test_finished_rows_are_kept_and_changed_ones_made_again(place, blender):
    (place / "pairs.csv").write_text(ROWS)
    run_batch(read_rows("pairs.csv"), "out", blender)
    before = state("out")
    report = run_batch(read_rows("pairs.csv"), "out", blender)
    assert (report.made, report.kept, report.failed) == (0, 3, 0)
    after = state("out")
    assert after["results.csv"][1] == before["results.csv"][1]
    assert all(after[name][0] == before[name][0] for name in before if name != "results.csv")
    (place / "out" / "first.png").unlink()
    (place / "pairs.csv").write_text(ROWS.replace("0.25", "0.5"))
    report = run_batch(read_rows("pairs.csv"), "out", blender)
    assert (report.made, report.kept) == (2, 1)
    assert state("out")["first.png"][1] == before["first.png"][1]
    with Image.open("ben.jpg") as picture:
        picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save("ben.jpg")
    assert run_batch(read_rows("pairs.csv"), "out", blender).made == 3


def test_rows_that_fail_are_named_and_the_rest_goes_on(place, capsys):
    Image.new("RGB", (200, 200), "grey").save("wall.png")
    (place / "pairs.csv").write_text(
        "photo1,photo2,weights,method\nana.png,nowhere.png,,\nana.png,wall.png,,pixel\nana.png,ben.jpg,1 2 3,pixel\n"
        "ana.png,ben.jpg,much,\nana.png,,,\nana.png,ben.jpg,,magic\nana.png,ben.jpg,,pixel\n"
    )
    with pytest.raises(SystemExit) as stop:
        main(["batch", "pairs.csv", "--out", "out", "--quiet"])
    shown = capsys.readouterr()
    assert stop.value.code == 1
    assert "1 made, 0 kept, 6 failed, of 7 rows" in shown.out
    lines = table("out")
    due = ["no such file: nowhere.png", "no face found in wall.png", "3 for 2 photos"]
    due += ["weights 'much': expected numbers", "line 6: two or more photos", "unknown method 'magic'", ""]
    for line, message in zip(lines, due, strict=True):
        assert message in line["error"]
        assert line["status"] == ("failed" if message else "done")
        assert not message or f"featureblend: {line['name']}: " in shown.err
    assert len(os.listdir("out")) == 2


def test_a_stop_loses_nothing(place, blender, monkeypatch):
    rows = every_pair(EXAMPLES, {"method": "pixel"})
    real, seen = RememberingBlender.blend, []

    def blend(self, photos, *words, **settings):
        seen.append(photos)
        if len(seen) == 4:
            raise Ended
        return real(self, photos, *words, **settings)

    monkeypatch.setattr(RememberingBlender, "blend", blend)
    # The same kind as stopped it: a signal's number is the command's exit code.
    with pytest.raises(Ended, match=r"stopped: \d of 15 rows are in out/results\.csv"):
        run_batch(rows, "out", blender, jobs=1)
    done = len(table("out"))
    assert done >= 3
    with open("out/results.csv", "a") as stream:  # cut off by a power failure
        stream.write("fifth+second,fifth+se")
    monkeypatch.setattr(RememberingBlender, "blend", real)
    report = run_batch(rows, "out", blender)
    assert (report.made, report.kept) == (15 - done, done)
    run_batch(rows, "whole", blender)
    assert (place / "out/results.csv").read_bytes() == (place / "whole/results.csv").read_bytes()


def test_each_photo_is_searched_once(place, blender, monkeypatch):
    asked = []
    real = blender.detector.search
    monkeypatch.setattr(blender.detector, "search", lambda image: asked.append(1) or real(image))
    run_batch(every_pair(EXAMPLES, {"method": "pixel"}), "out", blender, BatchSettings(measures="none"), jobs=3)
    assert len(asked) == 6


def test_little_room_for_photos_changes_nothing(blender):
    small, large = RememberingBlender(blender, room=1), RememberingBlender(blender)
    for _ in range(2):
        for name in ("first.jpg", "second.jpg"):
            one, other = (cache.find(EXAMPLES / name) for cache in (small, large))
            np.testing.assert_array_equal(one.photo, other.photo)
            np.testing.assert_array_equal(one.image, other.image)
    assert sum(found.photo is not None for found in small.cache._found.values()) == 1


@pytest.mark.extras
def test_all_pairs_with_identity(place, capsys):
    (place / "folder" / "deep").mkdir(parents=True)
    shutil.copy("ana.png", "folder/a.png")
    shutil.copy("ben.jpg", "folder/deep/a.jpg")
    main(["batch", "--all-pairs", "folder", "--out", "out", "--identity", "--suffix", ".jpg", "--quiet"])
    [line] = table("out")
    assert (line["name"], line["file"]) == ("a+a", "a+a.jpg")
    distances = [float(line[f"identity_distances_{place}"]) for place in (1, 2)]
    assert line["every_parent_matches"] == str(max(distances) < 0.6).lower()


def test_lines_of_another_list_stay(place, blender):
    (place / "pairs.csv").write_text(ROWS)
    run_batch(read_rows("pairs.csv"), "out", blender)
    (place / "pairs.csv").write_text("a,b,name\nana.png,ben.jpg,new\n")
    run_batch(read_rows("pairs.csv", {"method": "pixel"}), "out", blender)
    assert [line["name"] for line in table("out")] == ["new", "first", "second", "ben+ana"]


def test_rows_of_every_kind(place):
    (place / "x.csv").write_text(
        "photos;faces;size;detail;surroundings;background;shape_weights\n"
        '"ana.png; ben.jpg; ana.png";1 2 largest;source;no;2;black;1 2 3\n'
    )
    [row] = read_rows("x.csv", {"method": "morph", "size": None, "warp": True})
    assert row.photos == (Path("ana.png"), Path("ben.jpg"), Path("ana.png"))
    assert (row.name, row.method, row.which) == ("ana+ben+ana", "morph", [1, 2, "largest"])
    assert row.options == {
        "size": "source",
        "warp": True,
        "detail": False,
        "surroundings": 2,
        "background": "black",
        "shape_weights": [1.0, 2.0, 3.0],
    }


def test_lists_that_are_refused(place):
    for text, message in [
        ("", "its first line names no photos"),
        ("photo1,photo2\n", "holds no rows"),
        ("photo1,photo2,weigths\na,b,c\n", "unknown column 'weigths' in the first line; perhaps weights is meant"),
        ("photo1,weights\na,1\n", "names no photos"),
        ("photo1,photo2,photo1\na,b,c\n", "names a column twice"),
        ("a,b,name\na.png,b.png,x\na.png,b.png,x\n", "two rows are called x"),
        ("\xff", "names no photos|unknown column"),
    ]:
        (place / "x.csv").write_text(text, encoding="utf-8")
        with pytest.raises(FeatureblendError, match=message):
            read_rows("x.csv")


def test_batches_that_are_refused(fails):
    for words, message in [
        (["batch", "-o", "out"], "name either a CSV file"),
        (["batch", "x.csv", "--all-pairs", "."], "name either a CSV file"),
        (["batch", "x.csv"], "no such file: x.csv"),
        (["batch", "--all-pairs", "nowhere"], "no such folder: nowhere"),
        (["batch", "--all-pairs", ".", "-o", "ana.png"], "ana.png: it is a file"),
        (["batch", "--all-pairs", ".", "--jobs", "0"], "--jobs 0"),
    ]:
        assert message in fails(*words)


def test_names_stay_in_the_folder(place):
    (place / "x.csv").write_text("a,b,name\nana.png,ben.jpg,../x\nana.png,ben.jpg,.x\n")
    assert all("expected a plain name" in row.problem for row in read_rows("x.csv"))


def test_a_foreign_table_is_left_alone(place, blender):
    (place / "out").mkdir()
    (place / "out" / "results.csv").write_text("my,data\n1,2\n")
    with pytest.raises(FeatureblendError, match="is no table of a batch"):
        run_batch(every_pair(EXAMPLES), "out", blender)
    assert (place / "out" / "results.csv").read_text() == "my,data\n1,2\n"
