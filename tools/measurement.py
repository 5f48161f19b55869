"""Check that an evaluation's scores are what they were, or renew what they are held by and raise the version.

    python tools/measurement.py            # compare; exit code 1 where something changed
    python tools/measurement.py --renew    # keep today's values, and raise the version of every group that changed

Kept scores of an evaluation count only under the version that they were measured with
(`featureblend.evaluation.results`), one number a group: 'scores' (everything that scores a picture, and the draw of
pairs), 'identity' (who is recognised), 'latent' (blends by the networks), 'pca', and each baseline.
`tests/measurement.json` holds, for each group, what it makes of fixed faces; `tests/test_evaluation_measurement.py`
fails when that changes. Commit both files with the change.

After a merge conflict in either file take one side of both and renew.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from featureblend.blend.baselines import BASELINES
from featureblend.blend.blender import Blender
from featureblend.errors import FeatureblendError
from featureblend.evaluation.degradation import add_degraded, degrade, given_back
from featureblend.evaluation.identity import impostor_similarities, match_threshold, similarity
from featureblend.evaluation.methods import VARIANTS, Autoencoder, Baseline, Model, Pca, System
from featureblend.evaluation.pairs import Face, Pair
from featureblend.evaluation.pca import fit_components
from featureblend.evaluation.protocols import Drawn, Protocol, draw
from featureblend.evaluation.results import VERSIONS_FILE
from featureblend.evaluation.summary import Reference, measure_all, measure_real
from featureblend.faces import EXAMPLES
from featureblend.faces.alignment import AlignedFace
from featureblend.faces.detector import FaceDetector
from featureblend.faces.recognizers import open_recognizer
from featureblend.io.files import atomic_path
from featureblend.io.image import load_image
from featureblend.training.dataset import FaceSet

VALUES_FILE = Path(__file__).parents[1] / "tests" / "measurement.json"

NAMES = ("first", "second", "third", "fourth", "fifth")
"""Example faces, reduced to `SIZE` pixels."""

SIZE = 128

PROTOCOL = Protocol("fixed", "test", 12, paths=2, steps=4)

RELATIVE, ABSOLUTE = 1e-3, {"scores": 1e-4, "identity": 2e-3}
"""How far a score may lie from the kept one: what other processors change in the last digits, with room."""

GREY_LEVELS, CONTRAST = 0.05, 0.003
"""How far a blend's mean colours may lie from the kept ones, in grey levels, and its contrasts, as a share."""

Values = dict[str, list[float]]
"""Numbers by what they are of."""


