"""Named experiments; `featureblend train --list` shows them."""

from .changes import overridden, quick, resized
from .registry import PRESETS, preset

__all__ = ["PRESETS", "overridden", "preset", "quick", "resized"]
