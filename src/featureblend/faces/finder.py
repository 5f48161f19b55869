"""Faces in photos: BlazeFace finds them, Face Mesh marks 468 points, both on ONNX Runtime.

References
----------
V. Bazarevsky et al., "BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs", 2019 (the detector).
Y. Kartynnik et al., "Real-time Facial Surface Geometry from Monocular Video on Mobile GPUs", 2019 (the mesh).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ..io.onnx import open_network
from ..io.threads import side_by_side

NETWORKS = Path(__file__).parent / "networks"
"""What ``tools/convert_face_networks.py`` wrote."""

DETECTOR_SIDE = 128
"""Side of what the detector sees, in pixels."""
ANCHORS = ((8, 2), (16, 6))
"""The detector's grids: stride in pixels, and boxes at each place."""
LEAST_SCORE = 0.5
"""A box the detector is less sure of is dropped."""
UPRIGHT_SCORE = 0.87
"""The detector is never that sure of a face upside down (0.83 at most in 110 photos), and of most upright ones it is:
below it, the photo is searched lying on either side and upside down too, and the surest turn counts."""
OVERLAP = 0.3
"""Intersection over union from which two boxes are of one face."""

MESH_SIDE = 192
"""Side of what the mesh network sees, in pixels."""
MESH_MARGIN = 1.5
"""Side of the crop that it sees, in sides of the face's box."""
LEAST_PRESENCE = 0.5
"""What the mesh network says of a crop that shows a face, at least."""
LEFT_EYE, RIGHT_EYE = 33, 263
"""Outer corners of the eyes among the mesh's points; left and right are the viewer's."""

FINEST_WINDOW, FINEST_SHARE = 96, 1 / 8
"""Side of the smallest windows that are searched one by one, in pixels and as a share of the photo's longer side,
whichever is more: faces of 16 pixels, or of a 48th of the photo, are found in them."""
LARGE = 0.3
"""Share of a window's side from which the largest face ends the search: those of half its size are found beside it,
smaller ones may be missed. Portraits reach it in the first window."""


@dataclass(frozen=True)
class MeshFace:
    """A face in a photo, in that photo's pixels."""

    box: tuple[float, float, float, float]
    """left, top, right, bottom of the mesh."""
    points: np.ndarray = field(repr=False)
    """(468, 3) float64: x, y, and depth in pixels, smaller towards the viewer; Face Mesh's numbering."""
    score: float
    """How sure the detector is, 0.5 to 1."""
    presence: float
    """How sure the mesh network is that its crop shows a face, 0.5 to 1."""

    @property
    def roll(self) -> float:
        """Turn of the line between the eyes in the picture, in degrees, clockwise; 180 is upside down."""
        across = self.points[RIGHT_EYE, :2] - self.points[LEFT_EYE, :2]
        return float(np.degrees(np.arctan2(across[1], across[0])))


@dataclass(frozen=True)
class _Box:
    """What the detector found: corners (2, 2), six points (6, 2), both in the photo's pixels, and a score."""

    corners: np.ndarray
    points: np.ndarray
    score: float

    @property
    def side(self) -> float:
        return float(np.max(self.corners[1] - self.corners[0]))


