"""The commands that measure: `evaluate`, `compare` and `benchmark`."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from json import dumps
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import Positional, arg

from ..errors import FeatureblendError
from .options import File, Flag, Model, Out, OutFolder, face_choices, keep_photos, plain
from .pictures import print_warnings

__all__ = ["benchmark", "compare", "evaluate"]


def evaluate(
    out: OutFolder,
    data: Annotated[Path | None, plain("FACES")] = None,
    protocol: Annotated[str, arg(metavar="NAME")] = "pairs1k_test",
    methods: Annotated[tuple[str, ...], plain("NAME ...")] = (),
    model: Model = None,
    also: Annotated[tuple[str, ...], plain("NAME=FOLDER ...")] = (),
    identity: Flag = False,
    inception_weights: Annotated[str | None, plain("FILE")] = None,
    lpips_weights: Annotated[tuple[str, ...], plain("FILE ...")] = (),
    jobs: Annotated[int | None, plain("NUMBER")] = None,
    quiet: Flag = False,
) -> None:
    """Measure every method on the same pairs; write metrics.jsonl and report.html (needs the extra 'evaluate').

    A run that was stopped goes on with the same command: methods that are done are not measured again.

    Example: featureblend evaluate --data faces.tar --protocol pairs50_test --out out/evaluation

    Args:
        out: Folder to write.
        data: Prepared faces, with people that the model was not trained on.
        protocol: pairs1k_test, pairs200_test, pairs50_test (quick) or pairs200_validation.
        methods: Some of latent, latent-network, latent-plain-mean, latent-unwarped, pca, pixel, gaussian, laplacian,
            fourier, poisson, gaussian-poisson, morph; all if left out.
        model: A model folder or the name of a bundled model; the bundled one if left out.
        also: Further models; each adds NAME, NAME-network, NAME-plain-mean and NAME-unwarped. paper=FOLDER puts the
            paper's VAE as meant into the table.
        identity: Also measure whether both people can be recognised (slow: about 0.2 s a face).
        inception_weights: pt_inception-2015-12-05-6726825d.pth, for FID and KID on Inception's features (slow: 0.1 s a
            face). A file with another hash is taken as FILE#sha256=HASH.
        lpips_weights: alexnet-owt-7be5be79.pth or vgg16-397923af.pth, for LPIPS; and its heads (alex.pth, vgg.pth) as a
            second file where torchmetrics is not installed.
        jobs: Processes; one a core if left out.
        quiet: Show no progress bar.
    """
    if data is None:
        raise FeatureblendError("--data is missing: make it with `featureblend prepare FOLDER_OR_TAR --out faces.tar`")
    from ..evaluation.run import evaluate as run

    report = run(
        data,
        out,
        protocol,
        model,
        methods or None,
        also,
        identity,
        jobs,
        quiet,
        inception_weights,
        lpips_weights,
        say=lambda line: print(line, file=sys.stderr),
    )
    print(report.with_name("metrics.jsonl"))
    print(report)


def compare(
    photos: Positional[Annotated[tuple[Path, ...], plain("PHOTO PHOTO")]],
    out: Out,
    methods: Annotated[tuple[str, ...], plain("NAME ...")] = (),
    faces: Annotated[tuple[str, ...], arg(metavar="FACE ...")] = ("largest",),
    model: Model = None,
    mend: bool = True,
    json: File = None,
    quiet: Flag = False,
) -> None:
    """Blend two photos by every method, on one labelled sheet with the measures under each.

    Example: featureblend compare ana.jpg ben.jpg -o sheet.png

    Args:
        photos: Two photos with a face.
        out: Picture to write (.png, .jpg, .webp).
        methods: Some of latent, latent-network, latent-plain-mean, latent-unwarped, pixel, gaussian, laplacian,
            fourier, poisson, gaussian-poisson, morph; all if left out.
        faces: Which face, once or one a photo: 'largest', 'central', or a number from the left, from 1.
        model: A model folder or the name of a bundled model; the bundled one if left out.
        mend: With 'latent': undo noise, blur, compression and weak light of photos before they are encoded.
        json: Also write the photos' names, the model, the warnings and each method's measures to this file.
        quiet: Print only where the sheet is.
    """
    from ..blend.blender import Blender
    from ..evaluation.compare import compare as run
    from ..io.files import atomic_path, readable_name, require_parent

    keep_photos(photos, [path for path in (out, json) if path is not None])
    if json is not None:
        require_parent(json)
    which = face_choices(faces)
    blender = Blender.from_pretrained(model, mend=mend)
    with ExitStack() as together:  # no measures are left without a sheet
        file = None if json is None else together.enter_context(atomic_path(json))
        found = run(photos, out, blender, methods or None, which * 2 if len(which) == 1 else which)
        if file is not None:
            facts = {
                "photos": [readable_name(photo.name) for photo in photos],
                "model": blender.config.identity,
                "mend": mend,
                "warnings": found.warnings,
                "measures": found.measures,
            }
            file.write_text(_text(facts), encoding="utf-8")
    print(out)
    if quiet:
        return
    for method, measures in found.measures.items():
        print(f"  {method:18}" + "  ".join(f"{name.replace('_', ' ')} {value}" for name, value in measures.items()))
    print_warnings(found.warnings)


def _text(value: Any) -> str:
    import json

    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def benchmark(
    photos: Annotated[tuple[Path, ...] | None, plain("PHOTO PHOTO")] = None,
    methods: Annotated[tuple[str, ...], plain("NAME ...")] = (),
    parts: Annotated[tuple[str, ...], arg(metavar="PART ...")] = ("blend", "whole", "stages"),
    size: Annotated[int | None, plain("PIXELS")] = None,
    photo_size: Annotated[int | None, plain("PIXELS")] = None,
    repeat: Annotated[int, arg(metavar="ROUNDS")] = 20,
    fresh: Annotated[int, arg(metavar="STARTS")] = 3,
    seconds: Annotated[float, arg(metavar="SECONDS")] = 120.0,
    reference: Annotated[str | None, plain("NAME")] = None,
    train: Annotated[str | None, plain("PRESET")] = None,
    faces: Annotated[tuple[str, ...], arg(metavar="FACE ...")] = ("largest",),
    model: Model = None,
    json: File = None,
    out: Annotated[Path | None, arg(aliases=["-o"], metavar="FILE", help_behavior_hint="")] = None,
    quiet: Flag = False,
) -> None:
    """Time every method and stage, with peers where installed; say how much memory each takes.

    Everything runs in a process of its own and all take turns, so that a busy machine hurts all alike: trust the
    ratios more than the times.

    Example: featureblend benchmark --methods latent morph --seconds 20 --json speed.json

    Args:
        photos: Two photos with a face; the bundled example faces if left out.
        methods: Some of latent, latent-network, latent-plain-mean, latent-unwarped, pixel, gaussian, laplacian,
            fourier, poisson, gaussian-poisson, morph, opencv-seamless-clone, facemorpher; all if left out.
        parts: Some of blend (two aligned faces to one), whole (two files to a file) and stages (of the latter).
        size: Side of the aligned faces; the model's if left out.
        photo_size: Scale the photos first so that the longer side has so many pixels; as they are if left out.
        repeat: Rounds at most.
        fresh: Fresh processes of each, for the time of the import and of the first blend.
        seconds: Begin no further round after so long; one is always done.
        reference: The method whose time is 1; latent if left out.
        train: Also time the training step of this preset (needs the extra 'train').
        faces: Which face, once or one a photo: 'largest', 'central', or a number from the left, from 1.
        model: A model folder or the name of a bundled model; the bundled one if left out.
        json: Also write all figures to this file.
        out: Also write the tables to this file, in Markdown.
        quiet: Show no progress bar.
    """
    from ..faces import EXAMPLES
    from ..io.files import atomic_path, require_parent

    pair = (EXAMPLES / "first.png", EXAMPLES / "second.png") if photos is None else photos
    written = [require_parent(path) for path in (json, out) if path is not None]
    if len(written) == 2 and written[0].resolve() == written[1].resolve():
        raise FeatureblendError(f"cannot write {out}: the figures go there; name another file for --json")
    keep_photos(pair, written)
    which = face_choices(faces)
    from ..evaluation.benchmark.run import benchmark as run
    from ..evaluation.benchmark.settings import BenchmarkSettings
    from ..evaluation.benchmark.table import as_text

    settings = BenchmarkSettings(methods or None, parts, size, photo_size, repeat, fresh, seconds, reference, train)
    report = run(pair, model, settings, which * 2 if len(which) == 1 else which, quiet)
    text = as_text(report)
    with ExitStack() as both:  # the two files appear together or not at all
        if json is not None:
            both.enter_context(atomic_path(json)).write_text(dumps(report, indent=2, allow_nan=False) + "\n")
        if out is not None:
            both.enter_context(atomic_path(out)).write_text(text, encoding="utf-8")
    print(text, end="")
