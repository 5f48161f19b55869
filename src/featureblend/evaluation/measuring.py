"""Measuring pair by pair: all methods blend a pair, and each blend is scored, before the next pair's turn."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np

from ..metrics.distance import balance_of_distances
from ..metrics.mirror import symmetry
from ..metrics.paths import cycle_error, mean_distance
from ..metrics.scores import ms_ssim, psnr, sharpness, ssim
from ..metrics.spectrum import radial_spectrum
from ..metrics.variety import SMALL_SIDE
from .degradation import given_back
from .figures import LPIPS_PAIRS
from .identity import embedding
from .learned import Extractors
from .methods import Autoencoder, Made, System
from .pairs import Face, Pair, described, score_blend, score_path
from .protocols import Drawn

HALF = np.array([0.5, 0.5])
"""Weights of an even blend."""

FACES = 256
"""Faces whose shared work a process keeps, the latest: a face is in several pairs."""


@dataclass
class PairResult:
    """What one method made of one pair, or what was found out about one real face."""

    scores: dict[str, float | None] = field(default_factory=dict)
    """By figure; None where it has no value."""
    spectrum: list[float] = field(default_factory=list)
    """As `radial_spectrum`, in decibels."""
    failure: str = ""
    """Why there is no blend, or no score of it."""
    gaps: list[str] = field(default_factory=list)
    """Why there is no continuum, or no reconstruction."""
    picture: np.ndarray | None = field(default=None, repr=False)
    """(S, S, 3) uint8: the blend."""
    features: np.ndarray | None = field(default=None, repr=False)
    """(D,) float32: `image_features`."""
    small: np.ndarray | None = field(default=None, repr=False)
    """(32, 32, 3) uint8: the picture, for scores of variety."""
    inception: np.ndarray | None = field(default=None, repr=False)
    """(2048,) float32: Inception's features, where its weights were given."""
    embedding: np.ndarray | None = field(default=None, repr=False)
    """(R, K) float64: the protocol's recognisers', where identity is measured."""


def attempt(work: Callable[..., Any], *arguments: Any) -> Any:
    """The result of a call, or the reason (a str) why it failed: a method may fail in any way, and the others go on."""
    try:
        return work(*arguments)
    except Exception as error:
        return str(error) or type(error).__name__


