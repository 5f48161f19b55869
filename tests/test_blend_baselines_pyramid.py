"""Pyramids and Fourier blends against what is known of them."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from featureblend.blend.baselines import BASELINES, fourier
from featureblend.blend.baselines.pyramid import (
    collapse,
    default_levels,
    gaussian_blend,
    gaussian_pyramid,
    laplacian_blend,
    laplacian_pyramid,
)
from featureblend.errors import FeatureblendError


def noise(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (*shape, 3), dtype=np.uint8)


@settings(max_examples=40, deadline=None)
@given(height=st.integers(8, 70), width=st.integers(8, 70), data=st.data())
def test_a_laplacian_pyramid_adds_up_to_the_image(height, width, data):
    levels = data.draw(st.integers(0, int(np.log2(min(height, width)))))
    image = noise(height, width)
    pyramid = laplacian_pyramid(image, levels)
    assert len(pyramid) == levels + 1
    np.testing.assert_allclose(collapse(pyramid), image, atol=1e-3)


def test_reduce_is_burt_and_adelsons_filter():
    image = noise(20, 31)
    kernel = np.array([1, 4, 6, 4, 1]) / 16
    smooth = image.astype(float)
    for axis in (0, 1):
        smooth = ndimage.correlate1d(smooth, kernel, axis=axis, mode="mirror")
    np.testing.assert_allclose(gaussian_pyramid(image, 1)[1], smooth[::2, ::2], atol=1e-3)


def test_default_levels_leave_eight_pixels():
    for sides, levels in [((8, 100), 0), ((32, 32), 2), ((128, 128), 4), ((255, 300), 4)]:
        assert default_levels(*sides) == levels


def test_with_no_levels_both_are_the_pixel_mean():
    for blend in [laplacian_blend, gaussian_blend]:
        images = [noise(33, 40, seed=seed) for seed in (1, 2)]
        expected = BASELINES["pixel"](images, (0.3, 0.7))
        assert np.abs(blend(images, (0.3, 0.7), levels=0).astype(int) - expected).max() <= 1


def test_too_many_levels_are_refused():
    for levels in [-1, 6]:
        with pytest.raises(FeatureblendError, match="cannot be halved"):
            laplacian_blend([noise(32, 32)], (1.0,), levels=levels)


def test_a_lone_detail_survives_whole_where_the_mean_halves_it():
    plain, dotted = np.full((64, 64, 3), 128, np.uint8), np.full((64, 64, 3), 128, np.uint8)
    dotted[30:34, 30:34] = 28
    depth = {
        name: 128 - BASELINES[name]([plain, dotted], (0.5, 0.5))[32, 32, 0].astype(int)
        for name in BASELINES
        if name != "morph"
    }
    assert depth["pixel"] == 50
    assert depth["laplacian"] > 90
    assert depth["gaussian"] > 75


def test_a_high_floor_turns_the_gaussian_blend_into_the_pixel_mean():
    images = [noise(32, 32, seed=seed) for seed in (1, 2)]
    expected = BASELINES["pixel"](images, (0.4, 0.6)).astype(int)
    assert np.abs(gaussian_blend(images, (0.4, 0.6), floor=1e6) - expected).max() <= 1
    assert np.abs(gaussian_blend(images, (0.4, 0.6), floor=0) - expected).max() > 5


def test_periodic_and_smooth_parts_add_up():
    for shape in [(16, 16), (17, 24), (24, 17), (9, 9)]:
        image = noise(*shape).astype(float)
        periodic, smooth = fourier.periodic_spectrum(image)
        np.testing.assert_allclose(np.fft.irfft2(periodic + smooth, shape, axes=(0, 1)), image, atol=1e-9)


def test_a_ramp_is_all_smooth_and_a_wave_all_periodic():
    columns = np.arange(32.0)[None, :, None] * np.ones((32, 1, 1))
    wave = np.cos(2 * np.pi * 3 * columns / 32)
    for image, jumps in ((columns, True), (wave, False)):
        periodic = np.fft.irfft2(fourier.periodic_spectrum(image)[0], (32, 32), axes=(0, 1))
        across = np.abs(periodic[:, 0] - periodic[:, -1]).max()
        assert across < 0.1 * np.ptp(image)
        assert np.allclose(periodic, image, atol=0.3) != jumps


def test_the_photos_amplitude_comes_back_above_the_cutoff():
    images = [noise(128, 128, seed=seed) // 2 + 64 for seed in (1, 2)]
    mean = BASELINES["pixel"](images, (0.5, 0.5))
    blended = fourier.blend(images, (0.5, 0.5))
    single = np.mean([image.std() for image in images])
    assert mean.std() == pytest.approx(single / np.sqrt(2), rel=0.03)
    assert blended.std() == pytest.approx(single, rel=0.04)


def test_a_hybrid_has_the_lows_of_the_mean_and_the_highs_of_one():
    images = [cv2.GaussianBlur(noise(64, 64, seed=seed), (0, 0), 1) for seed in (1, 2)]
    hybrid = fourier.blend(images, (0.0, 1.0), detail=0, cutoff=6).astype(np.float32)
    low = [cv2.GaussianBlur(image.astype(np.float32), (0, 0), 6) for image in (*images, hybrid)]
    high = [image - cv2.GaussianBlur(image.astype(np.float32), (0, 0), 1.5) for image in (*images, hybrid)]

    def alike(bands, index):
        return np.corrcoef(bands[2].ravel(), bands[index].ravel())[0, 1]

    assert alike(low, 1) > 0.9 > alike(low, 0)
    assert alike(high, 0) > 0.9 > alike(high, 1)


def test_a_hybrid_of_a_photo_that_is_not_there_is_refused():
    with pytest.raises(FeatureblendError, match="photo 2 of 2"):
        fourier.blend([noise(32, 32)] * 2, (0.5, 0.5), detail=2)
