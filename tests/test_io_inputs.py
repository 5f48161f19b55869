"""Photos on the disk: none is written over, none is lost sight of, results are no photos, and names may be anything."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from example_photos import FIRST, SECOND, THIRD
from PIL import Image

from featureblend.blend.face_cache import RememberingBlender
from featureblend.cli import main
from featureblend.edit.average import average
from featureblend.edit.batch import every_pair
from featureblend.edit.continuum import continuum
from featureblend.edit.transform import transform
from featureblend.errors import FeatureblendError
from featureblend.io.codes import Code
from featureblend.io.inputs import input_files, made_here, read_folder
from featureblend.io.metadata import read_recipe, save_picture, was_made_here

pytestmark = pytest.mark.usefixtures("model_sized")

NOT_UTF8 = os.fsdecode(b"caf\xe9.png")


@pytest.fixture
def folder(tmp_path):
    """Two photos and, from an earlier run, their blend in all formats that can hold a recipe."""
    for photo in (FIRST, SECOND):
        shutil.copy(photo, tmp_path)
    return tmp_path


def add_results(blender, folder):
    made = blender.blend([FIRST, SECOND], measures="none")
    return [made.save(folder / f"blend.{ending}") for ending in ("gif", "jpg", "png", "tif", "webp")]


def test_results_are_told_from_photos(blender, folder):
    results = add_results(blender, folder)
    assert [path.name for path in input_files(folder)] == ["first.jpg", "second.jpg"]
    every = input_files(folder, every=True)
    assert sorted(made_here(every)) == sorted(results)
    assert made_here(every) == {*every} - {*input_files(folder)}
    assert all(map(was_made_here, results))
    assert not was_made_here(FIRST)
    assert not was_made_here(folder / "missing.png")


def test_a_folder_of_results_alone_is_taken(blender, tmp_path):
    results = add_results(blender, tmp_path)
    assert input_files(tmp_path) == sorted(results)


def test_an_average_is_no_photo_of_the_next(blender, folder):
    first = average(folder, blender=blender)
    save_picture(folder / "average.png", first.image, first.recipe)
    again = average(folder, blender=blender)
    assert again.used == first.used == ("first.jpg", "second.jpg")
    assert [(one.photo, "featureblend made it" in one.reason) for one in again.skipped] == [("average.png", True)]
    named = average(
        folder, weights={"average.png": 1, "first.jpg": 1}, blender=blender
    )  # what is asked for by name is used
    assert named.used == ("average.png", "first.jpg")


def test_a_transform_says_what_it_leaves_out(blender, folder):
    add_results(blender, folder)
    (folder / "torn.png").write_bytes(FIRST.read_bytes()[:2000])
    made = transform(THIRD, folder, SECOND, blender=blender)
    assert (made.recipe["options"]["from"], made.recipe["options"]["to"]) == (2, 1)
    said = "\n".join(made.warnings)
    assert "--from: torn.png is left out: " in said
    assert "--from: blend.jpg is left out: featureblend made it" in said


@pytest.mark.skipif(os.name == "nt", reason="permissions are those of Unix")
def test_a_folder_that_cannot_be_read_is_named(folder, monkeypatch):
    closed = folder / "closed"
    closed.mkdir()

    def scandir(path):
        if Path(path) == closed:
            raise PermissionError(13, "Permission denied", str(closed))
        return original(path)

    original = os.scandir
    monkeypatch.setattr(os, "scandir", scandir)  # root may read anything
    with pytest.raises(FeatureblendError, match=r"cannot read .*closed: Permission denied"):
        input_files(folder)


def test_no_photo_is_written_over(blender, folder):
    first, second = folder / "first.jpg", folder / "second.jpg"
    before = first.read_bytes()
    made = blender.blend([first, second], measures="none")
    way = continuum([first, second], steps=3, blender=blender)
    for save in (made.save, way.save):
        with pytest.raises(FeatureblendError, match=r"first\.jpg: it is one of the photos; name another file"):
            save(first)
    assert first.read_bytes() == before
    made.save(folder / "blend.png")
    made.save(folder / "blend.png")  # a result may be replaced


def test_photos_that_are_called_frames_stay(blender, tmp_path):
    photos = [tmp_path / f"frame_{place:03}.png" for place in range(2)]
    for source, photo in zip((FIRST, SECOND), photos, strict=True):
        shutil.copy(source, photo)
    with pytest.raises(FeatureblendError, match="is one of the photos"):
        continuum(photos, steps=3, blender=blender).save(tmp_path)
    assert [photo.read_bytes() for photo in photos] == [FIRST.read_bytes(), SECOND.read_bytes()]
    assert len(list(tmp_path.iterdir())) == 2


@pytest.fixture
def odd(tmp_path):
    """A photo whose name is no UTF-8."""
    path = tmp_path / NOT_UTF8
    try:
        shutil.copy(FIRST, path)
    except (OSError, UnicodeError):
        pytest.skip("this file system takes names in UTF-8 only")
    return path


def test_a_name_in_another_encoding_is_written_so_that_it_can_be_read(blender, tmp_path, odd):
    for ending in ["png", "jpg", "webp", "tif", "gif"]:
        made = blender.blend([odd, SECOND], measures="none")
        assert read_recipe(made.save(tmp_path / f"a.{ending}"))["inputs"][0]["name"] == r"caf\xe9.png"


def test_edits_take_a_name_in_another_encoding(blender, tmp_path, odd):
    shutil.copy(SECOND, tmp_path)
    (tmp_path / "torn.png").write_bytes(b"torn")
    made = average(tmp_path, blender=blender)
    assert made.used == (r"caf\xe9.png", "second.jpg")
    assert read_recipe(continuum([odd, SECOND], steps=3, size=64, blender=blender).save(tmp_path / "a.mp4"))
    code = Code.load(blender.encode(odd).save(tmp_path / "a.npz"))
    assert json.dumps(blender.blend([code, SECOND], measures="none").recipe).encode()


def test_numpys_numbers_are_numbers(blender, tmp_path):
    made = blender.blend([FIRST, SECOND], surroundings=np.int64(2), warp=np.bool_(False), measures="none")
    plain = blender.blend([FIRST, SECOND], surroundings=2, warp=False, measures="none")
    assert made.save(tmp_path / "a.png").read_bytes() == plain.save(tmp_path / "b.png").read_bytes()
    assert (made.recipe["surroundings"], made.recipe["warp"]) == (2, False)


JUNK = {
    "notes.txt": b"buy milk",
    "Thumbs.db": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600),
    "film.mov": b"\0\0\0\x14ftypqt  " + bytes(600),
    "first.aae": b"<?xml version='1.0'?><plist/>",
    "empty.jpg": b"",
    "page.jpg": b"<html></html>",
}
HIDDEN = (".DS_Store", "._first.jpg", ".hidden.jpg")


def add_junk(folder):
    """What folders of photos hold beside photos; give the names of what is to be told."""
    for name, content in (JUNK | dict.fromkeys(HIDDEN, b"hidden")).items():
        (folder / name).write_bytes(content)
    (folder / "folder.jpg").mkdir()
    (folder / ".cache").mkdir()
    (folder / ".cache" / "a.jpg").write_bytes(b"hidden")
    told = [*JUNK]
    if os.name != "nt":
        (folder / "gone.jpg").symlink_to(folder / "nowhere.jpg")
        os.mkfifo(folder / "pipe.jpg")
        told += ["gone.jpg", "pipe.jpg"]
    return sorted(told)


def phone_photos(folder):
    """Two small faces in formats that phones and others write, with their suffixes, or none, or a wrong one."""
    names = []
    for number, (name, kind) in enumerate(
        {
            "a.heic": "HEIF", "b.HIF": "HEIF", "c.avif": "AVIF", "d.jfif": "JPEG", "e.gif": "GIF", "f.mpo": "MPO",
            "g.jp2": "JPEG2000", "h": "PNG", "i.txt": "JPEG", "k.png": "HEIF",
        }.items()
    ):  # fmt: skip
        with Image.open((FIRST, SECOND)[number % 2]) as picture:
            picture.convert("RGB").resize((256, 256)).save(folder / name, kind)
        names.append(name)
    return names


def test_what_a_photo_is_its_content_says_and_all_else_is_named(tmp_path):
    names = phone_photos(tmp_path)
    told = add_junk(tmp_path)
    found = read_folder(tmp_path)
    assert [path.name for path in found.files] == names
    assert [one.photo for one in found.skipped] == told
    assert all(one.reason and "\n" not in one.reason for one in found.skipped)


def test_an_average_takes_every_format_and_lists_what_it_passes_over(blender, tmp_path, capsys):
    photos = tmp_path / "photos"
    photos.mkdir()
    names, told = phone_photos(photos), add_junk(photos)
    (photos / "weights.csv").write_text("\n".join(f"{name},1" for name in names))
    made = average(photos, blender=blender)
    assert list(made.used) == names
    assert sorted(one.photo for one in made.skipped) == sorted([*told, "weights.csv"])
    main(
        ["average", str(photos), "-o", str(photos / "out.png"), "--weights-csv", str(photos / "weights.csv"), "--quiet"]
    )
    lines = (photos / "out.skipped.csv").read_text().splitlines()[1:]
    assert [line.split(",")[0] for line in lines] == told  # the list of weights is no photo that was passed over
    assert all(name in capsys.readouterr().out for name in told[:1])
    again = average(photos, blender=blender)
    assert "out.skipped.csv" not in [one.photo for one in again.skipped]


def test_every_pair_of_every_format(tmp_path, capsys):
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in phone_photos(photos)[3:]:
        (photos / name).unlink()
    told = add_junk(photos)
    skipped = []
    rows = every_pair(photos, skipped=skipped)
    assert len(rows) == 3
    assert [one.photo for one in skipped] == told
    out = tmp_path / "out"
    main(["batch", "--all-pairs", str(photos), "--out", str(out), "--method", "pixel", "--jobs", "1", "--quiet"])
    assert [line.split(",")[0] for line in (out / "skipped.csv").read_text().splitlines()] == ["photo", *told]
    assert told[-1] in capsys.readouterr().out
    inside = every_pair(photos, out=photos)
    assert len(inside) == 3


def test_a_folder_without_photos_says_what_is_there(tmp_path):
    (tmp_path / "notes.txt").write_text("buy milk")
    with pytest.raises(FeatureblendError, match=r"holds no photos.*notes\.txt: not a picture"):
        read_folder(tmp_path)


def test_notes_of_reading_reach_the_blend(blender, tmp_path):
    photo = tmp_path / "torn.jpg"
    with Image.open(FIRST) as picture:
        picture.convert("RGB").save(photo)
    photo.write_bytes(photo.read_bytes()[:-1])
    for measures in ("none", "pictures"):
        lines = blender.blend([photo, SECOND], measures=measures).warnings
        assert [line for line in lines if "torn.jpg" in line and "cut short" in line]
    for made in (average([photo, SECOND], blender=blender), transform(FIRST, photo, SECOND, blender=blender)):
        assert [line for line in made.warnings if "cut short" in line]
    for made in (
        continuum([photo, SECOND], steps=2, blender=blender),
        transform(photo, FIRST, SECOND, blender=blender),
        RememberingBlender(blender).blend([photo, SECOND]),
    ):
        assert [line for line in made.warnings if "torn.jpg" in line and "cut short" in line]


def test_a_photo_of_which_too_little_is_left_says_so_where_no_face_is_found(blender, tmp_path):
    photo = tmp_path / "torn.png"
    with Image.open(FIRST) as picture:
        picture.convert("RGB").save(photo)
    photo.write_bytes(photo.read_bytes()[: photo.stat().st_size // 3])
    with pytest.raises(FeatureblendError, match=r"no face found in .*torn\.png: the file is cut short"):
        blender.find(photo)
