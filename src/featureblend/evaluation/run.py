"""Evaluation: every method on the same pairs, measured, kept as it goes, and laid side by side in a report."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np

from ..blend.blender import Blender
from ..errors import FeatureblendError
from ..io.cluster import check_engine, workers
from ..io.extras import require
from ..io.files import atomic_path
from ..io.processes import Run
from ..io.progress import Progress
from ..metrics.variety import SMALL_SIDE
from ..training.dataset import FaceSet
from .degradation import add_degraded
from .figures import CEILING, REAL, TRAINING_FACES, figure_rows
from .identity import add_identity, check_identity, known_faces, mean_embeddings
from .learned import Extractors, feature_lines, find_extractors
from .measuring import Measurer, PairResult
from .methods import (
    Baseline,
    Model,
    Pca,
    System,
    check_methods,
    default_methods,
    method_names,
    parse_also,
    variant_of,
)
from .pca import PrincipalComponents, fit_components
from .protocols import Drawn, Protocol, draw, find_protocol
from .report import ReportMethod, shown_pairs, write_report
from .results import Results, kept_line
from .summary import Measured, Reference, measure_real, score_all, summarise

PCA_FACES = 3000
"""Faces of the train split that PCA is fitted on, the first ones: 3000 make a basis for 1280 numbers in a minute."""

PCA_WIDTH = 1280
"""Most components: for models with a longer latent, PCA would need more faces than fit into memory."""

CHUNK = 8
"""Pairs, or faces, that a process is given at a time; a stopped run measures so many again."""


@dataclass(frozen=True)
class _Data:
    """Where faces come from; each split is read when it is needed."""

    source: FaceSet | str | os.PathLike[str]
    protocol: Protocol

    def split(self, name: str, limit: int | None = None) -> FaceSet:
        if not isinstance(self.source, FaceSet):
            return FaceSet.read(self.source, name or None, limit)
        faces = self.source.split(name) if name else self.source
        if not len(faces):
            raise FeatureblendError(f"the data holds no faces of the {name} split")
        return faces.chosen(np.arange(len(faces))[:limit])

    def trains(self) -> bool:
        """Whether there are faces to learn from, of others than those that are blended."""
        try:
            self.split("train", 1)
        except FeatureblendError:
            return False
        return bool(self.protocol.split)

    def training(self) -> np.ndarray | None:
        """Small copies of the training faces, to find the nearest; None if there are none."""
        if not self.trains():
            return None
        faces = self.split("train", TRAINING_FACES)
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
    engine: str = "local",
    address: str | None = None,
) -> Path:
    """Measure methods by one protocol; write ``metrics.jsonl`` and ``report.html``.

    Parameters
    ----------
    data : FaceSet or path-like
        Prepared faces: what `FaceSet.read` takes. PCA and the search for the nearest training face need their train
        split too.
    out : path-like
        Folder to write; what it holds of the same evaluation already is not measured again, of a stopped one neither.
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
    engine : {'local', 'ray'}
        What measures: this machine's processes, or the workers of a Ray cluster, which must see the same files.
    address : str, optional
        The cluster's, for 'ray'; one of this machine alone if left out.

    Returns
    -------
    Path
        The report.

    Raises
    ------
    FeatureblendError
        If there are too few faces for the protocol, no person with a second photo for `identity`, a protocol, method
        or model is unknown, a file of weights is not what it should be, the extra 'evaluate' is not installed, or there
        is no such engine or cluster.
    """
    asked = find_protocol(protocol) if isinstance(protocol, str) else protocol
    further = dict(parse_also(also))
    known = method_names(list(further))
    if methods is not None:
        methods = check_methods(methods, known)
    check_engine(engine, address, jobs)
    require("evaluate", "jinja2", "matplotlib", "sklearn")
    networks = find_extractors(inception, lpips)
    blenders = {"latent": Blender.from_pretrained(model)}
    blenders |= {name: Blender.from_pretrained(folder) for name, folder in further.items()}
    source = _Data(data, asked)
    drawn = draw(source.split(asked.split), asked, asked.size or blenders["latent"].image_size)
    names = methods or default_methods(blenders)
    if "pca" in names and not source.trains():
        if methods is not None:
            raise FeatureblendError("pca needs faces of the train split, and there are none: leave it out")
        names = tuple(name for name in names if name != "pca")
        say("not measured: pca (there are no faces of the train split)")
    if identity:
        check_identity(drawn)
    for line in feature_lines(networks.names):
        say(line)
    if "paper" not in further:
        say("not measured: the paper's VAE as meant (give its model folder with --also paper=FOLDER)")
    results = Results(Path(out), drawn, identity, networks.names, say)
    build = _Builder(source, blenders, int(drawn.faces.images.shape[1]))
    hands = _Hands(engine, jobs, address)
    return _Evaluation(drawn, results, build, identity, networks, hands, quiet).run(names)


class _Builder:
    """Makes systems by the names of their methods."""

    def __init__(self, source: _Data, blenders: dict[str, Blender], size: int) -> None:
        self.source, self.blenders, self.size = source, blenders, size

    def systems(self, names: Sequence[str], shared: Path | None) -> list[System]:
        """Make what makes these methods' blends; `shared` is a folder for what several processes share."""
        found: list[System] = []
        bases = dict.fromkeys(variant_of(name)[0] for name in names)
        size = self.size
        for base in bases:
            if base in self.blenders:
                found.append(Model(self.blenders[base], size, [name for name in names if variant_of(name)[0] == base]))
            elif base == "pca":
                faces = self.source.split("train", PCA_FACES).cropped(size)
                components = fit_components(faces.images, self.pca_width)
                if shared is not None:  # a few hundred MB, too much to hand on to each
                    components.save(shared / "components")
                    components = PrincipalComponents.load(shared / "components")
                found.append(Pca(components))
            else:
                found.append(Baseline(base))
        return found

    @property
    def pca_width(self) -> int:
        return min(self.blenders["latent"].config.latent_dim, PCA_WIDTH)

    def model(self, name: str) -> str:
        """The weights of a method, as far as they are known before it is built."""
        base, _ = variant_of(name)
        if base in self.blenders:
            return self.blenders[base].config.identity
        return f"{self.pca_width} components of {PCA_FACES}" if name == "pca" else ""


