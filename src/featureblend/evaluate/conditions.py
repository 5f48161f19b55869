"""What makes a photo hard to blend: a turned head, a face that is small or that the model can't draw."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from .inputs import check_pair

__all__ = ["UNMENDED", "face_mask", "face_width", "head_pose", "photo_warnings", "reconstruction_errors"]

TURNED = 25.0
"""Yaw in degrees from which a head counts as turned: then one cheek is hidden, which no blend can show."""

SMALL = 48.0
"""Width in pixels under which a face counts as small."""

TYPICAL = 29.0
"""PSNR in dB of the first bundled model on people it never saw; for models that do not state theirs."""

SEEN, CHANGED = 0.5, 35.0
"""Damage from which it is said that a photo was mended, where that changed it to fewer dB than the second: a photo that
is a little soft needs no word."""

UNMENDED = "--no-mend, in Python mend=False, leaves it as it is"
"""What to do where damage was undone that is none."""

BADLY, BADLY_INSIDE = 5.5, 4.0
"""So many dB under the model's own mean a photo encodes badly, on the whole and inside the face. Of 400 photos of LFW
1 in 100 lies under each: hats, scarves and busy grounds; dark glasses, hands and mouths wide open."""

GRAIN = 3.0
"""Decibels fewer are no bad encoding of a photo whose noise was taken out: the rest of its grain is not encoded."""

POINTS = [30, 8, 36, 45, 48, 54]
"""Tip of the nose, chin, outer corners of the eyes, corners of the mouth among dlib's 68."""

HEAD = np.array(
    [(0, 0, 0), (0, 330, 65), (-225, -170, 135), (225, -170, 135), (-150, 150, 125), (150, 150, 125)], np.float64
)
"""The same six on a mean head, in no unit: x to the viewer's right, y down, z away from the viewer."""

FAR = 10.0
"""Distance of the camera that is assumed, in widths of the picture: nearly parallel rays."""


def head_pose(landmarks: np.ndarray) -> tuple[float, float, float]:
    """Estimate how a head is turned, from the six landmarks that are easiest to find.

    Parameters
    ----------
    landmarks : (68, 2) array
        x, y in pixels of any picture.

    Returns
    -------
    yaw, pitch, roll : float
        Degrees; 0 looks into the camera. Yaw: more than 0 towards the viewer's right. Pitch: more than 0 downwards.
        Roll: more than 0 clockwise.

    Notes
    -----
    A perspective-n-point fit of a mean head. Heads differ, so a frontal face may measure some 8 degrees off, and
    pitch, which a long chin or an open mouth changes, more; and beyond about 60 degrees the landmarks fail.

    References
    ----------
    The six points of the mean head: S. Mallick, "Head pose estimation using OpenCV and dlib", 2016. The fit:
    `cv2.solvePnP`.

    Examples
    --------
    >>> marks = np.zeros((68, 2))
    >>> marks[POINTS] = HEAD[:, :2]
    >>> yaw, pitch, roll = head_pose(marks)
    >>> abs(round(yaw)), abs(round(roll))
    (0, 0)
    """
    marks = np.asarray(landmarks, np.float64)[POINTS]
    span = float(np.ptp(marks, axis=0).max()) or 1.0
    middle = marks.mean(axis=0)
    focal = FAR * span
    camera = np.array([[focal, 0, middle[0]], [0, focal, middle[1]], [0, 0, 1]])
    depth = FAR * float(np.ptp(HEAD[:, 1]))
    start = np.zeros((3, 1)), np.array([[0.0], [0.0], [depth]])
    _, turn, _ = cv2.solvePnP(HEAD, marks, camera, None, *start, useExtrinsicGuess=True, flags=cv2.SOLVEPNP_ITERATIVE)
    rotation, _ = cv2.Rodrigues(turn)
    ahead = rotation @ (0.0, 0.0, -1.0)  # where the nose points
    yaw = float(np.degrees(np.arctan2(ahead[0], -ahead[2])))
    pitch = float(np.degrees(np.arcsin(np.clip(ahead[1], -1, 1))))
    roll = float(np.degrees(np.arctan2(rotation[1, 0], rotation[0, 0])))
    return yaw, pitch, roll


