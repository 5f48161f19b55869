"""The Gaussian posterior against torch's own distributions."""

import math

import torch

from featureblend.training.networks.latent import GaussianPosterior


def noise(*shape, seed=0, dtype=torch.float32):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


def test_kl_agrees_with_torch_distributions():
    for shape in [(4, 7), (4, 3, 2, 2)]:
        mean, log_variance = noise(*shape), noise(*shape, seed=1)
        ours = GaussianPosterior(mean, log_variance).kl()
        normal = torch.distributions.Normal(mean, torch.exp(0.5 * log_variance))
        theirs = torch.distributions.kl_divergence(normal, torch.distributions.Normal(0.0, 1.0)).flatten(1).sum(1)
        assert ours.shape == (4,)
        torch.testing.assert_close(ours, theirs)


def test_samples_have_the_posteriors_moments():
    posterior = GaussianPosterior(torch.full((20_000, 2), 3.0), torch.full((20_000, 2), math.log(4.0)))
    drawn = posterior.sample(lambda mean: noise(*mean.shape))
    # the standard error of the mean of 20,000 draws is 2 / sqrt(20,000) = 0.014, of the deviation 0.010
    torch.testing.assert_close(drawn.mean(0), torch.full((2,), 3.0), atol=0.06, rtol=0)
    torch.testing.assert_close(drawn.std(0), torch.full((2,), 2.0), atol=0.05, rtol=0)


def test_a_plain_autoencoders_posterior_is_a_point():
    posterior = GaussianPosterior(noise(3, 4))
    assert posterior.sample(torch.ones_like) is posterior.mean
    assert torch.equal(posterior.kl(), torch.zeros(3))


def test_log_variance_is_clamped_so_that_nothing_overflows():
    posterior = GaussianPosterior(torch.zeros(2, 1), torch.tensor([[-1e9], [1e9]]))
    assert posterior.log_variance.flatten().tolist() == [-30.0, 20.0]
    assert posterior.kl().isfinite().all()
    assert posterior.sample(torch.randn_like).isfinite().all()


def test_kl_of_half_precision_is_summed_in_float32():
    # In bfloat16 a running sum of 10,000 halves stops at 128 or so: the next half is below its last digit.
    posterior = GaussianPosterior(torch.ones(1, 10_000, dtype=torch.bfloat16), torch.zeros(1, 10_000).bfloat16())
    assert posterior.kl().dtype == torch.float32
    assert posterior.kl().item() == 5_000.0
    assert posterior.sample(torch.randn_like).dtype == torch.bfloat16


def test_the_gradient_reaches_mean_and_variance_through_a_sample():
    mean, log_variance = noise(2, 3).requires_grad_(), noise(2, 3, seed=1).requires_grad_()
    GaussianPosterior(mean, log_variance).sample(torch.randn_like).sum().backward()
    assert torch.equal(mean.grad, torch.ones(2, 3))
    assert (log_variance.grad != 0).all()
