"""Export of a run as a model folder: ONNX networks, checked against torch on real faces, and a model card."""

from __future__ import annotations

import logging
import math
import os
import platform
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .. import __version__
from ..errors import FeatureblendError
from ..io.files import sha256
from ..io.image import from_network, to_network
from ..io.onnx import open_network
from ..io.settings import to_dict
from ..metrics.scores import psnr, sharpness, ssim
from ..model.folder import CLEANER, ModelConfig, read_model_folder
from .experiment import Experiment
from .model_card import model_card
from .networks import AUTOENCODERS, build
from .networks.modern import ModernConfig
from .state import RunFolder
from .streaming import Faces

OPSET = 20
"""ONNX operator set of the exported networks."""

LARGEST_DIFFERENCE = 2
"""Most that any pixel may differ between ONNX and torch, in grey levels of 255."""


PARTS = frozenset({"encoder.onnx", "decoder.onnx", CLEANER, "config.json", "README.md"})
"""Files of a model folder; some are optional."""


class _Method(nn.Module):
    """Wraps a method of a network as a module, for the exporter."""

    def __init__(self, owner: nn.Module, method: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.owner = owner
        self.method = method

    def forward(self, values: Tensor) -> Any:
        return self.method(values)


def export_model(
    run: str | os.PathLike[str],
    out: str | os.PathLike[str],
    faces: Faces,
    *,
    name: str | None = None,
    data: str = "",
    average_with: str | os.PathLike[str] | None = None,
    cleaner_from: str | os.PathLike[str] | None = None,
    recipe: str = "",
    say: Callable[[str], None] = lambda line: None,
) -> ModelConfig:
    """Write a run's averaged weights as a model folder.

    Parameters
    ----------
    run : path-like
        A run folder.
    out : path-like
        The folder to write; replaced if it is a model folder already.
    faces : FaceSet or StreamedFaces
        The prepared faces: validation people check the networks, test people are measured; without test people the
        model is written unmeasured, and its card says so.
    name : str, optional
        The model's name; by default the folder's.
    data : str
        What the model card says of the data.
    average_with : path-like, optional
        Another run of the same networks, one that this run started from: what is exported is the mean of both runs'
        weights, which keeps part of what the second stage gained and loses most of its artefacts (WiSE-FT, Wortsman et
        al. 2022).
    cleaner_from : path-like, optional
        Another run, whose cleaner is exported with this run's networks: it works on pictures, so that both may be
        trained at the same time.
    recipe : str
        The recipe that the run is the last stage of; its command stands in the card.
    say : callable
        Called with a line at each stage.

    Returns
    -------
    ModelConfig

    Raises
    ------
    FeatureblendError
        If the run has no checkpoint, `out` is some other folder, or ONNX and torch differ by more
        than `LARGEST_DIFFERENCE` on any pixel; then nothing is written.
    """
    folder, out = RunFolder(run), Path(os.path.realpath(out))  # a link is followed, and "." has a name
    _check_target(out)
    experiment, state = folder.experiment(), folder.load()
    weights, options = state["ema"], experiment.model_options
    if average_with is not None:
        weights = averaged(weights, RunFolder(average_with), folder)
    cleaning: dict[str, Any] = {}
    if cleaner_from is not None:
        weights, options, cleaning = with_cleaner(weights, options, RunFolder(cleaner_from), folder)
    model = build(AUTOENCODERS, experiment.model, options)
    model.load_state_dict(weights)
    model.eval().requires_grad_(False)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}-"))
    except OSError as error:
        raise FeatureblendError(f"cannot write {out}: {error.strerror or error}") from error
    try:
        size = model.image_size
        faces_due, cleaner = torch.zeros(2, 3, size, size), getattr(model, "cleaner", None)
        encode = model.encode if cleaner is None else model.encode_cleaned
        latent = encode(faces_due)
        _to_onnx(_Method(model, encode), faces_due, ("images", "latent"), work / "encoder.onnx")
        _to_onnx(_Method(model, model.decode), latent, ("latent", "images"), work / "decoder.onnx")
        if cleaner is not None:
            names = ("images", "cleaned", "damage")
            _to_onnx(_Method(model, cleaner.cleaned), faces_due, names, work / CLEANER)
        networks = sorted(path.name for path in work.iterdir())
        say(f"wrote {', '.join(networks)} ({sum(p.stat().st_size for p in work.iterdir()) / 1e6:.1f} MB)")
        checked = _validation_faces(faces, size)
        reconstruct = _reconstructor(work)
        difference = _largest_difference(model, reconstruct, checked)
        if cleaner is not None:
            difference = max(difference, _cleaner_difference(cleaner, work, checked))
        say(f"largest pixel difference from torch on {len(checked)} faces: {difference}/255")
        if difference > LARGEST_DIFFERENCE:
            raise FeatureblendError(
                f"the exported networks differ from torch by {difference}/255; "
                f"at most {LARGEST_DIFFERENCE}/255 is allowed"
            )
        metrics: dict[str, float | None] = {}
        if len(faces.split("test")):
            metrics = held_out_figures(faces, size, reconstruct)
            say(", ".join(f"{key} {value}" for key, value in metrics.items()))
        else:
            say(f"warning: the model is not measured: {faces.split_warning}")
        config = ModelConfig(
            name=name or out.name,
            image_size=size,
            latent_dim=latent.shape[1],
            files={file: sha256(work / file) for file in networks},
            latent_layout=_layout(model),
            experiment=to_dict(experiment),
            training={
                **training_facts(experiment, state),
                "averaged_with": run_name(average_with),
                **cleaning,
                **({"recipe": recipe} if recipe else {}),
            },
            metrics={**metrics, "onnx_largest_difference": difference},
            data=data,
            featureblend=__version__,
        )
        (work / "config.json").write_text(config.to_json(), encoding="utf-8")
        (work / "README.md").write_text(model_card(config), encoding="utf-8")
        config = read_model_folder(work)  # as every reader will see it
        work.chmod(0o755)
        before = work.with_name(f"{work.name}-before")
        if out.exists():  # renamed, not removed: whoever is killed meanwhile leaves no half of it
            out.rename(before)
        work.rename(out)
        shutil.rmtree(before, ignore_errors=True)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return config


