"""Every network of the registry, at a small size: shapes, gradients, determinism."""

import pytest
import torch

from featureblend.errors import FeatureblendError
from featureblend.training.networks import (
    AUTOENCODERS,
    DISCRIMINATORS,
    build,
)

SMALL_MODERN = {"image_size": 32, "widths": [8, 16], "encoder_blocks": [1, 1], "decoder_blocks": [1, 1]}
SMALL = {
    "modern": {**SMALL_MODERN, "spatial_channels": 4, "global_dim": 6},
    "hierarchical": {
        "image_size": 32,
        "widths": [8, 16],
        "latent_channels": [2, 4],
        "global_dim": 6,
        "encoder_blocks": [1, 1],
        "decoder_blocks": [1, 1],
    },
    "paper": {"image_size": 32, "padding": "same", "latent_dim": 6, "feature_dim": 12},
}
SMALL_CRITICS = {"modern": {"image_size": 32, "widths": [8, 16]}, "paper": {"image_size": 32, "padding": "same"}}

autoencoders = pytest.mark.parametrize("name", AUTOENCODERS)
discriminators = pytest.mark.parametrize("name", DISCRIMINATORS)


def photos(count=3, size=32):
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(0)) * 2 - 1


def small(kinds, name):
    """A network whose blocks have left the zeros that they start from."""
    torch.manual_seed(0)
    network = build(kinds, name, (SMALL if kinds is AUTOENCODERS else SMALL_CRITICS)[name])
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.05 * torch.randn_like(parameter)
    return network


def test_autoencoder_contract():
    for name in AUTOENCODERS:
        model = small(AUTOENCODERS, name)
        images = photos()
        posterior = model.posterior(images)
        latent = model.encode(images)
        assert latent.shape == (3, model.config.latent_dim)
        assert posterior.mean.shape == latent.shape
        output = model.decode(latent)
        assert output.shape == images.shape == (3, 3, model.image_size, model.image_size)
        for tensor in (latent, output, posterior.sample(torch.randn_like), posterior.kl()):
            assert torch.isfinite(tensor).all()
        assert posterior.kl().shape == (3,)


def test_encoding_draws_nothing():
    """A blend needs the mean: one photo has one code, whatever was drawn before and whoever is beside it."""
    for name in AUTOENCODERS:
        model = small(AUTOENCODERS, name).eval()
        images = photos()
        first = model.encode(images)
        torch.manual_seed(99)
        assert torch.equal(model.encode(images), first)
        assert torch.equal(model.posterior(images).mean, first)
        torch.testing.assert_close(model.encode(images[1:2]), first[1:2], atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(model(images), model.decode(first))


def test_discriminator_contract():
    for name in DISCRIMINATORS:
        critic = small(DISCRIMINATORS, name)
        images = photos()
        logits, mixing, maps = critic.judge(images)
        assert logits.shape == (3,)
        assert logits.dtype == torch.float32
        assert mixing is None or mixing.shape == (3,)
        assert maps
        assert all(len(part) == 3 for part in maps)
        for found, expected in zip(maps, critic.features(images), strict=True):
            torch.testing.assert_close(found, expected)
        torch.testing.assert_close(critic(images), logits)
        with torch.autocast("cpu", torch.bfloat16):
            assert critic.judge(images)[0].dtype == torch.float32


def test_discriminator_says_whether_it_mixes_samples():
    for name in DISCRIMINATORS:
        critic = small(DISCRIMINATORS, name)
        images = photos()
        alone, together = critic(images[:2]), critic(images)[:2]
        assert critic.mixes_samples == (not torch.allclose(alone, together, atol=1e-5))


def test_gradient_penalty_has_a_gradient():
    """R1 needs the second derivative of every layer."""
    for name in DISCRIMINATORS:
        from featureblend.training.losses.adversarial import gradient_penalty

        critic = small(DISCRIMINATORS, name)
        gradient_penalty(critic, photos()).backward()
        gradients = [parameter.grad for parameter in critic.parameters() if parameter.grad is not None]
        assert all(torch.isfinite(gradient).all() for gradient in gradients)
        assert sum(float(gradient.abs().sum()) for gradient in gradients) > 0


def test_unknown_networks_and_options():
    with pytest.raises(FeatureblendError, match="unknown network 'vqgan': use one of modern, hierarchical, paper"):
        build(AUTOENCODERS, "vqgan")
    with pytest.raises(FeatureblendError, match="ModernConfig has no setting 'width'"):
        build(AUTOENCODERS, "modern", {"width": 3})
