"""What each process of tests/test_training_processes.py runs: a short run, then one that its slice of time ends."""

import dataclasses
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch

from featureblend.training import loop
from featureblend.training.dataset import FaceSet
from featureblend.training.experiment import LossWeights, Phase
from featureblend.training.presets import preset

# All that is the same however many processes share a batch: no neighbours within it.
EXPERIMENT = dataclasses.replace(
    preset("toy"),
    phases=(Phase("reconstruct", "autoencoder"), Phase("blend", "autoencoder"), Phase("discriminate", "discriminator")),
    losses=LossWeights(l1=1.0, kl=1.0, adversarial_reconstruction=0.03, adversarial_blend=0.1, mixing=0.1),
    adversarial_start=40,  # at first the blend phase teaches nothing
    gradient_penalty_every=2,
    warmup=0,
    images=16 * 6,
)


def faces():
    """Smooth random pictures: nothing is to be learnt from them."""
    random = np.random.default_rng(0)
    coarse = random.integers(0, 256, (40, 5, 5, 3), dtype=np.uint8)
    return FaceSet.from_images(coarse.repeat(8, 1).repeat(8, 2), margin=1.25)


def main(out):
    torch.set_num_threads(1)
    loop.draw_curves = lambda history, path: None
    loop.TICK_SECONDS, loop.AGREE_SECONDS = -1, 0.0  # a line a step
    loop.train(EXPERIMENT, faces(), out / "run", quiet=True)
    loop.TICK_SECONDS, loop.AGREE_SECONDS = 1.0, 0.2
    trainers, now = [], [0.0]

    class Kept(loop.Trainer):
        """By a clock of its own, on which the second process is twice as slow: machines with other work are."""

        def __init__(self, *settings):
            super().__init__(*settings)
            trainers.append(self)

        def step(self):
            now[0] += 0.1 * (1 + self.rank)
            return super().step()

    loop.Trainer, loop.time = Kept, SimpleNamespace(monotonic=lambda: now[0], process_time=lambda: now[0])
    endless = dataclasses.replace(EXPERIMENT, images=10**9)
    loop.train(endless, faces(), out / "slice", minutes=2 / 60, quiet=True)
    kept = trainers[0]
    state = {**{name: network.state_dict() for name, network in kept.networks.named().items()}, "step": kept.clock.step}
    torch.save(state, out / f"process-{kept.rank}-of-{kept.world}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