class FaceFinder:
    """Finds faces turned by any angle, with a mesh of 468 points each.

    May be used by several threads at once.

    Parameters
    ----------
    threads : int
        Threads for each network.

    Examples
    --------
    >>> FaceFinder().find(np.zeros((64, 64, 3), np.uint8))
    []
    """

    def __init__(self, threads: int = 1) -> None:
        self.threads = threads

    @cached_property
    def _detector(self) -> Any:
        return open_network(NETWORKS / "blazeface_short.onnx", self.threads)

    @cached_property
    def _mesh(self) -> Any:
        return open_network(NETWORKS / "face_mesh.onnx", self.threads)

    def load(self) -> None:
        """Open both networks, which the first photo would wait for otherwise."""
        side_by_side(partial(getattr, self), ["_detector", "_mesh"])

    def find(self, image: np.ndarray) -> list[MeshFace]:
        """Find the faces in a photo.

        The photo is searched as it is: whole, and while the faces in it are small beside it, in half as large windows,
        down to `FINEST_WINDOW` and `FINEST_SHARE`. Where nothing that is surely upright turns up, it is searched turned
        by 90, 180 and 270 degrees too, in windows no smaller, and the turn with the surest face counts.

        Parameters
        ----------
        image : (H, W, 3) uint8 array, sRGB

        Returns
        -------
        list of MeshFace
            From left to right; empty if there is none.
        """
        best: list[_Box] = []
        finest = max(FINEST_WINDOW, FINEST_SHARE * max(image.shape[:2]))
        for quarter in range(4):
            found, side = self._searched(np.ascontiguousarray(np.rot90(image, quarter)), finest)
            if found:
                finest = side
            if _surest(found) > _surest(best):
                best = [_turned_back(box, quarter, image.shape) for box in found]
            if _surest(best) >= UPRIGHT_SCORE:
                break
        faces = [face for box in best if (face := self._marked(image, box)) is not None]
        return sorted(_distinct(faces), key=lambda face: face.box[0] + face.box[2])

    def _searched(self, image: np.ndarray, finest: float) -> tuple[list[_Box], float]:
        """Boxes in windows of a photo, and the side of the smallest windows that were searched, at least `finest`."""
        found: list[_Box] = []
        side = float(max(image.shape[:2]))
        while True:
            boxes = [box for window in _windows(image.shape, side) for box in self._detected(image, window)]
            found = _merged([*found, *boxes])
            largest = max((box.side for box in found), default=0.0)
            if largest > LARGE * side or side / 2 < finest:
                return found, side
            side /= 2

    def _detected(self, image: np.ndarray, window: tuple[float, float, float]) -> list[_Box]:
        left, top, side = window
        zoom = DETECTOR_SIDE / side
        crop = _cropped(image, np.array([[zoom, 0, -zoom * left], [0, zoom, -zoom * top]]), DETECTOR_SIDE)
        boxes, scores = self._detector.run(["regressors", "classificators"], {"input": crop * 2 - 1})
        score = 1 / (1 + np.exp(-np.clip(scores[0, :, 0], -50, 50)))
        sure = score > LEAST_SCORE
        values = boxes[0, sure].reshape(-1, 8, 2) / DETECTOR_SIDE  # centre, size, six points
        centres = _anchors()[sure][:, None]
        middle, half = values[:, :1] + centres, values[:, 1:2] / 2
        places = np.concatenate([middle - half, middle + half, values[:, 2:] + centres], axis=1) * side + (left, top)
        return [_Box(one[:2], one[2:], float(at)) for one, at in zip(places, score[sure], strict=True)]

    def _marked(self, image: np.ndarray, box: _Box) -> MeshFace | None:
        """Mark a face's points; the second pass, in a crop by the first one's points, steadies them."""
        centre, side = box.corners.mean(axis=0), MESH_MARGIN * box.side
        eyes = box.points[1] - box.points[0]
        for _ in range(2):
            turn = eyes / max(float(np.hypot(*eyes)), 1e-6)
            axes = np.array([turn, [-turn[1], turn[0]]])
            zoom = MESH_SIDE / side
            matrix = np.column_stack([zoom * axes, MESH_SIDE / 2 - zoom * axes @ centre])
            mesh, flag = self._mesh.run(None, {"input": _cropped(image, matrix, MESH_SIDE)})
            points = mesh.reshape(468, 3).astype(np.float64)
            flat = points[:, :2] + 0.5  # the network counts from a pixel's centre, the crop from its corner
            middle = (flat.min(axis=0) + flat.max(axis=0)) / 2
            place = np.linalg.inv(matrix[:, :2])
            photo = (flat - matrix[:, 2]) @ place.T
            side = MESH_MARGIN * float(np.ptp(flat, axis=0).max()) / zoom
            centre = place @ (middle - matrix[:, 2])
            eyes = photo[RIGHT_EYE] - photo[LEFT_EYE]
        presence = float(1 / (1 + np.exp(-np.clip(flag.ravel()[0], -50, 50))))
        if presence < LEAST_PRESENCE:
            return None
        # The project's coordinates count from a pixel's centre.
        found = np.column_stack([photo - 0.5, points[:, 2] / zoom])
        (left, top), (right, bottom) = found[:, :2].min(axis=0), found[:, :2].max(axis=0)
        return MeshFace((float(left), float(top), float(right), float(bottom)), found, box.score, presence)


