"""The face finder: any angle, any size, against the original runtime's results, and on faces of known geometry."""

import tarfile
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest
from real_photos import lfw_photos, opened, shared_file

from featureblend.faces.drawn import draw_face
from featureblend.faces.finder import NETWORKS, FaceFinder
from featureblend.faces.landmarks import landmarks_of
from featureblend.faces.pose import canonical_mesh, head_pose

REFERENCE = Path(__file__).parent / "data" / "face_networks_reference.npz"


@pytest.fixture(scope="module")
def finder():
    return FaceFinder()


@pytest.fixture(scope="module")
def photo():
    return draw_face(3, 256)[0]


def eye_distance(face):
    return float(np.hypot(*(face.points[33, :2] - face.points[263, :2])))


def error(face, points):
    """Mean distance from where the points should be, in distances between the eyes."""
    return float(np.hypot(*(face.points[:, :2] - points).T).mean()) / eye_distance(face)


def test_networks_give_what_the_original_runtime_gave():
    for network in ["blazeface_short", "face_mesh"]:
        with np.load(REFERENCE) as file:
            reference = {name.split(".", 1)[1]: file[name] for name in file.files if name.startswith(f"{network}.")}
        image = reference.pop("input").astype(np.float32)[None] / 255
        seen = image * 2 - 1 if network == "blazeface_short" else image
        session = onnxruntime.InferenceSession(str(NETWORKS / f"{network}.onnx"), providers=["CPUExecutionProvider"])
        assert {one.name for one in session.get_outputs()} == set(reference)
        for name, values in reference.items():
            assert np.abs(session.run([name], {"input": seen})[0] - values).max() < 1e-4 * max(1, np.abs(values).max())


def test_a_face_is_found_at_any_angle(finder, photo):
    for angle in [0, 30, 90, 135, 180, 225, 270, 330]:
        (upright,) = finder.find(photo)
        side = 400
        turn = cv2.getRotationMatrix2D((127.5, 127.5), angle, 1)
        turn[:, 2] += (side - 256) / 2
        turned = cv2.warpAffine(photo, turn, (side, side), borderValue=(128, 128, 128))
        (face,) = finder.find(turned)
        assert error(face, upright.points[:, :2] @ turn[:, :2].T + turn[:, 2]) < 0.1
        assert abs((face.roll - upright.roll + angle + 180) % 360 - 180) < 10


def test_a_face_is_found_at_any_size(finder, photo):
    for size in [48, 96, 512, 1500]:
        (face,) = finder.find(photo)
        (scaled,) = finder.find(cv2.resize(photo, (size, size), interpolation=cv2.INTER_AREA))
        ratio = size / 256
        assert error(scaled, (face.points[:, :2] + 0.5) * ratio - 0.5) < 0.06


def test_every_face_of_a_sheet_is_found_from_left_to_right(finder):
    sheet = np.vstack([np.hstack([draw_face(5 * row + column, 80)[0] for column in range(5)]) for row in range(5)])
    faces = finder.find(sheet)
    centres = [((face.box[0] + face.box[2]) / 2, (face.box[1] + face.box[3]) / 2) for face in faces]
    assert len(faces) == 25
    assert {(int(x // 80), int(y // 80)) for x, y in centres} == {(x, y) for x in range(5) for y in range(5)}
    assert [x for x, _ in centres] == sorted(x for x, _ in centres)


def test_nothing_is_found_where_nothing_is(finder):
    for shape in [(1, 1), (3, 900), (900, 3), (64, 64), (700, 300)]:
        noise = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
        assert finder.find(np.full((*shape, 3), 90, np.uint8)) == []
        assert finder.find(noise) == []


def test_a_mirrored_photo_has_the_mirrored_mesh_and_pose(finder, photo):
    (face,) = finder.find(photo)
    (mirrored,) = finder.find(np.ascontiguousarray(photo[:, ::-1]))
    due = face.points[canonical_mesh()[1], :2] * (-1, 1) + (255, 0)
    assert error(mirrored, due) < 0.06
    yaws = [head_pose(landmarks_of(one.points)).yaw for one in (face, mirrored)]
    assert yaws[1] == pytest.approx(-yaws[0], abs=4)


def test_results_do_not_depend_on_what_was_asked_before(finder, photo):
    again = FaceFinder().find(photo)[0]
    assert np.array_equal(again.points, finder.find(photo)[0].points)


def test_head_pose_of_the_turned_mean_face():
    for yaw, pitch, roll in [(0, 0, 0), (25, 0, 0), (0, -15, 0), (0, 0, 120), (-30, 10, 0)]:
        y, p, r = np.radians([yaw, pitch, roll])
        about_y = np.array([[np.cos(y), 0, -np.sin(y)], [0, 1, 0], [np.sin(y), 0, np.cos(y)]])
        about_x = np.array([[1, 0, 0], [0, np.cos(p), np.sin(p)], [0, -np.sin(p), np.cos(p)]])
        about_z = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
        points = 40 * canonical_mesh()[0] @ (about_z @ about_x @ about_y).T + 100
        found = head_pose(landmarks_of(points))
        if pitch == 0 or yaw == 0:
            assert np.allclose(found, (yaw, pitch, roll), atol=1e-4)
        assert found.yaw == pytest.approx(yaw, abs=1.5)


def test_the_mean_face_is_symmetric():
    points, mirror = canonical_mesh()
    assert np.array_equal(mirror[mirror], np.arange(468))
    assert {(33, 263), (61, 291), (234, 454)} <= {(i, int(j)) for i, j in enumerate(mirror)}
    assert np.allclose(points[mirror], points * [-1, 1, 1], atol=1e-6)


@pytest.mark.real_photos
def test_faces_of_photos_are_found_and_none_is_turned(finder):
    missed, turned = [], []
    photos = lfw_photos(300, one_a_person=True)
    for name, data in photos:
        faces = finder.find(np.asarray(opened(data)))
        if not faces:
            missed.append(name)
        elif min(abs(face.roll) for face in faces) > 50:
            turned.append(name)
    assert len(photos) == 300
    assert (missed, turned) == ([], [])


@pytest.mark.real_photos
def test_people_who_look_into_the_camera_have_no_yaw(finder):
    yaws, pitches = [], []
    with tarfile.open(shared_file("studio34.tar")) as tar:
        for member in tar:
            if "/neutral/" in member.name and member.name.endswith(".jpg"):
                (face,) = finder.find(np.asarray(opened(tar.extractfile(member).read())))
                pose = head_pose(landmarks_of(face.points))
                yaws.append(pose.yaw)
                pitches.append(pose.pitch)
    assert len(yaws) == 34
    assert np.std(yaws) < 3
    assert abs(np.mean(yaws)) < 2
    assert np.std(pitches) < 6
