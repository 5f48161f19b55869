"""How a blend is made of aligned faces: by which method, of whose shape, texture and surroundings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypedDict

import numpy as np

from ..errors import FeatureblendError
from ..faces.alignment import AlignedFace
from ..faces.parser import PARTS, FaceParts, anyones_hair, face_parts
from ..faces.warp import lie_at, mean_shape, warp_to_mean, warp_to_shape
from ..io.image import to_uint8
from ..io.tables import check_choice, flag, whole
from ..io.threads import side_by_side
from ..model.mixing import Source
from ..model.networks import Networks
from .baselines import BASELINES, pixel
from .compositing import compose, with_mean_colour
from .compositing.between import Meetings
from .compositing.composing import (
    CUT_OUT,
    best_source,
    check_options,
    check_source,
    output_side,
    resolve_source_weights,
    suitability,
)
from .compositing.skin import skin_of
from .recipes import normalised_weights

METHODS = ("latent", *BASELINES)
"""Ways to blend: 'latent' is this project's; the others need no learning and share the aligned faces."""

LARGEST_MEETING = 1024
"""Side in pixels at which surroundings between two photos' are worked out, at most."""

WARPING_METHODS = ("latent", "morph")
"""The methods that can warp faces to a mean shape, and so weigh shape and texture apart."""


class BlendKeywords(TypedDict, total=False):
    """What `Blender.blend` takes by name; `BlendOptions` says what each means."""

    warp: bool
    surroundings: Source
    shape_weights: Sequence[float] | None
    texture_weights: Sequence[float] | None
    background: str
    cut: str
    size: int | str | None
    detail: bool | None
    onto: int


@dataclass(frozen=True)
class BlendOptions:
    """How to blend, weights aside. `check` says whether it fits a number of photos.

    Examples
    --------
    >>> BlendOptions(method="morph", shape_weights=(3, 1)).recorded()
    {'detail': False, 'size': 'photos', 'shape_weights': [3, 1]}
    >>> BlendOptions(method="pixel", shape_weights=(3, 1)).check(2)
    Traceback (most recent call last):
    featureblend.errors.FeatureblendError: the method 'pixel' warps no faces: weights of the shape go with latent, morph
    """

    method: str = "latent"
    """One of `METHODS`."""
    warp: bool = True
    """With 'latent': warp each face to the mean shape before it is encoded, so that eyes meet eyes."""
    surroundings: Source = "auto"
    """With 'latent': whose hair and background; 'auto' (the sharpest and plainest, unless small or cut off; at uneven
    weights of two photos 'blend'), 'mean' (everyone's), 'blend' (between two photos') or a photo's place from 1."""
    shape_weights: Sequence[float] | None = None
    """Weights of the faces' shapes; the weights where left out."""
    texture_weights: Sequence[float] | None = None
    """Weights of all else; the weights where left out."""
    background: str = "blend"
    """What is around the face, one of `featureblend.blend.compositing.BACKGROUNDS`: the blend's own crop, the whole
    photo ('source'), nothing ('transparent'), 'black', or the mean of the warped photos ('average')."""
    cut: str = "head"
    """What is left with the backgrounds 'transparent' and 'black': the 'head' with its hair, or the 'face' alone."""
    size: int | str | None = "photos"
    """Longest side of the picture in pixels, or one of `featureblend.blend.compositing.SIZES`: the scale of the photo
    with the largest face, at most 1,024 pixels ('photos'); the model's ('model'); that of the photo `onto` ('source').
    With the background 'source' each of these is that photo's own size."""
    detail: bool | None = None
    """Whether the fine detail is the photos' own; by default with 'latent' only, whose networks draw softly."""
    onto: int = 1
    """With the background 'source', into which photo the blend is put, from 1."""

    def __post_init__(self) -> None:
        for name in ("surroundings", "size", "onto"):
            object.__setattr__(self, name, whole(getattr(self, name)))  # 256.0 is 256
        if self.size is None:
            object.__setattr__(self, "size", "photos")
        for name in ("warp", "detail"):
            value = getattr(self, name)
            if value is not None or name == "warp":
                object.__setattr__(self, name, flag(value, name))

    @property
    def detailed(self) -> bool:
        """Whether the fine detail is the photos' own."""
        return self.method == "latent" if self.detail is None else self.detail

    @property
    def warps(self) -> bool:
        """Whether the blend has the mean of the faces' shapes."""
        return self.method == "morph" or (self.method == "latent" and self.warp)

    def check(self, count: int) -> None:
        """Raise `FeatureblendError` unless it fits so many photos."""
        check_choice(self.method, "method", METHODS)
        check_source(self.surroundings, count)
        between = isinstance(self.surroundings, str) and self.surroundings == "blend"
        if between and self.method == "latent" and not self.warp:
            raise FeatureblendError("surroundings 'blend' need faces that are warped: leave out --no-warp (warp=False)")
        check_options(self.background, self.size, self.onto, count, self.cut)
        if self.shape_weights is None and self.texture_weights is None:
            return
        part = "shape" if self.shape_weights is not None else "texture"
        if self.method not in WARPING_METHODS:
            raise FeatureblendError(
                f"the method {self.method!r} warps no faces: weights of the {part} go with {', '.join(WARPING_METHODS)}"
            )
        if not self.warps:
            raise FeatureblendError(
                f"weights of the {part} need faces that are warped: leave out --no-warp (warp=False)"
            )
        for weights in (self.shape_weights, self.texture_weights):
            normalised_weights(weights, count)

    def source_index(self, count: int) -> Source:
        """`surroundings` counted from 0, as in `featureblend.model.mixing`."""
        check_source(self.surroundings, count)
        return self.surroundings if isinstance(self.surroundings, str) else int(self.surroundings) - 1

    def recorded(self) -> dict[str, Any]:
        """The options for a recipe: those that differ from what a recipe without them means."""
        found: dict[str, Any] = {"detail": self.detailed}
        named = self.background == "source" and self.size in ("photos", "model")  # where it says nothing
        for name, plain in (("background", "blend"), ("size", self.size if named else "model"), ("onto", 1)):
            value = getattr(self, name)
            if value != plain:
                found[name] = value.item() if isinstance(value, np.generic) else value
        if self.background in CUT_OUT:
            found["cut"] = self.cut
        for name in ("shape_weights", "texture_weights"):
            values = getattr(self, name)
            if values is not None:
                found[name] = [value.item() if isinstance(value, np.generic) else value for value in values]
        return found


