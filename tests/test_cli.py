"""The command line as a user meets it: what it prints and what it writes."""

# ruff: noqa: F811 (fixtures that are imported)

import hashlib
import json
import os
import shutil
import subprocess
import sys
from unittest.mock import Mock

import numpy as np
import pytest
import skimage.data
from command_line import place, shared_detector  # noqa: F401
from PIL import Image

import featureblend
from featureblend.blend import blender as blender_module
from featureblend.blend.pipeline import METHODS
from featureblend.cli import main
from featureblend.cli.commands import COMMANDS
from featureblend.cli.options import options_of, parser_of, summary
from featureblend.faces import EXAMPLES
from featureblend.metrics.scores import sharpness
from featureblend.model.folder import BUNDLED, DEFAULT_MODEL

pytestmark = pytest.mark.usefixtures("model_sized")


def pixels(path):
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


# --- help


def test_the_overview_names_every_command(capsys):
    for words in ([], ["--help"], ["-h"]):
        main(words)
        shown = capsys.readouterr().out
        assert all(f"\n  {name} " in shown for name in COMMANDS)
        assert max(map(len, shown.splitlines())) <= 80


def test_the_version(capsys):
    main(["--version"])
    assert capsys.readouterr().out == f"featureblend {featureblend.__version__}\n"


def test_every_command_explains_itself(capsys, monkeypatch):
    for name in COMMANDS:
        monkeypatch.setenv("COLUMNS", "80")
        with pytest.raises(SystemExit) as stop:
            main([name, "--help"])
        shown = capsys.readouterr().out
        assert stop.value.code == 0
        assert shown.startswith(f"usage: featureblend {name} ")
        assert summary(COMMANDS[name]) in " ".join(shown.split())
        assert f"  featureblend {name}" in shown.split("\nexample")[1]
        lines = shown.split("\nexample")[0].splitlines()
        assert max(map(len, lines)) <= 80
        for _, field, how in options_of(COMMANDS[name]):
            assert how.help or how.off, field.name
            assert how.positional or how.flags(field.name)[-1][2:] in shown, field.name


def test_help_of_blend_names_every_method(capsys):
    with pytest.raises(SystemExit):
        main(["blend", "--help"])
    shown = capsys.readouterr().out
    assert all(method in shown for method in METHODS)


def test_an_option_of_several_values_keeps_all_of_them():
    """Whether it is given once or more often; they replace the default."""
    seen = 0
    for name, command in COMMANDS.items():
        parser = parser_of(command, name)
        for action in parser._actions:
            action.required = False
        for _, field, how in options_of(command):
            if field.type.startswith("Sequence[") and not how.positional:
                option = how.flags(field.name)[-1]
                first, *more = (how.choices or ("1", "2", "3"))[:3]
                for words, count in (
                    ([option, first, *more], 3),
                    ([option, first, option, *more], 3),
                    ([option, first], 1),
                ):
                    found = getattr(parser.parse_intermixed_args(words), field.name)
                    assert list(map(str, found)) == [first, *more][:count], (name, words)
                seen += 1
    assert seen > 20


# --- blend


def test_two_photos_become_one(place, capsys):
    main(["blend", "ana.png", "ben.jpg", "-o", "out.png", "--json", "out.json"])
    shown = capsys.readouterr()
    assert shown.err == ""
    assert shown.out.splitlines()[0] == "out.png"
    with Image.open("out.png") as picture:
        assert (picture.format, picture.size, picture.mode) == ("PNG", (128, 128), "RGB")
    report = json.loads((place / "out.json").read_text())
    assert set(report) == {"measures", "recipe", "warnings"}
    assert report["recipe"]["weights"] == [0.5, 0.5]
    assert [one["name"] for one in report["recipe"]["inputs"]] == ["ana.png", "ben.jpg"]
    assert report["recipe"]["inputs"][1]["sha256"] == hashlib.sha256((place / "ben.jpg").read_bytes()).hexdigest()
    assert str(place) not in (place / "out.json").read_text()
    for name, value in report["measures"].items():
        assert f"  {name.replace('_', ' '):28}{value}" in shown.out.splitlines()
    assert sorted(os.listdir(place)) == ["ana.png", "ben.jpg", "out.json", "out.png"]
    main(["blend", "ana.png", "ben.jpg", "-o", "again.png"])
    assert (place / "again.png").read_bytes() == (place / "out.png").read_bytes()


