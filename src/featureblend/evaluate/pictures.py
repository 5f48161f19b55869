"""Pictures embedded in a report."""

from __future__ import annotations

import base64
import io
from html import escape

import numpy as np
from PIL import Image

__all__ = ["embedded"]


def embedded(image: np.ndarray, name: str) -> str:
    """An ``<img>`` element with the picture embedded.

    Parameters
    ----------
    image : (H, W, 3) uint8 array, sRGB
    name : str
        Read out, and shown on hovering.

    Examples
    --------
    >>> embedded(np.zeros((8, 8, 3), np.uint8), "a < b").count('"a &lt; b"')
    2
    """
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=88)
    content = base64.b64encode(stream.getvalue()).decode()
    return f'<img src="data:image/jpeg;base64,{content}" alt="{escape(name)}" title="{escape(name)}" loading="lazy">'
