"""The figures of an evaluation: which there are, what each means, and how they come from blends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from .critic import fresh_critic_auc
from .distance import picture_distance
from .distributions import fid, kid, nearest_neighbour_accuracy
from .ghosts import ghosting
from .intervals import bootstrap_interval
from .mirror import symmetry
from .patch_statistics import FEATURES_NAME, image_features
from .paths import boundary_error, path_irregularity, path_lengths
from .scores import sharpness
from .spectrum import radial_spectrum
from .variety import diversity

__all__ = ["FIGURES", "Figure", "Reference", "badness", "figure_rows", "score_blend", "score_path", "score_set"]


@dataclass(frozen=True)
class Figure:
    """One column of the table."""

    name: str
    """As in metrics.jsonl."""
    title: str
    """Head of the column."""
    meaning: str
    """What it says, in a few words."""
    best: str
    """'low', 'high', 'one', 'half' (nearest to 1, to .5), 'real' (nearest to real faces), or '' for no matter."""
    digits: int = 3
    """Decimals shown."""
    of_set: bool = False
    """Whether it is of all blends together: no figure of a single pair, and no interval by the bootstrap."""
    features: str = ""
    """The features that it stands on."""


FIGURES = {
    figure.name: figure
    for figure in (
        Figure("kid", "KID", "distance to real faces, cubic kernel; 0 ideal", "low", 4, True, FEATURES_NAME),
        Figure("fid", "FID", "Fréchet distance to real faces; depends on the count", "low", 2, True, FEATURES_NAME),
        Figure(
            "nn_accuracy", "1-NN", "told from real by the nearest neighbour; .5 ideal", "half", 3, True, FEATURES_NAME
        ),
        Figure(
            "critic_auc", "critic AUC", "told from real by a fresh critic; .5 ideal", "half", 3, True, FEATURES_NAME
        ),
        Figure(
            "sharpness", "sharpness", "fine detail, real faces = 1, which is ideal; more is noise or halos", "one", 2
        ),
        Figure("spectrum_distance", "spectrum dB", "distance of the mean radial spectrum from real faces'", "low", 2),
        Figure("ghosting", "ghosting", "doubled outlines, 0 to 1; blur hides them, so read sharpness too", "low"),
        Figure("ghosting_inside", "ghosting inside", "the same from the brows to the chin", "low"),
        Figure("ghosting_outside", "ghosting outside", "the same in hair, ears, neck and background", "low"),
        Figure("balance", "balance", "0 as near to one parent as to the other; 1 is one of them", "low"),
        Figure("diversity", "diversity", "spread of the blends, the parents' = 1; 0 all alike", "one", 3, True),
        Figure("symmetry", "symmetry", "likeness to the mirror image; best is what real faces have", "real"),
        Figure("path_irregularity", "irregularity", "longest step of a continuum over the mean; 1 ideal", "one", 2),
        Figure("path_length", "path length", "length of a continuum over the straight way; 1 straight", "one", 2),
        Figure("boundary_error", "boundary", "miss at a continuum's ends; 1 is as far as the other parent", "low"),
        Figure("reconstruction_psnr", "PSNR dB", "of the parents encoded and decoded", "high", 1),
        Figure("reconstruction_ssim", "SSIM", "of the parents encoded and decoded", "high"),
        Figure("cycle_error", "cycle", "share of the blend's latent lost by decoding and encoding it again", "low"),
        Figure("mmpmr", "MMPMR", "share that matches both people's other photos, at FMR 0.1 %", "high"),
        Figure(
            "weaker_parent", "weaker parent", "identity similarity to the parent less like it, 1 - distance", "high"
        ),
    )
}
"""Every figure by name, in the order of the table."""


def badness(figure: Figure, value: float, real: float | None = None) -> float | None:
    """Say how far a value is from the figure's ideal, to find the best: less is better; None where there is no better.

    Parameters
    ----------
    figure : Figure
    value : float
    real : float, optional
        The figure of real faces.

    Examples
    --------
    >>> badness(FIGURES["sharpness"], 0.5) == badness(FIGURES["sharpness"], 2.0)
    True
    """
    if figure.best == "one":
        return abs(float(np.log(max(value, 1e-9))))
    if figure.best == "half":
        return abs(value - 0.5)
    if figure.best == "real":
        return None if real is None else abs(value - real)
    return {"low": value, "high": -value}.get(figure.best)


class Reference:
    """Real faces to compare with, and what is computed of them once."""

    def __init__(self, images: np.ndarray) -> None:
        self.images = images
        """(R, H, W, 3) uint8."""

    @cached_property
    def features(self) -> np.ndarray:
        """(R, D) float32."""
        return image_features(self.images)

    @cached_property
    def sharpness(self) -> float:
        """Mean sharpness."""
        return float(np.mean([sharpness(image) for image in self.images]))

    @cached_property
    def spectrum(self) -> np.ndarray:
        """(B,) mean radial spectrum in decibels."""
        return radial_spectrum(self.images).mean(axis=0)


def score_blend(blend: np.ndarray, parents: Sequence[np.ndarray], landmarks: Sequence[np.ndarray]) -> dict[str, Any]:
    """Score one even blend of two faces.

    Parameters
    ----------
    blend : (H, W, 3) uint8 array
    parents : two (H, W, 3) uint8 arrays
    landmarks : two (68, 2) arrays

    Returns
    -------
    dict
        Figures by name; ``sharpness`` in squared grey levels still, and ``spectrum`` a list.
    """
    ghosts = ghosting(blend, parents, (0.5, 0.5), landmarks)
    to_a, to_b = (picture_distance(blend, parent) for parent in parents)
    between = picture_distance(*parents)
    return {
        "sharpness": sharpness(blend),
        "spectrum": radial_spectrum(blend)[0].tolist(),
        "ghosting": ghosts.whole,
        "ghosting_inside": ghosts.inside,
        "ghosting_outside": ghosts.outside,
        "balance": abs(to_a - to_b) / between if between else None,
        "symmetry": symmetry(blend, np.mean(landmarks, axis=0)),
    }


def score_path(continuum: Sequence[np.ndarray], a: np.ndarray, b: np.ndarray) -> dict[str, float]:
    """Score a continuum from A to B; the boundary error is the mean of its two ends'."""
    lengths = path_lengths(continuum)
    return {
        "path_irregularity": path_irregularity(lengths),
        "path_length": float(lengths.sum()) / picture_distance(a, b),
        "boundary_error": float(np.mean(boundary_error(continuum, a, b))),
    }


