"""Blend two or more photos of faces into one believable photo, in the latent space of an autoencoder.

>>> from featureblend import Blender
>>> Blender.from_pretrained().image_size
128
"""

import os as _os
from typing import TYPE_CHECKING

# ONNX Runtime 1.32 writes a device id under the home folder on import unless this is set first.
_os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__version__ = "0.1.0"
__all__ = [
    "Blend",
    "Blender",
    "Code",
    "FeatureblendError",
    "__version__",
    "average",
    "continuum",
    "mix",
    "symmetrize",
    "transform",
]

if TYPE_CHECKING:
    from .blender import Blend, Blender, Code
    from .errors import FeatureblendError
    from .verbs import average, continuum, mix, symmetrize, transform


def __getattr__(name: str) -> object:
    """Import the public names on first use, so that ``import featureblend`` stays under 0.1 s."""
    if name in ("Blend", "Blender", "Code"):
        from . import blender

        return getattr(blender, name)
    if name == "FeatureblendError":
        from .errors import FeatureblendError

        return FeatureblendError
    if name in ("average", "continuum", "mix", "symmetrize", "transform"):
        from . import verbs

        return getattr(verbs, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
