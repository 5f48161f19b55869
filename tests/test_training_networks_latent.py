"""The Gaussian posterior against torch's own distributions, and every mixing rule at the points where it is known."""

import dataclasses
import math

import pytest
import torch

from featureblend.errors import FeatureblendError
from featureblend.training.networks.latent import GaussianPosterior, lerp, norm_preserving_mean, slerp, weighted_mean


def noise(*shape, seed=0, dtype=torch.float32):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


def lengths(latent):
    return latent.flatten(1).norm(dim=1)


# --- posterior ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(4, 7), (4, 3, 2, 2)])
def test_kl_agrees_with_torch_distributions(shape):
    mean, log_variance = noise(*shape), noise(*shape, seed=1)
    ours = GaussianPosterior(mean, log_variance).kl()
    normal = torch.distributions.Normal(mean, torch.exp(0.5 * log_variance))
    theirs = torch.distributions.kl_divergence(normal, torch.distributions.Normal(0.0, 1.0)).flatten(1).sum(1)
    assert ours.shape == (4,)
    torch.testing.assert_close(ours, theirs)


def test_kl_worked_by_hand():
    # 1/2 (mean^2 + variance - 1 - log variance) = 1/2 (9 + 4 - 1 - ln 4) = 6 - ln 2, in each of 5 dimensions
    posterior = GaussianPosterior(torch.full((1, 5), 3.0), torch.full((1, 5), math.log(4.0)))
    assert posterior.kl().item() == pytest.approx(5 * (6 - math.log(2)), rel=1e-6)


def test_samples_have_the_posteriors_moments():
    posterior = GaussianPosterior(torch.full((20_000, 2), 3.0), torch.full((20_000, 2), math.log(4.0)))
    drawn = posterior.sample(torch.Generator().manual_seed(0))
    # the standard error of the mean of 20,000 draws is 2 / sqrt(20,000) = 0.014, of the deviation 0.010
    torch.testing.assert_close(drawn.mean(0), torch.full((2,), 3.0), atol=0.06, rtol=0)
    torch.testing.assert_close(drawn.std(0), torch.full((2,), 2.0), atol=0.05, rtol=0)


