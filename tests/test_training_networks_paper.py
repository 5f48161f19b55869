"""The paper's networks against numbers worked by hand from its table, and the facts about its failures."""

import dataclasses
import functools

import pytest
import torch
from networks_on_paper import build, on_paper, parameters

from featureblend.errors import FeatureblendError
from featureblend.training.networks.paper import (
    PaperAutoencoder,
    PaperConfig,
    PaperDiscriminator,
    PaperDiscriminatorConfig,
    paper_sizes,
)

TINY = PaperConfig(image_size=64, latent_dim=6, feature_dim=12, padding="same")
VGG = PaperConfig(image_size=32, latent_dim=6, feature_dim=12, encoder="vgg11")
VARIANTS = {
    "text": TINY,
    "code": dataclasses.replace(TINY, feature_dim=None),
    "as meant": dataclasses.replace(TINY, final_batch_norm=False),
    "plain": dataclasses.replace(TINY, variational=False),
    "vgg11": dataclasses.replace(VGG, final_batch_norm=False, imagenet_statistics=True),
    "vgg11_bn": dataclasses.replace(VGG, encoder="vgg11_bn", output="relu_sigmoid"),
}


def photos(size, count=2):
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(0)) * 2 - 1


def shapes(module, run):
    """Shape of the output of every layer in `module.layers`, without the batch, as `run` goes through it."""
    found = []
    hooks = [
        layer.register_forward_hook(lambda *call: found.append(tuple(call[2].shape[1:]))) for layer in module.layers
    ]
    run()
    for hook in hooks:
        hook.remove()
    return found


# --- the paper's table, 250 px -----------------------------------------------------------------------------------

# name in the table, shape of the output, parameters: k * k * in * out + out for a convolution, 2 a channel for a norm
ENCODER_TABLE = [
    ("Convol. 8, 7", (8, 246, 246), 7 * 7 * 3 * 8 + 8),  # 250 + 2 - 6; 1,184
    ("Convol. 8, 7", (8, 240, 240), 7 * 7 * 8 * 8 + 8),  # 246 - 6; 3,144
    ("Batch norm.", (8, 240, 240), 2 * 8),
    ("ReLU", (8, 240, 240), 0),
    ("Pooling 2", (8, 120, 120), 0),
    ("Convol. 16, 9", (16, 112, 112), 9 * 9 * 8 * 16 + 16),  # 120 - 8; 10,384
    ("Convol. 16, 9", (16, 104, 104), 9 * 9 * 16 * 16 + 16),  # 112 - 8; 20,752
    ("Batch norm.", (16, 104, 104), 2 * 16),
    ("ReLU", (16, 104, 104), 0),
    ("Pooling 2", (16, 52, 52), 0),
    ("Convol. 32, 9", (32, 44, 44), 9 * 9 * 16 * 32 + 32),  # 52 - 8; 41,504
    ("Convol. 32, 9", (32, 36, 36), 9 * 9 * 32 * 32 + 32),  # 44 - 8; 82,976
    ("Batch norm.", (32, 36, 36), 2 * 32),
    ("ReLU", (32, 36, 36), 0),
    ("Pooling 2", (32, 18, 18), 0),  # 32 * 18 * 18 = 10,368
]

