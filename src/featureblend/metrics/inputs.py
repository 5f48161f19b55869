"""Input checks of the scores (a picture or a stack of pictures), and the luma they use."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from ..errors import FeatureblendError
from ..io.image import check_image

Pictures = np.ndarray | Sequence[np.ndarray]
"""One (H, W, 3) uint8 picture, an (N, H, W, 3) uint8 stack, or a sequence of pictures of one size; sRGB."""


def as_stack(images: Pictures, name: str = "the pictures") -> np.ndarray:
    """Pictures as one (N, H, W, 3) uint8 array; a single picture becomes a stack of one.

    Raises
    ------
    FeatureblendError
        If there is none, the sizes differ, or one is no (H, W, 3) uint8 array.

    Examples
    --------
    >>> as_stack(np.zeros((4, 6, 3), np.uint8)).shape
    (1, 4, 6, 3)
    >>> as_stack([np.zeros((4, 6, 3), np.uint8)] * 2).shape
    (2, 4, 6, 3)
    """
    if isinstance(images, np.ndarray):
        stack = images[None] if images.ndim == 3 else images
        if stack.dtype != np.uint8 or stack.ndim != 4 or stack.shape[3] != 3 or 0 in stack.shape:
            raise FeatureblendError(
                f"{name}: expected an (N, H, W, 3) uint8 sRGB array, not {images.shape} {images.dtype}"
            )
        return stack
    if len(images) == 0:
        raise FeatureblendError(f"{name}: there is none")
    for position, image in enumerate(images, 1):
        check_image(image, f"{name}, number {position}")
        if image.shape != images[0].shape:
            raise FeatureblendError(f"{name}: number {position} is {image.shape} and number 1 is {images[0].shape}")
    return np.stack(images)


def as_rows(values: Pictures, name: str, minimum: int = 1) -> np.ndarray:
    """Vectors as an (N, D) float64 array, checked to be finite.

    Parameters
    ----------
    values : (N, ...) array
        Features, embeddings or latents: one of N, flattened, becomes a row.
    name : str
        What they are, for messages.
    minimum : int
        The least N that makes sense.

    Raises
    ------
    FeatureblendError
        If there are too few, or a value is no finite number.

    Examples
    --------
    >>> as_rows(np.ones((2, 3, 4)), "the latents").shape
    (2, 12)
    """
    array = np.asarray(values)
    if array.ndim < 2 or len(array) < minimum or array[0].size == 0:
        raise FeatureblendError(f"{name}: expected an (N, D) array with N of at least {minimum}, not {array.shape}")
    rows = array.reshape(len(array), -1).astype(np.float64)
    if not np.isfinite(rows).all():
        raise FeatureblendError(f"{name}: not all values are finite numbers")
    return rows


def check_pair(image: np.ndarray, reference: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two pictures, unchanged, after checking that they can be compared pixel by pixel.

    Raises
    ------
    FeatureblendError
        If one is no (H, W, 3) uint8 array or the sizes differ.
    """
    check_image(image, "the picture")
    check_image(reference, "the reference")
    if image.shape != reference.shape:
        raise FeatureblendError(f"the picture is {image.shape} and its reference {reference.shape}: expected one size")
    return image, reference


def luma(image: np.ndarray) -> np.ndarray:
    """The luma of a picture, 0.299 R + 0.587 G + 0.114 B of the sRGB values (Rec. 601), as float32 in [0, 255].

    Examples
    --------
    >>> luma(np.full((1, 1, 3), 255, np.uint8)).tolist()
    [[255.0]]
    """
    return cv2.cvtColor(image.astype(np.float32), cv2.COLOR_RGB2GRAY)


def squared_distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The (N, M) squared Euclidean distances of (N, D) and (M, D) rows, by their inner products.

    Rounding leaves about 1e-16 of the rows' squared norms (float64): centre them first where that matters.

    Examples
    --------
    >>> squared_distances(np.array([[0.0, 0.0]]), np.array([[3.0, 4.0]])).tolist()
    [[25.0]]
    """
    squares = np.square(a).sum(axis=1)[:, None] + np.square(b).sum(axis=1)[None, :] - 2 * (a @ b.T)
    return np.maximum(squares, 0)
