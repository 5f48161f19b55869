"""The paper's networks, layer for layer: encoder, decoder and discriminator.

Paper: Salomon Ruiz & Lipson, "Feature Blending with Variational Autoencoders and Generative Adversarial Networks",
sections 2.2 (the encoder's table; the decoder is its mirror image) and 2.3 (discriminator).

The authors' code (Lahav174/face-merger, AVCAE.py and AVCAE_wasserstein.py) settles what the text leaves open:

- padding 1 at the first convolution, 0 at the others: 250 -> 246 -> 240 -> 120 -> 112 -> 104 -> 52 -> 44 -> 36 -> 18,
  and 32 * 18 * 18 is the table's 10,368;
- the decoder upsamples by the nearest neighbour, and its last chunk ends in BatchNorm(3) and the sigmoid, with no ReLU;
- two heads straight from the 10,368 features, to 2,000 (AVCAE.py) or 5,000 numbers (AVCAE_wasserstein.py), where the
  text has one layer to 2,000, two heads that "preserve length", and then "a new vector of length 200";
- what the text calls the deviation is the logarithm of the variance;
- the discriminator of AVCAE.py had one convolution a chunk; that of AVCAE_wasserstein.py is the text's.

The paper works on pixels in [0, 1] and ends in a sigmoid; the project's networks take and give [-1, 1]: the modules
here turn x into (x + 1) / 2 on the way in and the sigmoid s into 2 s - 1 on the way out.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ...errors import FeatureblendError
from ...io.tables import check_choice
from .blocks import MinibatchDiscrimination
from .latent import GaussianPosterior
from .paper_layers import PaperDecoder, PaperTrunk, paper_sizes, paper_widths
from .vgg import VGG11Decoder, VGGConvolutions, vgg_sizes, vgg_width


@dataclass(frozen=True)
class PaperConfig:
    """Every reading of the paper's autoencoder; the defaults are the text, with its flaw.

    Raises
    ------
    FeatureblendError
        If a value is out of its range, or the image too small for the convolutions.

    Examples
    --------
    The authors' code; its flaw fixed; aligned faces of 128 px; section 2.2's VGG11 as the code has it:

    >>> code = PaperConfig(feature_dim=None, latent_dim=5000)
    >>> meant = PaperConfig(feature_dim=None, latent_dim=5000, final_batch_norm=False)
    >>> small = PaperConfig(image_size=128, padding="same")
    >>> vgg = PaperConfig(224, 4096, None, encoder="vgg11_bn", output="relu_sigmoid")
    >>> code.feature_map, small.feature_map, vgg.feature_map
    ((32, 18, 18), (32, 16, 16), (512, 7, 7))
    """

    image_size: int = 250
    """Side of the square images in pixels."""
    latent_dim: int = 200
    """Numbers in a latent: the text's 200; its other reading and AVCAE.py have 2000, AVCAE_wasserstein.py 5000."""
    feature_dim: int | None = 2000
    """Outputs of the encoder's fully connected layer, the table's last row; None: heads straight from the features."""
    variational: bool = True
    """A mean and a variance for each latent; False is section 2.2's standard autoencoder."""
    final_batch_norm: bool = True
    """End the decoder in BatchNorm(3), as published: it pins each channel's mean logit. False is as meant."""
    output: str = "sigmoid"
    """'sigmoid', or 'relu_sigmoid' as the VGG11 run was published: no pixel darker than middle grey."""
    encoder: str = "paper"
    """'paper', 'vgg11' (the text), 'vgg11_bn' (what the code loaded) or 'vgg16_st' (whose weights are at hand); the
    decoder is the encoder's mirror image, VGG11's for each of these."""
    imagenet_statistics: bool = False
    """VGG11: normalise images as its pretrained weights expect, which the published run did not."""
    padding: str = "paper"
    """'paper': 1 at the first convolution, else 0, for 114 px or more; 'same': keep sizes, for 8 px or more."""
    width: float = 1.0
    """Channels over the tables'; VGG11's too."""
    extra: int = 0
    """Further 3 x 3 convolutions in each chunk, each after a ReLU: section 2.2's effort "to mirror VGG"."""
    multi_scale: bool = False
    """Concatenate each convolution's output with that of the layer before it (section 4)."""

    def __post_init__(self) -> None:
        check_choice(self.output, "output", ("sigmoid", "relu_sigmoid"))
        check_choice(self.encoder, "encoder", ("paper", "vgg11", "vgg11_bn", "vgg16_st"))
        for name, value in (("latent_dim", self.latent_dim), ("feature_dim", self.feature_dim)):
            if value is not None and value < 1:
                raise FeatureblendError(f"{name} must be at least 1, not {value}")
        _check_sizes(self.width, self.extra)
        if self.encoder != "paper" and (self.extra or self.multi_scale):
            raise FeatureblendError(f"extra and multi_scale change the paper's tables, not encoder={self.encoder!r}")
        _ = self.feature_map  # refuses an image that is too small

    @property
    def feature_map(self) -> tuple[int, int, int]:
        """Channels, height and width of what the encoder's convolutions give."""
        if self.encoder == "paper":
            channels = paper_widths(self.width)[-1] * (2 if self.multi_scale else 1)
            return channels, *(paper_sizes(self.image_size, self.padding)[-1],) * 2
        return vgg_width(512, self.width), *(vgg_sizes(self.image_size, self.encoder)[-1],) * 2


