"""VGG: the paper's VGG11 variant, its mirror image as the decoder, and the features of a perceptual loss.

Paper: "Feature Blending with Variational Autoencoders and Generative Adversarial Networks", section 2.2, which
takes VGG11 with pretrained weights as the encoder and finds that the results "actually worsened".
Encoder: Simonyan & Zisserman 2014, "Very Deep Convolutional Networks for Large-Scale Image Recognition", table 1,
column A, without its classifier; the BatchNorm form is torchvision's. Column D, VGG16, is what Johnson et al. 2016
(the paper's reference 6) take for their perceptual loss.
The authors' code (Lahav174/face-merger, vae_vgg.py) adds: it was the BatchNorm form; images were cropped to 224 px and
given in [0, 1], without the ImageNet statistics that the weights were trained with; two heads of 4096; a decoder
of nine transposed convolutions that ends in BatchNorm, ReLU and sigmoid, so that no value below 1/2 can come out.

Weights are not part of this project. torchvision's files (BSD 3-clause; trained on ImageNet, whose terms allow
non-commercial research only) load by `VGGConvolutions.load_weights`, which checks their hash. So does the VGG16 of
shift-tolerant LPIPS (Ghildyal & Liu 2022, "Shift-tolerant Perceptual Similarity Metric"), which PyPI's stlpips_pytorch
0.0.2 (BSD 2-clause) holds and the extra 'train' brings: 'vgg16_st' here. It has torchvision's convolutions and takes
pictures normalised alike. It differs in its weights, which were learned anew with the metric, and in each of the first
four poolings: the maximum moves on by one pixel, and a blur by (1, 2, 1) / 4 over a mirrored border of two halves the
size, so that every later map is a pixel larger. It holds no fifth pooling; as an encoder it gets VGG's own.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from ...errors import FeatureblendError
from ...io.files import sha256 as file_sha256
from ...metrics.lpips import Blur, known_name
from ...metrics.weights import installed_weights, load_fitting, read_tensors

_CONFIGURATION_A = (64, "M", 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M")
"""Output channels of each 3 x 3 convolution; M is a 2 x 2 maximum pooling."""
_CONFIGURATION_D = (64, 64, "M", 128, 128, "M", *(256, 256, 256), "M", *(512, 512, 512), "M", *(512, 512, 512), "M")
_CONFIGURATIONS = {"vgg11": _CONFIGURATION_A, "vgg16": _CONFIGURATION_D}

VGG_HASHES: Mapping[str, tuple[str, ...]] = {
    "vgg11": ("8a719046", "bbd30ac9"),
    "vgg11_bn": ("6002323d",),
    "vgg16": ("397923af",),
    "vgg16_bn": ("6c64b313",),
    "vgg16_st": ("44597da6",),
}
"""How the SHA-256 of weights files begin: torchvision's, by the end of their names, such as ``vgg11-8a719046.pth``, and
that of `SHIFT_TOLERANT`."""

SHIFT_TOLERANT = "vgg_shift_tolerant.pth"
"""The file of 'vgg16_st' in stlpips_pytorch."""

_IMAGENET_MEAN, _IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of red, green and blue in [0, 1], as torchvision's weights expect them taken off."""


