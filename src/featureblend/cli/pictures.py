"""What the commands that write pictures have in common: options, checks before any work, and writing."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import arg

from ..io.tables import whole
from .options import keep_photos, plain

if TYPE_CHECKING:
    from ..io.inputs import Skipped

__all__ = [
    "Face",
    "Size",
    "Whose",
    "check_written",
    "idle_options",
    "print_measures",
    "print_skipped",
    "print_warnings",
    "room_warnings",
    "side",
    "whose",
    "write",
]

SHOWN = 30
"""So many files that were left out are printed; the table has them all."""

Face = Annotated[str, arg(metavar="FACE")]
Size = Annotated[str | None, plain("PIXELS")]
Whose = Annotated[str, arg(metavar="WHOSE")]


def whose(word: str) -> Any:
    """Read --surroundings: a photo's number as a number; which words are right, the edits know."""
    return int(word) if word.isdecimal() else word


def side(word: str | None) -> int | str | None:
    """Read --size: a number as a number; which words are right, the edits know."""
    try:
        return word if word is None else whole(float(word))
    except ValueError:
        return word


def check_written(photos: Sequence[Path], out: Path, recipe: Path | None, *more: Path) -> None:
    """Refuse to write over what is read, before any work."""
    from ..io.files import require_parent

    keep_photos(photos, [path for path in (out, recipe, *more) if path is not None])
    if recipe is not None:
        require_parent(recipe)


def idle_options(
    method: str, warp: bool, surroundings: str, mend: bool, background: str, onto: int, size: str | None
) -> list[str]:
    """Name the options that were given and do nothing here, each in a sentence."""
    of_latent = {"--surroundings": surroundings != "auto", "--no-warp": not warp, "--no-mend": not mend}
    given = [option for option, said in of_latent.items() if said]
    idle = [f"{option} does nothing with the method {method!r}" for option in given if method != "latent"]
    if onto != 1 and background != "source" and size != "source":
        idle.append("--onto does nothing without --background source, or --size source")
    return idle


def room_warnings(out: Path, recipe: Mapping[str, Any], recipe_file: Path | None, metadata: bool) -> list[str]:
    """Say so where a picture is to hold its recipe and can't, and nothing else does."""
    from ..io.metadata import has_room

    lost = metadata and recipe_file is None and not has_room(out, recipe)
    return [f"{out} has no room for the recipe: keep it with --recipe FILE"] if lost else []


def write(out: Path, image: Any, recipe: Mapping[str, Any], recipe_file: Path | None, metadata: bool) -> None:
    """Write a picture, and its recipe beside it if asked: together or not at all."""
    from ..io.files import atomic_path
    from ..io.metadata import save_picture, write_recipe

    with ExitStack() as both:
        if recipe_file is not None:
            write_recipe(both.enter_context(atomic_path(recipe_file)), recipe)
        save_picture(out, image, recipe if metadata else None)
    print(out)
    print_warnings(room_warnings(out, recipe, recipe_file, metadata))


def print_measures(measures: Mapping[str, Any]) -> None:
    """Print what an edit's picture measures, a line each."""
    for name, value in measures.items():
        print(f"  {name.replace('_', ' '):28}{value}")


def print_skipped(table: Path, skipped: Sequence[Skipped]) -> None:
    """Write the files that were left out, and why, to a table, and print them; of very many, the first ones."""
    from ..edit.average import write_skipped

    if skipped or table.exists():  # an old table would tell of another run
        write_skipped(table, skipped)
    if not skipped:
        return
    print(table)
    width = min(48, max(len(one.photo) for one in skipped))
    for one in skipped[:SHOWN]:
        print(f"  {one.photo:{width}}  {one.reason}")
    if len(skipped) > SHOWN:
        print(f"  and {len(skipped) - SHOWN} more")


def print_warnings(warnings: Iterable[str]) -> None:
    """Print what speaks against a picture, a line each, where it does not mix with what is read from stdout."""
    for warning in warnings:
        print(f"featureblend: warning: {warning}", file=sys.stderr)
