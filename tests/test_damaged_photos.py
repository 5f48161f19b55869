"""Damaged photos in blends by the bundled model: damage is undone, said, and kept out of the photos' own detail."""

import numpy as np
import pytest

from featureblend.blender import Blender
from featureblend.compositing.composing import shares_around
from featureblend.demo import EXAMPLES
from featureblend.evaluate.scores import psnr
from featureblend.evaluate.spoiling import spoilt
from featureblend.image import load_image
from featureblend.model_folder import find_model
from featureblend.verbs import symmetrize

FIRST, SECOND = EXAMPLES / "first.png", EXAMPLES / "second.png"
SAID = {"light": "evened out", "noise": "taken out", "blur": "taken out"}
GAINED = {"light": 7, "noise": 7, "blur": 4}
"""How much nearer, in dB, a blend is to that of the sound photo than the photos are to each other."""


@pytest.fixture(scope="module")
def blender(detector):
    return Blender(find_model(), detector)


@pytest.fixture(scope="module")
def photo():
    return load_image(FIRST, 1)


@pytest.mark.parametrize("kind", SAID)
@pytest.mark.parametrize("size", [None, 256])
def test_a_blend_is_nearly_that_of_the_sound_photo(blender, photo, kind, size):
    bad = spoilt(photo, kind)
    made, wanted = (blender.blend([first, SECOND], surroundings=1, size=size) for first in (bad, photo))
    seen, sound = (np.asarray(blender.find(one).at(size or 128).image) for one in (bad, photo))
    assert psnr(np.asarray(made.image), np.asarray(wanted.image)) > psnr(seen, sound) + GAINED[kind]
    assert any(SAID[kind] in line for line in made.warnings)
    assert not any("encodes badly" in line for line in made.warnings)


def test_nothing_is_said_of_sound_photos(blender):
    assert not [line for line in blender.blend([FIRST, SECOND]).warnings if " out" in line]


def test_the_photo_itself_comes_back_without_its_noise(blender, photo):
    noisy = spoilt(photo, "noise")
    face = blender.find(photo)
    alone = blender.blend([noisy, SECOND], weights=[1, 0], surroundings=1)
    assert psnr(np.asarray(alone.image), face.image) > psnr(blender.find(noisy).image, face.image) + 5


def test_verbs_bring_no_noise_back(blender, photo):
    made, wanted = (np.asarray(symmetrize(one, blender=blender).image) for one in (spoilt(photo, "noise"), photo))
    assert psnr(made, wanted) > psnr(blender.find(spoilt(photo, "noise")).image, blender.find(photo).image) + 5


def test_a_noisy_photo_is_not_taken_for_a_sharp_one(blender, photo):
    noisy, sound, other = (blender.find(one) for one in (spoilt(photo, "noise"), photo, SECOND))
    with_sound, with_noisy = (shares_around([one, other], [0.5, 0.5])[0] for one in (sound, noisy))
    assert with_noisy <= with_sound
    assert with_noisy < 0.01
