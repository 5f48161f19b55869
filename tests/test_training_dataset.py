"""Shards, folders of crops, the split by person, pairs."""

import dataclasses
import hashlib
import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from featureblend.errors import FeatureblendError
from featureblend.training.dataset import FaceSet, face_pairs
from featureblend.training.shards import (
    SPLITS,
    FaceSample,
    numbered_shards,
    person_names,
    person_split,
    read_shard,
    shard_paths,
    write_shard,
)


def picture(seed, side=40):
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "WEBP", lossless=True)
    return pixels, stream.getvalue()


def sample(seed, person="Ana", **changes):
    points = np.random.default_rng(seed).uniform(0, 40, (68, 2)).round(2).tolist()
    made = FaceSample(picture(seed)[1], points, f"{person}/{seed}.jpg", person, person_split(person), 1.25)
    return dataclasses.replace(made, **changes)


@pytest.fixture
def shard(tmp_path):
    people = ["Ana", "Bo", "Pia", "Wes", "Ana", "Žofie 'Q' \"x\""]
    samples = [sample(seed, person) for seed, person in enumerate(people)]
    write_shard(tmp_path / "faces.tar", samples)
    return tmp_path / "faces.tar", samples


# SHA-256 by coreutils' sha256sum; the first 8 hexadecimal digits over 16^8, below 0.85, 0.90 and 1.
PINNED = {
    "Ada Lovelace": ("76740216", "train"),  # 0.4627
    "George_W_Bush": ("684db10c", "train"),  # 0.4074
    "Kim": ("d25949ef", "train"),  # 0.8216
    "Ana": ("dea210f0", "validation"),  # 0.8696
    "Bo": ("e52e1ced", "validation"),  # 0.8952
    "Yan": ("e5ba7f70", "validation"),  # 0.8973
    "Pia": ("e85f6b78", "test"),  # 0.9077
    "Wes": ("ec99d52a", "test"),  # 0.9242
    "José": ("24c2ab65", "train"),  # 0.1435
}


def test_the_split_of_a_name_never_changes():
    for name, (digits, split) in PINNED.items():
        assert hashlib.sha256(name.encode()).hexdigest()[:8] == digits, name
        assert person_split(name) == split, name


def test_the_splits_have_their_shares():
    splits = [person_split(f"Person Number {number}") for number in range(20_000)]
    for split, share in SPLITS.items():
        assert splits.count(split) / 20_000 == pytest.approx(share, abs=0.01)
    assert sum(SPLITS.values()) == pytest.approx(1)


def test_accents_written_as_letters_of_their_own_change_no_split():
    for number in range(200):
        assert person_split(f"Jose\u0301 {number}") == person_split(f"Jos\u00e9 {number}")


def test_a_name_that_is_no_text_has_a_split_too():
    assert person_split(b"\xff\xfe".decode(errors="surrogateescape")) in SPLITS


def test_who_a_photo_shows():
    for photos, people in [
        (["lfw/Ana_Ek/Ana_Ek_0001.jpg", "lfw/Bo/Bo_0001.jpg"], ["Ana_Ek", "Bo"]),
        (["a/Ana/1.jpg", "b/Ana/2.jpg", "b/Bo/2.jpg"], ["Ana", "Ana", "Bo"]),
        (["Ana/1.jpg", "Bo_2.jpg"], ["Ana", "Bo"]),
        (["Ana_0001.jpg", "Ana 2.jpg", "Ana-3.jpg", "Ana (4).jpg", "Bo.jpg"], ["Ana"] * 4 + ["Bo"]),
        (["x/Ana_1.jpg", "x/Bo_1.jpg"], ["Ana", "Bo"]),
        (["0001.jpg", "0002.jpg"], ["0001", "0002"]),
        (["_1.jpg", "_2.jpg"], ["_1", "_2"]),
        (["A000374.jpg", "B001230.jpg"], ["A000374", "B001230"]),
        (["DSC_0001.jpg", "DSC_0002.jpg", "DSC_0003.jpg"], ["DSC_0001", "DSC_0002", "DSC_0003"]),
        ([], []),
    ]:
        assert person_names(photos) == people


def test_shards_come_back_as_they_were(shard):
    path, samples = shard
    assert list(read_shard(path)) == samples