def vgg_sizes(image_size: int, name: str = "vgg11") -> tuple[int, ...]:
    """The side of the feature map before the first pooling and after each of the five.

    Raises
    ------
    FeatureblendError
        If the image is smaller than 32 px.

    Examples
    --------
    >>> vgg_sizes(250), vgg_sizes(128, "vgg16_st")
    ((250, 125, 62, 31, 15, 7), (128, 65, 33, 17, 9, 4))
    """
    if image_size < 32:
        raise FeatureblendError(f"image_size {image_size} is too small for a VGG: use 32 or more")
    sizes = [image_size]
    for place in range(5):
        sizes.append(sizes[-1] // 2 + (name == "vgg16_st" and place < 4))
    return tuple(sizes)


def vgg_weights(name: str, named: str = "") -> str:
    """The file of a network's weights: the one named, or for 'vgg16_st' the installed one; empty if there is none."""
    return named or (installed_weights(SHIFT_TOLERANT) if name == "vgg16_st" else "")


def vgg_width(channels: int, width: float) -> int:
    """Scale a number of channels; at least 1."""
    return max(1, round(channels * width))


class VGGConvolutions(nn.Module):
    """Convolutions of a VGG, named as torchvision names them (``features.N.weight``).

    Parameters
    ----------
    name : {'vgg11', 'vgg11_bn', 'vgg16', 'vgg16_bn', 'vgg16_st'}
        ``_bn`` puts BatchNorm after each convolution; ``_st`` is shift-tolerant.
    imagenet_statistics : bool
        Take ImageNet's mean off and divide by its deviation first, as pretrained weights expect.
    width : float
        Channels over the table's; pretrained weights fit 1 alone.

    Raises
    ------
    FeatureblendError
        If there is no such network here.
    """

    def __init__(self, name: str, imagenet_statistics: bool = False, width: float = 1.0) -> None:
        super().__init__()
        table, _, norm = name.partition("_")
        if name not in VGG_HASHES:
            raise FeatureblendError(f"no such network: {name!r}; use one of {', '.join(VGG_HASHES)}")
        self.name = name
        self.batch_norm = norm == "bn"
        self.imagenet_statistics = imagenet_statistics
        layers: list[nn.Module] = []
        channels = 3
        for entry in _CONFIGURATIONS[table]:
            if isinstance(entry, int):
                outputs = vgg_width(entry, width)
                convolution = nn.Conv2d(channels, outputs, 3, padding=1)
                # As torchvision's: without it, and without BatchNorm, hardly anything is left of an image at the end.
                nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
                nn.init.zeros_(convolution.bias)  # type: ignore[arg-type]  # there is a bias
                layers.append(convolution)
                layers += [nn.BatchNorm2d(outputs)] if self.batch_norm else []
                layers.append(nn.ReLU())
                channels = outputs
            elif norm == "st" and sum(isinstance(layer, nn.MaxPool2d) for layer in layers) < 4:
                layers += [nn.MaxPool2d(2, 1), Blur(channels)]
            else:
                layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        # Not in the state dict, whose keys are to be torchvision's and no others.
        self.register_buffer("mean", torch.tensor(_IMAGENET_MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor(_IMAGENET_DEVIATION).view(3, 1, 1), persistent=False)

    def normalised(self, images: Tensor) -> Tensor:
        """Turn (B, 3, S, S) in [0, 1] into what the first convolution takes."""
        if self.imagenet_statistics:
            images = (images - self.get_buffer("mean")) / self.get_buffer("deviation")
        return images

    def forward(self, images: Tensor) -> Tensor:
        """Turn (B, 3, S, S) in [0, 1] into the last feature map, (B, 512, S // 32, S // 32), at least 0."""
        return self.features(self.normalised(images))

    def load_weights(self, path: str | os.PathLike[str], sha256: str | None = None) -> None:
        """Load the convolutions from the published weights file of the network of that name.

        Parameters
        ----------
        path : path-like
            A ``.pth`` state dict, read without running any code in it, or ``.safetensors``.
            The classifier in it is ignored.
        sha256 : str or None
            What the file's SHA-256 must be, or its first 8 or more digits, as torchvision's file names hold them;
            ``"torchvision"`` for one of `VGG_HASHES` (which holds another publisher's, too); None checks nothing.

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
            _check_hash(path, VGG_HASHES[self.name] if sha256 == "torchvision" else (sha256,))
        tensors = {known_name(name): tensor for name, tensor in read_tensors(path).items()}
        load_fitting(self, tensors, str(path), f"weights of {_publisher(self.name)} {self.name}")


class VGGFeatures(nn.Module):
    """Frozen VGG features for a perceptual loss: the maps before each of its first four poolings.

    In VGG16 these are the layers relu1_2, relu2_2, relu3_3 and relu4_3 of Johnson et al. 2016, section 3.

    Parameters
    ----------
    name : str
        As `VGGConvolutions`.
    weights : path-like or None
        The weights file. None keeps random weights, fixed by `seed`: He, Wang & Hopcroft 2016, "A Powerful
        Generative Model Using Random Weights for the Deep Image Representation", find them of use, trained ones
        of more.
    sha256 : str or None
        As `VGGConvolutions.load_weights`.
    width : float
        Channels over the table's; 1 where there are weights.
    seed : int
        Of random weights.

    Raises
    ------
    FeatureblendError
        If the file is missing or is another one.

    Examples
    --------
    >>> [maps.shape[1] for maps in VGGFeatures("vgg11", width=0.125)(torch.zeros(1, 3, 32, 32))]
    [8, 16, 32, 64]
    """

    def __init__(
        self,
        name: str = "vgg16",
        weights: str | os.PathLike[str] | None = None,
        sha256: str | None = "torchvision",
        width: float = 1.0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):  # the weights of networks made later stay what they were without this
            torch.manual_seed(seed)
            network = VGGConvolutions(name, imagenet_statistics=True, width=width)
        if weights is not None:
            network.load_weights(weights, sha256)
        last = [place for place, layer in enumerate(network.features) if isinstance(layer, nn.MaxPool2d)][3]
        network.features = nn.Sequential(*list(network.features)[:last])
        self.network = network.eval().requires_grad_(False)

    def train(self, mode: bool = True) -> VGGFeatures:
        """Stay in evaluation mode."""
        return super().train(False)

    def forward(self, images: Tensor) -> list[Tensor]:
        """The four maps of (B, 3, S, S) in [-1, 1], with S at least 8, from fine to coarse."""
        values = self.network.normalised((images + 1) / 2)
        maps = []
        for layer in self.network.features:
            if isinstance(layer, nn.MaxPool2d):
                maps.append(values)
            values = layer(values)
        return [*maps, values]


class VGG11Decoder(nn.Module):
    """Mirror image of VGG11, for every VGG encoder: nearest upsampling to each pooling's input, then convolutions.

    Parameters
    ----------
    latent_dim : int
    image_size : int
        At least 32; a multiple of 32 doubles the size at every step.
    final_batch_norm : bool
        End in BatchNorm, as the authors' code.
    width : float
        Channels over the table's.
    """

    def __init__(self, latent_dim: int, image_size: int, final_batch_norm: bool = True, width: float = 1.0) -> None:
        super().__init__()
        *sizes, smallest = vgg_sizes(image_size)
        c64, c128, c256, c512 = (vgg_width(channels, width) for channels in (64, 128, 256, 512))
        self.expand = nn.Linear(latent_dim, c512 * smallest * smallest)
        self.shape = (c512, smallest, smallest)
        self.layers = nn.Sequential(
            *(nn.Upsample(size=sizes[4]), *_deconvolution(c512, c512)),
            *(nn.Upsample(size=sizes[3]), *_deconvolution(c512, c512), *_deconvolution(c512, c512)),
            *(nn.Upsample(size=sizes[2]), *_deconvolution(c512, c256), *_deconvolution(c256, c256)),
            *(nn.Upsample(size=sizes[1]), *_deconvolution(c256, c128)),
            *(nn.Upsample(size=sizes[0]), *_deconvolution(c128, c64), nn.ConvTranspose2d(c64, 3, 3, padding=1)),
            nn.BatchNorm2d(3) if final_batch_norm else nn.Identity(),
        )

    def forward(self, latent: Tensor) -> Tensor:
        """Turn (B, latent_dim) into logits of pixels, (B, 3, image_size, image_size)."""
        return self.layers(self.expand(latent).unflatten(1, self.shape))


def _deconvolution(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    return nn.ConvTranspose2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU()


def _publisher(name: str) -> str:
    return "stlpips_pytorch's" if name == "vgg16_st" else "torchvision's"


def _check_hash(path: Path, wanted: tuple[str, ...]) -> None:
    wanted = tuple(one.lower() for one in wanted)
    for one in wanted:
        if not 8 <= len(one) <= 64 or set(one) - set("0123456789abcdef"):
            raise FeatureblendError(f"{one!r} is no SHA-256: expected 64 hexadecimal digits, or the first 8 or more")
    digest = file_sha256(path)
    if not digest.startswith(wanted):
        raise FeatureblendError(
            f"{path} is not the file that was asked for: its SHA-256 is {digest}, not {' or '.join(wanted)}"
        )
