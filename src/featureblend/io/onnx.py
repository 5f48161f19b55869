"""Networks in ONNX files, opened, and the device that they compute on."""

from __future__ import annotations

import base64
import os
from typing import Any

from ..errors import FeatureblendError

DEVICES = {
    "cuda": "CUDAExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "directml": "DmlExecutionProvider",
    "cpu": "CPUExecutionProvider",
}
"""ONNX Runtime's provider of each device; of two that are there, 'auto' takes the first here."""

DEVICE_NAMES = ("cpu", *(name for name in DEVICES if name != "cpu"), "auto")

PACKAGES = {"cuda": "onnxruntime-gpu", "coreml": "onnxruntime on macOS", "directml": "onnxruntime-directml on Windows"}
"""What brings a provider, in place of the plain onnxruntime."""

CHOSEN = "FEATUREBLEND_DEVICE"
"""Variable that holds the choice, which processes that are started inherit."""

IDENTITY = base64.b64decode(
    "CAgSADo3ChAKAXgSAXkiCElkZW50aXR5EgFnWg8KAXgSCgoICAESBAoCCAFiDwoBeRIKCggIARIECgIIAUIECgAQDQ=="
)
"""A network of one node, which gives a number back: whether a provider starts is only seen where it opens one."""


def choose_device(device: str) -> str:
    """Choose what the networks that are opened from now on compute on: here, and in processes that this one starts.

    Parameters
    ----------
    device : str
        One of `DEVICE_NAMES`; 'auto' is the first of `DEVICES` that can be used.

    Returns
    -------
    str
        What was taken, one of `DEVICES`.

    Raises
    ------
    FeatureblendError
        If there is no such device, or it can't be used here.

    Examples
    --------
    >>> choose_device("cpu")
    'cpu'
    """
    if device not in DEVICE_NAMES:
        raise FeatureblendError(f"unknown device {device!r}: use one of {', '.join(DEVICE_NAMES)}")
    import onnxruntime

    there = onnxruntime.get_available_providers()
    if device == "auto":
        device = next(name for name, provider in DEVICES.items() if provider in there and _starts(provider))
    elif DEVICES[device] not in there:
        raise FeatureblendError(
            f"device {device} is not available: this ONNX Runtime was built without it; install {PACKAGES[device]}"
        )
    elif not _starts(DEVICES[device]):
        raise FeatureblendError(
            f"device {device} does not start: its driver or libraries are missing; use --device cpu"
        )
    os.environ[CHOSEN] = device
    return device


def _starts(provider: str) -> bool:
    """Whether a network is really opened by a provider: ONNX Runtime goes on without one that fails."""
    try:
        return bool(_session(IDENTITY, provider, 1).get_providers()[0] == provider)
    except Exception:  # ONNX Runtime raises kinds of its own
        return False


def open_network(path: str | os.PathLike[str], threads: int = 1) -> Any:
    """Open a network on ONNX Runtime, which is imported only now.

    It computes on what `choose_device` chose, on the CPU where nothing was chosen.

    Parameters
    ----------
    path : path-like
    threads : int
        What one call computes in on the CPU; 0 for one a core.

    Returns
    -------
    onnxruntime.InferenceSession

    Raises
    ------
    FeatureblendError
        If it can't be loaded.
    """
    try:
        return _session(os.fspath(path), DEVICES[os.environ.get(CHOSEN, "cpu")], threads)
    except Exception as error:  # ONNX Runtime raises kinds of its own
        raise FeatureblendError(f"cannot load {path}: {(str(error) or 'damaged').splitlines()[0]}") from error


def _session(network: str | bytes, provider: str, threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # it would warn of each unused weight
    options.intra_op_num_threads = threads
    # Threads that wait for work by spinning slow down whatever else runs, and gain nothing here.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    providers = list(dict.fromkeys([provider, DEVICES["cpu"]]))  # what a device can't do, the CPU does
    return onnxruntime.InferenceSession(network, options, providers=providers)
