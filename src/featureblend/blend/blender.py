"""The use half: photos in, one blended photo out, on ONNX Runtime alone."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from io import IOBase
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from ..errors import FeatureblendError
from ..faces.alignment import AlignedFace, align_face
from ..faces.crown import with_crown
from ..faces.detector import FaceDetector, Search, choose_face
from ..faces.parser import parser
from ..faces.recognizers import Recognizer, further_recognizers, open_recognizer
from ..io.codes import Code
from ..io.image import load_photo, photo_name
from ..io.inputs import Input, input_name, read_input
from ..io.onnx import choose_device
from ..io.photo_warnings import PhotoWarning, several_faces, told
from ..io.tables import flag, number, whole
from ..io.threads import side_by_side
from ..model.folder import ModelConfig, find_model
from ..model.networks import Networks
from .balance import Balancing, even_shares, recognized_shares
from .compositing.between import Meetings
from .compositing.composing import best_source, output_side
from .pipeline import BlendKeywords, BlendOptions, as_seen, blended, cleaned, finished, resolved
from .quality import TYPICAL, Measuring, check_measuring, is_restored, measure_quality, photo_warnings
from .recipes import Blend, normalised_weights, recipe_of

if TYPE_CHECKING:
    from typing_extensions import Unpack

Which = int | str
"""Which face of a photo: 'largest', 'central', or a number from the left, from 1."""


class Blender:
    """Blends photos with one model.

    Use `Blender.from_pretrained`. Nothing leaves the machine: no method opens a connection. One
    blender may be used by several threads.

    Parameters
    ----------
    folder : path-like
        A model folder.
    detector : FaceDetector, optional
    mend : bool
        Whether photos are restored before they are encoded: noise, blur, compression, weak light.

    Examples
    --------
    >>> from featureblend.faces import EXAMPLES
    >>> blender = Blender.from_pretrained()
    >>> photos = [EXAMPLES / "first.jpg", EXAMPLES / "second.jpg"]
    >>> blend = blender.blend(photos, weights=[2, 1], size="model")
    >>> blend.image.size
    (128, 128)
    """

    def __init__(
        self, folder: str | os.PathLike[str], detector: FaceDetector | None = None, *, mend: bool = True
    ) -> None:
        self.networks = Networks(folder, mend=flag(mend, "mend"))
        self.detector = detector or FaceDetector()
        self._recognizer: Recognizer | None = None
        self._meetings = Meetings()
        self._loaded = False

    @classmethod
    def from_pretrained(
        cls, model: str | os.PathLike[str] | None = None, *, mend: bool = True, device: str | None = None
    ) -> Blender:
        """Open a model.

        Parameters
        ----------
        model : path-like or str, optional
            A model folder, or the name of a bundled model; the default model if left out.
        mend : bool
            Whether photos are restored before they are encoded.
        device : 'cpu', 'cuda', 'coreml', 'directml' or 'auto', optional
            What all networks that are opened from now on compute on, those of other blenders too
            (`featureblend.io.onnx.choose_device`); left out, it stays what it was, the CPU at first.

        Raises
        ------
        FeatureblendError
            If there is none, a file of it is missing or changed, or the device can't be used.
        """
        if device is not None:
            choose_device(device)
        return cls(find_model(model), mend=mend)

    @property
    def folder(self) -> Path:
        """The model folder."""
        return self.networks.folder

    @property
    def config(self) -> ModelConfig:
        """What the model's ``config.json`` says."""
        return self.networks.config

    @property
    def recognizer(self) -> Recognizer:
        """Who tells whose face it is, where that is measured: dlib's network unless another is set.

        Raises
        ------
        FeatureblendError
            If it is not installed.
        """
        if self._recognizer is None:
            self._recognizer = open_recognizer()
        return self._recognizer

    @recognizer.setter
    def recognizer(self, recognizer: Recognizer) -> None:
        self._recognizer = recognizer

    @property
    def image_size(self) -> int:
        """Side of the model's pictures in pixels."""
        return self.config.image_size

    def load(self) -> None:
        """Open all networks now, side by side; `blend` does so by itself.

        Raises
        ------
        FeatureblendError
            If one can't be loaded.
        """
        side_by_side(lambda load: load(), [self.networks.load, self.detector.finder.load, parser])
        self._loaded = True

    def find(self, photo: Input, which: Which = "largest", position: int = 1) -> AlignedFace:
        """Find the face in a photo and cut its aligned crop, with landmarks and the way back.

        Parameters
        ----------
        photo : path-like, PIL image, (H, W, 3) uint8 array, Code or the path of one
            A code gives the face that it stands for.
        which : 'largest', 'central' or int
            Which face, where there are several; a number counts from the left, from 1.
        position : int
            The photo's place in the caller's list, for messages.

        Raises
        ------
        FeatureblendError
            If the photo can't be read, or shows no face.
        """
        item = read_input(photo)
        if isinstance(item, Code):
            return self.face_of(item, position)
        loaded = load_photo(item, position)
        found = self.detector.search(loaded.pixels)
        return self.face_in(found, which, photo_name(item, position), loaded.warnings)

    def face_in(self, found: Search, which: Which, name: str, warnings: tuple[PhotoWarning, ...] = ()) -> AlignedFace:
        """Cut one of the faces that the detector found in a photo, as `find` does.

        `name` is for messages, and `warnings` are what was found out while the photo was read.

        Raises
        ------
        FeatureblendError
            If there is none, or not that one.
        """
        chosen = choose_face(found.faces, found.image.shape, which, name, warnings)
        face = with_crown(
            align_face(found.image, chosen.landmarks, self.image_size, template=self.config.crop, mesh=chosen.mesh)
        )
        warnings = (*warnings, *found.warnings)
        if len(found.faces) > 1 and isinstance(which, str):  # by its number, a user chose it
            warnings = (*warnings, several_faces(len(found.faces), which))
        return replace(face, quarter_turns=found.quarter_turns, warnings=warnings)

    def face_of(self, code: Code, position: int = 1) -> AlignedFace:
        """The face that a code stands for, as `find` gives a photo's.

        Raises
        ------
        FeatureblendError
            If another model encoded it, or neither it nor its picture tells the landmarks.
        """
        self.check_code(code, position)
        (picture,) = self.networks.pictures(code.latent[None])
        marks = code.landmarks
        if marks is None:
            name = f"the picture of {code.name or f'code {position}'}"
            marks = choose_face(self.detector.detect(picture), picture.shape, "central", name).landmarks
        return AlignedFace(picture, marks, np.eye(2, 3), latent=code.latent)

    def align(self, photo: Input, which: Which = "largest") -> Image.Image:
        """The aligned crop of a photo's face at the model's size; parameters as `find`."""
        return Image.fromarray(self.find(photo, which).image)

    def encode(self, photo: Input, which: Which = "largest") -> Code:
        """A photo's code; parameters as `find`. A code is given back as it is.

        Returns
        -------
        Code
        """
        item = read_input(photo)
        if isinstance(item, Code):
            self.check_code(item, 1)
            return item
        return self.code_of(self.find(item, which), photo_name(item))

    def code_of(self, face: AlignedFace, name: str = "") -> Code:
        """The code of a face that `find`, and best `cleaned` too, gave."""
        (face,) = self.cleaned([face])
        latent = self.networks.latents([face.restored], cleaned=True)[0] if face.latent is None else face.latent
        restored = is_restored(face) if face.latent is None else None  # of a code's face nothing is left to compare
        return Code(latent, self.config.identity, name, face.landmarks, restored)

    def decode(self, code: Code) -> Image.Image:
        """The picture that a code stands for.

        Raises
        ------
        FeatureblendError
            If another model encoded it.
        """
        self.check_code(code, 1)
        return Image.fromarray(self.networks.pictures(code.latent[None])[0])

    def cleaned(self, faces: Sequence[AlignedFace]) -> list[AlignedFace]:
        """Restore faces that `find` gave, once for all blends of them: `featureblend.blend.pipeline.cleaned`."""
        return cleaned(self.networks, faces)

    def check_code(self, code: Code, position: int = 1, difference: bool = False) -> None:
        """Raise `FeatureblendError` unless it is a face's code, or a difference of such, of this model.

        `position` names what has no name.
        """
        if not isinstance(code, Code):
            raise FeatureblendError(f"expected a code, such as `encode` gives, not {type(code).__name__}")
        if code.model != self.config.identity or code.latent.shape != (self.config.latent_dim,):
            raise FeatureblendError(
                f"{code.name or f'code {position}'} was encoded by model {code.model}, not by {self.config.name} "
                f"({self.config.identity}): encode the photo again with this model"
            )
        if code.landmarks is None:
            return
        of_face = bool(np.abs(code.landmarks.mean(axis=0)).max() > self.image_size / 4)
        if of_face == difference:
            kind, other = ("a face's code", "a difference of codes")[:: 1 if of_face else -1]
            raise FeatureblendError(f"{code.name or f'code {position}'} is {kind}: expected {other}")

    def blend(
        self,
        photos: Sequence[Input],
        weights: Sequence[float] | None = None,
        method: str = "latent",
        *,
        alpha: float | None = None,
        which: Which | Sequence[Which] = "largest",
        measures: Measuring = "pictures",
        balance: Balancing | None = None,
        **options: Unpack[BlendKeywords],
    ) -> Blend:
        """Blend two or more photos into one.

        Parameters
        ----------
        photos : sequence of at least two photos or codes
        weights : sequence of float, optional
            One a photo, the first photo's first; scaled to sum 1. Equal by default.
        method : str
            One of `METHODS`.
        alpha : float, optional
            Of two photos, in place of `weights`: the second one's weight, 0 to 1.
        which : 'largest', 'central', int, or a sequence of these
            Which face of each photo.
        measures : 'none', 'pictures' or 'identity'
            What is measured: nothing, what the pictures tell, or also who is recognised (`recognizer`).
        balance : 'pictures' or 'identity', optional
            Of two photos, instead of `weights`: search those at which the blend's picture is as near to one as to the
            other ('pictures'), or with which both people are recognised most surely by all recognisers that are
            installed, with whose hair and which weights of the shape, where these are left open ('identity').
        **options
            How to blend: ``warp``, ``surroundings``, ``shape_weights``, ``texture_weights``, ``background``, ``cut``,
            ``size``, ``detail`` and ``onto``, each as the field of that name of
            `featureblend.blend.pipeline.BlendOptions`.

        Returns
        -------
        Blend

        Raises
        ------
        FeatureblendError
            If there are fewer than two photos, one can't be used, or the weights or method do not fit.
        """
        # An array or a path is a sequence too, but of pixels or letters.
        many = isinstance(photos, Iterable) and not isinstance(
            photos, (str, bytes, os.PathLike, np.ndarray, Image.Image, Code, Mapping, IOBase)
        )
        items = list(photos) if many else []
        blend_options = BlendOptions(method, **options)
        shares = _checked(len(items), _weights(weights, alpha, len(items)), blend_options)
        choices = which_faces(which, len(items))
        if balance is not None and not isinstance(balance, str):
            raise FeatureblendError(f"unknown balance {balance!r}: use 'pictures' or 'identity'")
        check_measuring(measures)
        if measures == "identity" or balance == "identity":
            self.recognizer.check()
        if balance is not None and (len(items) != 2 or weights is not None or alpha is not None):
            raise FeatureblendError("a balance is searched for two photos, and in place of weights")
        if method == "latent" and not self._loaded:
            self.load()
        faces = side_by_side(self.find, items, choices, range(1, len(items) + 1))
        names = [input_name(item, place) for place, item in enumerate(items, 1)]
        if balance == "identity":
            further = further_recognizers(self.recognizer.name)
            shares, blend_options = recognized_shares(self.networks, faces, blend_options, [self.recognizer, *further])
        elif balance is not None:
            if blend_options.surroundings == "auto":  # the same while weights are searched and after
                blend_options = replace(blend_options, surroundings=best_source(faces))
            shares = even_shares(self.networks, faces, blend_options)
        return self._blend(faces, shares, blend_options, measures, names, items, choices)

    def blend_faces(
        self,
        faces: Sequence[AlignedFace],
        weights: Sequence[float] | np.ndarray | None = None,
        method: str = "latent",
        *,
        alpha: float | None = None,
        measures: Measuring = "pictures",
        names: Sequence[str] | None = None,
        **options: Unpack[BlendKeywords],
    ) -> Blend:
        """Blend faces that `find`, and best `cleaned` too, gave: what a slider calls. Parameters and errors as `blend`.

        The recipe names no inputs, since an aligned face does not know its photo; `names` are for warnings.
        """
        if not isinstance(faces, (list, tuple)) or not all(isinstance(face, AlignedFace) for face in faces):
            raise FeatureblendError("expected a list of faces, such as `find` gives; `blend` takes photos")
        if names is not None and (not isinstance(names, (list, tuple)) or len(names) != len(faces)):
            raise FeatureblendError("names: expected a list of one for each face")
        blend_options = BlendOptions(method, **options)
        shares = _checked(len(faces), _weights(weights, alpha, len(faces)), blend_options)
        return self._blend(
            faces, shares, blend_options, measures, names or [f"photo {n + 1}" for n in range(len(faces))]
        )

    def _blend(
        self,
        faces: Sequence[AlignedFace],
        shares: np.ndarray,
        blend_options: BlendOptions,
        measures: Measuring,
        names: Sequence[str],
        items: Sequence[Input] | None = None,
        which: Sequence[Which] = (),
    ) -> Blend:
        check_measuring(measures)
        for place, face in enumerate(faces, 1):
            if face.image.shape != (self.image_size, self.image_size, 3):
                raise FeatureblendError(
                    f"face {place} is {face.image.shape[0]} px and {self.config.name} blends {self.image_size} px: "
                    "find it with this model"
                )
        faces = as_seen(self.networks, faces, blend_options)
        blend_options = resolved(blend_options, faces, shares, self.image_size)
        made = blended(self.networks, faces, shares, blend_options, measures != "none", self._meetings)
        found: dict[str, Any] = {}
        if measures == "none":
            picture = finished(made, blend_options)
            warnings = told([photo_warnings(face) for face in faces], names)
        else:
            typical = self.config.metrics.get("psnr") or TYPICAL
            recognizer = self.recognizer if measures == "identity" else None

            def measured(crop: np.ndarray) -> tuple[dict[str, Any], tuple[str, ...]]:
                return measure_quality(replace(made, image=crop), faces, names, typical, recognizer)

            native = [face.native_size for face in faces]
            side = output_side(blend_options.size, self.image_size, native, blend_options.onto)
            if blend_options.background == "blend" and side == self.image_size:
                picture = finished(made, blend_options)
                found, warnings = measured(picture)
            else:  # what is measured is another picture, the crop at the model's size
                picture, (found, warnings) = side_by_side(
                    lambda work: work(),
                    [
                        lambda: finished(made, blend_options),
                        lambda: measured(finished(made, blend_options, plain=True)),
                    ],
                )
        parents = tuple(Image.fromarray(face.image) for face in faces)
        latent = blend_options.method == "latent"
        recipe = recipe_of(
            self.networks,
            "blend",
            blend_options.recorded(),
            method=blend_options.method,
            items=items,
            faces=which,
            weights=shares,
            warp=blend_options.warp and latent,
            surroundings=blend_options.surroundings if latent else None,
        )
        return Blend(Image.fromarray(picture), found, recipe, parents, warnings)


