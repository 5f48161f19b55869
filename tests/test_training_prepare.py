"""From photos to shards: the same from a folder and a tar, resumable, never stopped by one bad photo."""

import csv
import io
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from featureblend.cli import main
from featureblend.errors import FeatureblendError
from featureblend.faces.alignment import align_face
from featureblend.io.image import load_image
from featureblend.training import prepare as module
from featureblend.training.dataset import FaceSet, person_split
from featureblend.training.prepare import PrepareReport, PrepareSettings, prepare

QUICK = {"jobs": 1, "quiet": True}
"""In this process: a worker takes seconds to load the models."""


@pytest.fixture(scope="module", autouse=True)
def shared_detector(detector):
    """Share the tests' detector."""
    patch = pytest.MonkeyPatch()
    patch.setattr(module, "_detector", lambda: detector)
    yield
    patch.undo()


@pytest.fixture(scope="module")
def people(face_photos):
    """A dozen photos of as many people."""
    return face_photos[:12]


@pytest.fixture
def folder(people, tmp_path):
    """Those photos, a folder a person, among things that are no photos or damaged ones."""
    source = tmp_path / "photos of people"
    for path in people:
        target = source / path.parent.name / path.name
        target.parent.mkdir(parents=True)
        shutil.copy(path, target)
    odd = source / "Zoë 'Q' Ünal"
    odd.mkdir()
    shutil.copy(people[0], odd / 'naïve, "quoted".JPG')
    (odd / "._naïve.jpg").write_bytes(b"macOS puts these beside every file")
    (source / ".thumbnails").mkdir()
    shutil.copy(people[0], source / ".thumbnails" / "a.jpg")
    (source / "read me.txt").write_text("hello")
    bad = source / "Bad"
    bad.mkdir()
    (bad / "1 cut.jpg").write_bytes(people[0].read_bytes()[:1000])
    (bad / "2 text.png").write_text("no picture")
    (bad / "3 empty.webp").touch()
    Image.new("RGB", (200, 200), (90, 120, 200)).save(bad / "4 sky.png")
    (bad / "5 gone.jpg").symlink_to(bad / "nowhere.jpg")
    return source


def tar_of(folder, path, **options):
    with tarfile.open(path, "w", **options) as tar:
        tar.add(folder, ".")
    return path


def leftovers(folder):
    return sorted(entry.name for entry in folder.iterdir() if entry.name.startswith(("out", ".")))


def test_a_folder_end_to_end(folder, tmp_path, people):
    report = prepare(folder, tmp_path / "out.tar", **QUICK)
    assert leftovers(tmp_path) == ["out.skipped.csv", "out.tar"]
    assert report.shards == [tmp_path / "out.tar"]
    faces = FaceSet.read(tmp_path / "out.tar")
    assert faces.images.shape == (13, 160, 160, 3)
    assert faces.margin == 1.25
    names = [f"{path.parent.name}/{path.name}" for path in people] + ["Zoë 'Q' Ünal/naïve, \"quoted\".JPG"]
    assert faces.sources.tolist() == sorted(names)
    assert faces.people.tolist() == [name.split("/")[0] for name in sorted(names)]
    assert faces.splits.tolist() == [person_split(person) for person in faces.people]
    assert report.people == 13
    assert sum(report.splits.values()) == 13

    with open(tmp_path / "out.skipped.csv", newline="", encoding="utf-8") as stream:
        rows = list(csv.reader(stream))
    assert rows[0] == ["photo", "reason"]
    assert [tuple(row) for row in rows[1:]] == report.skipped
    assert [name for name, _ in report.skipped] == [
        *(f"Bad/{n}" for n in ("1 cut.jpg", "2 text.png", "3 empty.webp", "4 sky.png", "5 gone.jpg")),
        "read me.txt",
    ]
    reasons = dict(report.skipped)
    assert "damaged or cut short" in reasons["Bad/1 cut.jpg"]
    assert "not a picture" in reasons["Bad/2 text.png"]
    assert reasons["Bad/4 sky.png"] == "no face found"
    assert "13 faces of 13 people" in str(report)
    assert "1 skipped: cannot read the file" in str(report)
    assert "2 skipped: not a picture" in str(report)
    assert "1 skipped: no face found" in str(report)


