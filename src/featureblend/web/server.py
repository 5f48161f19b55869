"""The web server: open to this machine only, with no requests elsewhere and no files left behind."""

from __future__ import annotations

import os
import socket
import threading
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ..blend.blender import Blender
from ..errors import FeatureblendError
from ..io.console import Ended, ending_on_signals
from ..io.extras import require

__all__ = ["POLICY", "serve"]

POLICY = (
    "default-src 'self' data: blob:; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline'; object-src 'none'; base-uri 'self'; form-action 'self'"
)
"""What the browser is told to refuse: everything that does not come from this server."""

LARGEST_UPLOAD = "80mb"

QUIET = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
}
"""What keeps Gradio and its parts from calling home; set before they are imported."""


def serve(
    model: str | os.PathLike[str] | None = None,
    host: str = "127.0.0.1",
    port: int = 7860,
    browser: bool = False,
    say: Callable[[str], Any] | None = None,
    *,
    mend: bool = True,
) -> None:
    """Serve the page until Ctrl-C, SIGTERM or a closed terminal (SIGHUP); each removes the folder of uploads.

    Parameters
    ----------
    model : path-like or str, optional
        As `Blender.from_pretrained`.
    host : str
        The address to listen at; by default this machine's own, which no other machine can reach.
    port : int
        0 for any that is free.
    browser : bool
        Open the page in the browser.
    say : callable, optional
        Is told the address when the page can be opened; printed by default.
    mend : bool
        As `Blender.from_pretrained`.

    Raises
    ------
    FeatureblendError
        If Gradio is missing, there is no such model, or the port is taken.
    """
    require("web", "gradio")
    blender = Blender.from_pretrained(model, mend=mend)
    port = _free_port(host, port)
    from .uploads import upload_folder

    with suppress(Ended), ending_on_signals(), upload_folder() as folder:
        os.environ.update(QUIET)
        os.environ["GRADIO_TEMP_DIR"] = str(folder)
        os.environ["MPLCONFIGDIR"] = str(folder)  # matplotlib, where it is there, writes a list of fonts
        _run(blender, host, port, browser, say or _say)


def _run(blender: Blender, host: str, port: int, browser: bool, say: Callable[[str], Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Gradio's are for those who write pages
        from starlette.middleware import Middleware

        from .app import build_page
        from .layout import HEAD, STYLE, theme
        from .studio import Studio

        studio = Studio(blender)
        threading.Thread(target=studio.warm_up, daemon=True).start()
        page = build_page(studio)
        try:
            page.launch(
                server_name=host,
                server_port=port,
                share=False,
                inbrowser=browser,
                prevent_thread_lock=True,
                quiet=True,
                footer_links=[],
                max_file_size=LARGEST_UPLOAD,
                ssr_mode=False,
                pwa=False,
                mcp_server=False,
                enable_monitoring=False,
                theme=theme(),
                css=STYLE,
                head=HEAD,
                app_kwargs={"middleware": [Middleware(OwnSourcesOnly)]},
            )
        except OSError as error:
            raise FeatureblendError(f"cannot listen at {host}:{port}: {error}") from error
    shown = "127.0.0.1" if host in ("0.0.0.0", "::") else host
    say(f"http://{shown}:{port}  (open it in a browser; Ctrl-C stops)")
    try:
        threading.Event().wait()
    finally:
        page.close(verbose=False)


def _say(line: str) -> None:
    print(line, flush=True)  # a pipe would hold it back until the server stops


def _free_port(host: str, port: int) -> int:
    """Check that the address is free, before any slow step."""
    if not 0 <= port <= 65535:
        raise FeatureblendError(f"port {port}: a number from 0 to 65535 is due")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            return int(probe.getsockname()[1])
    except OSError as error:
        reason = error.strerror or str(error)
        raise FeatureblendError(
            f"cannot listen at {host}:{port} ({reason}): name another port, such as --port {port + 1}"
        ) from error


class OwnSourcesOnly:
    """Middleware that sends `POLICY` with every answer (an ASGI application around another)."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Handle one request."""

        async def with_policy(message: Any) -> None:
            if message["type"] == "http.response.start":
                kept = [pair for pair in message.get("headers", []) if pair[0].lower() != b"content-security-policy"]
                extra = [(b"content-security-policy", POLICY.encode()), (b"referrer-policy", b"no-referrer")]
                message = {**message, "headers": [*kept, *extra]}
            await send(message)

        await self.app(scope, receive, with_policy)
