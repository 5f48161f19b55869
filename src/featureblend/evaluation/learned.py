"""Scores based on published networks, computed if their weights are given: Inception's FID and KID, LPIPS.

Without weights nothing is measured in their place: `feature_lines` says which features the figures stand on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ..io.extras import require
from ..metrics.distance import balance_of_distances
from ..metrics.distributions import fid, kid
from ..metrics.patch_statistics import FEATURES_NAME
from ..metrics.weights import WeightsFile, find_weights
from .figures import LPIPS_PAIRS

if TYPE_CHECKING:
    from ..metrics.inception import Inception
    from ..metrics.lpips import Lpips

__all__ = [
    "Extractors",
    "feature_lines",
    "find_extractors",
    "inception_rows",
    "lpips_pairs",
    "lpips_path",
    "set_scores",
]

BATCH = 16
"""Pictures that a process is given at a time."""

Run = Callable[..., Iterable[Any]]
"""`map`, or a process pool's."""


@dataclass(frozen=True)
class Extractors:
    """The weights that were given."""

    inception: WeightsFile | None = None
    """For FID and KID."""
    lpips: tuple[WeightsFile, ...] = ()
    """For LPIPS."""

    @property
    def names(self) -> dict[str, str]:
        """Names of the networks in use, by 'inception' and 'lpips'.

        Examples
        --------
        >>> Extractors(WeightsFile("a.pth", "ab" * 32, "pt_inception-2015-12-05")).names
        {'inception': 'Inception v3 (pt_inception-2015-12-05)'}
        """
        names = {}
        if self.inception:
            names["inception"] = f"Inception v3 ({self.inception.label})"
        if self.lpips:
            names["lpips"] = f"LPIPS ({', '.join(file.label for file in self.lpips)})"
        return names


def feature_lines(names: Mapping[str, str]) -> list[str]:
    """Plain lines that tell which features the figures stand on, and what is not measured.

    Parameters
    ----------
    names : mapping
        As `Extractors.names`.

    Examples
    --------
    >>> for line in feature_lines({}):
    ...     print(line)
    features: patch-KID, patch-FID, 1-NN, critic AUC and ACAI mean distance on patch-statistics-v1, not Inception: \
they compare with each other, never with published figures
    not measured: FID and KID (give the weights with --inception-weights FILE)
    not measured: LPIPS (give the weights with --lpips-weights FILE)
    """
    lines = [
        f"features: patch-KID, patch-FID, 1-NN, critic AUC and ACAI mean distance on {FEATURES_NAME}, not "
        "Inception: they compare with each other, never with published figures"
    ]
    for kind, what, option in (
        ("inception", "FID and KID", "--inception-weights"),
        ("lpips", "LPIPS", "--lpips-weights"),
    ):
        if kind in names:
            lines.append(f"features: {what} on {names[kind]}")
        else:
            lines.append(f"not measured: {what} (give the weights with {option} FILE)")
    return lines


def find_extractors(inception: str | None = None, lpips: Sequence[str] = ()) -> Extractors:
    """Find the weights, check their hashes, and load them once to check that they fit.

    Parameters
    ----------
    inception : str, optional
        ``FILE`` or ``FILE#sha256=HASH``.
    lpips : sequence of str
        The classifier's file, and the heads' where it is not torchmetrics that brings them.

    Raises
    ------
    FeatureblendError
        If a file can't be read, has another hash or holds another network, or torch is missing.

    Examples
    --------
    >>> find_extractors()
    Extractors(inception=None, lpips=())
    """
    if inception or lpips:
        require("train", "torch")
    found = None
    if inception:
        from ..metrics.inception import PUBLISHED

        found = find_weights(inception, PUBLISHED, "Inception")
        _inception(found)
    heads: tuple[WeightsFile, ...] = ()
    if lpips:
        from ..metrics.lpips import find_lpips

        heads = find_lpips(lpips)
        _lpips(heads)
    return Extractors(found, heads)


# Each process loads a network once.
@lru_cache(maxsize=1)
def _inception(file: WeightsFile) -> Inception:
    from ..metrics.inception import load_inception

    return load_inception(file)


