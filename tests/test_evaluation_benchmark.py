"""The benchmark: ratios are those of known times, what fails is named and the rest goes on, and the command reports."""

# ruff: noqa: F811 (fixtures that are imported)

import json
import os
import subprocess
import sys
import textwrap
import time
from types import SimpleNamespace

import numpy as np
import pytest
from command_line import FIRST, SECOND, fails, place, shared_detector  # noqa: F401
from PIL import Image

from featureblend.blend.blender import Blender
from featureblend.cli import main
from featureblend.evaluation.benchmark import run, tasks, worker
from featureblend.evaluation.benchmark.processes import Broken, Worker
from featureblend.evaluation.benchmark.run import benchmark, method_rows, most, stage_rows, use_rows
from featureblend.evaluation.benchmark.settings import BenchmarkSettings
from featureblend.evaluation.benchmark.table import as_text
from featureblend.evaluation.benchmark.turns import Entry, Turns
from featureblend.evaluation.benchmark.worker import timed

PHOTOS = (FIRST, SECOND)


def quick(*methods, **settings):
    return benchmark(PHOTOS, settings=BenchmarkSettings(methods, seconds=0.01, **settings))


def names(rows):
    return [row["name"] for row in rows]


# --- figures from known times


def entry(name, seconds, starts=((0.5, 1.0),), peak=90_000_000, part="blend"):
    begun = [{"imported": a, "first": b, "before": 40_000_000, "peak": 80_000_000, "laps": None} for a, b in starts]
    return Entry(part, name, {}, starts=begun, samples=[{"seconds": s, "peak": peak, "laps": None} for s in seconds])


def test_ratios_are_taken_round_by_round():
    """In round 2 the machine was ten times slower: times spread, ratios do not."""
    slow, reference = method_rows([entry("slow", [0.2, 2.0, 0.2]), entry("ref", [0.1, 1.0, 0.1])], "ref")
    assert slow["ratio"] == {"median": 2.0, "low": 2.0, "high": 2.0}
    assert slow["ms"] == {"median": 200.0, "low": 200.0, "high": 1100.0}
    assert slow["samples_ms"] == [200.0, 2000.0, 200.0]
    assert reference["ratio"] == {"median": 1.0, "low": 1.0, "high": 1.0}


def test_what_people_wait_for_is_compared_with_its_like():
    """Commands with facemorpher's command, calls with its call, and a page with nothing; how many times as fast."""
    times = {
        "command": [1.0, 2.0],
        "call, 512 px": [0.2, 0.4],
        "page": [3.0, 3.0],
        "facemorpher, command": [4.0, 8.0],
        "facemorpher, call": [1.0, 2.0],
    }
    rows = use_rows([entry(name, seconds, part="use") for name, seconds in times.items()])
    found = {row["name"]: row["ratio"] and row["ratio"]["median"] for row in rows}
    assert found == {
        "command": 4, "call, 512 px": 5, "page": None, "facemorpher, command": None, "facemorpher, call": None
    }  # fmt: skip
    assert [row["ratio"] for row in use_rows([entry("command", [1.0], part="use")])] == [None]


@pytest.mark.parametrize("name", ["command", "call, 512 px", "slider"])
def test_each_use_does_its_work(name, inputs, tmp_path):
    spec = run._use(name, {**inputs, "folder": str(tmp_path)}).spec
    tasks.task(spec)()
    if name == "command":
        assert Image.open(spec["out"]).size == (512, 512)


def test_starts_and_memory():
    (row,) = method_rows([entry("a", [1.0], starts=[(0.2, 1.0), (0.4, 3.0), (0.3, 2.0)])], "a")
    assert row["first_ms"]["median"] == 2000
    assert row["import_ms"]["median"] == 300
    assert row["starts"] == 3
    assert row["peak_mb"] == 90.0  # of all processes, first call and rounds
    assert row["added_mb"] == 50.0
    (row,) = method_rows([entry("a", [1.0], peak=None)], "latent")
    assert row["ratio"] is row["peak_mb"] is row["added_mb"] is None  # no reference, and a system that does not tell
    assert most([1_000_000, None]) is None


