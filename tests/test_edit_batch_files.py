"""What a list of blends does to the files around it: photos stay, blends are no photos, every name can be written."""

# ruff: noqa: F811 (fixtures that are imported)

import csv
import os
import shutil
import sys
from pathlib import Path

import pytest
from command_line import fails, place, shared_detector  # noqa: F401

import featureblend.edit.batch as edit_batch
from featureblend.blend.face_cache import RememberingBlender
from featureblend.cli import main
from featureblend.edit.batch import OPTIONS, BatchSettings, every_pair, read_rows, run_batch
from featureblend.errors import FeatureblendError
from featureblend.faces import EXAMPLES

pytestmark = pytest.mark.usefixtures("model_sized")

OVERWRITING = "a,b,name\nana.png,ben.jpg,cem\ncem.png,ben.jpg,x\n"


@pytest.fixture
def portraits(place):
    folder = place / "portraits"
    folder.mkdir()
    for name in ("first", "second", "third"):
        shutil.copy(EXAMPLES / f"{name}.jpg", folder)
    return folder


def table(folder):
    with open(Path(folder) / "results.csv", newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def counts(capsys, *words):
    """Run a batch that no row of it fails, and give its last line."""
    capsys.readouterr()
    main(["batch", *map(str, words), "--method", "pixel", "--quiet"])
    return capsys.readouterr().out.splitlines()[-1]


def test_no_row_writes_over_the_photo_of_another(place, fails):
    shutil.copy(EXAMPLES / "third.jpg", "cem.png")
    (place / "x.csv").write_text(OVERWRITING)
    assert fails("batch", "x.csv", "--out", ".") == (
        "row cem would write over cem.png, which is a photo of row x: name another folder with --out, or give the row "
        "another name"
    )
    (place / "x.csv").write_text("a,b,name\nana.png,ben.jpg,ana\n")
    assert "row ana would write over ana.png, which is a photo of row ana" in fails("batch", "x.csv", "--out", ".")


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_nor_by_another_name_of_that_file(place, fails, link):
    (place / "out").mkdir()
    shutil.copy(EXAMPLES / "third.jpg", "cem.png")
    link(place / "cem.png", place / "out" / "new.png")
    (place / "x.csv").write_text(OVERWRITING.replace(",cem\n", ",new\n"))
    assert "row new would write over out/new.png, which is a photo of row x" in fails("batch", "x.csv", "--out", "out")


def test_photos_of_an_earlier_list_count(place, blender):
    shutil.copy(EXAMPLES / "third.jpg", "cem.png")
    (place / "x.csv").write_text("a,b,name\ncem.png,ben.jpg,x\n")
    run_batch(read_rows("x.csv", {"method": "pixel"}), ".", blender)
    (place / "x.csv").write_text("a,b,name\nana.png,ben.jpg,cem\n")
    with pytest.raises(FeatureblendError, match=r"write over cem\.png, which is a photo of row x"):
        run_batch(read_rows("x.csv", {"method": "pixel"}), ".", blender)


def test_what_was_made_of_a_blend_does_not_stop_its_own_list(place, blender):
    (place / "x.csv").write_text("a,b,name\nana.png,ben.jpg,x\n")
    (place / "y.csv").write_text("a,b,name\nout/x.png,ben.jpg,y\n")
    for name in ("x.csv", "y.csv"):
        run_batch(read_rows(name, {"method": "pixel"}), "out", blender)
    assert run_batch(read_rows("x.csv", {"method": "pixel"}), "out", blender).kept == 1


@pytest.mark.parametrize(
    ("out", "metadata"), [("blends", "--metadata"), (".", "--no-metadata"), ("../out", "--metadata")]
)
def test_blends_are_no_photos_of_the_next_run(portraits, capsys, monkeypatch, out, metadata):
    monkeypatch.chdir(portraits)
    words = ["--all-pairs", ".", "--out", out, metadata]
    assert counts(capsys, *words) == "3 made, 0 kept, 0 failed, of 3 rows"
    assert counts(capsys, *words) == "0 made, 3 kept, 0 failed, of 3 rows"
    words[1] = portraits  # named otherwise it is the same folder
    assert counts(capsys, *words).endswith("0 failed, of 3 rows")


def test_photos_below_a_folder_of_blends_are_photos(portraits, capsys):
    assert counts(capsys, "--all-pairs", portraits, "--out", portraits.parent).endswith("of 3 rows")


def test_too_few_photos_beside_the_blends_are_told(portraits, fails):
    (portraits.parent / "ben.jpg").unlink()
    assert fails("batch", "--all-pairs", ".", "--out", "portraits") == (
        ". holds one photo but for what is in portraits, where the blends go; two or more are needed for pairs"
    )
    (portraits.parent / "ana.png").unlink()
    assert ". holds no photos but for what" in fails("batch", "--all-pairs", ".", "--out", "portraits")


def test_names_are_cut_by_bytes_between_characters_and_stay_apart(place, capsys):
    photos = place / "photos"
    photos.mkdir()
    for name in ("名" * 70, "字" * 70, "字" * 69 + "名"):
        shutil.copy("ana.png", photos / f"{name}.png")
    assert counts(capsys, "--all-pairs", photos, "--out", "out") == "3 made, 0 kept, 0 failed, of 3 rows"
    names = [line["name"] for line in table("out")]
    assert sorted(names) == sorted(
        ["名" * 24 + "+" + "字" * 24, "名" * 24 + "+" + "字" * 24 + "-2", "字" * 24 + "+" + "字" * 24]
    )
    assert all((place / "out" / f"{name}.png").is_file() for name in names)


def test_hundreds_of_photos_make_a_name_that_fits(place):
    (place / "x.csv").write_text("photos\n" + ";".join(f"{number:03}ä.png" for number in range(300)) + "\n")
    [row] = read_rows("x.csv")
    assert 100 < len(row.name.encode()) <= 150
    assert row.name.startswith("000ä+001ä+")


def test_a_name_that_is_too_long_fails_its_row_alone(place, blender):
    names = ["x" * 251, "x" * 252, "名" * 84, "short"]
    (place / "x.csv").write_text("a,b,name\n" + "".join(f"ana.png,ben.jpg,{name}\n" for name in names))
    report = run_batch(read_rows("x.csv", {"method": "pixel"}), "out", blender)
    assert (report.made, report.failed) == (2, 2)
    assert [(line["name"], line["status"]) for line in table("out")] == list(
        zip(names, ["done", "failed", "failed", "done"], strict=True)
    )
    assert table("out")[2]["error"] == "its name makes a file name of 256 bytes, over 255: shorten it"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_photos_whose_names_are_no_utf8(place, capsys):
    photos = place / "photos"
    photos.mkdir()
    shutil.copy("ana.png", os.fsencode(photos) + b"/caf\xe9.png")
    shutil.copy("ben.jpg", photos / "ben.jpg")
    assert counts(capsys, "--all-pairs", photos, "--out", "out") == "1 made, 0 kept, 0 failed, of 1 rows"
    assert counts(capsys, "--all-pairs", photos, "--out", "out") == "0 made, 1 kept, 0 failed, of 1 rows"
    [line] = table("out")
    assert (line["name"], line["file"]) == ("ben+caf_", "ben+caf_.png")
    assert line["photos"] == rf"{photos}/ben.jpg;{photos}/caf\xe9.png"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (PermissionError(13, "Permission denied", "caf\udce9"), r"caf\xe9: Permission denied"),
        (OSError("the disk is gone"), "first: the disk is gone"),
        (UnicodeEncodeError("utf-8", "\udce9", 0, 1, "surrogates not allowed"), "a name in it is no UTF-8"),
    ],
)
def test_a_row_that_the_system_refuses_fails_alone(place, blender, monkeypatch, error, reason):
    real = RememberingBlender.blend

    def blend(self, photos, weights, *words, **settings):
        if weights == [2, 1]:
            raise error
        return real(self, photos, weights, *words, **settings)

    monkeypatch.setattr(RememberingBlender, "blend", blend)
    (place / "x.csv").write_text("a,b,weights,name\nana.png,ben.jpg,2 1,first\nana.png,ben.jpg,1 1,second\n")
    report = run_batch(read_rows("x.csv", {"method": "pixel"}), "out", blender)
    assert (report.made, report.failed) == (1, 1)
    assert reason in table("out")[0]["error"]
    assert table("out")[1]["status"] == "done"