class Measurer:
    """Blends and scores pairs.

    Parameters
    ----------
    drawn : Drawn
    systems : sequence of System
    networks : Extractors
    identity : bool
        Whether the protocol's recognisers describe every blend.
    """

    def __init__(
        self, drawn: Drawn, systems: Sequence[System], networks: Extractors | None = None, identity: bool = False
    ) -> None:
        self.drawn, self.systems, self.identity = drawn, systems, identity
        self.networks = networks or Extractors()
        self._faces: OrderedDict[int, Face] = OrderedDict()

    def face(self, index: int) -> Face:
        """One of the drawn faces, with what was worked out from it lately."""
        if index not in self._faces:
            self._faces[index] = Face(self.drawn.faces.images[index], self.drawn.faces.landmarks[index])
        self._faces.move_to_end(index)
        while len(self._faces) > FACES:
            self._faces.popitem(last=False)
        return self._faces[index]

    def pairs(self, numbers: Sequence[int], names: Sequence[str], real: np.ndarray) -> list[dict[str, PairResult]]:
        """Measure some pairs, one after the other.

        Parameters
        ----------
        numbers : sequence of int
            Which of the protocol's pairs.
        names : sequence of str
            Methods of the systems.
        real : (R, D) array
            Features of the real faces.

        Returns
        -------
        list of dict of str to PairResult
            Of each pair, its results by method.
        """
        return [self.pair(number, names, real) for number in numbers]

    def pair(self, number: int, names: Sequence[str], real: np.ndarray) -> dict[str, PairResult]:
        """Measure a pair by several methods."""
        a, b = self.drawn.pairs[number].tolist()
        pair = Pair(self.face(a), self.face(b))
        return {
            name: self._method(system, name, pair, number, real)
            for system in self.systems
            for name in system.names
            if name in names
        }

    def _method(self, system: System, name: str, pair: Pair, number: int, real: np.ndarray) -> PairResult:
        result = PairResult()
        continuum = self._continuum(system, name, pair, number, real, result)
        made = attempt(system.made, pair, HALF, name)
        result.failure = made if isinstance(made, str) else self._score(made, pair, result)
        if result.failure:  # of which a continuum may fail unnamed
            result.gaps = []
            return result
        result.picture = made.picture
        result.small = small_picture(made.picture)
        if isinstance(system, Autoencoder):
            self._reconstruct(system, made, pair, result)
        if self.identity:
            result.embedding = embedding(made.picture, pair.middle, self.drawn.protocol.recognizers)
        if self.networks.inception:
            result.inception = self.networks.describe(made.picture[None])[0]
        if self.networks.lpips:
            self._lpips(system, made.picture, continuum, pair, number, result)
        return result

    def _score(self, made: Made, pair: Pair, result: PairResult) -> str:
        if not np.isfinite(pair.landmarks).all():
            return "a photo has no landmarks"
        found = attempt(lambda: (score_blend(made.picture, pair), described(made.picture)[0]))
        if isinstance(found, str):
            return found
        scores, result.features = found
        result.spectrum = scores.pop("spectrum")
        result.scores |= {name: _finite(value) for name, value in scores.items()}
        return ""

    def _continuum(
        self, system: System, name: str, pair: Pair, number: int, real: np.ndarray, result: PairResult
    ) -> list[np.ndarray]:
        """Blend and score a continuum of a pair that is due one; empty where there is none."""
        protocol = self.drawn.protocol
        if number >= protocol.paths:
            return []

        def scored() -> tuple[list[np.ndarray], dict[str, float | None]]:
            made = system.continuum(pair, np.linspace(0, 1, protocol.steps).tolist(), name)
            return made, score_path(made, pair, real)

        found = attempt(scored)
        if isinstance(found, str):
            result.gaps.append(f"no continuum: {found}")
            return []
        continuum, scores = found
        result.scores |= {figure: _finite(value) for figure, value in scores.items()}
        return continuum

    def _reconstruct(self, system: Autoencoder, made: Made, pair: Pair, result: PairResult) -> None:
        """Measure what the autoencoder loses of the parents and of the blend's latent."""

        def scores() -> dict[str, float | None]:
            likeness = np.mean([self._likeness(system, face) for face in pair.faces], axis=0).tolist()
            figures = ("reconstruction_psnr", "reconstruction_ssim", "reconstruction_ms_ssim")
            assert made.latent is not None
            cycle = cycle_error(made.latent, system.encode(made.picture[None])[0])
            return {**dict(zip(figures, map(_finite, likeness), strict=True)), "cycle_error": _finite(cycle)}

        found = attempt(scores)
        if isinstance(found, str):
            result.gaps.append(f"no reconstruction: {found}")
        else:
            result.scores |= found

    @staticmethod
    def _likeness(system: Autoencoder, face: Face) -> list[float]:
        def scores() -> list[float]:
            again = system.given_back(face)
            return [score(again, face.image) for score in (psnr, ssim, ms_ssim)]

        return face.once((system.names[0], "likeness"), scores)

    def _lpips(
        self,
        system: System,
        picture: np.ndarray,
        continuum: list[np.ndarray],
        pair: Pair,
        number: int,
        result: PairResult,
    ) -> None:
        a, b = pair.images
        apart = pair.once("lpips", lambda: float(self.networks.compare([a], [b])[0]))
        if number < LPIPS_PAIRS:
            to_a, to_b = self.networks.compare([picture, picture], [a, b]).tolist()
            result.scores["lpips_balance"] = balance_of_distances(to_a, to_b, apart) if apart > 0 else None
            if isinstance(system, Autoencoder) and "cycle_error" in result.scores:
                result.scores["reconstruction_lpips"] = float(
                    np.mean([self._lost(system, face) for face in pair.faces])
                )
        if continuum:
            steps = self.networks.compare(continuum[:-1], continuum[1:])
            result.scores["lpips_path_length"] = float(steps.sum() / apart) if apart > 0 else None

    def _lost(self, system: Autoencoder, face: Face) -> float:
        """LPIPS from a face to itself encoded and decoded."""
        again = system.given_back(face)
        return face.once((system.names[0], "lost"), lambda: float(self.networks.compare([again], [face.image])[0]))

    def real(self, indices: Sequence[int], real: np.ndarray) -> list[PairResult]:
        """Measure faces as if they were blends, for the line to compare with; `real` as in `pairs`."""
        results = []
        for index in indices:
            face = self.face(index)
            features = described(face.image)
            scores = {
                "sharpness": sharpness(face.image),
                "symmetry": symmetry(face.image, face.landmarks) if np.isfinite(face.landmarks).all() else None,
                "mean_distance": mean_distance(features, real),
            }
            result = PairResult(scores, radial_spectrum(face.image)[0].tolist(), features=features[0])
            result.small = small_picture(face.image)
            if self.networks.inception:
                result.inception = self.networks.describe(face.image[None])[0]
            results.append(result)
        return results

    def described(self, indices: Sequence[int]) -> tuple[np.ndarray, np.ndarray | None]:
        """Features of faces: (N, D) `image_features`, and (N, 2048) Inception's where its weights were given."""
        images = self.drawn.faces.images[np.asarray(indices)]
        return described(images), self.networks.describe(images) if self.networks.inception else None

    def degraded(self, name: str, index: int, seed: int) -> Any:
        """A face degraded in every way and given back by a method's model: `degradation.given_back`."""
        system = next(one for one in self.systems if name in one.names)
        assert isinstance(system, Autoencoder)
        return attempt(given_back, system.encode, system.decode, self.face(index).image, seed)

    def known(self, indices: Sequence[int]) -> np.ndarray:
        """The protocol's recognisers' (N, R, K) embeddings of faces."""
        names = self.drawn.protocol.recognizers
        return np.stack([embedding(face.image, face.landmarks, names) for face in map(self.face, indices)])


def small_picture(image: np.ndarray) -> np.ndarray:
    """A picture at the size at which scores of variety compare it."""
    return cv2.resize(image, (SMALL_SIDE, SMALL_SIDE), interpolation=cv2.INTER_AREA)


def _finite(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else float(value)
