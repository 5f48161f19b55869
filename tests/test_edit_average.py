"""Averages: what is in them, what is left out and why, weights from a file, and memory that does not grow."""

import csv
import shutil

import numpy as np
import pytest
from example_photos import difference
from PIL import Image

from featureblend.blend import blender as blender_module
from featureblend.edit.average import average, read_weights, write_skipped
from featureblend.edit.face_store import FaceStore, gather, inputs_of
from featureblend.edit.replay import replay
from featureblend.errors import FeatureblendError
from featureblend.faces import EXAMPLES
from featureblend.io.metadata import read_recipe, save_picture

pytestmark = pytest.mark.usefixtures("model_sized")

NAMES = ("fifth", "first", "fourth", "second", "sixth", "third")


@pytest.fixture
def folder(tmp_path):
    """Three photos, one of them a folder deeper, and two files that show no face."""
    made = tmp_path / "photos"
    (made / "more").mkdir(parents=True)
    shutil.copy(EXAMPLES / "second.jpg", made / "b.png")
    shutil.copy(EXAMPLES / "first.jpg", made / "a.png")
    shutil.copy(EXAMPLES / "third.jpg", made / "more" / "c.png")
    (made / "broken.jpg").write_text("no picture")
    Image.new("RGB", (90, 90), "green").save(made / "grass.png")
    return made


def test_the_order_is_the_names_and_what_fails_is_listed(blender, folder, tmp_path):
    made = average(folder, blender=blender)
    assert made.used == ("a.png", "b.png", "more/c.png")
    assert [one.photo for one in made.skipped] == ["broken.jpg", "grass.png"]
    assert made.skipped[0].reason == "not a picture in a known format"
    assert made.skipped[1].reason.startswith("no face found: ")
    assert made.measures["photos"] == 3
    assert [fact["name"] for fact in made.recipe["inputs"]] == ["a.png", "b.png", "c.png"]
    rows = list(csv.reader(write_skipped(tmp_path / "skipped.csv", made.skipped).read_text().splitlines()))
    assert rows == [["photo", "reason"], *([one.photo, one.reason] for one in made.skipped)]


def test_it_is_the_blend_of_all_at_equal_weights(blender, folder):
    three = [folder / "a.png", folder / "b.png", folder / "more" / "c.png"]
    for photos in (three, sorted(EXAMPLES.glob("*.jpg"))):  # of six, latents are added up as they come
        made = average(photos, blender=blender).image
        assert difference(made, blender.blend(photos, surroundings="mean", detail=False, measures="none").image) < 0.6


def test_of_pixels_too(blender, folder):
    for method in ["morph", "pixel"]:
        photos = [folder / "a.png", folder / "b.png", folder / "more" / "c.png"]
        made = average(folder, method=method, blender=blender)
        assert difference(made.image, blender.blend(photos, method=method, measures="none").image) < 1
        assert "surroundings" not in made.recipe


def test_codes_count_as_photos(blender, folder):
    plain = average(folder, blender=blender)
    blender.encode(folder / "a.png").save(folder / "a.npz")
    (folder / "a.png").unlink()
    made = average(folder, blender=blender)
    assert made.used[0] == "a.npz"
    assert difference(made.image, plain.image) < 2


def test_weights_from_a_file(blender, folder, tmp_path):
    table = tmp_path / "weights.csv"
    table.write_text("photo,weight\na.png,3\nc.png,1\nb.png,0\n")
    made = average(folder, weights=table, blender=blender)
    assert made.used == ("a.png", "more/c.png")
    assert made.recipe["weights"] == [0.75, 0.25]
    assert {one.photo: one.reason for one in made.skipped} == {
        "b.png": "weight 0",
        "broken.jpg": "not a picture in a known format",
        "grass.png": "no weight in weights.csv",
    }
    photos = [folder / "a.png", folder / "more" / "c.png"]
    same = blender.blend(photos, [3, 1], surroundings="mean", detail=False, measures="none").image
    assert difference(made.image, same) < 0.6


