"""Continua: where the pictures stand, what they show, and the files that they become."""

import csv
import itertools
import json
import os
import subprocess
import sys
import time

import av
import numpy as np
import pytest
from example_photos import FIRST, SECOND, THIRD, difference
from PIL import Image

from featureblend.blend import blender as blender_module
from featureblend.blend.face_cache import RememberingBlender
from featureblend.edit.continuum import EASES, continuum, positions
from featureblend.edit.replay import replay
from featureblend.errors import FeatureblendError
from featureblend.faces import EXAMPLES
from featureblend.io.metadata import read_recipe
from featureblend.io.video import check_out

pytestmark = pytest.mark.usefixtures("model_sized")


@pytest.fixture(scope="module")
def blender(blender):
    """It finds the faces of each photo once."""
    return RememberingBlender(blender)


@pytest.fixture(scope="module")
def walk(blender):
    return continuum([FIRST, SECOND], steps=5, blender=blender)


# --- where the pictures stand


def test_positions_by_hand():
    assert positions(2, 11, 0, 1, "linear") == pytest.approx([step / 10 for step in range(11)])
    assert positions(2, 5, -1, 3, "linear") == [-1, 0, 1, 2, 3]
    assert positions(3, 3, -0.5, 1.5, "linear") == [-0.5, 0.25, 1.0, 1.75, 2.5]  # every photo is met
    assert positions(2, 3, 0, 1, "in") == [0, 0.25, 1]
    assert positions(2, 3, 0, 1, "out") == [0, 0.75, 1]
    assert positions(2, 5, 0, 1, "in-out")[1] == pytest.approx((1 - np.cos(np.pi / 4)) / 2)


def test_every_ease_starts_and_ends_at_the_photos():
    for ease in EASES:
        found = positions(3, 6, 0, 1, ease)
        assert (found[0], found[5], found[-1]) == (0, 1, 2)
        assert found == sorted(found)


def test_settings_that_make_no_sense():
    for settings, said in [
        ((2, 1, 0, 1, "linear"), "1 steps"),
        ((2, 2.5, 0, 1, "linear"), "2.5 steps"),
        ((2, 5, 0, 1, "bumpy"), "unknown ease 'bumpy'"),
        ((2, 5, float("nan"), 1, "linear"), "--from nan"),
        ((2, 5, 0, 11, "linear"), "--to 11"),
        ((2, 5, 1, 1, "linear"), "no length"),
    ]:
        with pytest.raises(FeatureblendError, match=said):
            positions(*settings)


# --- what they show


def test_the_way_starts_at_the_first_photo_and_ends_at_the_second(blender, walk):
    for frame, photo in ((walk.frames[0], FIRST), (walk.frames[-1], SECOND)):
        assert difference(frame, blender.align(photo)) < 0.5
    from_first = [difference(frame, walk.frames[0]) for frame in walk.frames]
    to_second = [difference(frame, walk.frames[-1]) for frame in walk.frames]
    assert from_first == sorted(from_first)
    assert to_second == sorted(to_second, reverse=True)


def test_the_middle_is_the_blend(blender, walk):
    assert difference(walk.frames[2], blender.blend([FIRST, SECOND], surroundings="blend", measures="none").image) < 0.5


def test_no_step_is_a_jump(blender):
    frames = continuum([FIRST, SECOND], steps=15, start=-0.2, end=1.2, blender=blender).frames
    steps = [difference(one, other) for one, other in itertools.pairwise(frames)]
    # Most of the way is hair and background, which fade over five steps; a jump would be nearly all in one.
    assert max(steps) < 0.4 * sum(steps)


def test_beyond_a_photo_differences_grow(blender):
    beyond = continuum([FIRST, SECOND], steps=4, start=-0.5, end=1.0, blender=blender)
    assert beyond.positions == (-0.5, 0.0, 0.5, 1.0)
    assert difference(beyond.frames[0], beyond.frames[3]) > difference(beyond.frames[1], beyond.frames[3])
    assert difference(beyond.frames[0], beyond.frames[1]) > 1
    # The surroundings are the photo's own: nothing of the other's is taken away from them.
    corner = np.s_[:24, :24]
    assert difference(np.asarray(beyond.frames[0])[corner], np.asarray(beyond.frames[1])[corner]) < 4


def test_several_photos_in_turn_and_back(blender):
    made = continuum([FIRST, SECOND, THIRD], steps=3, bounce=True, blender=blender)
    assert made.positions == (0, 0.5, 1, 1.5, 2, 1.5, 1, 0.5)
    assert difference(made.frames[2], blender.align(SECOND)) < 0.5
    assert made.frames[1].tobytes() == made.frames[7].tobytes()


