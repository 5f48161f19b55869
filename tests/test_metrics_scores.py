"""Scores of single pictures, against scikit-image, torchmetrics and sums done by hand."""

import functools
import math
import subprocess
import sys
from itertools import pairwise

import cv2
import numpy as np
import pytest
from drawn_faces import draw_face
from scipy.ndimage import gaussian_filter
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from featureblend import FeatureblendError
from featureblend.faces.landmarks import MIRRORED
from featureblend.metrics import (
    ms_ssim,
    psnr,
    radial_spectrum,
    relative_sharpness,
    sharpness,
    spectrum_distance,
    ssim,
    symmetry,
)
from featureblend.metrics.scores import MS_SSIM_WEIGHTS
from featureblend.metrics.skin import TOLERANCE, colour_between, skin_between, skin_colour

CHEEKS_AND_NOSE = (
    [(178, 289), (188, 347), (208, 340), (229, 299), (193, 249), (179, 246)],
    [(344, 288), (333, 346), (307, 339), (280, 299), (318, 248), (332, 245)],
    [(252, 246), (229, 299), (280, 299)],
)
"""Corners (x, y) in a drawn face of 512 pixels: jaw, mouth, nostril and lid; bridge and wings."""


def noisy_pair(height, width, seed=0):
    """Two pictures that are alike, with odd sizes and all channels different."""
    rng = np.random.default_rng(seed)
    image = draw_face(seed, 256)[0][:height, :width]
    return image, np.clip(image + rng.normal(0, 12, image.shape), 0, 255).astype(np.uint8)


