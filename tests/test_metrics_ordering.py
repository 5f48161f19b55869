"""Every score of realism orders pictures as a person would: real > slightly blurred > pixel average of two > noise.

On drawn faces, and on real ones where the photos are asked for. "Slightly blurred" is a
Gaussian of half a pixel at 128 pixels. Two scores are blind somewhere, and say so in their documentation: 1-NN
accuracy sees blur from about .6 pixels, and ghosting takes noise for clean.
"""

import cv2
import numpy as np
import pytest
from drawn_faces import draw_faces
from real_photos import lfw_photos, opened

from featureblend.blend.baselines.morph import blend as morph
from featureblend.faces.detector import FaceDetector
from featureblend.metrics import (
    fid,
    fresh_critic_auc,
    ghosting,
    image_features,
    kid,
    nearest_neighbour_accuracy,
    relative_sharpness,
    sharpness,
    spectrum_distance,
)

COUNT = 150


def photos(count):
    """The central 170 pixels of LFW photos, one a person, at 128 pixels: roughly aligned as they come."""
    chosen = [
        cv2.resize(np.asarray(opened(data))[40:210, 40:210], (128, 128), interpolation=cv2.INTER_AREA)
        for _, data in lfw_photos(count, one_a_person=True)
    ]
    # The tar is in the order of first names; the sets must not be.
    return np.stack(chosen)[np.random.default_rng(0).permutation(len(chosen))]


class Sets:
    """Real faces to compare with, and four sets that a person would order, none of a person in another."""

    def __init__(self, faces):
        self.reference, self.real, self.first, self.second = np.split(faces, 4)
        rng = np.random.default_rng(0)
        self.ordered = {
            "real": self.real,
            "blurred": np.stack([cv2.GaussianBlur(face, (0, 0), 0.5) for face in self.real]),
            "average": ((self.first.astype(int) + self.second + 1) // 2).astype(np.uint8),
            "noise": rng.integers(0, 256, self.real.shape, dtype=np.uint8),
        }
        self.more_blurred = np.stack([cv2.GaussianBlur(face, (0, 0), 0.6) for face in self.real])
        self.features = {name: image_features(images) for name, images in self.ordered.items()}
        self.reference_features = image_features(self.reference)


@pytest.fixture(scope="module")
def sets(face_source):
    return Sets(photos(4 * COUNT) if face_source == "real" else draw_faces(range(4 * COUNT))[0])


def assert_rising(values):
    """From real to noise, each strictly worse than the one before."""
    assert list(values.values()) == sorted(values.values()), values
    assert len(set(values.values())) == len(values), values


def test_sharpness_by_its_distance_from_the_real_mean(sets):
    ratios = {name: relative_sharpness(images, sets.reference) for name, images in sets.ordered.items()}
    assert_rising({name: abs(np.log(ratio)) for name, ratio in ratios.items()})
    assert ratios["noise"] > 10  # more is not better
    parents = np.concatenate([sets.first, sets.second])
    assert 0.4 < relative_sharpness(sets.ordered["average"], parents) < 0.62


def test_distances_of_sets(sets):
    for score in (kid, fid):
        assert_rising({name: score(sets.reference_features, features) for name, features in sets.features.items()})
    assert_rising({name: spectrum_distance(images, sets.reference) for name, images in sets.ordered.items()})


def test_nearest_neighbour_accuracy(sets):
    features = {**sets.features, "blurred": image_features(sets.more_blurred)}
    overall = {
        name: nearest_neighbour_accuracy(sets.reference_features, rows).overall for name, rows in features.items()
    }
    assert_rising(overall)
    assert abs(overall["real"] - 0.5) < 0.1
    assert overall["noise"] == 1


@pytest.mark.extras
def test_fresh_critic(sets):
    found = {name: fresh_critic_auc(sets.reference_features, features) for name, features in sets.features.items()}
    assert_rising(found)
    assert abs(found["real"] - 0.5) < 0.12
    assert found["average"] > 0.9


def test_ghosting_where_it_applies(sets):
    found = {"real": [], "blurred": [], "average": []}
    for index in range(30):
        parents = [sets.first[index], sets.second[index]]
        found["real"].append(ghosting(parents[0], parents).whole)
        found["blurred"].append(ghosting(cv2.GaussianBlur(parents[0], (0, 0), 0.5), parents).whole)
        found["average"].append(ghosting(sets.ordered["average"][index], parents).whole)
        assert ghosting(sets.real[index], parents).whole < 0.3
        assert ghosting(sets.ordered["noise"][index], parents).whole < 0.05
    assert_rising({name: float(np.mean(values)) for name, values in found.items()})
    assert max(found["real"]) < 0.01
    assert max(found["blurred"]) < 0.1
    assert min(found["average"]) > 0.25


@pytest.mark.real_photos
def test_a_morph_of_photos_is_clean_inside_the_face_and_ghosted_outside():
    detector, faces = FaceDetector(), []
    for image in photos(120)[:28]:
        found = [face for face in detector.detect(image) if np.hypot(*(np.array(face.centre) - 64)) < 20]
        faces += [(image, face.landmarks) for face in found[:1]]
    assert len(faces) >= 20
    averages, morphs = [], []
    for (a, points_a), (b, points_b) in zip(faces[::2], faces[1::2], strict=False):
        b = cv2.warpAffine(b, np.float32([[1, 0, 6], [0, 1, -5]]), (128, 128), borderMode=cv2.BORDER_REFLECT)
        points = [points_a, points_b + np.array([6, -5])]
        average = ((a.astype(int) + b + 1) // 2).astype(np.uint8)
        averages.append(ghosting(average, [a, b], landmarks=points))
        morphs.append(ghosting(morph([a, b], (0.5, 0.5), points), [a, b], landmarks=points))
        assert sharpness(average) > 0
    worse = np.array([x.inside > y.inside for x, y in zip(averages, morphs, strict=True)])
    assert worse.mean() >= 0.9
    inside = [np.mean([x.inside for x in found]) for found in (averages, morphs)]
    outside = [np.mean([x.outside for x in found]) for found in (averages, morphs)]
    assert inside[1] < 0.75 * inside[0]
    assert outside[1] > 0.8 * outside[0]
    assert outside[1] > 1.5 * inside[1]
