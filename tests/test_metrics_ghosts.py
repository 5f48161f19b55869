"""Ghosting: 1 for a cross-dissolve of unlike outlines, 0 for anything that has its own."""

import cv2
import numpy as np
import pytest
from drawn_faces import draw_face

from featureblend import FeatureblendError
from featureblend.blend.baselines.morph import blend as morph
from featureblend.faces.parser import CLASSES, FaceParts
from featureblend.faces.warp import warp_to_shape
from featureblend.metrics import ghosting, hull_mask


def dissolve(images, weights=None):
    mixed = np.average(np.stack(images).astype(float), axis=0, weights=weights)
    return np.floor(mixed + 0.5).astype(np.uint8)


def disc(radius, at=(64, 64), inner=200, outer=60):
    image = np.full((128, 128, 3), outer, np.uint8)
    return cv2.circle(image, at, radius, (inner,) * 3, -1, cv2.LINE_AA)


def moved(image, landmarks, shift):
    matrix = np.float32([[1, 0, shift[0]], [0, 1, shift[1]]])
    return cv2.warpAffine(image, matrix, image.shape[1::-1], borderMode=cv2.BORDER_REFLECT), landmarks + shift


def pairs(count, shift=(6, -5)):
    """Pairs of drawn faces, the second misaligned by some pixels."""
    for seed in range(count):
        a, points_a = draw_face(2 * seed)
        b, points_b = moved(*draw_face(2 * seed + 1), shift)
        yield [a, b], [points_a, points_b]


def test_a_dissolve_of_outlines_that_do_not_overlap_is_1_and_a_parent_0():
    parents = [disc(25), disc(50)]
    assert ghosting(dissolve(parents), parents).whole > 0.97
    for parent in parents:
        assert ghosting(parent, parents).whole < 0.01


def test_a_fainter_ghost_counts_less_by_the_formula():
    parents = [disc(25), disc(50)]
    for weights, expected in (((0.7, 0.3), 4 * 0.21), ((0.9, 0.1), 4 * 0.09)):
        assert ghosting(dissolve(parents, weights), parents, weights).whole == pytest.approx(expected, abs=0.03)
    parents = [disc(15), disc(32), disc(52)]
    # The largest and the smallest are out of each other's neighbourhood, so a share may be 1/2 in place of 1/3.
    assert 4 * 2 / 9 - 0.05 < ghosting(dissolve(parents), parents).whole <= 1
    assert ghosting(parents[1], parents).whole < 0.01


def test_outlines_that_the_parents_share_cannot_be_doubled():
    parent = disc(40)
    assert ghosting(dissolve([parent, parent]), [parent, parent]).whole < 0.01
    assert ghosting(disc(38), [disc(25), disc(50)]).whole < 0.1  # nor is a new one, in between
    lighter = disc(40, inner=230, outer=30)
    assert ghosting(dissolve([parent, lighter]), [parent, lighter]).whole < 0.2


def test_one_parent_on_each_side_is_clean_but_for_the_seam():
    for parents, _ in pairs(5):
        halves = parents[0].copy()
        halves[:, 64:] = parents[1][:, 64:]
        assert ghosting(halves, parents).whole < 0.4 * ghosting(dissolve(parents), parents).whole


def test_blur_neither_makes_nor_hides_a_ghost_until_little_is_left():
    for parents, _ in pairs(5):
        whole = ghosting(dissolve(parents), parents).whole
        blurred = [ghosting(cv2.GaussianBlur(dissolve(parents), (0, 0), sigma), parents).whole for sigma in (1, 2)]
        assert blurred[0] > 0.9 * whole
        assert blurred[1] > 0.75 * whole
        assert ghosting(cv2.GaussianBlur(parents[0], (0, 0), 1), parents).whole < 0.12 * whole
        sharpened = cv2.addWeighted(dissolve(parents), 2, cv2.GaussianBlur(dissolve(parents), (0, 0), 1), -1, 0)
        assert ghosting(sharpened, parents).whole > 0.9 * whole


def test_what_it_cannot_see_is_as_documented():
    parents = next(pairs(1))[0]
    flat = np.full_like(parents[0], 128)
    noise = np.random.default_rng(0).integers(0, 256, flat.shape, dtype=np.uint8)
    assert ghosting(flat, parents).whole == 0
    assert ghosting(noise, parents).whole < 0.05
    assert ghosting(parents[0], [flat, flat]).whole == 0  # the parents have no outlines


