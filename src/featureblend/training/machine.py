"""What speeds up training beyond the defaults of the C library and torch, `torch.compile` included."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import shutil
import sys
import time
from typing import Any

import torch

from ..errors import FeatureblendError

# glibc's malloc.h
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX, M_ARENA_MAX = -1, -2, -4, -8


def keep_freed_memory() -> bool:
    """Stop glibc from handing every freed activation back to the kernel; return whether that worked.

    By default an allocation over 32 MB at most is a fresh mapping, whose every page faults at its
    first touch and is zeroed by the kernel. A training step frees and takes the same sizes again
    and again: on two cores, steps of the modern autoencoder ran 6 to 10 times faster with this.
    Call it before the first large tensor is made.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library, such as musl
        return False
    settings = ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, 2**31 - 1), (M_TOP_PAD, 256 << 20), (M_ARENA_MAX, 1))
    done = [mallopt(option, value) for option, value in settings]  # all of them, whatever one returns
    return all(done)


def computes_in_bf16(device: torch.device | str) -> bool:
    """Whether a device has bfloat16 instructions, rather than emulating them.

    On a CPU with AVX2 alone a matrix product in bfloat16 took fifty to ninety times as long as in float32 (measured;
    whole training steps were not). Asked of oneDNN, not timed: a run that is resumed must come to the same answer on a
    busy machine.

    Parameters
    ----------
    device : torch.device or str

    Returns
    -------
    bool
    """
    device = torch.device(device)
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type != "cpu" or bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def matrix_rate(device: torch.device | str, dtype: torch.dtype, seconds: float = 0.5, side: int | None = None) -> float:
    """Measured operations per second of a square matrix product, the best of several.

    Parameters
    ----------
    device : torch.device or str
    dtype : torch.dtype
    seconds : float
        How long to try.
    side : int, optional
        Rows of the matrices; by default so many that the device is busy.

    Returns
    -------
    float
        Multiplications and additions a second.

    Examples
    --------
    >>> matrix_rate("cpu", torch.float32, seconds=0.01, side=64) > 0
    True
    """
    device = torch.device(device)
    side = side or (8192 if device.type == "cuda" else 1024)
    a, b = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    best, begin = 0.0, time.perf_counter()
    while not best or time.perf_counter() - begin < seconds:
        wait_for(device)
        start = time.perf_counter()
        a @ b
        wait_for(device)
        best = max(best, 2 * side**3 / (time.perf_counter() - start))
    return best


def wait_for(device: torch.device) -> None:
    """Wait for a GPU's queued work; on a CPU do nothing."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


COMPILED_METHODS = ("posterior", "encode", "decode", "judge")
"""Methods that objectives call, where a network has them."""
COMPILERS = ("g++", "c++", "clang++")


def compiles(when: str, device: torch.device | str) -> bool:
    """Whether a run is compiled, as ``Experiment.compile`` and the device decide."""
    return when == "always" or (when == "cuda" and torch.device(device).type == "cuda")


def compile_networks(networks: Any, device: torch.device | str) -> None:
    """Compile the methods of networks that objectives call, in place; weights and checkpoints stay as they are.

    Each method is compiled at its first call, for the shapes of that call. Gradient penalties use the methods as they
    were: compiled ones have no second derivative.

    Parameters
    ----------
    networks : Networks
    device : torch.device

    Raises
    ------
    FeatureblendError
        If the machine lacks a compiler.
    """
    _require_compiler(torch.device(device))
    for network in networks.named().values():
        for name in COMPILED_METHODS:
            if hasattr(network, name):
                # An instance's attribute hides the class's method of that name.
                setattr(network, name, torch.compile(getattr(network, name), dynamic=False))


def _require_compiler(device: torch.device) -> None:
    if device.type == "cuda" and importlib.util.find_spec("triton") is None:
        raise FeatureblendError(
            "compile is set, but torch.compile needs triton on a GPU: install it, or set compile=never"
        )
    named = os.environ.get("CXX")
    if not any(shutil.which(name) for name in (*([named] if named else ()), *COMPILERS)):
        raise FeatureblendError(
            "compile is set, but torch.compile finds no C++ compiler (g++, clang++): install one, or set compile=never"
        )
