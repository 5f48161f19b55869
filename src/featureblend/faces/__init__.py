"""Faces: found in photos, aligned, masked, warped by their landmarks; and the example faces."""

from __future__ import annotations

from pathlib import Path

__all__ = ["EXAMPLES"]

EXAMPLES = Path(__file__).parent / "examples"
"""Six people who do not exist, drawn by a face generator at 768 px: ``examples.md`` says of what origin and licence."""
