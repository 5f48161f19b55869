"""Triplets for training: parents, weights, and the face that lies between them, every draw fixed by seed and step.

A generator in whose latent space the mean of two people is a person says what a blend should look like. Its pictures
come from prepared files, or from the traced generator itself while training goes on.
"""

from __future__ import annotations

import os
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn import functional

from ..errors import FeatureblendError
from .batches import FaceBatches, moved, seeded, seeded_on
from .dataset import FaceTriplets
from .step import Triplets

CODE = 512
"""Length of a generator's codes."""
THREE = 0.25
"""Share of the generated blends that are of three parents; the others are of two."""
AT_ONCE = {"cuda": 48, "cpu": 4}
"""Faces that the generator makes at a time: its maps take half a gigabyte each in single precision."""


class TripletSource(Protocol):
    """Gives the triplets of a step."""

    def batch(self, step: int) -> Triplets:
        """The share of this process in a step's triplets."""


def triplet_count(batch_size: int, share: float) -> int:
    """How many triplets a step has: of `batch_size` pictures that are decoded, `share` belong to triplets.

    At least one, and at least one picture is left for a photo.

    Examples
    --------
    >>> triplet_count(24, 0.75), triplet_count(8, 1.0)
    (6, 2)
    """
    return max(1, min(round(share * batch_size / 3), (batch_size - 1) // 3))


class TripletBatches:
    """Triplets of prepared pictures, each shifted and mirrored as one.

    Parameters
    ----------
    triplets : FaceTriplets
    image_size : int
        Side of the batches' pictures.
    count : int
        Triplets a step, over all processes.
    device : torch.device
    **settings
        Of `FaceBatches`: shift, mirror, seed, rank, world.
    """

    def __init__(
        self, triplets: FaceTriplets, image_size: int, count: int, device: torch.device | str = "cpu", **settings: Any
    ) -> None:
        self.faces = FaceBatches(triplets.faces(), image_size, count, device, group=3, **settings)

    def batch(self, step: int) -> Triplets:
        """A step's triplets: blends in the middle of two parents each."""
        pictures = self.faces.batch(step, stream=2).unflatten(0, (-1, 3))
        weights = torch.eye(len(pictures), device=pictures.device).repeat_interleave(2, dim=1) / 2
        return Triplets(pictures[:, :2].flatten(0, 1), weights, pictures[:, 2])


class GeneratedTriplets:
    """Blends of faces that a traced generator makes as they are needed, at all weights, of two parents and of three.

    A step has as many blends as parents: the parents stand in a ring, and each blend is of neighbours.

    Parameters
    ----------
    path : path-like
        A TorchScript module: ``codes`` maps (B, 512) standard normal draws to codes, in whose space the mean of two
        people is a person; ``forward`` maps codes to (B, 3, R, R) faces in [-1, 1] that fill the frame as FFHQ's do,
        which is this project's template. ``tools/trace_generator.py`` makes one.
    image_size : int
        Side of the batches' pictures; at most R.
    count : int
        Blends a step, over all processes, and as many parents.
    device : torch.device
    even : float
        Share of the blends whose parents weigh the same; the others' weights are uniform.
    three : float
        Share of the blends that are of three parents.
    shift : int
        Largest random shift in pixels, of all faces of a step alike.
    seed : int
    rank, world : int
        This process and how many there are.

    Raises
    ------
    FeatureblendError
        If the file is no such module.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        image_size: int,
        count: int,
        device: torch.device | str = "cpu",
        *,
        even: float = 0.5,
        three: float = THREE,
        shift: int = 4,
        seed: int = 0,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self.image_size, self.count, self.device = image_size, max(2, count // world), torch.device(device)
        self.even, self.three, self.shift, self.seed, self.rank = even, three, shift, seed, rank
        try:
            self.generator = torch.jit.load(str(path), map_location=self.device).eval()
            if self.device.type == "cpu":  # which computes slowly in half precision
                self.generator = self.generator.float()
            self._codes, self._faces = self.generator.codes, self.generator.forward
            self.dtype = next(iter(self.generator.state_dict().values())).dtype
        except (RuntimeError, ValueError, AttributeError, StopIteration, OSError) as error:
            raise FeatureblendError(
                f"cannot read {path}: expected a generator traced by tools/trace_generator.py ({type(error).__name__})"
            ) from error

    @torch.no_grad()
    def batch(self, step: int) -> Triplets:
        """Blends of this process in a step, and their parents."""
        key = (self.seed, "generated", step, self.rank)
        count, draws = self.count, seeded(*key)
        noise = torch.randn(count, CODE, generator=seeded_on(self.device, *key), device=self.device)
        shares = mixing_weights(count, draws, self.even, self.three)
        places = (torch.arange(count)[:, None] + torch.arange(3)) % count
        weights = moved(torch.zeros(count, count).scatter_add_(1, places, shares), self.device)
        left, top = torch.randint(-self.shift, self.shift + 1, (2,), generator=draws).tolist()
        with torch.autocast(self.device.type, enabled=False):  # the step's precision is not the generator's
            codes = self._codes(noise.to(self.dtype)).float()
            faces = self._drawn(torch.cat([codes, weights @ codes]), left, top)
        return Triplets(faces[:count], weights, faces[count:])

    def _drawn(self, codes: Tensor, left: int, top: int) -> Tensor:
        size, shift = self.image_size, self.shift
        done = []
        for part in codes.to(self.dtype).split(AT_ONCE.get(self.device.type, AT_ONCE["cpu"])):
            faces = self._faces(part).float()
            if faces.shape[-1] != size:
                faces = functional.interpolate(faces, (size, size), mode="bicubic", antialias=True)
            done.append(faces.clamp(-1, 1))
        faces = functional.pad(torch.cat(done), [shift] * 4, mode="reflect")
        faces = faces[..., shift + top : shift + top + size, shift + left : shift + left + size]
        return faces.contiguous(memory_format=torch.channels_last)


def mixing_weights(count: int, draws: torch.Generator, even: float, three: float) -> Tensor:
    """Draw the weights of up to three parents in each of `count` blends.

    Parameters
    ----------
    count : int
    draws : torch.Generator
    even : float
        Share of the blends whose parents weigh the same; the others' weights are uniform on the simplex.
    three : float
        Share of the blends that are of three parents; the third weighs nothing in the others.

    Returns
    -------
    (count, 3) tensor
        Each row sums to 1.

    Examples
    --------
    >>> mixing_weights(2, seeded(0), even=1.0, three=0.0)
    tensor([[0.5000, 0.5000, 0.0000],
            [0.5000, 0.5000, 0.0000]])
    """
    equal, more = (torch.rand((2, count), generator=draws) < torch.tensor([[even], [three]])).unsqueeze(2)
    cuts = torch.rand((count, 2), generator=draws)
    cuts = torch.where(more, cuts.sort(dim=1).values, torch.cat([cuts[:, :1], torch.ones(count, 1)], dim=1))
    ends = torch.cat([torch.zeros(count, 1), cuts, torch.ones(count, 1)], dim=1)
    middle = torch.where(more, torch.tensor([1 / 3, 1 / 3, 1 / 3]), torch.tensor([0.5, 0.5, 0.0]))
    return torch.where(equal, middle, ends.diff(dim=1))
