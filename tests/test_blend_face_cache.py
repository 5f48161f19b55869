"""Faces that are kept, for several who ask at once."""

import sys
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest

from featureblend.blend.face_cache import FaceCache
from featureblend.faces.alignment import align_face
from featureblend.faces.detector import Search
from featureblend.io.image import LoadedPhoto

PHOTOS = [np.full((40, 40, 3), value, np.uint8) for value in (50, 150)]


@pytest.fixture
def blender():
    """One that finds a face in every photo at once."""
    landmarks = np.random.default_rng(0).uniform(10, 30, (68, 2))
    return SimpleNamespace(
        detector=SimpleNamespace(search=lambda pixels: Search(pixels, ["a face"], 0)),
        face_in=lambda search, *_: align_face(search.image, landmarks, 16),
        cleaned=lambda faces: faces,
    )


def test_each_thread_gets_its_photo_where_there_is_room_for_one_alone(blender):
    cache, interval = FaceCache(blender, room=1), sys.getswitchinterval()

    def asked(turn):
        photo = PHOTOS[turn % 2]
        load = lambda: LoadedPhoto(photo, ())  # noqa: E731
        found = [cache.search(turn % 2, "a", load).image, cache.face(turn % 2, "largest", "a", load).photo]
        return all(np.array_equal(one, photo) for one in found)

    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            assert all(pool.map(asked, range(2000)))
    finally:
        sys.setswitchinterval(interval)
    held = [found for found in cache._found.values() if found.photo is not None]
    assert len(held) == 1
    for found in cache._found.values():
        assert found.cut["largest"].photo is found.photo


def test_photos_go_that_nobody_has_asked_for_lately(blender):
    cache, read = FaceCache(blender), []

    def load():
        read.append(1)
        return LoadedPhoto(PHOTOS[0], ())

    for key in "abc":
        cache.search(key, key, load)
    assert not cache.keep("", seconds=60)
    assert not cache.keep("abc", seconds=0)
    assert cache.keep("b", seconds=0)
    for key, times in (("b", 3), ("a", 4), ("c", 5)):
        cache.search(key, key, load)
        assert len(read) == times