def test_weights_move_the_face_towards_their_photo(place):
    """The face: hair and background are one photo's as long as its weight is not small."""
    for name, weights in (("a", ("1", "0")), ("b", ("0", "1")), ("near", ("3", "1")), ("far", ("1", "3"))):
        main(["blend", "ana.png", "ben.jpg", "-o", f"{name}.png", "--weights", *weights])
    a, b, near, far = (pixels(f"{name}.png")[44:108, 42:86] for name in ("a", "b", "near", "far"))
    assert np.abs(near - a).mean() < np.abs(near - b).mean()
    assert np.abs(far - b).mean() < np.abs(far - a).mean()


def test_backgrounds_sizes_and_detail(place):
    main(["blend", "ana.png", "ben.jpg", "-o", "whole.png", "--background", "source", "--onto", "2", "--quiet"])
    main(["blend", "ana.png", "ben.jpg", "-o", "cut.png", "--background", "transparent", "--size", "200", "--quiet"])
    # A real photo, larger than the networks' pictures: the example faces have no more detail than those.
    photo = skimage.data.astronaut()
    Image.fromarray(photo).save("eve.png")
    Image.fromarray(photo[:, ::-1].copy()).save("eva.png")
    main(["blend", "eve.png", "eva.png", "-o", "soft.png", "--no-detail", "--size", "256", "--quiet"])
    main(["blend", "eve.png", "eva.png", "-o", "fine.png", "--size", "256", "--quiet"])
    with Image.open("whole.png") as whole, Image.open("ben.jpg") as photo:
        assert whole.size == photo.size
        corner = np.asarray(whole)[:6, :6].astype(int) - np.asarray(photo)[:6, :6]
        assert np.abs(corner).max() <= 1
    with Image.open("cut.png") as cut:
        assert (cut.mode, cut.size) == ("RGBA", (200, 200))
        assert (cut.getpixel((0, 0))[3], cut.getpixel((100, 110))[3]) == (0, 255)
    soft, fine = pixels("soft.png"), pixels("fine.png")
    assert sharpness(fine.astype(np.uint8)) > 1.2 * sharpness(soft.astype(np.uint8))


def test_shape_and_texture_apart(place):
    for name, words in (
        ("shape", ["--shape-weights", "0", "1", "--weights", "1", "0"]),
        ("texture", ["--shape-weights", "0", "1", "--texture-weights", "1", "0"]),
        ("plain", ["--weights", "1", "0"]),
    ):
        main(["blend", "ana.png", "ben.jpg", "-o", f"{name}.png", "--method", "morph", "--quiet", *words])
    shape, texture, plain = (pixels(f"{name}.png") for name in ("shape", "texture", "plain"))
    assert np.abs(shape - texture).max() <= 1
    assert np.abs(shape - plain).mean() > 1


def test_balance_and_quiet(place, capsys):
    shutil.copy(EXAMPLES / "sixth.jpg", "sam.jpg")
    main(["blend", "ana.png", "sam.jpg", "-o", "even.png", "--balance", "--json", "even.json"])
    told = capsys.readouterr().out
    even = json.loads((place / "even.json").read_text())
    main(["blend", "ana.png", "sam.jpg", "-o", "half.png", "--json", "half.json", "--quiet"])
    assert capsys.readouterr().out == "half.png\n"
    half = json.loads((place / "half.json").read_text())
    assert even["measures"]["balance"] < 0.02 < half["measures"]["balance"]
    assert even["recipe"]["weights"] != [0.5, 0.5]
    assert " ".join(f"{share:.3f}" for share in even["recipe"]["weights"]) in told


def test_no_metadata_leaves_nothing_in_the_picture(place):
    main(["blend", "ana.png", "ben.jpg", "-o", "bare.png", "--no-metadata", "--quiet", "--recipe", "bare.json"])
    main(["blend", "ana.png", "ben.jpg", "-o", "full.png", "--quiet"])
    bare, full = (place / "bare.png").read_bytes(), (place / "full.png").read_bytes()
    assert b"featureblend" not in bare
    assert b"ana.png" in full
    assert str(place).encode() not in full
    np.testing.assert_array_equal(pixels("bare.png"), pixels("full.png"))
    assert json.loads((place / "bare.json").read_text())["verb"] == "blend"


def test_faces_are_counted_from_the_left(place):
    photo = Image.new("RGB", (560, 300), (120, 130, 140))
    for at, path in ((10, "ana.png"), (290, "ben.jpg")):
        photo.paste(Image.open(path).convert("RGB").resize((260, 260), Image.Resampling.BICUBIC), (at, 20))
    photo.save("both.png")
    main(["blend", "both.png", "both.png", "-o", "out.png", "--faces", "1", "2", "--weights", "1", "0"])
    main(["blend", "both.png", "both.png", "-o", "right.png", "--faces", "2"])
    main(["blend", "ana.png", "ben.jpg", "-o", "due.png", "--weights", "1", "0"])
    main(["blend", "ana.png", "ben.jpg", "-o", "other.png", "--weights", "0", "1"])
    out, right, due, other = (pixels(f"{name}.png") for name in ("out", "right", "due", "other"))
    assert np.abs(out - due).mean() < np.abs(out - other).mean()
    assert np.abs(right - other).mean() < np.abs(right - due).mean()


