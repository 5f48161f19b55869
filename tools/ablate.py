"""Train small variants of the bundled model's recipe for equal wall time, and measure them on the same pairs.

    python tools/ablate.py faces.tar --out out/ablations --minutes 3 [--only recipe no-warp ...]
    python tools/paste_table.py out/ablations/evaluation --into docs/model.md

Every variant is the preset `modern` at 64 px with half the channels and one change, from the same first weights: a
reconstruction run of the same networks, made first (variants with other networks start from what fits of it). Each is
exported, and one `featureblend evaluate` measures all. What is finished is kept: the same command goes on where it was.
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
    "adversarial_start=0",
    "adversarial_ramp=1000",
    "warmup=500",
    "ema_half_life=1000",
    "images=12000",  # of the learning rate's schedule; three minutes of one core are about so many
)
VARIANTS: dict[str, tuple[str, ...]] = {
    "recipe": (),
    "no-warp": ("warp=0",),
    "no-adversary": ("losses.adversarial_reconstruction=0", "losses.adversarial_blend=0", "losses.mixing=0"),
    "adversary-on-reconstructions": ("losses.adversarial_blend=0", "losses.mixing=0"),
    "global-latent": ("model_options.spatial_channels=1", "surroundings=mean", "model_options.global_dim=1152"),
    "spatial-latent": ("model_options.global_dim=0",),
    "no-feature-matching": ("losses.feature_matching=0",),
    "diffaugment": ("diff_augment=color,translation,cutout",),
    "hinge": ("adversarial=hinge",),
    "bce": ("adversarial=bce",),
    "no-anchor-no-cycle": ("losses.anchor=0", "losses.cycle=0"),
    "no-acai": ("losses.mixing=0",),
    "mean-surroundings": ("surroundings=mean",),
    "two-parents": ("parents=2",),
}
"""What each variant changes; lines of `featureblend train --set`."""


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
    parser.add_argument("--minutes", type=float, default=3, help="wall time of each variant")
    parser.add_argument("--first-minutes", type=float, default=6, help="wall time of the reconstruction before all")
    parser.add_argument("--only", nargs="+", choices=list(VARIANTS), default=list(VARIANTS))
    parser.add_argument("--protocol", default="pairs200_validation")
    options = parser.parse_args(words)
    runs, models = options.out / "runs", options.out / "models"
    data, first = ("--data", options.faces), runs / "reconstruction"
    if not (options.out / "first-done").exists():
        settings = ("--set", *SMALL, "images=60000", "batch_size=16")
        featureblend(
            "train",
            "--preset",
            "modern-reconstruct",
            *data,
            "--run",
            first,
            "--resume",
            "--minutes",
            options.first_minutes,
            "--quiet",
            *settings,
        )
        (options.out / "first-done").touch()
    for name in options.only:
        if (models / name).exists():
            continue
        featureblend(
            "train",
            "--preset",
            "modern",
            *data,
            "--run",
            runs / name,
            "--init",
            first,
            "--resume",
            "--minutes",
            options.minutes,
            "--quiet",
            "--set",
            *SMALL,
            *ADVERSARIAL,
            *VARIANTS[name],
        )
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
