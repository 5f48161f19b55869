"""Jinja2 templates: files beside the modules that fill them."""

from __future__ import annotations

from typing import Any

from .extras import require


def render(template: str, **values: Any) -> str:
    """Fill a template; in HTML, what is filled in is escaped.

    Parameters
    ----------
    template : str
        Path of a file in the package, such as 'evaluation/report.html'.
    values : any
        By their names in the template; one that is missing is an error.

    Returns
    -------
    str

    Raises
    ------
    FeatureblendError
        If Jinja2 is not installed.
    """
    return str(_template(template).render(values))


def macros(template: str, **names: Any) -> Any:
    """The macros of a template, to be called by their names; `names` are what they see besides. Errors as `render`."""
    return _template(template, names).module


def _template(name: str, names: dict[str, Any] | None = None) -> Any:
    require("evaluate", "jinja2")
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

    environment = Environment(
        loader=PackageLoader("featureblend", ""),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(name, globals=names)
