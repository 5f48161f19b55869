"""The package's drawn faces, for tests where no photo is at hand."""

from featureblend.faces.drawn import draw_face, draw_faces

__all__ = ["draw_face", "draw_faces"]
