"""Results of each run: progress, log, and its averaged weights measured on held-out people."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..evaluation.pca import fit_components
from ..io.image import from_network, to_network
from ..metrics.scores import psnr, relative_sharpness, sharpness
from ..metrics.variety import diversity
from ..training.dataset import FaceSet
from ..training.experiment import Experiment
from ..training.networks import AUTOENCODERS, build
from ..training.state import RunFolder

MEASURED = 256
"""At most so many held-out faces, the first ones, are measured."""

PCA_FACES = 4000
"""At most so many training faces, the first ones, is PCA fitted on: more than a latent has numbers."""

LINEAR_FACES = 1500
"""At most so many training faces, the first ones, for the few components that a linear VAE keeps."""

BATCH = 32
"""Faces encoded at a time."""


@dataclass(frozen=True)
class RunResult:
    """The numbers that figures and claims are based on."""

    name: str
    """The preset."""
    description: str
    """What it is; for a published run also its flaw."""
    images: int
    """Training images seen."""
    due: int
    """Training images of the whole run."""
    seconds: float
    """Spent on training steps."""
    psnr: float = float("nan")
    """Of held-out faces encoded and decoded, mean over the faces, in decibels."""
    sharpness: float = float("nan")
    """Of their reconstructions, the faces' own = 1."""
    diversity: float = float("nan")
    """Spread of their reconstructions, the faces' own = 1; 0 where all come out as one face."""
    means: tuple[float, float, float] = (float("nan"),) * 3
    """Mean of each channel of the reconstructions, in [0, 1]."""
    data_means: tuple[float, float, float] = (float("nan"),) * 3
    """The same of the faces."""
    history: Sequence[Mapping[str, Any]] = field(default=(), repr=False)
    """Lines of the log."""
    adversarial: float = 1.0
    """Weight of the adversarial term in the generator's loss, by which the log's is multiplied."""
    width: float = 1.0
    """Channels of the networks over the paper's."""
    trouble: str = ""
    """Why the run ended early, where its loss stopped being a number."""
    mean_face: float = float("-inf")
    """PSNR of one picture for all, the mean of the faces: what makes no use of its input gets."""
    faces: Mapping[str, Sequence[float]] = field(default_factory=dict, repr=False)
    """`psnr` and `sharpness`, and what each channel misses (`red`, `green`, `blue`), of every face by itself."""
    collapse: str = ""
    """When the training loop's watch took it for collapsed, and by what signs."""

    @property
    def share(self) -> float:
        """How much of the run is done, 0 to 1."""
        return min(1.0, self.images / max(1, self.due))

    @property
    def cast(self) -> float:
        """How much greener the output is than the data, against red: the one channel's miss less the other's.

        Examples
        --------
        >>> RunResult("a", "", 1, 1, 1.0, means=(0.5, 0.5, 0.5), data_means=(0.5, 0.4, 0.5)).cast
        0.1
        """
        red, green, _ = (made - real for made, real in zip(self.means, self.data_means, strict=True))
        return round(green - red, 6)

    @property
    def colour_error(self) -> float:
        """The largest miss of a channel's mean."""
        return max(abs(made - real) for made, real in zip(self.means, self.data_means, strict=True))

    @property
    def milliseconds(self) -> float:
        """Training time per image."""
        return 1000 * self.seconds / max(1, self.images)

    def logged(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """A logged number and the images seen at each line, as two arrays; empty if it was not logged."""
        points = [(line["images"], line[name]) for line in self.history if name in line]
        both = np.array(points, dtype=np.float64).reshape(-1, 2)
        return both[:, 0], both[:, 1]


def value_at(result: RunResult, name: str, images: int) -> float:
    """A logged number after a given count of images, interpolated between lines of the log.

    Examples
    --------
    >>> log = [{"images": 100, "loss": 2.0}, {"images": 200, "loss": 1.0}]
    >>> value_at(RunResult("a", "", 200, 200, 1.0, history=log), "loss", 150)
    1.5
    """
    seen, values = result.logged(name)
    return float(np.interp(images, seen, values)) if len(seen) else float("nan")


class Coder:
    """A trained autoencoder between pictures and flat latents.

    Parameters
    ----------
    experiment : Experiment
    weights : mapping
        Of the autoencoder, as in a checkpoint.
    """

    def __init__(self, experiment: Experiment, weights: Mapping[str, Any]) -> None:
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.network = build(AUTOENCODERS, experiment.model, experiment.model_options)
        self.network.load_state_dict(weights)
        self.network.eval().to(self.device)

    @property
    def image_size(self) -> int:
        """Side of the pictures in pixels."""
        return self.network.image_size

    def encode(self, images: np.ndarray) -> np.ndarray:
        """Turn (N, S, S, 3) uint8 pictures into (N, D) float32 latents, the posteriors' means."""
        return self._run(self.network.encode, to_network(images))

    def decode(self, latents: np.ndarray) -> np.ndarray:
        """Turn (N, D) latents into (N, S, S, 3) uint8 pictures."""
        return from_network(self._run(self.network.decode, np.array(latents, np.float32)))

    @torch.no_grad()
    def _run(self, network: Any, values: np.ndarray) -> np.ndarray:
        batches = torch.from_numpy(values).split(BATCH)
        return np.concatenate([network(batch.to(self.device)).float().cpu().numpy() for batch in batches])


def measure_run(folder: Path, name: str, faces: FaceSet, trouble: str = "") -> tuple[RunResult, Coder, np.ndarray]:
    """Measure a run's checkpoint on held-out faces.

    Parameters
    ----------
    folder : Path
        A run folder with a checkpoint.
    name : str
        The preset.
    faces : FaceSet
        People that no run was trained on.
    trouble : str
        Why the run ended early.

    Returns
    -------
    RunResult
    Coder
        The trained autoencoder.
    (N, S, S, 3) uint8 array
        The reconstructions of the first faces.

    Raises
    ------
    FeatureblendError
        If the folder holds no run, or the checkpoint is damaged.
    """
    run = RunFolder(folder)
    experiment, state, history = run.experiment(), run.load(), run.history()
    coder = Coder(experiment, state["ema"])
    faces = _measured(faces, coder.image_size)
    made = coder.decode(coder.encode(faces.images))
    result = RunResult(
        name=name,
        description=experiment.description,
        images=state["clock"]["step"] * experiment.batch_size,
        due=experiment.images,
        seconds=state["clock"]["seconds"],
        **_scores(made, faces.images),
        history=history,
        adversarial=experiment.losses.adversarial_reconstruction or experiment.losses.prior or 1.0,
        width=float(experiment.model_options.get("width", 1.0)),
        trouble=trouble,
        collapse=_collapse(run),
    )
    return result, coder, made


def measure_pca(width: int, training: FaceSet, faces: FaceSet, size: int) -> RunResult:
    """Measure what principal components make of held-out faces: the floor that a network of as many numbers has.

    Parameters
    ----------
    width : int
        Numbers in a latent.
    training : FaceSet
        What they are fitted on: `PCA_FACES` of them at most.
    faces : FaceSet
        People that they were not fitted on; of these, the same are measured as of runs.
    size : int
        Side in pixels.

    Returns
    -------
    RunResult
        With the training faces for images.
    """
    training = training.chosen(np.arange(min(len(training), PCA_FACES))).cropped(size)
    components = fit_components(training.images, width)
    images = _measured(faces, size).images
    made = components.decode(components.encode(images))
    words = f"Principal components of {len(training):,} training faces, {len(components.basis):,} of them"
    return RunResult(f"pca-{width}", words, len(training), len(training), 0.0, **_scores(made, images))


def measure_linear(experiment: Experiment, training: FaceSet, faces: FaceSet, size: int) -> RunResult:
    """Measure the best linear VAE for an experiment's losses: what the price of its codes costs, whatever the training.

    Parameters
    ----------
    experiment : Experiment
        Of a VAE: squared error and divergence.
    training, faces, size
        As in `measure_pca`.

    Returns
    -------
    RunResult
        With the training faces for images.

    Notes
    -----
    Squared error E of pixels in [0, 1] and divergence D are weighed as in -log p with a variance s of every pixel: E /
    2 s + D. A linear VAE then keeps the principal components of variance v > s and shrinks them by 1 - s / v (Lucas et
    al. 2019, "Don't blame the ELBO! A linear VAE perspective on posterior collapse").
    """
    training = training.chosen(np.arange(min(len(training), LINEAR_FACES))).cropped(size)
    components = fit_components(training.images, len(training) // 2)
    variances = components.encode(training.images).var(axis=0)
    # `LossWeights.mse` is of pixels in [-1, 1], whose squares are four times as large.
    price = 0.5 * experiment.losses.kl / (4 * experiment.losses.mse) * 255**2
    kept = np.maximum(0, 1 - price / variances)
    images = _measured(faces, size).images
    made = components.decode(components.encode(images) * kept)
    words = f"The best linear VAE for the losses of {experiment.name}: {int((kept > 0).sum())} principal components"
    return RunResult(f"linear-{experiment.name}", words, len(training), len(training), 0.0, **_scores(made, images))


def _measured(faces: FaceSet, size: int) -> FaceSet:
    return faces.chosen(np.arange(min(len(faces), MEASURED))).cropped(size)


def _scores(made: np.ndarray, faces: np.ndarray) -> dict[str, Any]:
    of_faces = _of_faces(made, faces)
    mean = faces.mean(axis=0).round().astype(np.uint8)
    return {
        "psnr": float(np.mean(of_faces["psnr"])),
        "sharpness": relative_sharpness(made, faces),
        "diversity": diversity(made, faces),
        "means": _channel_means(made),
        "data_means": _channel_means(faces),
        "mean_face": float(np.mean([psnr(mean, face) for face in faces])),
        "faces": of_faces,
    }


def _of_faces(made: np.ndarray, faces: np.ndarray) -> dict[str, list[float]]:
    real = float(np.mean([sharpness(face) for face in faces]))
    missed = (made.astype(np.float64) - faces).mean(axis=(1, 2)) / 255
    return {
        "psnr": [psnr(*pair) for pair in zip(made, faces, strict=True)],
        "sharpness": [sharpness(one) / real for one in made],
        **{channel: missed[:, place].tolist() for place, channel in enumerate(("red", "green", "blue"))},
    }


def _collapse(run: RunFolder) -> str:
    try:
        facts = json.loads(run.collapse_file.read_text())
        return f"collapsed at {facts['images']:,} images: {'; '.join(facts['signs'])}"
    except (OSError, ValueError, KeyError, TypeError):  # none was seen
        return ""


def _channel_means(images: np.ndarray) -> tuple[float, float, float]:
    red, green, blue = (images.mean(axis=(0, 1, 2), dtype=np.float64) / 255).tolist()
    return red, green, blue
