"""Blends that need no learning, all of one signature: ``blend(images, weights, landmarks=None) -> image``."""

from .registry import METHODS, Method

__all__ = ["METHODS", "Method"]
