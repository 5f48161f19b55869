"""The networks of FID and LPIPS against outside oracles, on weights that the tests make; and files that do not fit."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest
import torch
from drawn_faces import draw_faces
from published_networks import made_pictures, made_weights

from featureblend.errors import FeatureblendError
from featureblend.evaluation.learned import find_extractors
from featureblend.evaluation.measuring import Measurer
from featureblend.evaluation.methods import Autoencoder, Made
from featureblend.evaluation.protocols import Protocol, draw
from featureblend.metrics import inception, lpips
from featureblend.metrics.inception import Inception, inception_features
from featureblend.metrics.lpips import Lpips, find_lpips, load_lpips, lpips_distances
from featureblend.metrics.weights import find_weights, fit_weights, installed_weights, read_tensors
from featureblend.training.dataset import FaceSet


def vouched(path):
    return f"{path}#sha256={hashlib.sha256(path.read_bytes()).hexdigest()}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("weights")


@pytest.fixture(scope="module")
def inception_file(folder):
    """As published: with the classifier of 1008 kinds, which is not needed."""
    path = folder / "inception.pth"
    classifier = {"fc.weight": torch.zeros(1008, 2048), "fc.bias": torch.zeros(1008)}
    torch.save({**made_weights(Inception()), **classifier}, path)
    return path


@pytest.fixture(scope="module")
def alexnet_file(folder):
    """As torchvision publishes it: no linear heads."""
    path = folder / "alexnet.pth"
    weights = {name: value for name, value in made_weights(Lpips("alex")).items() if name.startswith("features")}
    torch.save({**weights, "classifier.1.weight": torch.zeros(2, 2)}, path)
    return path


@pytest.fixture(scope="module")
def both_file(folder):
    """As LPIPS saves itself: one file, other names."""
    path = folder / "lpips.pth"
    weights = made_weights(Lpips("alex"))
    named = {name.replace("features.", "net.slice1."): value for name, value in weights.items()}
    torch.save({name.replace("lin0.", "lins.0."): value for name, value in named.items()}, path)
    return path


def test_inceptions_features_are_those_of_torchvision_with_the_changes_of_fid():
    """The numbers are of torchvision 0.28.0's network with pytorch-fid's changes, filled by `made_weights`."""
    network = Inception()
    fit_weights(network, made_weights(network), "made", "Inception")
    found = inception_features(network, made_pictures(2))
    assert found.shape == (2, 2048)
    expected = [[14.334471, 0, 0.12407152, 0, 9.949112, 9.710278], [14.291871, 0, 0.12983605, 0, 10.477494, 9.666878]]
    np.testing.assert_allclose(found[:, ::400], expected, rtol=2e-4, atol=2e-5)
    assert found.mean() == pytest.approx(6.2730265, rel=1e-4)
    assert found.std() == pytest.approx(8.562367, rel=1e-4)


@pytest.mark.parametrize("kind", ["alex", "vgg"])
def test_lpips_agrees_with_torchmetrics(kind, monkeypatch):
    """torchmetrics has the whole distance but the classifier, which it takes from torchvision: it is given ours."""
    from torchmetrics.functional.image import lpips as oracle

    network = Lpips(kind)
    fit_weights(network, made_weights(network), "made", "LPIPS")
    monkeypatch.setattr(oracle, "_get_tv_model_features", lambda *_: network.features)
    theirs = oracle._LPIPS(pretrained=False, net=kind)
    heads = {name: value for name, value in network.state_dict().items() if name.startswith("lin")}
    assert not theirs.load_state_dict(heads, strict=False).unexpected_keys
    pictures = made_pictures(4, 64)
    found = lpips_distances(network, pictures, pictures[::-1].copy())
    first = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1
    with torch.inference_mode():
        expected = theirs(first, first.flip(0))[:, 0, 0, 0].numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    assert (found > 0).all()
    assert (lpips_distances(network, pictures, pictures) == 0).all()


def test_the_published_heads_come_with_torchmetrics(alexnet_file, both_file):
    files = find_lpips([vouched(alexnet_file)])
    assert [file.published for file in files] == ["", "LPIPS v0.1 alex"]
    head = load_lpips(files).get_submodule("lin0.model")[1].weight
    assert (head >= 0).all()
    assert head.shape == (1, 64, 1, 1)
    (both,) = find_lpips([vouched(both_file)])  # one file may hold both parts
    expected = Lpips("alex")
    fit_weights(expected, made_weights(expected), "made", "LPIPS")
    pictures = made_pictures(2, 64)
    found = lpips_distances(load_lpips((both,)), pictures[:1], pictures[1:])
    np.testing.assert_array_equal(found, lpips_distances(expected, pictures[:1], pictures[1:]))


def test_published_files_need_no_hash_and_others_do(tmp_path):
    path = tmp_path / "some.pth"
    path.write_bytes(b"weights")
    digest = hashlib.sha256(b"weights").hexdigest()
    assert find_weights(str(path), {digest: "famous-1"}, "LPIPS").label == "famous-1"
    assert "not the published file" in find_weights(f"{path}#sha256={digest.upper()}", {}, "LPIPS").label
    for word, message in {
        f"{path}": f"no published file of LPIPS .*its SHA-256 is {digest}; if it is the file you mean, give",
        f"{path}#sha256={'0' * 64}": f"damaged or another file: its SHA-256 is {digest}, not 000",
        f"{path}#sha256=12": "a SHA-256 has 64 hexadecimal digits",
        f"{tmp_path / 'none.pth'}": "there is no such file; expected LPIPS weights",
        f"{tmp_path}": "there is no such file",
    }.items():
        with pytest.raises(FeatureblendError, match=message) as caught:
            find_weights(word, {"a": "other"}, "LPIPS")
        assert "\n" not in str(caught.value)
    # torchvision and torch-fidelity put the first digits of a file's SHA-256 into its name.
    assert [digest[:8] for digest in inception.PUBLISHED] == ["6726825d"]
    for digest, name in lpips.PUBLISHED.items():
        assert len(digest) == 64
        assert name.rpartition("-")[2] in (digest[:8], name)


def test_files_of_another_kind_are_refused_in_one_line(tmp_path, both_file):
    text, numbers, foreign = tmp_path / "text.pth", tmp_path / "list.pth", tmp_path / "foreign.pth"
    text.write_text("no weights")
    torch.save([1, 2], numbers)
    torch.save({"layer.weight": torch.zeros(3)}, foreign)
    short = tmp_path / "short.pth"
    tensors = made_weights(Lpips("alex"))
    torch.save({**tensors, "features.3.bias": torch.zeros(7)}, short)
    for path, kind, message in [
        (text, "inception", "holds no weights that torch can read"),
        (numbers, "inception", "expected a state dict"),
        (foreign, "inception", "holds no Inception v3 of FID: Conv2d_1a_3x3.conv.weight is missing"),
        (foreign, "lpips", "neither AlexNet nor VGG-16 of torchvision: features.0.weight is missing"),
        (short, "lpips", r"holds no LPIPS \(alex\): features.3.bias is \(7,\), not \(192,\)"),
    ]:
        words = {"inception": vouched(path)} if kind == "inception" else {"lpips": [vouched(path)]}
        with pytest.raises(FeatureblendError, match=message) as caught:
            find_extractors(**words)
        assert "\n" not in str(caught.value)
    with pytest.raises(FeatureblendError, match="not 3 files"):
        find_lpips([vouched(both_file)] * 3)


def test_nothing_in_a_file_is_run(tmp_path):
    """A pickle may name any function; one that would make a file does not."""
    marker = tmp_path / "marker"

    class Trap:
        def __reduce__(self):
            return (open, (str(marker), "w"))

    torch.save({"features.0.weight": Trap()}, tmp_path / "trap.pth")
    with pytest.raises(FeatureblendError, match="no weights that torch can read"):
        read_tensors(tmp_path / "trap.pth")
    assert not marker.exists()


def test_pictures_that_do_not_fit_are_refused():
    network = Lpips("alex")
    with pytest.raises(FeatureblendError, match="at least 32 pixels"):
        lpips_distances(network, *np.zeros((2, 1, 16, 16, 3), np.uint8))
    with pytest.raises(FeatureblendError, match="as many pictures of one size"):
        lpips_distances(network, np.zeros((2, 64, 64, 3), np.uint8), np.zeros((1, 64, 64, 3), np.uint8))


def test_blends_and_reconstructions_are_measured_by_the_networks(inception_file, both_file):
    """A blend that is the first parent is out of balance by 1; one halfway in LPIPS's eyes is not."""
    networks = find_extractors(vouched(inception_file), [vouched(both_file)])
    assert set(networks.names) == {"inception", "lpips"}
    assert "inception.pth, sha256" in networks.names["inception"]
    images, points = draw_faces(range(40), 64)
    faces = replace(FaceSet.from_images(images, split="test"), landmarks=points.astype(np.float32))
    drawn = draw(faces, Protocol("three", "test", 3, paths=1, steps=3), 64)
    first, second = drawn.faces.images[drawn.pairs[0]]

    class Fixed(Autoencoder):
        """The first parent, or the mean; it gives a black face back."""

        def made(self, pair, shares, name):
            a, b = (image.astype(float) for image in pair.images)
            mean = shares[0] * a + shares[1] * b
            return Made(pair.images[0] if np.array_equal(pair.images[1], second) else mean.astype(np.uint8), np.ones(1))

    system = Fixed("fixed", "", "", lambda images: np.ones((1, 1)), lambda latents: np.zeros((1, 64, 64, 3), np.uint8))
    measurer = Measurer(drawn, [system], networks)
    found = [measurer.pair(number, ["fixed"], np.ones((1, 391)))["fixed"] for number in range(3)]
    assert found[0].scores["lpips_balance"] == pytest.approx(1)
    assert found[1].scores["lpips_balance"] < 0.9
    black = np.zeros_like(first)
    lost = networks.compare([black, black], [first, second]).mean()
    assert found[0].scores["reconstruction_lpips"] == pytest.approx(lost, rel=1e-5)
    assert "lpips_path_length" in found[0].scores
    assert "lpips_path_length" not in found[1].scores
    assert (found[0].inception.shape, found[0].inception.dtype) == ((2048,), np.float32)


@pytest.mark.parametrize(("kind", "distance"), [("alex", 0.467668), ("vgg", 0.709967)])
def test_installed_lpips_agrees_with_its_publishers_own_code(kind, distance):
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    first = torch.stack([torch.sin(x / 5), torch.cos(y / 7), torch.sin((x + y) / 9)])[None]
    network = load_lpips(find_lpips([installed_weights(f"{kind}_shift_tolerant.pth")]))
    assert float(network(first, first.flip(3) / 2)) == pytest.approx(distance, rel=1e-4)


def test_lpips_is_measured_where_its_weights_are_installed(monkeypatch):
    assert find_extractors().names == {"lpips": "LPIPS (ST LPIPS v0.0 alex)"}
    monkeypatch.setattr("featureblend.evaluation.learned.installed_weights", lambda name: "")
    assert find_extractors().names == {}
