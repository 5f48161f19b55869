"""Whether photos are restored is the user's to say, and each edit says of what it was."""

import csv
import json
import pickle

import numpy as np
import pytest
from example_photos import FIRST, SECOND, THIRD, small_example

from featureblend.blend.blender import Blender
from featureblend.cli import main
from featureblend.edit.average import average
from featureblend.edit.transform import transform
from featureblend.evaluation.degradation import degrade
from featureblend.evaluation.methods import Model
from featureblend.faces.alignment import align_face
from featureblend.io.codes import Code
from featureblend.io.image import load_image, save_image
from featureblend.io.metadata import read_recipe
from featureblend.model.folder import find_model

pytestmark = pytest.mark.usefixtures("model_sized")


@pytest.fixture(scope="module")
def noisy(tmp_path_factory):
    path = tmp_path_factory.mktemp("noisy") / "noisy.png"
    save_image(path, degrade(small_example("first.jpg"), "noise"))
    return path


@pytest.fixture(scope="module")
def blenders(detector):
    return Blender(find_model(), detector), Blender(find_model(), detector, mend=False)


def pixels(blend):
    return np.asarray(blend.image)


def test_a_photo_is_left_as_it_is_where_that_is_asked(blenders, noisy):
    restoring, plain = blenders
    restored, left = (one.blend([noisy, SECOND], weights=[1, 0], surroundings=1) for one in blenders)
    photo = plain.find(noisy).image
    assert np.abs(pixels(left).astype(int) - photo).mean() < 2
    assert np.abs(pixels(restored).astype(int) - photo).mean() > 8
    assert any("taken out" in line and "--no-mend" in line for line in restored.warnings)
    assert not any("taken out" in line for line in left.warnings)
    good = [one.blend([FIRST, SECOND]) for one in blenders]
    assert np.array_equal(*map(pixels, good))
    assert [one.recipe["model"].get("mend", True) for one in good] == [True, False]
    assert repr(restoring.networks) != repr(plain.networks)


def test_who_blends_says_whether_restored_faces_are_taken(blenders, noisy):
    plain = blenders[1]
    faces = [plain.find(noisy), plain.find(SECOND)]
    for first, second in (blenders, blenders[::-1]):
        made, wanted = (second.blend_faces(of, [1, 0], surroundings=1) for of in (first.cleaned(faces), faces))
        assert np.array_equal(pixels(made), pixels(wanted))
        assert made.warnings == wanted.warnings


def test_other_processes_leave_it_too(blenders):
    sent = [pickle.loads(pickle.dumps(Model(one, 128))) for one in blenders]
    assert [model.networks.mend for model in sent] == [True, False]
    assert sent[0].notes != sent[1].notes


def test_recipes_of_methods_that_restore_nothing_do_not_say_it(blenders, noisy):
    restored, left = (one.blend([noisy, SECOND], method="pixel") for one in blenders)
    assert restored.recipe == left.recipe


def test_a_recipe_says_it_and_replay_follows(noisy, tmp_path, capsys):
    again = tmp_path / "again.png"
    made = {}
    for name, words in (("mended.png", []), ("left.png", ["--no-mend"])):
        made[name] = tmp_path / name
        main(["blend", str(noisy), str(SECOND), "-o", str(made[name]), *words])
        photos = ["--photos", str(noisy), str(SECOND)]
        main(["replay", str(made[name]), *photos, "-o", str(again)])
        assert again.read_bytes() == made[name].read_bytes()
    assert made["mended.png"].read_bytes() != made["left.png"].read_bytes()
    assert read_recipe(made["left.png"])["model"]["mend"] is False
    assert "mend" not in read_recipe(made["mended.png"])["model"]
    assert capsys.readouterr().err.count("taken out") == 1


def test_other_edits_recipes_say_it_too(noisy, tmp_path, capsys):
    for verb in ["continuum", "symmetrize", "average"]:
        photos = [str(noisy)] if verb == "symmetrize" else [str(noisy), str(SECOND)]
        out, again = tmp_path / "made.png", tmp_path / "again.png"
        few = ["--steps", "3"] if verb == "continuum" else []
        main([verb, *photos, "-o", str(out), "--no-mend", *few])
        assert read_recipe(out)["model"]["mend"] is False
        main(["replay", str(out), "--photos", *photos, "-o", str(again)])
        assert again.read_bytes() == out.read_bytes()
        assert "taken out" not in capsys.readouterr().err