def test_a_generator_repeats_the_draw_and_mode_never_draws():
    posterior = GaussianPosterior(noise(3, 4), noise(3, 4, seed=1))
    first, again = (posterior.sample(torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, posterior.sample(torch.Generator().manual_seed(6)))
    assert torch.equal(posterior.mode(), posterior.mean)


def test_a_plain_autoencoders_posterior_is_a_point():
    posterior = GaussianPosterior(noise(3, 4))
    assert torch.equal(posterior.sample(), posterior.mean)
    assert torch.equal(posterior.mode(), posterior.mean)
    assert torch.equal(posterior.kl(), torch.zeros(3))


def test_log_variance_is_clamped_so_that_nothing_overflows():
    posterior = GaussianPosterior(torch.zeros(2, 1), torch.tensor([[-1e9], [1e9]]))
    assert posterior.log_variance.flatten().tolist() == [-30.0, 20.0]
    assert posterior.kl().isfinite().all()
    assert posterior.sample().isfinite().all()


def test_kl_of_half_precision_is_summed_in_float32():
    # In bfloat16 a running sum of 10,000 halves stops at 128 or so: the next half is below its last digit.
    posterior = GaussianPosterior(torch.ones(1, 10_000, dtype=torch.bfloat16), torch.zeros(1, 10_000).bfloat16())
    assert posterior.kl().dtype == torch.float32
    assert posterior.kl().item() == 5_000.0
    assert posterior.sample().dtype == torch.bfloat16


def test_the_gradient_reaches_mean_and_variance_through_a_sample():
    mean, log_variance = noise(2, 3).requires_grad_(), noise(2, 3, seed=1).requires_grad_()
    GaussianPosterior(mean, log_variance).sample().sum().backward()
    assert torch.equal(mean.grad, torch.ones(2, 3))
    assert (log_variance.grad != 0).all()


def test_posterior_is_frozen_and_refuses_unequal_shapes():
    posterior = GaussianPosterior(noise(2, 3))
    with pytest.raises(dataclasses.FrozenInstanceError):
        posterior.mean = noise(2, 3)
    with pytest.raises(FeatureblendError, match=r"one shape, not \(2, 3\) and \(2, 4\)"):
        GaussianPosterior(noise(2, 3), noise(2, 4))


# --- mixing ------------------------------------------------------------------------------------------------------

MEANS = [weighted_mean, norm_preserving_mean]


@pytest.mark.parametrize("mean", MEANS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("shape", [(2, 33), (2, 3, 4, 4)])
def test_means_are_exact_at_one_hot_weights(mean, dtype, shape):
    parents = noise(3, *shape, dtype=dtype)
    for index in range(3):
        weights = [0.0, 0.0, 0.0]
        weights[index] = 1.0
        blend = mean(parents, weights)
        assert blend.dtype == dtype
        assert torch.equal(blend, parents[index])
    per_sample = torch.tensor([[1.0, 0.0], [0.0, 0.0], [0.0, 1.0]])
    assert torch.equal(mean(parents, per_sample), torch.stack([parents[0, 0], parents[2, 1]]))


def test_norm_preserving_mean_is_exact_at_one_hot_weights_around_a_center():
    parents, center = noise(3, 2, 33), noise(33, seed=4)
    assert torch.equal(norm_preserving_mean(parents, [0.0, 1.0, 0.0], center=center), parents[1])
    # Laid out so that torch adds up the lengths of parents and of the mean in different orders.
    scattered = noise(64, 5, 3).permute(2, 1, 0)
    assert torch.equal(norm_preserving_mean(scattered, [0.0, 1.0, 0.0]), scattered[1])


def test_norm_preserving_mean_extrapolated_below_length_zero_is_the_plain_mean():
    # 3 * 1 - 2 * 5 = -7 is no length
    parents = torch.tensor([[[1.0, 0.0]], [[0.0, 5.0]]])
    assert norm_preserving_mean(parents, [3.0, -2.0]).tolist() == [[3.0, -10.0]]


@pytest.mark.parametrize("mean", MEANS)
def test_means_take_a_sequence_as_well_as_a_tensor_and_keep_no_order(mean):
    parents = noise(3, 2, 5)
    weights = torch.tensor([0.2, 0.3, 0.5])
    blend = mean(parents, weights)
    assert torch.equal(blend, mean(list(parents), weights.tolist()))
    torch.testing.assert_close(blend, mean(parents.flip(0), weights.flip(0)))


def test_weighted_mean_worked_by_hand():
    parents = torch.tensor([[[1.0, 2.0]], [[3.0, 10.0]]])
    # 1/4 (1, 2) + 3/4 (3, 10) = (2.5, 8); A + 2 (B - A) = 2 B - A = (5, 18)
    assert weighted_mean(parents, [0.25, 0.75]).tolist() == [[2.5, 8.0]]
    assert weighted_mean(parents, [-1.0, 2.0]).tolist() == [[5.0, 18.0]]


def test_half_precision_is_mixed_in_float32_and_rounded_once():
    # A third in bfloat16 is 0.33398, and each product would be rounded to three digits as well.
    parents = noise(3, 4, 256, dtype=torch.bfloat16)
    once = weighted_mean(parents.float(), [1 / 3] * 3)
    assert torch.equal(weighted_mean(parents, [1 / 3] * 3), once.bfloat16())
    assert not torch.equal((parents * torch.tensor(1 / 3).bfloat16()).sum(0), once.bfloat16())


@pytest.mark.parametrize("mean", MEANS)
@pytest.mark.parametrize("weights", [[0.5, 0.5], [[0.5] * 3] * 3, 1.0])
def test_means_refuse_weights_that_do_not_fit(mean, weights):
    with pytest.raises(FeatureblendError, match="3 latents in batches of 2"):
        mean(noise(3, 2, 5), torch.tensor(weights))


@pytest.mark.parametrize("shape", [(4, 64), (4, 4, 2, 8)])
def test_norm_preserving_mean_has_the_weighted_mean_length_and_the_means_direction(shape):
    parents = noise(3, *shape) * torch.tensor([1.0, 2.0, 3.0]).view(3, *[1] * len(shape))
    weights = torch.tensor([0.2, 0.3, 0.5])
    blend, plain = norm_preserving_mean(parents, weights), weighted_mean(parents, weights)
    wanted = sum(weight * lengths(parent) for weight, parent in zip(weights, parents, strict=True))
    torch.testing.assert_close(lengths(blend), wanted)
    cosine = torch.cosine_similarity(blend.flatten(1), plain.flatten(1))
    torch.testing.assert_close(cosine, torch.ones(4))


def test_two_independent_codes_shrink_to_seven_tenths_and_are_stretched_back():
    parents = noise(2, 8, 4096)
    shrunk = lengths(weighted_mean(parents, [0.5, 0.5])) / lengths(parents[0])
    kept = lengths(norm_preserving_mean(parents, [0.5, 0.5])) / lengths(parents[0])
    torch.testing.assert_close(shrunk, torch.full((8,), math.sqrt(0.5)), atol=0.03, rtol=0)
    torch.testing.assert_close(kept, torch.ones(8), atol=0.03, rtol=0)


def test_norm_preserving_mean_measures_from_its_center():
    center = torch.tensor([10.0, 0.0])
    parents = torch.tensor([[[12.0, 0.0]], [[10.0, 2.0]]])
    # from the centre: (2, 0) and (0, 2), mean (1, 1) of length sqrt 2, stretched to length 2: (sqrt 2, sqrt 2)
    blend = norm_preserving_mean(parents, [0.5, 0.5], center=center)
    torch.testing.assert_close(blend, torch.tensor([[10 + math.sqrt(2), math.sqrt(2)]]))


def test_norm_preserving_mean_of_opposites_is_the_plain_mean_and_has_a_gradient():
    parents = torch.tensor([[[1.0, 2.0], [1.0, 0.0]], [[-1.0, -2.0], [0.0, 1.0]]], requires_grad=True)
    blend = norm_preserving_mean(parents, [0.5, 0.5])
    assert blend[0].tolist() == [0.0, 0.0]
    blend.sum().backward()
    assert parents.grad.isfinite().all()


def test_lerp_is_exact_at_both_ends_and_alpha_is_the_seconds_weight():
    a, b = noise(3, 4, 2, 2), noise(3, 4, 2, 2, seed=1)
    assert torch.equal(lerp(a, b, 0.0), a)
    assert torch.equal(lerp(a, b, 1.0), b)
    torch.testing.assert_close(lerp(a, b, 0.25), 0.75 * a + 0.25 * b)
    torch.testing.assert_close(lerp(a, b, 2.0), 2 * b - a)
    torch.testing.assert_close(lerp(a, b, 0.3), weighted_mean([a, b], [0.7, 0.3]))


@pytest.mark.parametrize("mix", [lerp, slerp])
def test_alpha_may_differ_from_sample_to_sample(mix):
    a, b = noise(3, 4, 2), noise(3, 4, 2, seed=1)
    mixed = mix(a, b, torch.tensor([0.0, 0.5, 1.0]))
    assert torch.equal(mixed[0], a[0])
    assert torch.equal(mixed[2], b[2])
    torch.testing.assert_close(mixed[1:2], mix(a[1:2], b[1:2], 0.5))
    with pytest.raises(FeatureblendError, match="one alpha, or 3"):
        mix(a, b, torch.tensor([0.0, 1.0]))


def test_slerp_walks_the_circle_at_constant_speed():
    a, b = torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 2.0]])
    for alpha in (0.0, 1 / 3, 0.5, 1.0):
        angle = alpha * math.pi / 2
        expected = torch.tensor([[2 * math.cos(angle), 2 * math.sin(angle)]])
        torch.testing.assert_close(slerp(a, b, alpha), expected, atol=1e-6, rtol=1e-6)


