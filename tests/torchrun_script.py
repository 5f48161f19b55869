"""What each process of tests/test_training_processes.py runs: a short run, then one that its slice of time ends.

A process is killed in the middle of the first, which then goes on.
"""

import dataclasses
import os
import signal
import socket
import sys
import time
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

RANK = int(os.environ.get("RANK", "0"))

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
    images=16 * 5,
)


def faces():
    """Smooth random pictures: nothing is to be learnt from them."""
    random = np.random.default_rng(0)
    coarse = random.integers(0, 256, (40, 5, 5, 3), dtype=np.uint8)
    return FaceSet.from_images(coarse.repeat(8, 1).repeat(8, 2), margin=1.25)


class Killed(Trainer):
    """The second process is killed in its fourth step."""

    def step(self):
        if self.rank == 1 and self.clock.step == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().step()


def write_text(path, text):
    """Whole or not at all."""
    path.with_suffix(".part").write_text(text)
    path.with_suffix(".part").rename(path)


def main(out):
    torch.set_num_threads(1)
    loop.draw_curves = lambda history, path: None
    loop.TICK_SECONDS, loop.AGREE_SECONDS = -1, 0.0  # a line a step
    loop.SAVE_SECONDS = -1.0  # and a checkpoint
    if not (child := os.fork()):  # what is killed has imported what goes on: that takes longer than the steps
        loop.Trainer = Killed
        loop.train(EXPERIMENT, faces(), out / "run", quiet=True)
        os._exit(0)
    ended = [out / f"ended-{rank}.txt" for rank in range(2)]
    write_text(ended[RANK], str(os.waitpid(child, 0)[1]))
    # As when all are started again: after all have ended, and with another place to meet at.
    if RANK == 0:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            write_text(out / "port.txt", str(free.getsockname()[1]))
    while not all(path.exists() for path in (*ended, out / "port.txt")):
        time.sleep(0.05)
    os.environ |= {"MASTER_PORT": (out / "port.txt").read_text(), "TORCHELASTIC_USE_AGENT_STORE": "False"}
    loop.train(EXPERIMENT, faces(), out / "run", resume=True, quiet=True)
    loop.SAVE_SECONDS = 240.0
    # Run folders that are not the same one, as without a file system that all machines share.
    try:
        loop.train(EXPERIMENT, faces(), out / ("run" if RANK == 0 else "nothing"), resume=True)
    except FeatureblendError as error:
        (out / f"refused-{RANK}.txt").write_text(str(error))
    loop.TICK_SECONDS, loop.AGREE_SECONDS = 1.0, 0.4
    trainers, now = [], [0.0]

    class Kept(Trainer):
        """By a clock of its own, on which the second process is twice as slow: machines with other work are."""

        def __init__(self, *settings):
            super().__init__(*settings)
            trainers.append(self)

        def step(self):
            now[0] += 0.2 * (1 + self.rank)
            return super().step()

    loop.Trainer, loop.time = Kept, SimpleNamespace(monotonic=lambda: now[0], process_time=lambda: now[0])
    few = (Phase("reconstruct", "autoencoder"), Phase("discriminate", "discriminator"))
    endless = dataclasses.replace(EXPERIMENT, images=10**9, phases=few)
    loop.train(endless, faces(), out / "slice", minutes=2 / 60, quiet=True)
    kept = trainers[0]
    state = {**{name: network.state_dict() for name, network in kept.networks.named().items()}, "step": kept.clock.step}
    torch.save(state, out / f"process-{kept.rank}-of-{kept.world}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
