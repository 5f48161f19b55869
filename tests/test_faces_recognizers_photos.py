"""Both recognisers tell people in real photos apart, at their published thresholds and by our landmarks."""

from collections import defaultdict

import numpy as np
import pytest
from real_photos import lfw_photos, opened

from featureblend.faces.detector import choose_face
from featureblend.faces.recognizers import RECOGNIZERS, open_recognizer


@pytest.fixture(scope="module")
def marked(detector):
    """Two photos each of every fortieth person of LFW who has two: names, pictures and landmarks."""
    photos = defaultdict(list)
    for person, data in lfw_photos():
        photos[person].append(data)
    found = []
    for person in sorted(person for person in photos if len(photos[person]) >= 2)[::40]:
        for data in photos[person][:2]:
            image = np.asarray(opened(data))
            found.append((person, image, choose_face(detector.detect(image), image.shape, "central", person).landmarks))
    return found


@pytest.mark.real_photos
@pytest.mark.parametrize("name", RECOGNIZERS)
def test_people_are_told_apart(marked, name):
    recognizer = open_recognizer(name)
    people = np.array([person for person, _, _ in marked])
    codes = np.array([recognizer.embedding(image, points) for _, image, points in marked])
    first, second = np.triu_indices(len(people), 1)
    alike = np.linalg.norm(codes[first] - codes[second], axis=1) < recognizer.threshold
    same = people[first] == people[second]
    assert same.sum() > 30
    assert alike[same].mean() > 0.9
    assert alike[~same].mean() < 0.02
