"""Whose hair and background a blend has: one decision, by the photos, wherever and however large it is made."""

# ruff: noqa: F811 (fixtures that are imported)

import json

import cv2
import numpy as np
import pytest
from command_line import place, shared_detector  # noqa: F401
from drawn_faces import draw_face
from PIL import Image

from featureblend.blend.compositing import composing
from featureblend.blend.compositing.composing import best_source, resolve_source_weights, suitability
from featureblend.blend.face_cache import RememberingBlender
from featureblend.cli import main
from featureblend.edit.average import average
from featureblend.edit.continuum import continuum
from featureblend.edit.replay import replay
from featureblend.faces.alignment import AlignedFace, align_face
from featureblend.faces.parser import CLASSES, FaceParts
from featureblend.faces.pose import HeadPose
from featureblend.io.metadata import read_recipe
from featureblend.web.studio import Look, Studio

pytestmark = pytest.mark.usefixtures("model_sized")

SIZES = (None, 512, "source")


@pytest.fixture(scope="module")
def blender(blender):
    """It finds the faces of each photo once."""
    return RememberingBlender(blender)


def test_it_does_not_hang_on_the_size_or_the_order_but_uneven_weights_go_between(blender, place):
    paths = ["ana.png", "ben.jpg"]
    due = blender.blend(paths, measures="none").recipe["surroundings"]
    corners = []
    for size in SIZES:
        made = blender.blend(paths, size=size, measures="none")
        assert made.recipe["surroundings"] == due
        corners.append(np.asarray(made.image.resize((128, 128), Image.Resampling.BOX)).astype(int)[:16, :16])
        assert np.abs(corners[-1] - corners[0]).mean() < 6
    assert blender.blend(paths, [9, 1], measures="none").recipe["surroundings"] == "blend"
    assert blender.blend(paths[::-1], measures="none").recipe["surroundings"] == 3 - due


def test_the_page_follows_its_slider_and_the_command_and_python_decide_alike(blender, place):
    due = blender.blend(["ana.png", "ben.jpg"], measures="none").recipe["surroundings"]
    studio, table = Studio(blender), ()
    for name in ("ana.png", "ben.jpg"):
        table = studio.added(table, name, (place / name).read_bytes())
    # What follows a slider does not change at its middle.
    for look, weights in ((Look(), [50, 50]), (Look(size=512, mend=False), [80, 20])):
        assert studio.preview(table, weights, look).recipe["surroundings"] == "blend"
        assert studio.blend(table, weights, look).recipe["surroundings"] == "blend"
    main(["blend", "ana.png", "ben.jpg", "-o", "out.png", "--size", "source", "--quiet"])
    assert read_recipe("out.png")["surroundings"] == due


def test_a_slider_looks_at_each_photo_once(blender, place, monkeypatch):
    looked, own = [], composing.edge_sharpness

    def noting(*given):
        looked.append(given)
        return own(*given)

    monkeypatch.setattr(composing, "edge_sharpness", noting)
    studio, table = Studio(blender), ()
    for name in ("ana.png", "ben.jpg"):
        table = studio.added(table, name, (place / name).read_bytes())
    for weights in ([50, 50], [30, 70], [80, 20]):
        studio.preview(table, weights, Look())
    assert len(looked) == 2


def test_every_pair_is_decided_wholly():
    faces = [align_face(*draw_face(seed, 256), 64) for seed in range(4)]
    for one in faces:
        for other in faces:
            for crop in (64, 128):
                assert resolve_source_weights([one.at(crop), other.at(crop)], [0.5, 0.5]).max() == 1
    assert resolve_source_weights([faces[0]] * 3, [1 / 3] * 3).tolist() == [1, 0, 0]


