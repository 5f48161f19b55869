"""Faces: found in photos, aligned, masked, warped by their landmarks; and the example faces."""

from __future__ import annotations

from pathlib import Path

__all__ = ["EXAMPLES"]

EXAMPLES = Path(__file__).parent / "examples"
"""Faces that the bundled model made, each of the codes of ten people; no photo of a person."""
