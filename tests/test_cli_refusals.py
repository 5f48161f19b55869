"""Every mistake on the command line: one clear line, exit code 2, and nothing left behind."""

# ruff: noqa: F811 (fixtures that are imported)

import hashlib
import json
import os
import shutil

import pytest
from command_line import fails, place, shared_detector  # noqa: F401
from PIL import Image

from featureblend.blend.blender import Blender
from featureblend.cli import main
from featureblend.cli.options import _in_one_line
from featureblend.model.folder import BUNDLED, DEFAULT_MODEL

# --- bad photos


def broken(place):
    """Name each kind of file that is no photo, and what the line says of it."""
    (place / "text.png").write_text("no picture")
    (place / "empty.png").write_bytes(b"")
    (place / "cut.jpg").write_bytes((place / "ben.jpg").read_bytes()[:800])
    (place / "folder").mkdir()
    Image.new("L", (10_001, 10_000)).save(place / "huge.png", compress_level=1)
    Image.new("RGB", (300, 300), "grey").save(place / "wall.png")
    return {
        "text.png": "cannot read text.png: not a picture in a known format",
        "empty.png": "cannot read empty.png: ",
        "cut.jpg": "cannot read cut.jpg: the file is damaged or cut short",
        "folder": "folder is a folder; a photo is due here",
        "huge.png": "huge.png has 100 megapixels; at most 100 are read",
        "wall.png": "no face found in wall.png: try a photo with",
        "nowhere.png": "no such file: nowhere.png",
    }


def test_photos_that_can_not_be_used(fails, place):
    for name, message in broken(place).items():
        assert message in fails("blend", "ana.png", name, "-o", "out.png")
    assert "cannot read text.png" in fails("blend", "text.png", "nowhere.png", "-o", "out.png")


def test_a_name_over_two_lines_still_gives_one(fails):
    assert "no such file: a b.png" in fails("blend", "a\nb.png", "ana.png", "-o", "out.png")


# --- bad settings


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["ana.png"], "two or more photos are needed"),
        ([], "two or more photos are needed"),
        (["ana.png", "ben.jpg", "--weights", "1", "2", "3"], "weights 1 2 3: 3 for 2 photos"),
        (["ana.png", "ben.jpg", "--weights", "1"], "weights 1: 1 for 2 photos"),
        (["ana.png", "ben.jpg", "--weights"], "0 for 2 photos"),
        (["ana.png", "ben.jpg", "--weights", "2", "-1"], "weights 2 -1: none may be negative"),
        (["ana.png", "ben.jpg", "--weights", "0", "0"], "weights 0 0: at least one must be more than 0"),
        (["ana.png", "ben.jpg", "--weights", "nan", "1"], "weights nan 1: each must be a finite number"),
        (
            ["ana.png", "ben.jpg", "--weights", "much", "1"],
            "'much 1': numbers are due, parted by spaces; 'much' is no number",
        ),
        (["--weights", "2", "1", "ana.png", "ben.jpg"], "'ana.png' is no number (photos come before the options)"),
        (["ana.png", "ben.jpg", "--method", "magic"], "unknown method 'magic': use one of latent, pixel"),
        (["ana.png", "ben.jpg", "--faces", "1", "1", "1"], "3 faces are chosen for 2 photos"),
        (["ana.png", "ben.jpg", "--faces", "2"], "ana.png shows 1 face(s); there is no face number 2"),
        (["ana.png", "ben.jpg", "--faces", "0"], "there is no face number 0"),
        (["ana.png", "ben.jpg", "--faces", "²"], "unknown face '²'"),
        (["ana.png", "ben.jpg", "--faces", "tallest"], "unknown face 'tallest'"),
        (["ana.png", "ben.jpg", "--model", "missing"], "no bundled model is called missing (bundled: lfw-128)"),
        (["ana.png", "ben.jpg", "--model", "."], ". is no model folder: config.json is missing"),
        (["ana.png", "ben.jpg", "--json", "ana.png"], "cannot write ana.png: it is one of the photos"),
        (["ana.png", "ben.jpg", "--json", "./out.png"], "cannot write out.png: another file of this command goes"),
        (["ana.png", "ben.jpg", "--json", "a.json", "--recipe", "a.json"], "cannot write a.json: another file of this"),
        (["ana.png", "ben.jpg", "--json", "no/out.json"], "cannot write no/out.json: the folder no does not exist"),
        (["ana.png", "ben.jpg", "--recipe", "ben.jpg"], "cannot write ben.jpg: it is one of the photos"),
        (["ana.png", "ben.jpg", "--recipe", "no/a.json"], "cannot write no/a.json: the folder no does not exist"),
        (["ana.png", "ben.jpg", "--detail", "--no-detail"], "exclude each other"),
        (["ana.png", "ben.jpg", "--balance", "--weights", "1", "1"], "--balance finds the weights"),
        (["ana.png", "ben.jpg", "ana.png", "--balance"], "a balance is searched for two photos"),
        (["ana.png", "ben.jpg", "--size", "huge"], "size 'huge': use 'source' or a number of pixels"),
        (["ana.png", "ben.jpg", "--size", "9"], "size 9: use 'source' or 16 to 4096 pixels"),
        (["ana.png", "ben.jpg", "--onto", "3"], "onto 3: use the number of a photo, 1 to 2"),
        (["ana.png", "ben.jpg", "--background", "red"], "'red'"),
        (["ana.png", "ben.jpg", "--surroundings", "3"], "surroundings 3: use 'auto', 'mean' or the number of a photo"),
        (["ana.png", "ben.jpg", "--shape-weights", "1", "2", "3"], "3 for 2 photos"),
        (
            ["ana.png", "ben.jpg", "--shape-weights", "x", "2"],
            "shape-weights 'x 2': numbers are due",
        ),
        (["ana.png", "ben.jpg", "--shape-weights", "1", "2", "--method", "pixel"], "the method 'pixel' warps no faces"),
        (["ana.png", "ben.jpg", "--texture-weights", "1", "2", "--no-warp"], "need faces that are warped"),
        (["ana.png", "ben.jpg", "--nonsense"], "Unrecognized options: --nonsense; see `featureblend blend --help`"),
        (["ana.png", "ben.jpg", "--modle", "x"], "--modle, x (perhaps --model MODEL is meant); see"),
        (["ana.png", "ben.jpg", "--model"], "--model"),
    ],
)
def test_settings_that_do_not_fit(fails, words, message):
    out = ["-o", "out.png"]
    assert message in fails("blend", *(out + words if words[:1] == ["--weights"] else words + out))


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("no/out.png", "cannot write no/out.png: the folder no does not exist"),
        (".", "cannot write .: it is a folder"),
        ("out.xyz", "cannot write out.xyz: .xyz is no picture format"),
        ("out", "cannot write out: no suffix is no picture format"),
        ("out.pdf.bak", "is no picture format"),
        ("ana.png", "cannot write ana.png: it is one of the photos"),
        ("./ben.jpg", "cannot write ben.jpg: it is one of the photos"),
    ],
)
def test_outputs_that_can_not_be_written(fails, out, message):
    assert message in fails("blend", "ana.png", "ben.jpg", "-o", out, "--json", "out.json")


