"""The use half: photos in, one blended photo out, on ONNX Runtime alone."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from . import __version__
from .alignment import AlignedFace, align_face
from .classical import METHODS as CLASSICAL
from .classical.morph import mean_shape, warp_to_shape
from .errors import FeatureblendError
from .evaluate.measures import blend_measures
from .faces import FaceDetector
from .image import Photo, from_network, photo_name, to_network
from .model_folder import find_model, read_model_folder

__all__ = ["METHODS", "Blend", "Blender", "Code", "normalised_weights"]

METHODS = ("latent", *CLASSICAL)
"""Ways to blend: 'latent' is this project's; the others need no learning and share the aligned faces."""


@dataclass(frozen=True)
class Code:
    """What the encoder gives for one face: blends are weighted means of latents."""

    latent: np.ndarray = field(repr=False)
    """(D,) float32."""
    model: str
    """Identity of the model that encoded it; another model can't decode it."""
    name: str = ""
    """The photo it came from."""
    landmarks: np.ndarray | None = field(default=None, repr=False)
    """(68, 2) x, y in the aligned crop, where known."""


@dataclass(frozen=True)
class Blend:
    """A blended photo, how good it is, and how it was made."""

    image: Image.Image = field(repr=False)
    """The picture, at the model's size."""
    measures: dict[str, Any]
    """Figures of this blend; `featureblend.evaluate.measures` says what each means."""
    recipe: dict[str, Any]
    """Inputs by hash, weights, method, model and version: enough to make it again."""
    parents: tuple[Image.Image, ...] = field(default=(), repr=False)
    """The aligned faces that went in, in order."""