# the mirror image: a transposed convolution without padding adds k - 1, the last one with padding 1 adds 6 - 2
DECODER_TABLE = [
    ("Upsampling 2", (32, 36, 36), 0),
    ("Deconv. 32, 9", (32, 44, 44), 9 * 9 * 32 * 32 + 32),  # 82,976
    ("Deconv. 16, 9", (16, 52, 52), 9 * 9 * 32 * 16 + 16),  # 41,488
    ("Batch norm.", (16, 52, 52), 2 * 16),
    ("ReLU", (16, 52, 52), 0),
    ("Upsampling 2", (16, 104, 104), 0),
    ("Deconv. 16, 9", (16, 112, 112), 9 * 9 * 16 * 16 + 16),  # 20,752
    ("Deconv. 8, 9", (8, 120, 120), 9 * 9 * 16 * 8 + 8),  # 10,376
    ("Batch norm.", (8, 120, 120), 2 * 8),
    ("ReLU", (8, 120, 120), 0),
    ("Upsampling 2", (8, 240, 240), 0),
    ("Deconv. 8, 7", (8, 246, 246), 7 * 7 * 8 * 8 + 8),  # 3,144
    ("Deconv. 3, 7", (3, 250, 250), 7 * 7 * 8 * 3 + 3),  # 1,179
    ("Batch norm.", (3, 250, 250), 2 * 3),
]


@pytest.fixture(scope="module")
def published():
    """The text's network at its own size, after one pass of two images in training mode."""
    model = build(PaperConfig())
    images = photos(250)
    posterior = model.posterior(images)
    return model, images, posterior, model.decode(posterior.mean)


def test_every_layer_of_the_encoder_has_the_tables_shape_and_count(published):
    trunk, images = published[0].trunk, published[1]
    with torch.no_grad():
        assert shapes(trunk, lambda: trunk(images)) == [row[1] for row in ENCODER_TABLE]
    assert [parameters(layer) for layer in trunk.layers] == [row[2] for row in ENCODER_TABLE]
    # 1,184 + 3,144 + 16 + 10,384 + 20,752 + 32 + 41,504 + 82,976 + 64
    assert parameters(trunk) == 160_056


def test_every_layer_of_the_decoder_mirrors_the_table(published):
    decoder = published[0].decoder
    with torch.no_grad():
        assert shapes(decoder, lambda: decoder(torch.zeros(2, 200))) == [row[1] for row in DECODER_TABLE]
    assert [parameters(layer) for layer in decoder.layers] == [row[2] for row in DECODER_TABLE]
    # 82,976 + 41,488 + 32 + 20,752 + 10,376 + 16 + 3,144 + 1,179 + 6
    assert parameters(decoder.layers) == 159_969


def test_the_texts_fully_connected_layers_and_total(published):
    model = published[0]
    assert parameters(model.project) == 10_368 * 2000 + 2000 == 20_738_000  # the table's last row
    assert parameters(model.mean) == parameters(model.log_variance) == 2000 * 200 + 200 == 400_200
    assert parameters(model.decoder.expand) == 200 * 10_368 + 10_368 == 2_083_968
    assert parameters(model) == 160_056 + 20_738_000 + 2 * 400_200 + 2_083_968 + 159_969 == 23_942_393


def test_every_reading_of_the_paper_can_be_expressed():
    for options, count in [
        # the text read the other way, 2000 throughout: heads that "preserve length"
        ({"latent_dim": 2000}, 160_056 + 20_738_000 + 2 * (2000 * 2000 + 2000) + 2001 * 10_368 + 159_969),
        # AVCAE_wasserstein.py: heads of 5000 straight from 10,368
        ({"feature_dim": None, "latent_dim": 5000}, 160_056 + 2 * (10_368 * 5000 + 5000) + 5001 * 10_368 + 159_969),
        # as meant: 6 parameters of BatchNorm(3) fewer
        ({"final_batch_norm": False}, 23_942_393 - 6),
        # section 2.2's standard autoencoder, the 2000 numbers of the table as its latent
        (
            {"variational": False, "feature_dim": None, "latent_dim": 2000},
            160_056 + 20_738_000 + 2001 * 10_368 + 159_969,
        ),
    ]:
        assert parameters(on_paper(PaperConfig(**options))) == count


def test_the_published_network_runs_at_its_own_size(published):
    model, images, posterior, output = published
    assert posterior.mean.shape == posterior.log_variance.shape == (2, 200)
    assert posterior.kl().shape == (2,)
    assert output.shape == images.shape == (2, 3, 250, 250)
    assert output.isfinite().all()
    assert output.abs().max() <= 1
    assert model.image_size == model.config.image_size == 250