@pytest.mark.parametrize("out", ["out.jpg", "out.BMP", "out.gif"])
def test_a_transparent_background_needs_a_format_that_has_it(fails, monkeypatch, out):
    monkeypatch.setattr(Blender, "from_pretrained", lambda *words, **settings: pytest.fail("work was begun"))
    message = f"{out[3:]} has no transparency; use .png or .webp"
    assert message in fails("blend", "ana.png", "ben.jpg", "-o", out, "--background", "transparent")


def test_what_is_read_and_is_no_photo_is_no_photo_in_the_message(fails, place):
    (place / "weights.csv").write_text("ana.png,1\nben.jpg,2\n")
    words = ["average", "ana.png", "ben.jpg", "-o", "out.png", "--weights-csv", "weights.csv"]
    assert "cannot write weights.csv: it is one of the inputs" in fails(*words, "--recipe", "weights.csv")
    assert "cannot write out.skipped.csv: another file of this" in fails(*words, "--recipe", "out.skipped.csv")


def test_a_result_that_is_there_is_kept_when_the_next_blend_fails(fails, place):
    (place / "out.png").write_bytes(b"before")
    fails("blend", "ana.png", "nowhere.png", "-o", "out.png")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["blend", "ana.png", "ben.jpg"], "missing: -o FILE, --out FILE"),
        (["blend", "ana.png", "ben.jpg", "-o"], "-o/--out"),
        (["bland"], "unknown command 'bland': use one of blend, batch"),
        (["--quiet"], "unknown command '--quiet'"),
        (["demo", "extra"], "extra"),
        (["prepare"], "missing: FOLDER_OR_TAR"),
        (["prepare", "x", "-o", "y.tar", "--size", "large"], "--size"),
        (["prepare", "x", "-o", "y.tar", "--which", "best"], "'best'"),
        (["train", "--minutes", "soon"], "--minutes can't be 'soon'"),
        (["train", "--preset", "huge"], "unknown preset 'huge': use one of paper-ae-200"),
        (["train", "--preset", "toy", "--set", "batch=2", "--dry-run"], "cannot set 'batch=2'"),
        pytest.param(["export", "nowhere", "-o", "model"], "nowhere", marks=pytest.mark.extras),
    ],
)
def test_commands_that_can_not_be_understood(fails, words, message):
    assert message in fails(*words)


