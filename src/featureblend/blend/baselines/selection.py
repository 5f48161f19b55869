"""Choose-max fusion: at each place keep the candidate with the most energy.

Source: P. J. Burt and R. J. Kolczynski, "Enhanced image capture through fusion", ICCV 1993, section 3: the
salience of a coefficient is the energy in a small window about it, and the most salient source wins.
"""

from __future__ import annotations

import cv2
import numpy as np


def local_energy(values: np.ndarray, window: int = 5) -> np.ndarray:
    """Local energy: squares summed over the channels and averaged over a window.

    Summed over the channels, so that one source wins all colours of a place and no fringe appears.

    Parameters
    ----------
    values : (H, W, C) float array
    window : int
        Side of the binomial-like (Gaussian) window in pixels, odd; 1 takes each place alone.

    Returns
    -------
    (H, W) float32 array

    Examples
    --------
    >>> local_energy(np.full((4, 4, 3), 2.0))[0, 0].item()
    12.0
    """
    energy = np.einsum("hwc,hwc->hw", values, values).astype(np.float32)
    return energy if window == 1 else cv2.GaussianBlur(energy, (window, window), 0, borderType=cv2.BORDER_REFLECT)


class Strongest:
    """Keeps, at each place, the values of the candidate with the most energy so far; ties are averaged.

    Candidates come one at a time, so that the memory used does not grow with their number. Averaging equals
    makes the result independent of the order in which they come.

    Examples
    --------
    >>> strongest = Strongest()
    >>> strongest.add(np.array([[[1.0], [-3.0]]]), np.array([[1.0, 9.0]]))
    >>> strongest.add(np.array([[[2.0], [3.0]]]), np.array([[4.0, 9.0]]))
    >>> strongest.values().ravel().tolist()
    [2.0, 0.0]
    """

    def __init__(self) -> None:
        self._sum = np.empty(0)
        self._count = np.empty(0)
        self._energy: np.ndarray | None = None

    def add(self, values: np.ndarray, energy: np.ndarray) -> None:
        """Add a candidate: (H, W, C) values with their (H, W) energy."""
        if self._energy is None:
            self._sum, self._count, self._energy = values.copy(), np.ones_like(energy), energy.copy()
            return
        wins, ties = energy > self._energy, energy == self._energy
        self._sum = np.where(wins[..., None], values, self._sum + np.where(ties[..., None], values, 0))
        self._count = np.where(wins, 1, self._count + ties)
        self._energy = np.maximum(energy, self._energy)

    def values(self) -> np.ndarray:
        """The selected values, (H, W, C)."""
        return self._sum / self._count[..., None]
