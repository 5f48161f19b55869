"""Degraded photos in blends by the bundled model: they are restored and named, and give no detail."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from example_photos import FIRST, SECOND, small_example

from featureblend.blend.compositing.composing import resolve_source_weights
from featureblend.blend.face_cache import RememberingBlender
from featureblend.cli import main
from featureblend.edit.continuum import continuum
from featureblend.edit.mix import mix
from featureblend.edit.transform import _mirrored, symmetrize, transform
from featureblend.evaluation.degradation import degrade
from featureblend.faces.alignment import align_face, invert_matrix, transform_points
from featureblend.io.image import save_image
from featureblend.metrics.scores import psnr
from featureblend.model.folder import CLEANER
from featureblend.model.networks import Networks

pytestmark = pytest.mark.usefixtures("model_sized")

SAID = {"light": "evened out", "noise": "taken out", "blur": "taken out"}
GAINED = {"light": 7, "noise": 7, "blur": 1.5}
"""How much nearer, in dB, a blend is to that of the good photo than the photos are to each other."""


@pytest.fixture(scope="module")
def photo():
    return small_example("first.jpg")


def cut_alike(blender, photo, kind):
    """The faces of a photo and of the same degraded, cut alike: noise moves the landmarks by a pixel or two."""
    good = blender.find(photo)
    marks = transform_points(good.landmarks, invert_matrix(good.matrix))
    return good, align_face(degrade(photo, kind), marks, blender.image_size, template=blender.config.crop)


def test_a_blend_is_nearly_that_of_the_good_photo(blender, photo):
    for kind, size in (("light", None), ("noise", 256), ("blur", None), ("blur", 256)):
        faces, other = cut_alike(blender, photo, kind), blender.find(SECOND)
        wanted, made = (blender.blend_faces([face, other], surroundings=1, size=size) for face in faces)
        good, seen = (face.at(size or 128).image for face in faces)
        assert psnr(np.asarray(made.image), np.asarray(wanted.image)) > psnr(seen, good) + GAINED[kind]
        assert any(SAID[kind] in line for line in made.warnings)
        assert not any("can't draw" in line for line in made.warnings)


def test_compression_is_seen_in_photos_of_any_size(blender, photo):
    for kind in ["compression", "thumbnail"]:
        good, bad = blender.find(photo), blender.find(degrade(photo, kind))
        (restored,), (degradation,) = blender.networks.cleaned([bad.image])
        assert degradation.round().tolist() == [0, 1]
        assert psnr(restored, good.image) > psnr(bad.image, good.image) + 0.3


def test_good_photos_and_models_without_a_cleaner_change_nothing(blender, photo):
    plain = Networks(blender.folder)
    plain.config = replace(plain.config, files={k: v for k, v in plain.config.files.items() if k != CLEANER})
    faces = [blender.find(photo).image, blender.find(degrade(photo, "light")).image]
    images, degradation = plain.cleaned(faces)
    assert np.array_equal(images, faces)
    assert not degradation.any()
    images, degradation = blender.networks.cleaned(faces)
    assert [np.array_equal(*both) for both in zip(images, faces, strict=True)] == [True, False]
    assert degradation[:, 0].round().tolist() == [0, 1]
    assert plain.config.identity != blender.config.identity  # with it, the same photo has another code


def test_a_face_is_cleaned_once_and_a_code_never(blender, photo):
    (face,) = blender.cleaned([blender.find(degrade(photo, "light"))])
    assert blender.cleaned([face])[0] is face
    code = blender.find(blender.encode(degrade(photo, "light")))
    assert blender.cleaned([code])[0].latent is code.latent
    assert np.array_equal(code.restored, code.image)


def test_other_methods_take_photos_as_they_are_whoever_found_them(blender, photo, tmp_path):
    for method in ["morph", "pixel"]:
        save_image(tmp_path / "noisy.png", degrade(photo, "noise"))
        photos = [tmp_path / "noisy.png", SECOND]
        one, other = (each.blend(photos, method=method, detail=True) for each in (blender, RememberingBlender(blender)))
        assert np.array_equal(one.image, other.image)
        assert one.warnings == other.warnings == ()


def test_a_mirror_image_is_restored_as_the_face_is(blender, photo):
    for kind in ["noise", "blur"]:
        (own,) = blender.cleaned([blender.find(degrade(photo, kind))])
        for face in (own, blender.find(blender.encode(degrade(photo, kind)))):
            (mirrored,) = blender.cleaned([_mirrored(face)])
            assert np.array_equal(mirrored.restored, face.restored[:, ::-1])
            assert mirrored.degradation is face.degradation


def test_blur_does_not_win_the_hair_by_being_sharpened(blender, photo):
    soft = cv2.GaussianBlur(photo, (0, 0), 0.5)
    faces = blender.cleaned([blender.find(soft), blender.find(degrade(photo, "blur"))])
    assert resolve_source_weights(faces, [0.5, 0.5])[0] > 0.99


def test_a_noisy_photo_does_not_give_its_hair_for_being_sharp(blender, photo):
    """Noise is detail to a measure of sharpness: of a photo and itself with noise, the good one's hair is shown."""
    faces = [blender.find(photo), blender.find(degrade(photo, "noise"))]
    assert resolve_source_weights(faces, [0.5, 0.5]).tolist() == [1, 0]
    assert resolve_source_weights(blender.cleaned(faces), [0.5, 0.5]).tolist() == [1, 0]