def test_a_model_folder_anywhere_gives_the_same_picture(place):
    shutil.copytree(BUNDLED / DEFAULT_MODEL, place / "model")
    main(["blend", "ana.png", "ben.jpg", "-o", "own.png", "--model", "model"])
    main(["blend", "ana.png", "ben.jpg", "-o", "bundled.png"])
    assert (place / "own.png").read_bytes() == (place / "bundled.png").read_bytes()


# --- stopping


def test_ctrl_c_and_bugs(place, capsys, monkeypatch):
    def stop(*words, **settings):
        raise KeyboardInterrupt

    monkeypatch.setattr(blender_module.Blender, "blend", stop)
    with pytest.raises(SystemExit) as stopped:
        main(["blend", "ana.png", "ben.jpg", "-o", "out.png"])
    assert (stopped.value.code, capsys.readouterr().err) == (130, "featureblend: stopped\n")
    monkeypatch.setattr(blender_module.Blender, "blend", lambda *words, **settings: 1 / 0)
    with pytest.raises(ZeroDivisionError):  # a bug keeps its traceback
        main(["blend", "ana.png", "ben.jpg", "-o", "out.png"])
    assert sorted(os.listdir(place)) == ["ana.png", "ben.jpg"]


def test_ctrl_c_while_modules_are_imported():
    code = """
import sys

class Stop:
    def find_spec(self, name, *rest):
        if name == "argparse":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Stop())
from featureblend.cli import main
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (130, "featureblend: stopped\n")


def test_an_error_of_the_system_that_nothing_foresaw_is_one_line(place, capsys, monkeypatch, subtests):
    errors = [
        (PermissionError(13, "Permission denied", "a b.png"), "cannot read or write a b.png: Permission denied"),
        (OSError(36, "File name too long", b"b.png"), "cannot read or write b.png: File name too long"),
        (OSError(28, "No space left on device"), "cannot go on: No space left on device"),
        (OSError("broken"), "cannot go on: broken"),
    ]
    failing = Mock(side_effect=[error for error, _ in errors])
    monkeypatch.setattr(blender_module.Blender, "blend", failing)
    for _, line in errors:
        with subtests.test(line):
            with pytest.raises(SystemExit) as stop:
                main(["blend", "ana.png", "ben.jpg", "-o", "out.png"])
            assert (stop.value.code, capsys.readouterr().err) == (2, f"featureblend: {line}\n")


def test_a_reader_that_goes_away_makes_no_traceback():
    """As `| head` does; what is printed is too short to be noticed before the end."""
    for words in [["--help"], ["blend", "--help"], ["train", "--list"], ["completion", "bash"]]:
        gone, pipe = os.pipe()
        os.close(gone)
        done = subprocess.run([sys.executable, "-m", "featureblend", *words], stdout=pipe, stderr=subprocess.PIPE)
        os.close(pipe)
        assert (done.returncode, done.stderr) == (141, b"")


# --- options that do nothing


def test_options_that_do_nothing_are_named(place, capsys):
    words = ["blend", "ana.png", "ben.jpg", "-o", "out.png", "--method", "pixel"]
    main([*words, "--surroundings", "2", "--no-warp", "--no-mend", "--onto", "2", "--cut", "face"])
    told = capsys.readouterr().err.splitlines()
    for option in ("--surroundings", "--no-warp", "--no-mend"):
        assert f"featureblend: warning: {option} does nothing with the method 'pixel'" in told
    assert "featureblend: warning: --onto does nothing without --background source, or --size source" in told
    assert "featureblend: warning: --cut does nothing without --background transparent or black" in told
    main([*words, "--onto", "2", "--size", "source"])
    assert capsys.readouterr().err == ""


def test_a_format_without_room_for_the_recipe_is_named(place, capsys):
    main(["symmetrize", "ana.png", "-o", "out.bmp"])
    assert "out.bmp has no room for the recipe: keep it with --recipe FILE" in capsys.readouterr().err
    main(["symmetrize", "ana.png", "-o", "out.bmp", "--recipe", "out.json"])
    assert capsys.readouterr().err == ""
