"""Fit the classifiers of what covers a face (glasses, hats, lids) to photos of LFW that were labelled by eye.

    python tools/fit_coverings.py lfw-deepfunneled.tar tests/data/coverings.csv \
        src/featureblend/faces/networks/coverings.npz

The list says of each photo, by its file's name, what it shows: 1, 0, or ? where that can't be told. The threshold is
where 2 % of the photos without, each judged by a classifier that was fitted to others (five folds), would be taken for
photos with. Prints how many of both are told right: in these folds, and among the photos that are only for the test.
"""

from __future__ import annotations

import argparse
import csv
import tarfile
from collections import defaultdict
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from featureblend.faces.alignment import align_face
from featureblend.faces.coverings import COVERINGS, SIDE, Covering, gradients
from featureblend.faces.detector import FaceDetector, choose_face
from featureblend.io.files import atomic_path
from featureblend.io.image import decode_photo

MISTAKEN = 0.02
"""Share of the photos without that may be taken for photos with."""
STRENGTH = {"glasses": 0.3, "hat": 0.1, "closed eyes": 0.1}
"""Of the logistic regression's fit, against its penalty."""


def crops(tar_file: Path, names: set[str]) -> dict[str, np.ndarray]:
    """The aligned faces of the photos of these names."""
    detector, found = FaceDetector(), {}
    with tarfile.open(tar_file) as tar:
        for member in tar:
            name = Path(member.name).name
            if name in names and (stream := tar.extractfile(member)):
                search = detector.search(decode_photo(stream.read(), name).pixels)
                face = choose_face(search.faces, search.image.shape, "central", name)
                found[name] = align_face(search.image, face.landmarks, SIDE).image
    return found


def features(images: list[np.ndarray], covering: Covering) -> np.ndarray:
    """Gradients of faces and their mirror images: (N, 2, D)."""
    return np.array([[gradients(one, covering) for one in (image, image[:, ::-1])] for image in images])


def fitted(values: np.ndarray, labels: np.ndarray, strength: float) -> np.ndarray:
    """Weights of a classifier of (N, 2, D) gradients, and its bias."""
    model = LogisticRegression(C=strength, max_iter=1000)
    model.fit(values.reshape(-1, values.shape[2]), labels.repeat(2))
    return np.append(model.coef_[0], model.intercept_)


def judged(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """A score for each of (N, 2, D) gradients."""
    return (values @ weights[:-1]).mean(axis=1) + weights[-1]


def main() -> None:
    """Fit, measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path, help="a tar of LFW")
    parser.add_argument("labels", type=Path, help="the list")
    parser.add_argument("out", type=Path, help="coverings.npz")
    options = parser.parse_args()
    with open(options.labels, newline="") as stream:
        rows = list(csv.DictReader(stream))
    faces = crops(options.photos, {row["photo"] for row in rows})
    written: dict[str, np.ndarray] = {}
    for covering in COVERINGS:
        sorted_rows = defaultdict(list)
        for row in rows:
            if row[covering.name] != "?":
                sorted_rows[row["part"]].append(row)
        values, labels = {}, {}
        for part, some in sorted_rows.items():
            values[part] = features([faces[row["photo"]] for row in some], covering)
            labels[part] = np.array([row[covering.name] == "1" for row in some])
        strength, scores = STRENGTH[covering.name], np.zeros(len(labels["fit"]))
        for fit, held in StratifiedKFold(5, shuffle=True, random_state=0).split(scores, labels["fit"]):
            weights = fitted(values["fit"][fit], labels["fit"][fit], strength)
            scores[held] = judged(values["fit"][held], weights)
        threshold = float(np.quantile(scores[~labels["fit"]], 1 - MISTAKEN))
        weights = fitted(values["fit"], labels["fit"], strength)
        for part, judgement in (("fit", scores), ("test", judged(values["test"], weights))):
            found, mistaken = judgement[labels[part]] > threshold, judgement[~labels[part]] > threshold
            print(f"{covering.name}, {part}: {found.sum()} of {len(found)} with, ", end="")
            print(f"{mistaken.sum()} of {len(mistaken)} without")
        written[covering.name] = np.append(weights[:-1], threshold - weights[-1]).astype(np.float32)
    with atomic_path(options.out) as temporary, open(temporary, "wb") as stream:
        np.savez(stream, **written)


if __name__ == "__main__":
    main()
