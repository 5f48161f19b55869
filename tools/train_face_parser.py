"""Train the face parser, and write the network that the package ships.

    python tools/train_face_parser.py FACES... --out src/featureblend/faces/networks/face_parser.onnx --minutes 45

Each folder holds pictures (``*.jpg``) in FFHQ's alignment, with a palette PNG of labels beside each, as large or
smaller: 0 background, 1 skin (face, ears, neck), 2 clothes, 3 hair. Held out are the last triplets of numbered pictures
(``00012a``, ``00012b``, ``00012m``) and every second one of the others. ``--backgrounds`` takes a folder of any photos.

The network is to read crops of real photos, so the pictures are degraded: moved, turned and scaled as alignment errs,
cut off and filled as alignment does beyond a photo's edge, set before other backgrounds, lit, blurred, shrunk, noised
and compressed. A training that was stopped goes on from its last checkpoint.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import os
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from featureblend.faces.drawn import draw_face
from featureblend.training.machine import computes_in_bf16, keep_freed_memory

CLASSES = ("background", "skin", "clothes", "hair")
BACKGROUND, SKIN = 0, 1
SIDE = 128
"""Side of what the network sees, in pixels."""
STORED = 2 * SIDE
"""Side at which pictures are kept; alignment that errs must not cost sharpness."""
WIDTHS = (16, 48, 80, 112)
"""Channels at a half, a quarter, an eighth and a sixteenth of `SIDE`."""
HELD_OUT_TRIPLETS = 60
BATCH = 8
LEARNING_RATE = 2e-3
WARM_UP = 200
"""Steps in which the learning rate rises."""
AVERAGED = 0.998
"""Share of the averaged weights that a step keeps."""
DOUBTED_AFTER, DOUBTFUL = 0.5, 0.12
"""From this share of the training on, pictures are left out of which more than this share of the pixels has labels
that the network, having learned from all of them, contradicts: brown walls are labelled skin. Half stay at least."""
OPSET = 18


# The network: a U-Net of residual blocks.


def convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """3 x 3, with batch normalization."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs))


class Block(nn.Module):
    """Two convolutions with a skip connection."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = convolution(width, width), convolution(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Compute it, as the class says."""
        return functional.relu(x + self.second(functional.relu(self.first(x))))


