"""The folder of an evaluation: each method's results, kept as they come, so that a stop loses nothing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ..blend.baselines import BASELINES
from ..io.files import atomic_path
from .figures import REAL
from .measuring import PairResult
from .protocols import Drawn
from .summary import Measured

VERSIONS_FILE = Path(__file__).parent / "versions.json"
"""The version of each part of the measurement. `python tools/measurement.py --renew` raises them; a test holds them."""


PART_ARRAYS = ("features", "small", "inception", "embedding")
"""The fields of `PairResult` that a part keeps as arrays, a row a blend."""


@lru_cache(maxsize=1)
def _versions() -> dict[str, int]:
    return json.loads(VERSIONS_FILE.read_text())  # type: ignore[no-any-return]


def measurement_versions(method: str) -> dict[str, int]:
    """Versions that a method's scores depend on: of the scoring, and of what makes the method's blends.

    Parameters
    ----------
    method : str
        A method's name, or `REAL`. All variants of all models share the version of 'latent'.

    Examples
    --------
    >>> list(measurement_versions("latent-network")), list(measurement_versions("morph"))
    (['scores', 'identity', 'latent'], ['scores', 'identity', 'morph'])
    """
    groups = ["scores", "identity"]
    if method != REAL:
        groups.append(method if method in ("pca", *BASELINES) else "latent")
    return {group: _versions().get(group, 0) for group in groups}


def _told(versions: Mapping[str, int]) -> str:
    return "version " + ", ".join(f"{group} {number}" for group, number in versions.items())


def kept_line(methods: Sequence[str]) -> str:
    """Line that tells which methods' kept scores still hold, and their versions.

    Examples
    --------
    >>> kept_line(["real"])  # doctest: +ELLIPSIS
    'kept scores hold, not measured again: real (version scores ..., identity ...)'
    """
    versions: dict[str, int] = {}
    for method in methods:
        versions |= measurement_versions(method)
    return f"kept scores hold, not measured again: {', '.join(methods)} ({_told(versions)})"


class Results:
    """The kept results of each method, of unfinished methods by parts, and the conditions under which they hold.

    Parameters
    ----------
    out : Path
        The evaluation's folder; made when something is kept.
    drawn : Drawn
    identity : bool
        Whether results without figures of identity do not count; those of real faces have none.
    networks : mapping of str to str
        As `Extractors.names`: results without these do not count.
    say : callable
        Told which kept results are of another version of the measurement, a line each.
    """

    def __init__(
        self,
        out: Path,
        drawn: Drawn,
        identity: bool,
        networks: dict[str, str],
        say: Callable[[str], Any] = str,
    ) -> None:
        self.out, self.identity, self.networks, self.say = out, identity, networks, say
        self.base = {
            "protocol": json.loads(json.dumps(asdict(drawn.protocol))),  # as it is read again
            "data": drawn.faces.identity,
            "size": int(drawn.faces.images.shape[1]),
        }

    def _key(self, name: str, model: str) -> dict[str, Any]:
        """The conditions under which kept results hold."""
        return {**self.base, "versions": measurement_versions(name), "weights": model}

    def _path(self, name: str) -> Path:
        return self.out / "methods" / f"{name}.json"

    def load(self, name: str, model: str, identity: bool = True) -> Measured | None:
        """A method's kept results, or None unless they were measured as they would be now.

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
            arrays = _arrays(self._path(name).with_suffix(".npz"))
        except Exception:  # no such file, or a damaged one: numpy and its zip reader raise many kinds
            return None
        if not isinstance(record, dict):
            return None
        key, due = record.get("key"), self._key(name, model)
        if key != due:
            if isinstance(key, dict) and key.get("versions") != due["versions"]:
                before = _told(key["versions"]) if isinstance(key.get("versions"), dict) else "an earlier featureblend"
                self.say(f"{name}: kept scores are of {before}; now {_told(due['versions'])}: measured again")
            return None
        if self.identity and identity and not record.get("identity"):
            return None
        has = record.get("networks", {})
        if any(has.get(kind) != name for kind, name in self.networks.items()):
            return None
        pictures = {int(key): array for key, array in arrays.items() if key.isdecimal()}
        return Measured(record, pictures, {key: array for key, array in arrays.items() if not key.isdecimal()})

    def save(self, name: str, model: str, measured: Measured) -> None:
        """Keep a method's results, the pictures first, so that an interrupted write is not taken for a result."""
        path = self._path(name)
        pictures = {str(index): image for index, image in measured.pictures.items()}
        _write(path.with_suffix(".npz"), pictures | measured.sheets)
        with atomic_path(path) as temporary:
            record = {"key": self._key(name, model), **measured.record}
            temporary.write_text(json.dumps(record, sort_keys=True) + "\n")
        shutil.rmtree(path.with_suffix(""), ignore_errors=True)

    def _part(self, name: str, start: int) -> Path:
        return self._path(name).with_suffix("") / f"{start:06d}.npz"

    def _part_key(self, name: str, model: str) -> dict[str, Any]:
        return {**self._key(name, model), "networks": self.networks, "identity": self.identity}

    def load_part(self, name: str, model: str, start: int) -> list[PairResult] | None:
        """A method's kept results of the pairs from `start` on, or None unless they would be the same now."""
        try:
            arrays = _arrays(self._part(name, start))
            kept = json.loads(str(arrays["record"]))
            if kept["key"] != json.loads(json.dumps(self._part_key(name, model))):
                return None
            results = [PairResult(**one) for one in kept["results"]]
            made = [one for one in results if not one.failure]
            for attribute in PART_ARRAYS:
                for one, row in zip(made, arrays.get(attribute, ()), strict=False):
                    setattr(one, attribute, row)
            for place, one in enumerate(results):
                one.picture = arrays.get(str(place))
        except Exception:  # likewise
            return None
        return results

    def save_part(self, name: str, model: str, start: int, results: Sequence[PairResult]) -> None:
        """Keep a method's results of some pairs, from `start` on, until those of all are there."""
        made = [one for one in results if not one.failure]
        arrays = {
            attribute: np.stack([getattr(one, attribute) for one in made])
            for attribute in PART_ARRAYS
            if made and getattr(made[0], attribute) is not None
        }
        pictures = {str(place): one.picture for place, one in enumerate(results) if one.picture is not None}
        plain = [
            {"scores": one.scores, "spectrum": one.spectrum, "failure": one.failure, "gaps": one.gaps}
            for one in results
        ]
        record = json.dumps({"key": self._part_key(name, model), "results": plain})
        _write(self._part(name, start), {"record": np.array(record), **arrays, **pictures})

    def load_known(self) -> dict[int, np.ndarray]:
        """The embeddings of drawn faces that were kept, by the index of the face."""
        try:
            arrays = _arrays(self.out / "embeddings.npz")
            if json.loads(str(arrays["key"])) != json.loads(json.dumps(self._key(REAL, ""))):
                return {}
            return dict(zip(arrays["faces"].tolist(), arrays["embeddings"], strict=True))
        except Exception:  # likewise
            return {}

    def save_known(self, known: Mapping[int, np.ndarray]) -> None:
        """Keep embeddings of drawn faces."""
        arrays = {"faces": np.array(list(known)), "embeddings": np.stack(list(known.values()))}
        _write(self.out / "embeddings.npz", {"key": np.array(json.dumps(self._key(REAL, ""))), **arrays})


def _arrays(path: Path) -> dict[str, np.ndarray]:
    with np.load(path) as arrays:
        return {key: arrays[key] for key in arrays.files}


def _write(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary, open(temporary, "wb") as stream:
        np.savez_compressed(stream, **dict(arrays))  # type: ignore[arg-type]
