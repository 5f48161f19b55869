"""The Inception network behind published FID and KID; its weights are read from a file.

The network is Inception v3 as Google released it on 2015-12-05, ported to PyTorch by M. Seitzer (pytorch-fid,
Apache-2.0; the same file serves torch-fidelity and torchmetrics). It differs from the Inception v3 that is used for
classification: the mean of a border pixel's neighbours leaves out what lies outside, and the last block pools by the
largest, not by the mean.

Sources: C. Szegedy, V. Vanhoucke, S. Ioffe, J. Shlens and Z. Wojna, "Rethinking the Inception architecture for
computer vision", CVPR 2016; M. Heusel et al. 2017 (FID). Weights: trained on ImageNet.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from .inputs import Pictures, as_stack
from .weights import WeightsFile, fit_weights, read_tensors

PUBLISHED = {
    "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2": "pt_inception-2015-12-05",
}
"""SHA-256 of ``pt_inception-2015-12-05-6726825d.pth`` of pytorch-fid, 95,628,359 bytes."""

SIDE = 299
"""Pictures are resized to this many pixels a side."""

BATCH = 16
"""Pictures that pass the network at a time."""

Size = int | tuple[int, int]
Layer = tuple[int, Size] | tuple[int, Size, int]
"""Channels out, kernel, and stride where it is not 1. A stride of 2 goes without padding."""
Branch = Sequence[Layer | tuple[Layer, Layer]]
"""Layers in a row; two layers together both see the layer before, and their outputs are joined."""


class Convolution(nn.Module):
    """Convolution, batch normalisation, ReLU."""

    def __init__(self, inputs: int, layer: Layer, padded: bool = True) -> None:
        super().__init__()
        outputs, size, stride = (*layer, 1)[:3]
        kernel = (size, size) if isinstance(size, int) else size
        padding = (kernel[0] // 2, kernel[1] // 2) if padded and stride == 1 else (0, 0)
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) in, (B, outputs, H, W) out."""
        return functional.relu(self.bn(self.conv(x)), inplace=True)


