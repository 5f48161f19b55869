"""Transforms, symmetry and regions: what changes, what stays, and that recipes make the same again."""

import cv2
import numpy as np
import pytest
from example_photos import FIRST, FOURTH, SECOND, THIRD, difference

from featureblend.blend import blender as blender_module
from featureblend.blend.face_cache import RememberingBlender
from featureblend.edit import rendering
from featureblend.edit.mix import REGIONS, mix, region_mask
from featureblend.edit.replay import replay
from featureblend.edit.transform import symmetrize, transform
from featureblend.errors import FeatureblendError
from featureblend.faces import EXAMPLES
from featureblend.faces.alignment import align_face
from featureblend.faces.drawn import draw_face
from featureblend.faces.masks import outside_face
from featureblend.faces.parser import CLASSES, FaceParts, face_parts
from featureblend.io.metadata import save_picture
from featureblend.model.fine_mixing import sum_fine

pytestmark = pytest.mark.usefixtures("model_sized")


@pytest.fixture(scope="module")
def blender(blender):
    """It finds the faces of each photo once."""
    return RememberingBlender(blender)


@pytest.fixture(scope="module")
def first(blender):
    return blender.find(FIRST)


# --- transform


def test_an_amount_of_0_is_the_photo_itself(blender, first):
    assert difference(transform(FIRST, SECOND, THIRD, 0, blender=blender).image, first.image) == 0


def test_from_itself_to_another_at_1_is_the_other(blender):
    """A + 1 (C - A) = C, worked by hand; with detail the face keeps A's own, so it is left out here."""
    made = transform(FIRST, FIRST, SECOND, 1, detail=False, keep_surroundings=False, warp=False, blender=blender)
    assert difference(made.image, blender.decode(blender.encode(SECOND))) < 0.5


def test_amounts_go_both_ways_and_add_up(blender, first):
    def change(amount):
        made = transform(FIRST, SECOND, THIRD, amount, warp=False, keep_surroundings=False, blender=blender)
        return np.asarray(made.image).astype(float) - first.image

    half, whole, back = change(0.25), change(0.5), change(-0.25)
    assert np.abs(whole).mean() > np.abs(half).mean() > 1
    assert (half * back).sum() < 0  # the other way
    assert (half * whole).sum() > 0


def test_shape_goes_along(blender, detector):
    """Where the result's landmarks lie follows A + k (C - B) of the landmarks."""
    faces = [blender.find(photo) for photo in (FIRST, SECOND, THIRD)]
    due = faces[0].landmarks + 0.5 * (faces[2].landmarks - faces[1].landmarks)
    warped = transform(FIRST, SECOND, THIRD, 0.5, blender=blender)
    found = detector.detect(np.asarray(warped.image))[0].landmarks
    assert np.abs(found - due).mean() < np.abs(found - faces[0].landmarks).mean()


def test_hair_and_background_stay(blender, first):
    kept = transform(FIRST, SECOND, THIRD, 0.5, warp=False, blender=blender).image
    moved = transform(FIRST, SECOND, THIRD, 0.5, warp=False, keep_surroundings=False, blender=blender).image
    corner = np.s_[:24, :24]
    assert difference(np.asarray(kept)[corner], first.image[corner]) < 3
    assert difference(np.asarray(moved)[corner], first.image[corner]) > 6


