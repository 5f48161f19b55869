#!/usr/bin/env python3
"""Measure by skin tone, sex and age: detection, landmarks, reconstruction, restoration, warnings, blends.

``python tools/fairness.py portraits`` takes a folder of portraits with a ``people.csv`` of columns file, sex and age,
and prints a table for the model card. Skin tone is measured: the individual typology angle (ITA; Chardon et al. 1991)
of cheeks and nose in the photo. The photos are good ones, so that a warning of poor quality is a false one.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from featureblend.blend import quality
from featureblend.blend.blender import Blender
from featureblend.blend.quality import photo_warnings
from featureblend.errors import FeatureblendError
from featureblend.faces.landmarks import LEFT_EYE, MIRRORED, RIGHT_EYE
from featureblend.faces.masks import hull_mask
from featureblend.faces.recognizers import RECOGNIZERS, Recognizer, open_recognizer
from featureblend.io.image import load_image
from featureblend.io.photo_warnings import MONOCHROME
from featureblend.metrics.scores import psnr
from featureblend.metrics.skin import skin_colour

TONES = ((28.0, "light"), (0.0, "medium"), (-math.inf, "dark"))
"""Skin by its least ITA in degrees: down to Chardon's intermediate, tan and lighter brown, and the rest."""
AGES = ((60, "60 and over"), (40, "40 to 59"), (0, "under 40"))

COLUMNS: dict[str, tuple[str, Callable[[np.ndarray], float], str]] = {
    "found": ("found, %", lambda found: 100 * found.mean(), ".0f"),
    "landmarks": ("landmarks that move when the photo is mirrored, % of the eyes' distance", np.mean, ".2f"),
    "psnr": ("reconstruction in the face, dB", np.mean, ".1f"),
    "lightened": ("lightened by restoration, L", np.mean, "+.2f"),
    "poor": ("warned of as poor, %", lambda found: 100 * found.mean(), ".0f"),
    "covered": ("warned of glasses, hat or open mouth, %", lambda found: 100 * found.mean(), ".0f"),
    "beyond": ("blend's skin beyond its parents' chroma", np.mean, ".2f"),
    "shade": ("blend's skin off the mean shade, L", np.mean, ".2f"),
    "dlib": ("blend's distance to the less like parent, dlib (one person: up to 0.6)", np.mean, ".2f"),
    "sface": ("the same, SFace (up to 1.13)", np.mean, ".2f"),
}
POOR = (quality.HALF_DARK, quality.OUT_OF_FOCUS, quality.LIGHT_RESTORED, quality.TEXTURE_RESTORED, MONOCHROME)
COVERING = (*quality.COVERED.values(), quality.OPEN_MOUTH)


def group(value: float, groups: Sequence[tuple[float, str]]) -> str:
    """Name of the group that a value is in."""
    return next(name for least, name in groups if value >= least)


def tone(colour: np.ndarray) -> float:
    """Individual typology angle of a skin colour (L, a, b), in degrees; light skin has a high one."""
    return math.degrees(math.atan2(colour[0] - 50, colour[2]))