def face_width(landmarks: np.ndarray, matrix: np.ndarray) -> float:
    """Width of a face in its photo, in pixels: jaw to jaw.

    Parameters
    ----------
    landmarks : (68, 2) array
        In the aligned crop.
    matrix : (2, 3) array
        Takes photo coordinates to the crop's.

    Examples
    --------
    >>> marks = np.zeros((68, 2))
    >>> marks[16] = 80, 0
    >>> face_width(marks, np.array([[0.5, 0, 3], [0, 0.5, 7]]))
    160.0
    """
    return float(np.hypot(*(landmarks[16] - landmarks[0])) / np.sqrt(abs(np.linalg.det(matrix[:, :2]))))


def face_mask(landmarks: np.ndarray, size: int) -> np.ndarray:
    """Mark the inside of a face: brows to chin. Gives a (size, size) bool array."""
    outline = cv2.convexHull(np.rint(np.asarray(landmarks)[:68]).astype(np.int32))
    return cv2.fillConvexPoly(np.zeros((size, size), np.uint8), outline, 1).astype(bool)


def reconstruction_errors(photo: np.ndarray, decoded: np.ndarray, landmarks: np.ndarray) -> tuple[float, float]:
    """Say how near the model's picture of a face is to the face: PSNR, on the whole and inside the face.

    Parameters
    ----------
    photo, decoded : (S, S, 3) uint8 arrays
        The aligned face, and what its latent decodes to.
    landmarks : (68, 2) array
        In that crop.

    Returns
    -------
    whole, inside : float
        In dB, more is nearer; infinite where nothing differs.

    Examples
    --------
    >>> black, marks = np.zeros((32, 32, 3), np.uint8), np.random.default_rng(0).uniform(8, 24, (68, 2))
    >>> [round(value, 1) for value in reconstruction_errors(black, black + 255, marks)]
    [0.0, 0.0]
    """
    first, second = check_pair(photo, decoded)
    squares = np.square(first.astype(np.float64) - second).mean(axis=2)
    inside = face_mask(landmarks, photo.shape[0])
    return _decibels(squares.mean()), _decibels(squares[inside].mean() if inside.any() else squares.mean())


def _decibels(square: float) -> float:
    return float(10 * np.log10(255**2 / square)) if square > 0 else float("inf")


def photo_warnings(
    name: str,
    yaw: float | None = None,
    width: float | None = None,
    reconstruction: Sequence[float] | None = None,
    typical: float = TYPICAL,
    mended: Sequence[float] | None = None,
) -> list[str]:
    """Say in plain sentences what speaks against a photo.

    Parameters
    ----------
    name : str
        The photo's.
    yaw : float, optional
        As `head_pose`.
    width : float, optional
        As `face_width`.
    reconstruction : (float, float), optional
        As `reconstruction_errors`.
    typical : float
        The model's mean PSNR on people that it never saw.
    mended : (float, float, float), optional
        PSNR of the photo without its damage to the photo, and how far damage of light and of
        texture was undone, 0 to 1.

    Returns
    -------
    list of str

    Notes
    -----
    What hides a face (glasses, a hand, hair) is not recognised as such: the model draws it badly, and that is seen.

    Examples
    --------
    >>> photo_warnings("ana.jpg", yaw=-31, reconstruction=(17.2, 24.9))
    ['ana.jpg: the head is turned by about 31 degrees to the left; a frontal photo blends better', 'ana.jpg encodes \
badly: 17.2 dB, where 29 dB is usual for this model; a plainer background or another photo may help']
    """
    said = []
    if yaw is not None and abs(yaw) > TURNED:
        side = "right" if yaw > 0 else "left"
        said.append(
            f"{name}: the head is turned by about {abs(yaw):.0f} degrees to the {side}; a frontal photo blends better"
        )
    if width is not None and width < SMALL:
        said.append(f"{name}: the face is only {width:.0f} pixels wide; a larger photo shows more of it")
    usual = typical
    if mended is not None and mended[0] < CHANGED:
        _, light, texture = mended
        if light >= SEEN:
            said.append(
                f"{name}: weak or coloured light was evened out; how bright the room was is a guess ({UNMENDED})"
            )
        if texture >= SEEN:
            said.append(
                f"{name}: noise, blur or compression was taken out; a better photo shows more of the face ({UNMENDED})"
            )
            usual -= GRAIN
    if reconstruction is not None:
        whole, inside = reconstruction
        of_model = f"where {typical:.0f} dB is usual for this model"
        if whole < usual - BADLY:
            said.append(
                f"{name} encodes badly: {whole:.1f} dB, {of_model}; a plainer background or another photo may help"
            )
        elif inside < usual - BADLY_INSIDE:
            said.append(
                f"{name} encodes badly inside the face: {inside:.1f} dB, {of_model}; glasses, a hand or hard light may "
                "hide part of it"
            )
    return said
