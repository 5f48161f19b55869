"""Time training steps on a GPU, or the CPU: ours, a plain PyTorch loop's, and those of a loop such as pythae's.

    python tools/time_training.py --batch-size 64 --steps 10 --rounds 5

No photos are needed, and no package beyond the extra `train`. All are of the networks of one preset at 128 pixels, in
turns in one process; on a CPU the plain loop then keeps freed memory as ours does, and `featureblend benchmark --train`
is fairer. The plain loop is that command's: the same steps in float32, in PyTorch's defaults. The last loop does what
pythae 0.1.2's VAEGAN and its coupled, adversarial trainer do: its critic also judges decoded draws of the prior, and it
goes back through the networks three times a step. `tools/time_pythae.py` times pythae itself, on a CPU.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from time_pythae import ours as like_ours
from torch.nn import functional

from featureblend.evaluation.benchmark import tasks
from featureblend.training import presets
from featureblend.training.machine import wait_for
from featureblend.training.networks import AUTOENCODERS, DISCRIMINATORS, build

OURS, PLAIN, VAEGAN, PYTHAE = "featureblend", "plain loop", "featureblend, VAEGAN", "as pythae, VAEGAN"


def as_pythae(batch_size, steps, device):
    """Steps of a VAEGAN whose encoder, decoder and critic learn from three losses, one after the other."""
    experiment = presets.preset("modern")
    whole = build(AUTOENCODERS, experiment.model, experiment.model_options).to(device).train()
    critic = build(DISCRIMINATORS, experiment.discriminator, experiment.discriminator_options).to(device).train()
    names = {"encoder", "to_spatial", "to_global", "to_fine"}
    encoder = [one for name, one in whole.named_parameters() if name.partition(".")[0] in names]
    decoder = [one for name, one in whole.named_parameters() if name.partition(".")[0] not in names]
    groups = [encoder, decoder, list(critic.parameters())]
    optimisers = [torch.optim.Adam(group, lr=1e-4) for group in groups]
    data = torch.from_numpy(np.random.default_rng(0).random((batch_size * steps, 3, 128, 128)).astype(np.float32))
    deviation = float(np.exp(-2.3))

    def judged(pictures):
        logits, _, maps = critic.judge(pictures)
        return logits.sigmoid().clamp(1e-6, 1 - 1e-6), torch.cat([one.flatten(1) for one in maps], dim=1)

    def step(batch):
        photos = 2 * batch.to(device) - 1
        mean = whole.encode(photos)
        drawn = whole.decode(mean + deviation * torch.randn_like(mean))
        (real, features), (fake, own) = judged(photos), judged(drawn)
        prior = judged(whole.decode(torch.randn_like(mean)))[0]
        divergence = 0.5 * mean.square().sum(1).mean()
        likeness = 0.5 * functional.mse_loss(own, features, reduction="none").sum(1).mean()
        adversary = -(real.log() + (1 - fake).log() + (1 - prior).log()).mean()
        losses = (divergence + likeness, 0.8 * likeness - 0.2 * adversary, adversary)
        for loss, optimiser, group in zip(losses, optimisers, groups, strict=True):
            optimiser.zero_grad()
            found = torch.autograd.grad(loss, group, retain_graph=loss is not adversary, allow_unused=True)
            for parameter, gradient in zip(group, found, strict=True):
                parameter.grad = gradient
        for optimiser in optimisers:
            optimiser.step()
        return [loss.item() for loss in losses]

    def call():
        for batch in data.split(batch_size):
            step(batch)

    return call


def main():
    """Time rounds in turns; print images a second, and how many times as long the others take."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", default="modern-reconstruct")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--compile", action="store_true", help="ours with torch.compile, which takes minutes to begin")
    asked = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    chosen = presets.preset(asked.preset)
    chosen = replace(chosen, batch_size=asked.batch_size, compile="always" if asked.compile else chosen.compile)
    with tempfile.TemporaryDirectory() as folder, patch.object(presets, "preset", lambda name: chosen):
        faces = Path(folder) / "faces.npz"
        pictures = np.random.default_rng(0).integers(0, 256, (8, 160, 160, 3), dtype=np.uint8)
        np.savez(faces, images=pictures, landmarks=np.zeros((8, 68, 2)))
        spec = {"faces": faces, "name": asked.preset, "steps": asked.steps}
        calls = {OURS: tasks.training_steps(spec), PLAIN: tasks.plain_training_steps(spec)}
    calls |= {
        VAEGAN: like_ours(asked.batch_size, asked.steps),
        PYTHAE: as_pythae(asked.batch_size, asked.steps, device),
    }
    took = {name: [] for name in calls}
    for turn in range(asked.rounds + 1):
        for name, call in calls.items():
            wait_for(device)
            begin = time.perf_counter()
            call()
            wait_for(device)
            if turn:  # the first warms up
                took[name].append(time.perf_counter() - begin)
    where = torch.cuda.get_device_name() if device.type == "cuda" else "CPU"
    print(f"{where}, torch {torch.__version__}, {asked.preset}, batch {asked.batch_size}")
    for name, rounds in took.items():
        rate = asked.batch_size * asked.steps / statistics.median(rounds)
        against = {PLAIN: OURS, PYTHAE: VAEGAN}.get(name)
        times = sorted(b / a for a, b in zip(took[against], rounds, strict=True)) if against else []
        said = f", {statistics.median(times):.2f} times ({times[0]:.2f} to {times[-1]:.2f}) as long" if times else ""
        print(f"{name}: {rate:.1f} images/s{said}", flush=True)


if __name__ == "__main__":
    main()
