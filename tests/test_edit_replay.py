"""Recipes followed: the same bytes again, from inputs renamed and moved; and what is told where that fails."""

# ruff: noqa: F811 (fixtures that are imported)

import json
import os
import shutil

import numpy as np
import pytest
from command_line import fails, place, shared_detector  # noqa: F401
from PIL import Image

from featureblend.blend.blender import Blender
from featureblend.cli import main
from featureblend.edit import replay as replaying
from featureblend.edit.replay import find_inputs, find_recipe_model, replay
from featureblend.errors import FeatureblendError
from featureblend.io.files import sha256
from featureblend.io.metadata import read_recipe
from featureblend.model.folder import BUNDLED, DEFAULT_MODEL

pytestmark = pytest.mark.usefixtures("model_sized")


@pytest.mark.parametrize(
    ("out", "words"),
    [
        ("out.png", []),
        ("out.jpg", ["--weights", "0.3", "0.4", "--background", "source", "--onto", "2"]),
        (
            "out.webp",
            ["--method", "morph", "--shape-weights", "1", "3", "--size", "96", "--background", "transparent"],
        ),
        ("out.png", ["--no-warp", "--no-detail", "--surroundings", "mean", "--faces", "1", "central"]),
    ],
)
def test_the_same_bytes_again_from_files_that_were_moved_and_renamed(place, capsys, out, words):
    main(["blend", "ana.png", "ben.jpg", "-o", out, "--recipe", "recipe.json", *words])
    made = (place / out).read_bytes()
    (place / "old" / "deep").mkdir(parents=True)
    shutil.move("ana.png", "old/deep/x.png")
    shutil.move("ben.jpg", "old/y.jpg")
    capsys.readouterr()
    main(["replay", out, "--inputs-dir", "old"])
    again = f"out-again.{out.partition('.')[2]}"
    assert capsys.readouterr().out == f"{again}\n  the same, byte for byte\n"
    assert (place / again).read_bytes() == made
    suffix = out.partition(".")[2]
    main(["replay", "recipe.json", "-o", f"third.{suffix}", "--photos", "old/y.jpg", "old/deep/x.png", "--quiet"])
    assert capsys.readouterr().out == f"third.{suffix}\n"
    assert (place / f"third.{suffix}").read_bytes() == made


def test_replay_looks_beside_the_recipe_and_may_leave_it_out(place):
    main(["blend", "ana.png", "ben.jpg", "-o", "out.png", "--quiet"])
    main(["replay", "out.png", "-o", "bare.png", "--no-metadata", "--quiet"])
    assert b"featureblend" not in (place / "bare.png").read_bytes()
    np.testing.assert_array_equal(np.asarray(Image.open("bare.png")), np.asarray(Image.open("out.png")))


def test_a_code_and_a_picture_in_memory_are_found_too(place, detector):
    blender = Blender(BUNDLED / DEFAULT_MODEL, detector)
    code = blender.encode("ana.png")
    pixels = np.asarray(Image.open("ben.jpg"))
    made = blender.blend([code, pixels], [1, 2])
    made.save("out.png")
    code.save("ana.npz")
    assert [path.name for path in find_inputs(made.recipe, folders=["."])] == ["ana.npz", "ben.jpg"]
    replay("out.png", "again.png", folders=["."])
    assert (place / "again.png").read_bytes() == (place / "out.png").read_bytes()


def test_what_differs_is_named(fails, place, capsys):
    main(["blend", "ana.png", "ben.jpg", "-o", "out.png", "--method", "pixel", "--quiet"])
    capsys.readouterr()
    with Image.open("ana.png") as picture:
        picture.convert("RGB").rotate(1).save("ana.png")
    message = fails("replay", "out.png")
    assert "ana.png is not the ana.png of the recipe: sha256 " in message
    os.remove("ana.png")
    assert "ana.png (sha256 " in (message := fails("replay", "out.png"))
    assert "was not found: name it with --photos, or its folder with --inputs-dir" in message


