"""Protocols: each name fixes the pairs that are blended and the real faces they are compared with."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import PurePosixPath

import numpy as np

from ..errors import FeatureblendError
from ..io.tables import check_choice
from ..training.dataset import FaceSet, face_pairs

LEAST_REFERENCE = 10
"""Least number of real faces, of people who are no parents, for the two-sample scores."""


@dataclass(frozen=True)
class Protocol:
    """What figures are measured on; only figures of the same protocol compare."""

    name: str
    """Written with every result."""
    split: str
    """The split of the people; those of 'validation' and 'test' were not trained on. Empty for all."""
    count: int
    """Pairs of two people, blended half and half."""
    paths: int = 20
    """Continua, of the first so many pairs."""
    steps: int = 11
    """Blends along each continuum, both ends included."""
    reference: int = 1000
    """At most so many real faces to compare with."""
    seed: int = 0
    """Of every draw."""
    size: int | None = None
    """Side of the pictures in pixels; the model's where left out."""
    by_file: bool = False
    """Whether the name of a file says who it shows, and not what `prepare` makes of folders and names."""
    folders: tuple[str, str] | None = None
    """Folders of the photos that are blended, and of those that people are recognised by; photos in others are the real
    faces to compare with. Where left out, half of the people are parents, and the other half is compared with."""
    recognizers: tuple[str, ...] = ("dlib",)
    """Who says who is recognised, of `featureblend.faces.recognizers.RECOGNIZERS`."""


PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        Protocol("pairs1k_test", "test", 1000),
        Protocol("pairs200_test", "test", 200),
        Protocol("pairs50_test", "test", 50),
        Protocol("pairs200_validation", "validation", 200),
        Protocol(
            "studio34", "", 200, size=256, by_file=True, folders=("neutral", "smiling"), recognizers=("dlib", "sface")
        ),
        Protocol("portraits", "", 200, size=256, by_file=True),
    )
}
"""Every protocol by name. A changed protocol gets a new name."""


def find_protocol(name: str) -> Protocol:
    """The protocol of that name.

    Raises
    ------
    FeatureblendError
        If there is none.

    Examples
    --------
    >>> find_protocol("pairs50_test").count
    50
    """
    check_choice(name, "protocol", PROTOCOLS)
    return PROTOCOLS[name]


@dataclass(frozen=True)
class Drawn:
    """The pairs and reference faces that a protocol draws from a set of faces."""

    protocol: Protocol
    faces: FaceSet
    """All faces of the split, cropped to the size that is measured."""
    pairs: np.ndarray
    """(count, 2) int64: indices of the parents."""
    reference: np.ndarray
    """(R,) int64: indices of real faces of people who are no parents."""

    @property
    def parents(self) -> np.ndarray:
        """(P,) indices of the faces that are blended, each once, in the order of the pairs."""
        return np.array(list(dict.fromkeys(self.pairs.ravel().tolist())), dtype=np.int64)

    def probes(self) -> np.ndarray:
        """Find for each parent another photo of the same person.

        Returns
        -------
        (count, 2) int64 array
            Indices of faces; -1 where the person has no other photo in the split.
        """
        photos: dict[str, list[int]] = {}
        for index, person in enumerate(self.faces.people.tolist()):
            photos.setdefault(person, []).append(index)
        second = [
            next((other for other in photos[person] if other != index), -1)
            for index, person in enumerate(self.faces.people.tolist())
        ]
        return np.array(second, dtype=np.int64)[self.pairs]


def draw(faces: FaceSet, protocol: Protocol, size: int) -> Drawn:
    """Draw a protocol's pairs, and the real faces to compare with.

    Parameters
    ----------
    faces : FaceSet
        At least the protocol's split; others are left out.
    protocol : Protocol
    size : int
        Side of the blends in pixels.

    Returns
    -------
    Drawn

    Raises
    ------
    FeatureblendError
        If there are too few faces, or none has landmarks.

    Notes
    -----
    One half of the people are parents, the other half the reference (where the protocol names folders, all others are):
    a critic that knew a parent's background would tell blends from real faces, or take them for real, by that alone.

    Examples
    --------
    >>> from dataclasses import replace
    >>> faces = FaceSet.from_images(np.zeros((60, 16, 16, 3), np.uint8), split="test")
    >>> draw(replace(faces, landmarks=np.zeros((60, 68, 2))), Protocol("tiny", "test", 5), 16).pairs.shape
    (5, 2)
    """
    faces = faces.split(protocol.split) if protocol.split else faces
    random = np.random.default_rng(protocol.seed)
    where = f"{protocol.name} on {len(faces)} faces" + (f" of the {protocol.split} split" if protocol.split else "")
    paths = [PurePosixPath(source) for source in faces.sources.tolist()]
    if protocol.by_file:
        faces = replace(faces, people=np.array([path.stem for path in paths]))
    if protocol.folders:
        folder = np.array([path.parent.name for path in paths])
        is_parent, is_other = folder == protocol.folders[0], ~np.isin(folder, protocol.folders)
    else:
        where += ", half of them for comparison"
        names = random.permutation(np.unique(faces.people))
        is_parent = np.isin(faces.people, names[: len(names) // 2])
        is_other = ~is_parent
    parents, others = np.flatnonzero(is_parent), np.flatnonzero(is_other)
    if len(others) < LEAST_REFERENCE:
        raise FeatureblendError(
            f"{where}: {LEAST_REFERENCE} real faces are needed to compare with, there are {len(others)}"
        )
    try:
        pairs = parents[face_pairs(faces.people[parents], protocol.count, protocol.seed)]
    except FeatureblendError as error:
        raise FeatureblendError(f"{where}: {error}") from error
    if np.isnan(faces.landmarks[pairs]).all():
        raise FeatureblendError(
            "these faces have no landmarks, which half of the measures need: make the data with `featureblend prepare`"
        )
    reference = np.sort(random.permutation(others)[: protocol.reference])
    return Drawn(protocol, faces.cropped(size), pairs, reference)