@cache
def _anchors() -> np.ndarray:
    """Centres of the detector's boxes, (896, 2), as shares of its side."""
    found = []
    for stride, count in ANCHORS:
        places = (np.arange(DETECTOR_SIDE // stride) + 0.5) * stride / DETECTOR_SIDE
        rows, columns = np.meshgrid(places, places, indexing="ij")
        found.append(np.repeat(np.stack([columns, rows], axis=-1).reshape(-1, 2), count, axis=0))
    return np.concatenate(found)


def _windows(shape: tuple[int, ...], side: float) -> Iterator[tuple[float, float, float]]:
    """Squares (left, top, side) of a photo that overlap by a third, twice what is `LARGE` in them.

    Larger faces lie whole in a window of twice the side. A side as long as the photo gives the whole photo.
    """
    height, width = shape[:2]
    rows, columns = (
        np.linspace(0, length - side, 1 + int(np.ceil((length - side) / (side * (1 - 2 * LARGE)) - 1e-9)))
        if side < length
        else [(length - side) / 2]
        for length in (height, width)
    )
    return ((float(left), float(top), side) for top in rows for left in columns)


def _cropped(image: np.ndarray, matrix: np.ndarray, side: int) -> np.ndarray:
    """A (1, side, side, 3) float32 crop in 0 to 1, black beyond the photo; `matrix` counts from pixels' corners."""
    zoom = float(np.hypot(*matrix[:, 0]))
    if zoom < 0.5:  # a warp looks at 2 x 2 pixels: shrink by area means first, what is seen of the photo
        corners = np.array([(0, 0), (side, 0), (0, side), (side, side)], np.float64) - matrix[:, 2]
        seen = corners @ np.linalg.inv(matrix[:, :2]).T
        limits = image.shape[1], image.shape[0]
        left, top = np.clip(np.floor(seen.min(axis=0) - 2 / zoom), 0, limits).astype(int)
        right, bottom = np.clip(np.ceil(seen.max(axis=0) + 2 / zoom), 0, limits).astype(int)
        if left >= right or top >= bottom:
            return np.zeros((1, side, side, 3), np.float32)
        image = image[top:bottom, left:right]
        height, width = (max(1, round(2 * zoom * length)) for length in image.shape[:2])
        scale = np.diag([image.shape[1] / width, image.shape[0] / height])
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        matrix = np.column_stack([matrix[:, :2] @ scale, matrix[:, :2] @ (left, top) + matrix[:, 2]])
    centres = matrix.copy()
    centres[:, 2] += matrix[:, :2] @ (0.5, 0.5) - 0.5  # OpenCV counts from pixels' centres
    return cv2.warpAffine(image, centres, (side, side), flags=cv2.INTER_LINEAR)[None].astype(np.float32) / 255


def _surest(boxes: list[_Box]) -> float:
    return max((box.score for box in boxes), default=0.0)


def _merged(boxes: list[_Box]) -> list[_Box]:
    """One box a face: the mean, by score, of those that overlap the surest one."""
    left, found = sorted(boxes, key=lambda box: -box.score), []
    while left:
        alike = [box for box in left if _overlap(box.corners, left[0].corners) > OVERLAP]
        weights = np.array([box.score for box in alike])
        corners, points = (
            np.average([getattr(box, name) for box in alike], axis=0, weights=weights) for name in ("corners", "points")
        )
        found.append(_Box(corners, points, left[0].score))
        left = [box for box in left if not any(box is one for one in alike)]
    return found


def _distinct(faces: list[MeshFace]) -> list[MeshFace]:
    """Faces without those whose mesh lies on that of a surer one."""
    found: list[MeshFace] = []
    for face in sorted(faces, key=lambda face: -face.score):
        if all(_overlap(np.reshape(face.box, (2, 2)), np.reshape(one.box, (2, 2))) <= OVERLAP for one in found):
            found.append(face)
    return found


def _overlap(first: np.ndarray, second: np.ndarray) -> float:
    """Intersection over union of two boxes, each (2, 2): the corner nearest to the origin, and the other."""
    shared = np.clip(np.minimum(first[1], second[1]) - np.maximum(first[0], second[0]), 0, None).prod()
    return float(shared / max((first[1] - first[0]).prod() + (second[1] - second[0]).prod() - shared, 1e-9))


def _turned_back(box: _Box, quarter: int, shape: tuple[int, ...]) -> _Box:
    """A box of a photo that was turned by `np.rot90`, in that photo as it was, of `shape`."""
    height, width = shape[:2]

    def back(places: np.ndarray) -> np.ndarray:
        x, y = places[..., 0], places[..., 1]
        turned = {0: (x, y), 1: (width - y, x), 2: (width - x, height - y), 3: (y, height - x)}[quarter]
        return np.stack(turned, axis=-1)

    corners = back(box.corners)
    return _Box(np.stack([corners.min(axis=0), corners.max(axis=0)]), back(box.points), box.score)
