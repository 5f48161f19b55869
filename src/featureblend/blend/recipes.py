"""What goes into a blend and what comes out: codes, weights, the blend itself, and the recipe that repeats it."""

from __future__ import annotations

import hashlib
import json
import os
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO, overload

import numpy as np
from PIL import Image

from .. import __version__
from ..errors import FeatureblendError
from ..io.codes import Code
from ..io.files import as_path, keep_inputs, readable_name, sha256
from ..io.image import Photo, load_image, photo_name
from ..io.inputs import Input
from ..io.metadata import save_picture
from ..io.tables import flag
from ..model.mixing import Source
from ..model.networks import Networks


@dataclass(frozen=True)
class Blend:
    """A blended photo, how good it is, and how it was made."""

    image: Image.Image = field(repr=False)
    """The picture: at the photos' own size, unless another size or background was asked for."""
    measures: dict[str, Any]
    """Figures of this blend; `featureblend.metrics.measures` says what each means."""
    recipe: dict[str, Any]
    """Inputs by hash, weights, method, model and version: enough to make it again. Holds no folder's name."""
    parents: tuple[Image.Image, ...] = field(default=(), repr=False)
    """The aligned faces that went in, in order; of codes, their pictures."""
    warnings: tuple[str, ...] = ()
    """What speaks against the photos, in plain sentences: several faces, a turned head, a restored photo, ..."""

    def _repr_png_(self) -> bytes:
        """The picture, for consoles that show one."""
        content = BytesIO()
        self.image.save(content, "PNG")
        return content.getvalue()

    def _repr_html_(self) -> str:
        """The picture, what speaks against the photos, and the measures, for a notebook."""
        picture = b64encode(self._repr_png_()).decode()
        rows = "".join(
            f"<tr><th>{escape(name.replace('_', ' '))}</th><td>{escape(str(value))}</td></tr>"
            for name, value in self.measures.items()
        )
        warnings = "".join(f"<p>{escape(one)}</p>" for one in self.warnings)
        size = "max-width: 320px; height: auto"
        return f'<img alt="blend" style="{size}" src="data:image/png;base64,{picture}">{warnings}<table>{rows}</table>'

    @overload
    def save(self, path: str | os.PathLike[str], metadata: bool = True, format: str | None = None) -> Path: ...
    @overload
    def save(self, path: BinaryIO, metadata: bool = True, format: str | None = None) -> BinaryIO: ...
    def save(self, path: Any, metadata: bool = True, format: str | None = None) -> Any:
        """Write the picture, with the recipe and a note that it is synthetic in it unless `metadata` is False.

        Parameters
        ----------
        path : path-like or binary file
            The suffix decides the format.
        metadata : bool
        format : str, optional
            Of an open file, such as ``io.BytesIO()``: 'png', 'jpg', 'webp', ...

        Returns
        -------
        Path or binary file
            What was written.

        Raises
        ------
        FeatureblendError
            As `featureblend.io.image.save_image`, where the format of an open file is missing, or where a photo that
            went in would be written over.
        """
        if hasattr(path, "write"):
            if not isinstance(format, str) or not format.isalnum():
                raise FeatureblendError("an open file has no suffix: name its format, such as format='png'")
            with TemporaryDirectory(prefix="featureblend-") as folder:
                path.write(self.save(Path(folder) / f"blend.{format.lower()}", metadata).read_bytes())
            return path
        if format is not None:
            raise FeatureblendError("format is for open files: the suffix of a file's name decides its format")
        path = as_path(path)
        keep_inputs(path, self.recipe)
        return save_picture(path, self.image, self.recipe if flag(metadata, "metadata") else None)


