"""The command that opens the web page."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from ..io.console import Ended, leave
from .groups import Mending
from .options import flag, option


@dataclass(kw_only=True)
class Web(Mending):
    """Open the web page: blend photos with live sliders (needs the extra 'web').

    The page is served by this machine to this machine alone; it fetches nothing from elsewhere. With --static neither
    server nor extra is needed: the networks run in the browser, which restores no photos.

    Example: featureblend web --browser
    Example: featureblend web --static page
    """

    port: int = option("NUMBER", "Where to listen; 0 for any port that is free.", default=7860)
    host: str = option(
        "ADDRESS",
        "Address to listen at; 0.0.0.0 lets other machines in your network in, and demands --auth or --no-auth.",
        default="127.0.0.1",
    )
    auth: Path | None = option(
        "FILE", "Ask visitors for a name and password: the file has a line such as ana:PASSWORD for each.", default=None
    )
    no_auth: bool = flag("Let other machines in without a password.")
    browser: bool = flag("Open the page in the browser.")
    static: Path | None = option(
        "FOLDER",
        "Instead write a page for two photos that needs no server: open its index.html, or put the folder on any host.",
        default=None,
    )

    def run(self) -> None:
        """Serve the page until Ctrl-C, or write the one that needs no server."""
        if self.static is not None:
            from ..web.static_page import write_static_page

            page = write_static_page(self.static, self.model)
            if self.browser:
                import webbrowser

                webbrowser.open(page.resolve().as_uri())
            print(page)
            return
        from ..web import serve

        code = 0
        try:
            serve(
                passwords=self.auth, open_to_all=self.no_auth, **self.given("model", "host", "port", "browser", "mend")
            )
        except Ended:  # before there was a server
            raise
        except KeyboardInterrupt:
            print("featureblend: stopped", file=sys.stderr)
            code = 130
        leave(code)
