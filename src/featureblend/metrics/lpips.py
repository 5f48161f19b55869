"""LPIPS, the learned distance of pictures, as two tables of networks; the weights come from files.

A file of an image classifier (AlexNet or VGG-16 as torchvision publishes them) and a small file of linear heads
(version 0.1 of richzhang/PerceptualSimilarity, BSD-2-Clause), which torchmetrics brings along. One file that holds
both serves as well. The shift-tolerant LPIPS (S. Ghildyal and F. Liu, "Shift-tolerant perceptual similarity metric",
ECCV 2022) is one such file: an AlexNet of its own weights, whose first convolution looks at every pixel and which
blurs before each step to half the size (R. Zhang 2019, "Making convolutional networks shift-invariant again").

Source: R. Zhang, P. Isola, A. A. Efros, E. Shechtman and O. Wang, "The unreasonable effectiveness of deep features as a
perceptual metric", CVPR 2018. AlexNet: A. Krizhevsky 2014, arXiv:1404.5997; VGG: K. Simonyan and A. Zisserman, ICLR
2015. Weights: trained on ImageNet; the heads on people's judgements of distorted patches.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ..errors import FeatureblendError
from .inputs import Pictures, as_stack
from .weights import WeightsFile, find_weights, fit_weights, read_tensors

PUBLISHED = {
    "7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02": "alexnet-owt-7be5be79",
    "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0": "vgg16-397923af",
    "df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0": "LPIPS v0.1 alex",
    "a78928a0af1e5f0fcb1f3b9e8f8c3a2a5a3de244d830ad5c1feddc79b8432868": "LPIPS v0.1 vgg",
    "b356b382f96010f77d085ee8343ecd9fd322d0a56e8de2b2d0549fafcad8b9ee": "ST LPIPS v0.0 alex",
    "44597da68f49c1837c100ff52299050f274d102eb102e5837178c79be6f0e250": "ST LPIPS v0.0 vgg",
}
"""Names by SHA-256: torchvision's classifiers, the heads ``alex.pth`` and ``vgg.pth`` of LPIPS 0.1, and
``alex_shift_tolerant.pth`` and ``vgg_shift_tolerant.pth``, which hold both."""

LEAST_SIDE = 32
"""Smaller pictures leave nothing of the last maps."""

BATCH = 16
"""Pictures that pass the network at a time."""

# What torchvision calls "features", up to the last map that is compared; a "|" stands before each map's first part.
# A number is a convolution to so many channels, P a pooling, B a blur to half the size before the ReLU; every
# convolution is followed by a ReLU.
TABLES = {
    "shift-tolerant": "64 B | P 192 | P 384 | 256 | 256",
    "alex": "64 | P 192 | P 384 | 256 | 256",
    "vgg": "64 64 | P 128 128 | P 256 256 256 | P 512 512 512 | P 512 512 512",
}
TABLES["vgg-shift-tolerant"] = TABLES["vgg"]  # the poolings differ


class Lpips(nn.Module):
    """The distance of two pictures, by how unlike the maps of five layers are.

    Parameters
    ----------
    kind : {'alex', 'vgg', 'shift-tolerant', 'vgg-shift-tolerant'}

    Examples
    --------
    >>> sum(weight.numel() for weight in Lpips("alex").features.parameters())
    2469696
    >>> sum(weight.numel() for weight in Lpips("vgg").features.parameters())
    14714688
    """

    def __init__(self, kind: str) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        width, self.taps = 3, list[int]()
        for stage in TABLES[kind].split("|"):
            for word in stage.split():
                if word == "P":
                    layers += _pooling(kind, width)
                    continue
                if word == "B":
                    layers.insert(-1, Blur(width))
                    continue
                layers += [_convolution(kind, width, int(word)), nn.ReLU(inplace=False)]
                width = int(word)
            self.taps.append(len(layers) - 1)
        self.features = nn.Sequential(*layers)
        widths = [int(stage.rstrip(" B").split()[-1]) for stage in TABLES[kind].split("|")]
        for number, channels in enumerate(widths):
            # The published heads drop out before the convolution while they learn: hence its place, 1.
            head = nn.Sequential(nn.Dropout(), nn.Conv2d(channels, 1, 1, bias=False))
            self.add_module(f"lin{number}", nn.ModuleDict({"model": head}))
        self.register_buffer("shift", torch.tensor([-0.030, -0.088, -0.188]).view(3, 1, 1), persistent=False)
        self.register_buffer("scale", torch.tensor([0.458, 0.448, 0.450]).view(3, 1, 1), persistent=False)

    def maps(self, x: Tensor) -> list[Tensor]:
        """Return the five maps of (B, 3, H, W) pictures in [-1, 1], each pixel's channels of length 1."""
        x = (x - self.get_buffer("shift")) / self.get_buffer("scale")
        found = []
        for place, layer in enumerate(self.features):
            x = layer(x)
            if place in self.taps:
                wide = x.float()  # under autocast; the root's slope at 0 is infinite
                found.append(wide / ((wide.square().sum(dim=1, keepdim=True) + 1e-20).sqrt() + 1e-10))
        return found

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """(B, 3, H, W) pictures in [-1, 1] twice in, (B,) distances out."""
        total = first.new_zeros(len(first))
        for number, (a, b) in enumerate(zip(self.maps(first), self.maps(second), strict=True)):
            head = self.get_submodule(f"lin{number}.model")
            total = total + head((a - b).square()).mean(dim=(1, 2, 3))
        return total


