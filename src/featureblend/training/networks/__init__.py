"""Networks: the paper's, ours, and what lies between encoder and decoder. Needs torch (extra ``train``)."""

from .autoencoder import (
    AUTOENCODERS,
    DISCRIMINATORS,
    LATENT_DISCRIMINATORS,
    build,
    channels_last,
    load_autoencoder,
    parameter_count,
    save_autoencoder,
)
from .latent import GaussianPosterior, lerp, norm_preserving_mean, slerp, weighted_mean
from .vgg import VGGFeatures

__all__ = [
    "AUTOENCODERS",
    "DISCRIMINATORS",
    "LATENT_DISCRIMINATORS",
    "GaussianPosterior",
    "VGGFeatures",
    "build",
    "channels_last",
    "lerp",
    "load_autoencoder",
    "norm_preserving_mean",
    "parameter_count",
    "save_autoencoder",
    "slerp",
    "weighted_mean",
]
