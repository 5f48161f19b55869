"""The command that times: `benchmark`, in the style of `featureblend.cli`, which registers it."""

from __future__ import annotations

from contextlib import ExitStack
from json import dumps
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from .arguments import File, Flag, Model, face_choices, keep_photos, plain
from .errors import FeatureblendError

__all__ = ["benchmark"]


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
    from .demo import EXAMPLES
    from .files import atomic_path, require_parent

    pair = (EXAMPLES / "first.png", EXAMPLES / "second.png") if photos is None else photos
    written = [require_parent(path) for path in (json, out) if path is not None]
    if len(written) == 2 and written[0].resolve() == written[1].resolve():
        raise FeatureblendError(f"cannot write {out}: the figures go there; name another file for --json")
    keep_photos(pair, written)
    which = face_choices(faces)
    from .benchmark.run import benchmark as run
    from .benchmark.settings import BenchmarkSettings
    from .benchmark.table import as_text

    settings = BenchmarkSettings(methods or None, parts, size, photo_size, repeat, fresh, seconds, reference, train)
    report = run(pair, model, settings, which * 2 if len(which) == 1 else which, quiet)
    text = as_text(report)
    with ExitStack() as both:  # the two files appear together or not at all
        if json is not None:
            both.enter_context(atomic_path(json)).write_text(dumps(report, indent=2, allow_nan=False) + "\n")
        if out is not None:
            both.enter_context(atomic_path(out)).write_text(text, encoding="utf-8")
    print(text, end="")
