"""The fresh-critic test: can a small classifier, trained from scratch, tell blends from real faces?"""

from __future__ import annotations

import numpy as np

from ..errors import FeatureblendError
from ..io.extras import require
from .inputs import Pictures, as_rows
from .patch_statistics import image_features

PENALTY = 30.0
"""Weight of the squared norm in the critic's regression, in units of one picture's likelihood."""


def auc(scores: np.ndarray, labels: np.ndarray) -> float:
    """Area under the ROC curve: the chance that a positive scores above a negative, a tie counting half.

    Parameters
    ----------
    scores : (N,) array
    labels : (N,) array of bool, or of 0 and 1
        True for positives; there is at least one of each.

    Returns
    -------
    float
        0 to 1: 1 tells them apart wholly, 0.5 not at all.

    Raises
    ------
    FeatureblendError
        If shapes differ, a score is no number, one kind is missing, or scikit-learn is not installed.

    References
    ----------
    J. A. Hanley and B. J. McNeil, "The meaning and use of the area under a receiver operating characteristic (ROC)
    curve", Radiology 143, 1982.

    Examples
    --------
    >>> auc(np.array([3, 2, 2, 1]), np.array([1, 1, 0, 0]))  # of 4 pairs 3 right and 1 tied
    0.875
    """
    values, positive = np.asarray(scores, dtype=np.float64), np.asarray(labels).astype(bool)
    if values.ndim != 1 or values.shape != positive.shape or np.isnan(values).any():
        raise FeatureblendError(f"AUC takes as many scores as labels, all numbers: {values.shape} and {positive.shape}")
    if positive.sum() in (0, len(values)):
        raise FeatureblendError("AUC compares two kinds; one of them is missing")
    require("evaluate", "sklearn")
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(positive, values))


def fresh_critic_auc(real: Pictures, fake: Pictures, folds: int = 5, seed: int = 0) -> float:
    """AUC, on held-out pictures, of a critic trained from scratch to tell fakes from real faces.

    Parameters
    ----------
    real, fake : (N, H, W, 3) and (M, H, W, 3) uint8 arrays, or (N, D) and (M, D) float arrays of features
        Pictures are described by `image_features` ("patch-statistics-v1"). The real faces must be no parents of the
        fakes, or a critic may know them by their backgrounds. At least two a fold of each; some hundreds are needed.
    folds : int
        Parts of the cross-validation, at least 2.
    seed : int
        Of the split into folds.

    Returns
    -------
    float
        The mean over the folds: 0.5 is ideal (the critic is at a loss), 1 is told apart every time. Below 0.5 is
        chance, and likelier than above it: what a fold lacks the others have too much of. With 100 to 150 of each
        kind, two sets of real faces had .36 to .56, with 400 .54.

    Raises
    ------
    FeatureblendError
        If there are too few pictures for the folds, the two sets differ in their features, or scikit-learn is not
        installed.

    Notes
    -----
    Logistic regression with a squared-norm penalty on the standardised features and their squares (a blend often
    gives itself away by lying too near the mean, which no linear critic sees), fitted to the optimum: no chance in it
    but the folds. Two seconds' work for 2 x 400 faces, nearly all of it the features.

    On LFW at 128 pixels with 400 of each: other real faces .54, blurred by half a pixel .70, a morph inside a real
    photo's surroundings .89, landmark morph .98 (sharpened too), pixel average .98, noise 1. It cannot see what the
    features cannot: eyes that do not match, the wrong number of teeth. A deep critic, given enough faces, would see
    more, so a 0.5 here is no proof.

    References
    ----------
    D. Lopez-Paz and M. Oquab, "Revisiting classifier two-sample tests", ICLR 2017.

    Examples
    --------
    >>> points = np.arange(40.0).reshape(20, 2)
    >>> fresh_critic_auc(points, points + 100, folds=2)
    1.0
    """
    first, second = _described(real, "the real faces"), _described(fake, "the faces to judge")
    if first.shape[1] != second.shape[1]:
        raise FeatureblendError(f"features of {first.shape[1]} and of {second.shape[1]} numbers cannot be compared")
    if folds < 2 or min(len(first), len(second)) < 2 * folds:
        raise FeatureblendError(
            f"a critic of {folds} folds takes {2 * max(folds, 2)} pictures of each kind in at least 2 folds, "
            f"not {len(first)} and {len(second)}"
        )
    require("evaluate", "sklearn")
    rows = np.concatenate([first, second])
    labels = np.arange(len(rows)) < len(first)
    generator = np.random.default_rng(seed)
    fold = np.concatenate([generator.permutation(len(part)) % folds for part in (first, second)])
    return float(np.mean([_held_out_auc(rows, labels, fold == held_out) for held_out in range(folds)]))


def _held_out_auc(rows: np.ndarray, labels: np.ndarray, held_out: np.ndarray) -> float:
    """Train on all rows but those held out; return the AUC on these."""
    from sklearn.linear_model import LogisticRegression

    train = ~held_out
    centre, spread = rows[train].mean(axis=0), rows[train].std(axis=0)
    # Features that do not vary say nothing; outliers are held at four deviations.
    scaled = np.clip((rows - centre) / np.where(spread > 1e-9, spread, np.inf), -4, 4)
    inputs = np.concatenate([scaled, scaled**2 - 1], axis=1)
    critic = LogisticRegression(C=1 / PENALTY, solver="newton-cg", tol=1e-6).fit(inputs[train], labels[train])
    return auc(critic.decision_function(inputs[held_out]), labels[held_out])


def _described(values: Pictures, name: str) -> np.ndarray:
    array = np.asarray(values)
    return as_rows(image_features(array) if array.dtype == np.uint8 else array, name)
