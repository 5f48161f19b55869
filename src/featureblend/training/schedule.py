"""How learning rates and the adversary's weight change over a run: functions of images seen, nothing else."""

from __future__ import annotations

import math

from .experiment import Experiment, Phase

__all__ = ["adversarial_ramp", "learning_rate_factor", "times_due"]


def learning_rate_factor(images: int, experiment: Experiment, start: float) -> float:
    """Learning rate relative to its start: a linear warm-up, then half a cosine down to the final rate."""
    warm = min(1.0, (images + experiment.batch_size) / max(1, experiment.warmup))
    done = min(1.0, images / max(1, experiment.images))
    end = 1.0 if experiment.final_learning_rate is None else experiment.final_learning_rate / start
    return warm * (end + (1 - end) * 0.5 * (1 + math.cos(math.pi * done)))


def adversarial_ramp(images: int, experiment: Experiment) -> float:
    """Factor on the adversarial terms: 0 before their start, then linearly up to 1."""
    since = images - experiment.adversarial_start
    if since < 0:
        return 0.0
    return 1.0 if not experiment.adversarial_ramp else min(1.0, since / experiment.adversarial_ramp)


def times_due(phase: Phase, step: int) -> int:
    """How often a phase runs at a step.

    Examples
    --------
    >>> many = Phase("discriminate", "discriminator", times=5, first_times=99, first_steps=25)
    >>> times_due(many, 24), times_due(many, 25), times_due(Phase("blend", "autoencoder", every=2), 3)
    (99, 5, 0)
    """
    if step % phase.every:
        return 0
    return phase.first_times if phase.first_times and step < phase.first_steps else phase.times