def _check_target(out: Path) -> None:
    """Refuse to replace a folder unless it is a model folder without other files."""
    if not out.exists():
        return
    if not out.is_dir():
        raise FeatureblendError(f"{out} exists and is no folder: name a new folder")
    names = {path.name for path in out.iterdir()}
    foreign = sorted(names - PARTS)
    if foreign or (names and "config.json" not in names):
        raise FeatureblendError(
            f"{out} exists and is no model folder (it holds {foreign[0] if foreign else 'no config.json'}): "
            "name a new folder"
        )


def _validation_faces(faces: Faces, size: int, count: int = 16) -> np.ndarray:
    held_out = faces.split("validation")
    chosen = held_out if len(held_out) else faces
    return chosen.chosen(np.arange(min(count, len(chosen)))).cropped(size).images


@contextmanager
def _only_errors(logger: str) -> Iterator[None]:
    """Silence a library's warnings inside a block: torch's exporter always warns that torchvision is missing."""
    log = logging.getLogger(logger)
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(before)


def _to_onnx(network: nn.Module, example: Tensor, names: tuple[str, ...], path: Path) -> None:
    import onnx

    batch = torch.export.Dim("batch", min=1)
    with warnings.catch_warnings(), _only_errors("torch.onnx"):
        warnings.simplefilter("ignore")  # the exporter warns of its own deprecations
        program = torch.onnx.export(
            network,
            (example,),
            dynamo=True,
            opset_version=OPSET,
            input_names=[names[0]],
            output_names=list(names[1:]),
            dynamic_shapes=({0: batch},),
            verbose=False,
        )
    assert program is not None
    onnx.save(halved(program.model_proto), str(path))