def test_shares_of_stages_sum_to_one_without_what_is_done_on_demand():
    laps = dict.fromkeys(tasks.STAGES, 1.0) | {"paste": 5.5}
    stages = Entry("stages", "latent", {}, starts=[{"laps": laps}], samples=[{"laps": laps}] * 3)
    rows = stage_rows(stages)
    assert sum(row["share"]["median"] for row in rows if not row["on_demand"]) == pytest.approx(1, abs=1e-3)
    assert {row["name"]: row["share"]["median"] for row in rows}["paste"] == pytest.approx(
        5.5 / len(tasks.STAGES), 1e-3
    )


def test_a_quick_call_is_timed_as_a_mean_and_a_long_one_once(monkeypatch):
    """On a clock of the test's own: the first call, which warms the caches, takes longer and does not count."""
    now, calls = [0.0], []
    monkeypatch.setattr(worker, "time", SimpleNamespace(perf_counter=lambda: now[0]))

    def work(first, later):
        now[0] += later if calls else first
        calls.append(now[0])

    seconds, laps = timed(lambda: work(0.015, 0.001))
    assert seconds == pytest.approx(0.001)
    assert laps is None
    assert 20 <= len(calls) - 1 <= 21  # 0.02 s are full
    calls.clear()
    assert timed(lambda: work(0.03, 0.001))[0] == pytest.approx(0.03)
    assert len(calls) == 1


# --- processes


def test_memory_is_what_a_process_holds_and_its_peak_what_it_held():
    # In a process of its own: this one may hold freed memory back, which an array then takes without growing it.
    program = """
import numpy as np
from featureblend.evaluation.benchmark.worker import memory

before, grown = memory(), []
for _ in range(3):  # a machine short of memory may take pages back in between
    held = None
    now = memory()["now"]
    held = np.ones(8_000_000)
    grown.append((memory()["now"] - now) / held.nbytes)
with_it = memory()["peak"]
del held
print(max(grown), memory()["peak"] / with_it)
"""
    grown, kept = map(float, subprocess.check_output([sys.executable, "-c", program], text=True).split())
    assert grown > 0.9
    assert kept >= 0.99


@pytest.fixture(scope="module")
def inputs(tmp_path_factory, detector):
    """What tasks work on: the example faces, found and aligned."""
    folder = tmp_path_factory.mktemp("inputs")
    blender = Blender.from_pretrained()
    blender.detector = detector
    faces = [blender.find(photo) for photo in PHOTOS]
    np.savez(
        folder / "faces.npz",
        images=np.stack([face.image for face in faces]),
        landmarks=np.stack([face.landmarks for face in faces]),
    )
    return {
        "faces": str(folder / "faces.npz"),
        "photos": [str(photo) for photo in PHOTOS],
        "which": ["largest", "largest"],
        "size": 128,
        "model": str(blender.folder),
        "out": str(folder / "out.png"),
    }


@pytest.fixture
def peer(tmp_path, monkeypatch):
    """Install a facemorpher of the test's own: its functions, with a body for `weighted_average` and `averager`."""

    def install(blending="return a", averaging="pass", head=""):
        package = tmp_path / "facemorpher"
        package.mkdir()
        modules = {
            "__init__": "from .averager import averager\n" + head,
            "locator": """
                import numpy as np
                def boundary_points(points):
                    return [[points[:, 0].min(), points[:, 1].min()], [points[:, 0].max(), points[:, 1].min()]]
                def weighted_average_points(a, b, percent=0.5):
                    return np.asarray(a * percent + b * (1 - percent), np.int32)
                """,
            "warper": """
                def warp_image(image, points, wanted, shape):
                    assert image.shape[:2] == shape and points.shape == wanted.shape == (70, 2)
                    return image
                """,
            "blender": f"def weighted_average(a, b, percent=0.5):\n    {blending}\n",
            "averager": f"def averager(paths, width=500, height=600, out_filename='result.png'):\n    {averaging}\n",
        }
        for name, text in modules.items():
            (package / f"{name}.py").write_text(textwrap.dedent(text))
        monkeypatch.syspath_prepend(str(tmp_path))

    return install


WRITES = "import shutil; assert width == height == 128; print('saved'); shutil.copy(paths[1], out_filename)"