class Mixed(nn.Module):
    """Branches side by side, their channels joined; the last one pools first.

    Parameters
    ----------
    inputs : int
        Channels in.
    pool : {'mean', 'largest', 'halve'}
        Of 3 x 3 neighbours; 'halve' takes the largest at every second pixel.
    branches : of name and layers
        As in the weights' names: a layer alone has its branch's name, those in a row count from 1.
    """

    def __init__(self, inputs: int, pool: str, **branches: Branch) -> None:
        super().__init__()
        self.pool, self.chains = pool, dict[str, list[tuple[str, ...]]]()
        self.outputs = inputs if pool == "halve" else 0
        for name, branch in branches.items():
            width, chain = inputs, []
            for number, entry in enumerate(branch, 1):
                forked = isinstance(entry[0], tuple)
                layers: Sequence[Layer] = entry if forked else (entry,)  # type: ignore[assignment]
                stem = name if len(branch) == 1 else f"{name}_{number}"
                names = tuple(f"{stem}{letter}" for letter in ("ab" if forked else ("",)))
                for key, layer in zip(names, layers, strict=True):
                    self.add_module(key, Convolution(width, layer))
                width = sum(layer[0] for layer in layers)
                chain.append(names)
            self.chains[name] = chain
            self.outputs += width

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) in, (B, outputs, H, W) out; half of H and W where it halves."""
        joined = []
        for name, chain in self.chains.items():
            y = self._pooled(x) if name == "branch_pool" else x
            for names in chain:
                y = torch.cat([self.get_submodule(key)(y) for key in names], dim=1)
            joined.append(y)
        return torch.cat([*joined, self._pooled(x)] if self.pool == "halve" else joined, dim=1)

    def _pooled(self, x: Tensor) -> Tensor:
        if self.pool == "mean":
            return functional.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)
        return functional.max_pool2d(x, 3, stride=2) if self.pool == "halve" else functional.max_pool2d(x, 3, 1, 1)


def _fine(inputs: int, pooled: int) -> Mixed:
    return Mixed(
        inputs,
        "mean",
        branch1x1=[(64, 1)],
        branch5x5=[(48, 1), (64, 5)],
        branch3x3dbl=[(64, 1), (96, 3), (96, 3)],
        branch_pool=[(pooled, 1)],
    )


def _middle(width: int) -> Mixed:
    flat, tall = (width, (1, 7)), (width, (7, 1))
    return Mixed(
        768,
        "mean",
        branch1x1=[(192, 1)],
        branch7x7=[(width, 1), flat, (192, (7, 1))],
        branch7x7dbl=[(width, 1), tall, flat, tall, (192, (1, 7))],
        branch_pool=[(192, 1)],
    )


def _coarse(inputs: int, pool: str) -> Mixed:
    both = ((384, (1, 3)), (384, (3, 1)))
    return Mixed(
        inputs,
        pool,
        branch1x1=[(320, 1)],
        branch3x3=[(384, 1), both],
        branch3x3dbl=[(448, 1), (384, 3), both],
        branch_pool=[(192, 1)],
    )


class Inception(nn.Module):
    """Inception v3 of 2015-12-05 up to its last pooling: 2048 features per picture.

    Names of the parts are those of the published weights.

    Examples
    --------
    >>> sum(weight.numel() for weight in Inception().parameters())  # without the classifier
    21785568
    """

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = Convolution(3, (32, 3, 2))  # 149
        self.Conv2d_2a_3x3 = Convolution(32, (32, 3), padded=False)  # 147
        self.Conv2d_2b_3x3 = Convolution(32, (64, 3))  # then 73
        self.Conv2d_3b_1x1 = Convolution(64, (80, 1))
        self.Conv2d_4a_3x3 = Convolution(80, (192, 3), padded=False)  # 71, then 35
        self.Mixed_5b = _fine(192, 32)  # 256 channels
        self.Mixed_5c = _fine(256, 64)  # 288
        self.Mixed_5d = _fine(288, 64)  # 288
        self.Mixed_6a = Mixed(288, "halve", branch3x3=[(384, 3, 2)], branch3x3dbl=[(64, 1), (96, 3), (96, 3, 2)])  # 17
        self.Mixed_6b = _middle(128)  # 768
        self.Mixed_6c = _middle(160)
        self.Mixed_6d = _middle(160)
        self.Mixed_6e = _middle(192)
        self.Mixed_7a = Mixed(
            768,
            "halve",
            branch3x3=[(192, 1), (320, 3, 2)],
            branch7x7x3=[(192, 1), (192, (1, 7)), (192, (7, 1)), (192, 3, 2)],
        )  # 8 pixels, 1280 channels
        self.Mixed_7b = _coarse(1280, "mean")  # 2048
        self.Mixed_7c = _coarse(2048, "largest")

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, 299, 299) in [-1, 1] in, (B, 2048) out."""
        for name, part in self.named_children():
            x = part(x)
            if name in ("Conv2d_2b_3x3", "Conv2d_4a_3x3"):
                x = functional.max_pool2d(x, 3, stride=2)
        return x.mean(dim=(2, 3))


def load_inception(file: WeightsFile) -> Inception:
    """Build the network with a file's weights.

    Raises
    ------
    FeatureblendError
        If the file can't be read, or holds another network.
    """
    network = Inception()
    fit_weights(network, read_tensors(file.path), file.path, "Inception v3 of FID")
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


@torch.inference_mode()
def inception_features(network: Inception, images: Pictures) -> np.ndarray:
    """Describe pictures by Inception's 2048 numbers.

    Parameters
    ----------
    network : Inception
        From `load_inception`.
    images : (N, H, W, 3) uint8 array, sequence of (H, W, 3), or one (H, W, 3)
        sRGB, of any size: enlarged to 299 x 299 bilinearly, as pytorch-fid does.

    Returns
    -------
    (N, 2048) float32 array

    Notes
    -----
    About 0.2 s a picture on one core. It was trained to tell breeds of dogs and kinds of things apart, on photos of
    things more than of faces; and it sees texture before shape (Kynkäänniemi et al., "The role of ImageNet classes in
    Fréchet inception distance", ICLR 2023).
    """
    stack = as_stack(images)
    rows = []
    for start in range(0, len(stack), BATCH):
        x = torch.from_numpy(stack[start : start + BATCH]).permute(0, 3, 1, 2).float().div(255)
        x = functional.interpolate(x, (SIDE, SIDE), mode="bilinear", align_corners=False) * 2 - 1
        rows.append(network(x).numpy())
    return np.concatenate(rows)
