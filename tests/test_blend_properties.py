"""What holds for every blend: the order of photos, weights of 1, a photo with itself, mirrored faces, threads."""

import numpy as np
import pytest

from featureblend.blend.blender import Blender
from featureblend.edit.transform import _mirrored
from featureblend.faces import EXAMPLES
from featureblend.model.folder import find_model

NAMES = ("first", "second", "third")


@pytest.fixture(scope="module")
def faces(blender):
    return blender.cleaned([blender.find(EXAMPLES / f"{name}.jpg") for name in NAMES])


def blended(blender, faces, weights, method="latent", size="model"):
    made = blender.blend_faces(faces, weights, method, size=size, measures="none")
    return np.asarray(made.image.convert("RGB")).astype(int)


def differences(first, second):
    return np.abs(first - second)


def test_the_order_of_photos_does_not_matter(blender, faces):
    for method in ["latent", "pixel", "laplacian", "morph"]:
        made = blended(blender, faces, [5, 3, 2], method)
        again = blended(blender, [faces[2], faces[0], faces[1]], [2, 5, 3], method)
        assert differences(made, again).max() <= 1


def test_a_weight_of_1_gives_the_photo(blender, faces):
    for method in ["latent", "pixel", "laplacian", "morph"]:
        for size in ["model", 300]:
            made = blended(blender, faces[:2], [1, 0], method, size)
            assert differences(made, faces[0].at(made.shape[0]).image).max() == 0


def test_a_photo_with_itself_is_the_photo_but_for_what_the_networks_lose(blender, faces):
    made = blended(blender, [faces[0], faces[0]], [1, 1])
    assert differences(made, faces[0].image).mean() < 0.5


def test_mirrored_faces_give_the_mirrored_blend(blender, faces):
    """Up to the networks, which know left from right a little; the finder does so more."""
    made = blended(blender, faces[:2], [1, 1])
    mirrored = blended(blender, [_mirrored(face) for face in faces[:2]], [1, 1])[:, ::-1]
    assert differences(made, mirrored).mean() < 0.5
    assert differences(made, mirrored[:, ::-1]).mean() > 5


def test_threads_do_not_change_a_blend(blender, faces):
    made = []
    for threads in (1, 2):
        one = Blender(find_model(), blender.detector)
        one.networks.threads = threads
        made.append(blended(one, faces[:2], [1, 1]))
    assert np.array_equal(*made)
