"""The model card: what a model was made from, what it can do as measured, what it must not be taken for."""

from __future__ import annotations

import json

from .model_folder import ModelConfig

__all__ = ["model_card"]

FIGURES = {
    "faces": "held-out faces (people never trained on)",
    "psnr": "PSNR of reconstructions, dB",
    "psnr_mean_face": "PSNR of predicting the mean face, dB",
    "ssim": "SSIM of reconstructions",
    "sharpness": "sharpness of reconstructions, real = 1",
    "blend_sharpness": "sharpness of halfway blends, real = 1",
    "onnx_largest_difference": "largest pixel difference between ONNX and torch, of 255",
}
"""What each key of `ModelConfig.metrics` means."""


def model_card(config: ModelConfig) -> str:
    """Write the card of a model in Markdown, from its settings alone.

    Parameters
    ----------
    config : ModelConfig

    Returns
    -------
    str
    """
    training = config.training
    rows = "\n".join(f"| {FIGURES.get(key, key)} | {value} |" for key, value in config.metrics.items())
    before = training.get("started_from")
    stage = f"\nIt started from the weights of: {json.dumps(before)}.\n" if before else ""
    return f"""# {config.name}

An autoencoder of {config.image_size} x {config.image_size} px faces, made for blending: the decoded weighted mean of
several faces' latents ({config.latent_dim} numbers each) is the blend. Weights: {config.licence} licence.

## Training

- Preset: `{config.experiment.get("name", "?")}`, {training.get("images_seen", 0):,} images in {training.get("steps", 0):,}
  steps of {config.experiment.get("batch_size", "?")}, {training.get("minutes", 0)} minutes on {training.get("hardware", "?")},
  torch {training.get("torch", "?")}, seed {config.experiment.get("seed", "?")}.
- Data: {config.data or "see the hash"} (SHA-256 over the prepared shards: `{training.get("data_sha256", "?")[:16]}...`).
{stage}
## Measured, on people of the test split

| | |
|---|---|
{rows}

## Limits

- Faces only, one at a time, seen roughly from the front; glasses, hands, microphones and hats blend badly.
- Trained on press photos of public figures: mostly men, mostly white, mostly aged 30 to 60. It reconstructs other
  people worse, and its blends drift towards the faces it saw most.
- A blend is a synthetic picture. It must not be used to impersonate anyone, or to pass identity checks.
- The faces were found and aligned with dlib's 68-point model, which was trained on 300-W, a data set for research.
"""
