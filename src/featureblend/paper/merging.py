"""The paper's open question: merging two faces by averaging their embeddings, by every system and method."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..blend.blender import Blender
from ..evaluation.figures import REAL, figure_rows
from ..evaluation.measuring import measure_method, measure_real
from ..evaluation.methods import (
    Method,
    baseline_method,
    latent_method,
    model_method,
    pca_method,
    scaled,
)
from ..evaluation.pca import fit_components
from ..evaluation.protocols import Drawn, Protocol, draw
from ..evaluation.scoring import Reference
from ..training.dataset import FaceSet
from .results import Coder

__all__ = ["BUNDLED", "MERGED_BASELINES", "Merged", "merge_all", "merged_rows"]

QUICK = Protocol("merging_quick", "test", 24, paths=2, steps=5, reference=200)
FULL = Protocol("merging", "test", 200, paths=10, steps=9)
"""What merges are measured on; a change of one is a new name."""

BUNDLED = "featureblend"
"""Name of the bundled model in tables."""

MERGED_BASELINES = ("pixel", "gaussian", "laplacian", "fourier", "gaussian-poisson", "morph")
"""Blends without learning that merges are set beside."""

PCA_WIDTH, PCA_FACES = 200, 2000
"""The paper's latent has 200 numbers; so has PCA's, fitted on so many training faces at most."""


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
    reference = Reference(drawn.faces.images[drawn.reference])
    merged = Merged(drawn)
    _keep(merged, REAL, measure_real(drawn, reference))
    for method in _methods(coders, faces, size):
        say(f"merging by {method.name}")
        measured, made = measure_method(method, drawn, reference)
        _keep(merged, method.name, measured, made.blends)
    return merged


def _keep(merged: Merged, name: str, measured: Any, blends: Mapping[int, np.ndarray] | None = None) -> None:
    rows = figure_rows(measured.record, {"method": name})
    merged.values[name] = {row["figure"]: row for row in rows}
    merged.pictures[name] = dict(blends or {})
    merged.notes[name] = measured.record["note"]
    merged.failures[name] = len(measured.record["failures"])


def _methods(coders: Mapping[str, Coder], faces: FaceSet, size: int) -> list[Method]:
    train = faces.split("train")
    train = train.chosen(np.arange(min(len(train), PCA_FACES))).cropped(size)
    bundled = model_method(Blender.from_pretrained(), size, BUNDLED)
    return [
        *(_system(name, coder, size) for name, coder in coders.items()),
        bundled,
        pca_method(fit_components(train.images, PCA_WIDTH)),
        *(baseline_method(name) for name in MERGED_BASELINES),
    ]


def _system(name: str, coder: Coder, size: int) -> Method:
    """Wrap a trained network: encode both faces as they are, average, decode, as the paper meant to."""
    inner = coder.image_size

    def encode(images: np.ndarray) -> np.ndarray:
        return coder.encode(scaled(images, inner))

    def decode(latents: np.ndarray) -> np.ndarray:
        return scaled(coder.decode(latents), size)

    return latent_method(name, "encoded, averaged, decoded", "", encode, decode)


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
