"""Replay of the operations' recipes."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..blender import Blender
from ..inputs import Input
from ..metadata import save_picture
from .averaging import average
from .continua import continuum
from .regions import mix
from .transforms import symmetrize, transform

__all__ = ["VERBS", "repeat"]

Made = tuple[Mapping[str, Any], Callable[[Mapping[str, Any] | None], Path]]
"""A recipe, and what writes the file with a recipe or none in it."""


def repeat(
    recipe: Mapping[str, Any],
    inputs: Sequence[Input],
    blender: Blender,
    out: str | os.PathLike[str],
    metadata: bool = True,
    like: np.ndarray | None = None,
) -> Path:
    """Make an operation's file again.

    Parameters
    ----------
    recipe : mapping
        What the verb wrote; its ``verb`` is one of `VERBS`.
    inputs : sequence
        The photos and codes, in the recipe's order.
    blender : Blender
        With the recipe's model.
    out : path-like
        What to write.
    metadata : bool
        Put the recipe into the file.
    like : (H, W, 3) uint8 array, optional
        The picture that a continuum's recipe was found in: where it is one of the frames, that frame is made.

    Returns
    -------
    Path

    Raises
    ------
    FeatureblendError
        If an input can't be used, or the file can't be written.
    KeyError, TypeError, ValueError, IndexError
        If the recipe is damaged.
    """
    if like is not None:
        return _continuum(recipe, list(inputs), blender, Path(out), metadata, like)
    return VERBS[recipe["verb"]](recipe, list(inputs), blender, Path(out), metadata)


def _named(made: Mapping[str, Any], recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Give the inputs the names in the recipe, so that renamed files leave it unchanged."""
    pairs = zip(made["inputs"], recipe["inputs"], strict=True)
    return {**made, "inputs": [{**now, "name": then["name"]} for now, then in pairs]}


def _picture(out: Path, image: Any, made: Mapping[str, Any], recipe: Mapping[str, Any], metadata: bool) -> Path:
    return save_picture(out, image, _named(made, recipe) if metadata else None)


def _continuum(
    recipe: Mapping[str, Any],
    inputs: list[Input],
    blender: Blender,
    out: Path,
    metadata: bool,
    like: np.ndarray | None = None,
) -> Path:
    options = dict(recipe["options"])
    file = {name: options.pop(name) for name in ("fps", "columns") if name in options}
    known = {"surroundings": recipe["surroundings"]} if "surroundings" in recipe else {}
    # Only 'latent' bends by choice; the recipe of another method says that it does not.
    made = continuum(
        inputs,
        **options,
        **known,
        method=recipe["method"],
        which=recipe["faces"],
        warp=recipe["warp"],
        blender=blender,
    )
    named = type(made)(made.frames, made.positions, _named(made.recipe, recipe), made.names)
    frames = [np.asarray(frame) for frame in named.frames]
    if like is not None and like.shape == frames[0].shape:  # a contact sheet is larger
        # The nearest, since another machine may differ by a grey level; the recipe does not say which one it was.
        frame = min(frames, key=lambda frame: int(np.abs(frame.astype(int) - like).sum()))
        return save_picture(out, frame, named.recipe_for(**file) if metadata else None)
    return named.save(out, **file, metadata=metadata)


def _average(recipe: Mapping[str, Any], inputs: list[Input], blender: Blender, out: Path, metadata: bool) -> Path:
    known = {"surroundings": recipe["surroundings"]} if "surroundings" in recipe else {}
    made = average(
        inputs,
        **known,
        weights=recipe["weights"],
        method=recipe["method"],
        which=recipe["faces"][0],
        warp=recipe["warp"],
        blender=blender,
    )
    return _picture(out, made.image, {**made.recipe, "weights": recipe["weights"]}, recipe, metadata)


def _changed(recipe: Mapping[str, Any], blender: Blender) -> dict[str, Any]:
    """Options shared by the operations that change one face."""
    names = ("keep_surroundings", "size", "detail")
    options = {name: recipe["options"][name] for name in names if name in recipe["options"]}
    return {"which": recipe["faces"][0], "warp": recipe["warp"], "blender": blender, **options}


def _transform(recipe: Mapping[str, Any], inputs: list[Input], blender: Blender, out: Path, metadata: bool) -> Path:
    options = recipe["options"]
    ends = 1 + options["from"]
    made = transform(inputs[0], inputs[1:ends], inputs[ends:], options["amount"], **_changed(recipe, blender))
    return _picture(out, made.image, made.recipe, recipe, metadata)


def _symmetrize(recipe: Mapping[str, Any], inputs: list[Input], blender: Blender, out: Path, metadata: bool) -> Path:
    made = symmetrize(inputs[0], recipe["options"]["amount"], **_changed(recipe, blender))
    return _picture(out, made.image, made.recipe, recipe, metadata)


def _mix(recipe: Mapping[str, Any], inputs: list[Input], blender: Blender, out: Path, metadata: bool) -> Path:
    named = recipe["options"]["regions"].items()
    regions: dict[str, Any] = {name: (inputs[place - 1], share) for name, (place, share) in named}
    made = mix(inputs[0], **_changed(recipe, blender), **regions)
    return _picture(out, made.image, made.recipe, recipe, metadata)


VERBS: Mapping[str, Callable[[Mapping[str, Any], list[Input], Blender, Path, bool], Path]] = {
    "continuum": _continuum,
    "average": _average,
    "transform": _transform,
    "symmetrize": _symmetrize,
    "mix": _mix,
}
"""The verbs by the name that their recipes have."""