def test_psnr_and_ssim_equal_scikit_image():
    dark, darker = noisy_pair(64, 64)  # where the constants count
    pairs = [noisy_pair(*size) for size in ((128, 128), (177, 240), (20, 33))]
    for image, other in (*pairs, (dark // 16, darker // 48)):
        assert psnr(image, other) == pytest.approx(peak_signal_noise_ratio(other, image, data_range=255), abs=1e-9)
        expected = structural_similarity(
            image,
            other,
            channel_axis=-1,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=255,
        )
        assert ssim(image, other) == pytest.approx(expected, abs=1e-7)
        assert psnr(image, image) == math.inf


@pytest.mark.extras
def test_ms_ssim_equals_torchmetrics():
    import torch
    from torchmetrics.functional import image as functional

    for size, scales in (((176, 200), 5), ((128, 128), 4), ((87, 120), 3), ((30, 25), 2)):
        image, other = noisy_pair(*size, seed=1)
        tensors = [torch.from_numpy(np.moveaxis(picture, -1, 0)[None].astype(np.float64)) for picture in (image, other)]
        kept = MS_SSIM_WEIGHTS[:scales]
        betas = tuple(weight / sum(kept) for weight in kept)
        expected = functional.multiscale_structural_similarity_index_measure(*tensors, data_range=255.0, betas=betas)
        assert ms_ssim(image, other) == pytest.approx(float(expected), abs=1e-6)


def test_fidelity_refuses_what_cannot_be_compared():
    image = np.zeros((32, 32, 3), np.uint8)
    for score in (psnr, ssim, ms_ssim):
        for other in (image[:30], image.astype(float)):
            with pytest.raises(FeatureblendError):
                score(image, other)
    for score in (ssim, ms_ssim):
        assert score(image[:11], image[:11]) == 1
        with pytest.raises(FeatureblendError):
            score(image[:10], image[:10])


def test_sharpness_is_the_variance_of_the_laplacian():
    image, _ = draw_face(7)
    grey = image @ np.array([0.299, 0.587, 0.114])
    padded = np.pad(grey, 1, mode="reflect")
    laplacian = padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:] - 4 * grey
    assert sharpness(image) == pytest.approx(laplacian.var(), rel=1e-4)
    assert sharpness(np.full((16, 16, 3), 77, np.uint8)) == 0


def test_relative_sharpness_is_a_ratio_of_means():
    rng = np.random.default_rng(0)
    faint, strong = (rng.integers(0, top, (40, 40, 3), dtype=np.uint8) for top in (50, 200))
    expected = sharpness(faint) / ((sharpness(faint) + sharpness(strong)) / 2)
    assert relative_sharpness(faint, [faint, strong]) == pytest.approx(expected)
    assert relative_sharpness([strong, faint], np.stack([faint, strong])) == pytest.approx(1)
    with pytest.raises(FeatureblendError):
        relative_sharpness(faint, np.zeros_like(faint))
    with pytest.raises(FeatureblendError):
        relative_sharpness(faint, faint[:20])


def test_radial_spectrum_is_the_mean_power_of_rings():
    for size in ((64, 64), (65, 64), (48, 81)):
        image = np.random.default_rng(3).integers(0, 256, (*size, 3), dtype=np.uint8)
        grey = image @ np.array([0.299, 0.587, 0.114])
        window = np.hanning(size[0])[:, None] * np.hanning(size[1])[None, :]
        power = np.abs(np.fft.fft2((grey - grey.mean()) * window)) ** 2
        radius = np.hypot(np.fft.fftfreq(size[0])[:, None], np.fft.fftfreq(size[1])[None, :])
        bands = radial_spectrum(image)[0]
        edges = np.geomspace(1.5 / min(size), 0.5, len(bands) + 1)
        rings = [power[(radius >= low) & (radius < high)].mean() for low, high in pairwise(edges)]
        assert bands == pytest.approx(10 * np.log10(rings), abs=1e-3)


def test_radial_spectrum_has_no_empty_band_at_any_size():
    rng = np.random.default_rng(0)
    for side in range(16, 60):
        for shape in ((side, side), (side, 2 * side + 1)):
            bands = radial_spectrum(rng.integers(0, 256, (*shape, 3), dtype=np.uint8))
            assert np.isfinite(bands).all()
            assert bands.min() > 20


def test_spectrum_distance_of_half_the_contrast_is_six_decibels():
    image = np.random.default_rng(0).integers(0, 128, (64, 64, 3), dtype=np.uint8) * 2
    assert spectrum_distance(image // 2, image) == pytest.approx(20 * math.log10(2), abs=1e-3)
    assert spectrum_distance([image, image], image) == pytest.approx(0, abs=1e-9)
    with pytest.raises(FeatureblendError):
        spectrum_distance(image[:10], image[:10])


def test_symmetry_follows_the_face_by_its_landmarks():
    upright, tilted = [], []
    for seed in range(8):
        image, points = draw_face(seed)
        matrix = cv2.getRotationMatrix2D((64, 64), 14, 1)
        turned = cv2.warpAffine(image, matrix, (128, 128), borderMode=cv2.BORDER_REPLICATE)
        upright.append(symmetry(image, points))
        tilted.append((symmetry(turned, points @ matrix[:, :2].T + matrix[:, 2]), symmetry(turned)))
    followed, blind = np.array(tilted).T
    assert np.abs(followed - upright).max() < 0.05
    assert blind.mean() < followed.mean() - 0.1
    with pytest.raises(FeatureblendError):
        symmetry(image, points[:5])


@pytest.mark.parametrize("axis", [54.5, 70])
def test_a_face_that_is_its_own_mirror_image_beside_the_middle_is_symmetric(axis):
    """To a pixel: the picture is fine noise, mirrored at a column of its own, and so are its landmarks."""
    noise = np.random.default_rng(0).integers(0, 256, (128, 256), dtype=np.uint8)
    columns = np.round(2 * np.abs(np.arange(128) - axis)).astype(int)
    image = np.repeat(noise[:, columns][..., None], 3, axis=2)
    points = draw_face(0)[1]
    points = (points + (points * (-1, 1))[list(MIRRORED)]) / 2
    points[:, 0] += axis - points[:, 0].mean()
    points = np.round(points * 2) / 2
    assert symmetry(image, points.tolist()) == pytest.approx(1, abs=2e-3)
    assert symmetry(image, points + np.array((1, 0))) < 0.99


def test_skin_is_the_colour_of_cheeks_and_nose_and_lies_between_or_not():
    points = draw_face(0, 64)[1]
    red = np.full((64, 64, 3), (255, 0, 0), np.uint8)
    rows = np.arange(64)
    red[rows < points[36:48, 1].min()] = red[rows > points[48:60, 1].max()] = (0, 0, 255)  # forehead, chin
    np.testing.assert_allclose(skin_colour(red, points), (53.24, 80.09, 67.20), atol=0.02)  # sRGB's red in CIE L*a*b*
    low, high = np.array([40.0, 10, 15]), np.array([60.0, 12, 25])
    for coordinate in range(3):
        for end, sign in ((low, -1), (high, 1)):
            for beyond, due in ((0.99 * TOLERANCE, 1.0), (1.01 * TOLERANCE, 0.0)):
                own = (low + high) / 2
                own[coordinate] = end[coordinate] + sign * beyond
                assert colour_between(own, [high, low]) == due


def test_skin_is_seen_in_the_cheeks_and_on_the_nose():
    size, rng = 512, np.random.default_rng(0)
    points = draw_face(0, size)[1]
    places = np.zeros((size, size), np.uint8)
    for outline in CHEEKS_AND_NOSE:
        cv2.fillConvexPoly(places, np.array(outline, np.int32), 1)
    image = rng.integers(0, 256, (size, size, 3), dtype=np.uint8)
    image[places > 0] //= np.array([1, 2, 3], np.uint8)
    colours = cv2.cvtColor(np.float32(image) / 255, cv2.COLOR_RGB2LAB)
    np.testing.assert_allclose(skin_colour(image, points), np.median(colours[places > 0], axis=0), atol=1e-6)
    swapped = 255 - image
    assert skin_between(image, [image, swapped], [points, points]) == 1
    assert skin_between(swapped, [image, image], [points, points]) == 0
    with pytest.raises(FeatureblendError):
        skin_colour(image, points + 2 * size)
    with pytest.raises(FeatureblendError):
        skin_between(image, [image, image[:-1]], [points, points])
    with pytest.raises(ValueError, match="shorter"):
        skin_between(image, [image, swapped], [points])


def local_contrast(picture, scale):
    blurred = functools.partial(gaussian_filter, mode="mirror")
    detail = blurred(picture, 1.5 * scale) - blurred(picture, 12 * scale)
    return detail / np.sqrt(blurred(detail**2, 12 * scale) + 4)


def test_symmetry_is_the_correlation_of_local_contrast():
    """The same with scipy: where the picture is faint, the 4 that is added to the spread counts."""
    for height, width, seed in ((128, 128, 0), (150, 111, 1), (111, 150, 2)):
        rng = np.random.default_rng(seed)
        noise = gaussian_filter(rng.normal(0, 15, (height, width)), 2)
        grey = np.clip(120 + noise + 0.3 * noise[:, ::-1] + 30 * np.linspace(-1, 1, width), 0, 255)
        image = np.repeat(grey.astype(np.uint8)[..., None], 3, axis=2)
        scale = max(height, width) / 128
        rows, columns = np.mgrid[:height, :width]
        inside = np.hypot((columns - (width - 1) / 2) / (0.3 * width), (rows - (height - 1) / 2) / (0.4 * height)) <= 1
        values = image[..., 0].astype(float)
        first, second = (local_contrast(one, scale)[inside] for one in (values, values[:, ::-1]))
        assert symmetry(image) == pytest.approx((1 + np.corrcoef(first, second)[0, 1]) / 2, abs=2e-3)
    assert symmetry(np.full((32, 32, 3), 90, np.uint8)) == 1


def test_mirror_table_fits_the_drawn_geometry():
    assert sorted(MIRRORED) == list(range(68))
    assert [MIRRORED[place] for place in MIRRORED] == list(range(68))
    points = draw_face(0)[1]
    mirrored = (points * (-1, 1))[list(MIRRORED)]
    # A mirrored face is a face: after a shift, each point is near the one whose place it takes.
    assert np.abs((mirrored - mirrored.mean(axis=0)) - (points - points.mean(axis=0))).max() < 12


def test_importing_the_scores_brings_no_heavy_package():
    code = (
        "import sys, featureblend.metrics;"
        "heavy = {'torch', 'scipy', 'sklearn', 'skimage', 'dlib', 'onnxruntime'} & set(sys.modules);"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
