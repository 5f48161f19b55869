"""Networks: the paper's, ours, and what lies between encoder and decoder. Needs torch (extra ``train``)."""

from .autoencoder import (
    AUTOENCODERS,
    DISCRIMINATORS,
    LATENT_DISCRIMINATORS,
    build,
    channels_last,
)
from .latent import GaussianPosterior
from .vgg import VGGFeatures

__all__ = [
    "AUTOENCODERS",
    "DISCRIMINATORS",
    "LATENT_DISCRIMINATORS",
    "GaussianPosterior",
    "VGGFeatures",
    "build",
    "channels_last",
]
