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
from featureblend.cli.commands import COMMANDS
from featureblend.model.folder import BUNDLED, DEFAULT_MODEL

# --- bad photos


@pytest.fixture
def broken(place):
    """Files of each kind that is no photo of a face."""
    (place / "text.png").write_text("no picture")
    (place / "empty.png").write_bytes(b"")
    (place / "cut.jpg").write_bytes((place / "ben.jpg").read_bytes()[:800])
    (place / "folder").mkdir()
    Image.new("L", (10_001, 10_000)).save(place / "huge.png", compress_level=1)
    Image.new("RGB", (300, 300), "grey").save(place / "wall.png")
    return ["text.png", "empty.png", "cut.jpg", "folder", "huge.png", "wall.png", "nowhere.png"]


def test_a_photo_that_can_not_be_used_is_named(fails, broken):
    for name in broken:
        assert name in fails("blend", "ana.png", name, "-o", "out.png")
    assert "text.png" in fails("blend", "text.png", "nowhere.png", "-o", "out.png")


def test_a_name_over_two_lines_still_gives_one(fails):
    assert "a b.png" in fails("blend", "a\nb.png", "ana.png", "-o", "out.png")


# --- bad settings: the line names the option or file, and what was given


def test_settings_that_do_not_fit(fails):
    for words, named in [
        ("ana.png", "two or more photos"),
        ("", "two or more photos"),
        ("ana.png ben.jpg --weights 1 2 3", "weights 1 2 3"),
        ("ana.png ben.jpg --weights", "--weights"),
        ("ana.png ben.jpg --weights 2 -1", "weights 2 -1"),
        ("ana.png ben.jpg --weights 0 0", "weights 0 0"),
        ("ana.png ben.jpg --weights nan 1", "weights nan 1"),
        ("ana.png ben.jpg --weights much 1", "'much'"),
        ("ana.png ben.jpg --weights 0,5", "'0,5'"),
        ("--weights 2 1 ana.png ben.jpg", "photos come before the options"),
        ("ana.png ben.jpg --alpha 50", "alpha"),
        ("ana.png ben.jpg --alpha half", "--alpha"),
        ("ana.png ben.jpg --alpha 0.5 --weights 1 1", "weights"),
        ("ana.png ben.jpg --alpha 0.5 --balance", "--alpha"),
        ("ana.png ben.jpg --method magic", "'magic'"),
        ("ana.png ben.jpg --faces 1 1 1", "3 faces"),
        ("ana.png ben.jpg --faces 2", "ana.png shows 1 face"),
        ("ana.png ben.jpg --faces 0", "face number 0"),
        ("ana.png ben.jpg --faces ²", "'²'"),
        ("ana.png ben.jpg --faces tallest", "'tallest'"),
        ("ana.png ben.jpg --model missing", "missing (bundled: lfw-128)"),
        ("ana.png ben.jpg --model .", "config.json"),
        ("ana.png ben.jpg --json ana.png", "ana.png"),
        ("ana.png ben.jpg --json ./out.png", "out.png"),
        ("ana.png ben.jpg --json a.json --recipe a.json", "a.json"),
        ("ana.png ben.jpg --json no/out.json", "the folder no"),
        ("ana.png ben.jpg --recipe ben.jpg", "ben.jpg"),
        ("ana.png ben.jpg --recipe no/a.json", "the folder no"),
        ("ana.png ben.jpg --detail --no-detail", "--no-detail"),
        ("ana.png ben.jpg --balance --weights 1 1", "--weights"),
        ("ana.png ben.jpg ana.png --balance", "two photos"),
        ("ana.png ben.jpg --size huge", "'huge'"),
        ("ana.png ben.jpg --size 9", "size 9"),
        ("ana.png ben.jpg --size 256.5", "256.5"),
        ("ana.png ben.jpg --onto 3", "onto 3"),
        ("ana.png ben.jpg --onto one", "--onto"),
        ("ana.png ben.jpg --background red", "--background"),
        ("ana.png ben.jpg --surroundings 3", "surroundings 3"),
        ("ana.png ben.jpg --shape-weights 1 2 3", "3 for 2 photos"),
        ("ana.png ben.jpg --shape-weights x 2", "shape-weights"),
        ("ana.png ben.jpg --shape-weights 1 2 --method pixel", "'pixel'"),
        ("ana.png ben.jpg --texture-weights 1 2 --no-warp", "warped"),
        ("ana.png ben.jpg --nonsense", "--nonsense"),
        ("ana.png ben.jpg --modle x", "--modle (did you mean --model?)"),
        ("ana.png ben.jpg --siz=9", "--siz (did you mean --size?)"),
        ("ana.png ben.jpg --model", "--model"),
    ]:
        words = ["-o", "out.png", *words.split()] if words.startswith("-") else [*words.split(), "-o", "out.png"]
        assert named in fails("blend", *words)


def test_outputs_that_can_not_be_written(fails, monkeypatch):
    monkeypatch.setattr(Blender, "from_pretrained", lambda *words, **settings: pytest.fail("work was begun"))
    for out in ["no/out.png", ".", "out.xyz", "out", "out.pdf.bak", "ana.png", "./ben.jpg"]:
        named = f"cannot write {os.path.normpath(out)}"
        assert named in fails("blend", "ana.png", "ben.jpg", "-o", out, "--json", "a.json")


def test_a_transparent_background_needs_a_format_that_has_it(fails, monkeypatch):
    monkeypatch.setattr(Blender, "from_pretrained", lambda *words, **settings: pytest.fail("work was begun"))
    for out in ["out.jpg", "out.BMP", "out.gif"]:
        assert out[3:] in fails("blend", "ana.png", "ben.jpg", "-o", out, "--background", "transparent")


