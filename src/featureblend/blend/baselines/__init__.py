"""Blends that need no learning, all of one signature: ``blend(images, weights, landmarks=None) -> image``."""

from .registry import BASELINES, Baseline

__all__ = ["BASELINES", "Baseline"]
