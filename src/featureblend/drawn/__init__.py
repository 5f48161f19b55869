"""Procedurally drawn faces, for trials and tests."""

from .faces import draw_face, draw_faces

__all__ = ["draw_face", "draw_faces"]
