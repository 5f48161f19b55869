"""Faces in photos: real ones, or drawn ones where the shared photos are not at hand, and composites of them."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from drawn_faces import draw_face
from PIL import Image

from featureblend.errors import FeatureblendError
from featureblend.faces.detector import Face, choose_face
from featureblend.faces.landmarks import LANDMARKS, MIRRORED, seen_landmarks
from featureblend.faces.pose import canonical_mesh
from featureblend.io.image import load_image, save_image


def overlap(box, other):
    """Intersection over union."""
    width = min(box[2], other[2]) - max(box[0], other[0])
    height = min(box[3], other[3]) - max(box[1], other[1])
    shared = max(width, 0) * max(height, 0)
    areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (box, other)]
    return shared / (sum(areas) - shared)


def face_at(x, y, side):
    return Face((x - side / 2, y - side / 2, x + side / 2, y + side / 2), np.zeros((68, 2)))


@pytest.fixture(scope="module")
def found(detector, face_photos):
    """The photos and the faces in each."""
    images = [load_image(path) for path in face_photos[:30]]
    return [(image, detector.detect(image)) for image in images]


def test_importing_the_module_opens_no_network():
    code = (
        "import sys; from featureblend.faces.detector import FaceDetector; detector = FaceDetector();"
        "print('onnxruntime' in sys.modules, list(vars(detector.finder)))"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.split() == ["False", "['threads']"]


def test_nearly_all_faces_are_found_in_the_middle_where_lfw_has_them(found):
    central = 0
    for image, faces in found:
        if not faces:
            continue
        face = choose_face(faces, image.shape, "central", "a")
        left, top, right, bottom = face.box
        central += left < 125 < right and top < 125 < bottom and 60 < right - left < 160
    assert central >= 29


def test_landmarks_are_points_of_the_mesh_and_mirror_each_other(found):
    mirror = canonical_mesh()[1]
    assert len(set(LANDMARKS)) == 68
    assert [mirror[vertex] for vertex in LANDMARKS] == [LANDMARKS[place] for place in MIRRORED]
    for _, faces in found[:3]:
        for face in faces:
            assert np.array_equal(face.landmarks, seen_landmarks(face.mesh))
            assert np.allclose(face.landmarks[17:], face.mesh[list(LANDMARKS[17:]), :2])


def test_landmarks_lie_on_the_face_from_the_viewers_left(found):
    for image, faces in found:
        for face in faces:
            assert face.landmarks.shape == (68, 2)
            assert face.landmarks.dtype == np.float64
        if not faces:
            continue
        points = choose_face(faces, image.shape, "central", "a").landmarks
        left_eye, right_eye, mouth = points[36:42].mean(0), points[42:48].mean(0), points[48:68].mean(0)
        assert left_eye[0] < right_eye[0]
        assert mouth[1] > max(left_eye[1], right_eye[1])


def test_landmarks_are_near_those_a_face_was_drawn_with(detector):
    errors = []
    for seed in range(100, 110):
        image, truth = draw_face(seed, 250)
        for face in detector.detect(image):
            across = np.hypot(*(truth[36:42].mean(0) - truth[42:48].mean(0)))
            errors.append(np.hypot(*(face.landmarks - truth).T).mean() / across)
    assert len(errors) >= 8
    assert np.mean(errors) < 0.15


def test_boxes_and_landmarks_scale_with_the_photo(detector, astronaut):
    for factor in [0.35, 2.0, 7.5]:
        kind = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
        first = detector.detect(astronaut)
        second = detector.detect(cv2.resize(astronaut, None, fx=factor, fy=factor, interpolation=kind))
        assert len(first) == len(second) == 1
        assert overlap(first[0].box, tuple(np.array(second[0].box) / factor)) > 0.7
        across = np.hypot(*(first[0].landmarks[36] - first[0].landmarks[45]))
        moved = (second[0].landmarks + 0.5) / factor - 0.5
        assert np.hypot(*(first[0].landmarks - moved).T).mean() < 0.06 * across


def test_landmarks_of_small_photos_are_finer_than_a_pixel(detector, astronaut):
    small = cv2.resize(astronaut, (256, 256), interpolation=cv2.INTER_AREA)
    points = detector.detect(small)[0].landmarks
    assert (points != np.round(points)).mean() > 0.5


def test_pictures_without_a_face_give_none(detector):
    leaves = np.random.default_rng(0).integers(0, 255, (20, 20, 3), dtype=np.uint8)
    sky = np.linspace(90, 250, 200).astype(np.uint8)[:, None, None].repeat(300, 1).repeat(3, 2)
    assert detector.detect(cv2.resize(leaves, (240, 180))) == []
    with pytest.raises(FeatureblendError, match="no face found in photo 2: try a photo with"):
        detector.find(sky, position=2)


def test_strips_and_dots_have_no_face_and_break_nothing(detector):
    for shape in [(1, 1), (3, 2), (1, 20_000), (20_000, 2), (9, 400)]:
        assert detector.detect(np.zeros((*shape, 3), np.uint8)) == []


def test_a_face_5_percent_as_wide_as_the_photo_is_found(detector, found):
    image, faces = next((image, faces) for image, faces in found if len(faces) == 1)
    width = faces[0].box[2] - faces[0].box[0]
    small = cv2.resize(image, None, fx=200 / width, fy=200 / width, interpolation=cv2.INTER_CUBIC)
    scene = np.full((3000, 4000, 3), 128, np.uint8)
    scene[1000 : 1000 + small.shape[0], 2500 : 2500 + small.shape[1]] = small
    [face] = detector.detect(scene)
    assert overlap(face.box, tuple(np.array(faces[0].box) * 200 / width + (2500, 1000, 2500, 1000))) > 0.5


def test_several_faces_come_from_left_to_right_and_can_be_chosen(detector, found, tmp_path):
    singles = [(image, faces[0]) for image, faces in found if len(faces) == 1][:3]
    sizes = (160, 330, 220)
    scene = np.full((420, 760, 3), 90, np.uint8)
    boxes, left = [], 10
    for (image, face), size, top in zip(singles, sizes, (20, 60, 180), strict=True):
        scene[top : top + size, left : left + size] = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)
        boxes.append(tuple(np.array(face.box) * size / 250 + (left, top, left, top)))
        left += size + 10
    path = tmp_path / "group photo.png"
    save_image(path, scene)
    faces = detector.detect(scene)
    assert len(faces) == 3
    for number in (1, 2, 3):
        image, face = detector.find(path, number)
        assert overlap(face.box, boxes[number - 1]) > 0.5
        assert (image == scene).all()
    assert detector.find(path, "largest")[1].box == faces[1].box
    assert detector.find(path, np.int64(3))[1].box == faces[2].box
    with pytest.raises(FeatureblendError, match=r"group photo\.png shows 3 faces; there is no face number 4"):
        detector.find(path, 4)


def test_choosing_by_place_and_size():
    faces = [face_at(100, 500, 50), face_at(510, 480, 60), face_at(900, 500, 200)]
    shape = (1000, 1000, 3)
    assert choose_face(faces, shape, "largest", "a") is faces[2]
    assert choose_face(faces, shape, "central", "a") is faces[1]
    assert choose_face(faces, (1000, 2000, 3), "central", "a") is faces[2]
    assert [choose_face(faces, shape, number, "a") for number in (1, 2, 3)] == faces
    assert faces[0].area == 2500
    assert faces[1].centre == (510, 480)


def test_a_face_that_is_not_there():
    for which, words in [
        (0, "there is no face number 0"),
        (-1, "there is no face number -1"),
        (2, r"a\.jpg shows 1 face; there is no face number 2"),
        ("smallest", "unknown face 'smallest': use 'largest', 'central' or a number from 1"),
        (True, "unknown face True"),
        (1.5, "unknown face 1.5"),
        (None, "unknown face None"),
    ]:
        with pytest.raises(FeatureblendError, match=words):
            choose_face([face_at(50, 50, 20)], (100, 100), which, "a.jpg")


def test_other_arrays_are_refused(detector):
    for array in (np.zeros((64, 64)), np.zeros((64, 64, 3), np.float32), np.zeros((64, 64, 4), np.uint8)):
        with pytest.raises(FeatureblendError, match="uint8 sRGB array"):
            detector.detect(array)


def test_a_view_that_is_not_contiguous_is_taken(detector, astronaut):
    mirrored = astronaut[:, ::-1]
    assert len(detector.detect(mirrored)) == 1


def test_a_turned_phone_photo_is_searched_upright(detector, astronaut, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.rot90(astronaut)).save(tmp_path / "phone.jpg", quality=95, exif=exif)
    image, face = detector.find(tmp_path / "phone.jpg")
    assert image.shape == astronaut.shape
    assert overlap(face.box, detector.detect(astronaut)[0].box) > 0.8


def test_threads_that_share_a_detector_find_what_one_does(detector, astronaut):
    photos = [astronaut, np.ascontiguousarray(astronaut[:, ::-1])] * 3
    due = [detector.detect(photo)[0].landmarks for photo in photos[:2]] * 3
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(detector.detect, photos))
    for faces, landmarks in zip(found, due, strict=True):
        np.testing.assert_array_equal(faces[0].landmarks, landmarks)