@dataclass(frozen=True)
class BlendedCrop:
    """A blended picture and what it was made of."""

    image: np.ndarray = field(repr=False)
    """(S, S, 3) uint8."""
    faces: Sequence[AlignedFace] = field(repr=False)
    """The N faces, restored and, if so, in the surroundings between theirs."""
    texture: np.ndarray
    """(N,) shares of the faces in what is seen."""
    shape: np.ndarray
    """(N,) shares of the faces in the shape."""
    encoded: Sequence[np.ndarray] = field(default=(), repr=False)
    """The faces as the encoder saw them: restored, warped or not; empty where nothing was encoded."""
    decoded: Sequence[np.ndarray] = field(default=(), repr=False)
    """What their latents decode to, if that was asked for."""
    degradation: np.ndarray | None = None
    """(N, 2) degradation of light and of texture that was removed from each, 0 to 1; None where nothing was encoded."""
    warped: bool = False
    """Whether the faces were warped to their mean shape."""
    source_weights: np.ndarray | None = None
    """(N,) shares in hair and background, where the blend was mixed by them."""
    latent: np.ndarray | None = field(default=None, repr=False)
    """(D,) float32: what was decoded."""
    skin: np.ndarray | None = field(default=None, repr=False)
    """(S, S) float32: where the source of hair and background shows skin."""
    hair: np.ndarray | None = field(default=None, repr=False)
    """(S, S) float32: where any of the faces has hair; None where it was mixed like all else."""


@dataclass(frozen=True)
class EncodedFaces:
    """Faces in one shape and their latents: what all blends in that shape share, whatever their weights.

    Where many blends are made of the same faces, `blended` takes it in place of the faces.
    """

    faces: Sequence[AlignedFace] = field(repr=False)
    """The N faces, restored."""
    target: np.ndarray | None = field(repr=False)
    """(68, 2): where the landmarks of all lie; None where the faces were not warped."""
    images: Sequence[np.ndarray] = field(repr=False)
    """(S, S, 3) uint8: what the encoder saw."""
    latents: np.ndarray = field(repr=False)
    """(N, D) float32."""

    @cached_property
    def parts(self) -> list[FaceParts]:
        """Where each of the images shows skin and hair."""
        return side_by_side(self._parts, self.faces, self.images)

    def _parts(self, face: AlignedFace, image: np.ndarray) -> FaceParts:
        if self.target is None or lie_at(face.landmarks, self.target):  # it was not warped
            return face.once(PARTS, lambda: face_parts(image))  # type: ignore[no-any-return]
        return face_parts(image)

    def lies_at(self, target: np.ndarray | None) -> bool:
        """Whether the faces have that shape."""
        if self.target is None or target is None:
            return self.target is target
        return np.array_equal(self.target, target)