def test_the_discriminator_has_the_tables_layers_and_shapes(published):
    network = build(None, PaperDiscriminator)
    assert [parameters(layer) for layer in network.trunk.layers] == [row[2] for row in ENCODER_TABLE]
    assert parameters(network.hidden1) == 10_368 * 250 + 250 == 2_592_250
    assert parameters(network.hidden2) == 250 * 80 + 80 == 20_080
    assert parameters(network.logit) == 80 * 1 + 1
    assert parameters(network) == 160_056 + 2_592_250 + 20_080 + 81 == 2_772_467
    with torch.no_grad():
        features = network.features(published[1])
    expected = [(2, 8, 120, 120), (2, 16, 52, 52), (2, 32, 18, 18), (2, 250), (2, 80)]
    assert [tuple(feature.shape) for feature in features] == expected


# --- other sizes -------------------------------------------------------------------------------------------------


def test_map_sizes_worked_by_hand_and_the_layers_that_have_them():
    for size, padding, sizes in [
        (250, "paper", (250, 246, 240, 120, 112, 104, 52, 44, 36, 18)),
        (128, "paper", (128, 124, 118, 59, 51, 43, 21, 13, 5, 2)),  # 43 and 5 are odd: their poolings drop a row
        (114, "paper", (114, 110, 104, 52, 44, 36, 18, 10, 2, 1)),
        (128, "same", (128, 128, 128, 64, 64, 64, 32, 32, 32, 16)),
        (64, "same", (64, 64, 64, 32, 32, 32, 16, 16, 16, 8)),
    ]:
        assert paper_sizes(size, padding) == sizes
        model = on_paper(PaperConfig(image_size=size, padding=padding))
        images = torch.empty(2, 3, size, size, device="meta")
        _, two, three, _, five, six, _, eight, nine, ten = sizes
        encoder = [shape[1] for shape in shapes(model.trunk, functools.partial(model.trunk, images))]
        due = [two, *[three] * 3, sizes[3], five, *[six] * 3, sizes[6], eight, *[nine] * 3, ten]
        assert encoder == due
        decoder = [shape[1] for shape in shapes(model.decoder, functools.partial(model, images))]
        assert decoder == [nine, *[eight, *[sizes[6]] * 3], six, *[five, *[sizes[3]] * 3], three, *[two, *[size] * 2]]


def test_any_size_from_the_smallest_comes_back_exactly():
    for encoder, padding, smallest in [("paper", "paper", 114), ("paper", "same", 8), ("vgg11", "paper", 32)]:
        for size in range(smallest, smallest + 20):
            config = PaperConfig(image_size=size, latent_dim=3, feature_dim=4, encoder=encoder, padding=padding)
            images = torch.empty(2, 3, size, size, device="meta")
            assert on_paper(config)(images).shape == images.shape


def test_what_cannot_be_built_is_refused_with_a_reason():
    for options, message in [
        ({"image_size": 113}, "image_size 113 is too small .* 114 or more, or padding='same'"),
        ({"image_size": 7, "padding": "same"}, "image_size 7 is too small .* 8 or more"),
        ({"image_size": 31, "encoder": "vgg11"}, "image_size 31 is too small for a VGG: use 32"),
        ({"latent_dim": 0}, "latent_dim must be at least 1"),
        ({"feature_dim": 0}, "feature_dim must be at least 1"),
        ({"output": "tanh"}, "unknown output 'tanh': use one of sigmoid, relu_sigmoid"),
        ({"encoder": "vgg16"}, "unknown encoder 'vgg16': use one of paper, vgg11"),
        ({"padding": "valid"}, "unknown padding 'valid': use one of paper, same"),
    ]:
        with pytest.raises(FeatureblendError, match=message):
            PaperConfig(**options)


