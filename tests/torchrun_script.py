"""What each process of tests/test_training_processes.py runs: a short run, then one that its slice of time ends.

A worker is killed in the middle of the first, which the next start of the script goes on with.
"""

import dataclasses
import os
import signal
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch

from featureblend.errors import FeatureblendError
from featureblend.training import loop
from featureblend.training.dataset import FaceSet
from featureblend.training.experiment import LossWeights, Phase
from featureblend.training.presets import preset
from featureblend.training.trainer import Trainer

EXPERIMENT = dataclasses.replace(
    preset("toy"),
    phases=(
        *(Phase(name, "autoencoder") for name in ("reconstruct", "blend", "joint")),
        Phase("discriminate", "discriminator", times=2),
    ),
    losses=LossWeights(
        **dict.fromkeys(("l1", "ssim", "laplacian", "kl", "mixing", "texture", "cycle", "anchor"), 0.1),
        adversarial_reconstruction=0.03,
        adversarial_blend=0.1,
        feature_matching=0.3,
    ),
    adversarial="relativistic",
    adversarial_start=40,  # at first the blend phase teaches nothing
    gradient_penalty_every=2,
    diff_augment="color,translation,cutout",
    match_turn=True,
    parents=4,
    surroundings="auto",
    warp=0.75,
    degrade=0.5,
    gradient_clip=1.0,
    # Sums in another order, which Adam enlarges where a gradient is nearly 0: by no more than a step.
    learning_rate=1e-5,
    discriminator_learning_rate=1e-5,
    warmup=0,
    images=16 * 6,
)


def faces():
    """Smooth random pictures: nothing is to be learnt from them."""
    random = np.random.default_rng(0)
    coarse = random.integers(0, 256, (40, 5, 5, 3), dtype=np.uint8)
    return FaceSet.from_images(coarse.repeat(8, 1).repeat(8, 2), margin=1.25)


class Killed(Trainer):
    """The second process is killed in its fourth step, once."""

    def step(self):
        killed = Path(sys.argv[1]) / "killed"
        if self.rank == 1 and self.clock.step == 3 and not killed.exists():
            killed.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().step()


def main(out):
    torch.set_num_threads(1)
    loop.draw_curves = lambda history, path: None
    loop.TICK_SECONDS, loop.AGREE_SECONDS = -1, 0.0  # a line a step
    loop.SAVE_SECONDS = -1.0  # and a checkpoint
    loop.Trainer = Killed
    loop.train(EXPERIMENT, faces(), out / "run", resume=True, quiet=True)
    loop.Trainer, loop.SAVE_SECONDS = Trainer, 240.0
    # Run folders that are not the same one, as without a file system that all machines share.
    try:
        loop.train(EXPERIMENT, faces(), out / ("run" if os.environ["RANK"] == "0" else "nothing"), resume=True)
    except FeatureblendError as error:
        (out / f"refused-{os.environ['RANK']}.txt").write_text(str(error))
    loop.TICK_SECONDS, loop.AGREE_SECONDS = 1.0, 0.2
    trainers, now = [], [0.0]

    class Kept(Trainer):
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
