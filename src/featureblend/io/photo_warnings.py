"""What speaks against a photo, in words: said of one photo by its name, or of many by their number.

Whatever meets a photo first attaches what it finds out: `Blender.find` while it reads and searches the photo,
`featureblend.blend.quality.photo_warnings` from the face. Every command, the Python results, the web page and the
tables of batches show the same sentences.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

NO_RESTORATION = "--no-mend, in Python mend=False, leaves it as it is"
"""What to do where a photo was restored that is meant to look so. The web page puts its own words in place of this and
the next."""

NAMED = 3
"""So many photos are named in a warning of many; of the others, how many they are."""

CHOOSE_FACE = "--faces, in Python which=, chooses another"
"""What to do where another face was meant."""


@dataclass(frozen=True)
class PhotoWarning:
    """One thing that speaks against a photo.

    Examples
    --------
    >>> low = PhotoWarning("the face is only 40 pixels wide", "show faces under 48 pixels wide")
    >>> told([[low], []], ["ana.jpg", "ben.jpg"])
    ('ana.jpg: the face is only 40 pixels wide',)
    >>> counted([[low], []], ["ana.jpg", "ben.jpg"])
    ('ana.jpg: the face is only 40 pixels wide',)
    >>> counted([[low], [], [low]], ["ana.jpg", "ben.jpg", "cem.jpg"])
    ('2 of 3 photos show faces under 48 pixels wide (ana.jpg, cem.jpg)',)
    """

    one: str
    """Said of one photo, after its name and a colon."""
    many: str
    """Said of several, after "3 of 40 photos"; the same for all photos with this problem."""


MONOCHROME = PhotoWarning(
    "it has no colours, unlike other photos here, and the blend's face will be pale; use photos of one kind",
    "have no colours, unlike the others; use photos of one kind",
)
"""Held against a photo only among photos in colour."""


FIRST_OF_SEVERAL = PhotoWarning(
    "the file holds several pictures; the first is used",
    "are files of several pictures; the first of each is used",
)

TURNED_UPRIGHT = {
    turns: PhotoWarning(said, "were sideways or upside down, and turned upright")
    for turns, said in {
        1: "the photo was sideways, and turned by 90 degrees to the left",
        2: "the photo was upside down, and turned by 180 degrees",
        3: "the photo was sideways, and turned by 90 degrees to the right",
    }.items()
}
"""What is said of a photo by the quarter turns, counter-clockwise, that made it upright."""


def cut_short(left: float) -> PhotoWarning:
    """The warning that a file is cut short, of whose rows the share `left` could be read.

    Examples
    --------
    >>> cut_short(0.5).one
    'the file is cut short; 50 % of the picture could be read'
    """
    rows = "every row" if left == 1 else f"{int(left * 100)} %"
    return PhotoWarning(
        f"the file is cut short; {rows} of the picture could be read",
        "are cut short; what is left of them is used",
    )


def several_faces(count: int, which: str) -> PhotoWarning:
    """The warning that a photo shows several faces, of which nobody chose one; `which` is 'largest' or 'central'.

    Examples
    --------
    >>> several_faces(3, "largest").one
    '3 faces are in it; the largest is taken (--faces, in Python which=, chooses another)'
    """
    taken = "the largest" if which == "largest" else "the one nearest to the middle"
    return PhotoWarning(
        f"{count} faces are in it; {taken} is taken ({CHOOSE_FACE})",
        f"show several faces; {taken} is taken",
    )


def told(found: Sequence[Sequence[PhotoWarning]], names: Sequence[str]) -> tuple[str, ...]:
    """Name each photo of a few with each of its warnings.

    Parameters
    ----------
    found : sequence of N sequences of PhotoWarning
        What was found out about each photo.
    names : N strings

    Returns
    -------
    tuple of str
    """
    pairs = zip(names, _relevant(found), strict=True)
    return tuple(f"{name}: {warning.one}" for name, warnings in pairs for warning in warnings)


def counted(found: Sequence[Sequence[PhotoWarning]], names: Sequence[str], what: str = "photos") -> tuple[str, ...]:
    """Count the photos of many with each kind of warning, and name the first of them; parameters as `told`.

    What only one photo has is said of that one, as `told` does.
    """
    kinds: dict[str, dict[int, tuple[str, str]]] = {}
    for place, (name, warnings) in enumerate(zip(names, _relevant(found), strict=True)):
        for warning in warnings:
            kinds.setdefault(warning.many, {})[place] = (name, warning.one)
    lines = []
    for kind, who in kinds.items():
        (name, one), *more = who.values()
        named = _named([name, *(other for other, _ in more)])
        lines.append(f"{len(who)} of {len(found)} {what} {kind} ({named})" if more else f"{name}: {one}")
    return tuple(lines)


def _named(names: Sequence[str]) -> str:
    more = [f"and {len(names) - NAMED} more"] if len(names) > NAMED else []
    return ", ".join([*names[:NAMED], *more])


def _relevant(found: Sequence[Sequence[PhotoWarning]]) -> list[list[PhotoWarning]]:
    alike = all(MONOCHROME in warnings for warnings in found)
    return [[one for one in warnings if one != MONOCHROME or not alike] for warnings in found]