def test_what_replay_refuses(fails, capsys):
    main(["blend", "ana.png", "ben.jpg", "-o", "out.png", "--method", "pixel", "--quiet"])
    capsys.readouterr()
    for words, message in [
        (["ana.png"], "ana.png holds no recipe"),
        (["nowhere.png"], "no such file: nowhere.png"),
        (["out.png", "-o", "no/a.png"], "the folder no does not exist"),
        (["out.png", "-o", "a.xyz"], ".xyz is no picture format"),
        (["out.png", "-o", "out.png"], "cannot write out.png: it is one of the photos"),
        (["out.png", "-o", "ben.jpg"], "cannot write ben.jpg: it is one of the photos"),
        (["out.png", "--inputs-dir", "no"], "no such folder: no"),
        (["out.png", "--photos", "no.png"], "no such file: no.png"),
        (["out.png", "--model", "."], ". is no model folder"),
    ]:
        assert message in fails("replay", *words)


def test_another_model_is_named(place, detector):
    recipe = Blender(BUNDLED / DEFAULT_MODEL, detector).blend(["ana.png", "ben.jpg"]).recipe
    foreign = {**recipe, "model": {"name": "mine", "identity": "0" * 12}}
    with pytest.raises(FeatureblendError, match=r"made with the model mine \(000000000000\), and here is lfw-128 \("):
        replay(foreign, "out.png", folders=["."])
    shutil.copytree(BUNDLED / DEFAULT_MODEL, "copy")
    assert find_recipe_model(recipe, "copy").name == "copy"


def test_a_recipe_of_another_version_is_followed_with_a_note(place, detector, capsys):
    recipe = Blender(BUNDLED / DEFAULT_MODEL, detector).blend(["ana.png", "ben.jpg"], method="pixel").recipe
    (place / "old.json").write_text(json.dumps({**recipe, "featureblend": "0.0.1"}))
    main(["replay", "old.json", "-o", "out.png"])
    shown = capsys.readouterr()
    assert shown.err.startswith("featureblend: warning: made by featureblend 0.0.1, followed by ")
    assert read_recipe("out.png") == recipe


def test_damaged_recipes(place, detector):
    recipe = Blender(BUNDLED / DEFAULT_MODEL, detector).blend(["ana.png", "ben.jpg"], method="pixel").recipe
    for change in [
        {"verb": "shred"},
        {"method": "magic"},
        {"weights": "x"},
        {"weights": [1]},
        {"options": {"colour": "red"}},
        {"options": 3},
        {"inputs": [{}]},
        {"inputs": [3]},
        {"faces": 1.5},
    ]:
        with pytest.raises(FeatureblendError) as raised:
            replay({**recipe, **change}, "out.png", folders=["."])
        assert "\n" not in str(raised.value)
        assert not (place / "out.png").exists()


def test_files_that_can_not_be_read_stop_no_search(fails, place, capsys, monkeypatch):
    main(["blend", "ana.png", "ben.jpg", "-o", "out.png", "--method", "pixel", "--quiet"])
    (place / "old").mkdir()
    shutil.move("ana.png", "old/renamed.png")
    shutil.copy("ben.jpg", "old/aaa.png")

    def guarded(path):
        if path.name == "aaa.png":
            raise PermissionError(13, "Permission denied", str(path))
        return sha256(path)

    monkeypatch.setattr(replaying, "_HASHERS", {"sha256": guarded})
    capsys.readouterr()
    main(["replay", "out.png", "-o", "again.png", "--inputs-dir", "old", "."])
    assert capsys.readouterr().out == "again.png\n  the same, byte for byte\n"
    os.remove("old/renamed.png")
    message = fails("replay", "out.png", "-o", "third.png", "--inputs-dir", "old", ".")
    assert "ana.png (sha256 " in message
    assert message.endswith("(it may be old/aaa.png, which can't be read: Permission denied)")


