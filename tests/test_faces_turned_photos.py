"""Photos that lie on their side or stand on their head, with no EXIF tag that says so: turned upright, and said."""

import shutil

import cv2
import numpy as np
import pytest
from example_photos import FIRST, SECOND

from featureblend.blend.face_cache import RememberingBlender
from featureblend.cli import main
from featureblend.edit.average import average
from featureblend.edit.continuum import continuum
from featureblend.edit.replay import replay
from featureblend.edit.transform import symmetrize, transform
from featureblend.errors import FeatureblendError
from featureblend.faces import EXAMPLES
from featureblend.faces.detector import Search
from featureblend.io.image import load_image, save_image
from featureblend.training.dataset import FaceSet
from featureblend.training.prepare import prepare
from featureblend.web.studio import Look, Studio

pytestmark = pytest.mark.usefixtures("model_sized")

TURNS = (1, 2, 3)


def turned(image, turns):
    """Turn a picture clockwise, so that as many turns counter-clockwise make it upright again."""
    return np.ascontiguousarray(np.rot90(image, -turns))


def off(found, landmarks):
    """Mean distance of the nearest face's landmarks from those that are due, in distances of the eyes."""
    across = np.hypot(*(landmarks[36:42].mean(axis=0) - landmarks[42:48].mean(axis=0)))
    return min(np.hypot(*(face.landmarks - landmarks).T).mean() for face in found.faces) / across


def tilted(image, degrees):
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1)
    return cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101), matrix


@pytest.fixture(scope="module")
def photo():
    return load_image(FIRST)


@pytest.fixture
def on_its_side(tmp_path, photo):
    return save_image(tmp_path / "side.png", turned(photo, 1))


def check_every_way_up(detector, image):
    """Check that a photo is found upright any way up; give how many ways it was refused."""
    upright = detector.search(image)
    if not upright.faces:
        return 0
    landmarks = max(upright.faces, key=lambda face: face.area).landmarks
    assert upright.quarter_turns == 0
    refused = 0
    for turns in TURNS:
        found = detector.search(turned(image, turns))
        if found.faces:
            assert found.quarter_turns == turns
            assert np.array_equal(found.image, image)
            assert off(found, landmarks) < 0.06
        refused += not found.faces
    return refused


def test_the_example_faces_are_found_any_way_up(detector):
    for name in ["first", "second", "third", "fourth", "fifth", "sixth"]:
        assert check_every_way_up(detector, load_image(EXAMPLES / f"{name}.jpg")) == 0


def test_faces_are_found_any_way_up_or_refused(detector, face_photos):
    refused = sum(check_every_way_up(detector, load_image(path)) for path in face_photos[:12])
    assert refused <= 2  # of 36


def test_a_large_photo_is_found_any_way_up(detector, astronaut):
    large = cv2.resize(astronaut, (1400, 1400), interpolation=cv2.INTER_CUBIC)[:, 200:1300]
    assert check_every_way_up(detector, large) == 0


def test_a_tilted_head_is_not_turned(detector, face_photos):
    """A head on one side is no photo on its side: the crop turns it."""
    for path in face_photos[:6]:
        image = load_image(path)
        upright = detector.search(image)
        for degrees in (-30, -15, 15, 30) if upright.faces else ():
            tilt, matrix = tilted(image, degrees)
            found = detector.search(tilt)
            assert found.quarter_turns == 0
            landmarks = max(upright.faces, key=lambda face: face.area).landmarks
            assert off(found, landmarks @ matrix[:, :2].T + matrix[:, 2]) < 0.1


def test_a_photo_turned_by_any_angle_is_found_and_turned_by_the_nearest_quarter(detector, astronaut):
    upright = detector.search(astronaut).faces[0].landmarks
    height, width = astronaut.shape[:2]
    for degrees in (*range(-180, 180, 30), -75, -45, 45, 75):
        matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1)  # counter-clockwise
        found = detector.search(cv2.warpAffine(astronaut, matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101))
        turns = 0 if abs(degrees) <= 60 else round(-degrees / 90) % 4
        if abs(abs(degrees) - 60) > 1 and abs(degrees) != 135:  # the edges, and where both turns are as good
            assert found.quarter_turns == turns, degrees
        due = upright @ matrix[:, :2].T + matrix[:, 2]
        for _ in range(found.quarter_turns):
            due = np.stack([due[:, 1], width - 1 - due[:, 0]], axis=1)
        assert off(found, due) < 0.1, degrees


