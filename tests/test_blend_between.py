"""Hair and background between two photos'."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from command_line import place, shared_detector  # noqa: F401
from example_photos import FIRST, SECOND

from featureblend.blend.compositing.between import Meeting, Meetings
from featureblend.blend.compositing.composing import best_source
from featureblend.blend.face_cache import RememberingBlender
from featureblend.blend.pipeline import BlendOptions, as_shown
from featureblend.edit.continuum import continuum
from featureblend.edit.replay import replay
from featureblend.errors import FeatureblendError
from featureblend.evaluation.methods import Model
from featureblend.faces import EXAMPLES
from featureblend.faces.alignment import AlignedFace, rescaling
from featureblend.faces.masks import face_mask, hull_mask
from featureblend.faces.parser import PARTS, face_parts

# ruff: noqa: F811 (fixtures that are imported)

SIDE = 256


@pytest.fixture(scope="module")
def blender(blender):
    """It finds the faces of each photo once."""
    return RememberingBlender(blender)


@pytest.fixture(scope="module")
def faces(blender):
    return blender.cleaned([blender.find(FIRST), blender.find(SECOND)])


@pytest.fixture(scope="module")
def meeting(faces):
    return Meeting(faces, SIDE)


def hair_of(image):
    hair = face_parts(image).hair > 0.9
    return cv2.cvtColor(image, cv2.COLOR_RGB2LAB)[hair].mean(axis=0)


def test_at_its_own_end_each_photo_is_as_it_was(faces, meeting):
    for which, shares in ((0, [1, 0]), (1, [0, 1])):
        due, made = faces[which].at(SIDE), meeting.at(shares)[which]
        np.testing.assert_allclose(made.photo.astype(int), due.image, atol=1)
        np.testing.assert_allclose(made.landmarks, faces[which].landmarks, atol=1e-6)


def test_around_the_face_both_are_the_same(meeting):
    for share in [0, 0.3, 0.5, 0.8]:
        first, second = meeting.at([1 - share, share])
        np.testing.assert_array_equal(first.landmarks, second.landmarks)
        outside = face_mask(first.at(SIDE).landmarks, SIDE) == 0
        np.testing.assert_array_equal(first.photo[outside], second.photo[outside])
        assert (first.photo != second.photo)[~outside].mean() > 0.3


def test_the_colour_of_hair_goes_from_one_to_the_other(meeting):
    shares = np.linspace(0, 1, 6)
    light = [hair_of(meeting.at([1 - share, share])[0].photo)[0] for share in shares]
    assert (np.diff(light) < 0).all()  # from fair to dark
    steps = -np.diff(light) / (light[0] - light[-1])
    assert steps.max() < 0.45


def test_the_outline_lies_between(faces, meeting):
    def width(image):
        return (face_parts(image).head > 0.5)[: SIDE // 3].sum()

    ends = [width(meeting.at(shares)[0].photo) for shares in ([1, 0], [0, 1])]
    assert min(ends) * 0.97 <= width(meeting.at([0.5, 0.5])[0].photo) <= max(ends) * 1.03


def test_the_steps_of_a_continuum_are_even_and_each_shows_one_head(blender, faces):
    weights = [[1 - share, share] for share in np.linspace(0, 1, 11)]
    made, before = (
        [blender.blend_faces(faces, pair, surroundings=whose, size=SIDE) for pair in weights] for whose in ("blend", 1)
    )
    ghosts = [max(one.measures["ghosting_outside_face"] for one in blends) for blends in (made, before)]
    assert ghosts[0] < 0.25 < ghosts[1]
    pictures = np.array([np.asarray(one.image, float) for one in made])
    steps = np.abs(np.diff(pictures, axis=0)).mean(axis=(1, 2, 3))
    assert steps.max() < 4 * steps.mean()


def test_half_way_the_lines_are_those_of_the_better_photo(faces):
    worse = replace(faces[0], suitability=faces[1].suitability - 1)
    for pair, other in (((worse, faces[1]), 0.51), ((faces[1], worse), 0.49)):
        half, beyond = (Meeting(pair, SIDE).at([1 - share, share])[0].photo.astype(int) for share in (0.5, other))
        assert np.abs(half - beyond).mean() < 1.5


def on_plain_ground(face, grey):
    """A face whose photo's background is one grey."""
    crop = face.at(SIDE)
    behind = face_parts(crop.image).background[..., None]
    photo = (crop.image * (1 - behind) + grey * behind).astype(np.uint8)
    return replace(
        face,
        image=cv2.resize(photo, face.image.shape[:2], interpolation=cv2.INTER_AREA),
        photo=photo,
        matrix=rescaling(len(face.image) / SIDE),
        cleaned=None,
        degradation=None,
    )


def test_a_bright_background_leaves_no_rim_around_the_head(faces):
    """Pixels of hair and background both had kept the photo's own background: a halo, in front of a darker one."""
    dark, bright = on_plain_ground(faces[0], 30), replace(on_plain_ground(faces[1], 230), suitability=1e3)
    half = Meeting([dark, bright], SIDE).at([0.5, 0.5])[1]
    brightness = half.photo.astype(float).mean(axis=2)
    behind = cv2.resize(half.once(PARTS, None).background, (SIDE, SIDE))
    rim, far = (behind > 0.3) & (behind < 0.9), behind > 0.999
    assert brightness[rim].mean() < brightness[far].mean() + 10