def degrade(kind, photo):
    rng = np.random.default_rng(0)
    if kind == "noise":
        return np.clip(photo + rng.normal(0, 12, photo.shape), 0, 255).astype(np.uint8)
    if kind == "dithering":
        return ((photo / 64 + rng.uniform(0, 1, photo.shape)).astype(int) * 64).clip(0, 255).astype(np.uint8)
    if kind == "oversharpened":
        return np.clip(4.0 * photo - 3.0 * cv2.GaussianBlur(photo, (0, 0), 2), 0, 255).astype(np.uint8)
    if kind == "blurred":
        return cv2.GaussianBlur(photo, (0, 0), 6)
    if kind == "small":
        return cv2.resize(cv2.resize(photo, (40, 40), interpolation=cv2.INTER_AREA), (256, 256))
    busy = photo.copy()
    busy[:60] = np.kron(rng.integers(0, 256, (10, 43, 3)), np.ones((6, 6, 1)))[:60, :256]
    return busy


def test_a_photo_is_the_source_rather_than_itself_degraded():
    for kind in ["noise", "dithering", "oversharpened", "blurred", "small", "busy"]:
        for seed in (0, 3, 4, 5):  # the others' drawn hair passes for a hat
            photo, points = draw_face(seed, 256)
            faces = [align_face(one, points, 128) for one in (degrade(kind, photo), photo)]
            assert best_source(faces) == 2
            assert best_source(faces[::-1]) == 1


def test_a_crop_that_reaches_beyond_its_photo_loses():
    photo, points = draw_face(0, 256)
    cut = align_face(np.ascontiguousarray(photo[40:]), points - (0, 40), 128)
    assert best_source([cut, align_face(photo, points, 128)]) == 2


def test_without_a_photo_it_is_decided_too():
    faces = [align_face(*draw_face(seed, 256), 64) for seed in (1, 2)]
    codes = [AlignedFace(face.image, face.landmarks, np.eye(2, 3)) for face in faces]
    assert resolve_source_weights(codes, [0.5, 0.5]).max() == 1


def test_recipes_hold_it_and_are_followed(blender, place):
    for who in (1, 2):
        path = blender.blend(["ana.png", "ben.jpg"], surroundings=who, size=256).save("made.png")
        assert read_recipe(path)["surroundings"] == who
        replay(path, "again.png", folders=["."])
        assert (place / "again.png").read_bytes() == path.read_bytes()
    made = average(["ana.png", "ben.jpg"], surroundings="auto", blender=blender)
    assert made.recipe["surroundings"] == best_source([blender.find(name) for name in ("ana.png", "ben.jpg")])


def test_a_recipe_from_before_is_followed_and_says_so(blender, place):
    made = blender.blend(["ana.png", "ben.jpg"], measures="none")
    (place / "old.json").write_text(json.dumps({**made.recipe, "surroundings": "auto"}))
    done = replay("old.json", "again.png", folders=["."])
    assert any(made.recipe["featureblend"] in note for note in done.notes)
    np.testing.assert_array_equal(np.asarray(Image.open("again.png")), np.asarray(made.image))


def test_a_continuum_decides_once_for_each_two_neighbours(blender, place):
    Image.fromarray(draw_face(5, 300)[0]).save("cat.png")
    names = ["ana.png", "ben.jpg", "cat.png"]
    faces = [blender.find(name) for name in names]
    made = continuum(names, steps=3, warp=False, blender=blender)
    assert made.recipe["surroundings"] == [best_source(faces[:2]), 1 + best_source(faces[1:])]
    path = made.save("walk.png")
    replay(path, "again.png", folders=["."])
    assert (place / "again.png").read_bytes() == path.read_bytes()
    two = continuum(names[:2], steps=3, warp=False, blender=blender)
    assert two.recipe["surroundings"] == best_source(faces[:2])


def test_who_wears_a_hat_or_looks_aside_is_not_whose_hair_is_shown(monkeypatch):
    image, marks = draw_face(0, 256)
    bare = align_face(image, marks, 128)
    hat = np.eye(4, dtype=np.float32)[np.full((128, 128), CLASSES.index("skin"))]
    hat[:40] = np.eye(4, dtype=np.float32)[CLASSES.index("clothes")]
    before = suitability(bare)
    with monkeypatch.context() as turned:
        turned.setattr(composing, "head_pose", lambda marks: HeadPose(yaw=-40.0, pitch=0.0, roll=0.0))
        assert suitability(bare) < before - 1
    monkeypatch.setattr(composing, "face_parts", lambda picture: FaceParts(hat))
    assert suitability(bare) < before - 0.3