def test_a_table_that_cannot_be_written_ends_the_batch_in_one_line(place, blender, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(edit_batch, "atomic_path", full)
    with pytest.raises(FeatureblendError, match=r"^cannot write out/results\.csv: No space left on device$"):
        run_batch(every_pair(EXAMPLES, {"method": "pixel"}), "out", blender)
    assert os.listdir("out") == []


def test_photos_that_cannot_be_read_say_why(place, blender):
    (place / "dir.png").mkdir()
    (place / "x.csv").write_text(
        f"a,b\nana.png,dir.png\nana.png,ana.png/x.png\nana.png,{'x' * 300}.png\nana.png,no.png\n"
    )
    run_batch(read_rows("x.csv"), "out", blender)
    reasons = ["dir.png is a folder; expected a photo", "cannot read ana.png/x.png: Not a directory"]
    reasons += [f"cannot read {'x' * 300}.png: File name too long", "no such file: no.png"]
    assert [line["error"] for line in table("out")] == reasons


def test_the_table_tells_rows_apart_by_what_they_asked_for(place, blender):
    (place / "x.csv").write_text(
        "a,b,name,method,faces,warp,surroundings,background,onto,size,detail,shape_weights,texture_weights\n"
        "ana.png,ben.jpg,all,latent,1 largest,yes,2,source,2,300,no,2 1,0.25 0.75\n"
        "ana.png,ben.jpg,none,,,,,,,,,,\n"
        "ana.png,ben.jpg,plain,pixel,,,,,,,,,\n"
        "ana.png,ben.jpg,wrong,,,,,,,,perhaps,,\n"
    )
    run_batch(read_rows("x.csv", {"size": 128, "warp": False}), "out", blender)
    columns = ("faces", *OPTIONS)
    assert [[line[column] for column in columns] for line in table("out")] == [
        ["1 largest", "yes", "2", "source", "head", "2", "300", "no", "2 1", "0.25 0.75"],
        ["largest", "no", "auto", "blend", "head", "1", "128", "", "", ""],
        ["largest", "", "", "blend", "head", "1", "128", "", "", ""],
        [""] * len(columns),
    ]


def test_an_older_table_gets_the_columns_that_it_lacks(place, blender):
    (place / "x.csv").write_text("a,b,name,background\nana.png,ben.jpg,x,black\nana.png,ben.jpg,y,\n")
    rows = read_rows("x.csv", {"method": "pixel"})
    run_batch(rows, "out", blender)
    whole = (place / "out/results.csv").read_bytes()
    lines = table("out")
    with open("out/results.csv", "w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(
            stream, [name for name in lines[0] if name not in ("faces", *OPTIONS)], extrasaction="ignore"
        )
        writer.writeheader()
        writer.writerows(lines)
    assert run_batch(rows, "out", blender).kept == 2
    assert (place / "out/results.csv").read_bytes() == whole


@pytest.mark.extras
def test_measures_of_another_list_stay(place, capsys):
    (place / "x.csv").write_text("a,b,name\nana.png,ben.jpg,x\n")
    (place / "y.csv").write_text("a,b,name\nana.png,ben.jpg,y\n")
    counts(capsys, "x.csv", "--out", "out", "--identity")
    counts(capsys, "y.csv", "--out", "out")
    assert counts(capsys, "x.csv", "--out", "out", "--identity").startswith("0 made, 1 kept")
    known = {line["name"]: line["identity_distances_1"] for line in table("out")}
    assert float(known["x"]) > 0
    assert known["y"] == ""


def test_a_transparent_row_of_a_format_without_transparency_fails_alone(place, blender):
    (place / "x.csv").write_text("a,b,name,background\nana.png,ben.jpg,plain,\nana.png,ben.jpg,seen,transparent\n")
    report = run_batch(read_rows("x.csv"), "out", blender, BatchSettings(".jpg"), quiet=True)
    assert report.failures == (("seen", "cannot write out/seen.jpg: .jpg has no transparency; use .png or .webp"),)
    assert not Path("out/seen.jpg").exists()
    assert Path("out/plain.jpg").exists()
