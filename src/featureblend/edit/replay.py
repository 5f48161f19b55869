"""The same file again: a recipe's inputs are found by their hashes, and its model by its identity."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..blend.blender import Blender
from ..blend.compositing.composing import CUT_OUT
from ..blend.recipes import Blend
from ..errors import FeatureblendError
from ..io.codes import CODE_SUFFIX, Code
from ..io.files import sha256
from ..io.image import crop_image, load_image, not_a_photo, picture_path
from ..io.metadata import SHOWN_TOGETHER, read_recipe, save_picture
from ..io.video import ANIMATIONS, SHEETS, TABLE, VIDEOS, check_out
from ..model.folder import BUNDLED, bundled_models, find_model, read_model_folder
from .average import Average, average
from .continuum import Continuum, continuum
from .mix import mix
from .transform import symmetrize, transform, transform_along


def _blend(recipe: Mapping[str, Any], inputs: Sequence[Any], blender: Blender) -> Blend:
    options = dict(recipe.get("options") or {})
    if options.get("background") in CUT_OUT:
        options.setdefault("cut", "face")  # a recipe that names none was made when only faces were cut out
    return blender.blend(
        inputs,
        recipe["weights"],
        recipe["method"],
        which=recipe.get("faces", "largest"),
        warp=recipe.get("warp", True),
        measures="none",
        **_surroundings(recipe),
        **_with_size(options),
    )


def _continuum(recipe: Mapping[str, Any], inputs: Sequence[Any], blender: Blender) -> Continuum:
    options = _with_size(recipe["options"])
    # Only 'latent' warps by choice; the recipe of another method says that it does not.
    settings = {"method": recipe["method"], "which": recipe["faces"], "warp": recipe["warp"], **_surroundings(recipe)}
    own = {name: value for name, value in options.items() if name not in OF_THE_FILE}
    return continuum(inputs, blender=blender, **settings, **own)


def _average(recipe: Mapping[str, Any], inputs: Sequence[Any], blender: Blender) -> Average:
    made = average(
        inputs,
        **_surroundings(recipe),
        weights=recipe["weights"],
        method=recipe["method"],
        which=recipe["faces"][0],
        warp=recipe["warp"],
        size=_with_size(recipe["options"])["size"],
        blender=blender,
    )
    return replace(made, recipe={**made.recipe, "weights": recipe["weights"]})


def _surroundings(recipe: Mapping[str, Any]) -> dict[str, Any]:
    return {"surroundings": recipe["surroundings"]} if "surroundings" in recipe else {}


def _with_size(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options of a recipe with the size that it means where it holds none: the model's."""
    return {**options, "size": options.get("size") or "model"}


def _changed(recipe: Mapping[str, Any], blender: Blender) -> dict[str, Any]:
    """Options shared by the operations that change one face."""
    names = ("keep_surroundings", "size", "detail")
    options = _with_size({name: recipe["options"][name] for name in names if name in recipe["options"]})
    return {"which": recipe["faces"][0], "warp": recipe["warp"], "blender": blender, **options}


def _transform(recipe: Mapping[str, Any], inputs: Sequence[Any], blender: Blender) -> Blend:
    options = recipe["options"]
    if options.get("direction"):
        return transform_along(inputs[0], inputs[1], options["amount"], **_changed(recipe, blender))
    ends = 1 + options["from"]
    return transform(inputs[0], inputs[1:ends], inputs[ends:], options["amount"], **_changed(recipe, blender))


def _symmetrize(recipe: Mapping[str, Any], inputs: Sequence[Any], blender: Blender) -> Blend:
    return symmetrize(inputs[0], recipe["options"]["amount"], **_changed(recipe, blender))


def _mix(recipe: Mapping[str, Any], inputs: Sequence[Any], blender: Blender) -> Blend:
    named = recipe["options"]["regions"].items()
    regions: dict[str, Any] = {name: (inputs[place - 1], share) for name, (place, share) in named}
    return mix(inputs[0], **_changed(recipe, blender), **regions)


EDITS: Mapping[str, Callable[[Mapping[str, Any], Sequence[Any], Blender], Any]] = {
    "blend": _blend,
    "continuum": _continuum,
    "average": _average,
    "transform": _transform,
    "symmetrize": _symmetrize,
    "mix": _mix,
}
"""What makes each kind of result again, by the name that its recipe has."""

OF_THE_FILE = ("fps", "columns")
"""Options of a continuum's recipe that are its file's."""


HASHES = ("sha256", "pixels_sha256", "latent_sha256")
"""What a recipe may know an input by: the file, the pixels of a picture in memory, a code's numbers."""


