"""Blend two or more photos of faces into one believable photo, in the latent space of an autoencoder.

>>> from featureblend import Blender
>>> Blender.from_pretrained().image_size
128
"""

import os as _os
from importlib import import_module as _import_module
from typing import TYPE_CHECKING

# ONNX Runtime 1.32 writes a device id under the home folder on import unless this is set first.
_os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__version__ = "1.0.0"
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
    from .blend.blender import Blender
    from .blend.recipes import Blend
    from .edit.average import average
    from .edit.continuum import continuum
    from .edit.mix import mix
    from .edit.transform import symmetrize, transform
    from .errors import FeatureblendError
    from .io.codes import Code


_HOMES = {
    "Blend": "blend.recipes",
    "Blender": "blend.blender",
    "Code": "io.codes",
    "FeatureblendError": "errors",
    "average": "edit.average",
    "continuum": "edit.continuum",
    "mix": "edit.mix",
    "symmetrize": "edit.transform",
    "transform": "edit.transform",
}
"""Where each public name lives."""


def __getattr__(name: str) -> object:
    """Import a public name on first use, so that ``import featureblend`` stays under 0.1 s."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(_import_module(f".{_HOMES[name]}", __name__), name)
