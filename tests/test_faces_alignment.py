"""The aligned crop: against FFHQ's own formula, and by what a similarity must leave alone."""

import cv2
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from featureblend.blend.compositing.paste import unalign_change
from featureblend.errors import FeatureblendError
from featureblend.faces.alignment import CropTemplate, align_face, crop_matrix, invert_matrix, transform_points

FFHQ = CropTemplate(eye_scale=2.0, mouth_scale=1.8, centre_shift=0.1)
"""The scales of FFHQ's own rule."""

FACE = np.full((68, 2), 300.0)
"""Points whose eyes and mouth have simple means: eyes at (270, 280) and (330, 280), mouth at (300, 340)."""
FACE[36:42], FACE[42:48], FACE[48], FACE[54] = (270, 280), (330, 280), (280, 340), (320, 340)


def similarity(angle, scale, shift=(0.0, 0.0)):
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.column_stack([turn, shift])


def composed(outer, inner):
    return outer @ np.vstack([inner, [0, 0, 1]])


def ffhq_quad(lm):
    """The crop's corners as FFHQ's `recreate_aligned_images` (download_ffhq.py) computes them, line by line."""
    lm_eye_left, lm_eye_right, lm_mouth_outer = lm[36:42], lm[42:48], lm[48:60]
    eye_left, eye_right = np.mean(lm_eye_left, axis=0), np.mean(lm_eye_right, axis=0)
    eye_avg, eye_to_eye = (eye_left + eye_right) * 0.5, eye_right - eye_left
    mouth_avg = (lm_mouth_outer[0] + lm_mouth_outer[6]) * 0.5
    eye_to_mouth = mouth_avg - eye_avg
    x = eye_to_eye - np.flipud(eye_to_mouth) * [-1, 1]
    x /= np.hypot(*x)
    x *= max(np.hypot(*eye_to_eye) * 2.0, np.hypot(*eye_to_mouth) * 1.8)
    y = np.flipud(x) * [-1, 1]
    c = eye_avg + eye_to_mouth * 0.1
    return np.stack([c - x - y, c - x + y, c + x + y, c + x - y])


points_68 = st.integers(0, 2**32 - 1).map(lambda seed: np.random.default_rng(seed).uniform(0, 500, (68, 2)))


@given(points_68, st.sampled_from([64, 128, 250]), st.sampled_from([1.0, 1.25, 2.0]))
@settings(deadline=None)
def test_the_crop_is_the_square_of_ffhqs_formula(points, size, margin):
    quad = ffhq_quad(points)
    assume(np.hypot(*(quad[0] - quad[2])) > 1)
    matrix = crop_matrix(points, size, margin, FFHQ)
    centre = quad.mean(axis=0)
    # A picture of `size` pixels reaches from -0.5 to size - 0.5.
    edge = np.array([[0, 0], [0, size], [size, size], [size, 0]]) - 0.5
    np.testing.assert_allclose(transform_points(centre + (quad - centre) * margin, matrix), edge, atol=1e-6 * size)


@given(points_68, st.floats(-3.1, 3.1), st.floats(0.05, 20), st.floats(-500, 500))
@settings(deadline=None)
def test_turning_scaling_and_moving_the_photo_changes_nothing_in_the_crop(points, angle, scale, shift):
    assume(np.hypot(*(ffhq_quad(points)[0] - ffhq_quad(points)[2])) > 1)
    moved = similarity(angle, scale, (shift, -shift / 2))
    before, after = crop_matrix(points, 128), crop_matrix(transform_points(points, moved), 128)
    np.testing.assert_allclose(composed(after, moved), before, atol=1e-5)


def test_the_template_decides():
    matrix = crop_matrix(FACE, 128, template=CropTemplate(eye_scale=1.0, mouth_scale=1.0, centre_shift=0.0))
    np.testing.assert_allclose(
        transform_points(np.array([[300.0, 280.0], [240, 220]]), matrix), [[63.5] * 2, [-0.5] * 2]
    )


@given(st.floats(-3.1, 3.1), st.floats(0.01, 50), st.floats(-900, 900), points_68)
@settings(deadline=None)
def test_the_inverse_is_exact(angle, scale, shift, points):
    matrix = similarity(angle, scale, (shift, 3 * shift))
    np.testing.assert_allclose(
        transform_points(transform_points(points, matrix), invert_matrix(matrix)), points, atol=1e-8
    )


