"""Heads that a photo's upper edge cuts: where the circle that they go on in lies."""

from __future__ import annotations

import cv2
import numpy as np

from .alignment import AlignedFace, Crown, corners, crowned, invert_matrix, transform_points
from .landmarks import LEFT_EYE, RIGHT_EYE
from .parser import face_parts

LEAST = 2.0
"""Pixels of the crop that reach above the photo from which the top of a head is looked for."""
WITHIN = 1.5
"""So many of the crop's pixels below the edge a head is seen: nearer to it the crop is what was drawn beyond it."""
SEEN = 0.3
"""Least probability of a head."""
NARROW, WIDE = 0.04, 0.36
"""Half widths, as shares of the crop's side: what is cut narrower is no head, and a circle's radius is no larger, or
what is cut is wider itself."""


def with_crown(face: AlignedFace) -> AlignedFace:
    """Draw the top of a head that the photo's upper edge cuts: what is at the edge would go on as a smear.

    Parameters
    ----------
    face : AlignedFace
        With its photo.

    Returns
    -------
    AlignedFace
        The very same where the photo shows the head whole, or the crop does not reach beyond its edge.

    Examples
    --------
    >>> from featureblend.faces.alignment import align_face
    >>> from featureblend.faces.drawn import draw_face
    >>> face = align_face(*draw_face(7, 256), 128)
    >>> with_crown(face) is face
    True
    """
    side = len(face.image)
    back, scale = invert_matrix(face.matrix), float(np.hypot(*face.matrix[:, 0]))
    seen = transform_points(corners(side, side), back)
    if face.photo is None or -seen[:, 1].min() * scale < LEAST:
        return face
    # The head's outline along rows of the photo, from its edge down to the eyes; in steps of the crop's pixels.
    eyes = transform_points((face.landmarks[LEFT_EYE] + face.landmarks[RIGHT_EYE]) / 2, back).mean(axis=0)
    columns = np.arange(max(seen[:, 0].min(), 0), min(seen[:, 0].max(), face.photo.shape[1] - 1), 1 / scale)
    rows = np.arange(WITHIN / scale, max(eyes[1], 2 * WITHIN / scale), 1 / scale)
    places = transform_points(np.stack(np.meshgrid(columns, rows), axis=-1).reshape(-1, 2), face.matrix)
    places = places.reshape(len(rows), len(columns), 2).astype(np.float32)
    head = cv2.remap(face_parts(face.image).head, places, None, cv2.INTER_LINEAR) > SEEN  # type: ignore[call-overload]
    _, patches = cv2.connectedComponents(head[:1].astype(np.uint8))
    widest = int(np.bincount(patches[0, head[0]], minlength=2)[1:].argmax()) + 1
    cut = np.flatnonzero(patches[0] == widest)
    if len(cut) < 2 * NARROW * side:
        return face
    half = len(cut) / 2
    broadest = min(float(head.sum(axis=1).max()) / 2, WIDE * side)
    middle = float(columns[cut].mean())
    return crowned(face, Crown(middle, half / scale, max(half, broadest) / scale))