def test_a_peer_is_timed_in_both_parts(peer):
    peer(averaging=WRITES)
    report = quick("pixel", "facemorpher", parts=("blend", "whole"), fresh=1)
    assert names(report["blend"]) == ["pixel", "facemorpher"]
    assert names(report["whole"]) == ["pixel", "facemorpher"]  # with the reference beside the peer
    assert report["left_out"] == []
    assert all(row["ratio"]["median"] > 0 for row in report["whole"])


def left_out(report):
    return {(one["part"], one["name"]): one["reason"] for one in report["left_out"]}


def test_a_peer_that_is_missing_is_named():
    report = quick("pixel", "facemorpher", parts=("blend",), fresh=1)
    assert names(report["blend"]) == ["pixel"]
    assert left_out(report) == {("blend", "facemorpher"): "not installed: pip install facemorpher"}
    assert "- blend, facemorpher: not installed: pip install facemorpher" in as_text(report)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"blending": "raise ValueError('no\\n luck')", "averaging": "pass"}, "ValueError: no luck"),
        (
            {"blending": "import os; os.write(2, b'last words'); os._exit(7)"},
            "its process ended with exit code 7: last words",
        ),
        ({"blending": "import time; time.sleep(60)"}, "no answer in 5 s"),
    ],
)
def test_a_peer_that_fails_is_named_and_the_rest_goes_on(peer, body, reason):
    peer(**body)
    parts = ("blend", "whole") if "averaging" in body else ("blend",)
    report = quick("pixel", "facemorpher", parts=parts, fresh=1, patience=5.0 if "sleep" in str(body) else 60.0)
    assert names(report["blend"]) == ["pixel"]
    assert reason in left_out(report)[("blend", "facemorpher")]
    if "averaging" in body:  # a peer that writes nothing is not called quick
        assert left_out(report)["whole", "facemorpher"] == "RuntimeError: it wrote no picture"


def test_what_fails_later_is_left_out_too(inputs, peer, tmp_path):
    """The third call fails: the first is the start, the second and third are rounds."""
    count = tmp_path / "calls"
    peer(
        blending=f"open({str(count)!r}, 'a').write('x'); import time; time.sleep(0.03)\n"
        f"    assert len(open({str(count)!r}).read()) < 3, 'tired'"
    )
    entries = [
        Entry("blend", "facemorpher", {**inputs, "task": "facemorpher", "name": "facemorpher"}),
        Entry("blend", "pixel", {**inputs, "task": "baseline", "name": "pixel"}),
    ]
    with Turns(20, 10, quiet=True) as turns:
        turns.start(entries)
        turns.take(3, time.perf_counter() + 60)
        assert names([vars(one) for one in turns.entries]) == ["pixel"]
    assert turns.left_out == [{"part": "blend", "name": "facemorpher", "reason": "in round 2: AssertionError: tired"}]
    assert len(entries[1].samples) == turns.rounds == 3


def test_no_process_is_left(inputs):
    with Worker({**inputs, "task": "baseline", "name": "pixel"}) as worker:
        process = worker._process
        assert worker.measure()["seconds"] > 0
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)
    with pytest.raises(Broken, match="KeyError"):
        Worker({**inputs, "task": "no such task", "name": "pixel"})


# --- the work that is timed is the work that is done


def test_the_stages_make_the_same_picture(inputs, detector, tmp_path):
    laps = tasks.stages({**inputs, "out": str(tmp_path / "staged.png")})()
    assert set(laps) == {*tasks.STAGES, *tasks.EXTRA_STAGES}
    assert all(seconds > 0 for seconds in laps.values())
    blender = Blender.from_pretrained()
    blender.detector = detector
    with Image.open(tmp_path / "staged.png") as staged:
        assert (np.asarray(staged) == np.asarray(blender.blend(PHOTOS, size="model").image)).all()


def test_tasks_can_be_repeated(inputs, tmp_path):
    for task, name in (("latent", "latent"), ("baseline", "morph"), ("opencv", "opencv-seamless-clone")):
        call = tasks.task({**inputs, "task": task, "name": name})
        call()
        call()
    out = tmp_path / "whole.png"
    tasks.whole_blend({**inputs, "name": "morph", "out": str(out)})()
    with Image.open(out) as written:
        assert written.size == (128, 128)


# --- training


