"""Networks in ONNX files, opened."""

from __future__ import annotations

import os
from typing import Any

from ..errors import FeatureblendError

__all__ = ["open_network"]


def open_network(path: str | os.PathLike[str], threads: int = 1) -> Any:
    """Open a network on ONNX Runtime, which is imported only now.

    Parameters
    ----------
    path : path-like
    threads : int
        What one call computes in; 0 for one a core.

    Returns
    -------
    onnxruntime.InferenceSession

    Raises
    ------
    FeatureblendError
        If it can't be loaded.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # it would warn of each unused weight
    options.intra_op_num_threads = threads
    # Threads that wait for work by spinning slow down whatever else runs, and gain nothing here.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(os.fspath(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime raises kinds of its own
        raise FeatureblendError(f"cannot load {path}: {(str(error) or 'damaged').splitlines()[0]}") from error