def normalised_weights(weights: Sequence[float] | np.ndarray | None, count: int) -> np.ndarray:
    """Weights scaled to sum to 1; equal ones by default.

    Parameters
    ----------
    weights : sequence of float, optional
        One a photo, the first photo's first; none negative, not all zero.
    count : int
        How many photos there are.

    Returns
    -------
    (count,) float64 array

    Raises
    ------
    FeatureblendError
        If they do not fit.

    Examples
    --------
    >>> normalised_weights([3, 1], 2).tolist()
    [0.75, 0.25]
    >>> normalised_weights([1, -1], 2)
    Traceback (most recent call last):
    featureblend.errors.FeatureblendError: weights 1 -1: none may be negative
    """
    if weights is None:
        return np.full(count, 1 / count)
    try:
        values = np.asarray(weights, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise FeatureblendError(f"weights {weights!r}: each must be a number") from error
    shown = " ".join(f"{value:g}" for value in np.ravel(values))
    if values.shape != (count,):
        raise FeatureblendError(
            f"weights {shown or 'missing'}: {values.size} for {count} photos; give one for each photo"
        )
    if not np.isfinite(values).all():
        raise FeatureblendError(f"weights {shown}: each must be a finite number")
    if (values < 0).any():
        raise FeatureblendError(f"weights {shown}: none may be negative")
    if not values.any():
        raise FeatureblendError(f"weights {shown}: at least one must be more than 0")
    if values.max() <= 1 and abs(values.sum() - 1) <= count * np.finfo(np.float64).eps:
        return values.copy()  # as they are, so that a recipe's weights stay what they were
    parts = values / values.max()  # first, so that the sum of huge ones is finite
    return parts / parts.sum()


def recipe_of(
    networks: Networks,
    verb: str,
    options: Mapping[str, Any],
    *,
    method: str = "latent",
    items: Sequence[Input] | None = None,
    faces: Sequence[int | str] = (),
    weights: Sequence[float] | np.ndarray | None = None,
    warp: bool = True,
    surroundings: Source | Sequence[int] | None = None,
) -> dict[str, Any]:
    """Write down how a picture was made: plain JSON, inputs by hash, no folder's name.

    Parameters
    ----------
    networks : Networks
    verb : str
        What was done, such as 'blend'.
    options : mapping
        What else it was done with.
    method : str
    items, faces
        The photos and codes, and which face of each; without items, they are not in it.
    weights, surroundings, optional
        Left out where they say nothing.
    warp : bool

    Returns
    -------
    dict
    """
    recipe: dict[str, Any] = {"verb": verb, "method": method}
    if weights is not None:
        recipe["weights"] = [float(weight) for weight in weights]
    recipe |= {"warp": warp, "model": networks.facts(method), "featureblend": __version__}
    if surroundings is not None:
        recipe["surroundings"] = surroundings
    recipe["options"] = options
    if items is not None:
        recipe["inputs"] = [input_facts(item, place) for place, item in enumerate(items, 1)]
        recipe["faces"] = faces
    found: dict[str, Any] = json.loads(json.dumps(recipe, default=lambda value: value.item()))  # numpy's numbers
    return found


def input_facts(photo: Photo | Code, position: int) -> dict[str, str]:
    """An input's entry in a recipe: its name, without folder, and the hash of its content.

    Parameters
    ----------
    photo : path-like, PIL image, (H, W, 3) uint8 array, or Code
    position : int
        Its place in the caller's list, from 1: names what has no name.

    Returns
    -------
    dict
        ``name``, readable anywhere, and the SHA-256 of the file (``sha256``), of the pixels of a picture in memory as
        RGB bytes (``pixels_sha256``), or of a code's float32 numbers (``latent_sha256``).

    Examples
    --------
    >>> input_facts(np.zeros((1, 1, 3), np.uint8), 2)["name"]
    'photo 2'
    """
    if isinstance(photo, Code):
        name = readable_name(Path(photo.name).name) or f"code {position}"
        return {"name": name, "latent_sha256": hashlib.sha256(photo.latent.tobytes()).hexdigest()}
    name = photo_name(photo, position)
    if isinstance(photo, (str, os.PathLike)):
        return {"name": Path(name).name, "sha256": sha256(photo)}
    return {"name": name, "pixels_sha256": hashlib.sha256(load_image(photo, position).tobytes()).hexdigest()}