def test_weights_that_do_not_fit(blender, folder, tmp_path):
    for text, said in [
        ("", "holds no weights"),
        ("photo,weight\n", "holds no weights"),
        ("a.png,1\nb.png\n", "line 2: expected a photo and its weight"),
        ("a.png,-1\n", "line 1: the weight of a.png must be"),
        ("a.png,nan\n", "line 1: the weight of a.png must be"),
        ("a.png,1\na.png,2\n", "line 2: a.png has a weight already"),
        ("a.png,1\nz.png,2\n", "names z.png: there is no such photo"),
        ("a.png,0\n", "at least one weight"),
    ]:
        table = tmp_path / "weights.csv"
        table.write_text(text)
        with pytest.raises(FeatureblendError, match=said) as error:
            average(folder, weights=table, blender=blender)
        assert "weights.csv" in str(error.value)


def test_a_heading_may_be_missing_and_signs_in_front_are_read_over(tmp_path):
    table = tmp_path / "weights.csv"
    table.write_text("\ufeffana.jpg, 2\n\nben.jpg,0.5\n", encoding="utf-8")
    assert read_weights(table) == {"ana.jpg": 2, "ben.jpg": 0.5}


def test_a_first_row_that_names_a_photo_is_no_heading(tmp_path):
    table = tmp_path / "weights.csv"
    table.write_text("ana.jpg,1/2\nben.jpg,1\n")
    with pytest.raises(FeatureblendError, match=r"line 1: expected a photo and its weight"):
        read_weights(table, ["sub/ana.jpg", "ben.jpg"])
    table.write_text("name,weight\nben.jpg,1\n")
    assert read_weights(table, ["sub/ana.jpg", "ben.jpg"]) == {"ben.jpg": 1}


def test_bad_requests_are_refused(blender, tmp_path):
    with pytest.raises(FeatureblendError, match="unknown method 'magic'"):
        average(EXAMPLES, method="magic", blender=blender)
    with pytest.raises(FeatureblendError, match=r"0 of 1 can be used; nothing\.jpg: no such file"):
        average([tmp_path / "nothing.jpg"], blender=blender)
    with pytest.raises(FeatureblendError, match="holds no photos"):
        average(tmp_path, blender=blender)


def test_no_crop_and_no_photo_stays_in_memory(blender):
    items, names, left_out = inputs_of(EXAMPLES)
    assert left_out == ()
    found = gather(blender, items, names)
    assert names == [f"{name}.jpg" for name in NAMES]
    assert found.places == [0, 1, 2, 3, 4, 5]
    kept = found.faces._faces
    assert all(face.image.size == 0 and face.photo is None for face in kept)
    for place, item in enumerate(items):
        np.testing.assert_array_equal(found.faces[place].image, blender.find(item).image)
    np.testing.assert_array_equal(found.faces[-1].image, found.faces[5].image)
    assert len(found.faces[1:3]) == 2
    with pytest.raises(IndexError):
        found.faces[6]


def test_faces_of_two_sizes_are_not_stored_together(blender):
    store, face = FaceStore(), blender.find(EXAMPLES / "first.jpg")
    store.append(face)
    with pytest.raises(FeatureblendError, match="of one size"):
        store.append(face.at(64))


def test_a_recipe_makes_the_same_picture_again(blender, tmp_path, monkeypatch):
    monkeypatch.setattr(blender_module, "FaceDetector", lambda: blender.detector)
    made = average(EXAMPLES, weights=[1, 2, 3, 4, 5, 6], blender=blender)
    path = save_picture(tmp_path / "average.png", made.image, made.recipe)
    assert read_recipe(path)["verb"] == "average"
    again = replay(path, tmp_path / "again.png", folders=[EXAMPLES]).path
    assert again.read_bytes() == path.read_bytes()


def test_surroundings_of_no_photo_are_refused_before_any_is_searched(blender, monkeypatch):
    for who in [0, 7, "nobody", np.array([1, 0])]:
        for method in ["latent", "pixel"]:
            monkeypatch.setattr(blender, "find", None)
            with pytest.raises(FeatureblendError, match="surroundings"):
                average(EXAMPLES, method=method, surroundings=who, blender=blender)
