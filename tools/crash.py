#!/usr/bin/env python3
"""Kill commands at random moments, fill their disk and take their photos away: is anything lost, or half written?

For each command an uninterrupted run says what is due. Then the command is killed with ``kill -9`` at a random moment,
started again, and killed again, until a start gets to its end. After every kill each file that has its final name must
be whole; in the end all must be what the uninterrupted run wrote, byte for byte, and no process may be left. The same
after a disk that was full at a random size of file, and in a folder that can't be written to.

A start is a fork of a process that has the libraries loaded: no moment is spent on Python's own beginning, in which
nothing can be lost. Nor is any on what takes long beside what it writes: `train` saves after every step and draws no
curves, and `export` finds its networks converted.

``python tools/crash.py --moments 50`` tries each command at so many moments; a line of JSON says what came out.
"""

from __future__ import annotations

import argparse
import csv
import json
import multiprocessing
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from featureblend.cli import main
from featureblend.faces import EXAMPLES
from featureblend.faces.drawn import draw_face

CLI = [sys.executable, "-m", "featureblend"]
LIBRARIES = ("cv2", "onnxruntime", "av", "featureblend.edit.batch", "featureblend.edit.continuum")
FOR_TRAINING = ("accelerate", "torch._dynamo", "onnx", "featureblend.training.export", "featureblend.training.loop")
"""What a start finds loaded."""
TOY = ["--preset", "toy", "--set", "batch_size=16"]
RUN_TIMES = ("seconds", "images_per_second")
"""What a run's log says that no other run can repeat."""


def readable(path: Path) -> object:
    """What is compared of a file: its bytes, but for what tells the time."""
    if path.name == "metrics.jsonl":
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        return [{name: value for name, value in line.items() if name not in RUN_TIMES} for line in lines]
    if path.suffix == ".pt":
        import torch

        return _flat(torch.load(path, weights_only=True))
    return path.read_bytes()


def _flat(value: object, where: str = "") -> list[tuple[str, object]]:
    """Every number of a checkpoint by its place, but for its clock."""
    import torch

    if where == "/clock":
        return []
    if isinstance(value, dict):
        return [part for name in value for part in _flat(value[name], f"{where}/{name}")]
    if isinstance(value, (list, tuple)):
        return [part for index, item in enumerate(value) for part in _flat(item, f"{where}/{index}")]
    return [(where, value.numpy().tobytes() if isinstance(value, torch.Tensor) else value)]


def content(folder: Path) -> dict[str, Path]:
    """Files under their final names, by their place; what begins with a dot is still being written."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_file() and not any(part.startswith(".") for part in name.parts):
            found[str(name)] = path
    return found


def server(small: bool) -> Any:
    """What starts processes: `multiprocessing`'s, with the libraries loaded once."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*LIBRARIES, *(() if small else FOR_TRAINING)])
    return context


