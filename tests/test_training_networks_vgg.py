"""The paper's VGG11 variant: counts worked by hand, torchvision's names, and loading of its weights."""

import hashlib

import pytest
import torch
from networks_on_paper import build, on_paper, parameters

from featureblend.errors import FeatureblendError
from featureblend.training.networks.paper import PaperAutoencoder, PaperConfig
from featureblend.training.networks.vgg import (
    VGG_HASHES,
    VGGConvolutions,
    VGGFeatures,
    vgg_sizes,
    vgg_weights,
)

VGG = PaperConfig(image_size=32, latent_dim=6, feature_dim=12, encoder="vgg11")


# torchvision's vgg11: convolutions at these places of `features`, inputs and outputs from table 1, column A
VGG11_LAYERS = {
    **{0: (3, 64), 3: (64, 128), 6: (128, 256), 8: (256, 256)},
    **{11: (256, 512), 13: (512, 512), 16: (512, 512), 18: (512, 512)},
}
VGG11_BN_PLACES = [0, 4, 8, 11, 15, 18, 22, 25]


def torchvision_state(places=VGG11_LAYERS):
    state = {}
    for place, (inputs, outputs) in places.items():
        state[f"features.{place}.weight"] = torch.full((outputs, inputs, 3, 3), float(place))
        state[f"features.{place}.bias"] = torch.zeros(outputs)
    return {**state, "classifier.6.bias": torch.zeros(1000)}


def test_vgg11_has_its_papers_parameters_under_torchvisions_names():
    encoder = on_paper("vgg11", VGGConvolutions)
    assert {key: tuple(value.shape) for key, value in encoder.state_dict().items()} == {
        key: tuple(value.shape) for key, value in torchvision_state().items() if key.startswith("features.")
    }
    # 1,792 + 73,856 + 295,168 + 590,080 + 1,180,160 + 3 * 2,359,808
    assert parameters(encoder) == sum(9 * i * o + o for i, o in VGG11_LAYERS.values()) == 9_220_480
    with_norm = on_paper("vgg11_bn", VGGConvolutions)
    assert parameters(with_norm) == 9_220_480 + 2 * (64 + 128 + 2 * 256 + 4 * 512) == 9_225_984
    places = [int(key.split(".")[1]) for key, value in with_norm.state_dict().items() if value.ndim == 4]
    assert places == VGG11_BN_PLACES


def test_each_upsampling_undoes_its_pooling():
    for sizes in [(224, 112, 56, 28, 14, 7), (250, 125, 62, 31, 15, 7)]:
        size, seen = sizes[0], []
        assert vgg_sizes(size) == sizes
        model = on_paper(PaperConfig(image_size=size, encoder="vgg11"))
        for layer in (*model.trunk.features, *model.decoder.layers):
            if isinstance(layer, (torch.nn.MaxPool2d, torch.nn.Upsample)):
                layer.register_forward_hook(lambda module, inputs, output, seen=seen: seen.append(output.shape[-1]))
        assert model(torch.empty(2, 3, size, size, device="meta")).shape == (2, 3, size, size)
        assert seen == [*sizes[1:], *sizes[-2::-1]]


def test_the_authors_vgg_autoencoder_counted_by_hand():
    model = on_paper(PaperConfig(224, 4096, None, encoder="vgg11_bn", output="relu_sigmoid"))
    assert model.config.feature_map == (512, 7, 7)
    features = 512 * 7 * 7
    assert parameters(model.mean) == features * 4096 + 4096
    assert parameters(model.decoder.expand) == 4096 * features + features
    # nine transposed 3 x 3 convolutions, each with BatchNorm: 512 three times, 512 to 256, 256, 256 to 128, to 64, to 3
    pairs = [(512, 512)] * 3 + [(512, 256), (256, 256), (256, 128), (128, 64), (64, 3)]
    assert parameters(model.decoder.layers) == sum(9 * i * o + o + 2 * o for i, o in pairs)


def test_torchvision_weights_load_strictly_and_by_hash(tmp_path):
    from safetensors.torch import save_file

    state = torchvision_state()
    model = build(VGG)
    torch.save(state, tmp_path / "vgg11.pth")
    digest = hashlib.sha256((tmp_path / "vgg11.pth").read_bytes()).hexdigest()
    model.load_vgg(tmp_path / "vgg11.pth", sha256=digest[:8].upper())
    assert all((model.trunk.features[place].weight == place).all() for place in VGG11_LAYERS)
    save_file({key: value + 1 for key, value in state.items()}, tmp_path / "vgg11.safetensors")
    model.load_vgg(tmp_path / "vgg11.safetensors")
    assert all((model.trunk.features[place].weight == place + 1).all() for place in VGG11_LAYERS)