def test_a_list_names_photos_and_people(people, tmp_path):
    names = [os.path.relpath(path, tmp_path) for path in people[:3]]
    (tmp_path / "list.txt").write_text("\n".join([*names, "gone.jpg", names[0]]))
    report = prepare(tmp_path / "list.txt", tmp_path / "out.tar", **QUICK)
    assert report.skipped == [("gone.jpg", "not a file")]
    faces = FaceSet.read(tmp_path / "out.tar")
    assert faces.sources.tolist() == sorted(names)
    assert faces.people.tolist() == [path.parent.name for path in people[:3]]
    rows = [f"{number},{name},{'Bo' if number else ''}" for number, name in enumerate(names)]
    (tmp_path / "list.csv").write_text("\n".join(["id,Photo,Person", *rows]))
    prepare(tmp_path / "list.csv", tmp_path / "out2.tar", **QUICK)
    assert FaceSet.read(tmp_path / "out2.tar").people.tolist() == [people[0].parent.name, "Bo", "Bo"]
    (tmp_path / "list.csv").write_text("id,person\n1,Bo\n")
    with pytest.raises(FeatureblendError, match=r"list\.csv names no photos"):
        prepare(tmp_path / "list.csv", tmp_path / "out2.tar", **QUICK)


def test_stored_crops_show_the_face_where_their_landmarks_say(folder, tmp_path, detector, people):
    prepare(folder, tmp_path / "out.tar", **QUICK)
    faces = FaceSet.read(tmp_path / "out.tar").cropped(128)
    errors = []
    for image, landmarks in zip(faces.images, faces.landmarks, strict=True):
        eyes, mouth = landmarks[36:48].mean(axis=0), landmarks[48:68].mean(axis=0)
        assert abs(eyes[0] - 63.5) < 12
        assert abs(mouth[0] - 63.5) < 12
        assert 45 < eyes[1] < mouth[1] < 110
        found = detector.detect(image)
        errors += [np.hypot(*(found[0].landmarks - landmarks).T).mean()] if len(found) == 1 else []
    assert len(errors) >= 10
    assert np.mean(errors) < 4


def test_a_tar_gives_the_same_bytes_as_the_folder(folder, tmp_path):
    (folder / "Bad" / "5 gone.jpg").unlink()
    prepare(folder, tmp_path / "out.tar", **QUICK)
    source = tar_of(folder, tmp_path / "photos.tar", format=tarfile.GNU_FORMAT)
    report = prepare(source, tmp_path / "out2.tar", **QUICK)
    assert (tmp_path / "out2.tar").read_bytes() == (tmp_path / "out.tar").read_bytes()
    assert (tmp_path / "out2.skipped.csv").read_bytes() == (tmp_path / "out.skipped.csv").read_bytes()
    assert len(report.skipped) == 5


@pytest.mark.parametrize("packed", [False, True])
def test_what_a_photo_is_its_content_says(people, tmp_path, packed):
    source = tmp_path / "in"
    source.mkdir()
    for name, kind in {"a.heic": "HEIF", "b.avif": "AVIF", "c.jfif": "JPEG", "d.txt": "PNG", "e": "WEBP"}.items():
        Image.open(people[0]).save(source / name, kind, quality=95)
    Image.open(people[0]).save(source / "f.gif")
    torn = source / "torn.jpg"
    torn.write_bytes(people[0].read_bytes()[:-20])
    (source / "photo.jpg").write_text("no picture")
    report = prepare(tar_of(source, tmp_path / "in.tar") if packed else source, tmp_path / "out.tar", **QUICK)
    assert FaceSet.read(tmp_path / "out.tar").sources.tolist() == [
        "a.heic",
        "b.avif",
        "c.jfif",
        "d.txt",
        "e",
        "f.gif",
        "torn.jpg",
    ]
    assert [name for name, _ in report.skipped] == ["photo.jpg"]
    assert [name for name, _ in report.notes] == ["torn.jpg"]
    with open(tmp_path / "out.notes.csv", newline="", encoding="utf-8") as stream:
        assert [row[0] for row in csv.reader(stream)] == ["photo", "torn.jpg"]


