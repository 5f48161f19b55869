"""Photos unlike the model's training photos: damaged test faces, and a portrait from another source."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ..blend.blender import Blender
from ..errors import FeatureblendError
from ..faces.alignment import AlignedFace
from ..metrics.scores import psnr
from .degradation import CLEAN, DEGRADATIONS, degrade
from .measuring import Measured, Run
from .protocols import Drawn

__all__ = ["measure_degraded"]

PAIRS_A_FACE, MOST, SHOWN = 4, 64, 4
"""Pairs of the protocol per damaged face, most faces, and faces shown."""

Coder = Callable[[np.ndarray], np.ndarray]


def measure_degraded(
    measured: Measured, drawn: Drawn, blender: Blender, encode: Coder, decode: Coder, run: Run = map
) -> None:
    """Add a model's results on damaged test faces and on a portrait from another source to its record.

    Parameters
    ----------
    measured : Measured
        The record's scores get a line a kind of damage, its ``spoilt`` the rest, and `sheets` the pictures.
    drawn : Drawn
    blender : Blender
        The model's.
    encode, decode : callable
        As in `featureblend.evaluation.methods.Method`.
    run : callable
        `map`, or a process pool's.
    """
    count = min(max(drawn.protocol.count // PAIRS_A_FACE, SHOWN), MOST, len(drawn.parents))
    faces = drawn.faces.images[drawn.parents[:count]]
    found = list(run(partial(_given_back, encode, decode), faces, range(count)))
    scores: dict[str, list[float | None]] = {name: [] for name in (CLEAN, *DEGRADATIONS)}
    before: list[list[float]] = []
    failures: list[str] = []
    shown: list[np.ndarray] = []
    for index, result in zip(drawn.parents, found, strict=False):
        if isinstance(result, str):
            failures.append(f"{drawn.faces.sources[index]}: {result}")
            for column in scores.values():
                column.append(None)
            continue
        pictures, after, own = result
        for column, value in zip(scores.values(), after, strict=True):
            column.append(value if np.isfinite(value) else None)
        before.append(own)
        if len(shown) < SHOWN:
            shown.append(pictures)
    measured.record["scores"].update({f"psnr_{name}": values for name, values in scores.items()})
    record: dict[str, Any] = {"failures": failures}
    record["before"] = dict(zip(DEGRADATIONS, np.mean(before, axis=0).tolist(), strict=True)) if before else {}
    if shown:
        measured.sheets["spoilt"] = np.stack(shown)
    try:
        measured.sheets["portrait"] = _portrait(blender, drawn)
    except FeatureblendError as error:
        record["no_portrait"] = str(error)
    measured.record["spoilt"] = record


Given = tuple[np.ndarray, list[float], list[float]] | str
"""(1 + kinds, 2, H, W, 3) uint8, what the model saw and gave back; PSNR of both to the clean face, of the first without
the clean face itself; or why there is nothing."""


def _given_back(encode: Coder, decode: Coder, face: np.ndarray, seed: int) -> Given:
    seen = np.stack([face, *(degrade(face, kind, seed) for kind in DEGRADATIONS)])
    try:
        made = decode(encode(seen))
    except Exception as error:  # the others go on
        return str(error) or type(error).__name__
    after, before = ([psnr(picture, face) for picture in pictures] for pictures in (made, seen[1:]))
    return np.stack([seen, made], axis=1), after, before


def _portrait(blender: Blender, drawn: Drawn) -> np.ndarray:
    """scikit-image's portrait of an astronaut aligned and reproduced, a test face, and the blend of both.

    Returns
    -------
    (4, S, S, 3) uint8 array

    Raises
    ------
    FeatureblendError
        If it is not at hand, or no face is found in it.
    """
    try:
        from skimage.data import astronaut
    except ImportError as error:
        raise FeatureblendError(
            "no portrait from elsewhere: scikit-image, which brings one, is not installed"
        ) from error
    face = blender.find(astronaut())
    known = np.flatnonzero(np.isfinite(drawn.faces.landmarks[drawn.parents]).all(axis=(1, 2)))
    index = drawn.parents[known[0]]
    other = AlignedFace(drawn.faces.images[index], drawn.faces.landmarks[index].astype(np.float64), np.eye(2, 3))
    (again,) = blender.pictures(blender.latents([face.image]))
    made = blender.blend_faces([face, other], measures="none")
    return np.stack([face.image, again, other.image, np.asarray(made.image)])
