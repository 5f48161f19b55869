"""What is printed: any text on any terminal, and bars on terminals alone."""

import os
import shlex
import shutil
import signal
import subprocess
import sys
import time

import pytest
from PIL import Image

from featureblend.cli import main
from featureblend.edit import demo
from featureblend.faces import EXAMPLES
from featureblend.io import progress
from featureblend.io.files import atomic_path
from featureblend.io.progress import Progress

NAME = "顔-é.png"
PLAIN = ["--method", "pixel"]


@pytest.fixture
def run(tmp_path):
    """Run the command line in a process of its own, in a folder with two photos and a picture without a face."""
    photos = tmp_path / "写真"
    photos.mkdir()
    shutil.copy(EXAMPLES / "first.jpg", photos / "一.png")
    shutil.copy(EXAMPLES / "second.jpg", photos / "二.png")
    Image.new("RGB", (90, 90), "green").save(photos / "草.png")

    def start(words, encoding="utf-8", redirected=""):
        environment = {**os.environ, "PYTHONIOENCODING": encoding}
        program = [sys.executable, "-m", "featureblend", *words]
        if redirected:
            program = ["sh", "-c", f"{shlex.join(program)} {redirected}"]
        return subprocess.run(program, cwd=tmp_path, env=environment, timeout=120, capture_output=True)

    return start


def test_a_name_that_the_terminal_lacks_is_escaped(run, tmp_path):
    for encoding, shown in [("cp1252", b"\\u9854-\xe9.png\n"), ("ascii", b"\\u9854-\\xe9.png\n"), ("utf-8", b"")]:
        done = run(["blend", "写真/一.png", "写真/二.png", "-o", NAME, *PLAIN], encoding)
        assert (done.returncode, done.stderr) == (0, b"")
        assert done.stdout.startswith(shown or NAME.encode())
        assert (tmp_path / NAME).is_file()


def test_so_is_every_other_line(run, tmp_path):
    """The list of what was skipped, a batch's failures, the last line of an error."""
    done = run(["average", "写真", "-o", NAME, *PLAIN], "ascii:strict")
    assert done.returncode == 0, done.stderr
    assert rb"\u8349.png" in done.stdout
    (tmp_path / "list.csv").write_text("a,b,name\n写真/一.png,写真/草.png,草\n写真/一.png,写真/二.png,顔\n", "utf-8")
    done = run(["batch", "list.csv", "-o", "出", *PLAIN], "cp1252:strict")
    assert done.returncode == 1
    assert done.stdout.startswith(rb"\u51fa/results.csv")
    assert done.stderr.startswith(rb"batch: 2 rows in ")
    assert rb"featureblend: \u8349: no face found in \u5199" in done.stderr
    done = run(["blend", "無.png", "写真/二.png", "-o", NAME, *PLAIN], "ascii:strict")
    assert (done.returncode, done.stderr) == (2, b"featureblend: no such file: \\u7121.png\n")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_a_name_that_is_no_text_is_printed_as_its_bytes(run):
    done = run(["blend", "写真/一.png", "写真/二.png", "-o", b"caf\xe9.png", *PLAIN, "--quiet"], "utf-8")
    assert (done.returncode, done.stdout) == (0, b"caf\xe9.png\n")


@pytest.mark.skipif(os.name != "posix", reason="asks a shell")
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_a_closed_stream_stops_nothing(run, tmp_path, closed):
    words = ["continuum", "写真/一.png", "写真/二.png", "-o", NAME, *PLAIN, "--steps", "3"]
    done = run(words, redirected=closed)
    assert done.returncode == 0
    assert (tmp_path / NAME).is_file()


def test_help_is_shown_in_ascii(run):
    done = run(["blend", "--help"], "ascii:strict")
    assert done.returncode == 0
    assert b"--weights" in done.stdout


@pytest.mark.skipif(os.name != "posix", reason="other systems have no such signals")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_what_is_told_to_end_leaves_no_half(tmp_path, monkeypatch, capsys, number):
    def killed(out, model):
        with atomic_path(out) as temporary:
            temporary.write_bytes(b"half")
            os.kill(os.getpid(), number)
            time.sleep(60)

    monkeypatch.setattr(demo, "write_demo", killed)
    handlers = [signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGHUP)]
    with pytest.raises(SystemExit) as stop:
        main(["demo", "-o", str(tmp_path / "a.png")])
    assert stop.value.code == 128 + number
    assert capsys.readouterr().err == "featureblend: ended by a signal\n"
    assert os.listdir(tmp_path) == []
    assert [signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGHUP)] == handlers


def seen(capsys, steps, **settings):
    with Progress(total=steps, desc="prepare", unit="photo", **settings) as bar:
        for _ in range(steps):
            bar.update()
            bar.set_postfix_str("ana.jpg")
    return capsys.readouterr().err


def test_a_log_gets_one_line_at_the_end(capsys):
    assert seen(capsys, 3) == "prepare: 3 photos in 00:00\n"
    assert seen(capsys, 1) == "prepare: 1 photo in 00:00\n"
    assert seen(capsys, 3, delay=60) == ""
    assert seen(capsys, 3, disable=True) == ""
    with Progress(range(9), desc="average", unit="face") as bar:
        next(steps := iter(bar))
        next(steps)
        next(steps)
        steps.close()  # as an exception in the loop does
    assert capsys.readouterr().err == "average: 2 of 9 faces in 00:00\n"


def test_a_terminal_gets_a_bar(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    shown = seen(capsys, 3)
    assert "\r" in shown
    assert "3/3" in shown


def test_a_log_is_told_what_takes_long_unless_the_work_ends_at_a_time_of_its_own(capsys, monkeypatch):
    monkeypatch.setattr(progress, "LONG", 0.0)
    assert len(seen(capsys, 3, mininterval=0).splitlines()) == 2
    assert len(seen(capsys, 3, mininterval=0, foretell=False).splitlines()) == 1
