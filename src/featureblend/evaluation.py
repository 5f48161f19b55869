"""Evaluation: every method on the same pairs, measured, kept as it goes, and laid side by side in a report."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from .blender import Blender
from .contenders import (
    Contender,
    check_methods,
    classical_contender,
    method_names,
    model_contender,
    parse_also,
    pca_contender,
)
from .data import FaceSet
from .errors import FeatureblendError
from .evaluate.figures import Reference, figure_rows
from .evaluate.pca import fit_components
from .evaluate.protocols import Drawn, Protocol, draw, find_protocol
from .evaluate.report import REAL, ReportMethod, write_report
from .files import atomic_path
from .measuring import Measured, measure_identity, measure_method, measure_real

__all__ = ["evaluate"]

PCA_FACES = 3000
"""Faces of the train split that PCA is fitted on, the first ones: 3000 make a basis for 1280 numbers in a minute."""


@dataclass(frozen=True)
class _Data:
    """Where faces come from; each split is read when it is needed."""

    source: FaceSet | str | os.PathLike[str]

    def split(self, name: str, limit: int | None = None) -> FaceSet:
        if not isinstance(self.source, FaceSet):
            return FaceSet.read(self.source, name, limit)
        faces = self.source.split(name)
        if not len(faces):
            raise FeatureblendError(f"the data holds no faces of the {name} split")
        return faces.chosen(np.arange(len(faces))[:limit])


def evaluate(
    data: FaceSet | str | os.PathLike[str],
    out: str | os.PathLike[str],
    protocol: Protocol | str = "pairs1k_test",
    model: str | os.PathLike[str] | None = None,
    methods: Sequence[str] | None = None,
    also: Sequence[str] = (),
    identity: bool = False,
    jobs: int | None = None,
    quiet: bool = False,
) -> Path:
    """Measure methods by one protocol; write ``metrics.jsonl`` and ``report.html``.

    Parameters
    ----------
    data : FaceSet or path-like
        Prepared faces: what `FaceSet.read` takes. PCA needs their train split too.
    out : path-like
        Folder to write; what it holds of the same evaluation already is not measured again.
    protocol : Protocol or str
        One of `featureblend.evaluate.protocols.PROTOCOLS`.
    model : path-like or str, optional
        As `Blender.from_pretrained`. It decides the size of the pictures.
    methods : sequence of str, optional
        Some of `method_names`; all by default.
    also : sequence of str
        ``NAME=MODEL_FOLDER`` words: further models, each with the methods NAME and NAME-plain.
    identity : bool
        Also measure identity (about 0.2 s a face).
    jobs : int, optional
        Processes; one a core by default.
    quiet : bool
        Show no progress bar.

    Returns
    -------
    Path
        The report.

    Raises
    ------
    FeatureblendError
        If there are too few faces for the protocol, no person with a second photo for `identity`, or a protocol,
        method or model is unknown.
    """
    asked = find_protocol(protocol) if isinstance(protocol, str) else protocol
    further = parse_also(also)
    names = check_methods(method_names(list(further)) if methods is None else methods, method_names(list(further)))
    if jobs is not None and jobs < 1:
        raise FeatureblendError(f"jobs {jobs}: at least 1 is due")
    blender = Blender.from_pretrained(model)
    blenders = {name: Blender.from_pretrained(folder) for name, folder in further.items()}
    source = _Data(data)
    drawn = draw(source.split(asked.split), asked, blender.image_size)
    out = Path(out)
    folder = _Results(out, drawn, blender.config.identity)
    evaluation = _Evaluation(drawn, folder, identity, jobs or os.cpu_count() or 1, quiet)
    build = _Builder(source, blender, blenders, drawn)
    return evaluation.run(names, build)


class _Builder:
    """Makes contenders by name, each when it is needed: PCA takes a minute to fit."""

    def __init__(self, source: _Data, blender: Blender, further: dict[str, Blender], drawn: Drawn) -> None:
        self.source, self.blender, self.further, self.drawn = source, blender, further, drawn

    def __call__(self, name: str) -> Contender:
        size = self.blender.image_size
        if name == "pca":
            faces = self.source.split("train", PCA_FACES).cropped(size)
            return pca_contender(fit_components(faces.images, self.blender.config.latent_dim))
        plain = name.endswith("-plain")
        base = name.removesuffix("-plain")
        if base == "latent" or base in self.further:
            return model_contender(self.further.get(base, self.blender), size, name, warp=not plain)
        return classical_contender(name)

    def model(self, name: str) -> str:
        """Say which weights a method has, as far as that is known before it is built."""
        base = name.removesuffix("-plain")
        if base == "latent" or base in self.further:
            return self.further.get(base, self.blender).config.identity
        return f"{self.blender.config.latent_dim} components of {PCA_FACES}" if name == "pca" else ""


class _Results:
    """The folder with the results of each method, and what they must have been measured with to count."""

    def __init__(self, out: Path, drawn: Drawn, model: str) -> None:
        self.out = out
        self.base = {
            "protocol": asdict(drawn.protocol),
            "data": drawn.faces.identity,
            "size": int(drawn.faces.images.shape[1]),
            "code": _code_hash(),
        }

    def _path(self, name: str) -> Path:
        return self.out / "methods" / f"{name}.json"

    def load(self, name: str, model: str, identity: bool) -> Measured | None:
        """Return a method's results, if they are there and were measured as they would be now."""
        try:
            record = json.loads(self._path(name).read_text())
            with np.load(self._path(name).with_suffix(".npz")) as arrays:
                pictures = {int(key): arrays[key] for key in arrays.files}
        except (OSError, ValueError, EOFError):
            return None
        if not isinstance(record, dict) or record.get("key") != {**self.base, "weights": model}:
            return None
        return Measured(record, pictures) if record.get("identity") or not identity else None

    def save(self, name: str, model: str, measured: Measured) -> None:
        """Keep a method's results; the pictures first, so that a stop in between leaves nothing that counts."""
        path = self._path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path.with_suffix(".npz")) as temporary, open(temporary, "wb") as stream:
            pictures: dict[str, Any] = {str(index): image for index, image in measured.pictures.items()}
            np.savez_compressed(stream, **pictures)
        with atomic_path(path) as temporary:
            record = {"key": {**self.base, "weights": model}, **measured.record}
            temporary.write_text(json.dumps(record, sort_keys=True) + "\n")


