"""Photos on the disk: none is written over, none is lost sight of, results are no photos, and names may be anything."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from featureblend.blender import Blender
from featureblend.codes import Code
from featureblend.demo import EXAMPLES
from featureblend.errors import FeatureblendError
from featureblend.inputs import input_files, made_here
from featureblend.metadata import read_recipe, save_picture, was_made_here
from featureblend.model_folder import find_model
from featureblend.verbs import average, continuum, transform

FIRST, SECOND, THIRD = (EXAMPLES / f"{name}.png" for name in ("first", "second", "third"))
NOT_UTF8 = os.fsdecode(b"caf\xe9.png")


@pytest.fixture(scope="module")
def blender(detector):
    return Blender(find_model(), detector)


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
    assert [path.name for path in input_files(folder)] == ["first.png", "second.png"]
    every = input_files(folder, every=True)
    assert sorted(made_here(every)) == sorted(path for path in results if path.suffix != ".gif")  # a GIF is no photo
    assert made_here(every) == {*every} - {*input_files(folder)}
    assert all(map(was_made_here, results))
    assert not was_made_here(FIRST)
    assert not was_made_here(folder / "missing.png")


def test_a_folder_of_results_alone_is_taken(blender, tmp_path):
    results = add_results(blender, tmp_path)
    assert input_files(tmp_path) == sorted(path for path in results if path.suffix != ".gif")


def test_an_average_is_no_photo_of_the_next(blender, folder):
    first = average(folder, blender=blender)
    save_picture(folder / "average.png", first.image, first.recipe)
    again = average(folder, blender=blender)
    assert again.used == first.used == ("first.png", "second.png")
    assert [(one.photo, "featureblend made it" in one.reason) for one in again.skipped] == [("average.png", True)]
    named = average(
        folder, weights={"average.png": 1, "first.png": 1}, blender=blender
    )  # what is asked for by name is used
    assert named.used == ("average.png", "first.png")


def test_a_transform_says_what_it_leaves_out(blender, folder):
    add_results(blender, folder)
    (folder / "torn.png").write_bytes(FIRST.read_bytes()[:200])
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
    first, second = folder / "first.png", folder / "second.png"
    before = first.read_bytes()
    made = blender.blend([first, second], measures="none")
    way = continuum([first, second], steps=3, blender=blender)
    for save in (made.save, way.save):
        with pytest.raises(FeatureblendError, match=r"first\.png: it is one of the photos; name another file"):
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


@pytest.mark.parametrize("ending", ["png", "jpg", "webp", "tif", "gif"])
def test_a_name_in_another_encoding_is_written_so_that_it_can_be_read(blender, tmp_path, odd, ending):
    made = blender.blend([odd, SECOND], measures="none")
    assert read_recipe(made.save(tmp_path / f"a.{ending}"))["inputs"][0]["name"] == r"caf\xe9.png"


def test_verbs_take_a_name_in_another_encoding(blender, tmp_path, odd):
    shutil.copy(SECOND, tmp_path)
    (tmp_path / "torn.png").write_bytes(b"torn")
    made = average(tmp_path, blender=blender)
    assert made.used == (r"caf\xe9.png", "second.png")
    assert read_recipe(continuum([odd, SECOND], steps=3, size=64, blender=blender).save(tmp_path / "a.mp4"))
    code = Code.load(blender.encode(odd).save(tmp_path / "a.npz"))
    assert json.dumps(blender.blend([code, SECOND], measures="none").recipe).encode()


def test_numpys_numbers_are_numbers(blender, tmp_path):
    made = blender.blend([FIRST, SECOND], surroundings=np.int64(2), warp=np.bool_(False), measures="none")
    plain = blender.blend([FIRST, SECOND], surroundings=2, warp=False, measures="none")
    assert made.save(tmp_path / "a.png").read_bytes() == plain.save(tmp_path / "b.png").read_bytes()
    assert (made.recipe["surroundings"], made.recipe["warp"]) == (2, False)
