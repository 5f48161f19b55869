"""Training batches from faces that lie on the training device, every draw fixed by seed and step.

The whole data set is held as uint8 on the device, so that no step waits for a disk or a copy. No
random state is carried from step to step: a resumed run draws what the unbroken one would have.
"""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor

from ..data import FaceSet
from ..errors import FeatureblendError

__all__ = ["FaceBatches", "seeded"]


def seeded(*key: object) -> torch.Generator:
    """Give a CPU generator whose stream is fixed by the key, whatever was drawn before.

    Examples
    --------
    >>> bool((torch.rand(3, generator=seeded(0, "noise", 7)) == torch.rand(3, generator=seeded(0, "noise", 7))).all())
    True
    """
    digest = hashlib.sha256(repr(key).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)


class FaceBatches:
    """Batches of randomly shifted and mirrored crops.

    Parameters
    ----------
    faces : FaceSet
        Training faces, with or without margin.
    image_size : int
        Side of the batches' pictures; the template's square in `faces` is scaled to it.
    batch_size : int
        Pictures a step, over all processes.
    device : torch.device
    shift : int
        Largest random shift in pixels; as far as the margin allows.
    mirror : bool
        Mirror half of the pictures.
    seed : int
    rank, world : int
        This process and how many there are; each gets its own part of every batch.
    """

    def __init__(
        self,
        faces: FaceSet,
        image_size: int,
        batch_size: int,
        device: torch.device | str = "cpu",
        *,
        shift: int = 4,
        mirror: bool = True,
        seed: int = 0,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        if batch_size % world:
            raise FeatureblendError(f"batch_size {batch_size} must be a multiple of the number of processes, {world}")
        inner = round(faces.images.shape[1] / faces.margin)
        if inner != image_size:
            faces = faces.cropped(image_size)
        self.images = torch.from_numpy(faces.images).permute(0, 3, 1, 2).contiguous().to(device)
        self.slack = (self.images.shape[-1] - image_size) // 2
        self.shift = min(shift, self.slack)
        self.image_size, self.batch_size, self.mirror = image_size, batch_size, mirror
        self.seed, self.rank, self.world = seed, rank, world
        self._orders: dict[tuple[int, int], Tensor] = {}

    def _order(self, stream: int, epoch: int) -> Tensor:
        if (stream, epoch) not in self._orders:
            if len(self._orders) > 8:
                self._orders.clear()
            self._orders[stream, epoch] = torch.randperm(
                len(self.images), generator=seeded(self.seed, "order", stream, epoch)
            )
        return self._orders[stream, epoch]

    def batch(self, step: int, stream: int = 0) -> Tensor:
        """Give the batch of a step.

        Parameters
        ----------
        step : int
            From 0; each stream passes through all faces in a new order every epoch.
        stream : int
            Independent streams give different faces at one step (the paper's batches a and b).

        Returns
        -------
        (batch_size / world, 3, S, S) float32 tensor in [-1, 1]
        """
        count = len(self.images)
        places = range(step * self.batch_size, (step + 1) * self.batch_size)
        chosen = torch.stack([self._order(stream, place // count)[place % count] for place in places])
        draws = seeded(self.seed, "augment", stream, step)
        shifts = torch.randint(-self.shift, self.shift + 1, (self.batch_size, 2), generator=draws) + self.slack
        mirrored = torch.rand(self.batch_size, generator=draws) < (0.5 if self.mirror else 0.0)
        mine = slice(self.rank, None, self.world)
        size = self.image_size
        pictures = self.images[chosen[mine].to(self.images.device)]
        crops = [
            picture[:, top : top + size, left : left + size].flip(-1)
            if flip
            else picture[:, top : top + size, left : left + size]
            for picture, (top, left), flip in zip(pictures, shifts[mine].tolist(), mirrored[mine].tolist(), strict=True)
        ]
        return torch.stack(crops).float().div_(127.5).sub_(1.0)
