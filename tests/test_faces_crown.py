"""Heads that the photo's upper edge cuts."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from featureblend.faces import crown
from featureblend.faces.alignment import Crown, align_face
from featureblend.faces.crown import with_crown
from featureblend.faces.drawn import draw_face

CENTRE, RADIUS = (128, 120), 80


@pytest.fixture
def disc(monkeypatch):
    """A photo of a white disc on grey, in place of a head, which a parser of discs finds; and landmarks in it."""
    photo = np.full((256, 256, 3), 90, np.uint8)
    cv2.circle(photo, CENTRE, RADIUS, (255, 255, 255), -1)
    monkeypatch.setattr(crown, "face_parts", lambda image: SimpleNamespace(head=np.float32(image[..., 0] > 170)))
    return photo, draw_face(7, 256)[1]


def cut(disc, rows):
    photo, landmarks = disc
    return align_face(photo[rows:], landmarks - (0, rows), 128)


@pytest.mark.parametrize("rows", [52, 65])
def test_a_head_that_is_cut_goes_on_as_the_circle_that_it_is(disc, rows):
    plain = cut(disc, rows)
    found = with_crown(plain)
    due = align_face(*disc, 128).image.astype(int)
    assert found.crown.x == pytest.approx(CENTRE[0], abs=2)
    assert found.crown.half == pytest.approx(np.sqrt(RADIUS**2 - (CENTRE[1] - rows) ** 2), abs=6)
    edge = int(plain.matrix[1, 2])
    off, off_before = (np.abs(face.image[:edge] - due[:edge]).mean() for face in (found, plain))
    assert off < 0.4 * off_before
    assert (found.image[edge + 8 :] == plain.image[edge + 8 :]).all()  # what the photo shows is as it was
    assert (
        np.abs(cv2.resize(found.at(256).image, (128, 128), interpolation=cv2.INTER_AREA) - due)[:edge].mean() < off + 5
    )


def test_a_head_that_is_whole_stays_as_it_is(disc):
    """Also where the crop reaches beyond the photo."""
    face = cut(disc, CENTRE[1] - RADIUS - 8)
    assert face.matrix[1, 2] > crown.LEAST
    assert with_crown(face) is face


def test_what_is_above_is_the_heads_within_the_circle_and_mirrored_beside_it():
    above = Crown(x=50, half=30, radius=50).above(np.array([5, 20, 35, 49, 95]), np.array([0, 8, 11]))
    assert above[0].tolist() == [5, 20, 35, 49, 95]
    assert above[1] == pytest.approx([5, 20, 5, 50 - 30 / 14, 95])  # 14 = sqrt(50^2 - (40 + 8)^2): 35 is beside it
    assert above[2].tolist() == [5, 20, 5, -9, 95]