def test_what_is_read_and_is_no_photo_is_no_photo_in_the_message(fails, place):
    (place / "weights.csv").write_text("ana.png,1\nben.jpg,2\n")
    words = ["average", "ana.png", "ben.jpg", "-o", "out.png", "--weights-csv", "weights.csv"]
    assert "weights.csv: it is one of the inputs" in fails(*words, "--recipe", "weights.csv")
    assert "cannot write out.skipped.csv" in fails(*words, "--recipe", "out.skipped.csv")


def test_a_result_that_is_there_is_kept_when_the_next_blend_fails(fails, place):
    (place / "out.png").write_bytes(b"before")
    fails("blend", "ana.png", "nowhere.png", "-o", "out.png")


def test_words_that_can_not_be_used(fails):
    for words, named in [
        ("blend ana.png ben.jpg", "-o/--out"),
        ("blend ana.png ben.jpg -o", "-o/--out"),
        ("bland", "'bland' (did you mean blend?)"),
        ("--quiet", "'--quiet'"),
        ("demo extra", "extra"),
        ("prepare -o y.tar", "FOLDER_OR_TAR"),
        ("prepare x -o y.tar --size large", "--size: 'large'"),
        ("prepare x -o y.tar --which best", "--which"),
        ("completion tcsh", "bash"),
        ("train --minutes soon", "--minutes: 'soon'"),
        ("train --preset huge", "'huge'"),
        ("train --preset toy --set batch=2 --dry-run", "'batch=2'"),
        ("continuum ana.png ben.jpg -o walk.avi", ".mp4"),
        ("continuum ana.png -o walk.mp4", "two or more photos"),
        ("continuum ana.png ben.jpg -o ana.png", "ana.png"),
        ("continuum ana.png ben.jpg -o walk.mp4 --steps 1", "1 steps"),
        ("continuum ana.png ben.jpg -o walk.mp4 --ease bumpy", "--ease"),
        ("continuum ana.png ben.jpg -o .", "ana.png"),
        ("average ana.png -o average.png", "ana.png"),
        ("average . ben.jpg -o average.png", ". is a folder"),
        ("average nowhere -o average.png", "nowhere"),
        ("transform ana.png --from ben.jpg -o out.png", "--to"),
        ("transform ana.png --from ben.jpg --to ana.png --amount 99 -o out.png", "amount 99"),
        ("symmetrize ana.png -o ana.png", "ana.png"),
        ("symmetrize ana.png -o out.png --size 7", "size 7"),
        ("symmetrize ana.png -o out.png --amount some", "--amount: 'some'"),
        ("symmetrize ana.npz -o out.png", "ana.npz"),
        ("mix ana.png ben.jpg -o out.png", "nothing to mix"),
        ("mix ana.png ben.jpg --eyes-from C -o out.png", "--eyes-from C"),
        ("mix ana.png ben.jpg --eyes-from B much -o out.png", "'much'"),
        ("mix ana.png ben.jpg --eyes-from A -o out.png", "ben.jpg"),
        ("encode ana.png -o ana.txt", ".npz"),
        ("encode ana.png ben.jpg -o codes.npz", "codes.npz"),
        ("encode . -o codes", "."),
        ("encode nowhere.png -o a.npz", "nowhere.png"),
        ("encode ana.png ben.jpg --faces 1 1 1 -o codes", "--faces"),
        ("batch", "--all-pairs"),
    ]:
        assert named in fails(*words.split())


def test_standard_streams_are_refused_by_every_command(fails):
    for name in COMMANDS:
        assert fails(name, "-").startswith("'-' (standard input or output)")


@pytest.mark.extras
def test_training_says_what_is_missing(fails, place):
    data = ["--data", "nowhere.tar"]
    for words, message in (([], "--data is missing"), (data, "--run is missing"), ([*data, "--run", "run"], data[1])):
        assert message in fails("train", "--preset", "toy", *words)
    assert sorted(os.listdir(place)) == ["ana.png", "ben.jpg"]


@pytest.mark.extras
def test_a_run_that_is_not_there_is_named(fails):
    assert "nowhere" in fails("export", "nowhere", "-o", "model")


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


def test_model_folders_that_are_not_whole(fails, model):
    for change, message in CORRUPTIONS.values():
        change(model)
        assert message in fails("blend", "ana.png", "ben.jpg", "-o", "out.png", "--model", "model")
        shutil.copytree(BUNDLED / DEFAULT_MODEL, model, dirs_exist_ok=True)


def test_a_network_that_is_none(fails, model):
    """Hash and file agree, and still ONNX Runtime can't load it."""
    (model / "encoder.onnx").write_bytes(b"no network")
    files = json.loads((model / "config.json").read_text())["files"]
    change_settings(model, files=files | {"encoder.onnx": hashlib.sha256(b"no network").hexdigest()})
    line = fails("blend", "ana.png", "ben.jpg", "-o", "out.png", "--model", "model")
    assert "cannot load model/encoder.onnx" in line


def test_compare_never_writes_over_a_photo(tmp_path, capsys):
    photo = tmp_path / "ana.png"
    photo.write_bytes(b"the only copy")
    with pytest.raises(SystemExit) as stop:
        main(["compare", str(photo), str(tmp_path / "ben.png"), "-o", str(photo)])
    assert stop.value.code == 2
    assert "it is one of the photos" in capsys.readouterr().err
    assert photo.read_bytes() == b"the only copy"