@dataclass(frozen=True)
class Replayed:
    """The result of `replay`."""

    path: Path
    """The file that was written."""
    recipe: Mapping[str, Any]
    """The recipe that was followed."""
    notes: tuple[str, ...] = ()
    """What differs from when the recipe was written, in plain sentences."""


def find_inputs(
    recipe: Mapping[str, Any],
    files: Sequence[str | os.PathLike[str]] = (),
    folders: Sequence[str | os.PathLike[str]] = (),
) -> list[Path]:
    """Find a recipe's inputs by content; their names and folders may have changed.

    Parameters
    ----------
    recipe : mapping
    files : sequence of path-like
        Photos and codes to look at, in any order.
    folders : sequence of path-like
        Where to look next, folders inside them too.

    Returns
    -------
    list of Path
        In the recipe's order.

    Raises
    ------
    FeatureblendError
        If one is nowhere: it says which, and whether another file has its name.

    Examples
    --------
    >>> from featureblend.faces import EXAMPLES
    >>> facts = {"name": "old.png", "sha256": sha256(EXAMPLES / "third.jpg")}
    >>> [path.name for path in find_inputs({"inputs": [facts]}, folders=[EXAMPLES])]
    ['third.jpg']
    """
    for path in files:
        if not Path(path).is_file():
            raise FeatureblendError(f"no such file: {path}")
    for folder in folders:
        if not Path(folder).is_dir():
            raise FeatureblendError(f"{folder} is no folder" if Path(folder).exists() else f"no such folder: {folder}")
    seen: dict[tuple[str, Path], str | OSError | None] = {}
    return [_found(facts, [Path(path) for path in files], folders, seen) for facts in recipe["inputs"]]


def _found(
    facts: Mapping[str, Any],
    files: Sequence[Path],
    folders: Sequence[str | os.PathLike[str]],
    seen: dict[tuple[str, Path], str | OSError | None],
) -> Path:
    if not isinstance(facts, Mapping):
        raise FeatureblendError(f"the recipe is damaged: {facts!r} is no input")
    kind = next((kind for kind in HASHES if isinstance(facts.get(kind), str)), None)
    name = Path(str(facts.get("name", ""))).name or "an input"
    if kind is None:
        raise FeatureblendError(f"the recipe does not say what {name} holds: its hash is missing")
    namesakes, unreadable = [], ""
    for path in _candidates(name, files, folders):
        if (kind, path) not in seen:
            seen[kind, path] = _hash(kind, path)
        found = seen[kind, path]
        if found == facts[kind]:
            return path
        if isinstance(found, OSError):
            unreadable = unreadable or f" (it may be {path}, which can't be read: {found.strerror or found})"
        elif path.name == name:
            namesakes.append((path, found or "none"))
    if namesakes:
        path, found = namesakes[0]
        raise FeatureblendError(
            f"{path} is not the {name} of the recipe: {kind} {found[:12]}…, not {facts[kind][:12]}…; name the right "
            f"one with --photos or its folder with --inputs-dir{unreadable}"
        )
    raise FeatureblendError(
        f"{name} ({kind} {facts[kind][:12]}…) was not found: name it with --photos, or its folder with --inputs-dir"
        f"{unreadable}"
    )


def _hash(kind: str, path: Path) -> str | OSError | None:
    """Hash of a file's content, or the error if it can't be read, so that the search goes on."""
    try:
        return _HASHERS[kind](path)
    except OSError as error:
        return error


def _candidates(name: str, files: Sequence[Path], folders: Sequence[str | os.PathLike[str]]) -> Iterator[Path]:
    """Files that may be the input, the likeliest first."""
    yield from files
    inside = [
        path
        for folder in folders
        for path in sorted(Path(place, name) for place, _, names in os.walk(folder) for name in names)
        if os.path.isfile(path)
    ]
    yield from (path for path in inside if path.name == name)
    for path in inside:  # a folder may hold videos, whose hashes take long
        if path.name != name and (path.suffix.lower() == CODE_SUFFIX or not_a_photo(path) is None):
            yield path


def _pixels_hash(path: Path) -> str | None:
    try:
        return hashlib.sha256(load_image(path).tobytes()).hexdigest()
    except FeatureblendError:  # a code, or no picture at all
        return None


def _latent_hash(path: Path) -> str | None:
    try:
        return hashlib.sha256(Code.load(path).latent.tobytes()).hexdigest()
    except FeatureblendError:
        return None


