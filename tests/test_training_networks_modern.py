"""The bundled model's networks: sizes, the flat latent's layout, what blocks start as, and options that are refused."""

import dataclasses

import pytest
import torch

from featureblend.errors import FeatureblendError
from featureblend.training.networks.blocks import ResidualBlock
from featureblend.training.networks.modern import (
    ModernAutoencoder,
    ModernConfig,
    ModernDiscriminator,
    ModernDiscriminatorConfig,
)

SMALL = ModernConfig(
    image_size=32, widths=(8, 16), encoder_blocks=(1, 1), decoder_blocks=(1, 1), spatial_channels=4, global_dim=6
)


def photos(count=2, size=32):
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(0)) * 2 - 1


def perturbed(network):
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.05 * torch.randn_like(parameter)
    return network


def by_hand():
    """The default autoencoder's parameters, from its table."""

    def conv(inputs, outputs):
        return 9 * inputs * outputs + outputs

    encoder = conv(48, 64) + 2 * conv(64, 64) + conv(64, 128) + 4 * conv(128, 128) + conv(128, 192) + 4 * conv(192, 192)
    latent = (192 * 16 + 16) + (192 * 256 + 256) + conv(16, 192)
    decoder = conv(192, 128) + conv(128, 64) + conv(64, 48)
    decoder += sum(2 * (2 * conv(width, width) + 257 * 2 * width) for width in (192, 128, 64))
    return encoder + latent + decoder


def test_default_sizes():
    """8 x 8 x 16 spatial and 256 global numbers at 128 px; small enough to ship in half precision."""
    config = ModernConfig()
    assert (config.grid, config.latent_dim) == (8, 16 * 8 * 8 + 256)
    with torch.device("meta"):
        model, critic = ModernAutoencoder(config), ModernDiscriminator()
    assert sum(parameter.numel() for parameter in model.parameters()) == by_hand() < 25e6 / 2
    assert ModernDiscriminatorConfig().grid == 4
    assert critic.heads.in_features == 192 * 4 * 4


def test_residual_blocks_start_as_the_identity():
    block, values = ResidualBlock(8, style_dim=4), torch.randn(2, 8, 6, 6)
    assert torch.equal(block(values, torch.randn(2, 4)), values)
    assert not torch.equal(perturbed(block)(values, torch.randn(2, 4)), values)


def test_style_modulates():
    block, values = perturbed(ResidualBlock(8, style_dim=4)), torch.randn(2, 8, 6, 6)
    styles = torch.randn(2, 4)
    out = block(values, styles)
    assert not torch.allclose(out, block(values, styles.flip(0)))
    # By hand: scale and shift each channel between the two convolutions.
    act = torch.nn.functional.leaky_relu
    scale, shift = block.modulation(styles).chunk(2, dim=1)
    hidden = block.first(act(values, 0.2)) * (1 + scale[:, :, None, None]) + shift[:, :, None, None]
    torch.testing.assert_close(out, values + block.second(act(hidden, 0.2)))


def test_latent_is_spatial_then_global():
    """A change at one corner of the picture's features reaches its own place; the global part reaches everything."""
    model = perturbed(ModernAutoencoder(dataclasses.replace(SMALL, image_size=64))).requires_grad_(False)
    images, spatial = photos(size=64), 4 * 8 * 8
    latent = model.encode(images)
    assert latent.shape == (2, spatial + 6)
    features = model.encoder(torch.nn.functional.pixel_unshuffle(images, 4))
    features = torch.nn.functional.leaky_relu(features, 0.2)
    torch.testing.assert_close(latent[:, :spatial], model.to_spatial(features).flatten(1))
    torch.testing.assert_close(latent[:, spatial:], model.to_global(features.mean((2, 3))))

    base = model.decode(latent)
    corner, everywhere = latent.clone(), latent.clone()
    corner[:, 0] += 1  # channel 0 at the top left
    everywhere[:, spatial:] += 1
    near = (model.decode(corner) - base).abs().amax((0, 1))
    assert near[:8, :8].max() > 0
    assert float(near[-1, -1]) == 0  # out of the convolutions' reach
    assert ((model.decode(everywhere) - base).abs().amax((0, 1)) > 0).float().mean() > 0.9


