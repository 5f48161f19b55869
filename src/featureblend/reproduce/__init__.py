"""The paper's experiments, run again: every system trained, every figure redrawn, every claim judged by our numbers."""

from .command import reproduce

__all__ = ["reproduce"]
