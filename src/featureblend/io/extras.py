"""Packages that only the extras bring."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

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
    >>> require("train", "no_such_module")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    featureblend.errors.FeatureblendError: this needs no_such_module: ...install ...[train]'
    """
    for module in modules:
        if importlib.util.find_spec(module) is None:
            raise FeatureblendError(f"this needs {module}: {install(extra)}")


def install(extra: str) -> str:
    """The command that adds an extra, by what installed featureblend: pip, pipx or uv, from a clone or not.

    Examples
    --------
    >>> install("web").endswith("[web]'")
    True
    """
    # They bring e-mail and TLS, which no command that finds all it needs should wait for.
    from importlib.metadata import PackageNotFoundError, distribution
    from urllib.parse import urlsplit
    from urllib.request import url2pathname

    parts = Path(sys.prefix).parts
    if "pipx" in parts:
        return f"pipx install --force 'featureblend[{extra}]'"
    if parts[-3:-1] == ("uv", "tools"):
        return f"uv tool install 'featureblend[{extra}]'"
    try:
        source = json.loads(distribution("featureblend").read_text("direct_url.json") or "{}")
    except (PackageNotFoundError, ValueError):
        source = {}
    if source.get("dir_info", {}).get("editable"):  # a clone, whose environment the shell need not have found
        folder = url2pathname(urlsplit(source["url"]).path)
        return f"{sys.executable} -m pip install -e '{folder}[{extra}]'"
    return f"pip install 'featureblend[{extra}]'"