def test_codes_are_photos_too(blender, walk, tmp_path):
    codes = [blender.encode(FIRST), blender.encode(SECOND).save(tmp_path / "b.npz")]
    made = continuum(codes, steps=3, blender=blender)
    assert difference(made.frames[1], walk.frames[2]) < 3
    assert made.frames[0].tobytes() != made.frames[1].tobytes()


def test_other_methods(blender):
    for method in ["morph", "pixel", "laplacian"]:
        made = continuum([FIRST, SECOND], steps=3, method=method, blender=blender)
        assert difference(made.frames[0], blender.align(FIRST)) < 1
        assert (
            made.frames[1].tobytes() == blender.blend([FIRST, SECOND], method=method, measures="none").image.tobytes()
        )


def test_bad_requests_are_refused(blender):
    with pytest.raises(FeatureblendError, match="two or more photos"):
        continuum([FIRST], blender=blender)
    with pytest.raises(FeatureblendError, match="unknown method 'magic'"):
        continuum([FIRST, SECOND], method="magic", blender=blender)
    with pytest.raises(FeatureblendError, match="'laplacian' can't go beyond"):
        continuum([FIRST, SECOND], end=1.5, method="laplacian", blender=blender)
    with pytest.raises(FeatureblendError, match="surroundings 3"):
        continuum([FIRST, SECOND], surroundings=3, blender=blender)
    with pytest.raises(FeatureblendError, match="3 faces are chosen for 2"):
        continuum([FIRST, SECOND], which=[1, 1, 1], blender=blender)


# --- files


def video_frames(path):
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.codec_context.pix_fmt == "yuv420p"  # what every browser and phone plays
        return float(stream.average_rate), [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]


def test_a_video_holds_the_pictures(tmp_path, walk):
    for name in ["walk.mp4", "walk.mov"]:
        rate, frames = video_frames(walk.save(tmp_path / name, fps=5))
        assert rate == 5
        assert len(frames) == 5
        for frame, drawn in zip(walk.frames, frames, strict=True):
            assert difference(frame, drawn) < 4


def test_an_odd_size_gets_one_more_row_and_column_in_a_video(tmp_path, blender):
    _, frames = video_frames(
        continuum([FIRST, SECOND], steps=2, size=65, detail=False, blender=blender).save(tmp_path / "walk.mp4")
    )
    assert frames[0].shape == (66, 66, 3)


def test_an_animation_holds_the_pictures(tmp_path, walk):
    for name, tolerance in [("walk.gif", 6), ("walk.webp", 4)]:
        with Image.open(walk.save(tmp_path / name, fps=20)) as picture:
            assert (picture.n_frames, picture.info["loop"]) == (5, 0)
            for place, frame in enumerate(walk.frames):
                picture.seek(place)
                picture.load()
                assert picture.info["duration"] == 50
                assert difference(frame, picture.convert("RGB")) < tolerance


def test_an_animation_takes_as_long_as_it_should(tmp_path, walk):
    for name, fps, tick in [("walk.gif", 24, 10), ("walk.gif", 50, 10), ("walk.webp", 90, 1)]:
        with Image.open(walk.save(tmp_path / name, fps=fps)) as picture:
            shown = []
            for place in range(picture.n_frames):
                picture.seek(place)
                picture.load()
                shown.append(picture.info["duration"])
        assert abs(sum(shown) - 1000 * len(shown) / fps) <= tick / 2
        assert max(shown) - min(shown) <= tick


def test_a_contact_sheet(tmp_path, walk):
    with (
        Image.open(walk.save(tmp_path / "one.png")) as row,
        Image.open(walk.save(tmp_path / "2.png", columns=3)) as two,
    ):
        assert row.width > 5 * 128 > two.width > 3 * 128
        assert two.height > 2 * 128 > row.height > 128
        assert difference(np.asarray(row)[8:136, 8:136], walk.frames[0]) == 0


def test_numbered_frames_and_their_table(tmp_path, walk):
    folder = walk.save(tmp_path / "walk")
    names = [f"frame_{place:03}.png" for place in range(5)]
    assert sorted(path.name for path in folder.iterdir()) == sorted([*names, "frames.csv", "recipe.json"])
    for name, frame in zip(names, walk.frames, strict=True):
        assert difference(Image.open(folder / name), frame) == 0
    rows = list(csv.DictReader((folder / "frames.csv").read_text().splitlines()))
    assert rows[1] == {"frame": "frame_001.png", "position": "0.25", "weight_1": "0.75", "weight_2": "0.25"}
    assert json.loads((folder / "recipe.json").read_text())["verb"] == "continuum"


