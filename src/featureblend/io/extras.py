"""Packages that only the extras bring."""

from __future__ import annotations

import importlib.util

from ..errors import FeatureblendError


def require(extra: str, *modules: str) -> None:
    """Check that modules are installed, before any work is done that needs them.

    Parameters
    ----------
    extra : str
        The extra that brings them, one of pyproject.toml's.
    modules : str
        Names to import.

    Raises
    ------
    FeatureblendError
        If one is missing; the message holds the command that installs it.

    Examples
    --------
    >>> require("train", "no_such_module")
    Traceback (most recent call last):
    featureblend.errors.FeatureblendError: this needs no_such_module: pip install 'featureblend[train]'
    """
    for module in modules:
        if importlib.util.find_spec(module) is None:
            raise FeatureblendError(f"this needs {module}: pip install 'featureblend[{extra}]'")