def test_a_tar_is_only_read_never_unpacked(people, tmp_path):
    content = people[0].read_bytes()
    (tmp_path / "in").mkdir()
    with tarfile.open(tmp_path / "in" / "evil.tar", "w") as tar:
        for name in ("../../escaped.jpg", "/absolute.jpg", "twice.jpg", "twice.jpg"):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        link = tarfile.TarInfo("link.jpg")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    report = prepare(tmp_path / "in" / "evil.tar", tmp_path / "out.tar", **QUICK)
    assert FaceSet.read(tmp_path / "out.tar").sources.tolist() == ["../../escaped.jpg", "/absolute.jpg", "twice.jpg"]
    assert report.skipped == [("link.jpg", "not a file")]
    assert [entry.name for entry in tmp_path.rglob("*.jpg")] == []
    assert not Path("/absolute.jpg").exists()


def test_compressed_tars_and_other_files_are_refused(folder, tmp_path):
    with tarfile.open(tmp_path / "photos.tar.gz", "w:gz") as tar:
        tar.add(folder, ".")
    (tmp_path / "notes.tar").write_text("hello" * 400)
    whole = tar_of(folder, tmp_path / "photos.tar").read_bytes()
    (tmp_path / "cut.tar").write_bytes(whole[: len(whole) // 2])
    for name in ("photos.tar.gz", "notes.tar", "cut.tar"):
        with pytest.raises(
            FeatureblendError, match=rf"cannot read .*{name}: expected a folder or a tar without compression"
        ):
            prepare(tmp_path / name, tmp_path / "out.tar", **QUICK)
    with pytest.raises(FeatureblendError, match="no such folder, tar or list"):
        prepare(tmp_path / "none", tmp_path / "out.tar", **QUICK)
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "._a.jpg").touch()
    with pytest.raises(FeatureblendError, match="bare holds no photos"):
        prepare(tmp_path / "bare", tmp_path / "out.tar", **QUICK)
    assert leftovers(tmp_path) == []


def test_photos_without_any_face_leave_nothing_behind(tmp_path):
    (tmp_path / "sky").mkdir()
    for number in range(3):
        Image.new("RGB", (100, 100), (9, 9, 99 + number)).save(tmp_path / "sky" / f"{number}.png")
    with pytest.raises(FeatureblendError, match="no face in any of the 3 photos; most often: no face found"):
        prepare(tmp_path / "sky", tmp_path / "out.tar", **QUICK)
    assert leftovers(tmp_path) == []


class Counting:
    """A detector that counts, and can be made to stop as Ctrl-C does."""

    def __init__(self, detector, stop_after=None):
        self.detector, self.count, self.stop_after = detector, 0, stop_after

    def search(self, image):
        if self.count == self.stop_after:
            raise KeyboardInterrupt
        self.count += 1
        return self.detector.search(image)


def test_a_stopped_run_goes_on_and_gives_the_same(folder, tmp_path, detector, monkeypatch):
    monkeypatch.setattr(module, "CHUNK", 4)
    prepare(folder, tmp_path / "whole.tar", **QUICK)
    counting = Counting(detector, stop_after=9)
    monkeypatch.setattr(module, "_detector", lambda: counting)
    with pytest.raises(KeyboardInterrupt, match=r"stopped: 8 of 15 photos are done and wait in .*out\.tar\.part"):
        prepare(folder, tmp_path / "out.tar", **QUICK)
    assert leftovers(tmp_path) == ["out.tar.part"]
    # What a kill in the middle of writing leaves, too.
    (tmp_path / "out.tar.part" / "00003.tar").write_bytes(b"half")
    counting.count, counting.stop_after = 0, None
    prepare(folder, tmp_path / "out.tar", **QUICK)
    assert 14 - 9 <= counting.count < 14 - 9 + 4  # of 14 readable photos 9 were done, and at most a chunk was lost
    assert leftovers(tmp_path) == ["out.skipped.csv", "out.tar"]
    assert (tmp_path / "out.tar").read_bytes() == (tmp_path / "whole.tar").read_bytes()


def test_a_stop_before_anything_is_done_leaves_nothing(folder, tmp_path, detector, monkeypatch):
    counting = Counting(detector, stop_after=2)
    monkeypatch.setattr(module, "_detector", lambda: counting)
    with pytest.raises(KeyboardInterrupt, match="nothing is left behind"):
        prepare(folder, tmp_path / "out.tar", **QUICK)
    assert leftovers(tmp_path) == []


def test_unfinished_work_of_another_kind_is_refused(folder, tmp_path, detector, monkeypatch):
    monkeypatch.setattr(module, "CHUNK", 4)
    counting = Counting(detector, stop_after=9)
    monkeypatch.setattr(module, "_detector", lambda: counting)
    with pytest.raises(KeyboardInterrupt):
        prepare(folder, tmp_path / "out.tar", **QUICK)
    with pytest.raises(FeatureblendError, match=r"out\.tar\.part is unfinished work on other photos or settings"):
        prepare(folder, tmp_path / "out.tar", PrepareSettings(size=128), **QUICK)
    photo = folder / "Bad" / "4 sky.png"
    Image.new("RGB", (300, 300)).save(photo)
    with pytest.raises(FeatureblendError, match="unfinished work on other photos"):
        prepare(folder, tmp_path / "out.tar", **QUICK)


def test_small_shards_are_numbered_and_old_ones_replaced(folder, tmp_path):
    for name in ("out.tar", "out-00001.tar", "out-00077.tar"):
        (tmp_path / name).write_bytes(b"an earlier run's")
    (tmp_path / "out-other.tar").write_bytes(b"not ours")
    report = prepare(folder, tmp_path / "out.tar", PrepareSettings(size=128, margin=1.0), shard_mb=0.04, **QUICK)
    count = len(report.shards)
    assert count >= 3
    assert [path.name for path in report.shards] == [f"out-{number:05d}.tar" for number in range(count)]
    assert leftovers(tmp_path) == [*(path.name for path in report.shards), "out-other.tar", "out.skipped.csv"]
    assert max(path.stat().st_size for path in report.shards) <= 40_000 + tarfile.RECORDSIZE
    faces = FaceSet.read(tmp_path / "out.tar")
    assert faces.images.shape == (13, 128, 128, 3)
    assert len(set(faces.sources)) == 13
    stems = []
    for path in report.shards:
        with tarfile.open(path) as tar:
            stems += [Path(name).stem for name in tar.getnames()]
    assert stems == [f"{number:06d}" for number in range(13) for _ in "ab"]


def test_the_face_in_the_middle_or_the_largest(people, tmp_path, detector):
    people = [path for path in people if len(detector.detect(load_image(path))) == 1]
    scene = np.full((500, 900, 3), 100, np.uint8)
    scene[50:450, 10:410] = np.asarray(Image.open(people[1]).resize((400, 400)))
    scene[125:375, 450:700] = load_image(people[2])
    (tmp_path / "in").mkdir()
    Image.fromarray(scene).save(tmp_path / "in" / "two.png")
    assert len(detector.detect(scene)) == 2
    crops = []
    for which in ("largest", "central"):
        prepare(tmp_path / "in", tmp_path / "out.tar", PrepareSettings(which=which), **QUICK)
        crops.append(FaceSet.read(tmp_path / "out.tar"))
    crops = [faces.images[0].astype(float) for faces in crops]
    for crop, path in zip(crops, (people[1], people[2]), strict=True):
        image, face = detector.find(path, "central")
        own = align_face(image, face.landmarks, 160, margin=1.25).image
        distances = [np.abs(crop - other).mean() for other in (own, *crops) if other is not crop]
        assert distances[0] < distances[1] / 2


def test_faces_that_are_too_small_are_skipped(people, tmp_path):
    (tmp_path / "in").mkdir()
    Image.open(people[0]).resize((80, 80)).save(tmp_path / "in" / "a.png")
    with pytest.raises(FeatureblendError, match="most often: face narrower than 60 px"):
        prepare(tmp_path / "in", tmp_path / "out.tar", PrepareSettings(smallest=60), **QUICK)
    prepare(tmp_path / "in", tmp_path / "out.tar", PrepareSettings(smallest=10), **QUICK)


def test_settings_out_of_range_are_refused_before_any_work():
    for changes in [{"size": 0}, {"margin": 0.5}, {"quality": 101}, {"which": "smallest"}, {"size": 99_999}]:
        with pytest.raises(FeatureblendError, match=str(next(iter(changes.values())))):
            PrepareSettings(**changes)


def test_bad_arguments(folder, tmp_path):
    for options in ({"jobs": 0}, {"jobs": -1}, {"shard_mb": 0}):
        with pytest.raises(FeatureblendError, match="expected"):
            prepare(folder, tmp_path / "out.tar", **options)
    with pytest.raises(FeatureblendError, match=r"shards are tars; name it such as .*out\.tar"):
        prepare(folder, tmp_path / "out.zip", **QUICK)
    with pytest.raises(FeatureblendError, match="does not exist"):
        prepare(folder, tmp_path / "none" / "out.tar", **QUICK)
    source = tar_of(folder, tmp_path / "photos-00000.tar")
    before = source.read_bytes()
    for out in ("photos-00000.tar", "photos.tar"):
        with pytest.raises(FeatureblendError, match="it would replace the photos"):
            prepare(source, tmp_path / out, **QUICK)
    assert source.read_bytes() == before
    assert leftovers(tmp_path) == []


def test_one_photo_that_breaks_the_detector_is_skipped(folder, tmp_path, detector, monkeypatch):
    class Breaking(Counting):
        def search(self, image):
            self.count += 1
            if self.count == 3:
                raise RuntimeError("the network said no")
            return self.detector.search(image)

    monkeypatch.setattr(module, "_detector", lambda: breaking)
    breaking = Breaking(detector)
    report = prepare(folder, tmp_path / "out.tar", **QUICK)
    assert "unexpected error: RuntimeError the network said no" in dict(report.skipped).values()
    assert sum(report.splits.values()) == 12


def test_a_photo_that_vanishes_is_skipped(folder, tmp_path, detector, people, monkeypatch):
    gone = folder / people[5].parent.name / people[5].name

    class Deleting(Counting):
        def search(self, image):
            gone.unlink(missing_ok=True)
            return self.detector.search(image)

    monkeypatch.setattr(module, "_detector", lambda: Deleting(detector))
    report = prepare(folder, tmp_path / "out.tar", **QUICK)
    name = f"{people[5].parent.name}/{people[5].name}"
    assert dict(report.skipped)[name] == "cannot read the file: No such file or directory"


def test_a_full_disk_is_one_line_and_the_work_is_kept(folder, tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "_collect", full)
    with pytest.raises(
        FeatureblendError, match=r"cannot write .*out\.tar: No space left on device; run the same again"
    ):
        prepare(folder, tmp_path / "out.tar", **QUICK)
    assert (tmp_path / "out.tar.part" / "00000.csv").exists()


def test_the_bar_counts_photos_from_where_it_resumes(folder, tmp_path, detector, monkeypatch, capsys):
    monkeypatch.setattr(module, "CHUNK", 4)
    counting = Counting(detector, stop_after=9)
    monkeypatch.setattr(module, "_detector", lambda: counting)
    with pytest.raises(KeyboardInterrupt):
        prepare(folder, tmp_path / "out.tar", jobs=1)
    capsys.readouterr()
    counting.stop_after = None
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    prepare(folder, tmp_path / "out.tar", jobs=1)
    shown = capsys.readouterr().err.replace("\r", "\n").splitlines()
    assert "8/15" in next(line for line in shown if line)
    assert "15/15" in shown[-1]


@pytest.mark.parametrize("where", ["several folders", "one folder"])
def test_people_too_few_for_a_split_are_told(people, tmp_path, capsys, where):
    """Photos that were sorted by anything but people, such as three categories."""
    kinds = [name for name in (f"kind {letter}" for letter in "abcdefgh") if person_split(name) == "train"][:3]
    source = tmp_path / "photos"
    for number, path in enumerate(people[:6]):
        kind = kinds[number % 3]
        target = source / (kind if where == "several folders" else "") / f"{kind} {number}.jpg"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    main(["prepare", str(source), "--out", str(tmp_path / "faces.tar"), "--jobs", "1", "--quiet"])
    shown = capsys.readouterr()
    assert "6 train, 0 validation, 0 test" in shown.out
    assert shown.err.startswith(
        "featureblend: warning: no faces for validation and test (6 train, 0 validation, 0 test)"
    )
    assert "3 people" in shown.err
    assert FaceSet.read(tmp_path / "faces.tar").split_warning in shown.err


def test_triplets_have_no_splits_that_could_be_empty(people, tmp_path, capsys):
    source = tmp_path / "generated"
    source.mkdir()
    for letter, path in zip("abm", people[:3], strict=True):
        shutil.copy(path, source / f"00000{letter}.jpg")
    main(["prepare", str(source), "--out", str(tmp_path / "triplets.tar"), "--jobs", "1", "--quiet"])
    shown = capsys.readouterr()
    assert "3 faces in 1 triplet" in shown.out
    assert shown.err == ""


def test_a_split_that_is_whole_is_no_news():
    assert PrepareReport(splits=Counter(train=8, validation=1, test=1), people=10).warnings == []


def test_the_report_groups_reasons():
    report = PrepareReport(
        skipped=[("a", "cannot read the file: x"), ("b", "cannot read the file: y"), ("c", "no face found")]
    )
    report.splits["train"] = 2
    assert str(report).splitlines()[1:] == ["2 skipped: cannot read the file", "1 skipped: no face found"]


def die(*arguments):
    """Stand for a chunk of work whose process the system kills for want of memory."""
    os._exit(137)


def test_a_worker_that_is_killed_is_one_clear_line(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "CHUNK", 9)
    monkeypatch.setattr(module, "_prepare_chunk", die)
    with pytest.raises(
        FeatureblendError, match="a worker process died, perhaps for want of memory: run the same again"
    ):
        prepare(folder, tmp_path / "out.tar", jobs=2, quiet=True)
    assert leftovers(tmp_path) == ["out.tar.part"]


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_ctrl_c_while_a_worker_imports_prints_one_traceback(folder, tmp_path):
    (tmp_path / "script.py").write_text(
        "import pathlib, sys, time; from featureblend.training import prepare\n"
        "if __name__ == '__main__':\n"
        "    prepare.CHUNK = 2\n"
        "    prepare.prepare(sys.argv[1], sys.argv[2], jobs=2, quiet=True)\n"
        "else:\n"  # a worker, before it is told what to do
        "    pathlib.Path(sys.argv[2] + '.worker').touch()\n"
        "    time.sleep(1)\n"
    )
    command = [sys.executable, str(tmp_path / "script.py"), str(folder), str(tmp_path / "out.tar")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    start = time.monotonic()
    while not (tmp_path / "out.tar.worker").exists() and process.poll() is None and time.monotonic() - start < 120:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    error = process.communicate(timeout=60)[1]
    # The script's own; `main` of the command line turns it into a line.
    assert error.count("Traceback") == 1, error
    assert not (tmp_path / "out.tar.part").exists()


def test_ctrl_c_stops_all_workers_and_the_run_goes_on(folder, tmp_path, monkeypatch):
    """On two real worker processes, stopped from outside as a terminal does it, then finished here."""
    monkeypatch.setattr(module, "CHUNK", 2)
    script = (
        "import sys; from featureblend.training import prepare\n"
        "if __name__ == '__main__':\n"
        "    prepare.CHUNK = 2\n"
        "    prepare.prepare(sys.argv[1], sys.argv[2], jobs=2, quiet=True)\n"
    )
    (tmp_path / "script.py").write_text(script)
    command = [sys.executable, str(tmp_path / "script.py"), str(folder), str(tmp_path / "out.tar")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    parts, start = tmp_path / "out.tar.part", time.monotonic()
    while not list(parts.glob("[0-9]*.csv")) and process.poll() is None and time.monotonic() - start < 120:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    error = process.communicate(timeout=60)[1]
    assert process.returncode != 0
    assert error.count("Traceback") <= 1, error
    assert error.rstrip().splitlines()[-1].startswith("KeyboardInterrupt: stopped: ")
    assert {path.suffix for path in parts.iterdir()} == {"", ".csv", ".tar"}
    assert len(list(parts.iterdir())) == 1 + 2 * len(list(parts.glob("*.csv")))
    assert list(parts.glob("*.csv"))
    assert not (tmp_path / "out.tar").exists()
    prepare(folder, tmp_path / "out.tar", **QUICK)
    prepare(folder, tmp_path / "whole.tar", **QUICK)
    assert (tmp_path / "out.tar").read_bytes() == (tmp_path / "whole.tar").read_bytes()
