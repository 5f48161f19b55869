"""Train small variants of the bundled model's recipe for equal time, and measure them on the same pairs.

    python tools/ablate.py faces.tar --out out/ablations --minutes 3 [--only recipe no-warp ...]

Every variant is the preset `modern` at 64 px with fewer channels and one change, from the same first weights: a
reconstruction run of the same networks, made first (variants with other networks start from what fits of it). Each is
exported, and one `featureblend evaluate` measures all. What is finished is kept: the same command goes on where it was.

Equal time is a clock's with `--minutes`, for a machine that does nothing else. On a shared one use `--images N`: every
variant then trains on so many images as cost what N images of the recipe cost, counted in multiplications.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

SMALL = (
    "model_options.image_size=64",
    "model_options.widths=[48,96]",
    "model_options.encoder_blocks=[1,2]",
    "model_options.decoder_blocks=[2,2]",
    "model_options.global_dim=128",
    "model_options.detail_widths=[24]",
)
ADVERSARIAL = (
    "discriminator_options.image_size=64",
    "discriminator_options.widths=[32,64,96]",
    "discriminator_options.places=true",
    "losses.texture=0.2",
    "losses.adversarial_reconstruction=0.2",
    "losses.adversarial_blend=0.2",
    "discriminator_learning_rate=6e-4",
    "gradient_penalty=0.02",
    "batch_size=8",
    "adversarial_start=0",
    "adversarial_ramp=500",
    "warmup=200",
    "ema_half_life=500",
)
"""A stronger adversary than `modern` has, so that so short a run shows what it does."""
VARIANTS: dict[str, tuple[str, ...]] = {
    "recipe": (),
    "no-warp": ("warp=0",),
    "no-adversary": ("losses.adversarial_reconstruction=0", "losses.adversarial_blend=0", "losses.mixing=0"),
    "adversary-on-reconstructions": ("losses.adversarial_blend=0", "losses.mixing=0"),
    "global-latent": ("model_options.spatial_channels=1", "surroundings=mean", "model_options.global_dim=1152"),
    "spatial-latent": ("model_options.global_dim=0",),
    "no-feature-matching": ("losses.feature_matching=0",),
    "hinge": ("adversarial=hinge",),
    "bce": ("adversarial=bce",),
    "no-texture": ("losses.texture=0",),
    "no-places": ("discriminator_options.places=false",),
    "no-anchor-no-cycle": ("losses.anchor=0", "losses.cycle=0"),
    "no-acai": ("losses.mixing=0",),
    "mean-surroundings": ("surroundings=mean",),
    "two-parents": ("parents=2",),
}
"""What each variant changes; lines of `featureblend train --set`."""


def cost(data: Path, settings: tuple[str, ...]) -> float:
    """Count the multiplications and additions of a training step, for each image."""
    from featureblend.training.dataset import FaceSet
    from featureblend.training.presets import overridden, preset
    from featureblend.training.profile import flop_per_image
    from featureblend.training.trainer import Trainer

    return flop_per_image(Trainer(overridden(preset("modern"), settings), FaceSet.read(data, limit=64)))


def featureblend(*words: object) -> None:
    """Run a command; what it says goes to the screen."""
    done = subprocess.run([sys.executable, "-m", "featureblend", *map(str, words)], check=False)
    if done.returncode:
        sys.exit(f"ablate: featureblend {' '.join(map(str, words))} ended with code {done.returncode}")


def main(words: list[str] | None = None) -> None:
    """Train what is missing, then measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("faces", type=Path, help="what `featureblend prepare` wrote")
    parser.add_argument("--out", type=Path, required=True)
    budget = parser.add_mutually_exclusive_group()
    budget.add_argument("--minutes", type=float, help="wall time of each variant (default: 3)")
    budget.add_argument("--images", type=int, help="instead: as much computing as so many images of the recipe take")
    parser.add_argument("--first-minutes", type=float, default=6, help="wall time of the reconstruction before all")
    parser.add_argument("--only", nargs="+", choices=list(VARIANTS), default=list(VARIANTS))
    parser.add_argument("--protocol", default="pairs200_validation")
    options = parser.parse_args(words)
    runs, models = options.out / "runs", options.out / "models"
    data, first = ("--data", options.faces), runs / "reconstruction"
    if not (options.out / "first-done").exists():
        settings = (*SMALL, "images=60000", "batch_size=16")
        time = ("--minutes", options.first_minutes)
        start = ("--run", first, "--resume", *time, "--quiet")
        featureblend("train", "--preset", "modern-reconstruct", *data, *start, "--set", *settings)
        (options.out / "first-done").touch()
    # With a clock, the schedule of the learning rate must not end before it.
    usual = options.images or 12_000
    recipe = (*SMALL, *ADVERSARIAL)
    base = cost(options.faces, recipe) if options.images else 0.0
    for name in options.only:
        if (models / name).exists():
            continue
        settings = (*recipe, *VARIANTS[name])
        images = round(usual * base / cost(options.faces, settings)) if options.images else usual
        time = () if options.images else ("--minutes", options.minutes or 3)
        start = ("--run", runs / name, "--init", first, "--resume", *time, "--quiet")
        featureblend("train", "--preset", "modern", *data, *start, "--set", *settings, f"images={images}")
        featureblend("export", runs / name, "--out", models / name)
    # Without the photos' detail, which would hide what the networks differ in.
    reference, *others = options.only
    also = ["--also", *(f"{name}={models / name}" for name in others)] if others else []
    featureblend(
        "evaluate",
        *data,
        "--protocol",
        options.protocol,
        "--model",
        models / reference,
        "--methods",
        "latent-network",
        *(f"{name}-network" for name in others),
        *also,
        "--out",
        options.out / "evaluation",
    )


if __name__ == "__main__":
    main()