def test_landmarks_that_say_nothing_are_refused():
    for points in [np.zeros((68, 2)), np.full((68, 2), np.nan)]:
        with pytest.raises(FeatureblendError, match="landmarks are unknown or lie in one point"):
            crop_matrix(points, 128)


def face_in(detector, image):
    return max(detector.detect(image), key=lambda face: face.area)


def test_the_crop_of_a_real_face_has_it_upright_in_the_middle(detector, astronaut):
    aligned = align_face(astronaut, face_in(detector, astronaut).landmarks, 128)
    assert aligned.image.shape == (128, 128, 3)
    assert aligned.image.dtype == np.uint8
    again = face_in(detector, cv2.resize(aligned.image, (512, 512), interpolation=cv2.INTER_CUBIC))
    assert np.hypot(*((again.landmarks + 0.5) / 4 - 0.5 - aligned.landmarks).T).mean() < 2
    eyes = aligned.landmarks[36:42].mean(axis=0), aligned.landmarks[42:48].mean(axis=0)
    assert abs(eyes[0][1] - eyes[1][1]) < 4
    assert eyes[0][0] < 64 < eyes[1][0]


def test_the_crop_of_a_turned_photo_is_the_crop_of_the_photo(detector, astronaut):
    for angle, scale in [(0.4, 1.0), (-0.3, 2.0), (3.0, 1.0), (0.2, 0.7)]:
        landmarks = face_in(detector, astronaut).landmarks
        soft = cv2.GaussianBlur(astronaut, (0, 0), 1.5)
        moved = similarity(angle, scale)
        moved[:, 2] = 600 - moved[:, :2] @ (250, 150)
        photo = cv2.warpAffine(soft, moved, (1200, 1200), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
        first, second = align_face(soft, landmarks, 96), align_face(photo, transform_points(landmarks, moved), 96)
        assert np.abs(first.image.astype(float) - second.image).mean() < 1.5
        np.testing.assert_allclose(first.landmarks, second.landmarks, atol=1e-6)


def test_a_margin_only_adds_a_frame(detector, astronaut):
    for scale in [0.3, 0.6, 0.9, 2.0]:
        photo = cv2.resize(astronaut, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        landmarks = (face_in(detector, astronaut).landmarks + 0.5) * scale - 0.5
        wide, close = align_face(photo, landmarks, 160, margin=1.25), align_face(photo, landmarks, 128)
        inner = wide.image[16:144, 16:144].astype(float)
        assert np.abs(inner - close.image).mean() < 0.5
        np.testing.assert_allclose(wide.landmarks - 16, close.landmarks, atol=1e-9)


def test_fine_detail_is_averaged_and_not_turned_into_stripes():
    checks = (np.indices((1200, 1200)).sum(axis=0) % 2 * 255).astype(np.uint8)[..., None].repeat(3, axis=2)
    for scale in (1.0, 1.7, 2.5, 4.0):  # the crops are 0.53 to 0.13 times the photo's size
        points = (FACE - 300) * scale + 600
        crop = align_face(checks, points, 128).image
        assert np.abs(crop.astype(float) - 127.5).max() < 14, scale


def test_moving_the_photo_by_a_pixel_moves_no_noise_into_the_crop():
    for scale in [0.6, 0.3, 0.12]:
        noise = np.random.default_rng(0).integers(0, 256, (1400, 1400, 3), dtype=np.uint8)
        noise = cv2.GaussianBlur(noise, (0, 0), 1)
        points = (FACE - 300) * (128 / 240 / scale) + 700
        first = align_face(noise, points, 128).image
        second = align_face(np.ascontiguousarray(noise[1:, 3:]), points - (3, 1), 128).image
        assert np.abs(first.astype(float) - second).mean() < 0.2 * first.std()


def test_beyond_the_photos_edge_nothing_is_seen_twice():
    """The edge goes on, ever softer: a dark spot 20 pixels below it does not come back above."""
    photo = np.full((400, 500, 3), 200, np.uint8)
    cv2.circle(photo, (250, 20), 12, (20, 20, 20), -1)
    photo[:, 251:] = np.minimum(photo[:, 251:], 150)
    crop = align_face(photo, FACE - (300, 286) + (250, 60), 240).image.astype(int)  # its top is 60 pixels above
    assert crop[80, 120].max() < 60
    assert crop[:60, 100:140].min() > 130
    assert np.abs(crop[:60, 20:70] - 200).max() < 10
    assert np.abs(crop[:60, 170:220] - 150).max() < 10
    assert np.abs(np.diff(crop[:62, 20:220], axis=0)).max() <= 30  # goes on where the photo ends
    assert np.abs(np.diff(crop[58, 100:140, 0])).max() > np.abs(np.diff(crop[5, 100:140, 0])).max() + 15


def test_a_plain_photo_gives_a_plain_crop_wherever_it_is_cut():
    plain = np.full((300, 200, 3), (10, 200, 90), np.uint8)
    for shift in (-400, -200, 0, 150, 900):
        for scale in (0.2, 1, 6):
            assert (align_face(plain, (FACE - 300) * scale + shift, 64).image == (10, 200, 90)).all()


def test_very_large_faces_and_photos():
    photo = np.zeros((3000, 4000, 3), np.uint8)
    photo[:, :2000], photo[:, 2000:] = 40, 220
    crop = align_face(photo, (FACE - (300, 286)) * 11 + (1999.5, 1500), 128).image
    assert (crop[:, :62] == 40).all()
    assert (crop[:, 66:] == 220).all()


def test_photos_longer_than_opencv_warps():
    for shape in [(300, 40_000), (40_000, 300)]:
        photo = np.zeros((*shape, 3), np.uint8)
        photo[shape[0] - 400 if shape[0] > 400 else 0 :, shape[1] - 400 if shape[1] > 400 else 0 :] = 255
        centre = (shape[1] - 150, shape[0] - 150)
        aligned = align_face(photo, FACE - (300, 286) + centre, 200)
        assert (aligned.image == 255).all()
        back = unalign_change(np.zeros_like(photo), np.full((200, 200, 3), 9.0), aligned.matrix)
        assert back[centre[1], centre[0]].tolist() == [9] * 3


def test_a_crop_beside_the_photo_leaves_nothing():
    photo = np.full((100, 120, 3), 50, np.uint8)
    assert (unalign_change(photo, np.full((64, 64, 3), 9.0), crop_matrix(FACE + 5000, 64)) == photo).all()


def test_putting_back_a_large_crop_does_not_alias():
    checks = (np.indices((1024, 1024)).sum(axis=0) % 2 * 100.0)[..., None].repeat(3, axis=2)
    back = unalign_change(np.zeros((600, 600, 3), np.uint8), checks, crop_matrix(FACE, 1024))
    assert np.abs(back[275:325, 275:325].astype(float) - 50).max() < 20


def test_cutting_out_the_part_that_is_needed_changes_no_pixel():
    for angle in [0.0, 0.3]:
        for where in [(400.3, 380.7), (20.2, 790.1)]:
            photo = np.random.default_rng(0).integers(0, 256, (800, 800, 3), dtype=np.uint8)
            aligned = align_face(photo, transform_points(FACE - (300, 286), similarity(angle, 1)) + where, 240)
            whole = cv2.warpAffine(
                photo, aligned.matrix, (240, 240), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
            )
            there = cv2.warpAffine(np.ones((800, 800), np.uint8), aligned.matrix, (240, 240))
            inside = cv2.erode(there, np.ones((5, 5))) > 0
            # OpenCV rounds places to 1/32 pixel.
            assert (np.abs(aligned.image.astype(int) - whole) > 3)[inside].mean() < 0.002


def test_a_spot_comes_out_where_the_matrix_says_at_every_scale():
    for scale in [1.3, 0.5, 0.2, 0.07]:
        factor = 128 / 240 / scale
        points = (FACE - (300, 286)) * factor + (901.3, 850.8)
        spot = np.array([[901.3 + 60 * factor, 850.8 - 25 * factor]])
        y, x = np.mgrid[:1800, :1800]
        photo = 255 * np.exp(-((x - spot[0, 0]) ** 2 + (y - spot[0, 1]) ** 2) / (2 * (6 * factor) ** 2))
        aligned = align_face(photo.astype(np.uint8)[..., None].repeat(3, axis=2), points, 128)
        weight = aligned.image[..., 0].astype(float)
        rows, columns = np.mgrid[:128, :128]
        found = (columns * weight).sum() / weight.sum(), (rows * weight).sum() / weight.sum()
        np.testing.assert_allclose(found, transform_points(spot, aligned.matrix)[0], atol=0.05)