@dataclass(frozen=True)
class PaperDiscriminatorConfig:
    """The paper's discriminator; the defaults are the text. Refuses what `PaperConfig` refuses."""

    image_size: int = 250
    """Side of the square images in pixels."""
    batch_norm: bool = True
    """Normalise over the batch in each chunk, as published; it mixes samples, so a gradient penalty wants False."""
    padding: str = "paper"
    """As `PaperConfig.padding`."""
    width: float = 1.0
    """Channels of the convolutions over the table's."""
    extra: int = 0
    """As `PaperConfig.extra`."""
    multi_scale: bool = False
    """As `PaperConfig.multi_scale`."""
    minibatch_kernels: int = 0
    """Kernels of minibatch discrimination after the first fully connected layer (section 4); 0 leaves it out."""

    def __post_init__(self) -> None:
        _check_sizes(self.width, self.extra)
        if self.minibatch_kernels < 0:
            raise FeatureblendError(f"minibatch_kernels must be at least 0, not {self.minibatch_kernels}")
        paper_sizes(self.image_size, self.padding)


def _check_sizes(width: float, extra: int) -> None:
    if not width > 0 or extra < 0:
        raise FeatureblendError(f"width must be more than 0 and extra at least 0, not {width} and {extra}")


class PaperAutoencoder(nn.Module):
    """The paper's autoencoder, variational or plain (section 2.2).

    Parameters
    ----------
    config : PaperConfig or None
        None is the text, with its flaw, at 250 px.

    Notes
    -----
    The flaw: after the last BatchNorm a channel's mean logit over a batch is that layer's shift, which starts at 0;
    faces of LFW need about 0.13, -0.31 and -0.61. Adam moves a parameter by about its learning rate a step, so the
    some 3,050 steps of 5e-5 that the published Wasserstein run made could move it by about 0.15.

    Examples
    --------
    >>> model = PaperAutoencoder(PaperConfig(image_size=16, latent_dim=4, feature_dim=8, padding="same")).eval()
    >>> latent = model.encode(torch.zeros(2, 3, 16, 16))
    >>> latent.shape, model.decode(latent).shape
    (torch.Size([2, 4]), torch.Size([2, 3, 16, 16]))
    """

    def __init__(self, config: PaperConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or PaperConfig()
        self.image_size = config.image_size
        channels, height, width = config.feature_map
        features = channels * height * width  # 32 * 18 * 18 = 10,368
        heads = config.feature_dim or features
        self.trunk: nn.Module
        self.decoder: nn.Module
        if config.encoder == "paper":
            self.trunk = PaperTrunk(config)
            self.decoder = PaperDecoder(config)
        else:
            self.trunk = VGGConvolutions(config.encoder, config.imagenet_statistics, config.width)
            self.decoder = VGG11Decoder(config.latent_dim, config.image_size, config.final_batch_norm, config.width)
        self.project = nn.Linear(features, heads) if config.feature_dim else nn.Identity()
        self.mean = nn.Linear(heads, config.latent_dim)
        self.log_variance = nn.Linear(heads, config.latent_dim) if config.variational else None

    def posterior(self, images: Tensor) -> GaussianPosterior:
        """Encode images (B, 3, image_size, image_size) in [-1, 1] as Gaussians over latents (B, latent_dim).

        Raises
        ------
        FeatureblendError
            If the images have another shape.
        """
        hidden = self.project(self.trunk(_to_unit(images, self.image_size)).flatten(1))
        return GaussianPosterior(self.mean(hidden), None if self.log_variance is None else self.log_variance(hidden))

    def encode(self, images: Tensor) -> Tensor:
        """Encode images (B, 3, image_size, image_size) in [-1, 1] as mean latents (B, latent_dim), never samples."""
        return self.posterior(images).mean

    def decode(self, latent: Tensor) -> Tensor:
        """Decode latents (B, latent_dim) into images (B, 3, image_size, image_size) in [-1, 1]."""
        logits = self.decoder(latent)
        if self.config.output == "relu_sigmoid":
            logits = torch.relu(logits)
        return 2 * torch.sigmoid(logits) - 1

    def forward(self, images: Tensor) -> Tensor:
        """Reconstruct images (B, 3, image_size, image_size) in [-1, 1] from their mean latents."""
        return self.decode(self.encode(images))

    def load_vgg(self, path: str | os.PathLike[str], sha256: str | None = None) -> None:
        """Start the encoder from pretrained weights: `VGGConvolutions.load_weights`, whose errors it raises."""
        if not isinstance(self.trunk, VGGConvolutions):
            raise FeatureblendError(f"weights of a VGG do not fit encoder={self.config.encoder!r}: use 'vgg11'")
        self.trunk.load_weights(path, sha256)


class PaperDiscriminator(nn.Module):
    """The paper's discriminator (section 2.3): the encoder's convolutions and three fully connected layers.

    The table's last row, a sigmoid, is left to the loss: binary cross entropy takes logits, which keeps its
    gradient where a sigmoid is saturated, and the Wasserstein loss has no sigmoid (section 2.4).
    Without a configuration it is the text's, at 250 px.
    """

    def __init__(self, config: PaperDiscriminatorConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or PaperDiscriminatorConfig()
        self.image_size = config.image_size
        kernels = config.minibatch_kernels
        self.mixes_samples = config.batch_norm or kernels > 0  # a logit then depends on the rest of the batch
        self.trunk = PaperTrunk(config, config.batch_norm)
        features = self.trunk.channels * paper_sizes(config.image_size, config.padding)[-1] ** 2
        self.hidden1 = nn.Linear(features, 250)
        self.minibatch = MinibatchDiscrimination(250, kernels) if kernels else nn.Identity()
        self.hidden2 = nn.Linear(250 + kernels, 80)
        self.logit = nn.Linear(80, 1)

    def features(self, images: Tensor) -> list[Tensor]:
        """Maps for feature matching, from fine to coarse, of (B, 3, image_size, image_size) in [-1, 1].

        Returns
        -------
        list of five tensors
            Three pooled maps, (B, 8, ...), (B, 16, ...) and (B, 32, ...); then (B, 250) and (B, 80). All at least 0.
        """
        maps = self.trunk.maps(_to_unit(images, self.image_size))
        wide = torch.relu(self.hidden1(maps[-1].flatten(1)))
        return [*maps, wide, torch.relu(self.hidden2(self.minibatch(wide)))]

    def judge(self, images: Tensor) -> tuple[Tensor, None, list[Tensor]]:
        """Float32 logits (B,), None (this discriminator estimates no mixing), and the `features`."""
        maps = self.features(images)
        return self.logit(maps[-1]).squeeze(1).float(), None, maps

    def forward(self, images: Tensor) -> Tensor:
        """A raw logit for each image, (B,): high where it looks real."""
        return self.judge(images)[0]


def _to_unit(images: Tensor, size: int) -> Tensor:
    """Check the shape, and turn the project's [-1, 1] into the paper's [0, 1]."""
    if images.ndim != 4 or images.shape[1:] != (3, size, size):
        raise FeatureblendError(f"expected images of shape (B, 3, {size}, {size}), not {tuple(images.shape)}")
    return (images + 1) / 2
