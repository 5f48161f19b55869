"""From the results of all pairs to a method's record: columns of scores, and the figures of the whole set."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from ..metrics.critic import fresh_critic_auc
from ..metrics.distributions import fid, kid, nearest_neighbour_accuracy
from ..metrics.patch_statistics import SIDE
from ..metrics.scores import sharpness
from ..metrics.spectrum import radial_spectrum
from ..metrics.variety import diversity, nearest_distances
from .figures import FIGURES, LPIPS_PAIRS
from .measuring import Measurer, PairResult, small_picture
from .methods import System
from .pairs import described_side
from .protocols import Drawn

LEAST_BLENDS = 10
"""Fewest blends for scores of sets."""

BATCH = 16
"""Faces described at a time."""


@dataclass(frozen=True)
class Measured:
    """The kept results of a method."""

    record: dict[str, Any]
    """Plain numbers, ready for JSON: scores of each pair, of all together, and the pairs left out."""
    pictures: dict[int, np.ndarray] = field(repr=False)
    """The blends that the report shows, by the number of their pair."""
    sheets: dict[str, np.ndarray] = field(default_factory=dict, repr=False)
    """Further pictures that the report shows, by name."""


@dataclass(frozen=True)
class Reference:
    """The real faces that blends are compared with, described."""

    features: np.ndarray
    """(R, D) float32 `image_features`."""
    sharpness: float
    """Mean sharpness."""
    spectrum: np.ndarray
    """(B,) mean radial spectrum in decibels."""
    parents: np.ndarray
    """(P, 32, 32, 3) uint8: the faces that are blended."""
    inception: np.ndarray | None = None
    """(R, 2048) Inception's features, where its weights were given."""
    training: np.ndarray | None = None
    """(T, 32, 32, 3) uint8: training faces, where there are any."""
    side: int = SIDE
    """Side in pixels at which pictures are described."""

    @classmethod
    def of(
        cls,
        drawn: Drawn,
        described: Callable[[list[Sequence[int]]], Iterable[Any]] | None = None,
        training: np.ndarray | None = None,
    ) -> Reference:
        """Describe a draw's reference faces.

        Parameters
        ----------
        drawn : Drawn
        described : callable, optional
            Lists of indices in, `Measurer.described` of each out.
        training : (T, 32, 32, 3) uint8 array, optional
        """
        indices = drawn.reference.tolist()
        described = described or partial(map, Measurer(drawn, []).described)
        features, inception = zip(*described(_batches(indices)), strict=True)
        images = drawn.faces.images
        return cls(
            np.concatenate(features),
            float(np.mean([sharpness(images[index]) for index in indices])),
            radial_spectrum(images[indices]).mean(axis=0),
            np.stack([small_picture(images[index]) for index in drawn.parents]),
            None if inception[0] is None else np.concatenate(inception),
            training,
            described_side(images.shape[1]),
        )


def nearest_training(results: Sequence[PairResult], reference: Reference) -> list[float]:
    """Each picture's distance to the nearest training face; empty without training faces or pictures."""
    if reference.training is None or not results:
        return []
    small = np.stack([one.small for one in results if one.small is not None])
    return nearest_distances(small, reference.training).distances.tolist()


def score_set(results: Sequence[PairResult], reference: Reference) -> dict[str, float]:
    """Score all blends of a method together.

    Parameters
    ----------
    results : sequence of PairResult
        Those with a blend.
    reference : Reference

    Returns
    -------
    dict
        Figures by name; none of fewer than 10 blends.
    """
    if len(results) < LEAST_BLENDS:
        return {}
    real = reference.features
    features = np.stack([one.features for one in results if one.features is not None])
    small = np.stack([one.small for one in results if one.small is not None])
    even = min(len(features), len(real))
    sets = {
        "patch_kid": kid(real, features),
        "patch_fid": fid(real, features),
        "nn_accuracy": nearest_neighbour_accuracy(real[:even], features[:even]).overall,
        "critic_auc": fresh_critic_auc(real, features),
        "diversity": diversity(small, reference.parents),
    }
    if reference.inception is not None:
        rows = np.stack([one.inception for one in results if one.inception is not None])
        sets |= {"inception_kid": kid(reference.inception, rows), "inception_fid": fid(reference.inception, rows)}
    return sets


def score_all(results: Sequence[PairResult], reference: Reference) -> tuple[dict[str, float], list[float]]:
    """Figures of a method's whole set, as `score_set`, and as `nearest_training`."""
    return score_set(results, reference), nearest_training(results, reference)


