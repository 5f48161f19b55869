"""What a phase of training works with: the networks, and the pictures and random draws of a step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from .batches import moved, seeded, seeded_on


@dataclass(frozen=True)
class Triplets:
    """Faces, and what blends of them should look like, as a teacher says."""

    parents: Tensor
    """(P, 3, S, S) in [-1, 1]."""
    weights: Tensor
    """(T, P): of the parents in each blend; each row sums to 1, most of it is 0."""
    targets: Tensor
    """(T, 3, S, S) in [-1, 1]: the blends."""

    def pixel_averages(self) -> Tensor:
        """The parents' weighted mean, (T, 3, S, S): what a blend without any network is."""
        return torch.einsum("tp,pcij->tcij", self.weights, self.parents)


@dataclass(frozen=True)
class TrainingNetworks:
    """The networks that learn, and the one that only looks."""

    autoencoder: Any
    """With `posterior`, `encode`, `decode` (see `featureblend.training.networks`)."""
    discriminator: Any = None
    """With `judge`; None where no phase needs one."""
    latent_discriminator: Any = None
    """Maps codes to logits; None where no phase needs one."""
    perceptual: Any = None
    """Maps pictures to a list of feature maps; None without a perceptual loss. It does not learn."""
    lpips: Any = None
    """Maps two batches of pictures to their distances; None without such a loss. It does not learn."""

    def named(self) -> dict[str, nn.Module]:
        """The networks that are there and learn, by name."""
        found = {
            "autoencoder": self.autoencoder,
            "discriminator": self.discriminator,
            "latent_discriminator": self.latent_discriminator,
        }
        return {name: network for name, network in found.items() if network is not None}


@dataclass
class Batch:
    """All that a step works on."""

    images: Tensor
    """(B, 3, S, S) in [-1, 1]: this process's share of the paper's batch a; what the critic takes for real."""
    others: Callable[[], Tensor]
    """Gives the paper's batch b, of other faces."""
    seed: tuple[object, ...]
    """Fixes every random draw of the step, the same in all processes."""
    landmarks: Tensor | None = None
    """(B, 68, 2): of `images`, in pixels; not a number where unknown. Needed where faces are warped."""
    triplets: Callable[[], Triplets] | None = None
    """Gives this process's share of the step's triplets, where a phase learns from them."""
    rank: int = 0
    """Which process this is."""
    world: int = 1
    """How many processes share the batch."""
    ramp: float = 1.0
    """Factor on the adversarial terms, 0 to 1."""
    penalise: bool = False
    """Whether the gradient penalty is due at this step."""
    fakes: dict[str, Tensor] = field(default_factory=dict)
    """What the generator's phases made in this step, detached: 'reconstruction', 'blend', 'alpha', 'code'."""
    judged: list[Tensor] = field(default_factory=list)
    """Generated pictures on their way to the critic in this phase: their gradients are what it teaches."""
    mean: Callable[[Tensor], Tensor] = field(default=lambda values: values)
    """Averages numbers over all processes; all of them must call it."""

    def places(self, *parts: int) -> Tensor | None:
        """Where this process's pictures stand in the whole batch, made of parts so long in each; None if it has all."""
        if self.world == 1:
            return None
        ends = torch.tensor(parts).cumsum(0).tolist()
        starts = [self.world * (end - part) + self.rank * part for end, part in zip(ends, parts, strict=True)]
        return torch.cat([start + torch.arange(part) for start, part in zip(starts, parts, strict=True)])

    def noise(self, name: str, like: Tensor, parts: Sequence[int] = ()) -> Tensor:
        """Draw standard normal numbers that the step and the name fix, on the device: codes are long.

        `parts` are the lengths of what `like` is made of, where it is not one batch.
        """
        shape = (self.world * len(like), *like.shape[1:])
        drawn = torch.randn(shape, generator=seeded_on(like.device, *self.seed, name), device=like.device)
        places = self.places(*(parts or (len(like),)))
        return (drawn if places is None else drawn[moved(places, like.device)]).to(like.dtype)

    def uniform(self, name: str, count: int) -> Tensor:
        """Draw `count` numbers between 0 and 1 for each sample, (B, count), that the step and the name fix."""
        drawn = torch.rand(self.world * len(self.images), count, generator=seeded(*self.seed, name))
        return self._share(drawn)

    def alphas(self, even: float) -> Tensor:
        """Draw mixing weights (B,): a share `even` of them exactly 1/2 (the paper's mean), the rest uniform."""
        return self.weights(2, even)[:, 1]

    def weights(self, count: int, even: float) -> Tensor:
        """Draw weights (B, count) of `count` faces: a share `even` of them equal, the rest uniform on the simplex."""
        draws = seeded(*self.seed, "alpha")
        size = self.world * len(self.images)
        cuts = torch.rand(size, count - 1, generator=draws).sort(dim=1).values
        ends = torch.cat([torch.zeros(size, 1), cuts, torch.ones(size, 1)], dim=1)
        equal = torch.rand(size, generator=draws) < even
        return self._share(torch.where(equal[:, None], 1 / count, ends.diff(dim=1)))

    def chance(self, name: str, count: int) -> Tensor:
        """Draw (count,) numbers between 0 and 1 that the step and the name fix, the same in all processes."""
        return torch.rand(count, generator=seeded(*self.seed, name))

    def chances(self, name: str, count: int) -> Tensor:
        """Draw a number between 0 and 1 for each of the (count,) groups of faces that this process has."""
        return self.chance(name, self.world * count)[self.rank * count :][:count]

    def _share(self, drawn: Tensor) -> Tensor:
        # Drawn for the whole batch and cut as FaceBatches cuts it: the number of processes changes nothing.
        return moved(drawn.chunk(self.world)[self.rank], self.images.device)