class Parser(nn.Module):
    """Logits of `CLASSES` for each pixel of an aligned face: (B, 3, S, S) in [-1, 1] to (B, 4, S, S).

    Works at half the resolution: it reads pixels, and writes logits, in squares of four.
    """

    def __init__(self, widths: Sequence[int] = WIDTHS) -> None:
        super().__init__()
        steps = list(pairwise(widths))
        self.stem = convolution(12, widths[0])
        self.enter = nn.ModuleList(Block(width) for width in widths[:-1])
        self.down = nn.ModuleList(convolution(fine, coarse, 2) for fine, coarse in steps)
        self.middle = nn.Sequential(Block(widths[-1]), Block(widths[-1]))
        self.up = nn.ModuleList(nn.Conv2d(coarse, fine, 1) for fine, coarse in steps)
        self.leave = nn.ModuleList(Block(width) for width in widths[:-1])
        self.head = nn.Conv2d(widths[0], 4 * len(CLASSES), 3, 1, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Compute it, as the class says."""
        x = functional.relu(self.stem(functional.pixel_unshuffle(images, 2)))
        skips = []
        for enter, down in zip(self.enter, self.down, strict=True):
            skips.append(enter(x))
            x = functional.relu(down(skips[-1]))
        x = self.middle(x)
        for level in reversed(range(len(self.up))):
            x = functional.interpolate(self.up[level](x), scale_factor=2.0, mode="nearest")
            x = self.leave[level](x + skips[level])
        return functional.pixel_shuffle(self.head(x), 2)


class Shipped(nn.Module):
    """The network as it is shipped: (B, S, S, 3) in 0 to 1 to probabilities, (B, S, S, 4), no normalization left."""

    def __init__(self, parser: Parser) -> None:
        super().__init__()
        self.parser = copy.deepcopy(parser).eval().requires_grad_(False)
        for part in list(self.parser.modules()):
            for name, child in part.named_children():
                if isinstance(child, nn.Sequential) and isinstance(child[-1], nn.BatchNorm2d):
                    setattr(part, name, nn.utils.fuse_conv_bn_eval(child[0], child[1]))
        downs = (
            nn.utils.fuse_conv_bn_eval(*down) if isinstance(down, nn.Sequential) else down for down in self.parser.down
        )
        self.parser.down = nn.ModuleList(downs)

    def forward(self, images: Tensor) -> Tensor:
        """Compute it, as the class says."""
        return self.parser(images.permute(0, 3, 1, 2) * 2 - 1).softmax(dim=1).permute(0, 2, 3, 1)


# Pictures and labels.


@dataclass(frozen=True)
class Faces:
    """Pictures with their labels."""

    names: list[str]
    pictures: np.ndarray
    """(N, STORED, STORED, 3) uint8."""
    labels: np.ndarray
    """(N, SIDE, SIDE) uint8: indices into `CLASSES`."""

    def __len__(self) -> int:
        return len(self.names)

    def chosen(self, where: np.ndarray) -> Faces:
        """The faces where a (N,) bool array is true."""
        places = np.flatnonzero(where)
        return Faces([self.names[place] for place in places], self.pictures[places], self.labels[places])


def read_faces(folder: Path) -> Faces:
    """Read a folder's pictures that have labels beside them, in order of their names."""
    paths = [path for path in sorted(folder.glob("*.jpg")) if path.with_suffix(".png").exists()]
    if not paths:
        raise SystemExit(f"{folder} holds no picture (*.jpg) with labels (*.png) beside it")
    pictures = np.stack([read_picture(path) for path in paths])
    labels = np.stack([read_labels(path.with_suffix(".png")) for path in paths])
    return Faces([path.stem for path in paths], pictures, labels)


def read_picture(path: Path) -> np.ndarray:
    """A picture at `STORED`, (STORED, STORED, 3) uint8."""
    with Image.open(path) as image:
        image.draft("RGB", (STORED, STORED))
        return np.asarray(image.convert("RGB").resize((STORED, STORED), Image.Resampling.BOX))


def read_labels(path: Path) -> np.ndarray:
    """Labels at `SIDE`: of each square of the file's pixels, the class that most of it has."""
    with Image.open(path) as image:
        labels = np.asarray(image)
    if labels.ndim != 2 or labels.max() >= len(CLASSES):
        raise SystemExit(f"{path} is no map of labels 0 to {len(CLASSES) - 1}")
    return shares(labels, SIDE).argmax(axis=-1).astype(np.uint8)


def shares(labels: np.ndarray, side: int) -> np.ndarray:
    """(side, side, 4) float32: the share of each class in each square."""
    one_hot = np.eye(len(CLASSES), dtype=np.float32)[labels]
    return one_hot if len(labels) == side else cv2.resize(one_hot, (side, side), interpolation=cv2.INTER_AREA)


def held_out(names: Sequence[str]) -> np.ndarray:
    """Which pictures are kept for validation, (N,) bool."""
    numbers = [match and int(match[1]) for match in (re.fullmatch(r"(\d+)[abm]", name) for name in names)]
    triplets = sorted({number for number in numbers if number is not None})
    last = set(triplets[-min(HELD_OUT_TRIPLETS, max(1, len(triplets) // 4)) :]) if triplets else set()
    return np.array(
        [place % 2 == 1 if number is None else number in last for place, number in enumerate(numbers)], dtype=bool
    )


SPECK = SIDE * SIDE // 100
"""Patches of fewer pixels are taken for errors of the network that made the labels."""


def mended(labels: np.ndarray) -> np.ndarray:
    """Labels without specks, which take the class around them; nor holes in a face, which are glasses."""
    result = labels.copy()
    for value in range(len(CLASSES)):
        count, patches, stats, _ = cv2.connectedComponentsWithStats((labels == value).astype(np.uint8), connectivity=4)
        for patch in range(1, count):
            if stats[patch, cv2.CC_STAT_AREA] == 0:
                continue
            small = stats[patch, cv2.CC_STAT_AREA] < SPECK
            if not small and value != BACKGROUND:
                continue
            inside = patches == patch
            around = labels[cv2.dilate(inside.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool) & ~inside]
            votes = np.bincount(around, minlength=len(CLASSES))
            at_edge = inside[0].any() or inside[-1].any() or inside[:, 0].any() or inside[:, -1].any()
            if small or (not at_edge and votes[SKIN] > 0.7 * votes.sum()):
                result[inside] = votes.argmax()
    return result


# Degradation: what alignment, cameras and the web do to a face.


def example(
    rng: np.random.Generator, picture: np.ndarray, labels: np.ndarray, background: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """One degraded picture, (SIDE, SIDE, 3) uint8, and the share of each class in its pixels, (SIDE, SIDE, 4)."""
    if rng.random() < 0.5:
        picture, labels = picture[:, ::-1], labels[:, ::-1]
    picture, truth = placed(rng, picture, shares(labels, SIDE))
    if rng.random() < 0.35:
        matte = cv2.GaussianBlur(1 - truth[..., BACKGROUND], (0, 0), rng.uniform(0.4, 1.2))[..., None]
        behind = setting(rng, background)
        picture = np.round(picture * matte + behind * (1 - matte)).astype(np.uint8)
    return photographed(rng, picture), truth


def placed(rng: np.random.Generator, picture: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Move, turn and scale a face; cut its photo off at some sides, and fill what is missing."""
    zoom = math.exp(rng.normal(0, 0.1)) if rng.random() < 0.8 else rng.uniform(0.6, 1.3)
    turn = rng.normal(0, math.radians(5))
    middle = (SIDE - 1) / 2
    linear = zoom * np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    shift = middle + rng.normal(0, 0.03 * SIDE, 2) - linear @ (middle, middle)
    border, cut = cv2.BORDER_REFLECT_101, np.zeros(4)
    if rng.random() < 0.3:  # left, top, right, bottom
        cut = rng.uniform(0, 0.25, 4) * (rng.random(4) < 0.4)
        if rng.random() < 0.2:
            border = cv2.BORDER_CONSTANT
    left, top, right, bottom = np.round(cut * SIDE).astype(int)
    truth = truth[top : SIDE - bottom, left : SIDE - right]
    picture = picture[2 * top : STORED - 2 * bottom, 2 * left : STORED - 2 * right]
    shift = shift + linear @ (left, top)
    outside = (1.0, 0, 0, 0)
    truth = cv2.warpAffine(
        truth, np.column_stack([linear, shift]), (SIDE, SIDE), borderMode=border, borderValue=outside
    )
    # Pixel centres have integer coordinates: at twice the size, (x, y) is (2 x + 1 / 2, 2 y + 1 / 2).
    larger = np.column_stack([linear, 2 * shift + 0.5 - linear @ (0.5, 0.5)])
    picture = cv2.warpAffine(picture, larger, (STORED, STORED), borderMode=border)
    return cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.clip(truth, 0, 1)


def setting(rng: np.random.Generator, photo: np.ndarray) -> np.ndarray:
    """Part of a photo as a background, in its own light."""
    side = int(rng.uniform(0.3, 1) * min(photo.shape[:2]))
    top, left = (int(rng.integers(0, length - side + 1)) for length in photo.shape[:2])
    part = cv2.resize(photo[top : top + side, left : left + side], (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    if rng.random() < 0.5:
        part = cv2.GaussianBlur(part, (0, 0), rng.uniform(0.5, 6))
    return np.clip(part * rng.uniform(0.5, 1.4) + rng.normal(0, 15, 3), 0, 255)


def photographed(rng: np.random.Generator, picture: np.ndarray) -> np.ndarray:
    """Light, blur, shrink, noise and compress a picture, each of them now and then, or leave it as it is."""
    for share, way in WAYS if rng.random() < DEGRADED else ():
        if rng.random() < share:
            picture = way(rng, picture)
    return picture


def as_bytes(picture: np.ndarray) -> np.ndarray:
    """Round and clip to uint8."""
    return np.clip(np.round(picture), 0, 255).astype(np.uint8)


def lit(rng: np.random.Generator, picture: np.ndarray) -> np.ndarray:
    """Change exposure, contrast, tint and the curve of brightness; now and then light it from one side."""
    light = picture.astype(np.float32) / 255
    light = np.power(light, math.exp(rng.normal(0, 0.3)), dtype=np.float32)
    light = light.mean() + (light - light.mean()) * math.exp(rng.normal(0, 0.2))
    light = light * np.exp(rng.normal(0, 0.1, 3)).astype(np.float32) * math.exp(rng.normal(0, 0.2))
    if rng.random() < 0.3:  # from one side
        across = np.linspace(-1, 1, SIDE, dtype=np.float32) * rng.normal(0, 0.4)
        down = np.linspace(-1, 1, SIDE, dtype=np.float32) * rng.normal(0, 0.3)
        light = light * np.exp(across[None, :] + down[:, None])[..., None]
    return as_bytes(light * 255)


def greyed(rng: np.random.Generator, picture: np.ndarray) -> np.ndarray:
    """Take colour away, all of it or some."""
    grey = picture @ np.array([0.299, 0.587, 0.114], np.float32)
    return as_bytes(grey[..., None] + (picture - grey[..., None]) * rng.choice([0.0, rng.uniform(0, 1.5)]))


def blurred(rng: np.random.Generator, picture: np.ndarray) -> np.ndarray:
    """Blur, along one axis more than along the other."""
    across, down = rng.uniform(0.3, 2.5) * rng.uniform(0.5, 1, 2)
    return cv2.GaussianBlur(picture, (0, 0), sigmaX=across, sigmaY=down)


def shrunk(rng: np.random.Generator, picture: np.ndarray) -> np.ndarray:
    """Shrink to the size of a face in a small photo, and enlarge again."""
    side = int(rng.uniform(28, 120))
    small = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)
    kind = rng.choice([cv2.INTER_LINEAR, cv2.INTER_CUBIC])
    return cv2.resize(small, (SIDE, SIDE), interpolation=int(kind))


def noisy(rng: np.random.Generator, picture: np.ndarray) -> np.ndarray:
    """Add coloured or grey noise, fine or coarse."""
    side = int(rng.uniform(0.4, 1) * SIDE)
    noise = rng.standard_normal((side, side, 3), dtype=np.float32)
    if rng.random() < 0.5:
        noise[:] = noise[..., :1]
    noise = cv2.resize(noise, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
    return as_bytes(picture + noise * (rng.exponential(10) / noise.std()))


def compressed(rng: np.random.Generator, picture: np.ndarray) -> np.ndarray:
    """Compress as JPEG."""
    quality = int(rng.uniform(8, 80))
    return cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)


WAYS: tuple[tuple[float, Callable[[np.random.Generator, np.ndarray], np.ndarray]], ...] = (
    (0.7, lit),
    (0.15, greyed),
    (0.25, blurred),
    (0.35, shrunk),
    (0.4, noisy),
    (0.4, compressed),
)
"""How often each is done, in the order in which cameras and the web do them."""
DEGRADED = 0.75
"""Share of the pictures that any of it is done to."""


def batch(
    seed: Sequence[int], faces: Faces, backgrounds: Sequence[np.ndarray], weights: np.ndarray
) -> tuple[Tensor, Tensor]:
    """A batch of degraded pictures in [-1, 1] and their classes' shares, both (B, C, SIDE, SIDE)."""
    rng = np.random.default_rng(seed)
    chosen = rng.choice(len(faces), BATCH, p=weights)
    behind = rng.integers(0, len(backgrounds), BATCH)
    made = [
        example(rng, faces.pictures[place], faces.labels[place], backgrounds[other])
        for place, other in zip(chosen, behind, strict=True)
    ]
    images, truth = (torch.from_numpy(np.stack(part)).permute(0, 3, 1, 2) for part in zip(*made, strict=True))
    return images.float() / 127.5 - 1, truth


# Training.


def loss_of(logits: Tensor, truth: Tensor) -> Tensor:
    """Cross-entropy, and one minus the classes' mean overlap, which small classes count in as large ones do."""
    entropy = functional.cross_entropy(logits, truth)
    found = logits.softmax(dim=1)
    both, sums = (found * truth).sum(dim=(0, 2, 3)), (found + truth).sum(dim=(0, 2, 3))
    return entropy + 0.5 * (1 - (2 * both / (sums + 1)).mean())


def step(network: nn.Module, optimizer: torch.optim.Optimizer, images: Tensor, truth: Tensor) -> float:
    """One update; return the loss."""
    network.train()
    with torch.autocast("cpu", torch.bfloat16, enabled=computes_in_bf16("cpu")):
        logits = network(images.contiguous(memory_format=torch.channels_last))
    loss = loss_of(logits.float(), truth)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimizer.step()
    return loss.item()


def train(
    faces: Faces,
    backgrounds: Sequence[np.ndarray],
    weights: np.ndarray,
    minutes: float,
    checkpoint: Path,
    start: Path | None = None,
) -> Parser:
    """Train for so many minutes, at a learning rate that falls to zero by then; return the averaged weights.

    With another training's checkpoint as a start, its averaged weights are trained further, at half the rate.
    """
    highest, seed = (LEARNING_RATE, 0) if start is None else (LEARNING_RATE / 2, 1)
    torch.manual_seed(seed)
    network = Parser().to(memory_format=torch.channels_last)
    if start is not None:
        network.load_state_dict(torch.load(start, weights_only=True)["averaged"])
    averaged = copy.deepcopy(network).requires_grad_(False)
    optimizer = torch.optim.AdamW(network.parameters(), LEARNING_RATE, weight_decay=0.01)
    done, trusted = {"steps": 0, "seconds": 0.0}, None
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        network.load_state_dict(state["network"])
        averaged.load_state_dict(state["averaged"])
        optimizer.load_state_dict(state["optimizer"])
        done, trusted = state["done"], state["trusted"]
    saved = said = begin = time.monotonic() - done["seconds"]
    recent: list[float] = []
    while (progress := (time.monotonic() - begin) / (60 * minutes)) < 1:
        if trusted is None and (progress > DOUBTED_AFTER or start is not None):
            doubts = contradicted(averaged, faces)
            trusted = torch.from_numpy(doubts <= max(DOUBTFUL, np.median(doubts)))
            print(f"left out for their labels: {len(faces) - int(trusted.sum())} of {len(faces)}", flush=True)
        chances = weights if trusted is None else weights * trusted.numpy() / (weights * trusted.numpy()).sum()
        for group in optimizer.param_groups:
            group["lr"] = highest * min(1, (done["steps"] + 1) / WARM_UP) * (1 + math.cos(math.pi * progress)) / 2
        recent.append(step(network, optimizer, *batch((seed, done["steps"]), faces, backgrounds, chances)))
        done["steps"] += 1
        keep = min(AVERAGED, done["steps"] / (done["steps"] + 10))
        with torch.no_grad():
            for mean, value in zip(averaged.state_dict().values(), network.state_dict().values(), strict=True):
                mean.lerp_(value, 1 - keep) if mean.is_floating_point() else mean.copy_(value)
        now = time.monotonic()
        if now - said > 30:
            print(f"{progress:.1%}, step {done['steps']}: loss {np.mean(recent):.4f}", flush=True)
            recent, said = [], now
        if now - saved > 120:
            saved = now
            save(checkpoint, network, averaged, optimizer, {**done, "seconds": now - begin}, trusted)
    save(checkpoint, network, averaged, optimizer, {**done, "seconds": time.monotonic() - begin}, trusted)
    return averaged.eval()


def contradicted(network: nn.Module, faces: Faces) -> np.ndarray:
    """Share of each picture's pixels that the network takes for another class than they are labelled, (N,)."""
    network.eval()
    found = []
    for picture, labels in zip(faces.pictures, faces.labels, strict=True):
        small = cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        images = torch.from_numpy(small[None].astype(np.float32) / 127.5 - 1).permute(0, 3, 1, 2)
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=computes_in_bf16("cpu")):
            found.append(float((network(images)[0].argmax(dim=0).numpy() != labels).mean()))
    return np.array(found)


def save(
    path: Path,
    network: nn.Module,
    averaged: nn.Module,
    optimizer: torch.optim.Optimizer,
    done: dict[str, Any],
    trusted: Tensor | None,
) -> None:
    """Write a checkpoint, wholly or not at all."""
    state = {
        "network": network.state_dict(),
        "averaged": averaged.state_dict(),
        "optimizer": optimizer.state_dict(),
        "done": done,
        "trusted": trusted,
    }
    work = path.with_suffix(".new")
    torch.save(state, work)
    os.replace(work, path)


# What comes out.


def export(parser: Parser, path: Path) -> float:
    """Write the network, its weights as float16; return the largest difference from torch in probability."""
    import onnx
    import onnxruntime

    from featureblend.training.export import halved

    shipped = Shipped(parser).eval()
    program = torch.onnx.export(
        shipped,
        (torch.zeros(2, SIDE, SIDE, 3),),
        dynamo=True,
        opset_version=OPSET,
        input_names=["images"],
        output_names=["probabilities"],
        dynamic_shapes=({0: torch.export.Dim("batch", min=1)},),
        verbose=False,
    )
    assert program is not None
    onnx.save(halved(program.model_proto), str(path))
    images = torch.rand(2, SIDE, SIDE, 3, generator=torch.Generator().manual_seed(0))
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    with torch.no_grad():
        expected = shipped(images).numpy()
    return float(np.abs(session.run(None, {"images": images.numpy()})[0] - expected).max())


def overlaps(found: np.ndarray, labels: np.ndarray) -> list[float]:
    """Intersection over union of each class, over all pixels of all pictures."""
    pairs = np.bincount((labels.astype(np.int64) * len(CLASSES) + found).ravel(), minlength=len(CLASSES) ** 2)
    table = pairs.reshape(len(CLASSES), -1)
    both = np.diag(table)
    return list((both / np.maximum(table.sum(axis=0) + table.sum(axis=1) - both, 1)).tolist())


def report(parser: Callable[[Tensor], Tensor], faces: Faces, backgrounds: Sequence[np.ndarray] = ()) -> dict[str, Any]:
    """Overlaps with the labels; of degraded pictures, where there are backgrounds."""
    found, truth = [], []
    with torch.no_grad():
        for place in range(len(faces)):
            picture, labels = faces.pictures[place], faces.labels[place]
            if backgrounds:
                rng = np.random.default_rng((1, place))
                picture, soft = example(rng, picture, labels, backgrounds[rng.integers(len(backgrounds))])
                labels = soft.argmax(axis=-1)
            else:
                picture = cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
            images = torch.from_numpy(picture[None].astype(np.float32) / 127.5 - 1).permute(0, 3, 1, 2)
            found.append(parser(images)[0].argmax(dim=0).numpy())
            truth.append(labels)
    each = overlaps(np.stack(found), np.stack(truth))
    return {"pictures": len(faces), "mean": round(float(np.mean(each)), 4)} | {
        name: round(value, 4) for name, value in zip(CLASSES, each, strict=True)
    }


def main() -> None:
    """Read, train, export and report, as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("faces", type=Path, nargs="+", help="folders of pictures and labels")
    parser.add_argument("--backgrounds", type=Path, help="folder of photos to set faces before; default: the faces'")
    parser.add_argument("--out", type=Path, required=True, help="ONNX file to write")
    parser.add_argument("--minutes", type=float, default=45, help="how long to train")
    parser.add_argument("--checkpoint", type=Path, default=Path("face_parser.pt"), help="goes on from it, if it exists")
    parser.add_argument("--start", type=Path, help="checkpoint of another training, whose weights are trained further")
    parser.add_argument(
        "--reference", type=Path, help="also write what torch computes at every fourth pixel of a drawn face (.npz)"
    )
    arguments = parser.parse_args()
    keep_freed_memory()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "0")) or torch.get_num_threads())
    sets = [read_faces(folder) for folder in arguments.faces]
    kept = [faces.chosen(held_out(faces.names)) for faces in sets]
    learned = [faces.chosen(~held_out(faces.names)) for faces in sets]
    del sets
    # Each further folder is a tenth of what is seen, however few pictures it holds.
    weights = [np.full(len(faces), (0.1 if place else 1) / len(faces)) for place, faces in enumerate(learned)]
    weights = np.concatenate(weights) / sum(map(np.sum, weights))
    pool = Faces(
        [name for faces in learned for name in faces.names],
        np.concatenate([faces.pictures for faces in learned]),
        np.concatenate([np.stack([mended(labels) for labels in faces.labels]) for faces in learned]),
    )
    del learned
    backgrounds: list[np.ndarray] = list(pool.pictures)
    if arguments.backgrounds:
        paths = sorted(arguments.backgrounds.rglob("*.jpg"))
        paths = [paths[place] for place in np.random.default_rng(0).permutation(len(paths))[:2000]]
        backgrounds = [np.asarray(Image.open(path).convert("RGB")) for path in paths]
    trained = train(pool, backgrounds, weights, arguments.minutes, arguments.checkpoint, arguments.start)
    print("largest difference of the export:", export(trained, arguments.out))
    if arguments.reference:
        image = draw_face(0, SIDE)[0]
        with torch.no_grad():
            probabilities = Shipped(trained).eval()(torch.from_numpy(image[None].astype(np.float32) / 255))[0].numpy()
        np.savez_compressed(arguments.reference, image=image, probabilities=probabilities[::4, ::4])
    for folder, faces in zip(arguments.faces, kept, strict=True):
        print(folder.name, json.dumps(report(trained, faces)))
        clean = Faces(faces.names, faces.pictures, np.stack([mended(labels) for labels in faces.labels]))
        print(folder.name, "specks mended", json.dumps(report(trained, clean)))
        print(folder.name, "degraded", json.dumps(report(trained, clean, backgrounds)))


if __name__ == "__main__":
    main()