def run_command(words: Sequence[str], errors: str, largest_file: int | None) -> None:
    """Be the command, in a session of its own."""
    os.setsid()
    for number, path in ((1, os.devnull), (2, errors)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    if largest_file is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
    hasten(words)
    main(words)


def hasten(words: Sequence[str]) -> None:
    """Leave out of a command what takes long and writes little."""
    if words[0] == "train":
        from featureblend.training import loop

        loop.TICK_SECONDS, loop.SAVE_SECONDS = 0, -1  # each step is logged and saved
        loop.draw_curves = lambda history, path: None
    elif words[0] == "export":
        import onnx

        from featureblend.training import export

        kept = Path(words[1]).with_name("exported")
        export._to_onnx = lambda network, example, names, path: onnx.save(onnx.load(kept / path.name), path)


@dataclass
class Ended:
    """How a start ended."""

    killed: bool
    returncode: int
    stderr: str
    pid: int


@dataclass
class Task:
    """A command to be killed."""

    name: str
    words: Callable[[Path], list[str]]
    """The command's words, by the folder it writes to."""
    growing: Sequence[str] = ()
    """Files that grow, or are replaced, while it works: they need be whole only in the end."""
    resumes: bool = True
    """Whether what was done is kept; else the next start does all of it anew."""
    before: Callable[[Path], object] | None = None
    """What lies in the folder before it starts."""


def tasks(place: Path, small: bool, only: Sequence[str] = ()) -> list[Task]:
    """The commands, or those of them that are named, on photos that are made in a folder."""
    photos = place / "photos"
    photos.mkdir()
    for seed in range(6 if small else 40):
        Image.fromarray(draw_face(seed, 200)[0]).save(photos / f"Drawn_Face_{seed}.jpg", quality=95)
    people = place / "people"
    people.mkdir()
    for name in ("first", "second", "third") if small else ("first", "second", "third", "fourth", "fifth"):
        shutil.copy(EXAMPLES / f"{name}.jpg", people)
    one, other = str(people / "first.jpg"), str(people / "second.jpg")
    way = ["--jobs", "1", "--quiet"] if small else ["--jobs", "2", "--quiet"]
    method = ["--method", "pixel"] if small else []
    found = [
        Task("prepare", lambda out: ["prepare", str(photos), "--out", str(out / "faces.tar"), *way],
             ("faces.tar.part/",)),
        Task("batch", lambda out: ["batch", "--all-pairs", str(people), "--out", str(out), "--size", "model", *method,
                                   *way], ("results.csv",)),
        Task("average", lambda out: ["average", str(people), "-o", str(out / "average.png"), "--quiet"], resumes=False),
        Task("continuum", lambda out: ["continuum", one, other, "-o", str(out / "frames"), "--steps", "6", "--size",
                                       "model", "--quiet"], resumes=False),
    ]  # fmt: skip
    if not small and (not only or {"train", "export"} & set(only)):
        faces, trained = place / "faces.tar", place / "trained"
        subprocess.run([*CLI, "prepare", str(photos), "--out", str(faces), "--quiet"], check=True, capture_output=True)
        train = [*TOY, "images=192", "--data", str(faces), "--quiet"]
        shortest = [*TOY, "images=16", "--data", str(faces), "--quiet"]
        subprocess.run([*CLI, "train", *shortest, "--run", str(trained)], check=True, capture_output=True)
        subprocess.run(
            [*CLI, "export", str(trained), "--out", str(place / "exported")], check=True, capture_output=True
        )
        growing = ("run/checkpoint.pt", "run/metrics.jsonl", "run/data.json", "run/last-good/")
        found += [
            Task("train", lambda out: ["train", *train, "--run", str(out / "run"), "--resume"], growing),
            Task("export", lambda out: ["export", str(trained), "--out", str(out / "model")], resumes=False),
            Task("export over a model", lambda out: ["export", str(trained), "--out", str(out / "model")],
                 resumes=False, before=lambda out: shutil.copytree(place / "due-export" / "model", out / "model")),
        ]  # fmt: skip
    return [task for task in found if not only or task.name.split()[0] in only]


class Campaign:
    """What is tried with a task, and what was found."""

    def __init__(self, task: Task, place: Path, seed: int, context: Any) -> None:
        self.task, self.place, self.context = task, place, context
        self.random = random.Random(f"{seed} {task.name}")
        self.due = place / f"due-{task.name}"
        self.due.mkdir()
        self.wrong: list[str] = []
        self.moments = self.ends = 0
        self.prepare(self.due)
        start = time.monotonic()
        done = self.started(self.due)
        assert done.returncode == 0, done.stderr
        self.seconds = time.monotonic() - start
        self.whole = {name: readable(path) for name, path in content(self.due).items()}
        assert self.whole

    def prepare(self, out: Path) -> None:
        """Lay out what is there before."""
        if self.task.before is not None:
            self.task.before(out)

    def started(self, out: Path, wait: float | None = None, largest_file: int | None = None) -> Ended:
        """Start the command, and kill it after a time."""
        errors = self.place / "errors"
        errors.write_text("")
        process = self.context.Process(target=run_command, args=(self.task.words(out), str(errors), largest_file))
        process.start()
        process.join(wait)
        killed = process.exitcode is None
        if killed:
            process.kill()
            process.join()
        return Ended(killed, process.exitcode, errors.read_text(), process.pid)

    def check(self, out: Path, when: str, complete: bool) -> None:
        """Note each file that is not what it should be."""
        found = content(out)
        for name, path in found.items():
            if not complete and name.startswith(tuple(self.task.growing)):
                continue
            if name not in self.whole:
                self.wrong.append(f"{when}: {name} should not be there")
                continue
            try:
                same = readable(path) == self.whole[name]
            except Exception as error:
                self.wrong.append(f"{when}: {name} cannot be read ({type(error).__name__})")
                continue
            if not same:
                self.wrong.append(f"{when}: {name} is another")
        if complete:
            self.wrong += [f"{when}: {name} is missing" for name in self.whole if name not in found]

    def kills(self, moments: int) -> None:
        """Kill at random moments, and go on each time, until that many were tried."""
        while self.moments < moments:
            with self.fresh() as out:
                before = self.moments
                while True:
                    wait = self.random.uniform(0, 1.05 * self.seconds) if self.moments < moments else None
                    began = time.monotonic()
                    done = self.started(out, wait)
                    if not done.killed:
                        break
                    self.moments += 1
                    when = f"killed at {wait:.2f} of {self.seconds:.2f} s"
                    if left := _left(done.pid):
                        self.wrong.append(f"{when}: processes {left} live on")
                    self.check(out, when, complete=False)
                if self.moments == before:  # the machine was busier before: moments after the end are none
                    self.seconds = min(self.seconds, time.monotonic() - began)
                self.ends += 1
                if done.returncode:
                    self.wrong.append(f"went on after kills: {done.stderr.strip()[-200:]}")
                self.check(out, "in the end", complete=True)

    def full_disk(self, times: int) -> None:
        """Let no file grow over a random size; then go on with a disk that has room."""
        largest = max(path.stat().st_size for path in content(self.due).values())
        for _ in range(times):
            limit = self.random.randrange(largest)
            with self.fresh() as out:
                done = self.started(out, largest_file=limit)
                when = f"no file over {limit} bytes"
                # A batch says in its table which pictures it could not write.
                self.refused(done, when, (1, 2))
                self.check(out, when, complete=False)
                done = self.started(out)
                if done.returncode:
                    self.wrong.append(f"{when}, then room: {done.stderr.strip()[-200:]}")
                self.check(out, f"{when}, then room", complete=True)

    def read_only(self) -> None:
        """Write to a folder that can't be written to (as root: a file system that is mounted so)."""
        with self.fresh() as out:
            if os.geteuid():
                out.chmod(0o555)
            elif subprocess.run(
                ["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(out)], capture_output=True
            ).returncode:
                return  # this machine lets nobody mount
            try:
                done = self.started(out)
            finally:
                if os.geteuid():
                    out.chmod(0o755)
                else:
                    subprocess.run(["umount", str(out)], check=True)
            self.refused(done, "read-only folder", (2,))

    def refused(self, done: Ended, when: str, codes: Sequence[int]) -> None:
        """Note where a failure was not told in lines that the program means to print."""
        lines = [line for line in done.stderr.splitlines() if not line.startswith("warning: ")]
        told = all(line.startswith("featureblend: ") for line in lines)
        if done.returncode not in codes or not lines or not told:
            self.wrong.append(f"{when}: exit {done.returncode}, {' | '.join(lines)[-300:]}")

    @contextmanager
    def fresh(self) -> Iterator[Path]:
        """A folder to write to, named so that messages and results are the same in each."""
        out = self.place / "out"
        out.mkdir()
        self.prepare(out)
        try:
            yield out
        finally:
            shutil.rmtree(out)


def _left(session: int) -> list[int]:
    """Processes of a session that are still there some seconds after their parent was killed."""
    for _ in range(50):
        found = []
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                state, _, _, own = path.read_text().rpartition(")")[2].split()[:4]
            except OSError:
                continue
            if int(own) == session and state != "Z":
                found.append(int(path.parent.name))
        if not found:
            return []
        time.sleep(0.1)
    for process in found:
        os.kill(process, signal.SIGKILL)
    return found


def vanished(place: Path, people: Path) -> list[str]:
    """Take a photo away while `batch` and `average` work: each tells it, and does the others."""
    wrong = []
    for name, words in (("batch", ["--all-pairs"]), ("average", [])):
        folder, out = place / f"vanishing-{name}", place / f"vanished-{name}"
        shutil.copytree(people, folder)
        out.mkdir()
        target = ["--out", str(out)] if name == "batch" else ["-o", str(out / "average.png")]
        command = [*CLI, name, *words, str(folder), *target, "--size", "model", "--quiet"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        gone = folder / "third.jpg"
        while process.poll() is None and not (name == "average" or (out / "results.csv").exists()):
            time.sleep(0.01)
        gone.unlink()
        _, errors = process.communicate()
        if "Traceback" in errors or process.returncode not in (0, 1, 2):
            wrong.append(f"{name}, a photo vanished: exit {process.returncode}, {errors.strip()[-300:]}")
        if name == "batch":
            with open(out / "results.csv", newline="") as stream:
                rows = list(csv.DictReader(stream))
            for row in rows:
                due = row["status"] == "done" or "third" in row["name"]
                if not due or (row["status"] == "done") != (out / f"{row['name']}.png").is_file():
                    wrong.append(f"batch, a photo vanished: {row['name']} is {row['status']}")
    return wrong


def campaign(moments: int, disks: int, seed: int = 0, only: Sequence[str] = (), small: bool = False) -> dict[str, dict]:
    """Try every task; what was tried and what was wrong, by its name."""
    found = {}
    os.environ["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory(prefix="crash-") as folder:
        place = Path(folder)
        context = server(small)
        for task in tasks(place, small, only):
            one = Campaign(task, place, seed, context)
            one.kills(moments)
            one.full_disk(disks)
            one.read_only()
            found[task.name] = {
                "moments": one.moments, "ends": one.ends, "full_disks": disks, "seconds": round(one.seconds, 1),
                "wrong": sorted(set(one.wrong)),
            }  # fmt: skip
            print(task.name, json.dumps(found[task.name]), file=sys.stderr, flush=True)
        if not only:
            found["a photo vanishes"] = {"wrong": vanished(place, place / "people")}
    return found


def program() -> int:
    """Say what came out in one line; 1 where anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--moments", type=int, default=50, help="at which each command is killed")
    parser.add_argument("--disks", type=int, default=5, help="sizes at which the disk is full")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", default=(), help="commands to try")
    options = parser.parse_args()
    found = campaign(options.moments, options.disks, options.seed, options.only)
    print(json.dumps(found))
    return int(any(one["wrong"] for one in found.values()))


if __name__ == "__main__":
    sys.exit(program())