def test_shards_are_webdatasets_layout_and_the_same_bytes_everywhere(shard, tmp_path):
    path, samples = shard
    with tarfile.open(path) as tar:
        members = tar.getmembers()
        facts = json.load(tar.extractfile("000005.json"))
    assert [member.name for member in members[:4]] == ["000000.webp", "000000.json", "000001.webp", "000001.json"]
    assert {(member.mtime, member.uid, member.gid, member.uname, member.mode) for member in members} == {
        (0, 0, 0, "", 0o644)
    }
    assert sorted(facts) == ["landmarks", "margin", "person", "source", "split"]
    assert write_shard(tmp_path / "again.tar", iter(samples)) == len(samples)
    assert (tmp_path / "again.tar").read_bytes() == path.read_bytes()
    write_shard(tmp_path / "later.tar", samples[:1], first=41)
    with tarfile.open(tmp_path / "later.tar") as tar:
        assert tar.getnames() == ["000041.webp", "000041.json"]


def test_a_shard_that_is_cut_anywhere_is_an_error(shard):
    path, _ = shard
    content = path.read_bytes()
    with tarfile.open(path) as tar:
        headers = [member.offset for member in tar]
        end = tar.offset
    # At each header, within one, within a picture, and in the zeros at the end.
    cuts = {*headers, *(place + 100 for place in headers), *(place + 700 for place in headers), end, end + 512, 0}
    for cut in sorted(cuts):
        path.write_bytes(content[:cut])
        with pytest.raises(FeatureblendError, match=r"cannot read .*faces\.tar: .*prepare it again"):
            list(read_shard(path))


def test_a_damaged_header_is_no_end(shard):
    path, _ = shard
    content = bytearray(path.read_bytes())
    with tarfile.open(path) as tar:
        third = tar.getmembers()[4].offset
    content[third + 150] ^= 0xFF  # its checksum
    path.write_bytes(content)
    with pytest.raises(FeatureblendError, match=r"cannot read .*faces\.tar"):
        FaceSet.read(path)


def test_a_damaged_picture_is_named_with_its_shard(tmp_path):
    samples = [sample(0), dataclasses.replace(sample(1), picture=sample(1).picture[:60])]
    write_shard(tmp_path / "faces.tar", samples)
    with pytest.raises(FeatureblendError, match=r"faces\.tar: the crop of Ana/1\.jpg is damaged"):
        FaceSet.read(tmp_path / "faces.tar")


def test_other_tars_are_refused(tmp_path):
    for content in [
        {"x": 1},
        {"landmarks": [[1, 2]], "source": "a", "person": "a", "split": "train", "margin": 1},
        [1, 2],
        3,
    ]:
        path = tmp_path / "other.tar"
        with tarfile.open(path, "w") as tar:
            for name, data in (("0.webp", picture(0)[1]), ("0.json", json.dumps(content).encode())):
                member = tarfile.TarInfo(name)
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
        with pytest.raises(FeatureblendError, match=r"cannot read .*other\.tar: not a tar that"):
            FaceSet.read(path)


def test_files_that_are_no_tars_and_lone_members_are_refused(tmp_path):
    (tmp_path / "a.tar").write_text("hello" * 300)
    write_shard(tmp_path / "b.tar", [])
    with tarfile.open(tmp_path / "c.tar", "w") as tar:
        tar.addfile(tarfile.TarInfo("0.webp"), io.BytesIO())
    (tmp_path / "d.tar").touch()
    for name, words in [
        ("a", "cannot read"),
        ("b", "holds no faces"),
        ("c", "lacks its picture"),
        ("d", "cannot read"),
    ]:
        with pytest.raises(FeatureblendError, match=words):
            FaceSet.read(tmp_path / f"{name}.tar")


def test_reading_gives_pixels_points_and_names(shard):
    path, samples = shard
    faces = FaceSet.read(path)
    assert len(faces) == 6
    assert (faces.images == [picture(seed)[0] for seed in range(6)]).all()
    assert faces.landmarks.dtype == np.float32
    np.testing.assert_allclose(faces.landmarks, [one.landmarks for one in samples], rtol=1e-6)
    assert faces.people.tolist() == [one.person for one in samples]
    assert faces.sources.tolist() == [one.source for one in samples]
    assert faces.splits.tolist() == ["validation", "validation", "test", "test", "validation", faces.splits[5]]
    assert faces.margin == 1.25
    assert len(faces.identity) == 64


