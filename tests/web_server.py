"""Fixtures for the web page's tests: the real command in a process of its own, and a real browser."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from PIL import Image

from featureblend.faces import EXAMPLES

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

GUARD = '''
"""Loaded by Python itself before anything else: writes down every address that is not this machine's own."""
import os, sys

def _watch(event, arguments):
    if event == "socket.connect":
        address = arguments[1]
        host = address[0] if isinstance(address, tuple) else "127.0.0.1"
    elif event == "socket.getaddrinfo":
        host = arguments[0]
    else:
        return
    host = host.decode() if isinstance(host, bytes) else host
    if host not in (None, "", "127.0.0.1", "localhost", "::1", "0.0.0.0"):
        with open(os.environ["SOCKET_LOG"], "a") as log:
            log.write(f"{event} {host}\\n")

sys.addaudithook(_watch)
'''


class Server:
    """A running `featureblend web`, and what it left behind."""

    def __init__(self, folder, *words):
        self.home, self.work, self.log = folder / "home", folder / "work", folder / "sockets.log"
        self.temporary = folder / "temporary"
        for name in ("home", "work", "guard", "temporary"):
            (folder / name).mkdir()
        (folder / "guard" / "sitecustomize.py").write_text(GUARD)
        kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH", "LANG") if name in os.environ}
        environment = {
            **kept,
            "HOME": str(self.home),
            "TMPDIR": str(self.temporary),
            "PYTHONPATH": str(folder / "guard"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "SOCKET_LOG": str(self.log),
            "GRADIO_SHARE": "True",  # which the command must not listen to
            "OMP_NUM_THREADS": "1",
        }
        script = Path(sysconfig.get_path("scripts")) / "featureblend"
        self.errors = folder / "stderr.txt"
        with open(self.errors, "w") as errors:
            self.process = subprocess.Popen(
                [sys.executable, str(script), "web", "--port", "0", *words],
                env=environment, cwd=self.work, stdout=subprocess.PIPE, stderr=errors, text=True,
            )  # fmt: skip
        line = self.process.stdout.readline()
        found = re.match(r"(http://127\.0\.0\.1:\d+) ", line)
        assert found, line + self.errors.read_text()
        self.address = found[1]

    def stop(self):
        self.process.terminate()
        self.process.wait(20)
        self.process.stdout.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    running = Server(tmp_path_factory.mktemp("web"))
    yield running
    running.stop()


@pytest.fixture
def server_of(tmp_path):
    """Start servers that a test ends itself."""
    started = []

    def start(*words):
        folder = tmp_path / f"web-{len(started)}"
        folder.mkdir()
        started.append(Server(folder, *words))
        return started[-1]

    yield start
    for one in started:
        one.stop()


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """Chromium, whose webcam sees the first example face."""
    from playwright.sync_api import sync_playwright

    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    assert path, "the web page's tests need Chromium: apt-get install chromium, or set CHROMIUM to a browser's path"
    webcam = tmp_path_factory.mktemp("webcam") / "face.mjpeg"
    with Image.open(min(EXAMPLES.glob("*.jpg"))) as face:
        face.save(webcam, "JPEG", quality=95, subsampling="4:2:0")
    seen = ["--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={webcam}"]
    arguments = ["--no-sandbox", "--use-fake-ui-for-media-stream", *seen]
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=arguments)
        yield started
        started.close()


@pytest.fixture(scope="module")
def context_of(browser):
    """A browser context of some options, which is kept: its second tab has the page's scripts already."""
    opened = {}

    def context(**options):
        key = tuple(sorted(options.items()))
        if key not in opened:
            opened[key] = browser.new_context(**options)
        return opened[key]

    yield context
    for one in opened.values():
        one.close()


class Watched:
    """A tab of the browser that writes down whom it asked, and what went wrong."""

    def __init__(self, context, server, viewport=(1280, 900), color_scheme="light"):
        self.page = context.new_page()
        self.page.set_viewport_size(dict(zip(("width", "height"), viewport, strict=True)))
        self.page.emulate_media(color_scheme=color_scheme)
        self.page.set_default_timeout(30_000)
        self.hosts, self.errors = [], []
        self.page.on("request", lambda request: self._asked(request.url, server.address))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda said: self.errors.append(said.text) if said.type == "error" else None)
        self.page.goto(server.address)
        self.page.wait_for_selector("#drop input[type=file]", state="attached")

    def _asked(self, url, own):
        if not url.startswith(("data:", "blob:", own + "/")):
            self.hosts.append(url)

    def put(self, *paths):
        self.page.set_input_files("#drop input[type=file]", [str(path) for path in paths])

    def picture(self):
        self.page.wait_for_selector("#picture img")
        return self.page.get_attribute("#picture img", "src")

    def errors_shown(self):
        self.page.wait_for_selector("#message .fb-error")
        return self.page.locator("#message .fb-error").all_inner_texts()


@pytest.fixture
def tab(context_of, server):
    """Open a tab: `tab(viewport=..., color_scheme=...)`; nothing may be asked of another host, nor go wrong."""
    opened = []

    def open_tab(bypass_csp=False, has_touch=False, **options):
        opened.append(Watched(context_of(bypass_csp=bypass_csp, has_touch=has_touch), server, **options))
        return opened[-1]

    yield open_tab
    for one in opened:
        one.page.close()
        assert one.hosts == []
        assert one.errors == []