def test_an_average_counts_and_names_what_it_restored(blenders, noisy):
    restored, left = (average([SECOND, noisy, THIRD], blender=one) for one in blenders)
    assert (restored.measures["mended"], restored.mended) == (1, ("noisy.png",))
    assert (left.measures["mended"], left.mended) == (0, ())
    assert not np.array_equal(pixels(restored), pixels(left))
    assert "mended" not in average([SECOND, noisy], method="morph", blender=blenders[0]).measures


def test_an_average_counts_what_was_changed_too_little_for_a_warning(blenders, tmp_path):
    photo = tmp_path / "compressed.png"
    save_image(photo, degrade(small_example("second.jpg"), "thumbnail"))
    assert not any("taken out" in line for line in blenders[0].blend([photo, FIRST]).warnings)
    assert average([FIRST, photo], blender=blenders[0]).mended == ("compressed.png",)


def test_a_transform_counts_the_restored_photos_of_its_groups(blenders, noisy):
    made, plain = (transform(THIRD, [SECOND, noisy], [FIRST], blender=one) for one in blenders)
    assert any(line.startswith(f"{noisy.name}: noise") for line in made.warnings)
    assert plain.warnings == ()
    assert transform(THIRD, SECOND, FIRST, blender=blenders[0]).warnings == ()


def test_a_code_is_the_restored_photos_or_not_and_encode_says_so(noisy, tmp_path, capsys):
    for name, words in (("mended.npz", []), ("left.npz", ["--no-mend"])):
        main(["encode", str(noisy), "-o", str(tmp_path / name), *words])
    said = capsys.readouterr().err
    assert said.count("noisy.png: noise, blur or compression was taken out") == 1
    restored, left = (Code.load(tmp_path / name) for name in ("mended.npz", "left.npz"))
    assert restored.name == left.name == "noisy.png"
    assert not np.array_equal(restored.latent, left.latent)
    main(["encode", str(tmp_path / "left.npz"), "-o", str(tmp_path / "again.npz")])
    assert np.array_equal(Code.load(tmp_path / "again.npz").latent, left.latent)


def test_the_code_of_a_face_is_that_of_its_photo(blenders, noisy):
    blender = blenders[0]
    code, face = blender.encode(noisy), blender.find(noisy)
    assert np.array_equal(blender.code_of(face, "noisy.png").latent, code.latent)
    again = blender.code_of(blender.find(code), "noisy.png")
    assert np.array_equal(again.latent, code.latent)  # a code's face is no photo, and is not encoded anew
    image = load_image(noisy)
    cut = align_face(image, blender.detector.detect(image)[0].landmarks, 128, template=blender.config.crop)
    assert np.array_equal(blender.code_of(cut).latent, code.latent)


def test_a_batch_makes_a_row_again_where_restoration_changed(noisy, tmp_path, capsys):
    pairs = tmp_path / "pairs.csv"
    pairs.write_text(f"photo1,photo2,method\n{noisy},{SECOND},latent\n{noisy},{SECOND},pixel\n")
    batch = ["batch", str(pairs), "--out", str(tmp_path / "out"), "--quiet"]
    for words, said in (([], "2 made, 0 kept"), ([], "0 made, 2 kept"), (["--no-mend"], "1 made, 1 kept")):
        main([*batch, *words])
        assert said in capsys.readouterr().out
    with open(tmp_path / "out" / "results.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert not any("taken out" in row["warnings"] for row in rows)


def test_measures_of_a_sheet_are_of_photos_left_alone(noisy, tmp_path):
    found = []
    for words in ([], ["--no-mend"]):
        file = tmp_path / "sheet.json"
        line = ["compare", str(noisy), str(SECOND), "-o", str(tmp_path / "sheet.png"), "--methods", "latent", "pixel"]
        main([*line, "--json", str(file), "--quiet", *words])
        written = json.loads(file.read_text())
        assert written["mend"] == (not words)
        found.append(written["measures"])
    assert found[0]["latent"] != found[1]["latent"]
    assert found[0]["pixel"] == found[1]["pixel"]
