"""The baselines by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from . import fourier, morph, pixel, poisson, pyramid


class Baseline(Protocol):
    """Signature of a baseline."""

    def __call__(
        self, images: Sequence[np.ndarray], weights: Sequence[float], landmarks: Sequence[np.ndarray] | None = None
    ) -> np.ndarray:
        """Blend (H, W, 3) uint8 photos with weights that sum to 1 into one of their shape."""
        ...


BASELINES: dict[str, Baseline] = {
    "pixel": pixel.blend,
    "gaussian": pyramid.gaussian_blend,
    "laplacian": pyramid.laplacian_blend,
    "fourier": fourier.blend,
    "poisson": poisson.seamless_blend,
    "gaussian-poisson": poisson.gaussian_poisson_blend,
    "morph": morph.blend,
}
"""Each blend under the name that the command line and the tables use; ``morph`` alone needs the landmarks."""
