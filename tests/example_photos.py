"""The example faces as small photos: damage of a few pixels, which reduction would hide, is seen in them."""

import cv2

from featureblend.faces import EXAMPLES
from featureblend.io.image import load_image


def small_example(name, side=160):
    """An example face as a (side, side, 3) uint8 array."""
    return cv2.resize(load_image(EXAMPLES / name), (side, side), interpolation=cv2.INTER_AREA)
