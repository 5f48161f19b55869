"""HTML pages that hold all of themselves and ask nothing of the network."""

from __future__ import annotations

import base64
import io
import os
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..io.files import atomic_path
from ..io.templates import render
from .figures import best_methods, shown_value


def write_page(path: str | os.PathLike[str], template: str, **values: Any) -> Path:
    """Write a page.

    Parameters
    ----------
    path : path-like
        The HTML file.
    template : str
        As `featureblend.io.templates.render`; it may also use `evaluation/macros.html`.
    values : any
        By their names in the template.

    Returns
    -------
    Path
    """
    page = render(template, jpeg=_jpeg, best_methods=best_methods, shown_value=shown_value, **values)
    with atomic_path(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return Path(path)


def data_url(content: bytes, kind: str) -> str:
    """A picture's file as a URL that holds it; `kind` is the end of its media type, such as 'png'.

    Examples
    --------
    >>> data_url(b"abc", "png")
    'data:image/png;base64,YWJj'
    """
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def _jpeg(image: np.ndarray) -> str:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=88)
    return data_url(stream.getvalue(), "jpeg")