def test_weights_that_do_not_fit_are_refused_and_change_nothing(tmp_path):
    encoder = build("vgg11", VGGConvolutions)
    before = {key: value.clone() for key, value in encoder.state_dict().items()}
    good, other = torchvision_state(), tmp_path / "other.pth"

    def refused(content, message, **options):
        torch.save(content, other)
        with pytest.raises(FeatureblendError, match=message):
            encoder.load_weights(other, **options)

    with pytest.raises(FeatureblendError, match=r"no such weights file: .*missing\.pth"):
        encoder.load_weights(tmp_path / "missing.pth")
    refused(good, "is not the file that was asked for", sha256="0" * 64)
    refused(good, "is no SHA-256", sha256="8a7")
    refused({**good, "features.0.bias": torch.zeros(3)}, r"features\.0\.bias is")
    refused(
        {key: value for key, value in good.items() if key != "features.18.weight"}, r"features\.18\.weight is missing"
    )
    refused({}, "is missing")
    refused([1, 2], "expected a state dict")
    refused(VGG, "no weights that torch can read")  # any pickled object: nothing of it is run
    for name in ("other.pth", "other.safetensors"):
        (tmp_path / name).write_bytes(b"not weights")
        with pytest.raises(FeatureblendError, match=r"other\..* holds no weights"):
            encoder.load_weights(tmp_path / name)
    assert all(torch.equal(value, before[key]) for key, value in encoder.state_dict().items())
    small = PaperConfig(image_size=8, latent_dim=2, feature_dim=2, padding="same")
    with pytest.raises(FeatureblendError, match="do not fit encoder='paper'"):
        PaperAutoencoder(small).load_vgg(other)


def test_imagenet_statistics_are_taken_off_only_when_asked_for():
    plain, adjusted = (build("vgg11", lambda name, on=on: VGGConvolutions(name, on)) for on in (False, True))
    images = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    deviation = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    with torch.no_grad():
        torch.testing.assert_close(adjusted(images * deviation + mean), plain(images))
        assert not torch.allclose(adjusted(images), plain(images))


# torchvision's vgg16, table 1, column D
VGG16_LAYERS = {
    **{0: (3, 64), 2: (64, 64), 5: (64, 128), 7: (128, 128), 10: (128, 256), 12: (256, 256), 14: (256, 256)},
    **{17: (256, 512), 19: (512, 512), 21: (512, 512), 24: (512, 512), 26: (512, 512), 28: (512, 512)},
}


def test_vgg16_has_its_papers_parameters_under_torchvisions_names():
    network = on_paper("vgg16", VGGConvolutions)
    assert {key: tuple(value.shape) for key, value in network.state_dict().items()} == {
        key: tuple(value.shape) for key, value in torchvision_state(VGG16_LAYERS).items() if key.startswith("features")
    }
    assert parameters(network) == 14_714_688
    assert len(on_paper("vgg16_bn", VGGConvolutions).features) == len(network.features) + 13
    with pytest.raises(FeatureblendError, match="no such network: 'vgg19'; use one of vgg11, vgg11_bn, vgg16"):
        VGGConvolutions("vgg19")


def test_torchvisions_own_files_are_known_by_their_hash(tmp_path, monkeypatch):
    path = tmp_path / "vgg11.pth"
    torch.save(torchvision_state(), path)
    encoder = build("vgg11", VGGConvolutions)
    with pytest.raises(FeatureblendError, match=r"its SHA-256 is .*, not 8a719046 or bbd30ac9"):
        encoder.load_weights(path, "torchvision")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setitem(VGG_HASHES, "vgg11", ("8a719046", digest[:8]))
    encoder.load_weights(path, "torchvision")
    assert (encoder.features[18].weight == 18).all()


def test_features_are_the_maps_before_each_pooling():
    """Johnson et al.'s relu1_2, relu2_2, relu3_3 and relu4_3 are outputs 3, 8, 15 and 22 of torchvision's layers."""
    features, images = VGGFeatures("vgg16", width=0.125), torch.rand(2, 3, 32, 32) * 2 - 1
    maps = features(images)
    assert [tuple(one.shape[1:]) for one in maps] == [(8, 32, 32), (16, 16, 16), (32, 8, 8), (64, 4, 4)]
    values = features.network.normalised((images + 1) / 2)
    for place, layer in enumerate(features.network.features):
        values = layer(values)
        if place in (3, 8, 15, 22):
            torch.testing.assert_close(maps.pop(0), values)
    assert not maps
    assert values.std() > 0.01  # He's weights keep the signal
    assert not any(parameter.requires_grad for parameter in features.parameters())
    assert not features.train().network.training


def test_random_features_are_fixed_and_draw_nothing_from_others():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first = VGGFeatures("vgg11", width=0.125)
    assert torch.equal(torch.rand(3), expected)
    again = VGGFeatures("vgg11", width=0.125)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))


def test_the_installed_vgg16_is_its_publishers():
    """The means of the maps are those that stlpips_pytorch's own code gives of these pictures."""
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    images = torch.stack([torch.sin(x / 5), torch.cos(y / 7), torch.sin((x + y) / 9)])[None]
    maps = VGGFeatures("vgg16_st", vgg_weights("vgg16_st"))(images)
    assert [tuple(one.shape[1:]) for one in maps] == [(64, 64, 64), (128, 33, 33), (256, 17, 17), (512, 9, 9)]
    assert [float(one.mean()) for one in maps] == pytest.approx([0.089825, 0.018379, 0.017113, 0.028014], rel=1e-3)
    model = PaperAutoencoder(PaperConfig(image_size=32, latent_dim=6, feature_dim=12, encoder="vgg16_st"))
    model.load_vgg(vgg_weights("vgg16_st"), "torchvision")
    assert model.encode(torch.zeros(1, 3, 32, 32)).shape == (1, 6)
    assert model.config.feature_map == (512, 1, 1)
