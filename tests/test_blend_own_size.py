"""The size of pictures: the photos' own scale by default, the model's on request, and what recipes without one mean."""

import json

import numpy as np
import pytest
from drawn_faces import draw_face
from PIL import Image

from featureblend.blend.baselines import BASELINES
from featureblend.blend.compositing.composing import OWN_LARGEST, output_side
from featureblend.edit import continuum as continuum_module
from featureblend.edit.average import average
from featureblend.edit.continuum import continuum
from featureblend.edit.mix import mix
from featureblend.edit.replay import replay
from featureblend.edit.transform import symmetrize, transform
from featureblend.evaluation.compare import compare
from featureblend.io.metadata import read_recipe
from featureblend.metrics.scores import sharpness


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Three photos with faces of different size."""
    folder = tmp_path_factory.mktemp("photos")
    for name, seed, side in (("a", 1, 200), ("b", 2, 340), ("c", 3, 500)):
        Image.fromarray(draw_face(seed, side)[0]).save(folder / f"{name}.png")
    return [folder / f"{name}.png" for name in "abc"]


@pytest.fixture(scope="module")
def native(blender, photos):
    return [blender.find(photo).native_size for photo in photos]


EDITS = {
    "blend": (lambda photos, **more: blend_of(photos[1:], **more), max),
    "continuum": (lambda photos, **more: continuum(photos[1:], steps=2, **more).frames[0], max),
    "mix": (lambda photos, **more: mix(photos[1], eyes=photos[2], **more).image, max),
    "transform": (lambda photos, **more: transform(photos[1], photos[0], photos[2], **more).image, min),
    "symmetrize": (lambda photos, **more: symmetrize(photos[1], **more).image, min),
}
"""Each edit, and which of the sizes of the second and third photo it has."""


def blend_of(photos, blender, **more):
    return blender.blend(photos, measures="none", **more).image


def test_pictures_have_the_photos_own_size(blender, photos, native):
    for name in EDITS:
        edit, which = EDITS[name]
        assert edit(photos, blender=blender).size == (which(native[1:]),) * 2
        assert edit(photos, blender=blender, size=150).size == (150, 150)


def test_the_larger_face_decides_up_to_a_limit_and_never_below_the_model():
    assert output_side("photos", 128, [100, 300, 200]) == 300
    assert output_side("photos", 128, [5000]) == OWN_LARGEST
    assert output_side("photos", 128, [40, 50]) == 128
    assert output_side("source", 128, [5000, 40], onto=2) == 40


def test_many_frames_are_smaller_so_that_all_fit_in_memory(blender, photos, native, monkeypatch):
    monkeypatch.setattr(continuum_module, "FRAMES_BYTES", 3 * 160 * 160 * 4)
    made = continuum(photos[1:], steps=4, blender=blender)
    assert made.frames[0].size == (160, 160)
    assert made.recipe["options"]["size"] == 160


def test_an_average_has_the_median_size_and_is_as_crisp_as_a_morph(blender, photos, native):
    latent, morph = (average(photos, method=method, blender=blender) for method in ("latent", "morph"))
    assert latent.image.width == morph.image.width == sorted(native)[1]
    crisp, due = (sharpness(np.asarray(made.image)) for made in (latent, morph))
    soft = average(photos, blender=blender, size="model").image.resize(latent.image.size, Image.Resampling.BICUBIC)
    assert crisp > 0.9 * due
    assert crisp > 1.2 * sharpness(np.asarray(soft))


def test_one_photo_around_an_average_is_crisp_too(blender, photos):
    made = average(photos[1:], surroundings=2, size=300, blender=blender).image
    corner = np.asarray(made)[:40, :40].astype(int)
    own = blender.find(photos[2]).at(300).image[:40, :40]
    assert np.abs(corner - own).mean() < 6


def test_a_method_without_learning_is_drawn_at_that_size(blender, photos, native):
    made = np.asarray(blend_of(photos[1:], blender, method="pixel"))
    crops = [blender.find(photo).at(max(native)) for photo in photos[1:]]
    due = BASELINES["pixel"]([crop.image for crop in crops], [0.5, 0.5], [crop.landmarks for crop in crops])
    np.testing.assert_array_equal(made, due)


def test_a_comparison_shows_what_is_blended_at_one_size(blender, photos, tmp_path):
    for size in (150, "model"):
        compare(photos[:2], tmp_path / f"{size}.png", blender, ["pixel"], size=size)
    widths = [Image.open(tmp_path / f"{size}.png").width for size in (150, "model")]
    assert widths[0] > 3 * 150


def test_a_recipe_holds_the_size_and_without_one_means_the_model_s(blender, photos, native, tmp_path):
    out, again = tmp_path / "out.png", tmp_path / "again.png"
    blender.blend(photos[1:], measures="none").save(out)
    assert read_recipe(out)["options"]["size"] == max(native)
    replay(out, again, photos)
    assert again.read_bytes() == out.read_bytes()
    for verb, make in (
        ("blend", lambda: blender.blend(photos[1:], size="model", measures="none")),
        ("average", lambda: average(photos[1:], size="model", blender=blender)),
        ("mix", lambda: mix(photos[1], eyes=photos[2], size="model", blender=blender)),
        ("symmetrize", lambda: symmetrize(photos[1], size="model", blender=blender)),
    ):
        made = make()
        recipe = json.loads(json.dumps(made.recipe))
        assert recipe["options"].pop("size", None) is None, verb
        replay(recipe, again, photos)
        np.testing.assert_array_equal(np.asarray(Image.open(again)), np.asarray(made.image), verb)


def test_a_photo_that_is_pasted_into_keeps_its_size(blender, photos):
    made = blender.blend(photos[1:], background="source", measures="none")
    assert made.image.size == Image.open(photos[1]).size
    assert "size" not in made.recipe["options"]
