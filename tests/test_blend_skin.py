"""The colour of skin: a blend's lies between its parents', in every edit, whatever the networks make of it."""

import itertools
import tarfile

import cv2
import numpy as np
import pytest
from drawn_faces import draw_face
from real_photos import opened, shared_file

from featureblend.blend.compositing import add_detail, compose, with_mean_colour
from featureblend.blend.compositing.skin import skin_of, tinted
from featureblend.blend.face_cache import RememberingBlender
from featureblend.blend.pipeline import BlendOptions, blended, encoded
from featureblend.edit.average import average
from featureblend.edit.continuum import continuum
from featureblend.edit.mix import mix
from featureblend.edit.transform import symmetrize, transform
from featureblend.faces import EXAMPLES
from featureblend.faces.alignment import align_face, warped
from featureblend.faces.drawn import draw_labels
from featureblend.faces.masks import face_mask
from featureblend.faces.parser import anyones_hair, face_parts
from featureblend.faces.pose import head_pose
from featureblend.faces.warp import warp_to_shape
from featureblend.metrics import skin_between, skin_colour

pytestmark = pytest.mark.usefixtures("model_sized")

WEIGHTS = (0.1, 0.25, 0.5, 0.75, 0.9)


@pytest.fixture(scope="module")
def blender(blender):
    """It finds the faces of each photo once."""
    return RememberingBlender(blender)


def drawn(count=24):
    """Drawn faces of all skins, from dark to light."""
    faces = [align_face(*draw_face(seed, 256), 128) for seed in range(count)]
    return sorted(faces, key=lambda face: skin_colour(face.image, face.landmarks)[0])


FACES = drawn()
PAIRS = [(FACES[at], FACES[-1 - at]) for at in (0, 1, 2)] + [(FACES[0], FACES[12]), (FACES[12], FACES[-1])]


def low_band(image):
    return cv2.GaussianBlur(np.asarray(image, np.float32), (0, 0), 8)


def test_whatever_was_decoded_the_low_band_of_a_face_is_its_parents_mean():
    for weight, drawn in list(zip(WEIGHTS, itertools.cycle([0, 128, 255]), strict=False)):
        for pair in PAIRS:
            points = np.mean([face.landmarks for face in pair], axis=0)
            mean = (1 - weight) * pair[0].image.astype(float) + weight * pair[1].image
            made = with_mean_colour(np.full((128, 128, 3), drawn, np.uint8), mean, mean, points)
            deep = face_mask(points, 128, forehead=0, soft=0.05) > 0.9
            assert np.abs(low_band(made) - low_band(mean))[deep].max() < 12
            assert np.abs((low_band(made) - low_band(mean))[deep].mean(axis=0)).max() < 3


def test_hair_and_background_keep_their_colours():
    dark, light = PAIRS[0]
    points = np.mean([dark.landmarks, light.landmarks], axis=0)
    for around in (dark, light):
        mean = (dark.image.astype(float) + light.image) / 2
        made = with_mean_colour(around.image, mean, around.image, points)
        assert np.abs(made - around.image)[:20, :20].max() < 1
        assert np.abs(made - around.image)[:20, -20:].max() < 1


def test_hair_in_the_face_keeps_its_colour():
    dark, light = PAIRS[0]
    points = np.mean([dark.landmarks, light.landmarks], axis=0)
    hair = np.zeros((128, 128), np.float32)
    hair[:70] = 1
    mean = (dark.image.astype(float) + light.image) / 2
    plain, spared = (
        with_mean_colour(dark.image, mean, dark.image, points, np.zeros_like(hair), known) for known in (None, hair)
    )
    np.testing.assert_array_equal(spared[:70], dark.image[:70])
    assert np.abs(plain[60:70] - dark.image[60:70]).max() > 8
    assert np.abs(spared[80:100] - dark.image[80:100]).max() > 8


def test_hair_in_the_face_is_the_sources_in_every_band():
    """A strip across the face stands for long hair that hangs into it."""
    dark, light = PAIRS[0]
    points = np.mean([dark.landmarks, light.landmarks], axis=0)
    hair = np.zeros((128, 128), np.float32)
    hair[:, 44:60] = 1
    no_skin = np.zeros_like(hair)  # nothing to be tinted
    blend = (dark.image.astype(float) + light.image) / 2
    parents = [dark.image, light.image]
    nose = np.s_[60:90, 50:54]
    plain, drawn = (add_detail(blend, parents, [0.5, 0.5], points, [0, 1], no_skin, known) for known in (None, hair))
    off = [np.abs(one.astype(int) - light.image)[nose].mean() for one in (plain, drawn)]
    assert off[1] < 0.6 * off[0]


def test_a_blend_knows_its_hair_unless_everyones_is_mixed(blender):
    pair = PAIRS[0]
    known = encoded(blender.networks, pair, None)
    for surroundings in (1, 2):
        options = BlendOptions(warp=False, surroundings=surroundings)
        made = blended(blender.networks, known, np.array([0.5, 0.5]), options)
        np.testing.assert_array_equal(made.hair, anyones_hair(known.parts))
        np.testing.assert_allclose(made.skin, skin_of(known.parts[surroundings - 1]), atol=1e-6)
    options = BlendOptions(warp=False, surroundings="mean")
    assert blended(blender.networks, known, np.array([0.5, 0.5]), options).hair is None