def test_the_fine_part_comes_last_and_joins_at_the_stems_resolution():
    model = perturbed(ModernAutoencoder(dataclasses.replace(SMALL, fine_channels=3)))
    plain = ModernAutoencoder(SMALL)
    assert model.config.fine_grid == 8
    code = model.encode(photos())
    assert code.shape == (2, SMALL.latent_dim + 3 * 64)
    plain.load_state_dict({name: value for name, value in model.state_dict().items() if "fine" not in name})
    torch.testing.assert_close(plain.encode(photos()), code[:, : SMALL.latent_dim])
    model.from_fine.bias.data.zero_()
    code[:, SMALL.latent_dim :] = 0
    torch.testing.assert_close(model.decode(code), plain.decode(code[:, : SMALL.latent_dim]))
    corner = code.clone()
    corner[:, SMALL.latent_dim] = 5.0  # first channel, first place
    seen = (model.decode(corner) - model.decode(code)).detach().abs().amax(dim=(0, 1))
    assert float(seen[:4, :4].max()) > 1e-3
    assert float(seen[-8:, -8:].max()) == 0


def test_a_start_from_a_model_without_a_fine_part_leaves_that_fresh():
    from featureblend.training.starting import take_over

    model, plain = ModernAutoencoder(dataclasses.replace(SMALL, fine_channels=3)), ModernAutoencoder(SMALL)
    fine = sum(p.numel() for name, p in model.named_parameters() if "fine" in name)
    assert take_over(model, plain.state_dict(), "a run") == fine


def test_without_a_global_part():
    model = ModernAutoencoder(dataclasses.replace(SMALL, global_dim=0))
    assert model.encode(photos()).shape == (2, 64)
    assert model(photos()).shape == (2, 3, 32, 32)
    assert not [name for name, _ in model.named_parameters() if "modulation" in name or "global" in name]


def test_posterior_has_the_noise_asked_for():
    model = ModernAutoencoder(dataclasses.replace(SMALL, noise=0.3))
    posterior = model.posterior(photos())
    draws = torch.stack([posterior.sample(torch.randn_like) for _ in range(200)])
    assert float((draws - posterior.mean).detach().std()) == pytest.approx(0.3, rel=0.02)


def test_no_noise_is_a_plain_autoencoder():
    posterior = ModernAutoencoder(dataclasses.replace(SMALL, noise=0.0)).posterior(photos())
    assert torch.equal(posterior.sample(torch.randn_like), posterior.mean)
    assert posterior.kl().tolist() == [0, 0]


def test_impossible_autoencoders_are_refused():
    for options in [
        {"image_size": 36},
        {"image_size": 4},
        {"encoder_blocks": (1,)},
        {"widths": (), "encoder_blocks": (), "decoder_blocks": ()},
        {"noise": -0.1},
        {"fine_channels": -1},
    ]:
        with pytest.raises(FeatureblendError, match="model options: "):
            dataclasses.replace(SMALL, **options)


def test_impossible_discriminators_are_refused():
    for options in [{"image_size": 48}, {"image_size": 8}, {"widths": ()}, {"widths": (8,), "places": True}]:
        with pytest.raises(FeatureblendError, match="discriminator options: "):
            ModernDiscriminatorConfig(**{"image_size": 32, "widths": (8, 16, 16), **options})


def test_discriminator_maps_are_one_a_resolution():
    critic = ModernDiscriminator(ModernDiscriminatorConfig(image_size=32, widths=(8, 12)))
    assert [tuple(part.shape) for part in critic.features(photos())] == [(2, 8, 8, 8), (2, 12, 4, 4)]
    assert torch.equal(critic.mixing(photos()), critic.judge(photos())[1])


def test_a_critic_of_places_judges_each_by_what_is_seen_there_and_in_the_whole():
    critic = ModernDiscriminator(ModernDiscriminatorConfig(image_size=64, widths=(8, 12, 16), places=True))
    with torch.no_grad():
        for parameter in critic.parameters():
            parameter += 0.05 * torch.randn_like(parameter)
    images = torch.rand(2, 3, 64, 64) * 2 - 1
    logits = critic(images)
    assert logits.shape == (2, 8 * 8)  # the second coarsest map
    here = critic.place_head(torch.nn.functional.leaky_relu(critic.features(images)[-2], 0.2)).flatten(1)
    whole = logits - here
    torch.testing.assert_close(whole, whole[:, :1].expand_as(whole))
    changed = images.clone()
    changed[:, :, :4, :4] = 0  # a corner: the opposite one sees it only in the whole
    moved = (critic(changed) - logits).detach().abs()
    assert float(moved[:, 0].min()) > 1e-5
    torch.testing.assert_close(critic(changed)[:, -1] - critic(changed)[:, -2], logits[:, -1] - logits[:, -2])
