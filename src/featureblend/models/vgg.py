"""The paper's VGG11 variant: configuration A as the encoder, and its mirror image as the decoder.

Paper: "Feature Blending with Variational Autoencoders and Generative Adversarial Networks", section 2.2, which
takes VGG11 with pretrained weights as the encoder and finds that the results "actually worsened".
Encoder: Simonyan & Zisserman 2014, "Very Deep Convolutional Networks for Large-Scale Image Recognition", table 1,
column A, without its classifier; the BatchNorm form is torchvision's.
The authors' code (Lahav174/face-merger, vae_vgg.py) adds: it was the BatchNorm form; images were cropped to 224 px and
given in [0, 1], without the ImageNet statistics that the weights were trained with; two heads of 4096; a decoder
of nine transposed convolutions that ends in BatchNorm, ReLU and sigmoid, so that no value below 1/2 can come out.

Weights are not part of this project. torchvision's files (BSD 3-clause; trained on ImageNet, whose terms allow
non-commercial research only) load by `VGG11Encoder.load_torchvision_vgg11`.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from ..errors import FeatureblendError
from ..files import sha256 as file_sha256

__all__ = ["VGG11Decoder", "VGG11Encoder", "vgg11_sizes"]

_CONFIGURATION_A = (64, "M", 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M")
"""Output channels of each 3 x 3 convolution; M is a 2 x 2 maximum pooling."""

_IMAGENET_MEAN, _IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of red, green and blue in [0, 1], as torchvision's weights expect them taken off."""


def vgg11_sizes(image_size: int) -> tuple[int, ...]:
    """Return the side of the feature map before the first pooling and after each of the five.

    Raises
    ------
    FeatureblendError
        If the image is smaller than 32 px.

    Examples
    --------
    >>> vgg11_sizes(250)
    (250, 125, 62, 31, 15, 7)
    """
    if image_size < 32:
        raise FeatureblendError(f"image_size {image_size} is too small for VGG11: use 32 or more")
    return tuple(image_size >> halvings for halvings in range(6))


class VGG11Encoder(nn.Module):
    """Convolutions of VGG11, named as torchvision names them (``features.N.weight``): 9,220,480 parameters.

    Parameters
    ----------
    batch_norm : bool
        Put BatchNorm after each convolution, as torchvision's ``vgg11_bn``: 5,504 parameters more.
    imagenet_statistics : bool
        Take ImageNet's mean off and divide by its deviation first, as pretrained weights expect.
    """

    def __init__(self, batch_norm: bool = False, imagenet_statistics: bool = False) -> None:
        super().__init__()
        self.batch_norm = batch_norm
        self.imagenet_statistics = imagenet_statistics
        layers: list[nn.Module] = []
        channels = 3
        for entry in _CONFIGURATION_A:
            if isinstance(entry, int):
                layers.append(nn.Conv2d(channels, entry, 3, padding=1))
                layers += [nn.BatchNorm2d(entry)] if batch_norm else []
                layers.append(nn.ReLU())
                channels = entry
            else:
                layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        # Not in the state dict, whose keys are to be torchvision's and no others.
        self.register_buffer("mean", torch.tensor(_IMAGENET_MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor(_IMAGENET_DEVIATION).view(3, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Turn (B, 3, S, S) in [0, 1] into the last feature map, (B, 512, S // 32, S // 32), at least 0."""
        if self.imagenet_statistics:
            images = (images - self.get_buffer("mean")) / self.get_buffer("deviation")
        return self.features(images)

    def load_torchvision_vgg11(self, path: str | os.PathLike[str], sha256: str | None = None) -> None:
        """Load the convolutions from a weights file of torchvision's ``vgg11`` (``vgg11_bn`` with BatchNorm).

        Parameters
        ----------
        path : path-like
            A ``.pth`` state dict, read without running any code in it, or ``.safetensors``.
            The classifier in it is ignored.
        sha256 : str or None
            What the file's SHA-256 must be, or its first 8 or more digits, as torchvision's file names hold them.

        Raises
        ------
        FeatureblendError
            If the file is missing, has another hash, cannot be read, or holds other weights.
            The network is then as it was.
        """
        path = Path(path)
        if not path.is_file():
            raise FeatureblendError(f"no such weights file: {path}")
        if sha256 is not None:
            _check_hash(path, sha256)
        found = {name: tensor for name, tensor in _read_tensors(path).items() if name.startswith("features.")}
        own = self.state_dict()
        name = "vgg11_bn" if self.batch_norm else "vgg11"
        for key in sorted(own.keys() | found.keys()):
            # Files from before PyTorch 0.4.1 lack this counter, which changes no output.
            if key.endswith("num_batches_tracked") and key not in found:
                found[key] = own.get(key, torch.tensor(0))
            if key not in own or key not in found or own[key].shape != found[key].shape:
                kind = (
                    "lacks" if key not in found else "has an unexpected" if key not in own else "has another shape of"
                )
                raise FeatureblendError(f"{path} does not hold the weights of torchvision's {name}: it {kind} {key}")
        self.load_state_dict(found, strict=True)


class VGG11Decoder(nn.Module):
    """Mirror image of VGG11: nearest upsampling to each pooling's input size, and transposed convolutions.

    Parameters
    ----------
    latent_dim : int
    image_size : int
        At least 32; a multiple of 32 doubles the size at every step.
    final_batch_norm : bool
        End in BatchNorm, as the authors' code.
    """

    def __init__(self, latent_dim: int, image_size: int, final_batch_norm: bool = True) -> None:
        super().__init__()
        *sizes, smallest = vgg11_sizes(image_size)
        self.expand = nn.Linear(latent_dim, 512 * smallest * smallest)
        self.shape = (512, smallest, smallest)
        self.layers = nn.Sequential(
            *(nn.Upsample(size=sizes[4]), *_deconvolution(512, 512)),
            *(nn.Upsample(size=sizes[3]), *_deconvolution(512, 512), *_deconvolution(512, 512)),
            *(nn.Upsample(size=sizes[2]), *_deconvolution(512, 256), *_deconvolution(256, 256)),
            *(nn.Upsample(size=sizes[1]), *_deconvolution(256, 128)),
            *(nn.Upsample(size=sizes[0]), *_deconvolution(128, 64), nn.ConvTranspose2d(64, 3, 3, padding=1)),
            nn.BatchNorm2d(3) if final_batch_norm else nn.Identity(),
        )

    def forward(self, latent: Tensor) -> Tensor:
        """Turn (B, latent_dim) into logits of pixels, (B, 3, image_size, image_size)."""
        return self.layers(self.expand(latent).unflatten(1, self.shape))


def _deconvolution(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    return nn.ConvTranspose2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU()


def _check_hash(path: Path, wanted: str) -> None:
    wanted = wanted.lower()
    if not 8 <= len(wanted) <= 64 or set(wanted) - set("0123456789abcdef"):
        raise FeatureblendError(f"{wanted!r} is no SHA-256: 64 hexadecimal digits are due, or the first 8 or more")
    digest = file_sha256(path)
    if not digest.startswith(wanted):
        raise FeatureblendError(f"{path} is not the file that was asked for: its SHA-256 is {digest}, not {wanted}")


def _read_tensors(path: Path) -> Mapping[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError, SafetensorError) as error:
        raise FeatureblendError(f"cannot read weights from {path}: damaged, or not a file of weights alone") from error
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise FeatureblendError(f"cannot use {path}: a state dict is due, names and tensors")
    return state