def summarise(
    results: Sequence[PairResult],
    sets: Mapping[str, float],
    nearest: Sequence[float],
    drawn: Drawn,
    reference: Reference,
    networks: Mapping[str, str] | None = None,
) -> Measured:
    """Put a method's results together.

    Parameters
    ----------
    results : sequence of PairResult
        Of every pair, in order.
    sets, nearest
        As `score_set` and `nearest_training` give them of the results that have no failure.
    drawn : Drawn
    reference : Reference
    networks : mapping of str to str
        As `Extractors.names`.

    Returns
    -------
    Measured
        With all pictures that the results still have.
    """
    record = _record(results, reference, networks or {})
    record["sets"] = dict(sets)
    made = [number for number, one in enumerate(results) if not one.failure]
    if nearest:
        of_blends = dict(zip(made, nearest, strict=True))
        record["scores"]["nearest_training"] = [of_blends.get(number) for number in range(len(results))]
    for name, column in record["scores"].items():
        figure = FIGURES[name]
        if figure.of_path:
            del column[drawn.protocol.paths :]
        elif figure.network == "lpips":
            del column[LPIPS_PAIRS:]
    record["failures"] = [_named(drawn, number, one.failure) for number, one in enumerate(results) if one.failure]
    record["gaps"] = [_named(drawn, number, gap) for number, one in enumerate(results) for gap in one.gaps]
    return Measured(record, {number: one.picture for number, one in enumerate(results) if one.picture is not None})


def _record(results: Sequence[PairResult], reference: Reference, networks: Mapping[str, str]) -> dict[str, Any]:
    names = dict.fromkeys(name for one in results for name in one.scores)
    columns = {name: [one.scores.get(name) for one in results] for name in names}
    if "sharpness" in columns:
        columns["sharpness"] = [
            None if value is None else value / reference.sharpness for value in columns["sharpness"]
        ]
    made = [one for one in results if not one.failure]
    return {
        "count": len(results),
        "set_count": len(made),
        "scores": columns,
        "sets": {},
        "spectra": [one.spectrum for one in made],
        "reference_spectrum": reference.spectrum.tolist(),
        "failures": [],
        "gaps": [],
        "identity": {},
        "networks": dict(networks),
        "side": reference.side,
        "model": "",
        "note": "",
    }


def _named(drawn: Drawn, number: int, reason: str) -> dict[str, Any]:
    return {"pair": number, "photos": drawn.faces.sources[drawn.pairs[number]].tolist(), "reason": reason}


def measure_real(
    drawn: Drawn,
    reference: Reference,
    real: Callable[..., Iterable[list[PairResult]]] | None = None,
    networks: Mapping[str, str] | None = None,
) -> Measured:
    """Measure the parents themselves as if they were blends, as the line to compare with.

    Parameters
    ----------
    drawn, reference
        As in `summarise`.
    real : callable, optional
        Lists of indices, and the reference's features as often, in; `Measurer.real` of each out.
    networks
        As in `summarise`.
    """
    batches, real = _batches(drawn.parents.tolist()), real or partial(map, Measurer(drawn, []).real)
    results = [one for batch in real(batches, [reference.features] * len(batches)) for one in batch]
    record = _record(results, reference, networks or {})
    if nearest := nearest_training(results, reference):
        record["scores"]["nearest_training"] = nearest
    # As many as there are pairs, where there are so many: the scores of sets depend on the count.
    some = results[: len(drawn.pairs)]
    sets = score_set(some, reference)
    sets.pop("diversity", None)
    record.update(sets=sets, set_count=len(some), note="the parents, as if they were blends")
    return Measured(record, {})


def measure_all(systems: Sequence[System], drawn: Drawn, reference: Reference) -> dict[str, Measured]:
    """Measure methods in this process; nothing is kept on the disk, and all pictures are.

    Parameters
    ----------
    systems : sequence of System
    drawn : Drawn
    reference : Reference

    Returns
    -------
    dict of str to Measured
        By method.
    """
    names = [name for system in systems for name in system.names]
    every = Measurer(drawn, systems).pairs(range(len(drawn.pairs)), names, reference.features)
    found = {}
    for system in systems:
        for name in system.names:
            results = [of_pair[name] for of_pair in every]
            scores = score_all([one for one in results if not one.failure], reference)
            found[name] = summarise(results, *scores, drawn, reference)
            found[name].record.update(model=system.model, note=system.notes[name])
    return found


def _batches(indices: Sequence[int]) -> list[Sequence[int]]:
    return [indices[start : start + BATCH] for start in range(0, len(indices), BATCH)]
