"""What comes with a blend: its measures, those of the photos that went in, and what speaks against them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Literal

import numpy as np

from ..faces.alignment import AlignedFace
from ..faces.coverings import covered_by
from ..faces.landmarks import mouth_opening
from ..faces.pose import head_pose
from ..faces.recognizers import Recognizer
from ..faces.warp import mean_shape
from ..io.photo_warnings import MONOCHROME, NO_RESTORATION, PhotoWarning, told
from ..io.tables import check_choice
from ..io.threads import side_by_side
from ..metrics.distance import balance_of_distances
from ..metrics.measures import MEANINGS as OF_PICTURES
from ..metrics.measures import blend_measures
from ..metrics.scores import psnr
from . import conditions
from .pipeline import BlendedCrop

Measuring = Literal["none", "pictures", "identity"]
"""How much is measured: nothing, what the pictures tell, or also who is recognised in them."""

MEANINGS = {
    **OF_PICTURES,
    "reconstruction": "how near the model's picture of each photo, rid of damage, is to it: PSNR in dB; the more fine "
    "detail a photo has the fewer, so that it says little of how well the photo blends",
    "reconstruction_inside_face": "the same between brows and chin",
    "yaw": "how far each head is turned, in degrees; more than 0 to the viewer's right",
    "identity_distances": "distance of identity embeddings to each parent; dlib takes under 0.6 for that person, "
    "SFace under 1.128",
    "identity_balance": "as balance, by identity (two photos only)",
}
"""What each measure says, in a few words. 'identity' brings the last two, 'latent' the reconstructions."""


TYPICAL = 29.0
"""PSNR in dB of a model on people it never saw; for models that do not state theirs."""

TURNED = 30.0
"""Yaw in degrees from which a head counts as turned: one cheek is hidden, and lines of two noses show in blends."""

SMALL = 48.0
"""Width in pixels under which a face counts as small."""

DARK = 5.0
"""Stops by which half a face is darker than the other where it counts as dark. Side light of photos reaches 4, and
blends well."""

WIDE_OPEN = 0.4
"""`mouth_opening` from which a mouth counts as wide open: shouting, singing. Of 1,221 photos of LFW 1.5 % have more;
broad smiles reach .39."""

BLURRED = 0.16
"""`fineness` under which a face counts as out of focus: 608 photos have .25 or more, the same blurred by a standard
deviation of 3 pixels (of the crop's 128) .154 or less."""

TINTED = 0.09
"""`colour_spread` under which a photo has no colours: grey photos have 0, sepia and blue prints as JPEGs up to .09,
photos in colour .11 and more."""

SEEN, CHANGED = 0.5, 35.0
"""Damage from which it is said that a photo was restored, where that changed it to fewer dB than the second: a photo
that is a little soft needs no word."""

UNDRAWN = 4.5
"""`broad_error` in the model's usual errors from which it can't draw a face. 608 photos, with hats, scarves, glasses
and hands, reach 3.3; stripes or noise in bright colours are what no photo of a face had."""


OPEN_MOUTH = PhotoWarning(
    "the mouth is wide open; a photo with it closed blends better",
    "show mouths wide open; closed ones blend better",
)
COVERED = {
    "glasses": PhotoWarning(
        "it shows glasses, whose frames and reflections blend badly; a photo without them blends better",
        "show glasses, whose frames and reflections blend badly; photos without them blend better",
    ),
    "hat": PhotoWarning(
        "a hat or a band covers the forehead; a photo without it blends better",
        "show hats or bands that cover foreheads; photos without them blend better",
    ),
    "closed eyes": PhotoWarning(
        "the eyes look closed or cast down; a photo with open eyes blends better",
        "show eyes that look closed or cast down; photos with open eyes blend better",
    ),
}
HALF_DARK = PhotoWarning(
    "half of the face is in the dark; a photo that is lit evenly blends better",
    "show faces half in the dark; photos that are lit evenly blend better",
)
OUT_OF_FOCUS = PhotoWarning(
    "the face is out of focus; a sharper photo shows more of it",
    "show faces out of focus; sharper photos show more of them",
)
LIGHT_RESTORED = PhotoWarning(
    f"weak or coloured light was evened out; how bright the room was is a guess ({NO_RESTORATION})",
    f"had weak or coloured light, which was evened out ({NO_RESTORATION})",
)
TEXTURE_RESTORED = PhotoWarning(
    f"noise, blur or compression was taken out; a better photo shows more of the face ({NO_RESTORATION})",
    f"had noise, blur or compression, which was taken out ({NO_RESTORATION})",
)
CANT_DRAW = PhotoWarning(
    "the model can't draw part of it, such as a bright pattern before the face; another photo blends better",
    "show what the model can't draw, such as a bright pattern before the face; others blend better",
)


def photo_warnings(face: AlignedFace) -> tuple[PhotoWarning, ...]:
    """Warnings about a photo.

    Parameters
    ----------
    face : AlignedFace
        As `Blender.find` gave it; cleaned (`featureblend.blend.pipeline.cleaned`) where photos are restored.

    Returns
    -------
    tuple of PhotoWarning
        For `featureblend.io.photo_warnings.told` or `counted`.

    Notes
    -----
    Hands before the face are not recognised.

    Examples
    --------
    >>> from featureblend.faces.alignment import align_face
    >>> from featureblend.faces.drawn import draw_face
    >>> photo, marks = draw_face(3, 64)
    >>> [warning.one for warning in photo_warnings(align_face(photo, marks, 128))]
    ['the face is only 29 pixels wide and will blend poorly; take a larger photo']
    """
    found: tuple[PhotoWarning, ...] = face.once("warnings", partial(_photo_warnings, face))
    return found


def _photo_warnings(face: AlignedFace) -> tuple[PhotoWarning, ...]:
    found = list(face.warnings)
    yaw = head_pose(face.landmarks).yaw
    if abs(yaw) > TURNED:
        side = "right" if yaw > 0 else "left"
        found.append(
            PhotoWarning(
                f"the head is turned by about {abs(yaw):.0f} degrees to the {side}; a frontal photo blends better",
                f"show heads turned by more than {TURNED:.0f} degrees; frontal photos blend better",
            )
        )
    found += [COVERED[name] for name in covered_by(face.image)]
    if mouth_opening(face.landmarks) > WIDE_OPEN:
        found.append(OPEN_MOUTH)
    if face.latent is None:  # a code doesn't know how large its photo was
        width = conditions.face_width(face.landmarks, face.matrix)
        if width < SMALL:
            found.append(
                PhotoWarning(
                    f"the face is only {width:.0f} pixels wide and will blend poorly; take a larger photo",
                    f"show faces under {SMALL:.0f} pixels wide, which blend poorly; take larger photos",
                )
            )
    if conditions.light_ratio(face.image, face.landmarks) > DARK:
        found.append(HALF_DARK)
    if conditions.colour_spread(face.image, face.landmarks) < TINTED:
        found.append(MONOCHROME)
    if face.degradation is not None and psnr(face.restored, face.image) < CHANGED:
        light, texture = face.degradation.tolist()
        found += [LIGHT_RESTORED] if light >= SEEN else []
        found += [TEXTURE_RESTORED] if texture >= SEEN else []
    if TEXTURE_RESTORED not in found and conditions.fineness(face.image, face.landmarks) < BLURRED:
        found.append(OUT_OF_FOCUS)
    return tuple(found)


def check_measuring(measures: str) -> None:
    """Raise `FeatureblendError` unless it is one of `Measuring`."""
    check_choice(measures, "measures", ("none", "pictures", "identity"))


def measure_quality(
    made: BlendedCrop,
    faces: Sequence[AlignedFace],
    names: Sequence[str],
    typical: float,
    recognizer: Recognizer | None = None,
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Measure a blend and its photos.

    Parameters
    ----------
    made : BlendedCrop
        With the parents decoded, where there is a model in it.
    faces : sequence of N AlignedFace
        Cleaned (`featureblend.blend.pipeline.cleaned`), where there is a model in it.
    names : N strings
        What to call the photos in warnings.
    typical : float
        The model's mean PSNR in dB on people that it never saw.
    recognizer : Recognizer, optional
        For the measures of identity.

    Returns
    -------
    measures : dict
        Keys as in `MEANINGS`; plain numbers and lists, ready for JSON.
    warnings : tuple of str
    """
    landmarks = [face.landmarks for face in faces]
    of_pictures = partial(blend_measures, made.image, [face.image for face in faces], made.texture, landmarks)
    measures, *found = side_by_side(
        lambda work: work(), [of_pictures, *(partial(photo_warnings, one) for one in faces)]
    )
    if made.decoded:
        worst = UNDRAWN * 255 * 10 ** (-typical / 20)
        for place, (seen, decoded) in enumerate(zip(made.encoded, made.decoded, strict=True)):
            if conditions.broad_error(seen, decoded) > worst:
                found[place] += (CANT_DRAW,)
        marks = [mean_shape(landmarks, made.shape)] * len(faces) if made.warped else landmarks
        errors = [
            # Where a code was mixed as it is, its picture is the photo, and nothing is lost.
            None if face.latent is not None and not made.warped else conditions.reconstruction_errors(seen, decoded, at)
            for face, seen, decoded, at in zip(faces, made.encoded, made.decoded, marks, strict=True)
        ]
        measures["reconstruction"] = [error and _rounded(error[0]) for error in errors]
        measures["reconstruction_inside_face"] = [error and _rounded(error[1]) for error in errors]
    measures["yaw"] = [round(head_pose(points).yaw) for points in landmarks]
    if recognizer is not None:
        measures |= _identity(made, faces, recognizer)
    return measures, told(found, names)


def is_restored(face: AlignedFace) -> bool:
    """Whether restoration changed a face at all, even too little for a warning."""
    return not np.array_equal(face.restored, face.image)


def _rounded(decibels: float) -> float | None:
    return round(decibels, 1) if np.isfinite(decibels) else None


def identity_distances(
    image: np.ndarray,
    faces: Sequence[AlignedFace],
    recognizer: Recognizer,
    shape: np.ndarray | None = None,
    parents: Sequence[np.ndarray] | None = None,
) -> list[float]:
    """Distances of a blend's identity embedding to those of its parents.

    Parameters
    ----------
    image : (S, S, 3) uint8 array
        The blend's aligned crop.
    faces : sequence of N AlignedFace
    recognizer : Recognizer
    shape : (N,) array, optional
        Shares of the faces in the blend's shape; equal if left out.
    parents : N arrays, optional
        The parents' embeddings, where they are known.

    Returns
    -------
    list of float
        Up to `Recognizer.threshold` the blend is taken for that person.
    """
    shares = np.full(len(faces), 1 / len(faces)) if shape is None else shape
    own = recognizer.embedding(image, mean_shape([face.landmarks for face in faces], shares))
    known = parents or [recognizer.embedding(face.image, face.landmarks) for face in faces]
    return [float(np.linalg.norm(own - parent)) for parent in known]


def _identity(made: BlendedCrop, faces: Sequence[AlignedFace], recognizer: Recognizer) -> dict[str, Any]:
    parents = [recognizer.embedding(face.image, face.landmarks) for face in faces]
    distances = identity_distances(made.image, faces, recognizer, made.shape, parents)
    found: dict[str, Any] = {"identity_distances": [round(distance, 3) for distance in distances]}
    if len(parents) == 2:
        between = float(np.linalg.norm(parents[0] - parents[1]))
        even = balance_of_distances(distances[0], distances[1], between) if between > 0 else None
        found["identity_balance"] = None if even is None else round(even, 3)
    return found
