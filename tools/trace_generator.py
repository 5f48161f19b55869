"""Trace a face generator for `featureblend train --generator`: python tools/trace_generator.py WHEEL OUT.pt

WHEEL is random_face 2021.7.21.1 from PyPI (`pip download --no-deps random_face==2021.7.21.1`): a MobileStyleGAN
(Belousov 2021) of faces, as two OpenVINO networks. OUT.pt is one TorchScript module in half precision that takes and
gives any number of faces:

    codes(z)      (B, 512) standard normal draws to (B, 512) codes, drawn .75 of their way from the mean code
    forward(w)    (B, 512) codes to (B, 3, 256, 256) faces in [-1, 1], FFHQ's alignment

The picture is the mean of 4 x 4 pixels of the generator's own 1,024 px; its last step, which doubles the size, is left
out for it. The weights are not this project's: keep the file to yourself, and out of the repository.
"""

from __future__ import annotations

import argparse
import io
import xml.etree.ElementTree as ET
import zipfile
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

PSI = 0.75
"""How far codes lie from the mean code, over how far they were drawn."""
TYPES = {"f32": np.float32, "i64": np.int64, "i32": np.int32}


class OpenVino(nn.Module):
    """Runs an OpenVINO graph in torch, layer by layer; what it does not know it refuses."""

    def __init__(self, xml: bytes, blob: bytes, last: str = "") -> None:
        super().__init__()
        root = ET.fromstring(xml)
        sources: dict[tuple[str, int], tuple[str, int]] = {}
        for edge in root.iterfind("edges/edge"):
            to, start = ((edge.get(f"{end}-layer", ""), int(edge.get(f"{end}-port", 0))) for end in ("to", "from"))
            sources[to] = start
        self.steps: list[tuple[str, str, dict[str, str], list[tuple[str, int]], int]] = []
        self.last = ""
        for layer in root.iterfind("layers/layer"):
            number, kind = layer.get("id", ""), layer.get("type", "")
            found = layer.find("data")
            data = dict(found.attrib) if found is not None else {}
            if kind == "Const":
                self._constant(number, data, blob)
                continue
            inputs = sorted(port for to, port in sources if to == number)
            given = [sources[number, port] for port in inputs]
            outputs = [int(port.get("id", 0)) for port in layer.iterfind("output/port")]
            self.steps.append((number, kind, data, given, min(outputs, default=0)))
            if kind == "Result" and not last:
                self.last = given[0][0]
        self.last = last or self.last

    def _constant(self, number: str, data: dict[str, str], blob: bytes) -> None:
        start, length = int(data["offset"]), int(data["size"])
        shape = [int(side) for side in data["shape"].split(",") if side]
        values = np.frombuffer(blob[start : start + length], TYPES[data["element_type"]]).reshape(shape)
        self.register_buffer(f"c{number}", torch.from_numpy(values.copy()))

    def forward(self, given: Tensor) -> Tensor:
        """Run the graph up to its result, or to the layer that was asked for."""
        known: dict[tuple[str, int], Any] = {}
        for number, kind, data, sources, first in self.steps:
            if kind == "Result":
                continue
            values = [known[source] if source in known else self.get_buffer(f"c{source[0]}") for source in sources]
            result = given if kind == "Parameter" else _done(kind, data, values)
            for place, part in enumerate(result if isinstance(result, (list, tuple)) else [result]):
                known[number, first + place] = part
            if number == self.last:
                return known[number, first]
        raise SystemExit(f"no layer {self.last}")