def test_skin_of_another_colour_has_no_glow_about_it():
    """One person before a plain wall, with dark and with light skin: the wall stays plain."""
    for seed in [0, 1, 7]:
        image, points = draw_face(seed, 256)
        labels = draw_labels(seed, 256)
        wall, skin = labels[..., :1], labels[..., 1:2]
        usual = image[skin[..., 0] > 0.95].mean(axis=0)
        faces = []
        for colour in ((80, 55, 40), (200, 165, 140)):
            painted = image * (1 - skin) + np.clip(image * (colour / usual), 0, 255) * skin
            faces.append(align_face(np.rint(painted * (1 - wall) + 225 * wall).astype(np.uint8), points, 128))
        there = warped(labels, faces[0].matrix, (128, 128), cv2.BORDER_REFLECT_101) > 0.95
        beside = cv2.erode(there[..., 0].astype(np.uint8), np.ones((5, 5))) > 0
        soft = ((faces[0].image.astype(float) + faces[1].image) / 2).astype(np.uint8)
        for who in (1, 2):
            made = compose(soft, faces, [0.5, 0.5], surroundings=who).astype(float)
            assert np.abs(made - 225)[beside].max() < 6
            assert np.abs(made - soft)[there[..., 1]].mean() < 10


SKINS = ((70, 48, 36), (110, 78, 60), (160, 120, 98), (205, 168, 145), (240, 208, 190))


def chroma(image):
    """What each channel has beside the brightness, (..., 3)."""
    image = np.asarray(image, np.float64)
    return image - (image @ (0.299, 0.587, 0.114))[..., None]


def test_a_cast_on_skin_is_not_painted_stronger():
    """Green, orange and blue reflections in a shadow, in the light and in between."""
    for cast in [(-14, 10, -6), (12, 2, -16), (-10, -4, 22), (0, 0, 0)]:
        shades = np.linspace(0.2, 1.15, 20)[:, None]
        for old, new in itertools.product(SKINS, SKINS):
            plain = np.clip(shades * np.array(old), 0, 255)[None].astype(np.float32)
            seen = np.clip(plain + cast, 0, 255).astype(np.float32)
            before, after = (np.broadcast_to(np.float32(one), seen.shape) for one in (old, new))
            made, expected = (tinted(one, before, after) for one in (seen, plain))
            assert np.abs(chroma(made) - chroma(expected)).max() <= np.abs(chroma(seen) - chroma(plain)).max() + 4
            # In the light the colour is the new skin's, and a shadow has no more of it.
            lit = tinted(before, before, after)
            np.testing.assert_allclose(lit, after, rtol=0.02)
            assert (
                np.abs(chroma(expected[0, shades[:, 0] <= 1])).max()
                <= max(np.abs(chroma(old)).max(), np.abs(chroma(new)).max()) + 4
            )


def chroma_beyond(image, pair):
    """How far beyond both parents' the chroma of a blend's skin lies, place by place: 99th percentile, in Lab."""
    points = np.mean([face.landmarks for face in pair], axis=0)
    warped_faces = [warp_to_shape(face.image, face.landmarks, points) for face in pair]
    everywhere = np.min([face_parts(one).skin for one in (*warped_faces, image)], axis=0) > 0.7
    skin = cv2.erode(everywhere.astype(np.uint8), np.ones((5, 5))) > 0
    soft = [cv2.GaussianBlur(np.asarray(one, np.float32) / 255, (0, 0), 3) for one in (*warped_faces, image)]
    *parents, own = (cv2.cvtColor(one, cv2.COLOR_RGB2LAB)[..., 1:] for one in soft)
    beyond = np.maximum(np.min(parents, axis=0) - own, own - np.max(parents, axis=0)).clip(0)
    return np.percentile(np.hypot(*beyond[skin].T), 99)


def test_ears_and_neck_follow_the_face(blender):
    for pair in PAIRS[:2]:
        points = np.mean([face.landmarks for face in pair], axis=0)
        jaw, chin = points[8], points[8] - points[36:48].mean(axis=0)
        x, y = np.rint(jaw + 0.22 * chin).astype(int)
        neck = np.s_[y - 2 : y + 3, x - 6 : x + 7]
        for who in (1, 2):
            alone = [
                np.asarray(blender.blend_faces(pair, part, surroundings=who, measures="none").image)
                for part in ([1, 0], [0, 1])
            ]
            made = np.asarray(blender.blend_faces(pair, [0.5, 0.5], surroundings=who, measures="none").image)
            tones = [one[neck].astype(float).mean() for one in (*alone, made)]
            between = (tones[2] - tones[0]) / (tones[1] - tones[0])
            assert 0.2 < between < 0.8