def test_choosing_a_split_and_a_number(shard):
    path, _ = shard
    test = FaceSet.read(path, split="test")
    assert test.people.tolist() == ["Pia", "Wes"]
    assert FaceSet.read(path, split="test", limit=1).people.tolist() == ["Pia"]
    assert len(FaceSet.read(path, limit=4)) == 4
    assert len(FaceSet.read(path, limit=99)) == 6
    assert FaceSet.read(path).split("test").sources.tolist() == test.sources.tolist()
    assert test.identity == FaceSet.read(path).identity
    with pytest.raises(FeatureblendError, match="unknown split 'tset': use one of train, validation, test"):
        FaceSet.read(path, split="tset")


def test_several_shards_stand_behind_one_name(tmp_path):
    for number in range(3):
        write_shard(tmp_path / f"my faces [1]-{number:05d}.tar", [sample(number)], first=number)
    write_shard(tmp_path / "my faces [1]-extra.tar", [sample(9)])
    (tmp_path / "._my faces [1]-00000.tar").write_bytes(b"macOS")
    name = tmp_path / "my faces [1].tar"
    assert [path.name[-9:] for path in shard_paths(name)] == ["00000.tar", "00001.tar", "00002.tar"]
    assert FaceSet.read(name).sources.tolist() == ["Ana/0.jpg", "Ana/1.jpg", "Ana/2.jpg"]
    assert FaceSet.read(name, limit=2).sources.tolist() == ["Ana/0.jpg", "Ana/1.jpg"]
    assert len(FaceSet.read(tmp_path)) == 4
    (tmp_path / "my faces [1]-00001.tar").unlink()
    with pytest.raises(FeatureblendError, match=r"not whole: the shard my faces \[1\]-00001\.tar is missing"):
        FaceSet.read(name)
    assert len(numbered_shards(name)) == 2
    with pytest.raises(FeatureblendError, match=r"no such data: .*none\.tar; make it with `featureblend prepare"):
        FaceSet.read(tmp_path / "none.tar")


def test_shards_of_different_sizes_or_margins_do_not_mix(tmp_path):
    write_shard(tmp_path / "a.tar", [sample(0)])
    for other in (sample(1, picture=picture(1, 32)[1]), sample(1, margin=1.0)):
        write_shard(tmp_path / "b.tar", [other])
        with pytest.raises(FeatureblendError, match=r"b\.tar holds faces of several sizes"):
            FaceSet.read(tmp_path)


def test_the_identity_names_the_bytes(shard, tmp_path):
    path, samples = shard
    before = FaceSet.read(path).identity
    write_shard(path, samples[:-1])
    assert FaceSet.read(path).identity != before
    write_shard(path, samples)
    assert FaceSet.read(path).identity == before


def test_a_folder_of_crops(tmp_path):
    for seed, name in enumerate(["Pia_2.png", "Pia_1.png", "Ana.webp", "notes.txt", "._Ana.webp", "Kim.PNG"]):
        (tmp_path / name).write_bytes(picture(seed)[1])
    (tmp_path / "notes.txt").write_text("no picture")
    faces = FaceSet.read(tmp_path)
    assert faces.sources.tolist() == ["Ana.webp", "Kim.PNG", "Pia_1.png", "Pia_2.png"]
    assert faces.people.tolist() == ["Ana", "Kim", "Pia", "Pia"]
    assert faces.splits.tolist() == ["validation", "train", "test", "test"]
    assert (faces.images[0] == picture(2)[0]).all()
    assert faces.margin == 1
    assert np.isnan(faces.landmarks).all()
    assert FaceSet.read(tmp_path, split="test", limit=1).sources.tolist() == ["Pia_1.png"]


def test_folders_that_hold_no_crops(tmp_path):
    with pytest.raises(FeatureblendError, match=r"neither shards \(\*\.tar\) nor pictures"):
        FaceSet.read(tmp_path)
    (tmp_path / "a.png").write_bytes(picture(0)[1])
    (tmp_path / "b.png").write_bytes(picture(1, 32)[1])
    with pytest.raises(FeatureblendError, match=r"b\.png is 32 x 32; a data folder holds square crops of one size"):
        FaceSet.read(tmp_path)
    (tmp_path / "b.png").write_bytes(b"no picture")
    with pytest.raises(FeatureblendError, match=r"cannot read .*b\.png"):
        FaceSet.read(tmp_path)


