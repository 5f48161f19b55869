"""Keep the figures that the page shows of an evaluation in the model's folder.

python tools/record_quality.py out/pairs1k/metrics.jsonl src/featureblend/model/pretrained/lfw-128
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from featureblend.errors import FeatureblendError
from featureblend.evaluation.results import measurement_versions
from featureblend.io.files import atomic_path
from featureblend.model.folder import read_model_folder
from featureblend.web.quality import FILE, SHOWN


def record_quality(metrics: str | os.PathLike[str], model: str | os.PathLike[str]) -> Path:
    """Keep the figures that the page shows of an evaluation in the model's folder, and the measurement's versions.

    Parameters
    ----------
    metrics : path-like
        The ``metrics.jsonl`` that ``featureblend evaluate`` wrote.
    model : path-like
        The model's folder.

    Returns
    -------
    Path
        The file that was written.

    Raises
    ------
    FeatureblendError
        If the metrics can't be read, or their method 'latent' was another model.
    """
    try:
        lines = [json.loads(line) for line in Path(metrics).read_text().splitlines() if line.strip()]
        values: dict[str, dict[str, Any]] = {}
        for line in lines:
            if (figure := line["figure"]) in SHOWN:
                values.setdefault(line["method"], {})[figure] = line["value"]
        own = next(line for line in lines if line["method"] == "latent")
        count = max(line["count"] for line in lines if line["method"] == "latent")
    except (OSError, ValueError, KeyError, TypeError, StopIteration) as error:
        raise FeatureblendError(
            f"{metrics} is no metrics.jsonl with the method 'latent': `featureblend evaluate` writes one"
        ) from error
    identity = read_model_folder(model).identity
    if own["model"] != identity:
        raise FeatureblendError(f"{metrics} measured the model {own['model']}, and {model} holds {identity}")
    path = Path(model) / FILE
    record = {
        "model": identity,
        "versions": measurement_versions("latent"),
        "protocol": own["protocol"],
        "count": count,
        "methods": values,
    }
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(record, indent=1) + "\n")
    return path


if __name__ == "__main__":
    try:
        print(record_quality(*sys.argv[1:]))
    except (FeatureblendError, TypeError) as error:
        sys.exit(f"record_quality: {error}")