@pytest.mark.extras
def test_training_says_what_is_missing(place, capsys):
    """The experiment that would be trained was shown by then."""
    for words, message in (([], "--data is missing"), (["--data", "nowhere.tar"], "nowhere.tar")):
        with pytest.raises(SystemExit) as stop:
            main(["train", "--preset", "toy", *words])
        assert stop.value.code == 2
        line = capsys.readouterr().err
        assert line.count("\n") == 1
        assert message in line
    assert sorted(os.listdir(place)) == ["ana.png", "ben.jpg"]


def test_a_dry_run_prints_the_experiment_and_writes_nothing(place, capsys):
    main(["train", "--preset", "toy", "--set", "batch_size=8", "losses.kl=0.5", "--dry-run"])
    shown = json.loads(capsys.readouterr().out)
    assert (shown["name"], shown["batch_size"], shown["losses"]["kl"]) == ("toy", 8, 0.5)
    assert sorted(os.listdir(place)) == ["ana.png", "ben.jpg"]


# --- bad model folders


@pytest.fixture
def model(place):
    return shutil.copytree(BUNDLED / DEFAULT_MODEL, place / "model")


def change_settings(model, **changes):
    path = model / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


CORRUPTIONS = {
    "decoder missing": (lambda model: (model / "decoder.onnx").unlink(), "decoder.onnx is missing"),
    "encoder changed": (lambda model: (model / "encoder.onnx").write_bytes(b"x"), "encoder.onnx is damaged or changed"),
    "settings missing": (lambda model: (model / "config.json").unlink(), "model is no model folder: config.json is"),
    "no JSON": (lambda model: (model / "config.json").write_text("{"), "cannot read model/config.json"),
    "binary": (lambda model: (model / "config.json").write_bytes(b"\xff\xfe\x00"), "cannot read model/config.json"),
    "list": (lambda model: (model / "config.json").write_text("[]"), "has a format this version does not know"),
    "format": (lambda model: change_settings(model, format=99), "has a format this version does not know"),
    "unknown": (lambda model: change_settings(model, colour=1), "ModelConfig has no setting 'colour'"),
    "wrong kind": (lambda model: change_settings(model, image_size="big"), "image_size of ModelConfig must be int"),
    "size": (lambda model: change_settings(model, image_size=64), "does not fit its config.json: images of"),
    "latent": (lambda model: change_settings(model, latent_dim=7), "does not fit its config.json: latent of"),
    "range": (lambda model: change_settings(model, value_range=[0, 1]), "value_range [0, 1] is not known here"),
}


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_model_folders_that_are_not_whole(fails, model, kind):
    change, message = CORRUPTIONS[kind]
    change(model)
    assert message in fails("blend", "ana.png", "ben.jpg", "-o", "out.png", "--model", "model")


def test_a_network_that_is_none(fails, model):
    """Hash and file agree, and still ONNX Runtime can't load it."""
    (model / "encoder.onnx").write_bytes(b"no network")
    files = json.loads((model / "config.json").read_text())["files"]
    change_settings(model, files=files | {"encoder.onnx": hashlib.sha256(b"no network").hexdigest()})
    line = fails("blend", "ana.png", "ben.jpg", "-o", "out.png", "--model", "model")
    assert "cannot load model/encoder.onnx" in line


# --- lines out of tyro's boxes


BOX = """\
╭─ Unrecognized options ─────────────╮
│ Unrecognized options: --modle,     │
│ value                              │
│ ────────────────────────────────── │
│ Perhaps you meant:                 │
│     --model MODEL                  │
│         A model folder.            │
│ ────────────────────────────────── │
│ For full helptext, run x --help    │
╰────────────────────────────────────╯
"""
PLAIN = """\
 Unrecognized options
 ----------------------------------
  Unrecognized options: --modle,
  value
  ---------------------------------
  Perhaps you meant:
      --model MODEL
          A model folder.
  ---------------------------------
  For full helptext, run x --help
"""


@pytest.mark.parametrize("box", [BOX, PLAIN, BOX.replace("Unrecognized", "\x1b[1;31mUnrecognized\x1b[0m")])
def test_boxes_of_any_kind_become_one_line(box):
    """tyro draws with box characters where the terminal can, and in colour."""
    assert _in_one_line(box) == "Unrecognized options: --modle, value (perhaps --model MODEL is meant)"


def test_what_tyro_never_said_is_still_a_line():
    assert _in_one_line("") == "the command line can't be understood"


def test_compare_never_writes_over_a_photo(tmp_path, capsys):
    photo = tmp_path / "ana.png"
    photo.write_bytes(b"the only copy")
    with pytest.raises(SystemExit) as stop:
        main(["compare", str(photo), str(tmp_path / "ben.png"), "-o", str(photo)])
    assert stop.value.code == 2
    assert "it is one of the photos" in capsys.readouterr().err
    assert photo.read_bytes() == b"the only copy"