class FixedFaces:
    """Five faces that never change, their landmarks, and a set of 60 made of them."""

    def __init__(self, kept: dict[str, Any]) -> None:
        files = [EXAMPLES / f"{name}.jpg" for name in NAMES]
        self.sha256 = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
        self.images = np.stack(
            [cv2.resize(load_image(file), (SIZE, SIZE), interpolation=cv2.INTER_AREA) for file in files]
        )
        if kept.get("sha256") != self.sha256:  # other example faces: everything is measured on them from now on
            kept = {"landmarks": [FaceDetector().detect(image)[0].landmarks.tolist() for image in self.images]}
        self.landmarks = np.round(np.array(kept["landmarks"], np.float64), 2)

    def record(self) -> dict[str, Any]:
        """The faces' part of the kept values."""
        return {"sha256": self.sha256, "landmarks": self.landmarks.tolist()}

    def drawn(self) -> Drawn:
        """Pairs and reference faces, drawn from the five in twelve shades and places each."""
        images, landmarks = [], []
        for shade in range(12):
            lit = np.clip(self.images.astype(np.int64) * (70 + 5 * shade) // 100, 0, 255).astype(np.uint8)
            shift = shade % 4 - 2
            images.append(np.roll(lit, (shift, -shift), axis=(1, 2)))
            landmarks.append(self.landmarks + np.array([-shift, shift]))
        stacked = np.concatenate(images)
        faces = dataclasses.replace(
            FaceSet.from_images(stacked, margin=1.25, split="test"),
            landmarks=np.concatenate(landmarks).astype(np.float32),
        )
        return draw(faces, PROTOCOL, SIZE)


def scores(faces: FixedFaces) -> Values:
    """Everything that an evaluation says of one simple method and of the faces themselves."""
    drawn = faces.drawn()
    small = drawn.faces.images[drawn.reference, ::2, ::2]
    reference = Reference.of(drawn, training=small[:5])
    simple = Autoencoder("simple", "", "", _halved, _doubled)
    measured = measure_all([simple], drawn, reference)["simple"]

    add_degraded(
        measured,
        drawn,
        _NoPortraits(),  # type: ignore[arg-type]
        lambda indices, seeds: map(partial(given_back, _halved, _doubled), drawn.faces.images[indices], seeds),
    )
    values: Values = {"pairs": drawn.pairs.ravel().tolist()}
    for label, record in (("", measured.record), ("real ", measure_real(drawn, reference).record)):
        for name, column in record["scores"].items():
            values[label + name] = [value for value in column if value is not None]
        values |= {label + name: [value] for name, value in record["sets"].items()}
        values[f"{label}spectrum"] = np.mean(record["spectra"], axis=0).tolist()
        values[f"{label}reference spectrum"] = record["reference_spectrum"]
    return values


def _halved(images: np.ndarray) -> np.ndarray:
    """A code that loses something: every second pixel."""
    return images[:, ::2, ::2].reshape(len(images), -1).astype(np.float32)


def _doubled(codes: np.ndarray) -> np.ndarray:
    small = np.round(codes).astype(np.uint8).reshape(len(codes), SIZE // 2, SIZE // 2, 3)
    return small.repeat(2, axis=1).repeat(2, axis=2)


class _NoPortraits:
    def find(self, image: np.ndarray) -> AlignedFace:
        raise FeatureblendError("the portrait from elsewhere is only shown, never scored")


def identity(faces: FixedFaces) -> Values:
    """How alike the recogniser finds the faces, and what is made of it."""
    recognizer = open_recognizer()
    vectors = np.stack([recognizer.embedding(*face) for face in zip(faces.images, faces.landmarks, strict=True)])
    alike = np.stack([similarity(vector, vectors) for vector in vectors])
    return {
        "similarity": alike[np.triu_indices(len(alike), 1)].tolist(),
        "weaker parent": alike[:, :2].min(axis=1).tolist(),
        "threshold": [match_threshold(impostor_similarities(np.repeat(vectors, 12, axis=0), np.arange(60) // 12))],
    }


def latent(faces: FixedFaces, blender: Blender) -> Values:
    """Blends by the bundled networks, by each of their variants; and faces given back, good and degraded."""
    values: Values = {"model": [float(int(blender.config.identity, 16))]}
    for ending in VARIANTS:
        method = Model(blender, SIZE, [f"latent{ending}"])
        values |= {f"latent{ending} {name}": described for name, described in _blends(faces, method)}
    whole = Model(blender, SIZE)
    damaged = np.stack([faces.images[0], degrade(faces.images[1], "noise"), degrade(faces.images[2], "light")])
    parents = [Face(*face) for face in zip(faces.images[:2], faces.landmarks[:2], strict=True)]
    mixed = whole.made(Pair(*parents), np.array([0.5, 0.5]), "latent").latent
    assert mixed is not None
    for name, pictures in (
        ("again", whole.given_back(parents[0])[None]),
        ("spoilt", whole.decode(whole.encode(damaged))),
        ("of latents", whole.decode(mixed[None])),
    ):
        values |= {f"{name} {index}": _described(picture) for index, picture in enumerate(pictures)}
    return values


def pca(faces: FixedFaces) -> Values:
    """Blends by principal components."""
    return dict(_blends(faces, Pca(fit_components(faces.drawn().faces.images, 16))))


def baseline(faces: FixedFaces, name: str) -> Values:
    """Blends by a baseline."""
    return dict(_blends(faces, Baseline(name)))


def _blends(faces: FixedFaces, method: System) -> Iterator[tuple[str, list[float]]]:
    for name, (a, b), alpha in (("even", (0, 1), 0.5), ("leaning", (2, 3), 0.3)):
        images, landmarks = faces.images[[a, b]], faces.landmarks[[a, b]]
        yield name, _described(method.blend(images, landmarks, (1 - alpha, alpha)))


def _described(image: np.ndarray) -> list[float]:
    """A picture in 64 numbers: the mean colour of 4 x 4 tiles, then the contrast between neighbours in each."""
    tiles = image.astype(np.float64).reshape(4, SIZE // 4, 4, SIZE // 4, 3).transpose(0, 2, 1, 3, 4)
    steps = [np.diff(tiles, axis=axis) ** 2 for axis in (2, 3)]
    contrasts = np.sqrt(sum(step.mean(axis=(2, 3, 4)) for step in steps))
    return np.concatenate([tiles.mean(axis=(2, 3)).ravel(), contrasts.ravel()]).tolist()


GROUPS = ("scores", "identity", "latent", "pca", *BASELINES)
"""Each has a version."""


def measure(group: str, faces: FixedFaces) -> Values:
    """Today's values of a group."""
    if group == "latent":
        return latent(faces, Blender.from_pretrained())
    makers = {"scores": scores, "identity": identity, "pca": pca}
    return makers[group](faces) if group in makers else baseline(faces, group)


def differences(group: str, kept: Values, values: Values) -> list[str]:
    """Tell which values are not what they were, beyond what another processor changes.

    Parameters
    ----------
    group : str
    kept, values : dict
        As before, and today's.

    Returns
    -------
    list of str
        A line a value, empty where nothing changed.
    """
    found = [f"{name} is {'new' if name in values else 'gone'}" for name in sorted(kept.keys() ^ values.keys())]
    for name in sorted(kept.keys() & values.keys()):
        before, now = np.array(kept[name], np.float64), np.array(values[name], np.float64)
        if before.shape != now.shape:
            found.append(f"{name} has {now.size} values where it had {before.size}")
            continue
        if group in ABSOLUTE:
            allowed = ABSOLUTE[group] + RELATIVE * np.abs(before)
        elif before.size == 64:
            allowed = np.where(np.arange(64) < 48, GREY_LEVELS, CONTRAST * np.abs(before) + 0.005)
        else:
            allowed = np.zeros_like(before)
        apart = np.abs(now - before) - allowed
        if apart.max(initial=0) > 0:
            worst = int(apart.argmax())
            found.append(f"{name}: {before[worst]:.6g} before, {now[worst]:.6g} now")
    return found


def read(path: Path) -> dict[str, Any]:
    """A JSON file's content; nothing where there is none."""
    return json.loads(path.read_text()) if path.exists() else {}


def write(path: Path, content: dict[str, Any]) -> None:
    """Write JSON with a line an entry, so that changes can be read."""
    lines = []
    for group, entries in content.items():
        inner = entries
        if isinstance(entries, dict):
            inner = (
                "{\n" + ",\n".join(f"  {json.dumps(key)}: {json.dumps(one)}" for key, one in entries.items()) + "\n }"
            )
        lines.append(f" {json.dumps(group)}: {inner}")
    with atomic_path(path) as temporary:
        temporary.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def rounded(values: Values) -> Values:
    """Values with six significant digits."""
    return {
        name: [float(f"{value:.6g}") if name != "model" else value for value in row] for name, row in values.items()
    }


def main(words: list[str] | None = None) -> None:
    """Compare each group, and renew where that is asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--renew", action="store_true", help="keep today's values, and raise versions")
    renew = parser.parse_args(words).renew
    kept, versions = read(VALUES_FILE), read(VERSIONS_FILE)
    faces = FixedFaces(kept.get("faces", {}))
    found: dict[str, Any] = {"faces": faces.record()}
    changed = False
    for group in GROUPS:
        values = rounded(measure(group, faces))
        found[group] = kept.get(group, {})
        lines = differences(group, found[group], values)
        if not lines and group in versions:
            print(f"{group}: version {versions[group]}, as it was")
            continue
        changed, found[group] = True, values
        raised = versions.get(group, 0) + 1
        print(f"{group}: version {versions.get(group, 0)}" + (f" raised to {raised}" if renew else ", not what it was"))
        print("".join(f"    {line}\n" for line in lines[:5]), end="")
        versions[group] = raised
    if renew and changed:
        write(VALUES_FILE, found)
        write(VERSIONS_FILE, {group: versions[group] for group in GROUPS})
    elif changed:
        sys.exit("if this is wanted: python tools/measurement.py --renew")


if __name__ == "__main__":
    main()
