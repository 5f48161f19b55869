"""Photos unlike a model's training photos: test faces with fixed damage, and a portrait from another source.

Not the damage that `featureblend.training.degradation` trains on, whose amounts and kinds of grain are drawn anew for
every picture, and whose compression only stands in for JPEG: here it is JPEG itself.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from PIL import Image

from ..blend.blender import Blender
from ..errors import FeatureblendError
from ..faces.alignment import AlignedFace
from ..io.image import check_image
from ..io.tables import check_choice
from ..metrics.scores import psnr
from .protocols import Drawn

if TYPE_CHECKING:
    from .summary import Measured


CLEAN = "clean"
"""Name of the undamaged face, beside `DEGRADATIONS`."""

BLUR = 2 / 128
"""Standard deviation of the blur, as a share of the side."""

NOISE = 20.0
"""Standard deviation of the noise in grey levels."""

EXPOSURE, CONTRAST, TINT = 0.65, 0.7, (1.1, 1.0, 0.85)
"""Weak, flat and yellow: share of the light, of the spread about the mean, and gains of red, green and blue."""

QUALITY = 10
"""JPEG's, of 100."""

PAIRS_A_FACE, MOST, SHOWN = 4, 64, 4
"""Pairs of the protocol per damaged face, most faces, and faces shown."""

SMALLER, THUMBNAIL = 0.5, 30
"""Share of the size and JPEG quality of a thumbnail."""


Coder = Callable[[np.ndarray], np.ndarray]
"""Pictures to latents, or latents to pictures."""


def _blurred(image: np.ndarray, seed: int) -> np.ndarray:
    return cv2.GaussianBlur(image, (0, 0), BLUR * max(image.shape[:2]), borderType=cv2.BORDER_REFLECT_101)


def _noisy(image: np.ndarray, seed: int) -> np.ndarray:
    return image + np.random.default_rng(seed).normal(0, NOISE, image.shape)


def _lit(image: np.ndarray, seed: int) -> np.ndarray:
    mean = image.mean(axis=(0, 1))
    return (mean + (image - mean) * CONTRAST) * EXPOSURE * np.array(TINT)


def _compressed(image: np.ndarray, seed: int) -> np.ndarray:
    return np.asarray(_jpeg(Image.fromarray(image), QUALITY))


def _reduced(image: np.ndarray, seed: int) -> np.ndarray:
    height, width = image.shape[:2]
    small = (max(round(width * SMALLER), 1), max(round(height * SMALLER), 1))
    thumbnail = _jpeg(Image.fromarray(image).resize(small, Image.Resampling.LANCZOS), THUMBNAIL)
    return np.asarray(thumbnail.resize((width, height), Image.Resampling.BICUBIC))


def _jpeg(image: Image.Image, quality: int) -> Image.Image:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality)
    return Image.open(stream).convert("RGB")


_WAYS: dict[str, Callable[[np.ndarray, int], np.ndarray]] = {
    "blur": _blurred,
    "noise": _noisy,
    "light": _lit,
    "compression": _compressed,
    "thumbnail": _reduced,
}

DEGRADATIONS = tuple(_WAYS)
"""Ways to degrade a photo."""


def degrade(image: np.ndarray, kind: str, seed: int = 0) -> np.ndarray:
    """Degrade a photo.

    Parameters
    ----------
    image : (H, W, 3) uint8 array, sRGB
    kind : str
        One of `DEGRADATIONS`: 'blur' (a standard deviation of 2 pixels of 128), 'noise' (of 20 grey levels), 'light'
        (two thirds of it, flat and yellow), 'compression' (JPEG of quality 10) or 'thumbnail' (half the size, JPEG of
        quality 30, enlarged again).
    seed : int
        Of the noise.

    Returns
    -------
    (H, W, 3) uint8 array, sRGB

    Raises
    ------
    FeatureblendError
        If the kind is unknown, or the image is no such array.

    Examples
    --------
    >>> grey = np.full((64, 64, 3), 100, np.uint8)
    >>> degrade(grey, "light")[0, 0].tolist(), degrade(grey, "blur")[0, 0].tolist()
    ([72, 65, 55], [100, 100, 100])
    """
    check_image(image)
    check_choice(kind, "degradation", DEGRADATIONS)
    return np.clip(np.rint(_WAYS[kind](image, seed)), 0, 255).astype(np.uint8)


def add_degraded(measured: Measured, drawn: Drawn, blender: Blender, give_back: Callable[..., Iterable[Any]]) -> None:
    """Add a model's results on degraded test faces and on a portrait from another source to its record.

    Parameters
    ----------
    measured : Measured
        The record's scores get a line a kind of damage, its ``spoilt`` the rest, and `sheets` the pictures.
    drawn : Drawn
    blender : Blender
        The model's.
    give_back : callable
        Indices of drawn faces and as many seeds in; of each, what `given_back` gives, or a reason, out.
    """
    count = min(max(drawn.protocol.count // PAIRS_A_FACE, SHOWN), MOST, len(drawn.parents))
    indices = drawn.parents[:count].tolist()
    results = list(give_back(indices, range(count)))
    made = [result for result in results if not isinstance(result, str)]
    for place, kind in enumerate((CLEAN, *DEGRADATIONS)):
        measured.record["scores"][f"psnr_{kind}"] = [
            None if isinstance(result, str) or not np.isfinite(result[1][place]) else result[1][place]
            for result in results
        ]
    failures = [
        f"{drawn.faces.sources[index]}: {result}"
        for index, result in zip(indices, results, strict=True)
        if isinstance(result, str)
    ]
    before = np.mean([own for _, _, own in made], axis=0).tolist() if made else []
    measured.record["spoilt"] = {"failures": failures, "before": dict(zip(DEGRADATIONS, before, strict=False))}
    if made:
        measured.sheets["spoilt"] = np.stack([pictures for pictures, _, _ in made[:SHOWN]])
    try:
        measured.sheets["portrait"] = _portrait(blender, drawn)
    except FeatureblendError as error:
        measured.record["spoilt"]["no_portrait"] = str(error)


def given_back(
    encode: Coder, decode: Coder, face: np.ndarray, seed: int
) -> tuple[np.ndarray, list[float], list[float]]:
    """Degrade a face in every way, encode and decode it.

    Returns
    -------
    pictures : (1 + kinds, 2, S, S, 3) uint8 array
        What the model saw and gave back, the clean face first.
    after, before : lists of float
        PSNR of both to the clean face, of what was seen without the clean face itself.
    """
    seen = np.stack([face, *(degrade(face, kind, seed) for kind in DEGRADATIONS)])
    made = decode(encode(seen))
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
    (again,) = blender.networks.pictures(blender.networks.latents([face.image]))
    made = blender.blend_faces([face, other], measures="none", size="model")
    return np.stack([face.image, again, other.image, np.asarray(made.image)])
