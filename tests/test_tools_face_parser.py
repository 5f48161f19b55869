"""The training of the face parser: its pictures and labels, one step, the export."""

import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from PIL import Image

from featureblend.faces.drawn import draw_face, draw_labels

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools"))
tool = pytest.importorskip("train_face_parser", reason="needs the extra train")
torch = tool.torch

COLOURS = np.array([(20, 20, 20), (220, 60, 60), (60, 220, 60), (60, 60, 220)], np.uint8)


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    """A folder of drawn faces, read as the tool reads it."""
    folder = tmp_path_factory.mktemp("faces")
    for seed in range(6):
        name = f"{seed // 3:05d}{'abm'[seed % 3]}"
        Image.fromarray(draw_face(seed, 128)[0]).save(folder / f"{name}.jpg", quality=95)
        Image.fromarray(draw_labels(seed, 128).argmax(axis=-1).astype(np.uint8)).save(folder / f"{name}.png")
    return tool.read_faces(folder)


def small_network():
    torch.manual_seed(0)
    return tool.Parser((8, 16, 16, 16))


def test_last_triplets_and_every_second_portrait_are_held_out(faces):
    assert faces.pictures.shape == (6, tool.STORED, tool.STORED, 3)
    assert tool.held_out(faces.names).tolist() == [False] * 3 + [True] * 3
    numbered = [f"{number:05d}{letter}" for number in range(300) for letter in "abm"]
    assert tool.held_out(numbered).sum() == 3 * tool.HELD_OUT_TRIPLETS
    assert tool.held_out(numbered)[-1]
    assert tool.held_out(["ana", "ben", "cem"]).tolist() == [False, True, False]


def test_labels_lose_specks_and_holes_in_a_face_but_no_gaps_between_hair():
    labels = np.zeros((128, 128), np.uint8)
    labels[20:110, 30:90] = 3  # hair
    labels[40:100, 40:70] = 1  # a face
    clean = labels.copy()
    labels[50:56, 45:65] = 0  # glasses
    labels[30:34, 50:54] = 2  # a speck in the hair
    clean[60:90, 74:84] = labels[60:90, 74:84] = 0  # background within hair
    assert (tool.mended(labels) == clean).all()


def test_labels_move_with_their_picture():
    for seed in range(8):
        labels = draw_labels(seed).argmax(axis=-1)
        painted = np.kron(COLOURS[labels], np.ones((2, 2, 1), np.uint8))
        picture, truth = tool.placed(np.random.default_rng(seed), painted, tool.shares(labels, 128))
        seen = np.square(picture[..., None, :].astype(int) - COLOURS).sum(axis=-1).argmin(axis=-1)
        sure = truth.max(axis=-1) > 0.9
        assert sure.mean() > 0.8
        assert (seen == truth.argmax(axis=-1))[sure].mean() > 0.99


def test_a_batch_is_the_same_for_the_same_seed(faces):
    weights = np.full(len(faces), 1 / len(faces))
    first, again, other = (tool.batch(seed, faces, list(faces.pictures), weights) for seed in ((0, 1), (0, 1), (0, 2)))
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    assert not torch.equal(first[0], other[0])
    assert torch.allclose(first[1].sum(dim=1), torch.ones(()), atol=1e-4)


def test_loss_falls_on_one_batch(faces):
    network = small_network()
    optimizer = torch.optim.AdamW(network.parameters(), 1e-2)
    images, truth = tool.batch((0, 0), faces, list(faces.pictures), np.full(len(faces), 1 / len(faces)))
    losses = [tool.step(network, optimizer, images, truth) for _ in range(20)]
    assert losses[-1] < 0.7 * losses[0]


def test_a_picture_is_doubted_as_far_as_the_network_contradicts_its_labels(faces):
    class Wall(torch.nn.Module):
        """Sees background everywhere."""

        def forward(self, images):
            return torch.tensor([1.0, 0, 0, 0]).view(1, 4, 1, 1).expand(len(images), 4, *images.shape[2:])

    assert np.allclose(tool.contradicted(Wall(), faces), (faces.labels != 0).mean(axis=(1, 2)))


def test_a_stopped_training_goes_on(faces, tmp_path, monkeypatch):
    weights = np.full(len(faces), 1 / len(faces))
    monkeypatch.setattr(tool, "WIDTHS", (8, 16, 16, 16))
    monkeypatch.setattr(tool.Parser.__init__, "__defaults__", ((8, 16, 16, 16),))
    path = tmp_path / "parser.pt"
    first = tool.train(faces, list(faces.pictures), weights, 0.01, path)
    steps = torch.load(path, weights_only=True)["done"]["steps"]
    again = tool.train(faces, list(faces.pictures), weights, 0.01, path)  # its time is up already
    assert torch.load(path, weights_only=True)["done"]["steps"] == steps > 0
    assert all(
        torch.equal(*pair) for pair in zip(first.state_dict().values(), again.state_dict().values(), strict=True)
    )


def test_the_export_computes_what_torch_does(faces, tmp_path):
    network = small_network()
    images = torch.from_numpy(faces.pictures[:, ::2, ::2].astype(np.float32) / 255)
    for _ in range(3):  # normalization that is not the identity
        network.train()(images.permute(0, 3, 1, 2) * 2 - 1)
    path = tmp_path / "parser.onnx"
    tool.export(network, path)
    network.eval()
    with torch.no_grad():
        expected = network(images.permute(0, 3, 1, 2) * 2 - 1).softmax(dim=1).permute(0, 2, 3, 1).numpy()
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"images": images.numpy()})
    assert np.abs(found - expected).max() < 2e-3
    assert np.allclose(found.sum(axis=-1), 1, atol=1e-5)


def test_overlaps_are_counted_over_all_pictures():
    truth = np.array([[0, 0, 1, 1], [2, 2, 3, 3]])
    found = np.array([[0, 1, 1, 1], [2, 2, 3, 3]])
    assert tool.overlaps(found, truth) == [1 / 2, 2 / 3, 1, 1]