def test_a_blend_has_a_skin_between_its_parents_at_every_weight(blender):
    for detail, warp in itertools.product([True, False], repeat=2):
        for pair in PAIRS if detail and warp else PAIRS[:1]:
            before = None
            parents = [skin_colour(face.image, face.landmarks) for face in pair]
            for weight in WEIGHTS if detail and warp and pair is PAIRS[0] else WEIGHTS[1::2]:
                made = blender.blend_faces(pair, [1 - weight, weight], detail=detail, warp=warp, measures="none")
                points = (1 - weight) * pair[0].landmarks + weight * pair[1].landmarks
                colour = skin_colour(np.asarray(made.image), points)
                assert np.all(colour > np.min(parents, axis=0) - 2)
                assert np.all(colour < np.max(parents, axis=0) + 2)
                due = (1 - weight) * parents[0] + weight * parents[1]
                assert np.abs(colour - due).max() < 7
                if pair[0] is FACES[0] and pair[1] is FACES[-1]:
                    assert before is None or colour[0] > before - 0.5  # lighter and lighter
                    before = colour[0]


def files(tmp_path):
    """The darkest and the lightest drawn face that are found, and the bundled ones."""
    paths = []
    for name, face in zip(("dark.png", "light.png"), PAIRS[0], strict=True):
        cv2.imwrite(str(tmp_path / name), face.photo[..., ::-1])
        paths.append(tmp_path / name)
    return paths


def between(blender, image, paths, tolerance=2):
    faces = [blender.find(path) for path in paths]
    parents = [skin_colour(face.image, face.landmarks) for face in faces]
    colour = skin_colour(np.asarray(image), np.mean([face.landmarks for face in faces], axis=0))
    low, high = np.min(parents, axis=0), np.max(parents, axis=0)
    return bool(((colour > low - tolerance) & (colour < high + tolerance)).all())


def test_every_edit_keeps_skin_between_its_parents(blender, tmp_path):
    paths = files(tmp_path)
    assert between(blender, average(paths, blender=blender).image, paths)
    assert between(blender, average(paths, surroundings="auto", blender=blender).image, paths)
    for frame in continuum(paths, steps=3, blender=blender).frames:
        assert between(blender, frame, paths)
    for base, other in (paths, paths[::-1]):
        # The other's eyes and mouth bring a trace of colour along: 2.2 in b.
        assert between(blender, mix(base, eyes=other, mouth=other, blender=blender).image, paths, 2.5)
        assert between(blender, mix(base, hair=other, blender=blender).image, paths)
    assert between(blender, transform(paths[0], *paths, 0.5, blender=blender).image, paths)
    assert between(blender, symmetrize(paths[0], blender=blender).image, paths[:1] * 2, 3)


def test_the_bundled_faces_too(blender):
    faces = [blender.find(path) for path in sorted(EXAMPLES.glob("*.jpg"))]
    for one, other in itertools.pairwise(faces):
        made = blender.blend_faces([one, other], measures="none")
        assert skin_between(np.asarray(made.image), [one.image, other.image], [one.landmarks, other.landmarks]) == 1


@pytest.mark.real_photos
def test_dark_and_light_skin_make_no_ash(blender):
    """The six darkest with the six lightest of 34 studio portraits: grey in 36 of 36 pairs before."""
    faces = []
    with tarfile.open(shared_file("studio34.tar")) as tar:
        for member in tar:
            if "neutral/" in member.name and member.name.endswith(".jpg"):
                faces.append(blender.find(np.asarray(opened(tar.extractfile(member).read()))))
    faces.sort(key=lambda face: skin_colour(face.image, face.landmarks)[0])
    assert len(faces) == 34
    for detail in (True, False):
        found = []
        for dark in faces[:6]:
            for light in faces[-6:]:
                image = np.asarray(blender.blend_faces([dark, light], detail=detail, measures="none").image)
                found.append(skin_between(image, [dark.image, light.image], [dark.landmarks, light.landmarks]))
        assert np.mean(found) >= 0.95


@pytest.mark.real_photos
def test_no_patches_on_dark_with_light_portraits(blender):
    """Phone pictures with their shadows and reflections: orange foreheads, green necks and blue chins before."""
    faces = []
    with tarfile.open(shared_file("portraits-sd3.tar")) as tar:
        for member in tar:
            if member.name.endswith(".jpg"):
                faces.append(blender.find(np.asarray(opened(tar.extractfile(member).read()))))
    straight = [face for face in faces if abs(head_pose(face.landmarks).yaw) < 10]
    straight.sort(key=lambda face: skin_colour(face.image, face.landmarks)[0])
    found = []
    for dark in straight[:6]:
        for light in straight[-6:]:
            for who in (1, 2):
                options = {"surroundings": who, "size": "model", "measures": "none"}
                made = blender.blend_faces([dark, light], [0.5, 0.5], **options)
                found.append(chroma_beyond(np.asarray(made.image), [dark, light]))
    assert max(found) < 9
    assert np.mean(found) < 4.5
