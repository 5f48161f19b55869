"""What the server leaves behind, however it ends: the real command in a process of its own, and signals."""

import ctypes
import os
import pty
import signal
import subprocess
import sys
import sysconfig
import time

import httpx
import load
import pytest

pytest_plugins = ["web_server"]
pytestmark = pytest.mark.extras

SCRIPT = """
import signal, sys, time
from pathlib import Path
from featureblend.io.console import Ended, ending_on_signals
from featureblend.web.uploads import upload_folder
if "--nohup" in sys.argv:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
try:
    with ending_on_signals(), upload_folder() as folder:
        (folder / "deep").mkdir()
        (folder / "deep" / "photo.jpg").write_bytes(b"photo")
        print(folder, flush=True)
        sys.stdin.readline()
except Ended:
    sys.exit(7)
"""
"""What `serve` does with its folder, without the page, which takes seconds to start."""


class Owner:
    """A process that has an upload folder until it is told to go."""

    def __init__(self, temporary, *words):
        self.process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, *words], env={**os.environ, "TMPDIR": str(temporary)}, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        self.folder = self.process.stdout.readline().strip()
        assert self.folder, self.process.stderr.read()

    def end(self, number=None):
        """Send a signal, or the line that the process waits for; its exit code."""
        if number is not None:
            self.process.send_signal(number)
        _, errors = self.process.communicate("" if number is not None else "\n", timeout=30)
        assert errors == ""
        return self.process.returncode


def left(temporary):
    return sorted(path.name for path in temporary.iterdir())


def begun(address, folder):
    """Let a visitor come who has all kinds of pictures made, and leaves at once."""
    with httpx.Client(base_url=address, timeout=60) as client:
        page = load.Page(client.get("/config").json())

        def ask(event, **given):
            asked = {"data": page.values(event, **given), "fn_index": event["id"], "session_hash": "visitor"}
            client.post("/gradio_api/queue/join", json=asked).raise_for_status()

        paths = client.post("/gradio_api/upload", files=[("files", file) for file in load.tinted(load.TINTS[0])]).json()
        meta = {"_type": "gradio.FileData"}
        ask(page.event("drop", "upload"), drop=[{"path": path, "orig_name": "a.jpg", "meta": meta} for path in paths])
        with client.stream("GET", "/gradio_api/queue/data", params={"session_hash": "visitor"}) as messages:
            assert any("process_completed" in line for line in messages.iter_lines())
            for button in ("compare", "download", "save-continuum", "go"):
                ask(page.event(button, "click"), steps=31)
            until = time.monotonic() + 20
            while not list(folder.glob("featureblend-*/1/*")):  # the continuum's photos
                assert time.monotonic() < until
                time.sleep(0.05)


def signal_thread(process, number):
    """Send a process a signal that another thread than the main one takes, as the operating system may choose."""
    if sys.platform != "linux":
        os.kill(process, number)
        return
    thread = next(int(name) for name in os.listdir(f"/proc/{process}/task") if int(name) != process)
    assert ctypes.CDLL(None).tgkill(process, thread, number) == 0


def test_a_server_that_is_told_to_end_leaves_nothing(server_of):
    """In the middle of its work: nobody waits for that, and its threads don't fall over the interpreter's end."""
    server = server_of()
    (folder,) = server.temporary.iterdir()  # nothing temporary lies beside the folder
    begun(server.address, folder)
    (folder / "photo.jpg").write_bytes(b"photo")
    signal_thread(server.process.pid, signal.SIGTERM)
    assert server.process.wait(20) == 0
    assert left(server.temporary) == []
    assert server.errors.read_text() == ""


def test_the_folder_goes_with_its_process(tmp_path):
    for number in [signal.SIGTERM, signal.SIGHUP]:
        assert Owner(tmp_path).end(number) == 7
        assert left(tmp_path) == []


def test_a_closed_terminal_ends_the_server_cleanly(tmp_path, monkeypatch):
    """As a terminal's window does when it is closed: SIGHUP, and nothing more can be written to it."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    command = [sys.executable, os.path.join(sysconfig.get_path("scripts"), "featureblend"), "web", "--port", "0"]
    process, terminal = pty.fork()
    if process == 0:
        os.execv(command[0], command)
    said = b""
    while b"http://" not in said:
        said += os.read(terminal, 1000)
    assert len(left(tmp_path)) == 1
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0
    assert left(tmp_path) == []


def test_what_a_killed_server_left_goes_at_the_next_start_and_no_other_servers_folder(tmp_path):
    running, killed = Owner(tmp_path), Owner(tmp_path)
    killed.end(signal.SIGKILL)
    assert len(left(tmp_path)) == 2
    next_one = Owner(tmp_path)
    assert {str(tmp_path / name) for name in left(tmp_path)} == {running.folder, next_one.folder}
    assert os.listdir(os.path.join(running.folder, "deep")) == ["photo.jpg"]
    for owner in (running, next_one):
        owner.end()
    assert left(tmp_path) == []


def test_a_folder_without_a_lock_file_stays(tmp_path):
    (tmp_path / "featureblend-web-mine").mkdir()
    Owner(tmp_path).end()
    assert left(tmp_path) == ["featureblend-web-mine"]


def test_a_link_to_a_folder_is_not_followed(tmp_path):
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "server.lock").touch()
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    (temporary / "featureblend-web-link").symlink_to(kept)
    Owner(temporary).end()
    assert (kept / "server.lock").exists()


def test_a_hang_up_that_is_ignored_stays_ignored(tmp_path):
    owner = Owner(tmp_path, "--nohup")
    owner.process.send_signal(signal.SIGHUP)
    assert owner.end() == 0  # it lived on to read its line
    assert left(tmp_path) == []