def measured(path: Path, blender: Blender) -> tuple[dict[str, Any], Any]:
    """What one photo shows, and its face; no face, no figures."""
    try:
        face = blender.find(path)
    except FeatureblendError:
        return {"found": 0.0}, None
    (face,) = blender.cleaned([face])
    found: dict[str, Any] = {"found": 1.0}
    photo = load_image(path)
    matrix = np.linalg.inv(np.vstack([face.matrix, [0, 0, 1]]))[:2]
    points = face.landmarks @ matrix[:, :2].T + matrix[:, 2]
    mirrored = blender.find(np.ascontiguousarray(photo[:, ::-1]))
    back = np.linalg.inv(np.vstack([mirrored.matrix, [0, 0, 1]]))[:2]
    again = (mirrored.landmarks @ back[:, :2].T + back[:, 2])[list(MIRRORED)]
    again[:, 0] = photo.shape[1] - 1 - again[:, 0]
    eyes = np.linalg.norm(points[LEFT_EYE].mean(0) - points[RIGHT_EYE].mean(0))
    found["landmarks"] = 100 * np.linalg.norm(points - again, axis=1).mean() / eyes
    seen = skin_colour(face.image, face.landmarks)
    found["lightened"] = float(skin_colour(face.restored, face.landmarks)[0] - seen[0])
    rebuilt = blender.networks.pictures(blender.networks.latents([face.restored], cleaned=True))[0]
    inside = hull_mask(face.landmarks, rebuilt.shape[:2])
    found["psnr"] = psnr(rebuilt[inside][None], face.restored[inside][None])
    warnings = photo_warnings(face)
    found["warnings"] = [one.one for one in warnings]
    found["poor"] = float(any(one in POOR for one in warnings))
    found["covered"] = float(any(one in COVERING for one in warnings))
    found["tone"] = tone(seen)
    return found, face


def blended(first: Any, second: Any, blender: Blender, recognizers: Sequence[Recognizer]) -> dict[str, float]:
    """How an even blend compares with its parents: its shade, its chroma beyond theirs, and whose face it is."""
    made = np.asarray(blender.blend_faces([first, second], measures="none", size="model").image.convert("RGB"))
    points = (first.landmarks + second.landmarks) / 2
    skin = skin_colour(made, points)
    parents = np.array([skin_colour(one.restored, one.landmarks) for one in (first, second)])
    beyond = np.maximum(parents.min(0) - skin, skin - parents.max(0)).clip(0)[1:]
    found = {"beyond": float(np.linalg.norm(beyond)), "shade": float(abs(skin[0] - parents[:, 0].mean()))}
    for one in recognizers:
        own = one.embedding(made, points)
        others = [one.embedding(face.restored, face.landmarks) for face in (first, second)]
        found[one.name] = float(max(np.linalg.norm(own - other) for other in others))
    return found


def table(people: Sequence[dict[str, Any]], kinds: Sequence[str]) -> str:
    """Figures of each group as a Markdown table."""
    lines = ["| group | photos | " + " | ".join(title for title, _, _ in COLUMNS.values()) + " |"]
    lines.append("|---" * (len(COLUMNS) + 2) + "|")
    for kind in kinds:
        for name in sorted({one[kind] for one in people if kind in one}):
            those = [one for one in people if one.get(kind) == name]
            cells = []
            for key, (_, mean, form) in COLUMNS.items():
                values = np.array([one[key] for one in those if key in one])
                cells.append(format(mean(values), form) if len(values) else "–")
            lines.append(f"| {kind}: {name} | {len(those)} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> int:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--limit", type=int, help="measure so many photos only")
    parser.add_argument("--json", type=Path, help="keep each photo's figures here")
    options = parser.parse_args()
    with open(options.folder / "people.csv", newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))[: options.limit]
    blender, people, faces = Blender.from_pretrained(), [], []
    recognizers = [open_recognizer(name) for name in RECOGNIZERS]
    for row in tqdm(rows):
        found, face = measured(options.folder / row["file"], blender)
        person = {"file": row["file"], "sex": row["sex"], "age": group(float(row["age"]), AGES), **found}
        if face is not None:
            person["skin"] = group(found["tone"], TONES)
        people.append(person)
        faces.append(face)
    # Each photo is blended with the next of its own sex and skin tone.
    for place, person in enumerate(tqdm(people)):
        others = [*range(place + 1, len(people)), *range(place)]
        like = (one for one in others if all(people[one].get(key) == person.get(key, "") for key in ("sex", "skin")))
        other = next(like, None)
        if other is not None:
            person |= blended(faces[place], faces[other], blender, recognizers)
    if options.json:
        options.json.write_text(json.dumps(people, indent=1, default=float), encoding="utf-8")
    print(table(people, ("skin", "sex", "age")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
