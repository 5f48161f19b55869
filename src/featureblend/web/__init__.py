"""The web page: photos in, a live blend out, on this machine alone.

Gradio is loaded when the page is built.
"""

from .server import serve

__all__ = ["serve"]
