"""Weights for the networks of FID and LPIPS that any machine makes alike, in the layouts that are published."""

import zlib

import numpy as np
import torch


def made_weights(network, prefix=""):
    """A value for each of a network's tensors, from its name alone; activations keep about their size."""
    tensors = {}
    for name, value in network.state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        random = np.random.default_rng(zlib.crc32(name.encode()))
        shape = tuple(value.shape)
        if len(shape) == 4:
            numbers = random.standard_normal(shape) * np.sqrt(2 / np.prod(shape[1:]))
            if name.startswith("lin"):
                numbers = np.abs(numbers)  # a distance is of positive parts
        elif name.endswith(("running_var", "bn.weight")):
            numbers = random.uniform(0.5, 1.5, shape)
        else:
            numbers = random.uniform(-0.3, 0.3, shape)
        tensors[prefix + name] = torch.from_numpy(numbers.astype(np.float32))
    return tensors


def made_pictures(count, side=128):
    """Pictures with large and small structure."""
    random = np.random.default_rng(count)
    coarse = random.integers(0, 256, (count, side // 8, side // 8, 3)).repeat(8, axis=1).repeat(8, axis=2)
    fine = random.integers(-40, 41, (count, side, side, 3))
    return np.clip(coarse + fine, 0, 255).astype(np.uint8)
