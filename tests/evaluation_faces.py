"""Drawn faces to evaluate on: people with two photos each, and some more to train on."""

import dataclasses
import json
from contextlib import ExitStack
from unittest.mock import patch

import jinja2  # noqa: F401  (files that evaluate are no tests of the plain install)
import numpy as np
from drawn_faces import draw_faces

from featureblend.evaluation.protocols import Protocol
from featureblend.evaluation.run import evaluate
from featureblend.training.dataset import FaceSet

TINY = Protocol("tiny", "test", 12, paths=2, steps=3)
FEW = Protocol("few", "test", 6, paths=1, steps=2)
MANY = Protocol("many", "test", 30, paths=1, steps=2)
PEOPLE = 50


def make_faces(count=PEOPLE):
    """So many people with two photos each, the second with other noise and light; and 12 to fit PCA on."""
    drawn, points = draw_faces(range(count + 12), 128)
    noise = np.random.default_rng(0).integers(-9, 1, drawn[:count].shape)
    second = np.clip(drawn[:count] + noise, 0, 255).astype(np.uint8)
    images = np.concatenate([drawn[:count], second, drawn[count:]])
    landmarks = np.concatenate([points[:count], points])
    people = [f"person {number}" for number in range(count)] * 2 + [f"known {number}" for number in range(12)]
    return dataclasses.replace(
        FaceSet.from_images(images),
        landmarks=landmarks.astype(np.float32),
        people=np.array(people),
        splits=np.array(["test"] * 2 * count + ["train"] * 12),
    )


def run(faces, out, methods=("latent", "pixel", "morph"), protocol=TINY, jobs=1, plots=False, **options):
    """Evaluate without a progress bar, and without what takes its time unless it is asked for: networks and plots."""
    with ExitStack() as patches:
        patches.enter_context(patch("featureblend.evaluation.learned.installed_weights", lambda name: ""))
        if not plots:
            patches.enter_context(patch("featureblend.evaluation.report.box_plot", lambda title, scores: b"<svg/>"))
        return evaluate(faces, out, protocol, methods=methods, jobs=jobs, quiet=True, **options)


def lines(out):
    """Read metrics.jsonl."""
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


class Recogniser:
    """Knows people by what `make_faces` makes them: the place of the landmarks, which both photos of one share."""

    def embedding(self, image, landmarks):
        return landmarks.mean(axis=0) / 20
