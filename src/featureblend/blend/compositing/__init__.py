"""From a model's small blend to a finished picture: the parents' fine detail, a size, a background."""

from .composing import BACKGROUNDS, LARGEST, SIZES, compose
from .detail import add_detail
from .paste import border_fade, paste
from .skin import with_mean_colour

__all__ = ["BACKGROUNDS", "LARGEST", "SIZES", "add_detail", "border_fade", "compose", "paste", "with_mean_colour"]