@pytest.mark.extras
def test_training_is_timed():
    report = quick("pixel", parts=(), fresh=1, train="toy", repeat=1)
    assert report["training"]["preset"] == "toy"
    assert report["training"]["rounds"] >= 1
    assert report["training"]["times_plain"]["median"] > 0
    assert report["training"]["images_per_second"] > 0
    assert report["training"]["peak_mb"] > 50
    assert "| toy " in as_text(report)


@pytest.mark.extras
@pytest.mark.parametrize("name", ["toy", "taught"])
def test_the_plain_loop_trains_what_the_trainer_does(inputs, name, monkeypatch):
    """Two of its steps move the weights as far as two of the trainer's."""
    from featureblend.training import presets, trainer

    small = {"taught": ["batch_size=6", "model_options.image_size=32", "precision=fp32"], "toy": ["images=1000"]}
    changed = presets.overridden(presets.preset(name), [*small[name], "warmup=0"])
    monkeypatch.setattr(presets, "preset", lambda name: changed)
    made, moved = [], []

    class Kept(trainer.Trainer):
        def __init__(self, *given, **named):
            super().__init__(*given, **named)
            made.append(([one.detach().clone() for one in self.networks.autoencoder.parameters()], self))

    monkeypatch.setattr(trainer, "Trainer", Kept)
    for task in ("training-steps", "plain-training-steps"):
        tasks.task({**inputs, "task": task, "name": name, "steps": 2})()
        before, one = made[-1]
        after = one.networks.autoencoder.parameters()
        moved.append(sum(float((a - b).detach().square().sum()) for a, b in zip(after, before, strict=True)) ** 0.5)
    assert moved[1] == pytest.approx(moved[0], rel=0.2)


# --- the command


def test_the_command_reports(place, capsys):
    words = "benchmark --methods pixel latent --seconds 0.1 --repeat 2 --fresh 1 --quiet --json speed.json -o speed.md"
    words += " --parts blend whole stages"
    main([*words.split(), "--photos", "ana.png", "ben.jpg", "--size", "64", "--photo-size", "300"])
    printed = capsys.readouterr().out
    assert printed == (place / "speed.md").read_text()
    report = json.loads((place / "speed.json").read_text())
    assert set(report) == {
        *("reference", "rounds", "machine", "settings", "use", "blend", "whole", "stages", "training", "left_out")
    }
    assert report["reference"] == "latent"
    assert report["settings"]["photos"] == [
        {"name": "ana.png", "width": 300, "height": 300},
        {"name": "ben.jpg", "width": 300, "height": 300},
    ]
    assert report["settings"]["size"] == 64
    assert names(report["blend"]) == ["latent", "pixel"]
    assert names(report["whole"]) == ["latent"]
    assert names(report["stages"]) == [*tasks.STAGES, *tasks.EXTRA_STAGES]
    for row in (*report["blend"], *report["whole"]):
        assert set(row) == {
            *("name", "ms", "ratio", "first_ms", "import_ms", "peak_mb", "added_mb", "starts", "samples_ms")
        }
        assert row["ms"]["low"] <= row["ms"]["median"] <= row["ms"]["high"]
        assert len(row["samples_ms"]) == report["rounds"]
        assert row["peak_mb"] > row["added_mb"] >= 0
    latent, pixel = report["blend"]
    assert pixel["ratio"]["median"] < 1 == latent["ratio"]["median"]
    assert pixel["peak_mb"] < latent["peak_mb"]
    for shown in ("(latent methods work at 128 and scale)", "ana.png (300 x 300)", "| pixel ", "| encode ", "| paste "):
        assert shown in printed
    assert str(place) not in json.dumps(report)


def test_mistakes_are_one_line(fails):
    for words in (
        ["--methods", "pixels"],
        ["--parts", "train"],
        ["--reference", "morph", "--methods", "pixel"],
        ["--repeat", "0"],
        ["--photo-size", "100000"],
        ["--seconds", "nan"],
        ["--train", "huge"],
        ["--photos", "ana.png"],
        ["--photos", "ana.png", "nowhere.png"],
        ["--photos", "ana.png", "ben.jpg", "--json", "ben.jpg"],
        ["--json", "a.json", "--out", "a.json"],
    ):
        fails("benchmark", "--quiet", *words)
    assert "facemorpher" in fails("benchmark", "--quiet", "--methods", "facemorpher", "--parts", "blend")