@dataclass(frozen=True)
class _Evaluation:
    """One run: what is not kept is measured, kept, and all of it laid side by side."""

    drawn: Drawn
    results: Results
    build: _Builder
    identity: bool
    networks: Extractors
    hands: _Hands
    quiet: bool

    def run(self, names: Sequence[str]) -> Path:
        """Measure and write the report."""
        self.results.out.mkdir(parents=True, exist_ok=True)
        every = (REAL, *names)
        found = {name: self.results.load(name, self.build.model(name), identity=name != REAL) for name in every}
        todo = [name for name in every if found[name] is None]
        if len(todo) < len(every):
            self.results.say(kept_line([name for name in every if name not in todo]))
        if todo:
            found |= self._measured(todo)
        if self.identity and (ceiling := mean_embeddings(self.drawn, self.results.load_known())):
            found[CEILING] = Measured(ceiling, {})
        return self._written({name: measured for name, measured in found.items() if measured is not None})

    def _measured(self, todo: Sequence[str]) -> dict[str, Measured]:
        names = [name for name in todo if name != REAL]
        with ExitStack() as stack:
            shared = None
            if not self.hands.alone:
                folder = TemporaryDirectory(dir=self.results.out, prefix="shared-", ignore_cleanup_errors=True)
                shared = Path(stack.enter_context(folder))
            systems = self.build.systems(names, shared)
            measurer = Measurer(self.drawn, systems, self.networks, self.identity)
            run, measure = stack.enter_context(self.hands.at_work(measurer))
            reference = Reference.of(self.drawn, partial(measure, "described"), self.build.source.training())
            found = {}
            if REAL in todo:
                found[REAL] = measure_real(self.drawn, reference, partial(measure, "real"), self.networks.names)
                self.results.save(REAL, "", found[REAL])
            known = self._known(partial(measure, "known")) if self.identity and names else {}
            every = self._pairs(names, reference, partial(measure, "pairs"))
            made = [[replace(one, picture=None) for one in every[name] if not one.failure] for name in names]
            scores = dict(zip(names, run(score_all, made, [reference] * len(names)), strict=True))
            for system in systems:
                for name in system.names:
                    sets, nearest = scores[name]
                    measured = summarise(every[name], sets, nearest, self.drawn, reference, self.networks.names)
                    measured.record.update(model=system.model, note=system.notes[name])
                    if self.identity:
                        add_identity(measured.record, self.drawn, known, every[name])
                    if name == "latent" and self.build.size == self.build.blenders[name].image_size:
                        give_back = partial(measure, "degraded", [name] * len(self.drawn.parents))
                        add_degraded(measured, self.drawn, self.build.blenders[name], give_back)
                    found[name] = measured
                    self.results.save(name, self.build.model(name), measured)
        return found

    def _known(self, measure: Callable[..., Iterable[Any]]) -> dict[int, np.ndarray]:
        """Embeddings of the faces whose identity is needed."""
        due, known = known_faces(self.drawn), self.results.load_known()
        left = [index for index in due if index not in known]
        batches = [left[start : start + CHUNK] for start in range(0, len(left), CHUNK)]
        for batch, embeddings in zip(batches, measure(batches), strict=True):
            known |= dict(zip(batch, embeddings, strict=True))
            self.results.save_known(known)
        return {index: known[index] for index in due}

    def _pairs(
        self, names: Sequence[str], reference: Reference, measure: Callable[..., Iterable[Any]]
    ) -> dict[str, list[PairResult]]:
        """Measure all pairs by methods, some pairs at a time; what a stopped run kept is not measured again."""
        count = len(self.drawn.pairs)
        found: dict[str, dict[int, PairResult]] = {name: {} for name in names}
        chunks: list[range] = []
        due: list[list[str]] = []
        for start in range(0, count, CHUNK):
            kept = {name: self.results.load_part(name, self.build.model(name), start) for name in names}
            for name, results in kept.items():
                found[name] |= enumerate(results or (), start)
            if missing := [name for name, results in kept.items() if results is None]:
                chunks.append(range(start, min(start + CHUNK, count)))
                due.append(missing)
        done, what = sum(map(len, found.values())), self.drawn.protocol.name
        with Progress(total=count * len(names), initial=done, desc=what, unit="blend", disable=self.quiet) as bar:
            for chunk, of_pairs in zip(chunks, measure(chunks, due, [reference.features] * len(chunks)), strict=True):
                for name in of_pairs[0]:
                    results = [of_pair[name] for of_pair in of_pairs]
                    found[name] |= zip(chunk, results, strict=True)
                    _let_go(found[name])
                    self.results.save_part(name, self.build.model(name), chunk.start, results)
                    bar.update(len(results))
        for every in found.values():
            _let_go(every)
        return {name: [every[number] for number in range(count)] for name, every in found.items()}

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
            ReportMethod(name=name, rows=[row for row in rows if row["method"] == name], **vars(measured))
            for name, measured in found.items()
        ]
        return write_report(out / "report.html", self.drawn, methods)


