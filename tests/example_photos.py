"""The example faces, also as small photos: damage of a few pixels, which reduction would hide, is seen in them."""

import cv2
import numpy as np

from featureblend.faces import EXAMPLES
from featureblend.io.image import load_image

FIRST, SECOND, THIRD, FOURTH = (EXAMPLES / f"{name}.jpg" for name in ("first", "second", "third", "fourth"))


def small_example(name, side=160):
    """An example face as a (side, side, 3) uint8 array."""
    return cv2.resize(load_image(EXAMPLES / name), (side, side), interpolation=cv2.INTER_AREA)


def difference(one, other):
    """Mean absolute difference of two pictures in grey levels."""
    return float(np.abs(np.asarray(one).astype(int) - np.asarray(other).astype(int)).mean())