def test_where_hair_hangs_into_a_face_sums_keep_it(blender):
    """There the latent of A + k (C - B) is A's."""
    latents = np.stack([blender.encode(photo).latent for photo in (FIRST, SECOND, THIRD)])
    hair = np.zeros((128, 128), np.float32)
    hair[64:80, 48:80] = 1  # in the middle of the face
    where, shape = rendering.placed_parts(blender)[0]
    cells = 128 // shape[-1]
    there = np.s_[:, 64 // cells : 80 // cells, 48 // cells : 80 // cells]
    own, plain, kept = (
        latent[where].reshape(shape)[there]
        for latent in (
            latents[0],
            rendering.combined(blender, latents, np.array([1, -0.5, 0.5]), 1),
            rendering.combined(blender, latents, np.array([1, -0.5, 0.5]), 1, hair=hair),
        )
    )
    assert np.abs(plain - own).mean() > 0.01
    assert np.abs(kept - own).max() < 1e-5


def test_what_covers_a_face_counts_by_the_share_of_each_group(monkeypatch):
    """Clothes over a face, a scarf's brim, as well as hair: what stays is as much as the group has it."""
    hair, skin, clothes = (CLASSES.index(name) for name in ("hair", "skin", "clothes"))
    shown = {
        value: FaceParts(np.eye(4, dtype=np.float32)[np.full((2, 2), part)])
        for value, part in enumerate((hair, skin, clothes))
    }
    monkeypatch.setattr(rendering, "face_parts", lambda picture: shown[int(picture[0, 0, 0])])
    covers = list(rendering.covers_of(np.full((2, 2, 3), value, np.uint8) for value in (0, 1, 2, 1)))
    assert np.stack(covers)[:, 0, 0].tolist() == [1, 0, 1, 0]
    assert rendering.kept(covers, [0, 1, 0, 0]).max() == 0
    assert rendering.kept(covers, [0, 3, 1, 0], [0, 0, 0, 1]).tolist() == [[0.25] * 2] * 2


def test_of_a_covered_face_a_group_shows_what_its_others_show(blender):
    """One scarf among several faces is no part of their mean: neither of the latents nor of the colours."""
    latents = np.stack([blender.encode(photo).latent for photo in (FIRST, SECOND, THIRD)])
    seen = np.stack([np.full((128, 128, 3), value, np.uint8) for value in (10, 20, 200)])
    covers = np.zeros((3, 128, 128), np.float32)
    covers[2, :64] = 1
    filled, colours = rendering.uncovered(blender, latents, seen, covers, slice(1, 3))
    assert (colours[2, :64] == 20).all()
    assert (colours[2, 64:] == 200).all()
    assert (colours[:2] == seen[:2]).all()
    for where, shape in rendering.placed_parts(blender):
        own, others, made = (part[where].reshape(shape) for part in (latents[2], latents[1], filled[2]))
        middle = shape[-1] // 2
        assert np.abs(made - others)[:, :middle].max() < 1e-5
        assert np.abs(made - own)[:, middle:].max() < 1e-5
    assert (filled[:2] == latents[:2]).all()


def test_folders_and_lists_count_by_their_mean(blender, tmp_path):
    for name in ("second", "third"):
        (tmp_path / f"{name}.jpg").write_bytes((EXAMPLES / f"{name}.jpg").read_bytes())
    (tmp_path / "broken.jpg").touch()
    folder = transform(FIRST, tmp_path, FOURTH, 0.5, blender=blender)
    listed = transform(FIRST, [SECOND, THIRD], FOURTH, 0.5, blender=blender)
    assert difference(folder.image, listed.image) == 0
    assert folder.recipe["options"]["from"] == 2
    # That mean, worked by hand, without warping: A + k C - k/2 (B1 + B2).
    plain = transform(
        FIRST, [SECOND, THIRD], FOURTH, 0.5, warp=False, keep_surroundings=False, detail=False, blender=blender
    )
    codes = [blender.encode(photo).latent for photo in (FIRST, SECOND, THIRD, FOURTH)]
    shares, layout = np.array([1, -0.25, -0.25, 0.5]), blender.config.latent_layout
    due = shares.astype(np.float32) @ codes
    fine = slice(*layout["fine"])  # whose lines are not subtracted
    due[fine] = sum_fine(np.stack([code[fine].reshape(layout["fine_shape"]) for code in codes]), shares).ravel()
    made, wanted = np.float32(plain.image), np.float32(blender.networks.pictures(due[None])[0])
    assert np.abs(made - wanted)[:, :24].mean() < 0.5
    # Of the face, the colours are those of its photos: what differs is coarse.
    assert np.abs((made - wanted) - cv2.GaussianBlur(made - wanted, (0, 0), 2)).mean() < 0.5


def test_transforms_that_make_no_sense(blender, tmp_path):
    for amount in (float("nan"), 11, "much"):
        with pytest.raises(FeatureblendError, match="a number from -10 to 10"):
            transform(FIRST, SECOND, THIRD, amount, blender=blender)
    with pytest.raises(FeatureblendError, match=r"--to: nothing\.jpg: no such file"):
        transform(FIRST, SECOND, tmp_path / "nothing.jpg", blender=blender)
    with pytest.raises(FeatureblendError, match="holds no photos"):
        transform(FIRST, tmp_path, SECOND, blender=blender)


# --- symmetrize


def test_a_face_becomes_its_own_mirror_image(blender, astronaut):
    made = symmetrize(astronaut, keep_surroundings=False, blender=blender)
    pixels = np.asarray(made.image).astype(int)
    assert np.abs(pixels - pixels[:, ::-1]).max() <= 1
    face = symmetrize(astronaut, blender=blender).measures
    assert face["symmetry"] > 0.95 > face["symmetry_before"]


def test_how_symmetric_follows_the_amount(blender, astronaut):
    found = [symmetrize(astronaut, amount, blender=blender).measures["symmetry"] for amount in (-1, 0, 0.5, 1)]
    assert found == sorted(found)
    own = blender.find(astronaut)
    assert difference(symmetrize(astronaut, 0, blender=blender).image, own.image) < 1e-4  # one pixel by one grey level


def test_a_picture_has_the_size_that_is_asked_for(blender, astronaut):
    face = blender.find(astronaut)
    large = symmetrize(astronaut, 0, size=200, blender=blender).image
    assert difference(large, face.at(200).image) < 0.6  # the photo's own pixels, not enlarged ones
    assert symmetrize(astronaut, 1, size="source", blender=blender).image.width == face.native_size
    for size in (8, 9999, "big", True):
        with pytest.raises(FeatureblendError, match="size"):
            symmetrize(astronaut, size=size, blender=blender)


def test_a_turned_photo_is_mirrored_with_its_crop(blender, astronaut):
    from featureblend.edit.transform import _mirrored

    face = blender.find(astronaut)
    other = _mirrored(face)
    np.testing.assert_array_equal(other.image, face.image[:, ::-1])
    assert difference(other.at(90).image, face.at(90).image[:, ::-1]) < 1
    np.testing.assert_allclose(_mirrored(other).landmarks, face.landmarks)


# --- regions


def test_a_region_takes_from_the_other_where_it_lies_and_nowhere_else(blender, first):
    for region in REGIONS:
        made = np.asarray(mix(FIRST, **{region: SECOND}, warp=False, detail=False, blender=blender).image).astype(int)
        changed = np.abs(made - np.asarray(blender.decode(blender.encode(FIRST)))).mean(axis=2)
        mask = region_mask(region, first.landmarks, [face_parts(first.image), face_parts(blender.find(SECOND).image)])
        assert changed[mask > 0.9].mean() > 2 * changed[mask < 0.01].mean()


def test_all_of_a_region_is_the_others_very_pixels(blender, first):
    made = mix(FIRST, hair=SECOND, warp=False, blender=blender).image
    second = blender.find(SECOND)
    mask = region_mask("hair", first.landmarks, [face_parts(first.image), face_parts(second.image)]) == 1
    assert (
        difference(np.asarray(made)[mask], second.image[mask]) < 4 < difference(first.image[mask], second.image[mask])
    )


def test_hair_lies_around_the_face_and_where_either_picture_shows_it():
    pictures = [align_face(*draw_face(seed, 256), 128).image for seed in (18, 21)]
    landmarks = np.zeros((68, 2))
    parts = [face_parts(picture) for picture in pictures]
    mask = region_mask("hair", landmarks, parts)
    inside = outside_face(128) == 0
    for part in parts:
        hair = part.hair > 0.9
        assert (hair & inside).any()
        assert mask[hair].min() > 0.5
    assert (mask >= outside_face(128)).all()
    assert (mask[inside] < 0.1).mean() > 0.3
    np.testing.assert_array_equal(mask, region_mask("hair", landmarks, parts[::-1]))


def test_a_share_of_0_is_the_base(blender, first):
    assert difference(mix(FIRST, eyes=(SECOND, 0.0), blender=blender).image, first.image) == 0


def test_half_a_share_is_between(blender, first):
    whole, half = (mix(FIRST, mouth=(SECOND, share), blender=blender).image for share in (1.0, 0.5))
    assert difference(whole, first.image) > difference(half, first.image) > 0
    assert difference(whole, half) < difference(whole, first.image)


def test_a_photo_that_gives_two_regions_is_read_once(blender):
    made = mix(FIRST, eyes=SECOND, mouth=SECOND, nose=THIRD, blender=blender)
    assert [fact["name"] for fact in made.recipe["inputs"]] == ["first.jpg", "second.jpg", "third.jpg"]
    assert made.recipe["options"]["regions"] == {"eyes": [2, 1.0], "nose": [3, 1.0], "mouth": [2, 1.0]}


def test_masks_lie_where_the_landmarks_are(first):
    rows, columns = np.mgrid[:128, :128]
    centres = {}
    for region in ("eyes", "nose", "mouth"):
        mask = region_mask(region, first.landmarks, [face_parts(first.image)])
        assert 0 <= mask.min() <= mask.max() <= 1
        centres[region] = (mask * rows).sum() / mask.sum(), (mask * columns).sum() / mask.sum()
    assert centres["eyes"][0] < centres["nose"][0] < centres["mouth"][0]
    assert all(abs(column - 63.5) < 11 for _, column in centres.values())


def test_mixes_that_make_no_sense(blender):
    for regions, said in (
        ({}, "nothing to mix"),
        ({"ears": SECOND}, "unknown region 'ears'"),
        ({"eyes": (SECOND, 2)}, "the share 2: expected a number from 0 to 1"),
        ({"eyes": (SECOND, "x")}, "the share x: expected a number from 0 to 1"),
    ):
        with pytest.raises(FeatureblendError, match=said):
            mix(FIRST, blender=blender, **regions)


# --- recipes


def test_a_recipe_makes_the_same_picture_again(blender, tmp_path, monkeypatch):
    for verb in ["transform", "symmetrize", "mix"]:
        monkeypatch.setattr(blender_module, "FaceDetector", lambda: blender.detector)
        made = {
            "transform": lambda: transform(FIRST, [SECOND, THIRD], FOURTH, 0.7, blender=blender),
            "symmetrize": lambda: symmetrize(FIRST, 0.8, keep_surroundings=False, size=96, blender=blender),
            "mix": lambda: mix(FIRST, eyes=(SECOND, 0.5), hair=THIRD, blender=blender),
        }[verb]()
        assert made.recipe["verb"] == verb
        path = save_picture(tmp_path / "made.png", made.image, made.recipe)
        again = replay(path, tmp_path / "again.png", folders=[EXAMPLES]).path
        assert again.read_bytes() == path.read_bytes()
