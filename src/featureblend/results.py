"""The folder of an evaluation: each method's results, kept as they come, so that a stop loses nothing."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from .evaluate.protocols import Drawn
from .files import atomic_path
from .measuring import Measured

__all__ = ["Results"]

NOT_MEASURING = (
    "report.py",
    "plots.py",
    "pictures.py",
    "spoilt_section.py",
    "markdown.py",
    "measures.py",
    "conditions.py",
    "held_out.py",
)
"""Modules of `evaluate` that no result depends on."""


class Results:
    """The results of each method, and what they must have been measured with to count.

    Parameters
    ----------
    out : Path
        The evaluation's folder; made when something is kept.
    drawn : Drawn
    identity : bool
        Whether results without figures of identity do not count; those of real faces have none.
    networks : mapping of str to str
        As `Extractors.names`: results without these do not count.
    """

    def __init__(self, out: Path, drawn: Drawn, identity: bool, networks: dict[str, str]) -> None:
        self.out, self.identity, self.networks = out, identity, networks
        self.base = {
            "protocol": asdict(drawn.protocol),
            "data": drawn.faces.identity,
            "size": int(drawn.faces.images.shape[1]),
            "code": _code_hash(),
        }

    def _path(self, name: str) -> Path:
        return self.out / "methods" / f"{name}.json"

    def load(self, name: str, model: str, identity: bool = True) -> Measured | None:
        """Return a method's results, if they are there and were measured as they would be now.

        Parameters
        ----------
        name : str
        model : str
            Identity of its weights.
        identity : bool
            Whether it can have figures of identity at all.
        """
        try:
            record = json.loads(self._path(name).read_text())
            with np.load(self._path(name).with_suffix(".npz")) as arrays:
                pictures = {int(key): arrays[key] for key in arrays.files if key.isdecimal()}
                sheets = {key: arrays[key] for key in arrays.files if not key.isdecimal()}
        except (OSError, ValueError, EOFError):
            return None
        if not isinstance(record, dict) or record.get("key") != {**self.base, "weights": model}:
            return None
        if self.identity and identity and not record.get("identity"):
            return None
        has = record.get("networks", {})
        if any(has.get(kind) != name for kind, name in self.networks.items()):
            return None
        return Measured(record, pictures, sheets)

    def save(self, name: str, model: str, measured: Measured) -> None:
        """Keep a method's results; the pictures first, so that a stop in between leaves nothing that counts."""
        path = self._path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path.with_suffix(".npz")) as temporary, open(temporary, "wb") as stream:
            pictures: dict[str, Any] = {str(index): image for index, image in measured.pictures.items()}
            np.savez_compressed(stream, **pictures | measured.sheets)
        with atomic_path(path) as temporary:
            record = {"key": {**self.base, "weights": model}, **measured.record}
            temporary.write_text(json.dumps(record, sort_keys=True) + "\n")


def _code_hash() -> str:
    """Hash the code that makes and measures blends: results of other code are measured again."""
    here = Path(__file__).parent
    names = (
        "alignment.py",
        "blending.py",
        "contenders.py",
        "measuring.py",
        "method_names.py",
        "mixing.py",
        "networks.py",
        "perception.py",
        "spoilt_photos.py",
    )
    folders = ("classical", "compositing", "evaluate")
    files = [path for folder in folders for path in here.glob(f"{folder}/*.py")] + [here / name for name in names]
    digest = hashlib.sha256()
    for path in sorted(path for path in files if path.name not in NOT_MEASURING):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:12]
