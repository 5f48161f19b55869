"""Time training steps beside pythae's VAEGAN trainer: the same networks, in turns, in one run.

    pip install pythae==0.1.2
    python tools/time_pythae.py --rounds 5

Both train the bundled model's autoencoder and critic at 128 pixels on reconstruction, a critic's features, a divergence
and an adversary. pythae's step encodes and decodes once more than ours: its critic learns from decoded draws of the
prior, too. Ours averages the weights besides, which pythae's does not.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time

import numpy as np


def ours(batch_size, steps):
    """Steps of featureblend's trainer."""
    from dataclasses import replace

    from featureblend.training.dataset import FaceSet
    from featureblend.training.experiment import LossWeights, Phase
    from featureblend.training.machine import keep_freed_memory
    from featureblend.training.presets import preset
    from featureblend.training.trainer import Trainer

    keep_freed_memory()
    experiment = replace(
        preset("modern"),
        phases=(Phase("reconstruct", "autoencoder"), Phase("discriminate", "discriminator")),
        losses=LossWeights(kl=1.0, feature_matching=1.0, adversarial_reconstruction=0.5),
        adversarial="bce",
        adversarial_start=0,
        adversarial_ramp=0,
        gradient_penalty=0.0,
        degrade=0.0,
        batch_size=batch_size,
    )
    trainer = Trainer(experiment, FaceSet.from_images((255 * pictures(batch_size)).astype(np.uint8)))

    def step():
        for _ in range(steps):
            trainer.step()

    return step


def theirs(batch_size, steps):
    """An epoch of pythae's trainer of so many steps."""
    import torch
    from pythae.models import VAEGAN, VAEGANConfig
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseDiscriminator, BaseEncoder
    from pythae.pipelines import TrainingPipeline
    from pythae.trainers import CoupledOptimizerAdversarialTrainer, CoupledOptimizerAdversarialTrainerConfig

    from featureblend.training.networks import AUTOENCODERS, DISCRIMINATORS, build
    from featureblend.training.presets import preset

    experiment = preset("modern")
    whole = build(AUTOENCODERS, experiment.model, experiment.model_options)
    judge = build(DISCRIMINATORS, experiment.discriminator, experiment.discriminator_options)

    class Encoder(BaseEncoder):
        def __init__(self):
            super().__init__()
            names = ("encoder", "to_spatial", "to_global", "to_fine")
            self.parts = torch.nn.ModuleList(part for name in names if (part := getattr(whole, name)) is not None)

        def forward(self, x):
            mean = whole.encode(2 * x - 1)
            return ModelOutput(embedding=mean, log_covariance=torch.full_like(mean, -4.6))

    class Decoder(BaseDecoder):
        def __init__(self):
            super().__init__()
            names = ("from_spatial", "from_fine", "decoder", "to_pixels")
            self.parts = torch.nn.ModuleList(part for name in names if (part := getattr(whole, name)) is not None)

        def forward(self, z):
            return ModelOutput(reconstruction=whole.decode(z) / 2 + 0.5)

    class Critic(BaseDiscriminator):
        depth = 1

        def __init__(self):
            super().__init__()
            self.judge = judge

        def forward(self, x, output_layer_levels=None):
            logits, _, maps = self.judge.judge(2 * x - 1)
            features = torch.cat([one.flatten(1) for one in maps], dim=1)
            return ModelOutput(embedding=logits.sigmoid(), embedding_layer_1=features)

    config = VAEGANConfig(input_dim=(3, 128, 128), latent_dim=whole.config.latent_dim, reconstruction_layer=1)
    model = VAEGAN(config, encoder=Encoder(), decoder=Decoder(), discriminator=Critic())
    training = CoupledOptimizerAdversarialTrainerConfig(
        output_dir="out/pythae", num_epochs=1, per_device_train_batch_size=batch_size, no_cuda=True
    )
    data = pictures(batch_size * steps).transpose(0, 3, 1, 2)
    dataset = TrainingPipeline(model=model, training_config=training).data_processor
    dataset = dataset.to_dataset(torch.from_numpy(data.copy()))
    trainer = CoupledOptimizerAdversarialTrainer(model, dataset, training_config=training)
    trainer.prepare_training()
    return lambda: trainer.train_step(1)


def pictures(count):
    """Random pictures, (count, 128, 128, 3): a step's speed does not depend on what they show."""
    return np.random.default_rng(0).random((count, 128, 128, 3)).astype(np.float32)


def main():
    """Time rounds in turns, each kind in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--only", choices=("featureblend", "pythae"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.only:
        call = (ours if asked.only == "featureblend" else theirs)(asked.batch_size, asked.steps)
        call()
        for _ in sys.stdin:
            begin, worked = time.perf_counter(), time.process_time()
            call()
            print("took", time.perf_counter() - begin, time.process_time() - worked, flush=True)
        return
    sizes = [f"--batch-size={asked.batch_size}", f"--steps={asked.steps}"]
    workers = {
        name: subprocess.Popen(
            [sys.executable, __file__, "--only", name, *sizes],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for name in ("featureblend", "pythae")
    }
    took = {name: [] for name in workers}
    for _ in range(asked.rounds):
        for name, worker in workers.items():
            print("again", file=worker.stdin, flush=True)
            said = next(line for line in worker.stdout if line.startswith("took"))
            took[name].append([float(number) for number in said.split()[1:]])
    for worker in workers.values():
        worker.stdin.close()
    images = asked.batch_size * asked.steps
    for name, rounds in took.items():
        print(f"{name}: {images / statistics.median(wall for wall, _ in rounds):.1f} images/s")
    for place, clock in enumerate(("wall", "processor's")):
        ratios = [b[place] / a[place] for a, b in zip(took["featureblend"], took["pythae"], strict=True)]
        print(f"times as fast, {clock} time: {statistics.median(ratios):.2f} of {[round(one, 2) for one in ratios]}")


if __name__ == "__main__":
    main()
