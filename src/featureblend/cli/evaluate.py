"""The commands that measure: `evaluate`, `compare` and `benchmark`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from json import dumps
from pathlib import Path

from ..errors import FeatureblendError
from .groups import FaceChoices, Mending, Model, Quiet, Workers, keep_photos, print_warnings
from .options import argument, flag, option, words_of
from .train import PREPARED, presets

METHODS = (
    "Some of latent, latent-between, latent-network, latent-plain-mean, latent-unwarped, pixel, gaussian, laplacian, "
    "fourier, poisson, gaussian-poisson, morph; all if left out."
)


@dataclass(kw_only=True)
class Evaluate(Model, Workers, Quiet):
    """Measure every method on the same pairs; write metrics.jsonl and report.html (needs the extra 'evaluate').

    A run that was stopped goes on with the same command; methods that are added later are measured alone.

    Example: featureblend evaluate --data faces.tar --protocol pairs50_test --out out/evaluation
    """

    out: Path = option("FOLDER", "Folder to write.", short="-o")
    data: Path | None = option("FACES", "Prepared faces, with people that the model was not trained on.", default=None)
    protocol: str = option(
        "NAME",
        "pairs1k_test, pairs200_test, pairs50_test (quick), pairs200_validation; studio34, portraits (256 pixels).",
        default="pairs1k_test",
        words=words_of("evaluation.protocols", "PROTOCOLS"),
    )
    methods: Sequence[str] = option(
        "NAME ...",
        METHODS.replace("pixel", "pca, pixel", 1),
        default=(),
        words=words_of("evaluation.methods", "method_names"),
    )
    also: Sequence[str] = option(
        "NAME=FOLDER ...",
        "Further models; each adds NAME, NAME-network, NAME-plain-mean and NAME-unwarped. paper=FOLDER puts the "
        "paper's VAE as meant into the table.",
        default=(),
    )
    identity: bool = flag("Also measure whether both people can be recognised (slow: about 0.2 s a face).")
    inception_weights: str | None = option(
        "FILE",
        "pt_inception-2015-12-05-6726825d.pth, for FID and KID on Inception's features (slow: 0.1 s a face). A file "
        "with another hash is taken as FILE#sha256=HASH.",
        default=None,
    )
    lpips_weights: Sequence[str] = option(
        "FILE ...",
        "alexnet-owt-7be5be79.pth or vgg16-397923af.pth, for LPIPS; and its heads (alex.pth, vgg.pth) as a second file "
        "where torchmetrics is not installed. If left out, shift-tolerant LPIPS, where the extra 'train' brings it.",
        default=(),
    )

    def run(self) -> None:
        """Measure and write the report."""
        if self.data is None:
            raise FeatureblendError(PREPARED)
        from ..evaluation.run import evaluate

        report = evaluate(
            self.data,
            self.out,
            methods=self.methods or None,
            inception=self.inception_weights,
            lpips=self.lpips_weights,
            say=lambda line: print(line, file=sys.stderr),
            **self.given("protocol", "model", "also", "identity", "jobs", "quiet", "engine", "address"),
        )
        print(report.with_name("metrics.jsonl"))
        print(report)


@dataclass(kw_only=True)
class Compare(FaceChoices, Mending):
    """Blend two photos by every method, on one labelled sheet with the measures under each.

    Example: featureblend compare ana.jpg ben.jpg -o sheet.png
    """

    photos: Sequence[Path] = argument("PHOTO PHOTO", "Two photos with a face.", default=())
    out: Path = option("FILE", "Picture to write (.png, .jpg, .webp).", short="-o")
    methods: Sequence[str] = option(
        "NAME ...", METHODS, default=(), words=words_of("evaluation.compare", "COMPARED_METHODS")
    )
    size: int | str = option(
        "PIXELS",
        "Side of each picture in pixels; 'photos' for the scale of the photo with the larger face, at most 512; "
        "'model' for the network's own 128.",
        default="photos",
        words=lambda: ("photos", "source", "model"),
    )
    json: Path | None = option(
        "FILE",
        "Also write the photos' names, the model, the warnings and each method's measures to this file.",
        default=None,
    )
    quiet: bool = flag("Print only where the sheet is; show no progress bar.")

    def run(self) -> None:
        """Blend by each method, write the sheet and print the measures."""
        from ..evaluation.compare import compare
        from ..io.files import atomic_path, readable_name, require_parent

        keep_photos(self.photos, [path for path in (self.out, self.json) if path is not None])
        if self.json is not None:
            require_parent(self.json)
        blender = self.blender()
        with ExitStack() as together:  # no measures are left without a sheet
            file = None if self.json is None else together.enter_context(atomic_path(self.json))
            found = compare(
                self.photos, self.out, blender, self.methods or None, self.for_each(2), self.size, self.quiet
            )
            if file is not None:
                facts = {
                    "photos": [readable_name(photo.name) for photo in self.photos],
                    "model": blender.config.identity,
                    "mend": self.mend,
                    "warnings": found.warnings,
                    "measures": found.measures,
                }
                file.write_text(dumps(facts, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        print(self.out)
        if self.quiet:
            return
        for method, measures in found.measures.items():
            print(f"  {method:18}" + "  ".join(f"{name.replace('_', ' ')} {value}" for name, value in measures.items()))
        print_warnings(found.warnings)


@dataclass(kw_only=True)
class Benchmark(FaceChoices, Model, Quiet):
    """Time every method and stage, with peers where installed; say how much memory each takes.

    Everything runs in a process of its own and all take turns, so that a busy machine slows all of them alike: trust
    the ratios more than the times.

    Example: featureblend benchmark --methods latent morph --seconds 20 --json speed.json
    """

    photos: Sequence[Path] | None = option(
        "PHOTO ...", "Two photos with a face; the bundled example faces if left out.", default=None
    )
    methods: Sequence[str] = option(
        "NAME ...",
        METHODS.replace("morph;", "morph, opencv-seamless-clone, facemorpher;"),
        default=(),
        words=words_of("evaluation.benchmark.settings", "TIMED_METHODS"),
    )
    parts: Sequence[str] = option(
        "PART ...",
        "Some of use (what people wait for), blend (two aligned faces to one), whole (two files to a file) and stages "
        "(of the latter).",
        default=("use", "blend", "whole", "stages"),
        words=lambda: ("use", "blend", "whole", "stages"),
    )
    size: int | None = option("PIXELS", "Side of the aligned faces; the model's if left out.", default=None)
    photo_size: int | None = option(
        "PIXELS",
        "Scale the photos first so that the longer side has so many pixels; as they are if left out.",
        default=None,
    )
    repeat: int = option("ROUNDS", "Rounds at most.", default=20)
    fresh: int = option(
        "STARTS", "Fresh processes of each, for the time of the import and of the first blend.", default=3
    )
    seconds: float = option("SECONDS", "Begin no further round after so long; one is always done.", default=120.0)
    reference: str | None = option(
        "NAME",
        "The method whose time is 1; latent if left out.",
        default=None,
        words=words_of("evaluation.benchmark.settings", "TIMED_METHODS"),
    )
    train: str | None = option(
        "PRESET", "Also time the training step of this preset (needs the extra 'train').", default=None, words=presets
    )
    json: Path | None = option("FILE", "Also write all figures to this file.", default=None)
    out: Path | None = option("FILE", "Also write the tables to this file, in Markdown.", default=None, short="-o")

    def run(self) -> None:
        """Time, write and print."""
        from ..faces import EXAMPLES
        from ..io.files import atomic_path, require_parent

        pair = (EXAMPLES / "first.jpg", EXAMPLES / "second.jpg") if self.photos is None else self.photos
        written = [require_parent(path) for path in (self.json, self.out) if path is not None]
        if len(written) == 2 and written[0].resolve() == written[1].resolve():
            raise FeatureblendError(f"cannot write {self.out}: the figures go there; name another file for --json")
        keep_photos(pair, written)
        which = self.for_each(2)
        from ..evaluation.benchmark.run import benchmark
        from ..evaluation.benchmark.settings import BenchmarkSettings
        from ..evaluation.benchmark.table import as_text

        more = self.given("parts", "size", "photo_size", "repeat", "fresh", "seconds", "reference", "train")
        settings = BenchmarkSettings(self.methods or None, **more)
        report = benchmark(pair, self.model, settings, which, self.quiet)
        text = as_text(report)
        with ExitStack() as both:  # the two files appear together or not at all
            if self.json is not None:
                both.enter_context(atomic_path(self.json)).write_text(dumps(report, indent=2, allow_nan=False) + "\n")
            if self.out is not None:
                both.enter_context(atomic_path(self.out)).write_text(text, encoding="utf-8")
        print(text, end="")
