"""The use half: photos in, one blended photo out, on ONNX Runtime alone."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from . import __version__
from .alignment import AlignedFace, align_face
from .classical import METHODS as CLASSICAL
from .classical.morph import warp_to_mean
from .errors import FeatureblendError
from .evaluate.measures import blend_measures
from .faces import FaceDetector, choose_face
from .image import Photo, from_network, load_image, photo_name, to_network
from .model_folder import find_model, read_model_folder
from .recipes import Blend, Code, input_facts, normalised_weights

__all__ = ["METHODS", "Blend", "Blender", "Code", "normalised_weights"]

METHODS = ("latent", *CLASSICAL)
"""Ways to blend: 'latent' is this project's; the others need no learning and share the aligned faces."""

_ONE_AT_A_TIME = threading.Lock()
"""dlib's detector lets go of Python's lock while it works on buffers of its own: two threads in it would mix them."""


class Blender:
    """Blends photos with one model.

    Use `Blender.from_pretrained`. Nothing leaves the machine: no method opens a connection. One
    blender may be used by several threads; they take turns at finding faces.

    Parameters
    ----------
    folder : path-like
        A model folder.
    detector : FaceDetector, optional

    Examples
    --------
    >>> from featureblend.demo import EXAMPLES
    >>> blender = Blender.from_pretrained()
    >>> blend = blender.blend([EXAMPLES / "first.png", EXAMPLES / "second.png"], weights=[2, 1])
    >>> blend.image.size
    (128, 128)
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
        path = self.folder / name
        try:
            session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime raises kinds of its own
            raise FeatureblendError(f"cannot load {path}: {(str(error) or 'damaged').splitlines()[0]}") from error
        # The hashes cover the networks but not the settings beside them.
        due = {"images": [3, self.image_size, self.image_size], "latent": [self.config.latent_dim]}
        for end in (*session.get_inputs(), *session.get_outputs()):
            if list(end.shape[1:]) != due.get(end.name):
                raise FeatureblendError(
                    f"{path} does not fit its config.json: {end.name} of {end.shape[1:]}, not {due.get(end.name)}; "
                    "export the model again"
                )
        return session

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
        image = load_image(photo, position)
        with _ONE_AT_A_TIME:
            found = self.detector.detect(image)
        face = choose_face(found, image.shape, which, photo_name(photo, position))
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
        # An array or a path is a sequence too, but of pixels or letters.
        items = [] if isinstance(photos, (str, os.PathLike, np.ndarray, Image.Image, Code)) else list(photos)
        shares = _checked(len(items), weights, method)
        choices = [which] * len(items) if isinstance(which, (int, np.integer, str)) else list(which)
        if len(choices) != len(items):
            raise FeatureblendError(
                f"{len(choices)} faces are chosen for {len(items)} photos; give one, or one a photo"
            )
        codes = [item for item in items if isinstance(item, Code)]
        if codes and (method != "latent" or len(codes) != len(items)):
            raise FeatureblendError("codes can be blended with codes only, by the method 'latent'")
        if codes:
            made = self._blend_codes(codes, shares)
        else:
            faces = [
                self.find(photo, choice, place)
                for place, (photo, choice) in enumerate(zip(items, choices, strict=True), 1)
                if not isinstance(photo, Code)
            ]
            made = self.blend_faces(faces, shares, method, warp=warp)
        recipe = {
            **made.recipe,
            "inputs": [input_facts(item, place) for place, item in enumerate(items, 1)],
            "faces": [choice if isinstance(choice, str) else int(choice) for choice in choices],
        }
        return replace(made, recipe=recipe)

    def blend_faces(
        self,
        faces: Sequence[AlignedFace],
        weights: Sequence[float] | np.ndarray | None = None,
        method: str = "latent",
        *,
        warp: bool = True,
    ) -> Blend:
        """Blend faces that `find` gave: what a slider calls. Parameters and errors as `blend`.

        The recipe names no inputs, since an aligned face does not know its photo.
        """
        shares = _checked(len(faces), weights, method)
        images, landmarks = [face.image for face in faces], [face.landmarks for face in faces]
        for place, image in enumerate(images, 1):
            if image.shape != (self.image_size, self.image_size, 3):
                raise FeatureblendError(
                    f"face {place} is {image.shape[0]} px and {self.config.name} blends {self.image_size} px: "
                    "find it with this model"
                )
        image = self._blended(images, landmarks, shares, method, warp)
        measures = blend_measures(image, images, shares, landmarks)
        recipe = self._recipe(shares, method, warp and method == "latent")
        return Blend(Image.fromarray(image), measures, recipe, tuple(map(Image.fromarray, images)))

    def _recipe(self, shares: np.ndarray, method: str, warp: bool) -> dict[str, Any]:
        return {
            "method": method,
            "weights": [float(share) for share in shares],
            "warp": warp,
            "model": {"name": self.config.name, "identity": self.config.identity},
            "featureblend": __version__,
        }

    def _blended(
        self,
        images: Sequence[np.ndarray],
        landmarks: Sequence[np.ndarray],
        shares: np.ndarray,
        method: str,
        warp: bool,
    ) -> np.ndarray:
        if method != "latent":
            return CLASSICAL[method](images, shares.tolist(), landmarks)
        if warp:
            images = warp_to_mean(images, landmarks, shares)
        latents = self._encoded(images)
        return self._decoded(shares.astype(np.float32)[None] @ latents)[0]

    def _blend_codes(self, codes: Sequence[Code], shares: np.ndarray) -> Blend:
        for place, code in enumerate(codes, 1):
            self._check_code(code, place)
        latents = np.stack([code.latent for code in codes])
        decoded = self._decoded(np.concatenate([shares[None].astype(np.float32) @ latents, latents]))
        image, parents = decoded[0], list(decoded[1:])
        marks = [code.landmarks for code in codes if code.landmarks is not None]
        measures = blend_measures(image, parents, shares, marks if len(marks) == len(codes) else None)
        return Blend(
            Image.fromarray(image),
            measures,
            self._recipe(shares, "latent", False),
            tuple(map(Image.fromarray, parents)),
        )


def _checked(count: int, weights: Sequence[float] | np.ndarray | None, method: str) -> np.ndarray:
    """Check what can be checked before any photo is opened, and give the weights."""
    if count < 2:
        raise FeatureblendError("two or more photos are needed for a blend")
    if method not in METHODS:
        raise FeatureblendError(f"unknown method {method!r}: use one of {', '.join(METHODS)}")
    return normalised_weights(weights, count)