_HASHERS: Mapping[str, Callable[[Path], str | None]] = {
    "sha256": sha256,
    "pixels_sha256": _pixels_hash,
    "latent_sha256": _latent_hash,
}


def find_recipe_model(recipe: Mapping[str, Any], model: str | os.PathLike[str] | None = None) -> Path:
    """Find the folder of the model that a recipe names.

    Parameters
    ----------
    recipe : mapping
    model : path-like or str, optional
        Where it is; by default the bundled models are looked through.

    Raises
    ------
    FeatureblendError
        If it isn't there, or the model named is another one.
    """
    facts = recipe.get("model") or {}
    identity, name = facts.get("identity"), facts.get("name", "a model")
    folders = [find_model(model)] if model is not None else [BUNDLED / known for known in bundled_models()]
    configs = {folder: read_model_folder(folder) for folder in folders}
    for folder, config in configs.items():
        if config.identity == identity:
            return folder
    there = ", ".join(f"{config.name} ({config.identity})" for config in configs.values())
    raise FeatureblendError(
        f"the recipe was made with the model {name} ({identity}), and here is {there}: name its folder with --model"
    )


def replayed_path(made: str | os.PathLike[str], recipe: Mapping[str, Any]) -> Path:
    """Default output of a replay: beside the original, with ``-again`` after its name.

    Of a folder of frames, the recipe makes another folder, and a frame a picture: beside the folder, where they are
    in nobody's way.

    Parameters
    ----------
    made : path-like
        The picture, video or recipe's file that is replayed.
    recipe : mapping
        What it holds.

    Examples
    --------
    >>> replayed_path("photos/blend.jpg", {}).as_posix(), replayed_path("blend.json", {}).as_posix()
    ('photos/blend-again.jpg', 'blend-again.png')
    """
    made = Path(made)
    alone = made.suffix.lower() == ".json"
    folder = _frames_folder(made, recipe)
    if folder is not None and alone:
        return folder.with_name(f"{folder.name}-again")
    return (folder or made).with_name(f"{made.stem}-again{'.png' if alone else made.suffix}")


def likely_folders(made: str | os.PathLike[str], recipe: Mapping[str, Any]) -> tuple[Path, ...]:
    """Folders searched for inputs by default: the original's, and the current one.

    Examples
    --------
    >>> [folder.as_posix() for folder in likely_folders("photos/blend.jpg", {})]
    ['photos', '.']
    """
    return tuple(dict.fromkeys([(_frames_folder(Path(made), recipe) or Path(made)).parent, Path()]))


def _frames_folder(made: Path, recipe: Mapping[str, Any]) -> Path | None:
    """The folder of frames that a file is part of."""
    if recipe.get("verb") != "continuum" or not os.path.isfile(made.parent / TABLE):
        return None
    return made.parent if made.parent.name not in ("", "..") else Path(os.path.abspath(made.parent))


def is_same(made: str | os.PathLike[str], again: Path, recipe: Mapping[str, Any]) -> bool | None:
    """Whether a replay gave the same bytes; None if it made a file of another kind.

    Parameters
    ----------
    made : path-like
        What was replayed.
    again : Path
        What came of it.
    recipe : mapping
    """
    pairs = _pairs(Path(made), again, recipe)
    return all(old.is_file() and old.read_bytes() == new.read_bytes() for old, new in pairs) if pairs else None


def difference(made: str | os.PathLike[str], again: Path, recipe: Mapping[str, Any]) -> tuple[int, float] | None:
    """How near a replay came, where it did not give the same bytes; parameters as `is_same`.

    Returns
    -------
    (int, float) or None
        The largest difference of a value in grey levels of 255, and the share of values that differ, of all pictures
        together; None of videos, and where sizes differ or a picture is missing.
    """
    if recipe.get("verb") == "continuum" and again.suffix.lower() in (*VIDEOS, *ANIMATIONS):
        return None
    largest, other, count = 0, 0, 0
    for old, new in _pairs(Path(made), again, recipe):
        if new.suffix.lower() in (".json", ".csv"):
            continue
        try:
            first, second = (load_image(path).astype(int) for path in (old, new))
        except FeatureblendError:
            return None
        if first.shape != second.shape:
            return None
        differences = np.abs(first - second)
        largest = max(largest, int(differences.max()))
        other, count = other + int((differences > 0).sum()), count + differences.size
    return (largest, other / count) if count else None


def _pairs(made: Path, again: Path, recipe: Mapping[str, Any]) -> list[tuple[Path, Path]]:
    """Each file that was replayed, and what came of it."""
    if again.is_dir():
        folder = _frames_folder(made, recipe)
        return [] if folder is None else [(folder / path.name, path) for path in sorted(again.iterdir())]
    return [(made, again)] if made.suffix.lower() == again.suffix.lower() else []


