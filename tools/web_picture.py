"""Take the README's picture of the web page, with two of the example faces.

    python tools/web_picture.py docs/images/web.png

`make figures` runs this, with other pictures. Needs Chromium, as the page's tests do.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from featureblend.faces import EXAMPLES

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def main(words: list[str]) -> None:
    """Start the page, put in two faces, wait for the measures, take the picture."""
    if len(words) != 1:
        sys.exit("web_picture: name the picture to write, such as docs/images/web.png")
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        sys.exit("web_picture: Chromium is missing: apt-get install chromium, or set CHROMIUM to a browser's path")
    command = [sys.executable, "-m", "featureblend", "web", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            found = re.match(r"(http://127\.0\.0\.1:\d+) ", server.stdout.readline())
            if found is None:
                sys.exit("web_picture: the page did not start")
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
                page = browser.new_page(viewport={"width": 1280, "height": 800})
                page.goto(found[1])
                faces = [str(EXAMPLES / f"{name}.jpg") for name in ("second", "sixth")]
                page.set_input_files("#drop input[type=file]", faces)
                page.wait_for_selector("#measures .fb-bars li", timeout=60_000)
                page.wait_for_selector("#scenes style", state="attached")  # the backgrounds to choose from
                page.wait_for_timeout(1_000)  # fonts and the last transition
                page.screenshot(path=words[0])
                browser.close()
        finally:
            server.terminate()
    print(Path(words[0]))


if __name__ == "__main__":
    main(sys.argv[1:])
