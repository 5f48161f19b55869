"""Where a head's edge is, told by the colours on both sides."""

import cv2
import numpy as np
import pytest

from featureblend.blend.compositing.matting import matted, without_background
from featureblend.faces.parser import CLASSES, FaceParts

SIDE = 128
HAIR, BACKGROUND = CLASSES.index("hair"), CLASSES.index("background")
FROM_MIDDLE = np.hypot(*(np.indices((SIDE, SIDE)) - SIDE / 2))


def head(radius):
    """Parts of a round head, as soft at the edge as a parser sees it."""
    shown = cv2.GaussianBlur((radius > FROM_MIDDLE).astype(np.float32), (0, 0), 1.0)
    probabilities = np.zeros((SIDE, SIDE, len(CLASSES)), np.float32)
    probabilities[..., HAIR], probabilities[..., BACKGROUND] = shown, 1 - shown
    return FaceParts(probabilities)


def picture(inside, outside, radius=40):
    return np.where((radius > FROM_MIDDLE)[..., None], np.float32(inside), np.float32(outside))


@pytest.mark.parametrize("wrong", [-2, 2])
@pytest.mark.parametrize("size", [SIDE, 3 * SIDE])
def test_a_wrong_edge_moves_to_where_colours_change(wrong, size):
    image = cv2.resize(picture((40, 30, 20), (210, 220, 230)), (size, size), interpolation=cv2.INTER_NEAREST)
    parts = cv2.resize(head(40 + wrong).probabilities, (size, size))
    found = cv2.resize(matted(image, FaceParts(parts)).background, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    due = picture(0, 1)[..., 0]
    before = np.abs(head(40 + wrong).background - due).sum()
    assert np.abs(found - due).sum() < before / 3


def test_where_both_sides_look_alike_the_parser_stays_right():
    image = picture((90, 100, 110), (93, 101, 112))
    np.testing.assert_allclose(matted(image, head(40)).background, head(40).background, atol=0.02)


def test_far_from_the_edge_nothing_changes():
    image = np.random.default_rng(0).uniform(0, 255, (SIDE, SIDE, 3)).astype(np.float32)
    found, before = matted(image, head(40)).probabilities, head(40).probabilities
    np.testing.assert_allclose(found.sum(axis=2), 1, atol=1e-5)
    far = np.abs(FROM_MIDDLE - 40) > 12
    np.testing.assert_allclose(found[far], before[far], atol=1e-3)
    assert (found >= 0).all()


def test_a_picture_without_a_background_stays_as_it_is():
    nothing = FaceParts(np.eye(len(CLASSES), dtype=np.float32)[np.full((SIDE, SIDE), HAIR)])
    np.testing.assert_array_equal(matted(picture(0, 255), nothing).probabilities, nothing.probabilities)


def test_before_another_background_the_old_one_leaves_no_rim():
    behind = head(40).background
    image = (
        picture((40, 30, 20), (40, 30, 20)) * (1 - behind[..., None]) + np.float32((90, 250, 90)) * behind[..., None]
    )
    found = without_background(image, behind)
    shown = behind < 0.95
    np.testing.assert_allclose(found[shown], np.broadcast_to([40, 30, 20], found[shown].shape), atol=6)
    assert (image - found)[shown].max() > 150
