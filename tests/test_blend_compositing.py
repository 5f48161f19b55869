"""Finished pictures: sizes, backgrounds, and a blend put back into the photo that a face came from."""

import cv2
import numpy as np
import pytest
from drawn_faces import draw_face
from PIL import Image

from featureblend.blend.compositing import BACKGROUNDS, border_fade, compose, paste
from featureblend.blend.compositing.composing import CUTS
from featureblend.blend.compositing.paste import unalign_change
from featureblend.errors import FeatureblendError
from featureblend.faces.alignment import AlignedFace, align_face, crop_matrix, rescaling, transform_points, warped
from featureblend.faces.drawn import LABELS, draw_labels
from featureblend.io.image import load_image


@pytest.fixture(scope="module")
def faces():
    return [align_face(*draw_face(seed, 300), 96) for seed in (1, 4)]


@pytest.fixture(scope="module")
def soft(faces):
    return cv2.GaussianBlur(((faces[0].image.astype(int) + faces[1].image) // 2).astype(np.uint8), (0, 0), 2)


def test_every_background_at_every_kind_of_size(faces, soft):
    for background in BACKGROUNDS:
        for detail in [True, False]:
            native = faces[0].native_size
            for size, side in (("model", 96), (40, 40), (150, 150), ("source", native)):
                made = compose(soft, faces, [0.5, 0.5], background=background, size=size, detail=detail)
                if background == "source" and not isinstance(size, int):
                    side = 300  # the photo's own
                assert made.shape == (side, side, 4 if background == "transparent" else 3)
                assert made.dtype == np.uint8


def test_without_detail_or_background_the_blend_is_left_alone(faces, soft):
    np.testing.assert_array_equal(compose(soft, faces, [0.5, 0.5], detail=False), soft)


def test_a_crop_at_another_size_shows_the_same(faces):
    face = faces[0]
    large = face.at(192)
    assert large.photo is face.photo
    np.testing.assert_allclose(
        crop_matrix(transform_points(face.landmarks, rescaling(2)), 192)[:, :2], np.eye(2), atol=1e-9
    )
    np.testing.assert_allclose(large.landmarks, transform_points(face.landmarks, rescaling(2.0)))
    small = cv2.resize(large.image, (96, 96), interpolation=cv2.INTER_AREA)
    assert np.abs(small.astype(int) - face.image).mean() < 2
    direct = align_face(*draw_face(1, 300), 192)
    np.testing.assert_array_equal(large.image, direct.image)
    assert face.at(96) is face


def test_native_size_is_the_photos_scale():
    image, points = draw_face(2, 240)
    face = align_face(image, points, 64)
    at_scale = face.at(face.native_size)
    assert np.hypot(*at_scale.matrix[:, 0]) == pytest.approx(1, rel=0.01)
    twice = align_face(cv2.resize(image, (480, 480)), transform_points(points, rescaling(2.0)), 64)
    assert twice.native_size == pytest.approx(2 * face.native_size, abs=1)


def test_putting_back_is_the_exact_inverse_of_cutting_out():
    for size in [96, 200, 333]:
        photo, points = draw_face(5, 300)
        photo = cv2.GaussianBlur(photo, (0, 0), 3)
        face = align_face(photo, points, size)
        brighter = np.clip(photo.astype(np.float32) + 20, 0, 255).astype(np.uint8)
        after = align_face(brighter, points, size)
        back = paste(photo, face.image, after.image, face.matrix)
        places = transform_points(np.argwhere(np.ones((300, 300)))[:, ::-1].astype(float), face.matrix)
        margin = 0.1 * size
        inside = ((places > margin) & (places < size - 1 - margin)).all(axis=1).reshape(300, 300)
        outside = ((places < -1) | (places > size)).any(axis=1).reshape(300, 300)
        assert np.abs(back.astype(int) - brighter)[inside].mean() < 1
        np.testing.assert_array_equal(back[outside], photo[outside])


def test_a_spot_goes_back_to_its_place():
    photo, points = draw_face(6, 260)
    turned = cv2.getRotationMatrix2D((130, 130), 17, 0.9)
    face = align_face(photo, transform_points(points, turned), 128)
    y, x = np.mgrid[:128, :128]
    change = 90 * np.exp(-((x - 70.3) ** 2 + (y - 51.6) ** 2) / 40)[..., None].repeat(3, axis=2)
    grey = np.full_like(photo, 100)
    added = unalign_change(grey, change, face.matrix)[..., 0].astype(float) - 100
    rows, columns = np.mgrid[:260, :260]
    found = np.array([(columns * added).sum(), (rows * added).sum()]) / added.sum()
    np.testing.assert_allclose(transform_points(found[None], face.matrix)[0], (70.3, 51.6), atol=0.1)


def test_in_the_photo_the_scene_is_kept_to_the_byte(faces, soft):
    for place in (1, 2):
        made = compose(soft, faces, [0.5, 0.5], background="source", onto=place)
        photo = faces[place - 1].photo
        assert made.shape == photo.shape
        places = transform_points(np.argwhere(np.ones(photo.shape[:2]))[:, ::-1].astype(float), faces[place - 1].matrix)
        outside = ((places < -1) | (places > 96)).any(axis=1).reshape(photo.shape[:2])
        assert outside.any()
        np.testing.assert_array_equal(made[outside], photo[outside])
        eyes = ((places > 30) & (places < 66)).all(axis=1).reshape(photo.shape[:2])
        assert np.abs(made.astype(int) - photo)[eyes].mean() > 4


def test_a_photo_put_into_itself_is_the_photo(faces):
    made = compose(faces[0].image, faces, [1.0, 0.0], background="source")
    np.testing.assert_array_equal(made, faces[0].photo)


def test_a_photo_at_another_size(faces, soft):
    for size in [150, 500]:
        wide = np.pad(faces[0].photo, ((0, 0), (60, 40), (0, 0)), mode="edge")
        face = align_face(wide, np.add(draw_face(1, 300)[1], (60, 0)), 96)
        made = compose(soft, [face, faces[1]], [0.5, 0.5], background="source", size=size)
        assert made.shape == (round(300 * size / 400), size, 3)
        plain = compose(soft, [face, faces[1]], [0.5, 0.5], background="source")
        again = cv2.resize(
            plain, (size, made.shape[0]), interpolation=cv2.INTER_AREA if size < 400 else cv2.INTER_CUBIC
        )
        assert np.abs(made.astype(int) - again).mean() < 4


def test_around_a_face_that_is_cut_out(faces, soft):
    cut = compose(soft, faces, [0.5, 0.5], background="transparent")
    black = compose(soft, faces, [0.5, 0.5], background="black")
    whole = compose(soft, faces, [0.5, 0.5])
    assert cut[0, 0, 3] == 0
    assert cut[60, 48, 3] == 255
    opaque = cut[..., 3] == 255
    assert np.abs(cut[opaque][:, :3].astype(int) - whole[opaque]).mean() < 1  # at its edge only the head's colours
    np.testing.assert_allclose(black, cut[..., :3] * (cut[..., 3:] / 255), atol=0.6)
    average = compose(soft, faces, [0.5, 0.5], background="average")
    assert np.abs(average[55:70, 40:56].astype(int) - whole[55:70, 40:56]).mean() < 4
    corner = np.s_[:8, :8]
    mean = (faces[0].image[corner].astype(int) + faces[1].image[corner]) / 2
    assert np.abs(average[corner] - mean).mean() < 12


def test_a_head_is_cut_out_with_its_hair_and_a_face_without():
    for seed in [1, 2, 4, 5]:
        face = align_face(*draw_face(seed, 300), 128)
        labels = warped(draw_labels(seed, 300), face.matrix, (128, 128), cv2.BORDER_REFLECT_101)
        sure = dict(zip(LABELS, np.moveaxis(labels > 0.95, -1, 0), strict=True))
        head, alone = (
            compose(face.image, [face, face], [1, 0], background="transparent", cut=cut)[..., 3] / 255 for cut in CUTS
        )
        assert head[sure["skin"]].mean() > 0.9
        assert head[sure["hair"]].mean() > 0.8
        assert head[sure["background"]].mean() < 0.1
        assert alone[sure["hair"]].mean() < 0.4
        assert alone[sure["background"]].mean() < 0.02
        assert alone[64, 64] == 1


def test_the_frame_of_a_pasted_crop():
    fade = border_fade(50)
    assert fade[0].max() == fade[:, -1].max() == 0
    assert fade[25, 25] == 1
    assert (np.diff(fade[25, :25]) >= 0).all()


def test_what_is_refused(faces, soft):
    for options, message in [
        ({"background": "beach"}, "unknown background 'beach'"),
        ({"cut": "hair"}, "unknown cut 'hair': use one of head, face"),
        ({"size": 9}, "size 9"),
        ({"size": 10**6}, "size 1000000"),
        ({"size": "large"}, "size 'large'"),
        ({"size": True}, "size True"),
        ({"onto": 3}, "onto 3: use the number of a photo, 1 to 2"),
        ({"onto": 0}, "onto 0: use the number of a photo, 1 to 2"),
        ({"surroundings": 3}, "surroundings 3"),
        ({"surroundings": "best"}, "surroundings 'best'"),
    ]:
        with pytest.raises(FeatureblendError, match=message):
            compose(soft, faces, [0.5, 0.5], **options)


def test_a_code_has_no_photo_to_go_back_into(faces, soft):
    code = AlignedFace(faces[0].image, faces[0].landmarks, np.eye(2, 3))
    assert code.native_size == 96
    assert compose(soft, [code, faces[1]], [0.5, 0.5], size=200).shape == (200, 200, 3)
    with pytest.raises(FeatureblendError, match="face 1 came as a code"):
        compose(soft, [code, faces[1]], [0.5, 0.5], background="source")
    assert compose(soft, [code, faces[1]], [0.5, 0.5], background="source", onto=2).shape == (300, 300, 3)


def test_a_face_at_the_edge_of_its_photo(faces, soft):
    for shift in [(-110, 0), (0, 130), (-90, -120)]:
        image, points = draw_face(1, 300)
        moved = cv2.warpAffine(image, np.array([[1.0, 0, shift[0]], [0, 1, shift[1]]]), (300, 300))
        face = align_face(moved, np.add(points, shift), 96)
        made = compose(soft, [face, faces[1]], [0.5, 0.5], background="source")
        assert made.shape == (300, 300, 3)
        assert (made != moved).any()


def test_a_tiny_face_in_a_large_photo(faces, soft):
    image, points = draw_face(1, 40)
    photo = np.full((700, 900, 3), 90, np.uint8)
    photo[300:340, 500:540] = image
    face = align_face(photo, np.add(points, (500, 300)), 96)
    made = compose(soft, [face, faces[1]], [0.5, 0.5], background="source")
    changed = np.argwhere((made != photo).any(axis=2))
    assert len(changed)
    assert changed.min(axis=0)[0] > 280
    assert changed.max(axis=0)[1] < 560
    assert compose(soft, [face, faces[1]], [0.5, 0.5], size="source").shape[0] == max(16, face.native_size)


def test_what_a_warped_face_brings_in_from_beyond_the_crop_is_the_photos_own():
    image, points = draw_face(1, 300)
    low = points + np.linspace(0, 22, 68)[:, None] * (np.arange(68)[:, None] < 17) * (0, 1)  # a long chin
    photo = image.copy()
    photo[-40:] = (255, 0, 255)
    face = align_face(photo, low, 96)
    wide = face.padded(16)
    np.testing.assert_array_equal(wide[16:-16, 16:-16], face.image)
    inverse = np.linalg.inv(np.vstack([face.matrix, [0, 0, 1]]))[:2]
    below = transform_points(np.array([[48.0, 108.0]]), inverse)[0].round().astype(int)
    assert np.abs(wide[124, 64].astype(int) - photo[min(below[1], 299), below[0]]).max() < 60
    code = AlignedFace(face.image, face.landmarks, face.matrix)
    np.testing.assert_array_equal(code.padded(4)[0, 4:-4], face.image[4])


def test_photos_of_other_kinds(faces, soft):
    for mode in ["RGBA", "L", "P"]:
        image, points = draw_face(1, 200)
        photo = load_image(Image.fromarray(image).convert(mode))
        face = align_face(photo, points, 96)
        assert compose(soft, [face, faces[1]], [0.5, 0.5], background="source").shape == (200, 200, 3)


def test_landmarks_far_outside_the_crop(faces, soft):
    odd = AlignedFace(faces[0].image, faces[0].landmarks * 3 - 60, faces[0].matrix, photo=faces[0].photo)
    for background in BACKGROUNDS:
        made = compose(soft, [odd, faces[1]], [0.5, 0.5], background=background)
        assert made.ndim == 3