def test_slerp_keeps_length_where_lerp_shrinks_it():
    a, b = noise(8, 512), noise(8, 512, seed=1)
    a, b = a / lengths(a)[:, None], b / lengths(b)[:, None]
    torch.testing.assert_close(lengths(slerp(a, b, 0.5)), torch.ones(8))
    assert (lengths(lerp(a, b, 0.5)) < 0.8).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_slerp_is_exact_at_both_ends(dtype):
    a, b = noise(3, 4, 2, 2, dtype=dtype), noise(3, 4, 2, 2, seed=1, dtype=dtype)
    assert torch.equal(slerp(a, b, 0.0), a)
    assert torch.equal(slerp(a, b, 1.0), b)


def test_slerp_of_parallel_opposite_or_zero_parents_is_lerp_without_nan_and_with_a_gradient():
    a = torch.tensor([[3.0, 4.0], [3.0, 4.0], [0.0, 0.0], [1.0, 0.0]], requires_grad=True)
    b = torch.tensor([[3.0, 4.0], [-3.0, -4.0], [1.0, 2.0], [0.0, 1.0]], requires_grad=True)
    mixed = slerp(a, b, 0.25)
    torch.testing.assert_close(mixed[:3], lerp(a, b, 0.25)[:3])
    assert not torch.allclose(mixed[3], lerp(a, b, 0.25)[3])
    mixed.sum().backward()
    assert a.grad.isfinite().all()
    assert b.grad.isfinite().all()


def test_slerp_goes_over_to_lerp_without_a_step():
    # On both sides of the threshold (cosine 1 - 1e-6, an angle of 1.41e-3) arc and chord differ by less than 1e-6.
    for angle in (1.3e-3, 1.5e-3):
        a, b = torch.tensor([[1.0, 0.0]]), torch.tensor([[math.cos(angle), math.sin(angle)]])
        torch.testing.assert_close(slerp(a, b, 0.5), lerp(a, b, 0.5), atol=1e-6, rtol=0)
