"""Named experiments, and recipes made of them; `featureblend train --list` shows them."""

from .changes import overridden, quick, resized
from .recipes import RECIPES, Recipe, Stage, recipe
from .registry import PRESETS, preset

__all__ = ["PRESETS", "RECIPES", "Recipe", "Stage", "overridden", "preset", "quick", "recipe", "resized"]