def test_cutting_the_template_out_moves_landmarks_with_the_pixels():
    images = np.zeros((2, 160, 160, 3), np.uint8)
    images[0, 50, 70], images[1, 100, 31] = 255, 255
    landmarks = np.zeros((2, 68, 2), np.float32)
    landmarks[0, 7], landmarks[1, 7] = (70, 50), (31, 100)
    faces = dataclasses.replace(FaceSet.from_images(images, margin=1.25), landmarks=landmarks)
    cut = faces.cropped(128)
    assert cut.images.shape == (2, 128, 128, 3)
    assert cut.margin == 1
    assert (cut.images == images[:, 16:144, 16:144]).all()
    for image, points in zip(cut.images, cut.landmarks, strict=True):
        x, y = points[7].astype(int)
        assert image[y, x].tolist() == [255] * 3
    assert (cut.cropped(128).images == cut.images).all()


def test_scaled_crops_keep_pixels_and_landmarks_together():
    for size in [64, 96, 256]:
        y, x = np.mgrid[:160, :160]
        spot = 255 * np.exp(-((x - 70) ** 2 + (y - 95) ** 2) / 60)
        landmarks = np.full((1, 68, 2), (70, 95), np.float32)
        images = spot.astype(np.uint8)[None, ..., None].repeat(3, axis=3)
        cut = dataclasses.replace(FaceSet.from_images(images, margin=1.25), landmarks=landmarks).cropped(size)
        assert cut.images.shape == (1, size, size, 3)
        weight = cut.images[0, ..., 0].astype(float)
        y, x = np.mgrid[:size, :size]
        middle = (x * weight).sum() / weight.sum(), (y * weight).sum() / weight.sum()
        np.testing.assert_allclose(cut.landmarks[0, 0], middle, atol=0.15)


def test_shrinking_does_not_alias():
    checks = (np.indices((160, 160)).sum(axis=0) % 2 * 255).astype(np.uint8)[None, ..., None].repeat(3, axis=3)
    small = FaceSet.from_images(checks).cropped(50).images
    assert np.abs(small[:, 2:-2, 2:-2].astype(float) - 127.5).max() < 6


def test_chosen_keeps_all_fields_in_step(shard):
    faces = FaceSet.read(shard[0])
    for which in (np.array([3, 1]), faces.people == "Ana"):
        some = faces.chosen(which)
        for field in ("images", "landmarks", "people", "sources", "splits"):
            assert (getattr(some, field) == getattr(faces, field)[which]).all()


people_lists = st.lists(st.sampled_from("abcdefgh"), min_size=2, max_size=60)


@given(people_lists, st.data())
@settings(deadline=None)
def test_pairs_are_of_two_people_and_never_come_twice(people, data):
    total = sum(a != b for i, a in enumerate(people) for b in people[:i])
    count = data.draw(st.integers(0, total))
    seed = data.draw(st.integers(0, 5))
    pairs = face_pairs(people, count, seed)
    assert pairs.shape == (count, 2)
    assert pairs.dtype == np.int64
    assert all(people[a] != people[b] for a, b in pairs)
    assert len({frozenset(pair) for pair in pairs.tolist()}) == count
    assert (pairs == face_pairs(np.array(people), count, seed)).all()
    with pytest.raises(FeatureblendError, match=f"{total + 1} pairs of different people are needed"):
        face_pairs(people, total + 1)


def test_pairs_depend_on_the_seed_and_reach_everyone():
    people = [f"p{number // 2}" for number in range(400)]
    assert (face_pairs(people, 100, 0) != face_pairs(people, 100, 1)).any()
    pairs = face_pairs(people, 4000)
    assert len(np.unique(pairs)) == 400


def test_nothing_here_needs_torch():
    for module in ("dataset", "shards"):
        source = (Path(__file__).parents[1] / "src" / "featureblend" / "training" / f"{module}.py").read_text()
        assert "import torch" not in source
