"""The edits on the command line: what is written and printed, and mistakes in one line."""

# ruff: noqa: F811 (fixtures that are imported)

import shutil

import numpy as np
import pytest
from command_line import fails, place, shared_detector  # noqa: F401
from PIL import Image

from featureblend.cli import main
from featureblend.faces import EXAMPLES
from featureblend.io.codes import Code
from featureblend.io.metadata import read_recipe

pytestmark = pytest.mark.usefixtures("model_sized")


def test_a_continuum_through_codes_and_photos(place, capsys):
    main(["encode", "ana.png", "-o", "ana.npz", "--quiet"])
    assert Code.load("ana.npz").name == "ana.png"
    main(
        [
            "continuum",
            "ana.npz",
            "ben.jpg",
            "-o",
            "walk.mp4",
            "--steps",
            "3",
            "--from",
            "-0.5",
            "--bounce",
            "--recipe",
            "walk.json",
            "--quiet",
        ]
    )
    assert capsys.readouterr().out.splitlines() == ["ana.npz", "walk.mp4"]
    assert read_recipe("walk.mp4") == read_recipe("walk.json")
    assert read_recipe("walk.mp4")["options"]["start"] == -0.5
    assert "sha256" in read_recipe("walk.mp4")["inputs"][0]


def test_codes_of_several_photos_go_into_a_folder(place, capsys):
    main(["encode", "ana.png", "ben.jpg", "-o", "codes", "--quiet"])
    assert capsys.readouterr().out.splitlines() == ["codes/ana.npz", "codes/ben.npz"]
    main(["symmetrize", "codes/ben.npz", "-o", "ben.png"])
    assert Image.open("ben.png").size == (128, 128)


def test_an_average_says_what_it_skipped(place, capsys):
    (place / "photos").mkdir()
    for name in ("first", "second"):
        shutil.copy(EXAMPLES / f"{name}.jpg", place / "photos")
    (place / "photos" / "broken.jpg").touch()
    main(["average", "photos", "-o", "average.png", "--quiet"])
    shown = capsys.readouterr().out
    assert shown.startswith("average.png\n")
    assert "broken.jpg  the file is empty" in shown
    assert (place / "average.skipped.csv").read_text().startswith("photo,reason\nbroken.jpg,")
    (place / "photos" / "broken.jpg").unlink()
    main(["average", "photos", "-o", "average.png", "--quiet", "--no-metadata"])
    assert (place / "average.skipped.csv").read_text() == "photo,reason\n"  # not the last run's


def test_letters_stand_for_photos(place):
    main(["mix", "ana.png", "ben.jpg", "--eyes-from", "B", "0.5", "--mouth-from", "b", "-o", "one.png"])
    main(["mix", "ana.png", "--eyes-from", "ben.jpg", "0.5", "--mouth-from", "ben.jpg", "-o", "two.png"])
    assert np.array_equal(np.asarray(Image.open("one.png")), np.asarray(Image.open("two.png")))
    assert read_recipe("one.png")["options"]["regions"] == {"eyes": [2, 0.5], "mouth": [2, 1.0]}


def test_a_transform(place, capsys):
    main(
        [
            "transform",
            "ana.png",
            "--from",
            "ben.jpg",
            "--to",
            "ana.png",
            "--amount",
            "-0.5",
            "--size",
            "64",
            "-o",
            "out.png",
            "--quiet",
        ]
    )
    assert Image.open("out.png").size == (64, 64)
    assert "1 from, 1 to, 0 skipped" in capsys.readouterr().out


def test_photos_that_are_called_frames_are_no_frames_to_replace(place, fails):
    (place / "frames").mkdir()
    for number, name in enumerate(("ana.png", "ben.jpg")):
        Image.open(name).save(place / "frames" / f"frame_{number:03}.png")
    said = fails("continuum", "frames/frame_000.png", "frames/frame_001.png", "-o", "frames", "--steps", "3")
    assert said.startswith("cannot write frames into frames: ")
