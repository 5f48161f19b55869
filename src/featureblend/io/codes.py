"""Codes: a face's latent and landmarks, and the file that holds them."""

from __future__ import annotations

import os
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import FeatureblendError
from .files import as_path, atomic_path, read_error, require_parent, writing

CODE_SUFFIX = ".npz"
"""The ending of code files."""

FORMAT = 1
"""Raised when a file written before can no longer be read."""

MAX_BYTES = 1 << 24
"""Larger files are no codes: a latent has some thousand numbers."""


@dataclass(frozen=True, eq=False)  # arrays have no single answer to ==
class Code:
    """The latent and landmarks of one face.

    Examples
    --------
    >>> import tempfile
    >>> code = Code(np.zeros(1280, np.float32), "0123456789ab", "ana.jpg")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Code.load(code.save(Path(folder) / "ana.npz")).name
    'ana.jpg'
    """

    latent: np.ndarray = field(repr=False)
    """(D,) float32."""
    model: str
    """Identity of the model that encoded it; another model can't decode it."""
    name: str = ""
    """The photo it came from."""
    landmarks: np.ndarray | None = field(default=None, repr=False)
    """(68, 2) x, y in the aligned crop, where known."""
    mended: bool | None = None
    """Whether the photo was restored before it was encoded; None where nobody knows, as of an older file."""

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the code to a numpy ``.npz`` file without pickled objects.

        The file holds the latent, the landmarks, the model's identity, the photo's name without its folder, whether
        it was restored, and featureblend's version; the same code gives the same bytes.

        Parameters
        ----------
        path : path-like
            Must end in ``.npz``.

        Returns
        -------
        Path

        Raises
        ------
        FeatureblendError
            If the name ends otherwise, or the file can't be written.
        """
        from .. import __version__

        path = require_parent(path)
        if path.suffix.lower() != CODE_SUFFIX:
            raise FeatureblendError(f"cannot write {path}: a code's file ends in {CODE_SUFFIX}")
        values: dict[str, Any] = {
            "format": np.int64(FORMAT),
            "latent": np.asarray(self.latent, np.float32),
            "model": np.str_(self.model),
            "name": np.str_(Path(self.name).name),
            "featureblend": np.str_(__version__),
        }
        if self.landmarks is not None:
            values["landmarks"] = np.asarray(self.landmarks, np.float64)
        if self.mended is not None:
            values["mended"] = np.bool_(self.mended)
        with atomic_path(path) as temporary, writing(path), open(temporary, "wb") as stream:  # savez adds suffixes
            np.savez(stream, allow_pickle=False, **values)
        return path

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Code:
        """Read a code's file. Files with pickled objects are refused, so that reading never runs code.

        Parameters
        ----------
        path : path-like
            What `save` or ``featureblend encode`` wrote.

        Returns
        -------
        Code

        Raises
        ------
        FeatureblendError
            If there is no such file, or it holds something else.
        """
        shown = os.fspath(as_path(path))
        try:
            if os.path.getsize(path) > MAX_BYTES:
                raise ValueError("it is far too large")
            if os.path.isfile(path) and not zipfile.is_zipfile(path):  # of which numpy would advise to load it unsafely
                raise ValueError("it is another kind of file")
            with np.load(path, allow_pickle=False) as stored:
                if any(entry.file_size > MAX_BYTES for entry in zipfile.ZipFile(path).infolist()):
                    raise ValueError("it is far too large")
                return cls._from_values({name: stored[name] for name in stored.files})
        except (FileNotFoundError, IsADirectoryError) as error:
            raise read_error(shown, error, "a code") from error
        except Exception as error:  # numpy and its zip reader raise many kinds for damage
            reason = f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error).splitlines()[0:1]
            why = reason if isinstance(reason, str) else "".join(reason)
            raise FeatureblendError(
                f"cannot read {shown}: not a code that `featureblend encode` wrote ({why or type(error).__name__})"
            ) from error

    @classmethod
    def _from_values(cls, values: dict[str, Any]) -> Code:
        if int(values["format"]) != FORMAT:
            raise ValueError(f"its format {int(values['format'])} is not known to this version")
        latent, landmarks = values["latent"], values.get("landmarks")
        if latent.ndim != 1 or latent.dtype != np.float32 or not np.isfinite(latent).all():
            raise ValueError("its latent is no row of finite float32 numbers")
        if landmarks is not None and (landmarks.shape != (68, 2) or not np.isfinite(landmarks).all()):
            raise ValueError("its landmarks are no 68 points")
        mended = values.get("mended")
        if mended is not None and (mended.shape != () or mended.dtype != np.bool_):
            raise ValueError("it doesn't say with yes or no whether its photo was restored")
        known = None if mended is None else bool(mended)
        return cls(latent, str(values["model"]), str(values["name"]), landmarks, known)