def test_back_in_its_photo_the_face_has_the_photos_light_and_the_rest_its_grain(blender, photo):
    for kind in ["light", "noise"]:
        bad = degrade(photo, kind)
        made = np.asarray(blender.blend([bad, SECOND], background="source").image).astype(float)
        assert np.abs(made[:12] - bad[:12]).mean() < 3  # the photo's border is no part of the face
        face = blender.find(bad)
        middle = tuple(round(value) for value in np.linalg.inv(np.vstack([face.matrix, [0, 0, 1]]))[:2] @ [64, 80, 1])
        spot = slice(middle[1] - 12, middle[1] + 12), slice(middle[0] - 12, middle[0] + 12)
        assert abs(made[spot].mean() - bad[spot].mean()) < 25  # undone, the light alone is 60


def test_nothing_is_said_of_good_photos(blender):
    assert not [line for line in blender.blend([FIRST, SECOND]).warnings if " out" in line]


def test_the_photo_itself_comes_back_without_its_noise(blender, photo):
    face, noisy = cut_alike(blender, photo, "noise")
    alone = blender.blend_faces([noisy, blender.find(SECOND)], weights=[1, 0], surroundings=1)
    assert psnr(np.asarray(alone.image), face.image) > psnr(noisy.image, face.image) + 5


def test_edits_bring_no_noise_back_and_say_so(blender):
    photo = small_example("second.jpg")  # whose landmarks noise does not move
    made, wanted = (symmetrize(one, blender=blender) for one in (degrade(photo, "noise"), photo))
    before = psnr(blender.find(degrade(photo, "noise")).image, blender.find(photo).image)
    assert psnr(np.asarray(made.image), np.asarray(wanted.image)) > before + 5
    assert wanted.warnings == ()
    assert [line.split(": ")[0] for line in made.warnings] == ["photo 1"]
    assert "taken out" in made.warnings[0]


def test_every_edit_of_few_photos_names_those_that_it_restored(blender, photo, tmp_path):
    for verb in [
        lambda good, bad, blender: continuum([good, bad], steps=2, blender=blender),
        lambda good, bad, blender: mix(good, eyes=bad, blender=blender),
        lambda good, bad, blender: transform(bad, good, SECOND, blender=blender),
    ]:
        dim = tmp_path / "dim.png"
        save_image(dim, degrade(photo, "light"))
        assert [line.split(":")[0] for line in verb(FIRST, dim, blender).warnings] == ["dim.png"]


def test_the_command_prints_the_warning(photo, tmp_path, capsys):
    save_image(tmp_path / "dim.png", degrade(photo, "light"))
    main(["symmetrize", str(tmp_path / "dim.png"), "-o", str(tmp_path / "even.png")])
    assert "featureblend: warning: dim.png: weak or coloured light" in capsys.readouterr().err