def halved(proto: Any) -> Any:
    """Store an ONNX model's large weights as float16, widened on load: half the size, the same float32 arithmetic.

    Parameters
    ----------
    proto : onnx.ModelProto
        Changed in place; notes of where in the source each node came from are dropped.

    Returns
    -------
    onnx.ModelProto
    """
    from onnx import TensorProto, helper, numpy_helper

    graph = proto.graph
    casts = []
    for index, weight in enumerate(graph.initializer):
        if weight.data_type != TensorProto.FLOAT or np.prod(weight.dims) < 256:
            continue
        stored = f"{weight.name}.float16"
        half = numpy_helper.from_array(numpy_helper.to_array(weight).astype(np.float16), stored)
        casts.append(helper.make_node("Cast", [stored], [weight.name], to=TensorProto.FLOAT))
        graph.initializer[index].CopyFrom(half)
    nodes = list(graph.node)
    del graph.node[:]
    graph.node.extend([*casts, *nodes])
    # The exporter notes where in the source each node came from: paths of this machine.
    for node in graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    del graph.metadata_props[:]
    del proto.metadata_props[:]
    del graph.value_info[:]
    return proto


def _reconstructor(folder: Path) -> Callable[[np.ndarray], np.ndarray]:
    """A function that reconstructs (N, S, S, 3) uint8 pictures by the exported networks."""
    encoder, decoder = (open_network(folder / f"{name}.onnx", 0) for name in ("encoder", "decoder"))
    cleaner = open_network(folder / CLEANER, 0) if (folder / CLEANER).exists() else None

    def reconstruct(images: np.ndarray) -> np.ndarray:
        done = []
        for start in range(0, len(images), 16):
            seen = to_network(images[start : start + 16])
            if cleaner is not None:
                (seen,) = cleaner.run(["cleaned"], {"images": seen})
            (latent,) = encoder.run(None, {"images": seen})
            done.append(from_network(decoder.run(None, {"latent": latent})[0]))
        return np.concatenate(done)

    return reconstruct


def _largest_difference(model: Any, reconstruct: Callable[[np.ndarray], np.ndarray], images: np.ndarray) -> int:
    # One odd batch and one single face: the exported batch size must really be free.
    exported = np.concatenate([reconstruct(part) for part in (images[:1], images[1:]) if len(part)])
    with torch.no_grad():
        expected = from_network(model(torch.from_numpy(to_network(images))).numpy())
    return int(np.abs(exported.astype(int) - expected).max())


def _cleaner_difference(cleaner: Any, folder: Path, images: np.ndarray) -> int:
    """Largest difference of the cleaner's output, as in `_largest_difference`.

    The faces are made dark and noisy first, since the cleaner leaves good ones unchanged. Its certainty of damage is
    compared too, in 255 levels.
    """
    grain = np.random.default_rng(0).normal(0, 0.1, (len(images), 3, *images.shape[1:3]))
    seen = (0.5 * to_network(images) - 0.4 + grain).astype(np.float32)
    exported, said = open_network(folder / CLEANER, 0).run(["cleaned", "damage"], {"images": seen})
    with torch.no_grad():
        expected, damage = (one.numpy() for one in cleaner.cleaned(torch.from_numpy(seen)))
    picture = np.abs(from_network(exported).astype(int) - from_network(expected)).max()
    return int(max(picture, np.rint(255 * np.abs(said - damage).max())))


def _layout(model: Any) -> dict[str, Any]:
    config = model.config
    if not hasattr(config, "spatial_channels"):
        return {"global": [0, int(config.latent_dim)]}
    spatial = config.spatial_channels * config.grid**2
    coarse = spatial + config.global_dim
    layout = {
        "spatial": [0, spatial],
        "spatial_shape": [config.spatial_channels, config.grid, config.grid],
        "global": [spatial, coarse],
    }
    if config.fine_channels:
        layout["fine"] = [coarse, config.latent_dim]
        layout["fine_shape"] = [config.fine_channels, config.fine_grid, config.fine_grid]
    return layout


def averaged(weights: dict[str, Tensor], other: RunFolder, folder: RunFolder) -> dict[str, Tensor]:
    """The mean of two runs' weights."""
    others = other.load()["ema"]
    if {name: value.shape for name, value in weights.items()} != {name: value.shape for name, value in others.items()}:
        raise FeatureblendError(f"{other.path} and {folder.path} hold networks of other sizes: they have no mean")
    # Counters (BatchNorm's) are whole numbers: they stay the run's own.
    return {name: torch.lerp(v, others[name], 0.5) if v.is_floating_point() else v for name, v in weights.items()}


