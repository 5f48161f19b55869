"""Scores based on published networks, computed if their weights are given: Inception's FID and KID, LPIPS.

Without weights nothing is measured in their place: `feature_lines` says which features the figures stand on.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from ..io.extras import require
from ..metrics.inputs import Pictures
from ..metrics.patch_statistics import FEATURES_NAME
from ..metrics.weights import WeightsFile, find_weights, installed_weights

if TYPE_CHECKING:
    from ..metrics.inception import Inception
    from ..metrics.lpips import Lpips


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

    def describe(self, images: Pictures) -> np.ndarray:
        """Inception's (N, 2048) features of pictures, in one thread: a process a core is at work."""
        from ..metrics.inception import inception_features

        assert self.inception is not None
        with _one_thread():
            return inception_features(_inception(self.inception), images)

    def compare(self, first: Pictures, second: Pictures) -> np.ndarray:
        """LPIPS of each of N pictures to its partner, (N,), in one thread."""
        from ..metrics.lpips import lpips_distances

        with _one_thread():
            return lpips_distances(_lpips(self.lpips), first, second)


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
    not measured: LPIPS (install the extra 'train', or give the weights with --lpips-weights FILE)
    """
    lines = [
        f"features: patch-KID, patch-FID, 1-NN, critic AUC and ACAI mean distance on {FEATURES_NAME}, not "
        "Inception: they compare with each other, never with published figures"
    ]
    for kind, what, remedy in (
        ("inception", "FID and KID", "give the weights with --inception-weights FILE"),
        ("lpips", "LPIPS", "install the extra 'train', or give the weights with --lpips-weights FILE"),
    ):
        if kind in names:
            lines.append(f"features: {what} on {names[kind]}")
        else:
            lines.append(f"not measured: {what} ({remedy})")
    return lines


def find_extractors(inception: str | None = None, lpips: Sequence[str] = ()) -> Extractors:
    """Find the weights, check their hashes, and load them once to check that they fit.

    Parameters
    ----------
    inception : str, optional
        ``FILE`` or ``FILE#sha256=HASH``.
    lpips : sequence of str
        The classifier's file, and the heads' where it is not torchmetrics that brings them; none for shift-tolerant
        LPIPS on AlexNet, where the extra 'train' brings it.

    Raises
    ------
    FeatureblendError
        If a file can't be read, has another hash or holds another network, or torch is missing.

    Examples
    --------
    >>> find_extractors().inception is None
    True
    """
    if inception or lpips:
        require("train", "torch")
    elif importlib.util.find_spec("torch") is None:
        return Extractors()
    lpips = lpips or list(filter(None, [installed_weights("alex_shift_tolerant.pth")]))
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
