"""Faces in photos: real ones, or drawn ones where the shared photos are not at hand, and composites of them."""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from drawn_faces import draw_face
from PIL import Image

from featureblend.errors import FeatureblendError
from featureblend.faces.alignment import align_face
from featureblend.faces.detector import Face, FaceDetector, choose_face
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


def test_importing_the_module_loads_no_dlib_and_opens_no_model():
    code = (
        "import sys; from featureblend.faces.detector import FaceDetector; detector = FaceDetector();"
        "print('dlib' in sys.modules, 'face_recognition_models' in sys.modules, list(vars(detector)))"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.split() == ["False", "False", "['use_cnn',", "'_turn',", "'_known']"]


def test_the_models_are_found_without_importing_their_package(detector):
    detector.detect(np.zeros((100, 100, 3), np.uint8))
    assert "face_recognition_models" not in sys.modules


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(FeatureblendError, match="pip install face_recognition_models"):
        FaceDetector()._model_file("any.dat")
    monkeypatch.setitem(sys.modules, "dlib", None)
    with pytest.raises(FeatureblendError, match="pip install dlib-bin"):
        FaceDetector().detect(np.zeros((64, 64, 3), np.uint8))


def test_nearly_all_faces_are_found_in_the_middle_where_lfw_has_them(found):
    central = 0
    for image, faces in found:
        if not faces:
            continue
        face = choose_face(faces, image.shape, "central", "a")
        left, top, right, bottom = face.box
        central += left < 125 < right and top < 125 < bottom and 60 < right - left < 160
    assert central >= 29


def test_landmarks_lie_on_the_face_in_dlibs_order(found):
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


@pytest.mark.parametrize("factor", [0.35, 2.0, 7.5])
def test_boxes_and_landmarks_scale_with_the_photo(detector, astronaut, factor):
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


def test_points_of_an_enlarged_copy_are_put_back_by_pixel_centres(detector):
    """Of a photo enlarged four times, pixel 0 lies a quarter and an eighth of a pixel before the photo's pixel 0."""

    class Corner:
        x = y = 0

    class Shape:
        parts = staticmethod(lambda: [Corner] * 68)

    own = FaceDetector()
    own.__dict__.update(_dlib=detector._dlib, _predictor=lambda picture, box: Shape)
    assert own._landmarks(np.zeros((8, 8, 3), np.uint8), 4.0, (0, 0, 2, 2)).tolist() == [[-0.375, -0.375]] * 68


def test_cloth_is_not_taken_for_the_largest_face(detector, astronaut, tmp_path):
    """In this very file HOG also finds, with a score near 0, a patch on the suit that is larger than the face."""
    path = save_image(tmp_path / "a.jpg", cv2.resize(astronaut, (480, 480), interpolation=cv2.INTER_CUBIC), quality=92)
    image, face = detector.find(path)
    boxes, scores, _ = detector._hog.run(image, 0, 0.0)
    assert len(boxes) > 1  # or this test shows nothing
    assert min(scores) < 0.2 < max(scores)
    assert overlap(face.box, (170, 74, 256, 160)) > 0.7


def test_pictures_without_a_face_give_none(detector):
    leaves = np.random.default_rng(0).integers(0, 255, (20, 20, 3), dtype=np.uint8)
    sky = np.linspace(90, 250, 200).astype(np.uint8)[:, None, None].repeat(300, 1).repeat(3, 2)
    assert detector.detect(cv2.resize(leaves, (240, 180))) == []
    with pytest.raises(FeatureblendError, match="no face found in photo 2: try a photo with"):
        detector.find(sky, position=2)


@pytest.mark.parametrize("shape", [(1, 1), (3, 2), (1, 20_000), (20_000, 2), (9, 400)])
def test_strips_and_dots_have_no_face_and_break_nothing(detector, shape):
    assert detector.detect(np.zeros((*shape, 3), np.uint8)) == []


def test_the_cnn_is_the_last_resort(detector, found, monkeypatch):
    image, faces = next((image, faces) for image, faces in found if len(faces) == 1)

    class Blind:
        def run(self, *arguments):
            return [], [], []

    fallback = FaceDetector()
    fallback.__dict__.update(_hog=Blind(), _predictor=detector._predictor, _dlib=detector._dlib)
    assert any(overlap(face.box, faces[0].box) > 0.4 for face in fallback.detect(image))
    fallback.use_cnn = False
    assert fallback.detect(image) == []


def test_small_faces_are_found_at_the_larger_searches(detector, found, monkeypatch):
    """A face 5% as wide as a 12-megapixel photo is too small at 960 pixels."""
    image, faces = next((image, faces) for image, faces in found if len(faces) == 1)
    width = faces[0].box[2] - faces[0].box[0]
    small = cv2.resize(image, None, fx=200 / width, fy=200 / width, interpolation=cv2.INTER_CUBIC)
    scene = np.full((3000, 4000, 3), 128, np.uint8)
    scene[1000 : 1000 + small.shape[0], 2500 : 2500 + small.shape[1]] = small
    [face] = FaceDetector(use_cnn=False).detect(scene)
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
    with pytest.raises(FeatureblendError, match=r"group photo\.png shows 3 face\(s\); there is no face number 4"):
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


@pytest.mark.parametrize(
    ("which", "words"),
    [
        (0, "there is no face number 0"),
        (-1, "there is no face number -1"),
        (2, r"a\.jpg shows 1 face\(s\); there is no face number 2"),
        ("smallest", "unknown face 'smallest': use 'largest', 'central' or a number from 1"),
        (True, "unknown face True"),
        (1.5, "unknown face 1.5"),
        (None, "unknown face None"),
    ],
)
def test_a_face_that_is_not_there(which, words):
    with pytest.raises(FeatureblendError, match=words):
        choose_face([face_at(50, 50, 20)], (100, 100), which, "a.jpg")


def test_other_arrays_are_refused(detector):
    for array in (np.zeros((64, 64)), np.zeros((64, 64, 3), np.float32), np.zeros((64, 64, 4), np.uint8)):
        with pytest.raises(FeatureblendError, match="uint8 sRGB array is due"):
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


def test_embeddings_are_near_for_one_person_and_far_for_two(detector, found, face_source):
    codes, again = [], []
    for image, faces in found[:8]:
        if faces:
            face = choose_face(faces, image.shape, "central", "a")
            codes.append(detector.embedding(image, face.landmarks))
            crop = align_face(image, face.landmarks, 160, margin=1.25)
            again.append(detector.embedding(crop.image, crop.landmarks))
    assert codes[0].shape == (128,)
    between = np.linalg.norm(np.array(codes)[:, None] - codes, axis=2)[np.triu_indices(len(codes), 1)]
    assert between.mean() > (0.6 if face_source == "real" else 0.3)
    assert np.linalg.norm(np.array(codes) - again, axis=1).mean() < between.mean() / 2
    image, faces = found[0]
    assert (
        np.linalg.norm(
            detector.embedding(image, faces[0].landmarks) - detector.embedding(image.copy(), faces[0].landmarks)
        )
        == 0
    )


def test_the_packaged_detector_is_dlibs_own(face_photos, astronaut):
    """The file exists to load faster, not to find other faces."""
    import dlib

    own, packaged = dlib.get_frontal_face_detector(), FaceDetector()._hog
    for image in [astronaut, *(load_image(path) for path in face_photos[:6])]:
        expected, found = own.run(image, 1, -0.5), packaged.run(image, 1, -0.5)
        assert [str(box) for box in found[0]] == [str(box) for box in expected[0]]
        assert list(found[1]) == list(expected[1])


def test_a_detector_file_that_dlib_can_not_read_is_replaced_by_dlibs_own(monkeypatch, tmp_path):
    damaged = tmp_path / "detector.svm"
    damaged.write_bytes(b"not a detector")
    monkeypatch.setattr("featureblend.faces.detector.HOG_FILE", damaged)
    assert FaceDetector()._hog.run(np.zeros((80, 80, 3), np.uint8), 0, 0.0)[0] is not None


def test_threads_take_turns_in_one_detector(monkeypatch):
    """dlib lets go of Python's lock inside its detector: without one of ours, 1 blend in 12 came out wrong."""
    inside, met = [], []

    def work(*_):
        inside.append(1)
        time.sleep(0.01)
        met.append(len(inside) > 1)
        inside.pop()
        return np.zeros(128)

    detector = FaceDetector()
    monkeypatch.setattr(detector, "_search", work)
    monkeypatch.setattr(detector, "_embedded", work)
    black = np.zeros((8, 8, 3), np.uint8)
    calls = [lambda: detector.search(black)] * 4
    calls += [lambda n=n: detector.embedding(black, np.full((68, 2), float(n))) for n in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda call: call(), calls))
    assert met == [False] * len(calls)


def test_threads_that_share_a_detector_find_what_one_does(detector, astronaut):
    photos = [astronaut, np.ascontiguousarray(astronaut[:, ::-1])] * 3
    due = [detector.detect(photo)[0].landmarks for photo in photos[:2]] * 3
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(detector.detect, photos))
    for faces, landmarks in zip(found, due, strict=True):
        np.testing.assert_array_equal(faces[0].landmarks, landmarks)


def test_an_embedding_is_worked_out_once(monkeypatch):
    asked = []
    detector = FaceDetector()
    monkeypatch.setattr(detector, "_embedded", lambda image, points: asked.append(1) or np.arange(128.0))
    black, points = np.zeros((8, 8, 3), np.uint8), np.zeros((68, 2))
    first = detector.embedding(black, points)
    first[:] = 0  # a caller's own copy
    assert detector.embedding(black.copy(), points.copy())[5] == 5
    assert len(asked) == 1
    detector.embedding(black + 1, points)
    detector.embedding(black, points + 1)
    assert len(asked) == 3