def _code_hash() -> str:
    """Hash the code that makes and measures blends: results of other code are measured again."""
    here = Path(__file__).parent
    files = [*here.glob("classical/*.py"), *here.glob("evaluate/*.py"), here / "contenders.py", here / "measuring.py"]
    digest = hashlib.sha256()
    for path in sorted(path for path in files if path.name not in ("report.py", "plots.py")):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:12]


class _Evaluation:
    """One run over the methods."""

    def __init__(self, drawn: Drawn, results: _Results, identity: bool, jobs: int, quiet: bool) -> None:
        self.drawn, self.results, self.identity, self.jobs, self.quiet = drawn, results, identity, jobs, quiet
        self.reference = Reference(drawn.faces.images[drawn.reference])

    def run(self, names: Sequence[str], build: _Builder) -> Path:
        out = self.results.out
        out.mkdir(parents=True, exist_ok=True)
        every = (REAL, *names)
        found = {name: self.results.load(name, build.model(name), self.identity and name != REAL) for name in every}
        todo = [name for name in every if found[name] is None]
        count = self.drawn.protocol.count
        with ExitStack() as stack:
            done = (len(every) - len(todo)) * count
            total = len(every) * count
            bar = stack.enter_context(
                tqdm(total=total, initial=done, desc=self.drawn.protocol.name, unit="pair", disable=self.quiet)
            )
            run: Callable[..., Any] = map
            if self.jobs > 1 and todo:
                # 'spawn': OpenCV and ONNX Runtime keep threads that a forked copy would wait for.
                pool = ProcessPoolExecutor(self.jobs, get_context("spawn"), _start_worker)
                stack.callback(pool.shutdown, wait=True, cancel_futures=True)
                run = pool.map
            try:
                for name in todo:
                    bar.set_postfix_str(name)
                    found[name] = measured = self._measured(name, build, run, bar.update)
                    self.results.save(name, build.model(name), measured)
            except BrokenProcessPool as error:
                raise FeatureblendError(
                    "a worker process died, perhaps for want of memory: run the same again to go on, with --jobs 1"
                ) from error
        return self._written({name: measured for name, measured in found.items() if measured is not None})

    def _measured(self, name: str, build: _Builder, run: Callable[..., Any], step: Callable[[int], Any]) -> Measured:
        if name == REAL:
            step(self.drawn.protocol.count)
            return measure_real(self.drawn, self.reference)
        contender = build(name)
        measured, blends = measure_method(contender, self.drawn, self.reference, run, step)
        if self.identity:
            measure_identity(measured, blends, self.drawn, self.results.out / "embeddings", run)
        return measured

    def _written(self, found: dict[str, Measured]) -> Path:
        out, protocol = self.results.out, self.drawn.protocol
        rows = []
        for name, measured in found.items():
            facts = {
                "protocol": protocol.name,
                "data": self.drawn.faces.identity[:12],
                "method": name,
                "model": measured.record["model"],
            }
            rows += figure_rows(measured.record, facts)
        with atomic_path(out / "metrics.jsonl") as temporary:
            temporary.write_text("".join(json.dumps(row, sort_keys=True) + "\n" for row in rows))
        methods = [
            ReportMethod(name, measured.record, measured.pictures, [row for row in rows if row["method"] == name])
            for name, measured in found.items()
        ]
        return write_report(out / "report.html", self.drawn, methods)


def _start_worker() -> None:
    cv2.setNumThreads(1)  # one process a core already
