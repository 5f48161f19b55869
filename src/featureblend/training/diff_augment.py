"""DiffAugment: random, differentiable changes of all pictures that the critic sees, real and generated.

Zhao et al. 2020, "Differentiable Augmentation for Data-Efficient GAN Training": colour, translation and cutout, with
the paper's ranges. Since the generator's gradient goes through the change, the generator does not learn to make
changed pictures, and a critic of ten thousand photos cannot learn them by heart.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from ..errors import FeatureblendError

POLICIES = ("color", "translation", "cutout")
"""What a policy can name."""

SHIFT, CUT = 0.125, 0.5
"""Largest shift and side of the cut square, as shares of the side (Zhao et al., section 3.3)."""


def parse_policy(policy: str) -> tuple[str, ...]:
    """Read a policy such as ``"color,translation,cutout"``; an empty one changes nothing.

    Raises
    ------
    FeatureblendError
        If it names something else.

    Examples
    --------
    >>> parse_policy("color,cutout"), parse_policy("")
    (('color', 'cutout'), ())
    """
    names = tuple(name.strip() for name in policy.split(",")) if policy.strip() else ()
    wrong = [name for name in names if name not in POLICIES]
    if wrong:
        raise FeatureblendError(f"diff_augment names {wrong[0]!r}: use {', '.join(POLICIES)}, with commas between")
    return names


class DiffAugment:
    """One draw of changes for a batch; each call applies the same change to the same position.

    Real and generated pictures of a step get the same draw, so that what compares them (feature matching,
    a relativistic loss) compares like with like.

    Parameters
    ----------
    policy : str
        As `parse_policy` reads.
    draw : callable
        Gives uniform numbers from 0 to 1 of shape (B, n) for a name and n, on the pictures' device.

    Examples
    --------
    >>> augment = DiffAugment("translation", lambda name, count: torch.full((2, count), 0.99))
    >>> float(augment(torch.ones(2, 3, 16, 16)).sum())  # moved by two pixels each way; zeros come in
    1176.0
    """

    def __init__(self, policy: str, draw: Callable[[str, int], Tensor]) -> None:
        self.policy = parse_policy(policy)
        counts = {"color": 3, "translation": 2, "cutout": 2}
        self.drawn = {name: draw(name, counts[name]) for name in self.policy}

    def __call__(self, images: Tensor) -> Tensor:
        """Change (B, 3, S, S) pictures in [-1, 1]; the result may leave that range."""
        changes = {"color": _colour, "translation": _translated, "cutout": _cut}
        for name in self.policy:
            images = changes[name](images, self.drawn[name].to(images))
        return images


def _colour(images: Tensor, drawn: Tensor) -> Tensor:
    """Brightness by -0.5 to 0.5, saturation times 0 to 2, contrast times 0.5 to 1.5."""
    brightness, saturation, contrast = (column[:, None, None, None] for column in drawn.unbind(1))
    images = images + (brightness - 0.5)
    grey = images.mean(dim=1, keepdim=True)
    images = grey + (images - grey) * (2 * saturation)
    middle = images.mean(dim=(1, 2, 3), keepdim=True)
    return middle + (images - middle) * (contrast + 0.5)


def _translated(images: Tensor, drawn: Tensor) -> Tensor:
    """Shift by whole pixels, up to an eighth of the side; zeros, which are middle grey, come in."""
    batch, _, height, width = images.shape
    reach = (round(height * SHIFT), round(width * SHIFT))
    padded = functional.pad(images, (1, 1, 1, 1))  # whatever lies outside is read from this border
    rows = _shifted_places(height, reach[0], drawn[:, 0])
    columns = _shifted_places(width, reach[1], drawn[:, 1])
    sample = torch.arange(batch, device=images.device)[:, None, None]
    return padded.permute(0, 2, 3, 1)[sample, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def _shifted_places(side: int, reach: int, drawn: Tensor) -> Tensor:
    """For each sample and place, the place in the padded picture that it is read from."""
    # Half precision has too few digits for a place.
    shift = ((2 * reach + 1) * drawn.float()).floor().clamp(max=2 * reach).long() - reach
    return (torch.arange(side, device=drawn.device)[None] + shift[:, None] + 1).clamp(0, side + 1)


def _cut(images: Tensor, drawn: Tensor) -> Tensor:
    """Grey out a square of half the side at a random place, possibly partly outside."""
    _, _, height, width = images.shape
    inside = []
    for side, column in ((height, drawn[:, 0]), (width, drawn[:, 1])):
        length = round(side * CUT)
        first = (column.float() * (side + 1 - length % 2)).floor() - length // 2
        place = torch.arange(side, device=images.device)[None] - first[:, None]
        inside.append((place >= 0) & (place < length))
    square = inside[0][:, None, :, None] & inside[1][:, None, None, :]
    return images * ~square
