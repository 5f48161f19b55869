"""Faces that are changed along a direction in latent space, and the page that says how to find one."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from drawn_faces import draw_face
from PIL import Image

from featureblend import FeatureblendError
from featureblend.cli import main
from featureblend.edit.rendering import latents_in_shape
from featureblend.edit.replay import replay
from featureblend.edit.transform import transform_along
from featureblend.faces import EXAMPLES

PAGE = Path(__file__).parents[1] / "docs" / "how-to" / "latents.md"


@pytest.fixture(scope="module")
def ends(blender):
    return [blender.encode(EXAMPLES / f"{name}.jpg") for name in ("first", "third")]


@pytest.fixture(scope="module")
def direction(blender, ends):
    """What leads from the first face to the third: latents of both in the third's shape, and the shapes' difference."""
    first, third = ends
    faces = [blender.find(EXAMPLES / f"{name}.jpg") for name in ("first", "third")]
    (one, other), _ = latents_in_shape(blender, faces, third.landmarks)
    return replace(third, latent=other - one, landmarks=third.landmarks - first.landmarks, name="to third")


def moved(blender, direction, amount, **options):
    return transform_along(EXAMPLES / "first.jpg", direction, amount, blender=blender, size="model", **options)


def test_all_of_a_direction_leads_from_one_face_to_the_other(blender, ends, direction):
    third = np.asarray(blender.decode(ends[1])).astype(int)
    shown = [moved(blender, direction, k, detail=False, keep_surroundings=False).image for k in (0, 0.5, 1)]
    left = [np.abs(np.asarray(one) - third)[40:110, 40:88].mean() for one in shown]
    assert left[0] > left[1] > left[2]
    assert left[2] < 2


def test_nothing_of_a_direction_gives_the_photo(blender, direction):
    shown = moved(blender, direction, 0).image
    assert np.abs(np.asarray(shown).astype(int) - np.asarray(blender.align(EXAMPLES / "first.jpg"))).mean() < 1


def test_surroundings_stay_unless_told_otherwise(blender, direction):
    plain = np.asarray(moved(blender, direction, 0).image).astype(int)
    kept, changed = (
        np.abs(np.asarray(moved(blender, direction, 1, keep_surroundings=keep).image) - plain)[:20].mean()
        for keep in (True, False)
    )
    assert kept < changed


@pytest.mark.parametrize("spoil", ["a face", "another model", "no file"])
def test_what_is_no_direction_is_refused(blender, ends, direction, spoil, tmp_path):
    wrong = {"a face": ends[0], "another model": replace(direction, model="0123456789ab"), "no file": tmp_path / "no"}
    with pytest.raises(FeatureblendError):
        moved(blender, wrong[spoil], 1)


def test_a_direction_is_no_photo(blender, direction):
    with pytest.raises(FeatureblendError, match="to third is a difference"):
        blender.blend([EXAMPLES / "first.jpg", direction])


def test_the_command_writes_what_replay_makes_again(blender, direction, tmp_path, capsys):
    way = direction.save(tmp_path / "way.npz")
    out, photo = tmp_path / "out.png", str(EXAMPLES / "first.jpg")
    main(["transform", photo, "--direction", str(way), "--amount", "0.7", "-o", str(out), "--size", "model"])
    again = replay(out, tmp_path / "again.png", [photo, way])
    assert again.path.read_bytes() == out.read_bytes()
    for words in (["--direction", str(way), "--from", photo], ["--from", photo], []):
        with pytest.raises(SystemExit) as stopped:
            main(["transform", photo, *words, "-o", str(out)])
        assert stopped.value.code == 2


@pytest.mark.extras
def test_the_page_says_how_to_find_one(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for place, name in enumerate(["neutral", "smiling"]):
        (tmp_path / name).mkdir()
        for seed in range(4):
            Image.fromarray(draw_face(10 * place + seed, 160)[0]).save(tmp_path / name / f"{seed}.png")
    names = {}
    for code in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        exec(code, names)
    ratios = names["pca"].explained_variance_ratio_
    assert np.all(np.diff(ratios) <= 0)
    scores = names["scores"]
    assert scores[4:].mean() > scores[:4].mean()
    # An amount of 1 leads from one group's mean score to the other's.
    step = np.append(names["smile"].latent, names["smile"].landmarks) @ names["pca"].components_.T @ names["weights"]
    assert step == pytest.approx(names["gap"], rel=1e-3)
    main(["transform", "neutral/0.png", "--direction", "smile.npz", "--amount", "1", "-o", "smile.png"])
