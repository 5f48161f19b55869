#!/usr/bin/env python3
"""List the licences of all that the package ships or needs, and refuse what can't go with MIT.

``python tools/licences.py`` prints a table of the files that are no source code, weights above all, and of every
package that the plain install and the extras for users bring, as far as it is installed. It ends with 1 where one has
no licence that it knows, or one that would bind whoever passes the package on: GPL, AGPL, non-commercial.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from fnmatch import fnmatch
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "featureblend"

SHIPPED = {
    "model/pretrained/*": "MIT",
    "faces/networks/blazeface_short.onnx": "Apache-2.0",
    "faces/networks/face_mesh.onnx": "Apache-2.0",
    "faces/networks/*": "MIT",
    "faces/examples/*.jpg": "MIT",
    "web/static/runtime/*": "MIT",
    **dict.fromkeys(("*.css", "*.js", "*.html", "*.md", "*/versions.json", "py.typed"), "MIT"),
}
"""Licence of each file of the package; the first pattern counts. The READMEs beside weights say more."""

EXTRAS = ("", "train", "evaluate", "identity", "web", "hub")
"""What users install; the tests and the documentation bring more, which nobody passes on."""

FREE = (
    *("0BSD", "Apache-2.0", "BSD", "BSL-1.0", "CC0-1.0", "CNRI-Python", "HPND", "ISC", "LGPL", "LLVM-exception"),
    *("MIT", "MIT-0", "MIT-CMU", "MPL-2.0", "PSF-2.0", "Unlicense", "Zlib"),
)
"""Licences that can go with MIT: LGPL and MPL, too, for packages that are used and not copied."""

NAMES = {
    r"(?<!l)(?<!lesser )(a?gpl|(affero )?general public)|non-?commercial|proprietary|cc-by-nc": "refused",
    r"lgpl|lesser general public": "LGPL",
    r"apache": "Apache-2.0",
    r"bsd": "BSD",
    r"boost|bsl": "BSL-1.0",
    r"mozilla|mpl": "MPL-2.0",
    r"python software|psf|python-2": "PSF-2.0",
    r"unlicense|public domain": "Unlicense",
    r"hpnd|historical permission": "HPND",
    r"mit-cmu": "MIT-CMU",
    r"mit\b": "MIT",
    r"isc\b": "ISC",
    r"zlib": "Zlib",
}
"""What licences are called outside of SPDX expressions."""


def spdx(text: str) -> str:
    """A licence's short name; the text itself where it is not known.

    Examples
    --------
    >>> spdx("BSD 3-Clause License"), spdx("GNU Lesser General Public License v3 (LGPLv3)"), spdx("GPL-3.0-only")
    ('BSD', 'LGPL', 'refused')
    """
    if text in FREE:
        return text
    return next((name for pattern, name in NAMES.items() if re.search(pattern, text.lower())), text or "unknown")


def allowed(expression: str) -> bool:
    """Whether an SPDX expression can go with MIT: all that are joined by AND, one of those that are joined by OR.

    Examples
    --------
    >>> [allowed(one) for one in ("MIT AND Zlib", "GPL-2.0 OR MIT", "MIT AND GPL-3.0", "CC-BY-NC-4.0", "")]
    [True, True, False, False, False]
    >>> allowed("(MIT OR Apache-2.0) AND GPL-3.0-only")
    False
    """
    words = filter(None, map(str.strip, re.split(r"(\(|\)|\bAND\b|\bOR\b|\bWITH\b)", expression)))
    logic = {"AND": "and", "WITH": "and", "OR": "or", "(": "(", ")": ")"}
    text = " ".join(logic.get(one) or str(spdx(one) in FREE) for one in words)
    if re.search(r"(True|False|\)) (\(|True|False)", text):
        return False  # no expression
    try:  # nothing but True, False, and, or and brackets is evaluated
        return bool(eval(text))
    except SyntaxError:
        return False


def licence_of(package: metadata.Distribution) -> str:
    """What a package says of its licence: the SPDX expression, else the classifiers, else the first line."""
    facts = package.metadata
    if facts.get("License-Expression"):
        return facts["License-Expression"]
    said = (facts.get("License") or "").strip().splitlines()
    classes = [one.rpartition(" :: ")[2] for one in facts.get_all("Classifier") or () if one.startswith("License ::")]
    known = [spdx(one) for one in classes if one != "OSI Approved"]
    if not known and said:
        known = [spdx(said[0])]
    return " AND ".join(sorted(set(known)))


def needed(name: str, extras: Iterable[str], seen: dict[tuple[str, str], None]) -> Iterator[metadata.Distribution]:
    """A package and what it requires, as far as it is installed."""
    package = metadata.distribution(name)
    if not any(one == name.lower() for one, _ in seen):
        yield package
    todo = [extra for extra in ("", *extras) if (name.lower(), extra) not in seen]
    seen |= dict.fromkeys((name.lower(), extra) for extra in todo)
    for line in package.requires or ():
        due = Requirement(line)
        if any(due.marker is None or due.marker.evaluate({"extra": extra}) for extra in todo):
            try:
                yield from needed(due.name, due.extras, seen)
            except metadata.PackageNotFoundError:
                continue


def shipped() -> dict[str, str]:
    """Licence of each file of the package that is no source code, by its place."""
    found = {}
    for path in sorted(PACKAGE.rglob("*")):
        place = path.relative_to(PACKAGE).as_posix()
        if path.is_file() and path.suffix not in (".py", ".pyc"):
            found[place] = next((name for pattern, name in SHIPPED.items() if fnmatch(place, pattern)), "")
    return found


def packages() -> dict[str, str]:
    """Licence of each package that users install, by its name and version."""
    found = {f"{one.name} {one.version}": licence_of(one) for one in needed("featureblend", EXTRAS, {})}
    return dict(sorted(found.items(), key=lambda pair: pair[0].lower()))


def main() -> int:
    """Print the table; 1 where something is refused."""
    refused = 0
    for title, found in (("file", shipped()), ("package", packages())):
        print(f"| {title} | licence |\n|---|---|")
        for name, licence in found.items():
            mark = "" if allowed(licence) else " **refused**"
            refused += bool(mark)
            print(f"| {name} | {licence or 'none is named'}{mark} |")
        print()
    print(f"{refused} refused", file=sys.stderr)
    return int(bool(refused))


if __name__ == "__main__":
    sys.exit(main())
