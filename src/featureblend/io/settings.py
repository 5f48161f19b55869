"""Settings that travel with weights and data: dataclasses to JSON and back, checked."""

from __future__ import annotations

import dataclasses
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from ..errors import FeatureblendError

T = TypeVar("T")


def to_dict(settings: Any) -> dict[str, Any]:
    """Turn a settings dataclass into plain JSON types, nested ones too."""
    return dataclasses.asdict(settings)


def from_dict(kind: type[T], values: dict[str, Any], where: str) -> T:
    """Build a settings dataclass from plain JSON types, and name what does not fit.

    Parameters
    ----------
    kind : dataclass type
    values : dict
        As `to_dict` gives, after a trip through JSON.
    where : str
        The file it came from, named in messages.

    Returns
    -------
    kind

    Raises
    ------
    FeatureblendError
        If a field is unknown, of another type, or a required one is missing.

    Examples
    --------
    >>> from featureblend.faces.alignment import CropTemplate
    >>> from_dict(CropTemplate, {"eye_scale": 2.5}, "config.json").eye_scale
    2.5
    >>> from_dict(CropTemplate, {"eyes": 2}, "config.json")
    Traceback (most recent call last):
    featureblend.errors.FeatureblendError: config.json: CropTemplate has no setting 'eyes'
    """
    if not isinstance(values, dict):
        raise FeatureblendError(f"{where}: expected {kind.__name__} as named settings, not {values!r:.40}")
    fields = {one.name: one for one in dataclasses.fields(kind)}  # type: ignore[arg-type]
    for name, value in values.items():
        if name not in fields:
            raise FeatureblendError(f"{where}: {kind.__name__} has no setting {name!r}")
        wanted = str(fields[name].type)
        if not _fits(value, wanted):
            raise FeatureblendError(f"{where}: {name} of {kind.__name__} must be {wanted}, not {value!r:.40}")
    hints = get_type_hints(kind)
    ready = {name: _without_lists(_nested(hints[name], value, where)) for name, value in values.items()}
    try:
        return kind(**ready)
    except TypeError as error:
        raise FeatureblendError(f"{where}: {error}") from error


def _nested(hint: Any, value: Any, where: str) -> Any:
    """Build what is itself settings: a dataclass, or a tuple of them."""
    if dataclasses.is_dataclass(hint):
        return value if isinstance(value, hint) else from_dict(hint, value, where)  # type: ignore[arg-type]
    if get_origin(hint) is tuple and dataclasses.is_dataclass(get_args(hint)[0]):
        return tuple(_nested(get_args(hint)[0], one, where) for one in value)
    return value


_KINDS: dict[str, Any] = {
    "bool": bool,
    "int": int,
    "float": (int, float),
    "str": str,
    "dict": dict,
    "tuple": (list, tuple),
    "None": type(None),
}
"""What JSON gives for each kind of field; other annotations (a nested dataclass) are not checked."""


def _fits(value: Any, annotation: str) -> bool:
    """Whether a value from JSON may be that of a field; annotations are text, such as ``int | None``."""
    names = [part.split("[")[0].strip() for part in annotation.split(" | ")]
    if any(name not in _KINDS for name in names):
        return True
    if isinstance(value, bool):  # which is an int to Python
        return "bool" in names
    return any(isinstance(value, _KINDS[name]) for name in names)


def _without_lists(value: Any) -> Any:
    # JSON has no tuples; a dataclass compares equal to its reloaded self only if they come back, nested ones too.
    if isinstance(value, dict):
        return {name: _without_lists(part) for name, part in value.items()}
    return tuple(_without_lists(part) for part in value) if isinstance(value, list) else value
