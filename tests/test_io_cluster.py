"""Work on a real Ray cluster of two workers, some of which die: the same bytes as without one."""

import csv
import functools
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from itertools import combinations
from pathlib import Path

import pytest
import ray
from cluster_work import fragile, interrupting
from evaluation_faces import FEW, make_faces
from evaluation_faces import run as evaluated

from featureblend.cli import main
from featureblend.edit import batch
from featureblend.errors import FeatureblendError
from featureblend.evaluation import run as evaluating
from featureblend.faces import EXAMPLES
from featureblend.io import cluster
from featureblend.io.cluster import ray_workers
from featureblend.training import prepare as preparing

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="processes are told apart by /proc")


@pytest.fixture(scope="module")
def two_workers():
    """A cluster with room for two, and its address: beginning one takes seconds."""
    with cluster._connected(2, None):
        yield ray.get_runtime_context().gcs_address
    assert not ray.is_initialized()


def test_work_is_done_whoever_dies_or_hangs(tmp_path, two_workers, monkeypatch):
    monkeypatch.setattr(cluster, "SLOW", 2.0)
    monkeypatch.setattr(cluster, "TIMES", 2)
    monkeypatch.chdir(tmp_path)
    work = functools.partial(fragile, tmp_path)
    taken = []
    with ray_workers(2, None, given_up=lambda number, reason: (number, 0, reason)) as run:
        results = list(run(work, (taken.append(number) or number for number in range(9))))
        assert [number for number, *_ in results] == list(range(9))
        assert len({pid for _, pid, _ in results if pid}) >= 3
        assert results[7][2].startswith("given up after 3 attempts")
        assert {where for *_, where in results[:7]} == {str(tmp_path)}
        # What waits for an earlier result is bounded, and so is what is read.
        monkeypatch.setattr(cluster, "AHEAD", 1)
        taken.clear()
        some = run(work, (taken.append(number) or number for number in range(20, 40)))
        next(some)
        assert len(taken) <= 7
        some.close()
        with pytest.raises(FeatureblendError, match=r"^eleven$"):
            list(run(work, [10, 11, 12]))
        assert [number for number, *_ in run(work, [1, 2])] == [1, 2]  # they go on
        found = []
        with pytest.raises(KeyboardInterrupt):
            found.extend(run(functools.partial(interrupting, os.getpid()), range(50)))
        assert found == list(range(len(found)))  # what was at work is finished
        assert 4 <= len(found) <= 8


def children(pid, name):
    """Processes below one, by the start of their names."""
    found, below = [], {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            head, _, rest = stat.read_text().rpartition(")")
            below.setdefault(int(rest.split()[1]), []).append((int(head.split()[0]), stat.with_name("cmdline")))
        except (OSError, ValueError):
            continue
    due = [pid]
    while due:
        for one, command in below.get(due.pop(), ()):
            due.append(one)
            try:
                if command.read_bytes().startswith(name):
                    found.append(one)
            except OSError:
                continue
    return found


def lines(table):
    if not table.exists():
        return []
    with open(table, newline="") as stream:
        return list(csv.DictReader(stream))


def awaited(what, seconds=280):
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return found


def test_a_batch_survives_its_driver_and_a_worker(tmp_path, two_workers, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    photos = [shutil.copy(path, tmp_path) for path in sorted(EXAMPLES.glob("*.jpg"))[:5]]
    pairs = enumerate(combinations(photos, 2))
    rows = [f"{Path(a).name},{Path(b).name},{'pixel' if place % 3 else 'latent'}\n" for place, (a, b) in pairs]
    Path("list.csv").write_text("photo1,photo2,method\n" + "".join(rows) + "nowhere.jpg,first.jpg,pixel\n")
    words = ["batch", "list.csv", "--size", "model", "--quiet"]
    ray_words = [*words, "--out", "ray", "--engine", "ray"]
    driver = subprocess.Popen([sys.executable, "-m", "featureblend", *ray_words, "--address", two_workers])
    table = tmp_path / "ray" / "results.csv"
    try:
        awaited(lambda: len(lines(table)) >= 2 or driver.poll() is not None)
        workers = children(os.getpid(), b"ray::_Worker")
        assert len(workers) == 2
    finally:
        driver.kill()
        driver.wait()
    awaited(lambda: not any(Path(f"/proc/{pid}/cmdline").exists() for pid in workers))
    done = len(lines(table))
    assert done < len(rows) - 3

    added, killed = [], []
    add = batch._Table.add

    def kill_one(self, made):
        add(self, made)
        added.append(made)
        if len(added) == done + 2:
            killed.append(children(os.getpid(), b"ray::_Worker")[0])
            os.kill(killed[0], signal.SIGKILL)

    monkeypatch.setattr(batch._Table, "add", kill_one)
    with pytest.raises(SystemExit):  # a row fails
        main([*ray_words, "--jobs", "2"])
    assert killed
    made, kept = map(int, re.findall(r"(\d+) (?:made|kept)", capsys.readouterr().out))
    assert (made + kept, kept) == (len(rows), done)
    with pytest.raises(SystemExit):
        main([*words, "--out", "local", "--jobs", "2"])
    made = {path.name: path.read_bytes() for path in Path("ray").iterdir() if not path.name.startswith(".")}
    assert made == {path.name: path.read_bytes() for path in Path("local").iterdir()}


def test_shards_and_metrics_are_the_same_bytes(tmp_path, two_workers, monkeypatch):
    monkeypatch.setattr(preparing, "CHUNK", 2)
    monkeypatch.setattr(evaluating, "CHUNK", 2)
    faces = make_faces(12)
    for engine, jobs in (("local", 1), ("ray", 2)):
        (tmp_path / engine).mkdir()
        preparing.prepare(EXAMPLES, tmp_path / engine / "out.tar", jobs=jobs, quiet=True, engine=engine)
        evaluated(faces, tmp_path / engine / "scores", ["pixel"], FEW, jobs=jobs, engine=engine)
    for name in ("out.tar", "scores/metrics.jsonl", "scores/report.html"):
        assert (tmp_path / "ray" / name).read_bytes() == (tmp_path / "local" / name).read_bytes(), name


def test_what_can_not_be_is_refused(tmp_path, monkeypatch):
    with pytest.raises(FeatureblendError, match="unknown engine 'spark'"):
        preparing.prepare(tmp_path, tmp_path / "out.tar", engine="spark")
    with pytest.raises(FeatureblendError, match="--address auto"):
        batch.run_batch([], tmp_path / "out", address="auto")
    assert not list(tmp_path.iterdir())
