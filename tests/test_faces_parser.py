"""The face parser: drawn faces whose parts are known, any size, edges, and whose head it is."""

from pathlib import Path

import cv2
import numpy as np
import onnxruntime

from featureblend.faces.drawn import LABELS, draw_face, draw_labels
from featureblend.faces.parser import CLASSES, NETWORK, FaceParts, face_parts, guided_filter

REFERENCE = Path(__file__).parent / "data" / "face_parser_reference.npz"


def overlaps(found, truth):
    """Intersection over union of each class."""
    return {
        name: np.logical_and(found == k, truth == k).sum() / np.logical_or(found == k, truth == k).sum()
        for k, name in enumerate(CLASSES)
    }


def parts_of(labels):
    return FaceParts(np.eye(len(CLASSES), dtype=np.float32)[labels])


def test_the_network_is_small():
    assert NETWORK.stat().st_size <= 2_000_000


def test_parts_of_drawn_faces_are_where_they_were_drawn():
    assert LABELS == CLASSES
    found = np.stack([face_parts(draw_face(seed)[0]).probabilities.argmax(axis=-1) for seed in range(40)])
    truth = np.stack([draw_labels(seed).argmax(axis=-1) for seed in range(40)])
    each = overlaps(found, truth)
    assert each["skin"] > 0.85
    assert np.mean(list(each.values())) > 0.7, each


def test_the_network_gives_what_torch_gave_when_it_was_made():
    with np.load(REFERENCE) as file:
        image, expected = file["image"], file["probabilities"]
    session = onnxruntime.InferenceSession(str(NETWORK), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"images": image[None].astype(np.float32) / 255})
    assert np.abs(found[0, ::4, ::4] - expected).max() < 5e-3


def test_any_size_gives_the_same_parts():
    for size in [40, 128, 200, 333]:
        image = draw_face(3, 333)[0]
        parts = face_parts(cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)).probabilities
        assert parts.shape == (size, size, 4)
        assert parts.dtype == np.float32
        assert parts.min() >= 0
        np.testing.assert_allclose(parts.sum(axis=-1), 1, atol=1e-5)
        whole = face_parts(image).probabilities
        small = cv2.resize(whole, (size, size), interpolation=cv2.INTER_AREA)
        assert np.abs(small - parts).mean() < (0.02 if size > 100 else 0.06)


def test_a_mirrored_face_has_mirrored_parts():
    image = draw_face(5)[0]
    found, mirrored = (face_parts(np.ascontiguousarray(one)).probabilities for one in (image, image[:, ::-1]))
    assert np.abs(found - mirrored[:, ::-1]).mean() < 0.03


def test_edges_lie_where_the_picture_has_them():
    """A disc's blurred mask, refined by a picture eight times as large."""
    y, x = np.mgrid[:512, :512]
    disc = (np.hypot(x - 250, y - 260) < 150).astype(np.float32)
    guide = 0.3 + 0.4 * disc + np.random.default_rng(0).normal(0, 0.01, disc.shape).astype(np.float32)
    coarse = cv2.resize(guide, (64, 64), interpolation=cv2.INTER_AREA)
    mask = cv2.GaussianBlur(cv2.resize(disc, (64, 64), interpolation=cv2.INTER_AREA), (0, 0), 1)[..., None]
    fine = guided_filter(guide, coarse, mask)[..., 0]
    plain = cv2.resize(mask, (512, 512))
    edge = cv2.dilate(disc, np.ones((31, 31))) - cv2.erode(disc, np.ones((31, 31))) > 0
    assert np.abs(fine - disc)[edge].mean() < 0.6 * np.abs(plain - disc)[edge].mean()
    assert ((fine > 0.5) == (disc > 0.5))[edge].mean() > 0.98


def test_an_even_picture_leaves_values_smooth():
    values = np.linspace(0, 1, 32, dtype=np.float32)[None, :, None].repeat(32, axis=0)
    flat = np.full((32, 32), 0.5, np.float32)
    filtered = guided_filter(flat, flat, values)
    np.testing.assert_allclose(filtered[10:20, 10:20], values[10:20, 10:20], atol=1e-3)


def test_the_head_is_that_of_the_person_in_the_middle():
    labels = np.zeros((100, 100), int)
    labels[30:80, 35:65] = CLASSES.index("skin")
    labels[15:30, 35:65] = CLASSES.index("hair")
    labels[85:] = CLASSES.index("clothes")
    own = labels.copy()
    labels[40:70, :12] = CLASSES.index("skin")  # someone else
    assert ((parts_of(labels).head > 0.5) == np.isin(own, (1, 3))).all()


def test_headwear_is_part_of_the_head_and_a_shirt_is_not():
    labels = np.zeros((100, 100), int)
    labels[30:80, 35:65] = CLASSES.index("skin")
    labels[80:, 20:80] = CLASSES.index("clothes")
    shirt = labels == CLASSES.index("clothes")
    labels[10:30, 32:68] = CLASSES.index("clothes")  # a hat
    head = parts_of(labels).head > 0.5
    assert head[12:78, 36:64].all()
    assert not head[shirt].any()


def test_no_skin_at_all_is_no_head():
    assert parts_of(np.zeros((32, 32), int)).head.max() == 0