def test_images_of_another_size_are_refused():
    for network, config in [(PaperAutoencoder, TINY), (PaperDiscriminator, TINY)]:
        if network is PaperDiscriminator:
            config = PaperDiscriminatorConfig(config.image_size, padding=config.padding)
        with pytest.raises(FeatureblendError, match=r"shape \(B, 3, 64, 64\), not \(2, 3, 32, 32\)"):
            build(config, network)(photos(32))


# --- behaviour of every variant ----------------------------------------------------------------------------------


def test_shapes_range_and_determinism():
    for model in map(build, VARIANTS.values()):
        images = photos(model.image_size)
        with torch.no_grad():
            model.train()
            output = model(images)
            assert output.shape == images.shape
            assert output.isfinite().all()
            assert -1 <= output.min() <= output.max() <= 1
            model.eval()
            assert torch.equal(model(images), model(images))
            assert torch.equal(model(images), model.decode(model.encode(images)))
            assert torch.equal(model.encode(images), model.posterior(images).mean)
            assert model.encode(images).shape == (2, model.config.latent_dim)
            # in eval mode nothing leaks from one sample to the next
            torch.testing.assert_close(model(images)[:1], model(images[:1]), atol=1e-5, rtol=1e-4)


# --- what went wrong in the paper --------------------------------------------------------------------------------

LFW_LOGITS = torch.tensor([0.13, -0.31, -0.61])
"""Mean logits of red, green and blue that LFW's crop needs (findings, section 1)."""


def test_a_final_batch_norm_pins_the_mean_colour_and_without_it_the_last_bias_moves_it():
    latents = torch.randn(4, TINY.latent_dim, generator=torch.Generator().manual_seed(0))
    for config, moves in ((VARIANTS["text"], False), (VARIANTS["as meant"], True)):
        decoder = build(config).decoder.train()
        before = decoder(latents).mean((0, 2, 3))
        with torch.no_grad():
            decoder.layers[12].bias += LFW_LOGITS
        after = decoder(latents).mean((0, 2, 3))
        if moves:
            torch.testing.assert_close(after - before, LFW_LOGITS, atol=1e-5, rtol=0)
        else:
            torch.testing.assert_close(torch.stack([before, after]), torch.zeros(2, 3), atol=1e-5, rtol=0)


def test_a_relu_before_the_sigmoid_leaves_no_pixel_darker_than_middle_grey():
    images = photos(64)
    lowest = {name: build(dataclasses.replace(TINY, output=name))(images).min() for name in ("sigmoid", "relu_sigmoid")}
    assert lowest["relu_sigmoid"] == 0  # 1/2 of the paper's [0, 1]
    assert lowest["sigmoid"] < -0.5


def test_values_enter_as_the_papers_zero_to_one():
    model = build(TINY).eval()
    seen = []
    model.trunk.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    model.encode(torch.tensor([-1.0, 0.0, 1.0]).view(1, 3, 1, 1).expand(1, 3, 64, 64))
    assert seen[0][0, :, 0, 0].tolist() == [0.0, 0.5, 1.0]


# --- discriminator -----------------------------------------------------------------------------------------------


def test_the_discriminator_gives_raw_logits_by_one_path():
    for batch_norm in [True, False]:
        network = build(PaperDiscriminatorConfig(64, batch_norm, "same"), PaperDiscriminator)
        images = photos(64, 3)
        logits = network(images)
        assert logits.shape == (3,)
        assert torch.equal(logits, network.logit(network.features(images)[-1])[:, 0])
        # raw: a shift of the last bias comes out as it went in, where a sigmoid would bend it
        with torch.no_grad():
            network.logit.bias += 100
        torch.testing.assert_close(network(images), logits + 100)
        logits.sum().backward()
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            assert name.endswith("bias") or parameter.grad.abs().max() > 0, name
        if not batch_norm:  # each sample is judged alone, as a gradient penalty needs
            torch.testing.assert_close(network(images)[:1], network(images[:1]))
