"""Glasses and hats: drawn on drawn faces they are recognised, and nothing else is."""

import cv2
import numpy as np
import pytest
from drawn_faces import draw_face

from featureblend.faces.alignment import align_face
from featureblend.faces.coverings import COVERINGS, covered_by, gradients, scores


def face(seed):
    return align_face(*draw_face(seed, 384), 128)


def with_glasses(aligned):
    """Dark frames round both eyes, a bridge and two temples."""
    image, marks = aligned.image.copy(), aligned.landmarks
    centres = [marks[part].mean(axis=0) for part in (slice(36, 42), slice(42, 48))]
    radius = 0.36 * np.hypot(*(centres[1] - centres[0]))
    for centre, side in zip(centres, (-1, 1), strict=True):
        middle = tuple(int(value) for value in centre)
        cv2.ellipse(image, middle, (int(radius), int(0.8 * radius)), 0, 0, 360, (25, 20, 20), 2, cv2.LINE_AA)
        cv2.line(
            image, (middle[0] + side * int(radius), middle[1]), (middle[0] + side * 40, middle[1] - 2), (25, 20, 20), 2
        )
    inner = [(int(centres[0][0] + radius), int(centres[0][1])), (int(centres[1][0] - radius), int(centres[1][1]))]
    cv2.line(image, *inner, (25, 20, 20), 2, cv2.LINE_AA)
    return image


def test_faces_without_are_told_from_the_same_with_glasses():
    found = [[scores(image)["glasses"] for image in (face(seed).image, with_glasses(face(seed)))] for seed in range(12)]
    assert all(after > before + 1 for before, after in found)
    assert sum(before > 0 for before, _ in found) <= 1
    assert sum(after > 0 for _, after in found) >= 11


def test_a_mirror_image_wears_the_same():
    image = with_glasses(face(7))
    assert scores(np.ascontiguousarray(image[:, ::-1])) == pytest.approx(scores(image), abs=1e-4)


def test_the_size_matters_little():
    for size in [64, 128, 256, 512]:
        image = cv2.resize(with_glasses(face(7)), (size, size), interpolation=cv2.INTER_AREA)
        assert "glasses" in covered_by(image)


def test_gradients_do_not_depend_on_exposure():
    image = face(1).image
    for covering in COVERINGS:
        darker = gradients((image * 0.6).astype(np.uint8), covering)
        assert np.abs(darker - gradients(image, covering)).mean() < 0.02