def with_cleaner(
    weights: dict[str, Tensor], options: dict[str, Any], other: RunFolder, folder: RunFolder
) -> tuple[dict[str, Tensor], dict[str, Any], dict[str, Any]]:
    """Weights and options with the cleaner of another run, and the note for the model card."""
    experiment, state = other.experiment(), other.load()
    widths = experiment.model_options.get("cleaner_widths")
    if not widths:
        raise FeatureblendError(f"{other.path} holds no cleaner: name a run such as one of the preset modern-clean")
    if experiment.model != "modern" or folder.experiment().model != "modern":
        raise FeatureblendError(
            f"{folder.path} can't have the cleaner of {other.path}: only `modern` networks have one"
        )
    sizes = [ModernConfig(**one.model_options).image_size for one in (folder.experiment(), experiment)]
    if sizes[0] != sizes[1]:
        raise FeatureblendError(f"{folder.path} makes {sizes[0]} px, and {other.path} cleans {sizes[1]} px")
    # A run's own cleaner goes: only one restores photos.
    kept = {name: value for name, value in weights.items() if not name.startswith("cleaner.")}
    taken = {name: value for name, value in state["ema"].items() if name.startswith("cleaner.")}
    facts = {"run": run_name(other.path), "experiment": to_dict(experiment), **training_facts(experiment, state)}
    return {**kept, **taken}, {**options, "cleaner_widths": widths}, {"cleaner": facts}


def run_name(run: str | os.PathLike[str] | None) -> str:
    """The name of a run's folder; empty for no run."""
    return "" if run is None else Path(run).resolve().name


def training_facts(experiment: Experiment, state: dict[str, Any]) -> dict[str, Any]:
    """Facts about a run for the model's settings and its card."""
    clock = state["clock"]
    return {
        "steps": clock["step"],
        "images_seen": clock["step"] * experiment.batch_size,
        "minutes": round(clock["seconds"] / 60, 1),
        "hardware": state.get("hardware", platform.machine()),
        "data_sha256": state["data"],
        "started_from": state.get("started_from", ""),
        "torch": state.get("torch", ""),
    }


def held_out_figures(
    faces: Faces, size: int, reconstruct: Callable[[np.ndarray], np.ndarray], limit: int = 500
) -> dict[str, float | None]:
    """Score reconstructions of the test split, with the mean face as the lower bound.

    Parameters
    ----------
    faces : FaceSet or StreamedFaces
        With all splits: the mean face is that of the training people.
    size : int
        Side of the pictures in pixels.
    reconstruct : callable
        Maps (N, size, size, 3) uint8 to the same.
    limit : int
        At most so many test faces, the first ones.

    Returns
    -------
    dict
        ``faces`` (count), ``psnr``, ``psnr_mean_face`` (dB, means over faces), ``ssim``, and
        ``sharpness`` (variance of the Laplacian, outputs over real). Ready for JSON: None where a
        figure is no finite number (the PSNR of faces that are given back without any error, the
        sharpness relative to flat pictures).

    Raises
    ------
    FeatureblendError
        If no face is of the test split.
    """
    test = faces.split("test")
    if not len(test):
        raise FeatureblendError("the data holds no faces of the test split to measure on")
    real = test.chosen(np.arange(min(limit, len(test)))).cropped(size).images
    train = faces.split("train")
    known = (train if len(train) else test).chosen(np.arange(min(2000, len(train) or len(test)))).cropped(size).images
    mean_face = np.clip(known.mean(axis=0, dtype=np.float64) + 0.5, 0, 255).astype(np.uint8)
    made = reconstruct(real)

    def average(values: list[float]) -> float | None:
        mean = float(np.mean(values))
        return round(mean, 3) if math.isfinite(mean) else None

    of_real = float(np.mean([sharpness(face) for face in real]))

    return {
        "faces": len(real),
        "psnr": average([psnr(a, b) for a, b in zip(made, real, strict=True)]),
        "psnr_mean_face": average([psnr(mean_face, b) for b in real]),
        "ssim": average([ssim(a, b) for a, b in zip(made, real, strict=True)]),
        "sharpness": average([sharpness(a) / of_real for a in made]) if of_real else None,
    }
