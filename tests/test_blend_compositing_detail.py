"""Full-size detail on drawn faces: sharp, without second outlines, exact at the ends, smooth in between, symmetric."""

import cv2
import numpy as np
import pytest
from drawn_faces import draw_face

from featureblend.blend.compositing import compose
from featureblend.blend.compositing.composing import best_source, resolve_source_weights
from featureblend.blend.compositing.detail import add_detail, own_share, warped_parent
from featureblend.blend.compositing.detail_weights import edge_sharpness, face_shares
from featureblend.faces.alignment import align_face
from featureblend.faces.masks import face_mask, region_masks
from featureblend.faces.warp import mean_shape
from featureblend.metrics.ghosts import ghosting, hull_mask
from featureblend.metrics.paths import boundary_error, path_irregularity, path_lengths
from featureblend.metrics.scores import sharpness

pytestmark = pytest.mark.usefixtures("model_sized")

PAIRS = [(1, 2), (4, 7), (11, 3)]


def aligned(seed, size=128, photo=400):
    return align_face(*draw_face(seed, photo), size)


def soft_blend(faces, weights, size=128):
    """What a model's blend is like: the mean of the warped faces, all but 32 pixels of detail lost."""
    small = [face.at(size) for face in faces]
    shape = mean_shape([face.landmarks for face in small], weights)
    warped = [warped_parent(face, shape) for face in small]
    mean = np.tensordot(np.asarray(weights, np.float32), np.stack(warped), axes=1)
    return np.clip(cv2.GaussianBlur(mean, (0, 0), 2.0 * size / 128), 0, 255).astype(np.uint8)


def test_blends_are_as_sharp_as_their_parents_and_have_no_second_outline():
    for size in [128, 320]:
        ratios = []
        for pair in PAIRS:
            faces = [aligned(seed) for seed in pair]
            soft = soft_blend(faces, [0.5, 0.5])
            made = compose(soft, faces, [0.5, 0.5], size=size)
            parents = [face.at(size) for face in faces]
            large = cv2.resize(soft, (size, size), interpolation=cv2.INTER_CUBIC)
            before, after = (
                ghosting(picture, [one.image for one in parents], landmarks=[one.landmarks for one in parents]).whole
                for picture in (large, made)
            )
            assert after < before + 0.02
            # One parent's surroundings are shown, and drawn backgrounds differ: so each is held to the softer parent.
            of_parents = [sharpness(parent.image) for parent in parents]
            # The edge of an ear or a neck has the contrast of the blend's skin, which may be less than its parent's.
            assert sharpness(made) > 0.7 * min(of_parents)
            assert sharpness(made) > 5 * sharpness(large)
            ratios.append(sharpness(made) / of_parents[best_source(faces) - 1])
        assert np.median(ratios) > 0.75


def test_the_issues_figure_at_1024_pixels():
    faces = [aligned(seed, 128, 640) for seed in (4, 7)]
    made = compose(soft_blend(faces, [0.5, 0.5]), faces, [0.5, 0.5], size=1024)
    assert sharpness(made) >= 0.8 * np.mean([sharpness(face.at(1024).image) for face in faces])


def test_at_either_end_it_is_the_parent_itself_whatever_the_model_lost():
    for warped in [True, False]:
        faces = [aligned(1), aligned(2)]
        wrong = np.full((128, 128, 3), 77, np.uint8)
        for place in (0, 1):
            weights = [1.0 - place, float(place)]
            np.testing.assert_array_equal(compose(wrong, faces, weights, warped=warped), faces[place].image)


def test_a_continuum_has_no_jump():
    faces = [aligned(seed) for seed in PAIRS[0]]
    alphas = np.linspace(0, 1, 11)
    frames = [compose(soft_blend(faces, [1 - alpha, alpha]), faces, [1 - alpha, alpha]) for alpha in alphas]
    assert path_irregularity(path_lengths(frames)) < 3  # drawn backgrounds have nothing in common
    assert boundary_error(frames, faces[0].image, faces[1].image) == (0, 0)


def test_weights_beyond_the_ends_are_taken():
    faces = [aligned(seed, 64) for seed in (1, 2)]
    made = compose(soft_blend(faces, [1.3, -0.3], 64), faces, [1.3, -0.3])
    assert made.shape == (64, 64, 3)


def test_one_parent_is_the_source_and_the_face_follows_the_blend():
    faces = [aligned(4), aligned(7)]
    soft = soft_blend(faces, [0.5, 0.5])
    shape = mean_shape([face.landmarks for face in faces], [0.5, 0.5])
    warped = [warped_parent(face, shape) for face in faces]
    corner = np.s_[:20, :20]
    for who in (1, 2):
        made = compose(soft, faces, [0.5, 0.5], surroundings=who)
        assert np.abs(made[corner] - warped[who - 1][corner]).mean() < 3
        inside = hull_mask(shape, (128, 128))
        tone = [cv2.GaussianBlur(picture.astype(np.float32), (0, 0), 6)[inside] for picture in (made, soft)]
        assert np.abs(tone[0] - tone[1]).mean() < 6
    mean = compose(soft, faces, [0.5, 0.5], surroundings="mean")
    assert np.abs(mean[corner] - (warped[0] + warped[1])[corner] / 2).mean() < 3


