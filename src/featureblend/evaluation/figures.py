"""The figures of an evaluation, their meaning, and how they are computed from the scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..metrics.intervals import bootstrap_interval
from ..metrics.patch_statistics import FEATURES_NAME, SIDE
from ..metrics.variety import SMALL_SIDE
from .degradation import CLEAN

REAL = "real"
"""Name of the line that holds the figures of real faces: what a blend could reach."""

CEILING = "mean-embedding"
"""Name of the line that says who would be recognised in the mean of both parents' embeddings, which no picture need
reach."""

TRAINING_FACES = 10_000
"""At most so many training faces, the first ones, are searched for the nearest."""

LPIPS_PAIRS = 200
"""At most so many pairs, the first ones, are measured by LPIPS: with VGG a distance takes a tenth of a second."""

DEGRADATION_NAMES = {
    CLEAN: "as it is",
    "blur": "blurred, by a standard deviation of 2 pixels of 128",
    "noise": "noisy, by 20 grey levels",
    "light": "in weak, flat, yellow light",
    "compression": "compressed by JPEG to quality 10",
    "thumbnail": "reduced to half its size, compressed by JPEG to quality 30, and enlarged",
}
"""The kinds of damage that a model is shown, in words."""

LPIPS_NOTE = f"of the first {LPIPS_PAIRS} pairs"


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
    """'low', 'high', 'one', 'half', 'zero' (nearest to 1, .5, 0), 'real' (nearest to real faces), or '' for no
    matter."""
    digits: int = 3
    """Decimals shown."""
    of_set: bool = False
    """Whether it is of all blends together: no figure of a single pair, and no interval by the bootstrap."""
    features: str = ""
    """The features that it stands on."""
    network: str = ""
    """'inception' or 'lpips': the network that it needs, whose weights are given or the figure is not measured."""
    of_path: bool = False
    """Whether it is of continua, which only the protocol's first pairs have."""


SECTIONS: dict[str, tuple[Figure, ...]] = {
    "How real the blends are": (
        Figure(
            "patch_kid",
            "patch-KID",
            "distance to real faces on patch statistics, cubic kernel; 0 ideal; no KID on Inception's features",
            "low",
            4,
            True,
            FEATURES_NAME,
        ),
        Figure(
            "patch_fid",
            "patch-FID",
            "Fréchet distance to real faces on patch statistics; depends on the count",
            "low",
            2,
            True,
            FEATURES_NAME,
        ),
        Figure(
            "inception_kid",
            "KID",
            "distance to real faces on Inception's features",
            "low",
            4,
            True,
            network="inception",
        ),
        Figure(
            "inception_fid",
            "FID",
            "Fréchet distance to real faces on Inception's features; published ones are of 10,000 pictures or more",
            "low",
            2,
            True,
            network="inception",
        ),
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
        Figure("ghosting_skin", "ghosting skin", "the same where both parents show skin, by the face parser", "low"),
        Figure("ghosting_hair", "ghosting hair", "the same where either has hair, in the face too", "low"),
        Figure("ghosting_elsewhere", "ghosting elsewhere", "the same in background, clothes and outlines", "low"),
    ),
    "How evenly they lie between their parents, and how various they are": (
        Figure(
            "balance",
            "balance",
            "0 as near to one parent as to the other, 1 one of them; hair and background weigh most",
            "low",
        ),
        Figure(
            "balance_inside",
            "balance inside",
            "balance from the brows to the chin; 0 even, 1 one parent",
            "low",
        ),
        Figure("skin", "skin", "share of pairs whose skin lies between the parents' in L, a and b; 1 ideal", "high"),
        Figure("skin_lightness", "skin L", "how much lighter the skin is than the parents' mean, in CIE L", "zero", 1),
        Figure("skin_chroma", "skin chroma", "the same in chroma: how much more colour it has", "zero", 1),
        Figure("lpips_balance", "LPIPS balance", f"as balance, by LPIPS, {LPIPS_NOTE}", "low", network="lpips"),
        Figure("diversity", "diversity", "spread of the blends, the parents' = 1; 0 all alike", "one", 3, True),
        Figure("symmetry", "symmetry", "likeness to the mirror image; best is what real faces have", "real"),
        Figure(
            "nearest_training",
            "nearest training",
            f"grey levels to the nearest of the first {TRAINING_FACES:,} training faces, at "
            f"{SMALL_SIDE} x {SMALL_SIDE} pixels; far below what real faces have are copies, or means",
            "real",
            2,
        ),
    ),
    "The way from one parent to the other": (
        Figure(
            "path_irregularity",
            "irregularity",
            "longest step of a continuum over the mean; 1 ideal",
            "one",
            2,
            of_path=True,
        ),
        Figure(
            "path_length",
            "path length",
            "length of a continuum over the straight line; 1 straight",
            "one",
            2,
            of_path=True,
        ),
        Figure(
            "smoothness",
            "ACAI smoothness",
            "largest step of a continuum beyond an even one, as a share; 0 ideal",
            "low",
            of_path=True,
        ),
        Figure(
            "mean_distance",
            "ACAI mean distance",
            "cosine distance of a continuum's inner pictures to the nearest real face",
            "real",
            4,
            features=FEATURES_NAME,
            of_path=True,
        ),
        Figure(
            "boundary_error",
            "boundary",
            "miss at a continuum's ends; 1 is as far as the other parent",
            "low",
            of_path=True,
        ),
        Figure(
            "path_ghosting",
            "ghosting on the way",
            "ghosting outside the face at the worst step of a continuum",
            "low",
            of_path=True,
        ),
        Figure(
            "lpips_path_length",
            "LPIPS path",
            "length of a continuum over the straight line, by LPIPS",
            "low",
            2,
            network="lpips",
            of_path=True,
        ),
    ),
    "What the autoencoder loses": (
        Figure("reconstruction_psnr", "PSNR dB", "of the parents encoded and decoded", "high", 1),
        Figure("reconstruction_ssim", "SSIM", "of the parents encoded and decoded", "high"),
        Figure("reconstruction_ms_ssim", "MS-SSIM", "of the parents encoded and decoded", "high"),
        Figure(
            "reconstruction_lpips",
            "LPIPS",
            f"from the parents to themselves encoded and decoded, {LPIPS_NOTE}",
            "low",
            network="lpips",
        ),
        Figure("cycle_error", "cycle", "share of the blend's latent lost by decoding and encoding it again", "low"),
    ),
    "What it makes of degraded photos": (
        *(
            Figure(f"psnr_{kind}", f"{kind} dB", f"PSNR to the clean face of what is made of one: {words}", "high", 1)
            for kind, words in DEGRADATION_NAMES.items()
        ),
    ),
    "Who is recognised": (
        Figure("mmpmr", "MMPMR", "share that matches both people's other photos, at FMR 0.1 %", "high"),
        Figure(
            "weaker_parent", "weaker parent", "identity similarity to the parent less like it, 1 - distance", "high"
        ),
        Figure(
            "both_dlib", "both, dlib", "share that matches both people's other photos: dlib's distance below .6", "high"
        ),
        Figure("weaker_dlib", "weaker, dlib", "dlib's distance to the other photo that is less like it", "low"),
        Figure("both_sface", "both, SFace", "the same as by dlib, by SFace's cosine above .363", "high"),
        Figure("weaker_sface", "weaker, SFace", "SFace's cosine to the other photo that is less like it", "high"),
    ),
}
"""The figures of each table, by its heading."""