def test_only_upright_faces_are_detected(detector, photo):
    assert len(detector.detect(photo)) == 1
    assert detector.detect(turned(photo, 1)) == []
    image, face = detector.find(turned(photo, 1))
    assert np.array_equal(image, photo)
    assert off(Search(image, [face]), detector.detect(photo)[0].landmarks) < 0.06


def test_a_blend_is_that_of_the_upright_photo_and_says_so(blender, photo):
    wanted, *all_made = (
        blender.blend([turned(photo, turns), SECOND], background="source", size="source") for turns in (0, *TURNS)
    )
    assert not [line for line in wanted.warnings if "turned by" in line]
    for made in all_made:
        assert made.image.size == wanted.image.size == photo.shape[1::-1]
        assert np.abs(np.asarray(made.image).astype(int) - np.asarray(wanted.image)).mean() < 2
        assert [line for line in made.warnings if line.startswith("photo 1: ") and "turned" in line]


def test_a_turned_photo_is_replayed(blender, tmp_path, on_its_side):
    made = blender.blend([on_its_side, SECOND], background="source", measures="none")
    path = made.save(tmp_path / "made.png")
    again = replay(path, tmp_path / "again.png", folders=[tmp_path, EXAMPLES]).path
    assert again.read_bytes() == path.read_bytes()


def test_a_photo_that_was_let_go_is_turned_when_it_is_read_again(blender, photo, on_its_side):
    remembering = RememberingBlender(blender, room=1)
    for path in (on_its_side, SECOND):
        remembering.find(path)
    again = remembering.find(on_its_side)
    assert np.array_equal(again.photo, photo)
    assert np.array_equal(again.at(256).image, blender.find(on_its_side).at(256).image)


def test_every_edit_says_which_photos_it_turned(blender, on_its_side):
    for made in (
        average([on_its_side, SECOND], blender=blender),
        transform(FIRST, on_its_side, SECOND, blender=blender),
        symmetrize(on_its_side, blender=blender),
        continuum([on_its_side, SECOND], steps=2, blender=blender),
    ):
        (line,) = (line for line in made.warnings if "turned" in line)
        assert "side.png" in line


def test_a_code_of_a_turned_photo_is_that_of_the_upright_one(blender, photo, on_its_side, tmp_path, capsys):
    codes = [blender.encode(one) for one in (on_its_side, photo)]
    differ = np.linalg.norm(codes[0].latent - codes[1].latent)
    assert differ < 0.1 * np.linalg.norm(codes[1].latent)
    main(["encode", str(on_its_side), "-o", str(tmp_path / "side.npz"), "--quiet"])
    assert "side.png" in capsys.readouterr().err


def test_prepare_turns_photos_and_lists_them(detector, tmp_path, photo, monkeypatch):
    monkeypatch.setattr("featureblend.training.prepare._detector", lambda: detector)
    (tmp_path / "in").mkdir()
    shutil.copy(FIRST, tmp_path / "in" / "a.png")
    for turns in TURNS:
        save_image(tmp_path / "in" / f"b{turns}.png", turned(photo, turns))
    report = prepare(tmp_path / "in", tmp_path / "out.tar", jobs=1, quiet=True)
    faces = FaceSet.read(tmp_path / "out.tar")
    assert len(faces) == 4
    for image, landmarks in zip(faces.images[1:], faces.landmarks[1:], strict=True):
        assert np.abs(landmarks - faces.landmarks[0]).mean() < 3
        assert np.abs(image.astype(int) - faces.images[0]).mean() < 12
    assert [name for name, _ in report.notes] == ["b1.png", "b2.png", "b3.png"]


def test_the_page_turns_photos_and_says_so(blender, photo, on_its_side):
    studio = Studio(blender)
    table = studio.added((), "side.png", on_its_side.read_bytes())
    table = studio.added(table, "second.jpg", SECOND.read_bytes())
    made, _ = studio.measured(table, [50, 50], Look())
    assert [line for line in made.warnings if line.startswith("side.png: ") and "turned" in line]
    assert np.array_equal(studio.face(table[0]).photo, photo)


def test_a_photo_without_a_face_is_left_as_it_is(detector):
    for turns in range(4):
        sky = np.linspace(90, 250, 200).astype(np.uint8)[:, None, None].repeat(300, 1).repeat(3, 2)
        found = detector.search(turned(sky, turns))
        assert (found.faces, found.quarter_turns) == ([], 0)
        with pytest.raises(FeatureblendError, match="no face found"):
            detector.find(turned(sky, turns))