def score_set(blends: np.ndarray, parents: np.ndarray, reference: Reference) -> dict[str, float]:
    """Score all blends of a method together.

    Parameters
    ----------
    blends : (N, H, W, 3) uint8 array
        At least 10.
    parents : (P, H, W, 3) uint8 array
        What was blended.
    reference : Reference

    Returns
    -------
    dict
        Figures by name.
    """
    ours, real = image_features(blends), reference.features
    even = min(len(ours), len(real))
    return {
        "kid": kid(real, ours),
        "fid": fid(real, ours),
        "nn_accuracy": nearest_neighbour_accuracy(real[:even], ours[:even]).overall,
        "critic_auc": fresh_critic_auc(real, ours),
        "diversity": diversity(blends, parents),
    }


def figure_rows(record: Mapping[str, Any], facts: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Turn a method's scores into the lines of metrics.jsonl.

    Parameters
    ----------
    record : mapping
        ``count`` pairs; ``scores``, a list a figure with None where a pair has none; ``sets``, a number a figure;
        ``set_count`` of
        blends went into them; ``failures``; ``spectra`` and ``reference_spectrum``.
    facts : mapping
        What stands in every line.

    Returns
    -------
    list of dict
        In the order of `FIGURES`. ``count`` values went into the figure, ``left_out`` should have but could not.

    Examples
    --------
    >>> record = {"count": 3, "scores": {"balance": [0.5, None, 0.5]}, "sets": {}}
    >>> figure_rows(record, {"method": "pixel"})  # doctest: +NORMALIZE_WHITESPACE
    [{'method': 'pixel', 'figure': 'balance', 'value': 0.5, 'low': 0.5, 'high': 0.5, 'count': 2, 'left_out': 1}]
    """
    rows = []
    for figure in FIGURES.values():
        low = high = None
        if figure.name == "spectrum_distance" and record.get("spectra"):
            spectra, real = np.array(record["spectra"]), np.array(record["reference_spectrum"])

            def distance(rows: np.ndarray, real: np.ndarray = real) -> float:
                return float(np.sqrt(np.mean((rows.mean(axis=0) - real) ** 2)))

            value, count = distance(spectra), len(spectra)
            low, high = bootstrap_interval(spectra, distance)
            due = record["count"]
        elif figure.name in record["scores"]:
            scores = record["scores"][figure.name]
            given = np.array([score for score in scores if score is not None], dtype=np.float64)
            count, due = len(given), len(scores)
            if not count:
                continue
            value = float(given.mean())
            low, high = bootstrap_interval(given)
        elif figure.name in record["sets"]:
            value, count = record["sets"][figure.name], record["set_count"]
            due = count + len(record["failures"])
        else:
            continue
        row = {**facts, "figure": figure.name, "value": _rounded(value), "low": _rounded(low), "high": _rounded(high)}
        rows.append({**row, "count": count, "left_out": due - count})
        if figure.features:
            rows[-1]["features"] = figure.features
    return rows


def _rounded(value: float | None) -> float | None:
    # Six decimals: beyond them lies what another order of summation would change.
    return None if value is None else round(value, 6) + 0.0
