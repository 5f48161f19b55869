"""The Poisson solvers against direct sparse solves by SciPy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import fft, ndimage, sparse
from scipy.sparse.linalg import spsolve

from featureblend.blend.baselines import BASELINES, poisson
from featureblend.errors import FeatureblendError


def differences(height, width):
    """Forward differences down and right as sparse matrices over the flattened picture."""

    def along(count):
        return sparse.diags([-np.ones(count - 1), np.ones(count - 1)], [0, 1], shape=(count - 1, count))

    return (
        sparse.kron(along(height), sparse.identity(width)).tocsr(),
        sparse.kron(sparse.identity(height), along(width)).tocsr(),
    )


def noise(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


@settings(max_examples=20, deadline=None)
@given(height=st.integers(3, 14), width=st.integers(3, 14), seed=st.integers(0, 99))
def test_dirichlet_agrees_with_a_sparse_solve(height, width, seed):
    divergence, boundary = noise(height, width, 2, seed=seed), noise(height, width, 2, seed=seed + 1)
    down, right = differences(height, width)
    laplacian = -(down.T @ down + right.T @ right)
    inner = np.zeros((height, width), bool)
    inner[1:-1, 1:-1] = True
    free, fixed = np.flatnonzero(inner), np.flatnonzero(~inner)
    expected = boundary.reshape(-1, 2).copy()
    known = divergence.reshape(-1, 2)[free] - laplacian[free][:, fixed] @ expected[fixed]
    expected[free] = spsolve(laplacian[free][:, free].tocsc(), known).reshape(-1, 2)
    np.testing.assert_allclose(
        poisson.solve_dirichlet(divergence, boundary), expected.reshape(height, width, 2), atol=1e-9
    )


def test_gaussian_poisson_agrees_with_a_direct_solve():
    for shape, beta, sigma in [((9, 12), 1.0, 0.5), ((13, 8), 0.04, 1.0), ((10, 10), 3.0, 2.0)]:
        height, width = shape
        field, colours = noise(height, width, 2), noise(height, width, 1, seed=1)
        down, right = (matrix.toarray() for matrix in differences(height, width))
        gain = np.exp(-0.5 * (np.pi * sigma) ** 2 * np.add.outer(*((np.arange(n) / n) ** 2 for n in shape)))
        basis = np.eye(height * width).reshape(-1, height, width)
        blur = fft.idctn(gain * fft.dctn(basis, axes=(1, 2)), axes=(1, 2)).reshape(height * width, -1).T
        wanted = (field[:-1, :, 0].ravel(), field[:, :-1, 1].ravel(), np.sqrt(beta) * blur @ colours.ravel())
        expected = np.linalg.lstsq(np.vstack([down, right, np.sqrt(beta) * blur]), np.concatenate(wanted), rcond=None)[
            0
        ]
        np.testing.assert_allclose(
            poisson.solve_gaussian_poisson(field, colours, beta, sigma)[..., 0], expected.reshape(shape), atol=1e-6
        )


def test_the_blur_is_a_gaussian_mirrored_at_the_border():
    image, size = noise(24, 31), (48, 62)
    spectrum = poisson._mirrored_spectrum(image[..., None])[..., 0]
    blurred = np.fft.irfft2(spectrum * poisson._blur_eigenvalues(*size, sigma=1.5), size)[:24, :31]
    np.testing.assert_allclose(blurred, ndimage.gaussian_filter(image, 1.5, mode="reflect", truncate=8), atol=1e-3)


def test_divergence_is_minus_the_adjoint_of_the_gradient():
    image, field = noise(7, 9, 3), noise(7, 9, 6, seed=1)
    field[-1, :, :3] = field[:, -1, 3:] = 0
    assert (poisson._gradient(image) * field).sum() == pytest.approx(-(image * poisson._divergence(field)).sum())


def test_the_strongest_gradient_follows_the_weights():
    steep, gentle = (np.outer(np.arange(12.0), np.ones(12))[..., None] * slope for slope in (4, -3))
    for weights, winner in (((0.5, 0.5), 4.0), ((0.3, 0.7), -3.0)):
        assert poisson.strongest_gradient([steep, gentle], np.array(weights))[5, 5, 0] == winner


def test_the_seamless_blend_agrees_with_a_sparse_solve():
    rng = np.random.default_rng(5)
    images = rng.integers(90, 166, (2, 20, 24, 3), dtype=np.uint8)
    region = np.zeros((20, 24))
    region[6:14, 5:17] = rng.uniform(0.2, 1, (8, 12))
    blended = poisson.seamless_blend(images, (0.5, 0.5), region=region, window=1)

    first, second, mean = images[0].astype(float), images[1].astype(float), images.mean(axis=0)
    field = [np.diff(mean, axis=0, append=mean[-1:]), np.diff(mean, axis=1, append=mean[:, -1:])]
    for y, x in np.argwhere(region):
        slopes = [(photo[y + 1, x] - photo[y, x], photo[y, x + 1] - photo[y, x]) for photo in (first, second)]
        strongest = max(slopes, key=lambda slope: np.square(slope).sum())
        for part, slope in zip(field, strongest, strict=True):
            part[y, x] += region[y, x] * (slope - part[y, x])
    down, right = differences(20, 24)
    wanted = -(down.T @ field[0][:-1].reshape(-1, 3) + right.T @ field[1][:, :-1].reshape(-1, 3))
    laplacian = -(down.T @ down + right.T @ right)
    inner = np.zeros((20, 24), bool)
    inner[6:15, 5:18] = True  # the region and the far ends of its differences
    free, fixed = np.flatnonzero(inner), np.flatnonzero(~inner)
    expected = mean.reshape(-1, 3).copy()
    known = wanted[free] - laplacian[free][:, fixed] @ expected[fixed]
    expected[free] = spsolve(laplacian[free][:, free].tocsc(), known)
    expected = expected.reshape(20, 24, 3).clip(0, 255)
    assert np.abs(blended - expected).max() <= 0.5 + 1e-9
    assert np.abs(blended - mean)[inner].mean() > 5


def test_outside_the_region_the_seamless_blend_is_the_mean():
    images = np.random.default_rng(0).integers(0, 256, (2, 64, 48, 3), dtype=np.uint8)
    mean = BASELINES["pixel"](images, (0.5, 0.5))
    blended = poisson.seamless_blend(images, (0.5, 0.5))
    for border in np.s_[:15], np.s_[-5:], np.s_[:, :8], np.s_[:, -8:]:
        np.testing.assert_array_equal(blended[border], mean[border])
    assert np.abs(blended[30:46, 18:30].astype(int) - mean[30:46, 18:30]).mean() > 5


def test_an_empty_region_leaves_the_mean_and_a_full_one_changes_all_but_the_border():
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    mean = BASELINES["pixel"](images, (0.5, 0.5))
    np.testing.assert_array_equal(poisson.seamless_blend(images, (0.5, 0.5), region=np.zeros((32, 32))), mean)
    changed = (poisson.seamless_blend(images, (0.5, 0.5), region=np.ones((32, 32))) != mean).any(axis=2)
    assert changed[1:-1, 1:-1].mean() > 0.9
    assert not changed[0].any()
    assert not changed[:, -1].any()


def test_no_seam_at_the_edge_of_the_region():
    # A hard-edged region between two plain colours with one spot: the result is smooth across the region's edge.
    images = [np.full((64, 64, 3), level, np.uint8) for level in (60, 180)]
    images[0][30:34, 30:34] = 0
    region = np.zeros((64, 64))
    region[16:48, 16:48] = 1
    blended = poisson.seamless_blend(images, (0.5, 0.5), region=region).astype(int)
    assert np.abs(blended[14:19, 20:44] - 120).max() <= 3
    assert blended[32, 32].max() < 75  # the spot at nearly its own depth of 60, not half of it


def test_a_large_beta_pins_the_colours_and_a_small_one_frees_the_gradients():
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    mean = BASELINES["pixel"](images, (0.5, 0.5)).astype(int)
    far = [np.abs(poisson.gaussian_poisson_blend(images, (0.5, 0.5), beta=b) - mean).mean() for b in (1e-3, 1.0, 1e4)]
    assert far[0] > far[1] > far[2]
    assert far[2] < 1


def test_bad_options_are_refused():
    images = np.zeros((2, 32, 32, 3), np.uint8)
    with pytest.raises(FeatureblendError, match="beta"):
        poisson.gaussian_poisson_blend(images, (0.5, 0.5), beta=0)
    with pytest.raises(FeatureblendError, match="region"):
        poisson.seamless_blend(images, (0.5, 0.5), region=np.ones((8, 8)))
