"""Every preset by its name."""

from __future__ import annotations

from collections.abc import Mapping

from ...io.tables import check_choice
from ..experiment import Experiment
from .ours import OUR_PRESETS
from .paper import PAPER_PRESETS

PRESETS: Mapping[str, Experiment] = {experiment.name: experiment for experiment in (*PAPER_PRESETS, *OUR_PRESETS)}
"""Experiments by name."""


def preset(name: str) -> Experiment:
    """The experiment of that name.

    Raises
    ------
    FeatureblendError
        If there is none.

    Examples
    --------
    >>> preset("toy").batch_size
    16
    """
    check_choice(name, "preset", PRESETS)
    return PRESETS[name]
