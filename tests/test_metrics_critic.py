"""The critic that tells blends from real faces: hand-worked areas, and the rule that its docstring states."""

import math

import numpy as np
import pytest

from featureblend import FeatureblendError
from featureblend.metrics import auc, fresh_critic_auc, image_features

pytestmark = pytest.mark.extras


def clouds(count, dimensions=6, shift=0.0, scale=1.0, seed=0):
    return np.random.default_rng(seed).normal(shift, scale, (count, dimensions))


def test_auc_counts_pairs_with_ties_as_half():
    rng = np.random.default_rng(0)
    scores, labels = rng.integers(0, 6, 50), rng.integers(0, 2, 50)
    wins = [(p > n) + 0.5 * (p == n) for p in scores[labels == 1] for n in scores[labels == 0]]
    assert auc(scores, labels) == pytest.approx(np.mean(wins))
    assert auc(-scores, labels) == pytest.approx(1 - np.mean(wins))
    assert auc(np.zeros(4), [1, 0, 1, 0]) == 0.5
    assert auc(np.array([3, 2, 2, 1], object), [1, 1, 0, 0]) == 0.875


def test_fresh_critic_on_sets_whose_answer_is_known():
    real, alike = clouds(300), clouds(300, seed=1)
    assert fresh_critic_auc(real, alike) == pytest.approx(0.5, abs=0.07)
    # Two Gaussians of spread 1 that are d apart along one feature: AUC = Phi(d / sqrt 2).
    apart = alike.copy()
    apart[:, 0] += 1.0
    expected = 0.5 * (1 + math.erf(0.5))
    assert fresh_critic_auc(real, apart) == pytest.approx(expected, abs=0.04)
    # No linear critic tells a set that is merely nearer to the mean.
    assert fresh_critic_auc(real, 0.5 * alike) > 0.9
    first = fresh_critic_auc(real, apart, seed=5)
    assert first == fresh_critic_auc(real, apart, seed=5)
    assert first != fresh_critic_auc(real, apart, seed=6)


def test_fresh_critic_is_fair_with_many_features_and_constant_ones():
    real, alike = clouds(60, 200), clouds(60, 200, seed=1)
    real[:, 3] = alike[:, 3] = 7
    assert fresh_critic_auc(real, alike) == pytest.approx(0.5, abs=0.12)  # it would be 1 on its own training set


def area(scores, labels):
    """AUC by its definition: pairs that are the right way round."""
    pairs = scores[labels][:, None] - scores[~labels]
    return np.mean((pairs > 0) + 0.5 * (pairs == 0))


def by_the_rule(real, fake, folds, seed):
    """What the docstring says, with Newton's method written out."""
    generator, rows = np.random.default_rng(seed), np.concatenate([real, fake])
    labels = np.arange(len(rows)) < len(real)
    fold = np.concatenate([generator.permutation(len(part)) % folds for part in (real, fake)])
    areas = []
    for held_out in range(folds):
        train = fold != held_out
        spread = rows[train].std(axis=0)
        varies = spread > 1e-9
        scaled = ((rows - rows[train].mean(axis=0))[:, varies] / spread[varies]).clip(-4, 4)
        inputs = np.hstack([scaled, scaled**2 - 1, np.ones((len(rows), 1))])
        penalty = 30.0 * np.diag([1.0] * 2 * scaled.shape[1] + [0.0])
        weights = np.zeros(inputs.shape[1])
        for _ in range(30):
            chance = 1 / (1 + np.exp(-inputs[train] @ weights))
            slope = inputs[train].T @ (chance - labels[train]) + penalty @ weights
            bend = (inputs[train].T * (chance * (1 - chance))) @ inputs[train] + penalty
            weights -= np.linalg.solve(bend, slope)
        areas.append(area((inputs @ weights)[~train], labels[~train]))
    return np.mean(areas)


def test_the_critic_is_the_penalised_regression_of_its_docstring():
    """With a feature that hardly varies, a constant one, and outliers far beyond what is let count."""
    real, fake = clouds(70, 5), 0.8 * clouds(50, 5, shift=0.2, seed=10)
    for part in (real, fake):
        part[:, 3] = 1e-7 * part[:, 3]
        part[:, 4] = 7
        part[::30, 0] = [-30, 30, -20][: len(part[::30])]
    due = {folds: by_the_rule(real, fake, folds, seed=1) for folds in (2, 5)}
    for folds in due:
        assert fresh_critic_auc(real, fake, folds, seed=1) == pytest.approx(due[folds], abs=1e-9)
    assert fresh_critic_auc(real, fake, seed=1) == fresh_critic_auc(real, fake, 5, 1)
    assert fresh_critic_auc(real, fake) == fresh_critic_auc(real, fake, 5, 0)


def test_pictures_are_judged_by_their_features():
    noise = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), dtype=np.uint8)
    real, fake = noise[:4], noise[4:]
    assert fresh_critic_auc(real, fake, 2) == fresh_critic_auc(image_features(real), image_features(fake), 2)


def test_what_cannot_be_judged_is_refused():
    real, fake = clouds(8), clouds(4, seed=1)
    assert 0 <= fresh_critic_auc(real, fake, 2) <= 1  # four of each kind are enough for two folds
    for values, folds, words in [
        ((real, fake[:3]), 2, "takes 4 pictures of each kind in at least 2 folds, not 8 and 3"),
        ((fake[:3], real), 2, "not 3 and 8"),
        ((real, fake), 3, "a critic of 3 folds takes 6"),
        ((real, fake), 1, "a critic of 1 folds takes 4"),
        ((real, fake[:, :5]), 2, "features of 6 and of 5 numbers"),
        ((real * math.nan, fake), 2, "the real faces"),
        ((real, fake * math.nan), 2, "the faces to judge"),
    ]:
        with pytest.raises(FeatureblendError, match=words):
            fresh_critic_auc(*values, folds)
    for scores, labels, words in [
        ([1, 2, 3], [1, 0], "as many scores as labels"),
        ([[1, 2]], [[1, 0]], "as many scores as labels"),
        ([1, math.nan], [1, 0], "all numbers"),
        ([1, 2], [1, 1], "one of them is missing"),
        ([1, 2], [0, 0], "one of them is missing"),
    ]:
        with pytest.raises(FeatureblendError, match=words):
            auc(scores, labels)


def test_without_scikit_learn_its_extra_is_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for ask in (lambda: auc([2, 1], [1, 0]), lambda: fresh_critic_auc(clouds(8), clouds(8), 2)):
        with pytest.raises(FeatureblendError, match=r"this needs sklearn: .*\[evaluate\]'"):
            ask()