def normalised_weights(weights: Sequence[float] | None, count: int) -> np.ndarray:
    """Give weights that sum to 1, equal ones by default.

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
    values = np.asarray(weights, dtype=np.float64)
    shown = " ".join(f"{value:g}" for value in np.ravel(values))
    if values.shape != (count,):
        raise FeatureblendError(f"weights {shown}: {values.size} given for {count} photos; give one a photo")
    if not np.isfinite(values).all():
        raise FeatureblendError(f"weights {shown}: each must be a finite number")
    if (values < 0).any():
        raise FeatureblendError(f"weights {shown}: none may be negative")
    if values.sum() <= 0:
        raise FeatureblendError(f"weights {shown}: at least one must be more than 0")
    return values / values.max() / (values / values.max()).sum()  # the first division keeps huge ones finite


class Blender:
    """Blends photos with one model.

    Use `Blender.from_pretrained`. Nothing leaves the machine: no method opens a connection.

    Parameters
    ----------
    folder : path-like
        A model folder.
    detector : FaceDetector, optional

    Examples
    --------
    >>> blender = Blender.from_pretrained()                                        # doctest: +SKIP
    >>> blender.blend(["a.jpg", "b.jpg"], weights=[2, 1]).image.save("out.png")    # doctest: +SKIP
    """

    def __init__(self, folder: str | os.PathLike[str], detector: FaceDetector | None = None) -> None:
        self.folder = Path(folder)
        self.config = read_model_folder(self.folder)
        self.detector = detector or FaceDetector()

    @classmethod
    def from_pretrained(cls, model: str | os.PathLike[str] | None = None) -> Blender:
        """Open a model.

        Parameters
        ----------
        model : path-like or str, optional
            A model folder, or the name of a bundled model; the default model if left out.

        Raises
        ------
        FeatureblendError
            If there is none, or a file of it is missing or changed.
        """
        return cls(find_model(model))

    @property
    def image_size(self) -> int:
        """Side of the blends in pixels."""
        return self.config.image_size

    @cached_property
    def _encoder(self) -> Any:
        return self._session("encoder.onnx")

    @cached_property
    def _decoder(self) -> Any:
        return self._session("decoder.onnx")

    def _session(self, name: str) -> Any:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        try:
            return onnxruntime.InferenceSession(str(self.folder / name), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime raises kinds of its own
            raise FeatureblendError(f"cannot load {self.folder / name}: {str(error).splitlines()[0]}") from error

    def find(self, photo: Photo, which: int | str = "largest", position: int = 1) -> AlignedFace:
        """Find the face in a photo and cut its aligned crop, with landmarks and the way back.

        Parameters
        ----------
        photo : path-like, PIL image or (H, W, 3) uint8 array
        which : 'largest', 'central' or int
            Which face, where there are several; a number counts from the left, from 1.
        position : int
            The photo's place in the caller's list, for messages.

        Raises
        ------
        FeatureblendError
            If the photo can't be read, or shows no face.
        """
        image, face = self.detector.find(photo, which, position)
        return align_face(image, face.landmarks, self.image_size, template=self.config.crop)

    def align(self, photo: Photo, which: int | str = "largest") -> Image.Image:
        """Give the aligned crop of a photo's face at the model's size; parameters as `find`."""
        return Image.fromarray(self.find(photo, which).image)

    def encode(self, photo: Photo, which: int | str = "largest") -> Code:
        """Give a photo's code; parameters as `find`.

        Returns
        -------
        Code
        """
        face = self.find(photo, which)
        (latent,) = self._encoded([face.image])
        return Code(latent, self.config.identity, photo_name(photo), face.landmarks)

    def decode(self, code: Code) -> Image.Image:
        """Give the picture that a code stands for.

        Raises
        ------
        FeatureblendError
            If another model encoded it.
        """
        self._check_code(code, 1)
        return Image.fromarray(self._decoded(code.latent[None])[0])

    def _encoded(self, images: Sequence[np.ndarray]) -> np.ndarray:
        return self._encoder.run(None, {"images": to_network(np.stack(images))})[0]

    def _decoded(self, latents: np.ndarray) -> np.ndarray:
        return from_network(self._decoder.run(None, {"latent": latents.astype(np.float32)})[0])

    def _check_code(self, code: Code, position: int) -> None:
        if code.model != self.config.identity or code.latent.shape != (self.config.latent_dim,):
            raise FeatureblendError(
                f"{code.name or f'code {position}'} was encoded by model {code.model}, not by {self.config.name} "
                f"({self.config.identity}): encode the photo again with this model"
            )

    def blend(
        self,
        photos: Sequence[Photo | Code],
        weights: Sequence[float] | None = None,
        method: str = "latent",
        *,
        which: int | str | Sequence[int | str] = "largest",
        warp: bool = True,
    ) -> Blend:
        """Blend two or more photos into one.

        Parameters
        ----------
        photos : sequence of at least two photos or codes
        weights : sequence of float, optional
            One a photo, the first photo's first; scaled to sum 1. Equal by default.
        method : str
            One of `METHODS`. Codes can be blended by 'latent' only.
        which : 'largest', 'central', int, or a sequence of these
            Which face of each photo.
        warp : bool
            With 'latent': bend each face to the weighted mean of the faces' landmarks before it is
            encoded, so that eyes meet eyes. Codes are blended as they are.

        Returns
        -------
        Blend

        Raises
        ------
        FeatureblendError
            If there are fewer than two photos, one can't be used, or the weights or method do not fit.
        """
        if isinstance(photos, (str, os.PathLike, np.ndarray, Image.Image, Code)) or len(photos) < 2:
            raise FeatureblendError("two or more photos are needed for a blend")
        shares = normalised_weights(weights, len(photos))
        if method not in METHODS:
            raise FeatureblendError(f"unknown method {method!r}: use one of {', '.join(METHODS)}")
        choices = [which] * len(photos) if isinstance(which, (int, str)) else list(which)
        if len(choices) != len(photos):
            raise FeatureblendError(
                f"{len(choices)} faces are chosen for {len(photos)} photos; give one, or one a photo"
            )
        codes = [item for item in photos if isinstance(item, Code)]
        recipe = {
            "method": method,
            "weights": [float(share) for share in shares],
            "inputs": [_input_facts(photo, place) for place, photo in enumerate(photos, 1)],
            "faces": choices,
            "warp": warp and method == "latent" and not codes,
            "model": {"name": self.config.name, "identity": self.config.identity},
            "featureblend": __version__,
        }
        if codes:
            if method != "latent" or len(codes) != len(photos):
                raise FeatureblendError("codes can be blended with codes only, by the method 'latent'")
            return self._blend_codes(codes, shares, recipe)
        faces = [
            self.find(photo, choice, place)
            for place, (photo, choice) in enumerate(zip(photos, choices, strict=True), 1)
            if not isinstance(photo, Code)
        ]
        return self.blend_faces(faces, shares, method, warp=warp, recipe=recipe)

    def blend_faces(
        self,
        faces: Sequence[AlignedFace],
        weights: Sequence[float] | np.ndarray,
        method: str = "latent",
        *,
        warp: bool = True,
        recipe: dict[str, Any] | None = None,
    ) -> Blend:
        """Blend faces that were found already: what a slider calls; parameters as `blend`."""
        shares = np.asarray(weights, dtype=np.float64)
        images, landmarks = [face.image for face in faces], [face.landmarks for face in faces]
        image = self._blended(images, landmarks, shares, method, warp)
        measures = blend_measures(image, images, shares, landmarks)
        return Blend(Image.fromarray(image), measures, recipe or {}, tuple(map(Image.fromarray, images)))

    def _blended(
        self,
        images: Sequence[np.ndarray],
        landmarks: Sequence[np.ndarray],
        shares: np.ndarray,
        method: str,
        warp: bool,
    ) -> np.ndarray:
        if method != "latent":
            return CLASSICAL[method](images, shares, landmarks)
        if warp:
            shape = mean_shape(landmarks, shares)
            images = [warp_to_shape(image, points, shape) for image, points in zip(images, landmarks, strict=True)]
        latents = self._encoded(images)
        return self._decoded(shares.astype(np.float32)[None] @ latents)[0]

    def _blend_codes(self, codes: Sequence[Code], shares: np.ndarray, recipe: dict[str, Any]) -> Blend:
        for place, code in enumerate(codes, 1):
            self._check_code(code, place)
        latents = np.stack([code.latent for code in codes])
        decoded = self._decoded(np.concatenate([shares[None].astype(np.float32) @ latents, latents]))
        image, parents = decoded[0], list(decoded[1:])
        marks = [code.landmarks for code in codes if code.landmarks is not None]
        measures = blend_measures(image, parents, shares, marks if len(marks) == len(codes) else None)
        return Blend(Image.fromarray(image), measures, recipe, tuple(map(Image.fromarray, parents)))


def _input_facts(photo: Photo | Code, position: int) -> dict[str, str]:
    """Name an input by what it is called and the hash of what it holds."""
    if isinstance(photo, Code):
        return {"name": photo.name, "latent_sha256": hashlib.sha256(photo.latent.tobytes()).hexdigest()}
    name = Path(photo_name(photo, position)).name
    if isinstance(photo, (str, os.PathLike)):
        # Unreadable files get their clear message from `load_image`, a moment later.
        content = Path(photo).read_bytes() if Path(photo).is_file() else b""
        return {"name": name, "sha256": hashlib.sha256(content).hexdigest()}
    pixels = np.asarray(photo)
    facts = json.dumps([pixels.shape, str(pixels.dtype)]).encode()
    return {"name": name, "pixels_sha256": hashlib.sha256(facts + pixels.tobytes()).hexdigest()}