@lru_cache(maxsize=1)
def _lpips(files: tuple[WeightsFile, ...]) -> Lpips:
    from ..metrics.lpips import load_lpips

    return load_lpips(files)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Limit torch to one thread: there is a process per core, and results don't depend on their number."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _described(file: WeightsFile, images: np.ndarray) -> np.ndarray:
    from ..metrics.inception import inception_features

    with _one_thread():
        return inception_features(_inception(file), images)


def _compared(files: tuple[WeightsFile, ...], first: np.ndarray, second: np.ndarray) -> np.ndarray:
    from ..metrics.lpips import lpips_distances

    with _one_thread():
        return lpips_distances(_lpips(files), first, second)


def _batches(images: np.ndarray) -> list[np.ndarray]:
    return [images[start : start + BATCH] for start in range(0, len(images), BATCH)]


def inception_rows(networks: Extractors, images: np.ndarray, run: Run = map) -> np.ndarray:
    """Inception's (N, 2048) features of (N, H, W, 3) uint8 pictures."""
    assert networks.inception is not None
    return np.concatenate(list(run(partial(_described, networks.inception), _batches(images))))


def set_scores(real: np.ndarray, ours: np.ndarray) -> dict[str, float]:
    """Score all blends of a method together, from Inception's features of real faces and of the blends."""
    return {"inception_kid": kid(real, ours), "inception_fid": fid(real, ours)}


def _distances(networks: Extractors, first: np.ndarray, second: np.ndarray, run: Run) -> np.ndarray:
    compare = partial(_compared, networks.lpips)
    return np.concatenate(list(run(compare, _batches(first), _batches(second))))


def lpips_pairs(
    networks: Extractors,
    pairs: np.ndarray,
    blends: Mapping[int, np.ndarray],
    again: Mapping[int, np.ndarray],
    run: Run = map,
) -> dict[str, list[float | None]]:
    """Measure blends and reconstructions by LPIPS.

    Parameters
    ----------
    networks : Extractors
    pairs : (N, 2, H, W, 3) uint8 array
        The parents.
    blends : mapping of int to (H, W, 3) uint8 array
        By the number of their pair.
    again : mapping of int to (2, H, W, 3) uint8 array
        The parents encoded and decoded, where the method can.
    run : callable

    Returns
    -------
    dict
        ``lpips_balance`` and, where there are any, ``reconstruction_lpips`` of the first `LPIPS_PAIRS` pairs; None for
        a pair without a blend.
    """
    count = min(len(pairs), LPIPS_PAIRS)
    columns: dict[str, list[float | None]] = {"lpips_balance": [None] * count}
    chosen = [index for index in blends if index < count]
    if chosen:
        made = np.stack([blends[index] for index in chosen])
        a, b = pairs[chosen, 0], pairs[chosen, 1]
        to_a, to_b, between = (_distances(networks, *two, run) for two in ((made, a), (made, b), (a, b)))
        for place, index in enumerate(chosen):
            if between[place] > 0:
                distances = (float(to_a[place]), float(to_b[place]), float(between[place]))
                columns["lpips_balance"][index] = balance_of_distances(*distances)
    kept = [index for index in again if index < count]
    if kept:
        columns["reconstruction_lpips"] = [None] * count
        made, parents = np.concatenate([again[index] for index in kept]), np.concatenate(pairs[kept])
        for index, pair in zip(kept, _distances(networks, made, parents, run).reshape(-1, 2), strict=True):
            columns["reconstruction_lpips"][index] = float(pair.mean())
    return columns


def lpips_path(networks: Extractors, continuum: Sequence[np.ndarray], a: np.ndarray, b: np.ndarray) -> float | None:
    """The length of a continuum from A to B over their distance, by LPIPS; None where A and B are equal."""
    pictures = np.stack([*continuum, b])
    before = np.stack([*continuum[:-1], a])
    *steps, between = _compared(networks.lpips, before, np.concatenate([pictures[1:-1], pictures[-1:]]))
    return float(sum(steps) / between) if between > 0 else None