def encoded(networks: Networks, faces: Sequence[AlignedFace], target: np.ndarray | None) -> EncodedFaces:
    """Restore, warp and encode aligned faces.

    Parameters
    ----------
    networks : Networks
    faces : sequence of N AlignedFace
        Of the model's size.
    target : (68, 2) array or None
        Where the landmarks shall lie; None leaves the faces as they are, and of codes the very latents.

    Returns
    -------
    EncodedFaces
    """
    faces = cleaned(networks, faces)

    def warped(face: AlignedFace) -> np.ndarray:
        return face.restored if target is None else warp_to_shape(face.restored, face.landmarks, target)

    images = side_by_side(warped, faces)
    latents = networks.latents(images, cleaned=True)
    for place, face in enumerate(faces):
        if face.latent is not None and images[place] is face.image:
            latents[place] = face.latent
    return EncodedFaces(faces, target, images, latents)


def cleaned(networks: Networks, faces: Sequence[AlignedFace]) -> list[AlignedFace]:
    """Prepare aligned faces, each once: what is blended again and again is to be cleaned before.

    Parameters
    ----------
    networks : Networks
    faces : sequence of N AlignedFace
        Of the model's size.

    Returns
    -------
    list of N AlignedFace
        With `suitability`, `cleaned` and `degradation`, as far as they had them not already; codes are clean. Networks
        that leave damage as it is leave the latter two out.
    """

    def prepared(face: AlignedFace) -> AlignedFace:
        if face.suitability is None:
            face = replace(face, suitability=suitability(face))
        if not networks.mend:
            return _as_found(face)
        return face if face.cleaned is not None or face.latent is not None else _clean(networks, face)

    return side_by_side(prepared, faces)


def as_seen(networks: Networks, faces: Sequence[AlignedFace], options: BlendOptions) -> list[AlignedFace]:
    """Faces as a method sees them: restored for 'latent', as they are for all others.

    Parameters
    ----------
    networks, faces
        As in `cleaned`.
    options : BlendOptions

    Returns
    -------
    list of N AlignedFace
    """
    if options.method == "latent":
        return cleaned(networks, faces)
    return [_as_found(face) for face in faces]


def _as_found(face: AlignedFace) -> AlignedFace:
    return face if face.cleaned is None else replace(face, cleaned=None, degradation=None)


def _clean(networks: Networks, face: AlignedFace) -> AlignedFace:
    images, degradations = networks.cleaned([face.image])
    return replace(face, cleaned=images[0], degradation=degradations[0])


def resolved(options: BlendOptions, faces: Sequence[AlignedFace], shares: np.ndarray, model: int) -> BlendOptions:
    """Options in which what depends on the faces is decided, as a recipe keeps them.

    Parameters
    ----------
    options : BlendOptions
    faces : sequence of N AlignedFace
        Of the model's size, as the method sees them (`as_seen`).
    shares : (N,) array
    model : int
        Side of the model's pictures.

    Returns
    -------
    BlendOptions
        Without ``surroundings='auto'`` and, but where the blend goes into a photo, ``size='photos'``.
    """
    if options.method == "latent" and options.surroundings == "auto":
        # Uneven weights would show the others' hair through the best photo's.
        between = len(faces) == 2 and options.warp and shares[0] != shares[1]
        options = replace(options, surroundings="blend" if between else best_source(faces))
    if options.size == "photos" and options.background != "source":
        options = replace(options, size=output_side("photos", model, [face.native_size for face in faces]))
    return options


def as_shown(
    faces: Sequence[AlignedFace], shares: np.ndarray, options: BlendOptions, meetings: Meetings | None = None
) -> tuple[Sequence[AlignedFace], BlendOptions]:
    """The faces in the surroundings between theirs, where these are asked for, and what is left to ask for then.

    Parameters
    ----------
    faces, shares, options
        As in `blended`.
    meetings : Meetings, optional
        What is kept of faces that met before.
    """
    if options.method != "latent" or options.surroundings != "blend":
        return faces, options
    if options.background == "source":  # whose surroundings are the photo's own
        return faces, replace(options, surroundings=best_source(faces))
    model = faces[0].image.shape[0]
    side = output_side(options.size, model, [face.native_size for face in faces], options.onto)
    meeting = (meetings or Meetings()).of(faces, int(np.clip(side, model, LARGEST_MEETING)))
    shape = None if options.shape_weights is None else normalised_weights(options.shape_weights, 2)
    # Of one of them at all weights, so that the other's lines go first into the face, where each keeps its own.
    return meeting.at(shares, shape), replace(options, surroundings=meeting.stronger + 1)


