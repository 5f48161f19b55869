"""Training batches, every draw fixed by seed and step.

The whole data set is held as uint8 on the device, so that no step waits for a disk or a copy; or it is streamed, and a
step's faces are read while the step before is computed. No random state is carried from step to step: a resumed run
draws what the unbroken one would have.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor

from ..errors import FeatureblendError
from ..faces.landmarks import MIRRORED
from .dataset import FaceSet
from .streaming import Faces, StreamedFaces


def seeded(*key: object) -> torch.Generator:
    """A CPU generator whose stream is fixed by the key, whatever was drawn before.

    Examples
    --------
    >>> bool((torch.rand(3, generator=seeded(0, "noise", 7)) == torch.rand(3, generator=seeded(0, "noise", 7))).all())
    True
    """
    digest = hashlib.sha256(repr(key).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)


def seeded_on(device: torch.device | str, *key: object) -> torch.Generator:
    """A generator as `seeded` makes it, but on the device: for so many numbers that the host would take too long.

    Another kind of device draws other numbers.

    Examples
    --------
    >>> draws, same = seeded_on("cpu", 0, "noise", 7), seeded(0, "noise", 7)
    >>> bool((torch.rand(3, generator=draws) == torch.rand(3, generator=same)).all())
    True
    """
    return torch.Generator(device).manual_seed(seeded(*key).initial_seed())


def moved(values: Tensor, device: torch.device | str) -> Tensor:
    """Copy numbers drawn on the CPU to the device, without making the host wait for what runs there.

    From ordinary memory a copy to a GPU ends only when all work before it has; from pinned memory it queues.
    """
    if torch.device(device).type == "cuda":
        return values.contiguous().pin_memory().to(device, non_blocking=True)
    return values.to(device)


class FaceBatches:
    """Batches of randomly shifted and mirrored crops.

    Parameters
    ----------
    faces : FaceSet or StreamedFaces
        Training faces, with or without margin; of both the batches are the same.
    image_size : int
        Side of the batches' pictures; the template's square in `faces` is scaled to it.
    batch_size : int
        Pictures a step, over all processes.
    device : torch.device
    shift : int
        Largest random shift in pixels; as far as the margin allows.
    mirror : bool
        Mirror half of the pictures.
    match_turn : bool
        Order each batch by how far the heads are turned.
    seed : int
    rank, world : int
        This process and how many there are; each gets its own part of every batch.
    group : int
        So many neighbours in `faces` stay together, shifted and mirrored alike, and count as one in `batch_size`.

    Raises
    ------
    FeatureblendError
        If there are no faces, or the batch cannot be shared out evenly.
    """

    def __init__(
        self,
        faces: Faces,
        image_size: int,
        batch_size: int,
        device: torch.device | str = "cpu",
        *,
        shift: int = 4,
        mirror: bool = True,
        match_turn: bool = False,
        seed: int = 0,
        rank: int = 0,
        world: int = 1,
        group: int = 1,
    ) -> None:
        if batch_size % world:
            raise FeatureblendError(f"batch_size {batch_size} must be a multiple of the number of processes, {world}")
        if not len(faces):
            raise FeatureblendError("the data holds no faces of the train split: prepare more people")
        self.count, self.device = len(faces), torch.device(device)
        self.faces: _Held | _Streamed
        if isinstance(faces, StreamedFaces):
            self.faces = _Streamed(faces, image_size, device)
        else:
            self.faces = _Held(faces, image_size, device)
        self.slack = (faces.side - image_size) // 2 if round(faces.side / faces.margin) == image_size else 0
        self.shift = min(shift, self.slack)
        self.image_size, self.batch_size, self.mirror = image_size, batch_size, mirror
        self.seed, self.rank, self.world, self.group = seed, rank, world, group
        self.turn = torch.from_numpy(faces.turn) if match_turn else None
        self._mirrored = torch.tensor(MIRRORED, device=device)
        self._orders: dict[tuple[int, int], Tensor] = {}

    def _order(self, stream: int, epoch: int) -> Tensor:
        if (stream, epoch) not in self._orders:
            if len(self._orders) > 8:
                self._orders.clear()
            self._orders[stream, epoch] = torch.randperm(
                self.count // self.group, generator=seeded(self.seed, "order", stream, epoch)
            )
        return self._orders[stream, epoch]

    def chosen(self, step: int, stream: int = 0) -> Tensor:
        """The (batch_size,) faces of a step, over all processes, as places in the face set, or as groups."""
        count, start = self.count // self.group, step * self.batch_size
        first, last = start // count, (start + self.batch_size - 1) // count
        orders = [self._order(stream, epoch) for epoch in range(first, last + 1)]
        order = orders[0] if len(orders) == 1 else torch.cat(orders)
        return order[start - first * count :][: self.batch_size]

    def batch(self, step: int, stream: int = 0) -> Tensor:
        """The batch of a step.

        Parameters
        ----------
        step : int
            From 0; each stream passes through all faces in a new order every epoch.
        stream : int
            Independent streams give different faces at one step (the paper's batches a and b).

        Returns
        -------
        (group * batch_size / world, 3, S, S) float32 tensor in [-1, 1], in channels-last layout
        """
        return self.marked(step, stream)[0]

    def marked(self, step: int, stream: int = 0) -> tuple[Tensor, Tensor]:
        """The batch of a step as `batch` makes it, and its (batch_size / world, 68, 2) landmarks in its pixels."""
        drawn = self._drawn(step, stream)
        images, landmarks, places = self.faces.of(drawn[:, 0], step, stream)
        if isinstance(self.faces, _Streamed):
            self.faces.begin(lambda: self._drawn(step + 1, stream)[:, 0], step + 1, stream)
        drawn[:, 0] = places
        face, top, left, flip = moved(drawn, self.device).unbind(1)
        # Every crop of every face is a view, so that one gather takes them all.
        size = self.image_size
        crops = images.unfold(1, size, 1).unfold(2, size, 1).permute(0, 1, 2, 4, 5, 3)[face, top, left]
        crops = torch.where(flip.bool()[:, None, None, None], crops.flip(2), crops)
        marks = landmarks[face] - torch.stack([left, top], dim=1)[:, None]
        mirrored_marks = torch.stack([size - 1 - marks[..., 0], marks[..., 1]], dim=-1)[:, self._mirrored]
        marks = torch.where(flip.bool()[:, None, None], mirrored_marks, marks)
        return crops.permute(0, 3, 1, 2).float().div_(127.5).sub_(1.0), marks

    def _drawn(self, step: int, stream: int) -> Tensor:
        """Of each picture of this process at a step: its face, how far it is shifted, and whether it is mirrored."""
        draws = seeded(self.seed, "augment", stream, step)
        shifts = torch.randint(-self.shift, self.shift + 1, (self.batch_size, 2), generator=draws) + self.slack
        mirrored = torch.rand(self.batch_size, generator=draws) < (0.5 if self.mirror else 0.0)
        chosen = self.chosen(step, stream)
        drawn = torch.column_stack([chosen, shifts, mirrored])
        if self.turn is not None:
            turn = self.turn[chosen]
            drawn = drawn[torch.where(mirrored, -turn, turn).argsort(stable=True)]
        # Neighbours stay together: their blends are the same however many processes there are.
        drawn = drawn.chunk(self.world)[self.rank]
        if self.group > 1:
            drawn = drawn.repeat_interleave(self.group, dim=0)
            drawn[:, 0] = self.group * drawn[:, 0] + torch.arange(len(drawn)) % self.group
        return drawn


def _fitted(faces: FaceSet, image_size: int) -> FaceSet:
    """Scale faces whose template has another size, which costs them their margin."""
    return faces if round(faces.side / faces.margin) == image_size else faces.cropped(image_size)


class _Held:
    """Faces on the device."""

    def __init__(self, faces: FaceSet, image_size: int, device: torch.device | str) -> None:
        faces = _fitted(faces, image_size)
        self.images = torch.from_numpy(faces.images).to(device)
        self.landmarks = torch.from_numpy(faces.landmarks).float().to(device)

    def of(self, places: Tensor, step: int, stream: int) -> tuple[Tensor, Tensor, Tensor]:
        """Crops, landmarks, and where in them those of a step are."""
        return self.images, self.landmarks, places


class _Streamed:
    """Faces on disk, those of the next step under way."""

    def __init__(self, faces: StreamedFaces, image_size: int, device: torch.device | str) -> None:
        self.faces, self.image_size, self.device = faces, image_size, device
        self._pool = ThreadPoolExecutor(min(8, os.cpu_count() or 1))  # decoding does not hold the interpreter's lock
        self._begun: dict[tuple[int, int], list[Future[Any]]] = {}
        self._last: dict[int, int] = {}

    def begin(self, places: Callable[[], Tensor], step: int, stream: int) -> None:
        """Begin to read the faces of a step, if the two before it were asked for, too."""
        if self._last.get(stream) == step - 2:
            # What was begun for a stream that nobody asks for any more is dropped.
            self._begun = {key: begun for key, begun in self._begun.items() if key[0] >= step - 1}
            self._begun[step, stream] = self._read(places())
        self._last[stream] = step - 1

    def of(self, places: Tensor, step: int, stream: int) -> tuple[Tensor, Tensor, Tensor]:
        """As `_Held.of`."""
        begun = self._begun.pop((step, stream), None) or self._read(places)
        faces = _fitted(self.faces.gathered([one.result() for one in begun]), self.image_size)
        images, landmarks = moved(torch.from_numpy(faces.images), self.device), torch.from_numpy(faces.landmarks)
        return images, moved(landmarks, self.device), torch.arange(len(begun))

    def _read(self, places: Tensor) -> list[Future[Any]]:
        return [self._pool.submit(self.faces.read, place) for place in places.tolist()]
