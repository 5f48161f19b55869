"""How fast a training step runs here, and what share of the machine's matrix rate that is."""

from __future__ import annotations

import time
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from .experiment import Experiment
from .machine import keep_freed_memory, matrix_rate, wait_for
from .streaming import Faces
from .trainer import Trainer


def profile(experiment: Experiment, faces: Faces, steps: int = 20, **taught: Any) -> dict[str, Any]:
    """Measure the training step of an experiment on this machine; nothing is saved.

    Parameters
    ----------
    experiment : Experiment
    faces : FaceSet or StreamedFaces
    steps : int
        Steps to time, after one that warms up.
    **taught
        What the phase 'teach' learns from: triplets, or a generator (see `Trainer`).

    Returns
    -------
    dict
        ``device``, ``precision``, ``batch_size``; ``images_per_second``; ``gflop_per_image`` (multiplications and
        additions of convolutions and matrix products, forward and backward, all phases, the gradient penalty spread
        over the steps between two); ``achieved_gflops`` (their product); ``matrix_gflops`` (of a large square
        product at the same precision: what the machine can do); ``share`` of it that training reaches.

    Notes
    -----
    With several processes, the figures are those of one of them and of its share of the batch.
    """
    keep_freed_memory()
    trainer = Trainer(experiment, faces, **taught)
    images = experiment.batch_size // trainer.world
    flop = flop_per_image(trainer)
    trainer.step()
    wait_for(trainer.device)
    begin = time.perf_counter()
    for _ in range(steps):
        trainer.step()
    wait_for(trainer.device)
    speed = steps * images / (time.perf_counter() - begin)
    rate = matrix_rate(trainer.device, torch.bfloat16 if trainer.precision == "bf16" else torch.float32)
    return {
        "device": trainer.hardware,
        "precision": trainer.precision,
        "batch_size": experiment.batch_size,
        "images_per_second": round(speed, 2),
        "gflop_per_image": round(flop / 1e9, 4),
        "achieved_gflops": round(flop * speed / 1e9, 2),
        "matrix_gflops": round(rate / 1e9, 2),
        "share": round(flop * speed / rate, 4),
    }


class OperationCounter(TorchDispatchMode):
    """Counts the operations that the host starts, and their arithmetic as torch's own `FlopCounterMode` does.

    That class also notes the module of each operation, with hooks that fail in the gradient penalty's
    second derivative.
    """

    def __init__(self) -> None:
        super().__init__()
        self.flop = self.operations = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.operations += 1
        result = func(*args, **(kwargs or {}))
        count = flop_registry.get(func._overloadpacket)
        if count is not None:
            self.flop += count(*args, **(kwargs or {}), out_val=result)
        return result


def flop_per_image(trainer: Trainer) -> float:
    """Count the multiplications and additions of a training step, for each image of this process's share.

    Counted, not timed: the same on a busy machine. Takes two steps, one with the gradient penalty and one without,
    and weighs them by how often each is done.

    Parameters
    ----------
    trainer : Trainer
        At its first step, which has the penalty, if there is one.

    Returns
    -------
    float
    """
    counts = []
    for _ in range(2):  # step 0 has the penalty, if there is one; step 1 has none
        with OperationCounter() as counter:
            trainer.step()
        counts.append(counter.flop)
    every = trainer.experiment.gradient_penalty_every
    step = (counts[0] + (every - 1) * counts[1]) / every
    return step / (trainer.experiment.batch_size // trainer.world)
