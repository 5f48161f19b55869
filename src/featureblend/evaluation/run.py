"""Evaluation: every method on the same pairs, measured, kept as it goes, and laid side by side in a report."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np

from ..blend.blender import Blender
from ..errors import FeatureblendError
from ..io.console import Progress
from ..io.extras import require
from ..io.files import atomic_path
from ..io.memoize import memoizing
from ..metrics.variety import SMALL_SIDE
from ..training.dataset import FaceSet
from .degraded_photos import measure_degraded
from .figures import REAL, TRAINING_FACES, figure_rows
from .learned import Extractors, feature_lines, find_extractors, inception_rows
from .measuring import Measured, measure_method, measure_real
from .methods import (
    Method,
    baseline_method,
    check_methods,
    default_methods,
    method_names,
    model_method,
    parse_also,
    pca_method,
    variant_of,
)
from .pca import fit_components
from .perception import check_identity, measure_identity, measure_networks, measure_real_networks
from .protocols import Drawn, Protocol, draw, find_protocol
from .report import ReportMethod, write_report
from .results import Results, kept_line
from .scoring import Reference
from .workers import Workers

__all__ = ["evaluate"]

PCA_FACES = 3000
"""Faces of the train split that PCA is fitted on, the first ones: 3000 make a basis for 1280 numbers in a minute."""

PCA_WIDTH = 1280
"""Most components: for models with a longer latent, PCA would need more faces than fit into memory."""

MEMO_BYTES = 2**30
"""Bytes for memoized results that methods have in common; 1,000 pairs need half of it."""


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

    def has(self, name: str) -> bool:
        """Whether a split holds a face."""
        try:
            self.split(name, 1)
        except FeatureblendError:
            return False
        return True

    def training(self) -> np.ndarray | None:
        """Small copies of the training faces, to find the nearest; None if there are none."""
        try:
            faces = self.split("train", TRAINING_FACES)
        except FeatureblendError:
            return None
        faces = faces.cropped(round(faces.images.shape[1] / faces.margin))  # as they are stored, without the margin
        small = (SMALL_SIDE, SMALL_SIDE)
        return np.stack([cv2.resize(image, small, interpolation=cv2.INTER_AREA) for image in faces.images])


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
    inception: str | None = None,
    lpips: Sequence[str] = (),
    say: Callable[[str], Any] = str,
) -> Path:
    """Measure methods by one protocol; write ``metrics.jsonl`` and ``report.html``.

    Parameters
    ----------
    data : FaceSet or path-like
        Prepared faces: what `FaceSet.read` takes. PCA and the search for the nearest training face need their train
        split too.
    out : path-like
        Folder to write; what it holds of the same evaluation already is not measured again.
    protocol : Protocol or str
        One of `featureblend.evaluation.protocols.PROTOCOLS`.
    model : path-like or str, optional
        As `Blender.from_pretrained`. It decides the size of the pictures.
    methods : sequence of str, optional
        Some of `method_names`; `default_methods` by default.
    also : sequence of str
        ``NAME=MODEL_FOLDER`` words: further models.
    identity : bool
        Also measure identity (about 0.2 s a face).
    jobs : int, optional
        Processes; one a core by default.
    quiet : bool
        Show no progress bar.
    inception : str, optional
        File with Inception's weights, for FID and KID; ``FILE#sha256=HASH`` vouches for one that is not published.
    lpips : sequence of str
        Files with LPIPS's weights, likewise.
    say : callable
        Told what the figures stand on and what is not measured, a line each.

    Returns
    -------
    Path
        The report.

    Raises
    ------
    FeatureblendError
        If there are too few faces for the protocol, no person with a second photo for `identity`, a protocol, method
        or model is unknown, a file of weights is not what it should be, or the extra 'evaluate' is not installed.
    """
    asked = find_protocol(protocol) if isinstance(protocol, str) else protocol
    further = dict(parse_also(also))
    known = method_names(list(further))
    if methods is not None:
        methods = check_methods(methods, known)
    if jobs is not None and jobs < 1:
        raise FeatureblendError(f"jobs {jobs}: at least 1 is due")
    require("evaluate", "jinja2", "matplotlib", "sklearn")
    networks = find_extractors(inception, lpips)
    blenders = {"latent": Blender.from_pretrained(model)}
    blenders |= {name: Blender.from_pretrained(folder) for name, folder in further.items()}
    source = _Data(data)
    drawn = draw(source.split(asked.split), asked, blenders["latent"].image_size)
    names = methods or default_methods(blenders)
    if "pca" in names and not source.has("train"):
        if methods is not None:
            raise FeatureblendError("pca needs faces of the train split, and the data holds none: leave it out")
        names = tuple(name for name in names if name != "pca")
        say("not measured: pca (the data holds no faces of the train split)")
    if identity:
        check_identity(drawn)
    for line in feature_lines(networks.names):
        say(line)
    if "paper" not in further:
        say("not measured: the paper's VAE as meant (give its model folder with --also paper=FOLDER)")
    results = Results(Path(out), drawn, identity, networks.names, say)
    reference = Reference(drawn.faces.images[drawn.reference], source.training)
    evaluation = _Evaluation(drawn, reference, results, identity, networks, jobs or os.cpu_count() or 1, quiet)
    return evaluation.run(names, _Builder(source, blenders))


class _Builder:
    """Makes methods by name, each when it is needed: PCA takes a minute to fit."""

    def __init__(self, source: _Data, blenders: dict[str, Blender]) -> None:
        self.source, self.blenders = source, blenders

    def __call__(self, name: str, shared: Path | None) -> Method:
        """Make a method; `shared` is a folder for what processes share, where there are several."""
        own = self.blenders["latent"]
        if name == "pca":
            faces = self.source.split("train", PCA_FACES).cropped(own.image_size)
            return pca_method(fit_components(faces.images, self.pca_width), shared and shared / "components")
        base, _ = variant_of(name)
        if base in self.blenders:
            return model_method(self.blenders[base], own.image_size, name)
        return baseline_method(name)

    @property
    def pca_width(self) -> int:
        return min(self.blenders["latent"].config.latent_dim, PCA_WIDTH)

    def model(self, name: str) -> str:
        """The weights of a method, as far as they are known before it is built."""
        base, _ = variant_of(name)
        if base in self.blenders:
            return self.blenders[base].config.identity
        return f"{self.pca_width} components of {PCA_FACES}" if name == "pca" else ""


class _Evaluation:
    """One run over the methods."""

    def __init__(
        self,
        drawn: Drawn,
        reference: Reference,
        results: Results,
        identity: bool,
        networks: Extractors,
        jobs: int,
        quiet: bool,
    ) -> None:
        self.drawn, self.reference, self.results = drawn, reference, results
        self.identity, self.networks, self.jobs, self.quiet = identity, networks, jobs, quiet
        self.pool: Callable[..., Any] = map

    @cached_property
    def real_rows(self) -> np.ndarray | None:
        """Inception's features of the real faces."""
        return inception_rows(self.networks, self.reference.images, self.pool) if self.networks.inception else None

    def run(self, names: Sequence[str], build: _Builder) -> Path:
        self.results.out.mkdir(parents=True, exist_ok=True)
        every = (REAL, *names)
        found = {name: self.results.load(name, build.model(name), identity=name != REAL) for name in every}
        todo = [name for name in every if found[name] is None]
        if len(todo) < len(every):
            self.results.say(kept_line([name for name in every if name not in todo]))
        size = {name: self.drawn.protocol.count * (2 if self.identity and name != REAL else 1) for name in every}
        with ExitStack() as stack:
            total = sum(size.values())
            done = total - sum(size[name] for name in todo)
            bar = stack.enter_context(
                Progress(total=total, initial=done, desc=self.drawn.protocol.name, unit="pair", disable=self.quiet)
            )
            if self.jobs > 1 and todo:
                self.pool = self.reference.run = stack.enter_context(Workers(self.jobs, MEMO_BYTES)).map
            else:
                stack.enter_context(memoizing(MEMO_BYTES))
            for name in todo:
                bar.set_postfix_str(name)
                found[name] = measured = self._measured(name, build, bar.update)
                self.results.save(name, build.model(name), measured)
        return self._written({name: measured for name, measured in found.items() if measured is not None})

    def _measured(self, name: str, build: _Builder, step: Callable[[int], Any]) -> Measured:
        if name == REAL:
            step(self.drawn.protocol.count)
            measured = measure_real(self.drawn, self.reference, self.pool)
            measure_real_networks(measured, self.drawn, self.networks, self.real_rows, self.pool)
            return measured
        with TemporaryDirectory(dir=self.results.out, prefix="shared-", ignore_cleanup_errors=True) as folder:
            method = build(name, Path(folder) if self.jobs > 1 else None)
            measured, made = measure_method(method, self.drawn, self.reference, self.pool, step)
        if name == "latent" and method.encode and method.decode:
            measure_degraded(measured, self.drawn, build.blenders[name], method.encode, method.decode, self.pool)
        measure_networks(measured, made, self.drawn, self.networks, self.real_rows, self.pool)
        if self.identity:
            measure_identity(measured, made, self.drawn, self.results.embeddings, self.pool, step)
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
            ReportMethod(
                name,
                measured.record,
                measured.pictures,
                [row for row in rows if row["method"] == name],
                measured.sheets,
            )
            for name, measured in found.items()
        ]
        return write_report(out / "report.html", self.drawn, methods)