def _let_go(results: dict[int, PairResult]) -> None:
    """Drop the pictures that the report won't show: neither of the first pairs, nor among the most ghosted so far."""
    shown = shown_pairs({number: one.scores.get("ghosting") for number, one in results.items()})
    for number, one in results.items():
        if number not in shown:
            one.picture = None


@dataclass(frozen=True)
class _Hands:
    """What does the measuring."""

    engine: str
    jobs: int | None
    address: str | None

    @property
    def alone(self) -> bool:
        """Whether this process does it."""
        return self.engine == "local" and (self.jobs or os.cpu_count()) == 1

    @contextmanager
    def at_work(self, measurer: Measurer) -> Iterator[tuple[Run, Callable[..., Iterable[Any]]]]:
        """A `map`, and one that takes the name of a measurer's method; in this process or in others."""
        if self.alone:
            yield map, lambda method, *columns: map(getattr(measurer, method), *columns)
            return
        with workers(self.engine, self.jobs, self.address, _start_worker, measurer) as run:
            yield run, lambda method, *columns: run(partial(_call, method), *columns)


_MEASURER: list[Measurer] = []
"""This worker's: handed to each process once, not with every task."""


def _start_worker(measurer: Measurer) -> None:
    _MEASURER[:] = [measurer]


def _call(method: str, *arguments: Any) -> Any:
    return getattr(_MEASURER[0], method)(*arguments)
