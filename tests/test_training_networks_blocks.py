"""Multi-scale blocks, minibatch discrimination, and the critic of codes, against numbers worked by hand."""

import math

import pytest
import torch
from networks_on_paper import on_paper, parameters

from featureblend.errors import FeatureblendError
from featureblend.training.networks.blocks import MinibatchDiscrimination, MultiScale, fitted
from featureblend.training.networks.latent_critic import LatentDiscriminator, LatentDiscriminatorConfig
from featureblend.training.networks.paper import (
    PaperConfig,
    PaperDiscriminator,
    PaperDiscriminatorConfig,
)

# --- multi-scale convolution (the paper, section 4)


class Add(torch.nn.Module):
    """Sums channels and adds a number: a layer to follow by hand."""

    def __init__(self, number, cut=0):
        super().__init__()
        self.number, self.cut = number, cut

    def forward(self, values):
        total = values.sum(1, keepdim=True) + self.number
        return total[..., self.cut : total.shape[-2] - self.cut, self.cut : total.shape[-1] - self.cut]


def test_each_output_is_joined_with_the_layers_before():
    out = MultiScale([Add(1), Add(10), Add(100)])(torch.ones(1, 1, 2, 2))
    # 1; 1 + 1 = 2; (1 + 2) + 10 = 13; (2 + 13) + 100 = 115; the last with the one before
    assert out[0, :, 0, 0].tolist() == [13, 115]
    last = MultiScale([Add(1), Add(10)], join_last=False)(torch.ones(1, 1, 2, 2))
    assert last[0, :, 0, 0].tolist() == [13]


def test_maps_of_other_sizes_are_cut_about_the_middle_or_padded():
    values = torch.arange(36.0).reshape(1, 1, 6, 6)
    assert torch.equal(fitted(values, 2), values[..., 2:4, 2:4])
    assert torch.equal(fitted(fitted(values, 10), 6), values)
    assert fitted(values, 10)[..., 0, :].abs().sum() == 0
    out = MultiScale([Add(0, cut=1)])(values)
    assert out.shape == (1, 2, 4, 4)
    assert torch.equal(out[:, :1], out[:, 1:])


def test_multi_scale_networks_by_hand():
    for size, padding in [(250, "paper"), (128, "paper"), (64, "same")]:
        model = on_paper(PaperConfig(size, padding=padding, multi_scale=True))
        # chunks: 3 -> 8, 3 + 8 -> 8, together 16; 16 -> 16, 32 -> 16, together 32; 32 -> 32, 64 -> 32, together 64
        pairs = [(7, 3, 8), (7, 11, 8), (9, 16, 16), (9, 32, 16), (9, 32, 32), (9, 64, 32)]
        norms = 2 * (16 + 32 + 64)
        assert parameters(model.trunk) == sum(k * k * i * o + o for k, i, o in pairs) + norms
        assert model.config.feature_map[0] == 64
        # 32 -> 32, 64 -> 16, together 48; 48 -> 16, 64 -> 8, together 24; 24 -> 8, 32 -> 3
        pairs = [(9, 32, 32), (9, 64, 16), (9, 48, 16), (9, 64, 8), (7, 24, 8), (7, 32, 3)]
        assert parameters(model.decoder.layers) == sum(k * k * i * o + o for k, i, o in pairs) + 2 * (48 + 24 + 3)
        images = torch.empty(2, 3, size, size, device="meta")
        assert model(images).shape == images.shape
        critic = on_paper(PaperDiscriminatorConfig(size, padding=padding, multi_scale=True), PaperDiscriminator)
        assert [maps.shape[1] for maps in critic.features(images)] == [16, 32, 64, 250, 80]


def test_width_and_extra_convolutions_by_hand():
    deep = on_paper(PaperConfig(64, padding="same", width=2.0, extra=2))
    plain = on_paper(PaperConfig(64, padding="same", width=2.0))
    widths = (16, 32, 64)
    more = sum(2 * (9 * width * width + width) for width in widths)
    assert parameters(deep.trunk) - parameters(plain.trunk) == more
    more = sum(2 * (9 * width * width + width) for width in (32, 16, 16))
    assert parameters(deep.decoder.layers) - parameters(plain.decoder.layers) == more
    pairs = [(7, 3, 16), (7, 16, 16), (9, 16, 32), (9, 32, 32), (9, 32, 64), (9, 64, 64)]
    assert parameters(plain.trunk) == sum(k * k * i * o + o for k, i, o in pairs) + 2 * sum(widths)
    narrow = on_paper(PaperConfig(32, width=0.125, encoder="vgg11"))
    assert narrow.config.feature_map == (64, 1, 1)
    assert narrow(torch.empty(2, 3, 32, 32, device="meta")).shape == (2, 3, 32, 32)


def test_sizes_that_cannot_be():
    for options, message in [
        ({"width": 0.0}, "width must be more than 0"),
        ({"extra": -1}, "extra at least 0"),
        ({"encoder": "vgg11", "multi_scale": True}, "change the paper's tables, not encoder='vgg11'"),
    ]:
        with pytest.raises(FeatureblendError, match=message):
            PaperConfig(**options)


def test_negative_kernels_are_refused():
    with pytest.raises(FeatureblendError, match="minibatch_kernels must be at least 0"):
        PaperDiscriminatorConfig(minibatch_kernels=-1)


# --- minibatch discrimination (Salimans et al. 2016, section 3.2)


def test_minibatch_discrimination_by_hand():
    layer = MinibatchDiscrimination(2, kernels=1, dimensions=2)
    with torch.no_grad():
        layer.tensor.copy_(torch.eye(2))
    features = torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 2.0]])
    near = layer(features)[:, 2]
    expected = [math.exp(-1) + math.exp(-3), math.exp(-1) + math.exp(-2), math.exp(-3) + math.exp(-2)]
    torch.testing.assert_close(near, torch.tensor(expected))
    assert torch.equal(layer(features)[:, :2], features)


def test_a_critic_with_it_sees_collapse():
    """The same picture is judged otherwise among copies of itself than among others, and the gradient says so."""
    torch.manual_seed(0)
    config = PaperDiscriminatorConfig(32, batch_norm=False, padding="same", minibatch_kernels=16)
    critic = PaperDiscriminator(config)
    assert critic.mixes_samples
    images = torch.rand(4, 3, 32, 32) * 2 - 1
    alike = images[:1].expand(4, -1, -1, -1)
    assert abs(float((critic(alike)[0] - critic(images)[0]).detach())) > 1e-5
    blind = PaperDiscriminator(PaperDiscriminatorConfig(32, batch_norm=False, padding="same"))
    assert not blind.mixes_samples
    torch.testing.assert_close(blind(alike)[0], blind(images)[0])


# --- the critic of codes


def test_latent_discriminator():
    critic = LatentDiscriminator(LatentDiscriminatorConfig(5, (7, 3)))
    assert parameters(critic) == (5 * 7 + 7) + (7 * 3 + 3) + (3 + 1)
    assert critic(torch.zeros(4, 5)).shape == (4,)
    with torch.autocast("cpu", torch.bfloat16):
        assert critic(torch.zeros(4, 5)).dtype == torch.float32
    with pytest.raises(FeatureblendError, match=r"expected codes of shape \(B, 5\), not \(4, 6\)"):
        critic(torch.zeros(4, 6))
    for wrong in ({"latent_dim": 0}, {"widths": ()}, {"widths": (3, 0)}):
        with pytest.raises(FeatureblendError, match="must be at least 1"):
            LatentDiscriminatorConfig(**wrong)
