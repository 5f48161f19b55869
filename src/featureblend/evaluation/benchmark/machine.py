"""The machine and library versions of a benchmark, without which its times mean little."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ... import __version__

__all__ = ["machine_facts"]

PACKAGES = ("numpy", "Pillow", "opencv-python-headless", "onnxruntime", "torch", "facemorpher")
"""Packages whose versions affect speed."""


def machine_facts() -> dict[str, Any]:
    """Facts about the machine and the versions of the libraries; no host or user name is among them.

    Examples
    --------
    >>> machine_facts()["cores"] > 0
    True
    """
    affinity = getattr(os, "sched_getaffinity", None)
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": len(affinity(0)) if affinity else os.cpu_count(),
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "threads": os.environ.get("OMP_NUM_THREADS"),
        "python": platform.python_version(),
        "featureblend": __version__,
        "packages": {name: found for name in PACKAGES if (found := _version(name)) is not None},
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
