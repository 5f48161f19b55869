"""The command that opens the web page, in the style of `featureblend.cli.commands`, which registers it."""

from __future__ import annotations

from typing import Annotated

from tyro.conf import arg

from ..io.extras import require
from .options import Flag, Model

__all__ = ["web"]


def web(
    port: Annotated[int, arg(metavar="NUMBER")] = 7860,
    host: Annotated[str, arg(metavar="ADDRESS")] = "127.0.0.1",
    browser: Flag = False,
    model: Model = None,
    mend: bool = True,
) -> None:
    """Open the web page: blend photos with live sliders (needs the extra 'web').

    The page is served by this machine to this machine alone; it fetches nothing from elsewhere.

    Example: featureblend web --browser

    Args:
        port: Where to listen; 0 for any port that is free.
        host: Address to listen at; 0.0.0.0 lets other machines in your network in, without a password.
        browser: Open the page in the browser.
        model: A model folder or the name of a bundled model; the bundled one if left out.
        mend: With 'latent': undo noise, blur, compression and weak light of photos before they are encoded.
    """
    require("web", "gradio")
    from ..web import serve

    serve(model, host, port, browser, mend=mend)
