"""Take the documents' pictures of the web page, each in another state, with the example faces.

    python tools/web_pictures.py docs/images/web.jpg [docs/images/web-crop.jpg ...]

A picture's name says what it shows: the keys of `STATES`. `make figures` runs this, with other pictures. Needs
Chromium, as the page's tests do, and for the page without a server what `make runtime` fetches.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from featureblend.faces import EXAMPLES

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
LAPTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
QUALITY = 75
"""Of the JPEGs: text stays crisp at full colour resolution, and a picture has about 100 kB."""


def group_photo(folder: Path, names: tuple[str, ...] = ("third", "second", "fifth")) -> Path:
    """A photo that several of the examples are in, side by side."""
    faces = [Image.open(EXAMPLES / f"{name}.jpg").resize((400, 400)) for name in names]
    group = Image.new("RGB", (400 * len(faces), 400))
    for place, face in enumerate(faces):
        group.paste(face, (400 * place, 0))
    path = folder / "friends.jpg"
    group.save(path, quality=92)
    return path


def put(page: Page, *photos: str | Path) -> None:
    """Put photos on the table, examples by their names, and wait until the page is at rest."""
    paths = [str(EXAMPLES / f"{photo}.jpg") if isinstance(photo, str) else str(photo) for photo in photos]
    page.set_input_files("#drop input[type=file]", paths)
    page.wait_for_selector("#measures .fb-bars li", timeout=60_000)
    page.wait_for_selector("#scenes style", state="attached")  # the backgrounds to choose from


def open_tab(page: Page, name: str) -> None:
    """Open a tab of the page."""
    page.get_by_role("tab", name=name).click()


def show_pair(page: Page) -> None:
    """Two photos and their blend."""
    put(page, "second", "sixth")


def show_before_and_after(page: Page) -> None:
    """A photo half over the blend."""
    show_pair(page)
    open_tab(page, "Before / after")
    page.wait_for_selector(".fb-compare")


def show_continuum(page: Page) -> None:
    """The continuum, while it plays."""
    show_pair(page)
    open_tab(page, "Continuum")
    page.wait_for_function("document.querySelector('.fb-player input')?.value === '4'", timeout=60_000, polling=20)


def show_methods(page: Page) -> None:
    """Every method's blend."""
    show_pair(page)
    open_tab(page, "Compare")
    page.wait_for_selector(".fb-sheet", timeout=60_000)


def show_quality(page: Page) -> None:
    """The figures of all methods."""
    show_pair(page)
    open_tab(page, "How good is it?")


def show_cropping(page: Page) -> None:
    """The dialog in which a part of a photo is chosen."""
    show_pair(page)
    page.click("#crop-2")
    page.wait_for_selector(".fb-cropper[open]")
    page.locator(".fb-corner").first.focus()
    for corner, keys in ((0, ("ArrowRight", "ArrowDown")), (3, ("ArrowLeft", "ArrowUp"))):
        for key in keys:
            for _ in range(6):
                page.locator(".fb-corner").nth(corner).press(key)


def show_faces(page: Page) -> None:
    """The dialog of a photo that shows several people."""
    with tempfile.TemporaryDirectory() as folder:
        put(page, group_photo(Path(folder)), "sixth")
    page.click("#crop-1")
    page.wait_for_selector(".fb-cropper[open]")


def show_nothing(page: Page) -> None:
    """The page as it opens."""


def show_static(page: Page) -> None:
    """The page without a server."""
    page.wait_for_selector("body[data-ready]", state="attached", timeout=120_000)
    for place, name in (("first", "second"), ("second", "sixth")):
        page.set_input_files(f"#{place}", str(EXAMPLES / f"{name}.jpg"))
    page.wait_for_selector("body[data-shown]", state="attached", timeout=120_000)


@dataclass(frozen=True)
class State:
    """What a picture shows."""

    show: Callable[[Page], None]
    """Brings the page there."""
    viewport: dict[str, int] = field(default_factory=lambda: LAPTOP)
    options: dict[str, Any] = field(default_factory=dict)
    """Of the browser's context."""
    static: bool = False
    """Whether it is the page without a server."""


STATES = {
    "web": State(show_pair),
    "web-empty": State(show_nothing),
    "web-before-after": State(show_before_and_after),
    "web-continuum": State(show_continuum),
    "web-compare": State(show_methods),
    "web-quality": State(show_quality),
    "web-crop": State(show_cropping),
    "web-faces": State(show_faces),
    "web-dark": State(show_pair, options={"color_scheme": "dark"}),
    "web-phone": State(show_pair, PHONE, {"has_touch": True, "is_mobile": True}),
    "web-static": State(show_static, static=True),
}


@contextmanager
def running() -> Iterator[str]:
    """The page's server; gives its address."""
    command = [sys.executable, "-m", "featureblend", "web", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            found = re.match(r"(http://127\.0\.0\.1:\d+) ", server.stdout.readline())
            if found is None:
                sys.exit("web_pictures: the page did not start")
            yield found[1]
        finally:
            server.terminate()


@contextmanager
def written() -> Iterator[str]:
    """The page without a server; gives its address."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "featureblend", "web", "--static", folder], check=True)
        yield Path(folder, "index.html").as_uri()


def take(browser: Browser, address: str, state: State, path: Path) -> None:
    """Take one picture."""
    context = browser.new_context(viewport=state.viewport, **state.options)
    page = context.new_page()
    page.goto(address)
    if not state.static:
        page.wait_for_selector("#drop input[type=file]", state="attached")
    state.show(page)
    if state.show is not show_continuum:
        page.wait_for_timeout(1_000)  # fonts and the last transition
    with tempfile.TemporaryDirectory() as folder:
        page.screenshot(path=Path(folder, "page.png"))
        Image.open(Path(folder, "page.png")).convert("RGB").save(path, quality=QUALITY, subsampling=0, optimize=True)
    context.close()
    print(path)


def main(words: list[str]) -> None:
    """Take the pictures that are named by their paths."""
    from playwright.sync_api import sync_playwright

    paths = [Path(word) for word in words]
    if not paths or {path.stem for path in paths} - set(STATES):
        sys.exit(f"web_pictures: name pictures to write, such as docs/images/web.jpg; there are {', '.join(STATES)}")
    chromium = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if chromium is None:
        sys.exit("web_pictures: Chromium is missing: apt-get install chromium, or set CHROMIUM to a browser's path")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for place, static in ((running, False), (written, True)):
            asked = [path for path in paths if STATES[path.stem].static is static]
            if asked:
                with place() as address:
                    for path in asked:
                        take(browser, address, STATES[path.stem], path)
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1:])
