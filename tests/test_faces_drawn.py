"""The drawn faces are what other tests stand on: the same for ever, various, and with landmarks where things are."""

import numpy as np
from drawn_faces import draw_face, draw_faces


def test_same_seed_same_face_other_seed_other_face():
    image, landmarks = draw_face(3)
    again, landmarks_again = draw_face(3)
    assert image.tobytes() == again.tobytes()
    assert landmarks.tobytes() == landmarks_again.tobytes()
    other, other_landmarks = draw_face(4)
    assert np.abs(image.astype(int) - other).mean() > 10
    assert np.abs(landmarks - other_landmarks).max() > 1


def test_shapes_and_landmarks_scale_with_the_size():
    for size in [64, 128, 250]:
        image, landmarks = draw_face(5, size)
        assert image.shape == (size, size, 3)
        assert image.dtype == np.uint8
        assert landmarks.shape == (68, 2)
        assert landmarks.min() > 0
        assert landmarks.max() < size - 1
        assert np.abs((landmarks + 0.5) / size - (draw_face(5, 128)[1] + 0.5) / 128).max() < 1e-9


def test_landmarks_are_in_order():
    for seed in range(20):
        points = draw_face(seed)[1]
        assert (np.diff(points[:17, 0]) > -1).all()  # the jaw, from the viewer's left
        assert points[8, 1] > points[[0, 16], 1].max() + 20  # the chin is below the ears
        assert points[17:27, 1].mean() < points[36:48, 1].mean() < points[31:36, 1].mean() < points[48:, 1].mean()
        assert points[36:42, 0].mean() < points[27:31, 0].mean() < points[42:48, 0].mean()
        assert points[36, 0] < points[39, 0] < points[42, 0] < points[45, 0]
        assert points[37, 1] < points[41, 1]
        assert points[51, 1] < points[57, 1]
        assert points[62, 1] <= points[66, 1] + 0.5


def test_landmarks_lie_where_the_detector_finds_them(detector):
    errors = []
    for image, points in zip(*draw_faces(range(12)), strict=True):
        found = detector.detect(image)
        if found:
            errors.append(np.abs(found[0].landmarks - points).mean())
    assert len(errors) >= 11
    assert np.median(errors) < 2