def test_a_morph_is_cleaner_than_the_pixel_average_inside_the_face_and_flagged_outside():
    averages, morphs = [], []
    for parents, points in pairs(10):
        averages.append(ghosting(dissolve(parents), parents, landmarks=points))
        morphs.append(ghosting(morph(parents, (0.5, 0.5), points), parents, landmarks=points))
    assert all(a.inside > m.inside for a, m in zip(averages, morphs, strict=True))
    assert np.mean([m.inside for m in morphs]) < 0.75 * np.mean([a.inside for a in averages])
    assert np.mean([m.outside for m in morphs]) > 1.2 * np.mean([m.inside for m in morphs])
    assert np.mean([m.outside for m in morphs]) > 0.7 * np.mean([a.outside for a in averages])


def test_one_parent_warped_to_the_mean_shape_is_clean():
    for seed, (parents, points) in enumerate(pairs(6)):
        assert ghosting(draw_face(1000 + seed)[0], parents, landmarks=points).whole < 0.25  # another photo
    parents, points = next(pairs(1))
    warped = warp_to_shape(parents[0], points[0], (points[0] + points[1]) / 2)
    found = ghosting(warped, parents, landmarks=points)
    assert max(found.whole, found.inside, found.outside) < 0.02


def test_weights_place_the_mean_shape():
    parents, points = next(pairs(1, shift=(12, 0)))
    weights = (0.7, 0.3)
    blend = morph(parents, weights, points)
    right = ghosting(blend, parents, weights, points)
    assert right.inside > 0
    assert right.map.tobytes() != ghosting(blend, parents, None, points).map.tobytes()


def test_the_size_of_the_picture_hardly_matters():
    faces = [draw_face(seed, 256)[0] for seed in (0, 1)]
    found = []
    for size in (128, 64, 96, 256):
        pictures = [cv2.resize(face, (size, size), interpolation=cv2.INTER_AREA) for face in faces]
        found.append(ghosting(dissolve(pictures), pictures))
        assert found[-1].map.shape == (size, size)
        assert found[-1].whole == pytest.approx(found[0].whole, abs=0.06)
    parents = [np.ascontiguousarray(image[:90]) for image in next(pairs(1))[0]]
    assert ghosting(dissolve(parents), parents).map.shape == (90, 128)


def test_the_mask_says_where_to_look():
    parents = [disc(20, (32, 64)), disc(20, (96, 64))]
    blend = parents[0].copy()
    right = np.zeros((128, 128), bool)
    right[:, 64:] = True
    blend[right] = dissolve(parents)[right]
    assert ghosting(blend, parents, mask=right).whole > 0.8
    assert ghosting(blend, parents, mask=~right).whole < 0.2
    assert ghosting(blend, parents, mask=np.zeros((128, 128))).whole == 0


def test_what_the_parents_show_tells_where_ghosts_are():
    """A ghost of one parent's hair counts as hair's, wherever it lies; skin is where both show it."""
    parents = [disc(20, (32, 64)), disc(20, (96, 64))]
    blend = parents[0].copy()
    blend[:, 64:] = dissolve(parents)[:, 64:]
    labels = np.full((2, 128, 128), CLASSES.index("skin"))
    labels[1, :, 64:] = CLASSES.index("hair")
    labels[0, :20] = CLASSES.index("background")
    parts = [FaceParts(np.eye(4, dtype=np.float32)[one]) for one in labels]
    found = ghosting(blend, parents, parts=parts)
    assert found.hair > 0.8
    assert found.skin < 0.2
    assert found.elsewhere == 0  # no outline lies there
    assert ghosting(blend, parents).hair is None


def test_hull_mask_holds_the_landmarks():
    points = draw_face(0)[1]
    mask = hull_mask(points, (128, 128))
    at = np.round(points).astype(int)
    assert mask[at[:, 1], at[:, 0]].all()
    assert 0.05 < mask.mean() < 0.4


def test_bad_input_is_named():
    parents, points = next(pairs(1))
    with pytest.raises(FeatureblendError):
        ghosting(parents[0], parents[:1])
    with pytest.raises(FeatureblendError):
        ghosting(parents[0], [parents[0], parents[1][:100]])
    with pytest.raises(FeatureblendError):
        ghosting(parents[0], parents, landmarks=points[:1])
    with pytest.raises(FeatureblendError):
        ghosting(parents[0], parents, mask=np.ones((4, 4)))
    with pytest.raises(FeatureblendError):
        ghosting(parents[0], parents, parts=[FaceParts(np.ones((128, 128, 4), np.float32))])
