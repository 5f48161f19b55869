"""Faces of nobody, drawn by rule: to try things on, and to test with."""

from .faces import draw_face, draw_faces

__all__ = ["draw_face", "draw_faces"]