FIGURES = {figure.name: figure for figures in SECTIONS.values() for figure in figures}
"""Every figure by name, in the order of the tables."""


def badness(figure: Figure, value: float, real: float | None = None) -> float | None:
    """Distance of a value from the figure's ideal, to rank methods; None for figures without an ideal.

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
    if figure.best in ("half", "zero"):
        return abs(value - (0.5 if figure.best == "half" else 0.0))
    if figure.best == "real":
        return None if real is None else abs(value - real)
    return {"low": value, "high": -value}.get(figure.best)


def best_methods(figure: Figure, values: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> set[str]:
    """Names of a figure's best methods: several if they are equal as shown, none if all are.

    Parameters
    ----------
    figure : Figure
    values : mapping
        Lines of metrics.jsonl by method and by figure; `REAL` and `CEILING` are not in the race.

    Examples
    --------
    >>> values = {name: {"balance": {"value": value}} for name, value in (("a", 0.0301), ("b", 0.0299), ("c", 0.1))}
    >>> sorted(best_methods(FIGURES["balance"], values))
    ['a', 'b']
    """
    real = values.get(REAL, {}).get(figure.name)
    grades = {}
    for name, rows in values.items():
        if name in (REAL, CEILING) or figure.name not in rows:
            continue
        grade = badness(figure, float(shown_value(figure, rows[figure.name]["value"])), real["value"] if real else None)
        if grade is not None:
            grades[name] = round(grade, 9)
    best = {name for name, grade in grades.items() if grade == min(grades.values())}
    return best if len(best) < len(grades) else set()


def shown_value(figure: Figure, value: float) -> str:
    """Format a value with the figure's decimals, without a negative zero.

    Examples
    --------
    >>> shown_value(FIGURES["patch_kid"], -0.00001)
    '0.0000'
    """
    return f"{round(value, figure.digits) + 0.0:.{figure.digits}f}"


def figure_rows(record: Mapping[str, Any], facts: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Turn a method's scores into the lines of metrics.jsonl.

    Parameters
    ----------
    record : mapping
        ``count`` pairs; ``scores``, a list a figure with None where a pair has none; ``sets``, a number a figure;
        ``set_count`` of blends went into them; ``failures``; ``spectra`` and ``reference_spectrum``; ``networks``,
        names of the features that a network gave; ``side`` at which pictures were described.
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
        features = figure.features or record.get("networks", {}).get(figure.network)
        if figure.features and record.get("side", SIDE) != SIDE:
            features = f"{features} at {record['side']} px"
        if features:
            rows[-1]["features"] = features
    return rows


def _rounded(value: float | None) -> float | None:
    # Six decimals: beyond them lies what another order of summation would change.
    return None if value is None else round(value, 6) + 0.0