def replay(
    recipe: Mapping[str, Any] | str | os.PathLike[str],
    out: str | os.PathLike[str],
    files: Sequence[str | os.PathLike[str]] = (),
    folders: Sequence[str | os.PathLike[str]] = (),
    model: str | os.PathLike[str] | None = None,
    metadata: bool = True,
) -> Replayed:
    """Make the file of a recipe again: on one machine, byte for byte.

    Parameters
    ----------
    recipe : mapping or path-like
        A recipe, its file, or a picture or video that holds one. The path of a frame of a continuum makes that frame
        again, where `out` is a picture.
    out : path-like
        The file to write; of a continuum also a folder, which gets its frames.
    files, folders
        Where the inputs may be, as `find_inputs`.
    model : path-like or str, optional
        As `find_recipe_model`.
    metadata : bool
        Put the recipe into the file.

    Returns
    -------
    Replayed

    Raises
    ------
    FeatureblendError
        If an input, or the model, is missing or another one; or the recipe is damaged.
    """
    made = None if isinstance(recipe, Mapping) else Path(recipe)
    if not isinstance(recipe, Mapping):
        recipe = read_recipe(recipe)
    try:
        return _replayed(recipe, made, out, files, folders, model, metadata)
    except (KeyError, TypeError, AttributeError, ValueError, IndexError, OverflowError) as error:
        raise FeatureblendError(f"the recipe is damaged: {json.dumps(str(error))} is wrong in it") from error


def _replayed(
    recipe: Mapping[str, Any],
    made: Path | None,
    out: str | os.PathLike[str],
    files: Sequence[str | os.PathLike[str]],
    folders: Sequence[str | os.PathLike[str]],
    model: str | os.PathLike[str] | None,
    metadata: bool,
) -> Replayed:
    verb = recipe.get("verb", "blend")
    if verb in SHOWN_TOGETHER:
        raise FeatureblendError(f"what `featureblend {verb}` made is not replayed: run `featureblend {verb}` again")
    if verb not in EDITS:
        raise FeatureblendError(f"the recipe's verb {verb!r} is not known to featureblend {__version__}: upgrade")
    check_out(out) if verb == "continuum" else picture_path(out)
    inputs = find_inputs(recipe, files, folders)
    for path in inputs:
        if Path(out).exists() and os.path.samefile(path, out):
            raise FeatureblendError(f"cannot write {out}: it is one of the photos; name another file")
    blender = Blender(find_recipe_model(recipe, model), mend=recipe["model"].get("mend", True) is not False)
    notes = []
    if recipe["featureblend"] != __version__:
        notes.append(
            f"made by featureblend {recipe['featureblend']}, followed by {__version__}: the picture may differ a little"
        )
    if recipe.get("surroundings") == "auto":
        notes.append(
            f"featureblend {recipe['featureblend']} did not note whose hair and background it took: decided anew"
        )
    result = EDITS[verb](recipe, [_part(*pair) for pair in zip(inputs, recipe["inputs"], strict=True)], blender)
    # The inputs' names may have changed since; the recipe, and so the file, stays what it was.
    result = replace(result, recipe={**result.recipe, "inputs": recipe["inputs"]})
    return Replayed(_written(result, Path(out), recipe, made, metadata), recipe, tuple(notes))


def _part(path: Path, facts: Mapping[str, Any]) -> Path | np.ndarray:
    """The input itself, or the part of the photo that was used: the web page crops."""
    return crop_image(load_image(path), facts["crop"]) if facts.get("crop") else path


def _written(result: Any, out: Path, recipe: Mapping[str, Any], made: Path | None, metadata: bool) -> Path:
    """Write what was made again as what it was."""
    if not isinstance(result, Continuum):
        return save_picture(out, result.image, result.recipe if metadata else None)
    file = {name: recipe["options"][name] for name in OF_THE_FILE if name in recipe["options"]}
    if made is not None and made.suffix.lower() == ".png" and out.suffix.lower() in SHEETS:
        like, frames = load_image(made), [np.asarray(frame) for frame in result.frames]
        if like.shape == frames[0].shape:  # a contact sheet is larger
            # The nearest, since another processor may differ by some grey levels; the recipe does not say which it was.
            frame = min(frames, key=lambda frame: int(np.abs(frame.astype(int) - like).sum()))
            return save_picture(out, frame, result.recipe_for(**file) if metadata else None)
    return result.save(out, **file, metadata=metadata)