def _done(kind: str, data: dict[str, str], values: list[Any]) -> Any:
    def numbers(name: str) -> list[int]:
        return [int(part) for part in data[name].split(",")]

    first, *others = values
    if kind in ("Add", "Multiply", "Power"):
        return {"Add": torch.add, "Multiply": torch.mul, "Power": torch.pow}[kind](first, others[0])
    if kind == "MatMul":
        turned = [
            value.mT if data[f"transpose_{side}"] == "true" else value for side, value in zip("ab", values, strict=True)
        ]
        return turned[0] @ turned[1]
    if kind == "PReLU":
        return functional.prelu(first, others[0])
    if kind == "ReduceMean":
        return first.mean(dim=others[0].tolist(), keepdim=data["keep_dims"] == "true")
    if kind == "ShapeOf":
        return [[*first.shape] if isinstance(first, Tensor) else [len(first)]]  # one output, a list of free sizes
    if kind == "Gather":
        return first[int(others[0])]
    if kind == "Unsqueeze":  # of a size, which a trace holds as a number of its own
        return [[first]] if not isinstance(first, Tensor) or not first.ndim else first.unsqueeze(int(others[0]))
    if kind == "Squeeze":
        return first.squeeze(int(others[0]))
    if kind == "Concat":
        return [[size for part in values for size in (part if isinstance(part, list) else part.tolist())]]
    if kind == "Reshape":
        return first.reshape(others[0] if isinstance(others[0], list) else others[0].tolist())
    if kind in ("Broadcast", "Tile"):
        sizes = others[0] if isinstance(others[0], list) else others[0].tolist()
        # Both ways: a size of 1 leaves the other's.
        return first.repeat(sizes) if kind == "Tile" else first.expand(torch.broadcast_shapes(first.shape, sizes))
    if kind == "VariadicSplit":
        return first.split(others[1].tolist(), dim=int(others[0]))
    weight = others[0]
    settings = {"stride": numbers("strides"), "padding": numbers("pads_begin")}
    if kind == "Convolution":
        return functional.conv2d(first, weight, **settings)
    groups = weight.shape[0]
    weight = weight.flatten(0, 1)
    if kind == "GroupConvolution":
        return functional.conv2d(first, weight, groups=groups, **settings)
    if kind == "GroupConvolutionBackpropData":
        return functional.conv_transpose2d(first, weight, groups=groups, **settings)
    raise SystemExit(f"unknown layer {kind}")


class Generator(nn.Module):
    """Draws codes and makes faces of them."""

    def __init__(self, mapping: nn.Module, synthesis: nn.Module, mean: Tensor) -> None:
        super().__init__()
        self.mapping, self.synthesis = mapping, synthesis
        self.register_buffer("mean", mean)

    def codes(self, z: Tensor) -> Tensor:
        """Map (B, 512) normal draws to (B, 512) codes."""
        mean = self.get_buffer("mean")
        return mean + PSI * (self.mapping(z) - mean)

    def forward(self, w: Tensor) -> Tensor:
        """Map (B, 512) codes to (B, 3, 256, 256) faces in [-1, 1]."""
        # The last wavelet's low band is twice the mean of 2 x 2 pixels.
        return functional.avg_pool2d(0.5 * self.synthesis(w)[:, :3], 2).clamp(-1, 1)


def read(wheel: str) -> Generator:
    """Make the generator of the networks in the wheel, in single precision."""
    with zipfile.ZipFile(wheel) as archive:
        parts = {
            name: [archive.read(f"random_face/data/{name}Network.{end}") for end in ("xml", "bin")]
            for name in ("Mapping", "Synthesis")
        }
    mapping = OpenVino(*parts["Mapping"])
    draws = torch.randn(4096, 512, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        mean = mapping(draws).mean(dim=0, keepdim=True)
    return Generator(mapping, OpenVino(*parts["Synthesis"], last=_before_last_wavelet(parts["Synthesis"][0])), mean)


def _before_last_wavelet(xml: bytes) -> str:
    """Name the layer that gives the last wavelet's 12 channels at 512 px: the input of the last split of [3, 9]."""
    root = ET.fromstring(xml)
    shapes = {
        layer.get("id", ""): [int(side.text or 0) for side in layer.iterfind("output/port/dim")]
        for layer in root.iterfind("layers/layer")
        if layer.get("type") == "Add"
    }
    (found,) = (number for number, shape in shapes.items() if shape == [1, 12, 512, 512])
    return found


def main() -> None:
    """Read, trace, check that a batch gives what single faces give, and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheel")
    parser.add_argument("out")
    words = parser.parse_args()
    generator = read(words.wheel).eval().requires_grad_(False)
    z = torch.randn(3, 512, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        w = generator.codes(z)
        traced = torch.jit.trace_module(generator, {"codes": z, "forward": w})
        pictures = traced(w)
        apart = max(float((traced(w[place : place + 1]) - pictures[place]).abs().max()) for place in range(3))
    if apart > 1e-3:
        raise SystemExit(f"a batch differs from single faces by {apart}")
    halved = io.BytesIO()
    torch.jit.save(traced.half(), halved)
    with open(words.out, "wb") as stream:
        stream.write(halved.getvalue())
    print(f"{words.out}: {len(halved.getvalue()) / 1e6:.1f} MB, batch and single faces differ by {apart:.1e}")


if __name__ == "__main__":
    main()