class Blur(nn.Module):
    """Halve the size after a blur by (1, 2, 1) / 4 along both axes, over a mirrored border of two."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        taps = torch.tensor([1.0, 2.0, 1.0])
        kernel = (taps[:, None] * taps / 16).expand(channels, 1, 3, 3).clone()
        self.register_buffer("kernel", kernel, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) in, (B, C, H // 2 + 1, W // 2 + 1) out."""
        kernel = self.get_buffer("kernel").to(x.dtype)
        return functional.conv2d(functional.pad(x, [2] * 4, mode="reflect"), kernel, stride=2, groups=len(kernel))


def _pooling(kind: str, channels: int) -> list[nn.Module]:
    if kind.endswith("shift-tolerant"):
        return [nn.MaxPool2d(2 if kind.startswith("vgg") else 3, 1), Blur(channels)]
    return [nn.MaxPool2d(3 if kind == "alex" else 2, 2)]


def _convolution(kind: str, inputs: int, outputs: int) -> nn.Conv2d:
    vgg = kind.startswith("vgg")
    if not vgg and inputs == 3:
        return nn.Conv2d(inputs, outputs, 11, stride=4 if kind == "alex" else 1, padding=2)
    size = 5 if not vgg and inputs == 64 else 3
    return nn.Conv2d(inputs, outputs, size, padding=size // 2)


def find_lpips(words: Sequence[str]) -> tuple[WeightsFile, ...]:
    """Find the files of LPIPS; the heads that torchmetrics brings serve where none are given.

    Parameters
    ----------
    words : one or two str
        ``FILE`` or ``FILE#sha256=HASH``: the classifier, and the heads in any order, or one file with both.

    Returns
    -------
    tuple of WeightsFile

    Raises
    ------
    FeatureblendError
        As `find_weights`; or if no heads are to be had.
    """
    if len(words) > 2:
        raise FeatureblendError(f"LPIPS takes the classifier's file and the heads', not {len(words)} files")
    files = [find_weights(word, PUBLISHED, "LPIPS") for word in words]
    names = {name for file in files for name in map(known_name, read_tensors(file.path))}
    if any(name.startswith("lin") for name in names):
        return tuple(files)
    kind = _kind({name: value for file in files for name, value in read_tensors(file.path).items()}, files[0].path)
    spec = importlib.util.find_spec("torchmetrics")
    heads = Path(spec.origin).parent / f"functional/image/lpips_models/{kind}.pth" if spec and spec.origin else None
    if heads is None or not heads.is_file():
        raise FeatureblendError(
            f"{files[0].path} holds no linear heads: give those of LPIPS 0.1 ({kind}.pth) as a second file, "
            "or install torchmetrics, which brings them"
        )
    return (*files, find_weights(str(heads), PUBLISHED, "LPIPS"))


def load_lpips(files: Sequence[WeightsFile]) -> Lpips:
    """Build the network with the weights of files from `find_lpips`.

    Raises
    ------
    FeatureblendError
        If a file can't be read, or they hold another network.
    """
    tensors = {known_name(name): value for file in files for name, value in read_tensors(file.path).items()}
    source = " and ".join(file.path for file in files)
    kind = _kind(tensors, source)
    network = Lpips(kind)
    fit_weights(network, tensors, source, f"LPIPS ({kind})")
    return network


def known_name(name: str) -> str:
    """Give a tensor the name it has here, whichever library wrote it."""
    name = re.sub(r"^net\.slice\d+\.", "features.", name)  # LPIPS's own checkpoints
    return re.sub(r"^lins\.(\d+)\.", r"lin\1.", name)


def _kind(tensors: dict[str, Tensor], source: str) -> str:
    """Tell AlexNet from VGG-16 by the first convolution."""
    known = {known_name(name): value for name, value in tensors.items()}
    first = known.get("features.0.weight")
    kinds = {(64, 3, 11, 11): "alex", (64, 3, 3, 3): "vgg"}
    shape = None if first is None else tuple(first.shape)
    if "features.1.filt" in known:  # the blur after the first convolution
        kinds[64, 3, 11, 11] = "shift-tolerant"
    if "features.5.filt" in known:  # the blur after the first pooling
        kinds[64, 3, 3, 3] = "vgg-shift-tolerant"
    if shape not in kinds:
        what = "features.0.weight is missing" if shape is None else f"features.0.weight is {shape}"
        raise FeatureblendError(f"{source} holds neither AlexNet nor VGG-16 of torchvision: {what}")
    return kinds[shape]


@torch.inference_mode()
def lpips_distances(network: Lpips, first: Pictures, second: Pictures) -> np.ndarray:
    """Return the LPIPS distance of each picture to its partner.

    Parameters
    ----------
    network : Lpips
        From `load_lpips`.
    first, second : (N, H, W, 3) uint8 arrays, sequences of (H, W, 3), or one (H, W, 3)
        sRGB, at least 32 pixels a side; they are not resized.

    Returns
    -------
    (N,) float64 array
        0 (equal) upwards; about .7 for photos of two people. No metric: detours can be shorter.

    Raises
    ------
    FeatureblendError
        If sizes or counts differ, or the pictures are too small.
    """
    one, other = as_stack(first), as_stack(second)
    if one.shape != other.shape:
        raise FeatureblendError(f"LPIPS compares as many pictures of one size: {one.shape} and {other.shape}")
    if min(one.shape[1:3]) < LEAST_SIDE:
        raise FeatureblendError(f"LPIPS takes pictures of at least {LEAST_SIDE} pixels a side, not {one.shape[1:3]}")
    found = []
    for start in range(0, len(one), BATCH):
        batch = [torch.from_numpy(rows[start : start + BATCH].copy()) for rows in (one, other)]
        a, b = (rows.permute(0, 3, 1, 2).float().div(127.5) - 1 for rows in batch)
        found.append(network(a, b).double().numpy())
    return np.concatenate(found)
