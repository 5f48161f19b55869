"""A model's basic figures: how well it reproduces faces of people it was not trained on."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ..errors import FeatureblendError
from ..metrics.scores import psnr, sharpness, ssim
from .dataset import FaceSet

__all__ = ["held_out_figures"]


def held_out_figures(
    faces: FaceSet, size: int, reconstruct: Callable[[np.ndarray], np.ndarray], limit: int = 500
) -> dict[str, float | None]:
    """Score reconstructions of the test split, with the mean face as the lower bound.

    Parameters
    ----------
    faces : FaceSet
        With all splits: the mean face is that of the training people.
    size : int
        Side of the pictures in pixels.
    reconstruct : callable
        Maps (N, size, size, 3) uint8 to the same.
    limit : int
        At most so many test faces, the first ones.

    Returns
    -------
    dict
        ``faces`` (count), ``psnr``, ``psnr_mean_face`` (dB, means over faces), ``ssim``, and
        ``sharpness`` (variance of the Laplacian, outputs over real). Ready for JSON: None where a
        figure is no finite number (the PSNR of faces that are given back without any error, the
        sharpness relative to flat pictures).

    Raises
    ------
    FeatureblendError
        If no face is of the test split.
    """
    test = faces.split("test")
    if not len(test):
        raise FeatureblendError("the data holds no faces of the test split to measure on")
    real = test.chosen(np.arange(min(limit, len(test)))).cropped(size).images
    train = faces.split("train")
    known = (train if len(train) else test).chosen(np.arange(min(2000, len(train) or len(test)))).cropped(size).images
    mean_face = np.clip(known.mean(axis=0, dtype=np.float64) + 0.5, 0, 255).astype(np.uint8)
    made = reconstruct(real)

    def average(values: list[float]) -> float | None:
        mean = float(np.mean(values))
        return round(mean, 3) if math.isfinite(mean) else None

    of_real = float(np.mean([sharpness(face) for face in real]))

    return {
        "faces": len(real),
        "psnr": average([psnr(a, b) for a, b in zip(made, real, strict=True)]),
        "psnr_mean_face": average([psnr(mean_face, b) for b in real]),
        "ssim": average([ssim(a, b) for a, b in zip(made, real, strict=True)]),
        "sharpness": average([sharpness(a) / of_real for a in made]) if of_real else None,
    }