@pytest.fixture
def walk(place, capsys):
    """A folder of frames."""
    main(["continuum", "ana.png", "ben.jpg", "-o", "walk", "--steps", "4", "--method", "pixel", "--quiet"])
    capsys.readouterr()
    return place / "walk"


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_folder_of_frames_is_made_again_beside_it(walk, place, capsys):
    for named in ["walk", "walk/recipe.json"]:
        before = contents(walk)
        main(["replay", named])
        assert capsys.readouterr().out == "walk-again\n  the same, byte for byte\n"
        assert contents(place / "walk-again") == before == contents(walk)
        assert len(before) == 6


def test_a_frame_is_made_again_and_never_left_in_the_folder(walk, place, capsys, monkeypatch):
    before = contents(walk)
    main(["replay", "walk/frame_002.png"])
    assert capsys.readouterr().out == "frame_002-again.png\n  the same, byte for byte\n"
    shutil.copy("walk/frame_001.png", "renamed.png")
    main(["replay", "renamed.png"])
    assert (place / "renamed-again.png").read_bytes() == before["frame_001.png"]
    monkeypatch.chdir(walk)
    main(["replay", "frame_003.png", "-o", "../named.jpg", "--inputs-dir", ".."])
    main(["replay", "recipe.json"])
    assert contents(walk) == before
    assert contents(place / "walk-again") == before
    with Image.open("../named.jpg") as named, Image.open("frame_003.png") as frame:
        assert named.size == frame.size


def test_frames_become_a_film_or_a_sheet_where_that_is_asked(walk, place, capsys):
    main(["replay", "walk/frame_002.png", "-o", "walk.gif"])
    main(["replay", "walk", "-o", "sheet.png"])
    main(["replay", "sheet.png", "-o", "again.png", "--quiet"])
    assert (place / "again.png").read_bytes() == (place / "sheet.png").read_bytes()
    with Image.open("walk.gif") as film, Image.open("sheet.png") as sheet, Image.open("walk/frame_002.png") as frame:
        assert film.n_frames == 4
        assert sheet.width > 3 * frame.width


def test_what_differs_is_told_and_how_much(walk, place, capsys):
    recipe = read_recipe("walk/recipe.json")
    main(["replay", "walk", "--no-metadata"])
    assert "not the same bytes as walk/recipe.json: its pixels are the same" in capsys.readouterr().out
    with Image.open("walk/frame_001.png") as frame:
        other = np.array(frame)
    other[0, 0, 0] += 3 if other[0, 0, 0] < 128 else -3
    Image.fromarray(other).save("walk-again/frame_001.png")
    frames = sum(path.suffix == ".png" for path in walk.iterdir())
    near = replaying.difference("walk/recipe.json", place / "walk-again", recipe)
    assert near == (3, pytest.approx(1 / (frames * other.size)))
    Image.fromarray(other[:-1]).save("walk-again/frame_001.png")
    assert replaying.difference("walk/recipe.json", place / "walk-again", recipe) is None


def test_a_continuum_is_refused_before_any_work(walk, fails, monkeypatch):
    monkeypatch.setattr(replaying, "Blender", lambda *words, **settings: pytest.fail("work was begun"))
    assert "cannot write a.doc: use .mp4" in fails("replay", "walk", "-o", "a.doc")
    assert "the folder no does not exist" in fails("replay", "walk", "-o", "no/again")


def test_a_transparent_background_is_replayed_only_where_there_is_transparency(fails, capsys):
    main(["blend", "ana.png", "ben.jpg", "-o", "cut.png", "--background", "transparent", "--quiet"])
    capsys.readouterr()
    assert "cannot write cut.jpg: .jpg has no transparency" in fails("replay", "cut.png", "-o", "cut.jpg")


def test_a_recipe_from_before_heads_were_cut_out_gives_the_face(place):
    main(["blend", "ana.png", "ben.jpg", "-o", "cut.png", "--background", "black", "--cut", "face", "--quiet"])
    recipe = read_recipe("cut.png")
    assert recipe["options"].pop("cut") == "face"
    replay(recipe, "again.png", folders=["."])
    with Image.open("cut.png") as made, Image.open("again.png") as again:
        assert np.asarray(made).tobytes() == np.asarray(again).tobytes()
