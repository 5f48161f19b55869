"""The paper's open question: merging two faces by averaging their embeddings, by every system and method."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import cv2
import numpy as np

from ..blend.baselines import BASELINES
from ..blend.blender import Blender
from ..evaluation.figures import REAL, figure_rows
from ..evaluation.methods import Autoencoder, Baseline, Made, Model, Pca, System, scaled
from ..evaluation.pairs import Pair
from ..evaluation.pca import fit_components
from ..evaluation.protocols import Drawn, Protocol, draw, find_protocol
from ..evaluation.summary import Measured, Reference, measure_all, measure_real
from ..metrics.distributions import kid
from ..metrics.patch_statistics import image_features
from ..training.dataset import FaceSet
from .results import PCA_FACES, Coder

QUICK = Protocol("merging_quick", "test", 24, paths=2, steps=5, reference=200)
FULL = replace(find_protocol("pairs1k_test"), name="merging1k", paths=10, steps=9)
"""What merges are measured on, the latter the pairs of `evaluate`; a change of one is a new name."""

BUNDLED = "featureblend"
"""Name of the bundled model in tables."""

MERGED_BASELINES = ("pixel", "gaussian", "laplacian", "fourier", "gaussian-poisson", "morph")
"""Blends without learning that quick merges are set beside; those of the paper's scale only beside the first."""

BLUR = 3.0
"""Of 128 pixels: leaves .01 of the sharpness of faces, as the VAE does at 64 pixels."""

BATCH = 32
"""Faces given back at a time."""

PCA_WIDTHS = (200, 2000)
"""Numbers in PCA's latents: the paper's text has both for its own; quick merges take the first."""


@dataclass(frozen=True)
class Merged:
    """Every method's blends of the same pairs, scored."""

    drawn: Drawn
    """The pairs."""
    values: dict[str, dict[str, Mapping[str, Any]]] = field(default_factory=dict)
    """Lines as in an evaluation's metrics.jsonl, by method and figure; `REAL` is the parents' own."""
    pictures: dict[str, dict[int, np.ndarray]] = field(default_factory=dict, repr=False)
    """Blends by method and by the number of their pair."""
    notes: dict[str, str] = field(default_factory=dict)
    """What each method is."""
    own_kid: dict[str, float] = field(default_factory=dict)
    """patch-KID of single faces that an autoencoder gives back, by method: what its merges lose without any merging."""
    failures: dict[str, int] = field(default_factory=dict)
    """Pairs that a method could not blend or score."""


def merge_all(
    coders: Mapping[str, Coder], faces: FaceSet, quick: bool, size: int, say: Callable[[str], None] = print
) -> Merged:
    """Merge pairs of held-out faces by every system and every other method, and score the blends.

    Parameters
    ----------
    coders : mapping of str to Coder
        Trained systems by the name of their run.
    faces : FaceSet
        All splits: pairs are of the test split, PCA is fitted on the train split.
    quick : bool
        A few pairs.
    size : int
        Side of the blends in pixels; methods that work at another size are scaled.
    say : callable
        Told which method is measured.

    Returns
    -------
    Merged

    Raises
    ------
    FeatureblendError
        If there are too few held-out faces, or none has landmarks, which half of the scores need.
    """
    drawn = draw(faces, QUICK if quick else FULL, size)
    reference = Reference.of(drawn)
    merged = Merged(drawn)
    _keep(merged, REAL, measure_real(drawn, reference))
    for system in merging_systems(coders, faces, quick, size):
        for name in system.names:
            say(f"merging by {name}")
        for name, measured in measure_all([system], drawn, reference).items():
            _keep(merged, name, measured)
        if isinstance(system, Autoencoder) and not isinstance(system, Model):
            parents = drawn.faces.images[drawn.parents[: drawn.protocol.count]]
            again = [system.decode(system.encode(parents[at : at + BATCH])) for at in range(0, len(parents), BATCH)]
            merged.own_kid[system.names[0]] = kid(reference.features, image_features(np.concatenate(again)))
    return merged


def _keep(merged: Merged, name: str, measured: Measured) -> None:
    rows = figure_rows(measured.record, {"method": name})
    merged.values[name] = {row["figure"]: row for row in rows}
    merged.pictures[name] = measured.pictures
    merged.notes[name] = measured.record["note"]
    merged.failures[name] = len(measured.record["failures"])


def merging_systems(coders: Mapping[str, Coder], faces: FaceSet, quick: bool, size: int) -> list[System]:
    """Everything that merges pairs: trained systems, the bundled model, PCA, and blends without learning.

    Parameters
    ----------
    coders, faces, quick, size
        As in `merge_all`.
    """
    train = faces.split("train")
    train = train.chosen(np.arange(min(len(train), PCA_FACES // 2 if quick else PCA_FACES))).cropped(size)
    widths = PCA_WIDTHS[:1] if quick else PCA_WIDTHS
    return [
        *(_trained(name, coder, size) for name, coder in coders.items()),
        Model(Blender.from_pretrained(), size, [BUNDLED]),
        *(Pca(fit_components(train.images, width), "pca" if quick else f"pca-{width}") for width in widths),
        *map(Baseline, MERGED_BASELINES if quick else MERGED_BASELINES[:1]),
        *([] if quick else [_BlurredAverage()]),
    ]


class _BlurredAverage(System):
    """The pixel average as soft as a small network draws: what blur alone does to the scores."""

    def __init__(self) -> None:
        super().__init__({"pixel-blurred": f"the pixel average, blurred by a standard deviation of {BLUR:g} pixels"})

    def made(self, pair: Pair, shares: np.ndarray, name: str) -> Made:
        """Blend a pair."""
        average = BASELINES["pixel"](pair.images, list(shares), pair.landmarks)
        return Made(cv2.GaussianBlur(average, (0, 0), BLUR))


def _trained(name: str, coder: Coder, size: int) -> System:
    """Wrap a trained network: encode both faces as they are, average, decode, as the paper meant to."""

    def encode(images: np.ndarray) -> np.ndarray:
        return coder.encode(scaled(images, coder.image_size))

    def decode(latents: np.ndarray) -> np.ndarray:
        return scaled(coder.decode(latents), size)

    scaled_to = f" at {coder.image_size} pixels, scaled" if coder.image_size != size else ""
    return Autoencoder(name, f"encoded, averaged, decoded{scaled_to}", "", encode, decode)


def merged_rows(merged: Merged, count: int = 8) -> list[tuple[str, np.ndarray]]:
    """Lay the first pairs out for `draw_rows`: the parents, and below them each method's blends.

    Parameters
    ----------
    merged : Merged
    count : int
        Pairs shown.

    Returns
    -------
    list of (str, (S, count * S, 3) uint8 array)
        A pair that a method left out is grey.
    """
    faces, pairs = merged.drawn.faces.images, merged.drawn.pairs[:count]
    none = np.full_like(faces[0], 230)
    rows = [("A", [faces[a] for a, _ in pairs]), ("B", [faces[b] for _, b in pairs])]
    for method, blends in merged.pictures.items():
        if method != REAL:
            rows.append((method, [blends.get(index, none) for index in range(len(pairs))]))
    return [(label, np.concatenate(images, axis=1)) for label, images in rows]