def test_a_head_that_sinks_brings_in_what_the_photo_shows_above_it(faces):
    """It was the head, mirrored."""
    red, room = (255, 0, 0), 40

    def below_red(face):
        crop = face.at(SIDE)
        photo = cv2.copyMakeBorder(crop.image, room, 0, 0, 0, cv2.BORDER_CONSTANT, value=red)
        lowered = [[1, 0, 0], [0, 1, -room], [0, 0, 1]]
        return replace(face, photo=photo, matrix=rescaling(len(face.image) / SIDE) @ lowered)

    pair = [below_red(face) for face in faces]
    seen = []
    for owner in (0, 1):
        met = Meeting([replace(face, suitability=float(place == owner)) for place, face in enumerate(pair)], SIDE)
        top = met.at([0.5, 0.5])[owner].photo[0].astype(int)
        seen.append(((top[:, 0] - top[:, 1]) > 60).any())
    assert any(seen)  # one of two different heads sinks


@pytest.mark.parametrize("owner", [0, 1])
def test_each_keeps_its_own_face_and_lines_go_first_to_whose_hair_is_not_shown(faces, owner):
    """The face was that of whose hair is shown, but for eyes, nose and mouth; and these were always the second's."""
    pair = [replace(face, suitability=float(place == owner)) for place, face in enumerate(faces)]
    for share in (0.3, 0.5, 0.7):
        met, options = as_shown(pair, np.array([1 - share, share]), BlendOptions(surroundings="blend", size=SIDE))
        assert options.surroundings == 1 + owner  # as in an even blend, where the other leads in the face
        brows = hull_mask(met[0].at(SIDE).landmarks[17:27], (SIDE, SIDE))
        assert (met[0].photo != met[1].photo)[brows].mean() > 0.9


def test_a_continuum_takes_them_and_its_recipe_says_so(blender, tmp_path):
    made = continuum([FIRST, SECOND], steps=3, size=SIDE, blender=blender)
    assert made.recipe["surroundings"] == "blend"
    middle = blender.blend([FIRST, SECOND], surroundings="blend", size=SIDE, measures="none")
    np.testing.assert_array_equal(np.asarray(made.frames[1]), np.asarray(middle.image))
    path = made.save(tmp_path / "way.png")
    again = replay(path, tmp_path / "again.png", folders=[EXAMPLES]).path
    assert again.read_bytes() == path.read_bytes()


def test_beyond_a_photo_they_are_the_photos(blender):
    beyond = continuum([FIRST, SECOND], steps=2, start=-0.2, end=0, size=SIDE, blender=blender)
    own = continuum([FIRST, SECOND], steps=2, start=-0.2, end=0, surroundings=1, size=SIDE, blender=blender)
    np.testing.assert_array_equal(np.asarray(beyond.frames[0]), np.asarray(own.frames[0]))


def test_uneven_weights_go_along_and_even_ones_take_the_better_photos(blender, faces):
    uneven, even, none = (
        blender.blend_faces(faces, weights, measures="none", warp=warp).recipe["surroundings"]
        for weights, warp in (([2, 1], True), ([1, 1], True), ([2, 1], False))
    )
    assert uneven == "blend"
    assert even == none == best_source(faces)


def test_codes_meet_too(blender):
    codes = [blender.encode(photo) for photo in (FIRST, SECOND)]
    made = blender.blend(codes, surroundings="blend", size=256)
    assert made.image.size == (256, 256)


def test_three_photos_and_faces_that_are_not_warped_are_refused(blender):
    with pytest.raises(FeatureblendError, match="between two"):
        blender.blend([FIRST, SECOND, EXAMPLES / "third.jpg"], surroundings="blend")
    with pytest.raises(FeatureblendError, match="--no-warp"):
        blender.blend([FIRST, SECOND], surroundings="blend", warp=False)


def test_the_last_faces_that_met_are_kept_at_each_size(faces):
    meetings = Meetings()
    small, large = (meetings.of(faces, side) for side in (64, 96))
    copies = [replace(face, suitability=1.0) for face in faces]
    assert [meetings.of(copies, side) for side in (64, 96)] == [small, large]
    assert meetings.of(faces[::-1], 64) is not small
    assert meetings.of(faces, 64) is not small  # others met in between


def test_evaluation_shows_what_a_blend_shows(blender, faces):
    images, marks = [face.image for face in faces], [face.landmarks for face in faces]
    bare = [AlignedFace(image, points, np.eye(2, 3)) for image, points in zip(images, marks, strict=True)]
    for shares in ([0.5, 0.5], [0.7, 0.3]):
        due = blender.blend_faces(bare, shares, size="model", measures="none")
        np.testing.assert_array_equal(Model(blender, 128).blend(images, marks, shares), np.asarray(due.image))


def test_a_balance_between_their_surroundings_is_that_of_the_blend(blender):
    made = blender.blend([FIRST, SECOND], balance="pictures", surroundings="blend", size="model")
    assert made.measures["balance"] < 0.03