def blended(
    networks: Networks,
    faces: Sequence[AlignedFace] | EncodedFaces,
    shares: np.ndarray,
    options: BlendOptions,
    decode_parents: bool = False,
    meetings: Meetings | None = None,
) -> BlendedCrop:
    """Blend aligned faces of the model's size.

    Parameters
    ----------
    networks : Networks
    faces : sequence of N AlignedFace, or EncodedFaces
        Faces that are encoded already, in the shape of this blend and `as_shown`, are not encoded again.
    shares : (N,) array
        Sum to 1.
    options : BlendOptions
    decode_parents : bool
        With 'latent': also decode each face's own latent, for its reconstruction error.
    meetings : Meetings, optional
        What is kept of faces that met before.

    Returns
    -------
    BlendedCrop

    Raises
    ------
    FeatureblendError
        If the options do not fit the faces.
    """
    known = faces if isinstance(faces, EncodedFaces) else None
    faces = faces.faces if isinstance(faces, EncodedFaces) else faces
    options.check(len(faces))
    if known is None:
        faces, options = as_shown(faces, shares, options, meetings)
    shape = shares if options.shape_weights is None else normalised_weights(options.shape_weights, len(faces))
    texture = shares if options.texture_weights is None else normalised_weights(options.texture_weights, len(faces))
    images, landmarks = [face.image for face in faces], [face.landmarks for face in faces]
    if options.method != "latent":
        drawn = _baseline(options.method, images, landmarks, texture, shape)
        return BlendedCrop(drawn, faces, texture, shape, warped=options.warps)
    target = mean_shape(landmarks, shape) if options.warp else None
    if known is None or not known.lies_at(target):
        known = encoded(networks, faces, target)
    source = resolve_source_weights(known.faces, texture, options.surroundings)
    hair = None if options.surroundings == "mean" else anyones_hair(known.parts)
    latent = networks.mixed(known.latents, texture, source, hair)
    decoded = networks.pictures(np.stack([latent, *known.latents]) if decode_parents else latent[None])
    seen = np.stack(known.images).astype(np.float32)
    mean, outside = (np.tensordot(part.astype(np.float32), seen, axes=1) for part in (texture, source))
    points = mean_shape(landmarks, texture) if target is None else target
    skin = np.tensordot(source.astype(np.float32), np.stack([skin_of(parts) for parts in known.parts]), axes=1)
    picture = to_uint8(with_mean_colour(decoded[0], mean, outside, points, skin, hair))
    unharmed = np.zeros(2, np.float32)
    degradation = np.stack([unharmed if face.degradation is None else face.degradation for face in known.faces])
    return BlendedCrop(
        picture,
        known.faces,
        texture,
        shape,
        known.images,
        list(decoded[1:]),
        degradation,
        options.warp,
        source,
        latent,
        skin,
        hair,
    )


def _baseline(
    method: str,
    images: Sequence[np.ndarray],
    landmarks: Sequence[np.ndarray],
    texture: np.ndarray,
    shape: np.ndarray,
) -> np.ndarray:
    """Blend pictures without learning."""
    if method == "morph" and not np.array_equal(shape, texture):
        return pixel.blend(warp_to_mean(images, landmarks, shape), texture.tolist())
    return BASELINES[method](images, texture.tolist(), landmarks)


def finished(made: BlendedCrop, options: BlendOptions, plain: bool = False) -> np.ndarray:
    """The finished crop: with the photos' detail, at its size, before the background.

    Parameters
    ----------
    made, options
        As `blended` gave and took them.
    plain : bool
        Leave size and background: the aligned crop at the model's size, which is what the measures look at.

    Returns
    -------
    (H, W, 3) uint8 array
        (H, W, 4) with the background 'transparent'.

    Raises
    ------
    FeatureblendError
        If the background is that of a photo, and there is none.
    """
    where = replace(options, background="blend", size="model", onto=1) if plain else options

    def drawn(side: int) -> np.ndarray:
        crops = [face.at(side) for face in made.faces]
        images, landmarks = [crop.image for crop in crops], [crop.landmarks for crop in crops]
        return _baseline(options.method, images, landmarks, made.texture, made.shape)

    return compose(
        made.image,
        made.faces,
        made.texture,
        background=where.background,
        cut=where.cut,
        size=where.size,
        onto=where.onto,
        detail=options.detailed,
        warped=made.warped,
        shape_weights=made.shape,
        surroundings=options.surroundings if made.source_weights is None else made.source_weights,
        cleaned=made.encoded,
        degradation=made.degradation,
        skin=made.skin,
        hair=made.hair,
        draw=None if options.method == "latent" else drawn,
    )