def test_the_source_is_the_sharper_photo():
    sharp, blurred = aligned(4), draw_face(7, 400)
    blurred = align_face(cv2.GaussianBlur(blurred[0], (0, 0), 8), blurred[1], 128)
    for faces in ([sharp, blurred], [blurred, sharp]):
        soft = soft_blend(faces, [0.5, 0.5])
        made = compose(soft, faces, [0.5, 0.5])
        chosen = compose(soft, faces, [0.5, 0.5], surroundings=1 + (faces[1] is sharp))
        assert np.abs(made.astype(int) - chosen).mean() < 0.5


def test_source_weights():
    faces = [aligned(seed, 64) for seed in (1, 2, 3)]
    for weight in np.linspace(0, 1, 21):
        shares = resolve_source_weights(faces, [weight, 1 - weight], 1)
        assert shares.sum() == pytest.approx(1)
        assert shares[0] == pytest.approx(min(1.0, 2 * weight))
    np.testing.assert_allclose(resolve_source_weights(faces, [1, 0, 0], 3), [1, 0, 0])
    np.testing.assert_allclose(resolve_source_weights(faces, [0.2, 0.2, 0.6], 3), [0, 0, 1], atol=1e-9)


def test_even_a_tie_of_sources_is_decided():
    twice = [aligned(1, 64), aligned(1, 64)]
    assert resolve_source_weights(twice, [0.5, 0.5]).tolist() == [1, 0]
    faces = [aligned(seed, 64) for seed in range(6)]
    for first in faces:
        for second in faces:
            assert resolve_source_weights([first, second], [0.5, 0.5]).max() == 1


def test_the_face_has_the_other_parents_detail():
    rng = np.random.default_rng(0)
    parents = list(rng.uniform(0, 255, (3, 64, 64, 3)).astype(np.float32))
    _, points = draw_face(0, 64)
    regions, face = region_masks(points, 64), face_mask(points, 64)
    even = np.full(3, 1 / 3)
    shares = face_shares(parents, parents[1], even, np.array([1.0, 0, 0]), regions, face)
    assert (shares.argmax(axis=1) == 1).all()  # the blend agrees with the second
    assert (shares[:, 0] < 0.1).all()
    alone = face_shares(parents, parents[1], np.array([1.0, 0, 0]), np.array([1.0, 0, 0]), regions, face)
    np.testing.assert_array_equal(alone, [[1, 0, 0]] * 4)


def test_sharpness_by_what_it_must_tell_apart():
    image = draw_face(4, 128)[0].astype(np.float32)
    everywhere = np.ones((128, 128), np.float32)
    values = [edge_sharpness(cv2.GaussianBlur(image, (0, 0), spread), everywhere) for spread in (0.3, 1, 2, 4)]
    assert values == sorted(values, reverse=True)
    assert edge_sharpness(image, everywhere) == pytest.approx(edge_sharpness(0.5 * image + 40, everywhere), abs=0.02)


def test_masks_lie_where_the_face_is():
    _, points = draw_face(0, 128)
    mask = face_mask(points, 128)
    hull = hull_mask(points, (128, 128))
    assert mask.min() == 0
    assert mask.max() > 0.99
    assert mask[hull].mean() > 0.7
    assert mask[0].max() == mask[:, 0].max() == 0
    above = int(points[17:27, 1].min()) - 4
    middle = int(points[27, 0])
    assert mask[above, middle] > face_mask(points, 128, forehead=0)[above, middle]
    regions = region_masks(points, 128)
    np.testing.assert_allclose(regions.sum(axis=0), 1, atol=1e-5)
    for eye in (points[36:42], points[42:48]):
        x, y = eye.mean(axis=0).round().astype(int)
        assert regions[0, y, x] > 0.95
    assert regions[1, int(points[62, 1]), int(points[62, 0])] > 0.9


def test_how_much_of_one_photo_is_kept():
    assert [own_share(np.array(w)) for w in ([1 / 3] * 3, [1.0, 0, 0], [0.5, 0.5])] == pytest.approx([0, 1, 0])
    assert own_share(np.array([-0.5, 1.5])) == 0


@pytest.mark.parametrize("weights", [(0.5, 0.5), (0.65, 0.35), (0.35, 0.65)])
def test_a_mouth_that_is_open_in_one_photo_alone_is_that_photos_whole(weights):
    drawn, points = draw_face(0, 256)
    closed, smiling = (np.full_like(drawn, 150) for _ in range(2))
    cv2.fillPoly(smiling, [points[60:68].round().astype(int)], (250, 250, 250))
    where = tuple(points[[62, 66]].mean(axis=0).round().astype(int)[::-1])
    half = ((closed.astype(int) + smiling) // 2).astype(np.uint8)

    def teeth(openings, order=(0, 1), shares=weights):
        parents, shares = [(closed, smiling)[k] for k in order], [shares[k] for k in order]
        mouths = None if openings is None else [openings[k] for k in order]
        return int(add_detail(half, parents, shares, points, np.eye(2)[order.index(0)], mouths=mouths)[where][0])

    assert teeth([0.0, 0.2]) > 235
    assert teeth([0.0, 0.2], order=(1, 0)) > 235
    assert teeth([0.1, 0.3]) == teeth([0.0, 0.02]) == teeth(None) < 235
    assert teeth([0.0, 0.2], shares=(1, 0)) == 150
