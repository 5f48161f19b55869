"""A model's quality on people not seen in training: figures kept in its folder.

``featureblend evaluate`` measures; ``tools/record_quality.py`` keeps what the page shows in the model's folder, as
``evaluation.json``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import FeatureblendError
from ..evaluation.figures import FIGURES, badness
from ..io.files import parse_json

FILE = "evaluation.json"
"""The file's name in a model folder."""

SHOWN = (
    "ghosting",
    "sharpness",
    "patch_kid",
    "critic_auc",
    "balance_inside",
    "mmpmr",
)
"""The figures that the page shows, where they were measured."""

TITLES = {
    "real": "real photos",
    "latent": "featureblend",
    "latent-between": "featureblend, hair between both",
    "latent-network": "featureblend, networks alone",
    "latent-unwarped": "networks alone, faces not warped",
    "latent-plain-mean": "networks alone, plain mean",
    "paper-unwarped": "the paper's VAE, as meant",
    "pca": "PCA (eigenfaces)",
    "pixel": "pixel average",
    "gaussian": "Gaussian pyramid",
    "laplacian": "Laplacian pyramid",
    "fourier": "Fourier mix",
    "poisson": "Poisson cloning",
    "gaussian-poisson": "Gaussian-Poisson",
    "morph": "landmark morph",
}
"""What the methods are called on the page."""


@dataclass(frozen=True)
class Column:
    """A figure in the table."""

    name: str
    """As in metrics.jsonl."""
    title: str
    """Its head."""
    meaning: str
    """What it says."""
    digits: int
    """Decimals shown."""
    best_value: float | None
    """The best method's, where there is a best."""

    def shown(self, value: float | None) -> str:
        """Write a value as the table does."""
        return "–" if value is None else f"{value:.{self.digits}f}"


@dataclass(frozen=True)
class Row:
    """A method in the table."""

    method: str
    """As in metrics.jsonl."""
    title: str
    """What it is called."""
    values: Mapping[str, float | None]
    """Its figures by name."""

    @property
    def own(self) -> bool:
        """Whether it is the method that the page uses."""
        return self.method == "latent"


@dataclass(frozen=True)
class Quality:
    """Contents of ``evaluation.json``, ready to be shown."""

    model: str
    """Identity of the model that was measured."""
    protocol: str
    """Name of the protocol."""
    count: int
    """Pairs that were blended by each method."""
    rows: Sequence[Row]
    """Ours first, real photos last."""
    columns: Sequence[Column]
    """In the order of `SHOWN`."""

    def summary(self) -> str:
        """What was measured, in two sentences."""
        return (
            f"Every method blended the same {self.count:,} pairs of people that the model never saw in training "
            f"(protocol {self.protocol}), half and half. The best figure of each column is bold; real photos are there "
            "to compare with."
        )

    def doubt(self, model: str) -> str:
        """A note if the figures belong to another model; empty otherwise."""
        if model == self.model:
            return ""
        return f"These figures are of the model {self.model}; the one in use, {model}, was not measured yet."


def read_quality(model: str | os.PathLike[str]) -> Quality | None:
    """Read the figures in a model's folder; None if there are none.

    Parameters
    ----------
    model : path-like
        The model's folder.

    Raises
    ------
    FeatureblendError
        If the file is damaged.
    """
    path = Path(model) / FILE
    try:
        record = parse_json(path.read_text())
        methods = record["methods"]
        names = sorted(methods, key=lambda name: (name == "real", [*TITLES, name].index(name)))
        rows = [Row(name, TITLES.get(name, name), methods[name]) for name in names]
        columns = [_column(name, rows) for name in SHOWN if any(row.values.get(name) is not None for row in rows)]
        return Quality(record["model"], record["protocol"], int(record["count"]), rows, columns)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise FeatureblendError(f"{path} is damaged: evaluate the model again, or remove the file") from error


def _column(name: str, rows: Sequence[Row]) -> Column:
    figure = FIGURES[name]
    real = next((row.values.get(name) for row in rows if row.method == "real"), None)
    found = [row.values[name] for row in rows if row.method != "real" and row.values.get(name) is not None]
    judged = [
        (bad, value) for value in found if value is not None and (bad := badness(figure, value, real)) is not None
    ]
    return Column(name, figure.title, figure.meaning, figure.digits, min(judged)[1] if judged else None)