def _checked(count: int, weights: Sequence[float] | np.ndarray | None, blend_options: BlendOptions) -> np.ndarray:
    """Check what can be checked before any photo is opened, and give the weights."""
    if count < 2:
        raise FeatureblendError("two or more photos are needed for a blend")
    blend_options.check(count)
    return normalised_weights(weights, count)


def _weights(
    weights: Sequence[float] | np.ndarray | None, alpha: float | None, count: int
) -> Sequence[float] | np.ndarray | None:
    """The weights that `alpha` stands for, where it is given."""
    if alpha is None:
        return weights
    if weights is not None or count != 2:
        raise FeatureblendError("alpha is the second of two photos' weight, and in place of weights")
    share = number(alpha, "alpha", 0, 1)
    return [1 - share, share]


def given_or_bundled(blender: Blender | None) -> Blender:
    """Return the blender, or one of the bundled model where there is none.

    Raises
    ------
    FeatureblendError
        If it is something else.
    """
    if blender is not None and not isinstance(blender, Blender):
        raise FeatureblendError(
            f"blender: expected a Blender, such as Blender.from_pretrained() gives, not {type(blender).__name__}"
        )
    return blender or Blender.from_pretrained()


def which_faces(which: Which | Sequence[Which], count: int) -> list[Which]:
    """One choice of a face for each photo."""
    several = isinstance(which, (list, tuple)) or getattr(which, "ndim", 0) > 0
    choices = [whole(one) for one in which] if several else [whole(which)] * count  # type: ignore[union-attr]
    if len(choices) != count:
        raise FeatureblendError(f"{len(choices)} faces are chosen for {count} photos; give one, or one a photo")
    return choices