def test_frames_never_mix_with_other_files(tmp_path, walk, blender):
    folder = tmp_path / "walk"
    walk.save(folder)
    short = continuum([FIRST, SECOND], steps=2, blender=blender)
    short.save(folder)  # earlier frames are replaced, all of them
    assert len(list(folder.glob("*.png"))) == 2
    (folder / "holiday.jpg").touch()
    with pytest.raises(FeatureblendError, match=r"holds other files \(holiday.jpg\)"):
        walk.save(folder)
    assert len(list(folder.glob("*.png"))) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["walk"]


def test_nothing_half_written_is_left(tmp_path, walk, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("featureblend.io.video.write_recipe", full)
    with pytest.raises(FeatureblendError, match="No space left"):
        walk.save(tmp_path / "walk")
    assert not list(tmp_path.iterdir())
    (tmp_path / "walk.mp4").write_bytes(b"an earlier video")
    monkeypatch.setattr("featureblend.io.video.np.pad", full)
    with pytest.raises(FeatureblendError, match="No space left"):
        walk.save(tmp_path / "walk.mp4")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"an earlier video"]


def test_names_that_cannot_be_written(tmp_path):
    for name, said in [("walk.avi", "use .mp4"), ("nowhere/walk.mp4", "does not exist"), ("file", "it is a file")]:
        (tmp_path / "file").touch()
        with pytest.raises(FeatureblendError, match=said):
            check_out(tmp_path / name)
        for fps in (0, -1, float("nan"), 1000):
            with pytest.raises(FeatureblendError, match="pictures a second"):
                check_out(tmp_path / "walk.mp4", fps)
    with pytest.raises(FeatureblendError, match=r"60 pictures a second: expected a number above 0, up to 50 of a GIF"):
        check_out(tmp_path / "walk.gif", 60)


def test_a_recipe_makes_the_same_file_again(tmp_path, blender, monkeypatch):
    monkeypatch.setattr(blender_module, "FaceDetector", lambda: blender.detector)
    made = continuum([FIRST, SECOND], steps=3, start=-0.5, bounce=True, ease="in", size=64, blender=blender)
    for name in ["walk.mp4", "walk.gif", "walk.webp", "walk.png"]:
        path = made.save(tmp_path / name, fps=7)
        recipe = read_recipe(path)
        assert (recipe["verb"], recipe["options"]["fps"], recipe["faces"]) == ("continuum", 7, ["largest", "largest"])
        again = replay(path, tmp_path / f"again{path.suffix}", folders=[EXAMPLES]).path
        assert again.read_bytes() == path.read_bytes()


WRITE_VIDEO = """
import sys
import numpy as np
from PIL import Image
from featureblend.io.video import write_pictures

first, second = (np.asarray(Image.open(name).convert("RGB").resize((96, 96)), float) for name in sys.argv[1:3])
pictures = [np.uint8(first + (second - first) * k / 7) for k in (0, 3, 5, 7, 5, 3, 0)]
write_pictures(sys.argv[3], pictures, [], [], None, fps=7)
"""


def test_a_video_does_not_depend_on_what_was_in_memory(tmp_path):
    """x264 once took what `malloc` gave it for what it had written itself: the same pictures, another file."""
    videos = [tmp_path / f"{filling}.mp4" for filling in (1, 37, 91, 255)]
    for video in videos:  # glibc fills memory with the setting's complement; elsewhere the setting does nothing
        environment = {**os.environ, "MALLOC_PERTURB_": video.stem}
        subprocess.run([sys.executable, "-c", WRITE_VIDEO, FIRST, SECOND, video], check=True, env=environment)
    assert len({video.read_bytes() for video in videos}) == 1


def test_without_metadata_there_is_no_recipe(tmp_path, walk):
    for name in ("walk.mp4", "walk.gif", "walk.webp", "walk.png"):
        with pytest.raises(FeatureblendError, match="holds no recipe"):
            read_recipe(walk.save(tmp_path / name, metadata=False))
    walk.save(tmp_path / "frames", metadata=False)
    assert not (tmp_path / "frames" / "recipe.json").exists()


def test_eleven_steps_to_a_video_are_quick(tmp_path, blender):
    """The figure to reach is 4 s: of the processor here, both cores together, since what passes counts others' work."""
    blender.encode(FIRST)
    worked = time.process_time()
    continuum([FIRST, SECOND], blender=blender).save(tmp_path / "walk.mp4")
    assert time.process_time() - worked < 4
