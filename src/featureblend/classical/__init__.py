"""Blends that need no learning, all of one signature: ``blend(images, weights, landmarks=None) -> image``."""

from .morph import mean_shape, warp_map, warp_to_shape
from .registry import METHODS, Method

__all__ = ["METHODS", "Method", "mean_shape", "warp_map", "warp_to_shape"]
