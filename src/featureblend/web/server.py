"""The web server: open to this machine only, with no requests elsewhere and no files left behind."""

from __future__ import annotations

import ctypes
import os
import socket
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.machinery import ModuleSpec, PathFinder
from typing import Any

from ..blend.blender import Blender
from ..errors import FeatureblendError
from ..io.console import Ended, ending_on_signals
from ..io.extras import require
from .guard import MOST_BYTES, Guard, read_passwords, stays_here

POLICY = (
    "default-src 'self' data: blob:; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline'; object-src 'none'; base-uri 'self'; form-action 'self'"
)
"""What the browser is told to refuse: everything that does not come from this server."""

MOST_WAITING = 200
"""Requests that wait for their turn; a visitor beyond them is told to come back."""

MOST_VISITORS = 300
"""Visitors whose tables are kept; the one who has rested longest is forgotten."""

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
    passwords: str | os.PathLike[str] | None = None,
    open_to_all: bool = False,
) -> None:
    """Serve the page until Ctrl-C, SIGTERM or a closed terminal (SIGHUP); each removes the folder of uploads.

    What is being computed then goes on in threads, and its answer is lost: end the process with
    `featureblend.io.console.leave`, as the command does.

    Parameters
    ----------
    model : path-like or str, optional
        As `Blender.from_pretrained`.
    host : str
        The address to listen at; by default this machine's own, which no other machine can reach. Any other demands
        `passwords` or `open_to_all`.
    port : int
        0 for any that is free.
    browser : bool
        Open the page in the browser.
    say : callable, optional
        Is told the address when the page can be opened; printed by default.
    mend : bool
        As `Blender.from_pretrained`.
    passwords : path-like, optional
        A file of names and passwords, as `featureblend.web.guard.read_passwords` takes it: who may see the page.
    open_to_all : bool
        Other machines may see the page without a password.

    Raises
    ------
    FeatureblendError
        If Gradio is missing, there is no such model, the port is taken, or other machines could reach the page and
        nobody said whether they need a password.
    """
    require("web", "gradio")
    may = None if passwords is None else read_passwords(passwords)
    if may and open_to_all:
        raise FeatureblendError("--auth asks for passwords and --no-auth does not: leave one out")
    if not (may or open_to_all or stays_here(host)):
        raise FeatureblendError(
            f"other machines can reach {host}: name a file of passwords with --auth FILE, "
            "or say --no-auth if everybody there may use the page"
        )
    blender = Blender.from_pretrained(model, mend=mend)
    port = _free_port(host, port)
    from starlette.middleware import Middleware

    from .uploads import upload_folder

    with suppress(Ended), ending_on_signals(), upload_folder() as folder:
        os.environ.update(QUIET)
        os.environ["GRADIO_TEMP_DIR"] = str(folder)
        os.environ["MPLCONFIGDIR"] = str(folder)  # matplotlib, where it is there, writes a list of fonts
        guard = Middleware(Guard, host=host, folder=folder, passwords=may)
        _run(blender, guard, host, port, browser, say or _say)


def _run(blender: Blender, guard: Any, host: str, port: int, browser: bool, say: Callable[[str], Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Gradio's are for those who write pages
        from starlette.middleware import Middleware

        _import_gradio()
        from .app import Page
        from .layout import HEAD, STYLE, theme
        from .studio import Studio

        _keep_gradio_in_bounds()
        studio = Studio(blender)
        threading.Thread(target=studio.warm_up, daemon=True).start()
        with _no_application_yet():
            page = Page(studio)
            page.blocks.queue(max_size=MOST_WAITING)
        try:
            page.blocks.launch(
                server_name=host,
                server_port=port,
                share=False,
                inbrowser=browser,
                prevent_thread_lock=True,
                quiet=True,
                footer_links=[],
                max_file_size=MOST_BYTES,
                state_session_capacity=MOST_VISITORS,
                ssr_mode=False,
                pwa=False,
                mcp_server=False,
                enable_monitoring=False,
                theme=theme(),
                css=STYLE,
                head=HEAD,
                app_kwargs={"middleware": [Middleware(OwnSourcesOnly), guard]},
            )
        except OSError as error:
            raise FeatureblendError(f"cannot listen at {host}:{port}: {error}") from error
    shown = "127.0.0.1" if host in ("0.0.0.0", "::") else host
    say(f"http://{shown}:{port}  (open it in a browser; Ctrl-C stops)")
    try:
        while True:  # a lock would never be told of a signal that another thread took
            time.sleep(0.5)
            if page.forget_who_left():
                _give_memory_back()
    finally:
        page.blocks.close(verbose=False)


def _give_memory_back() -> None:
    """Let the system have what is free between pieces in use: glibc keeps it, and with each visitor more of it."""
    with suppress(AttributeError, OSError, TypeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)


class _WithoutStubs(PathFinder):
    """Finds Gradio's module of component classes, and keeps it from writing type stubs.

    It writes those of all components anew at each import, into its own folder, which takes half of the import's time.
    """

    @classmethod
    def find_spec(cls, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Find that module alone."""
        spec = super().find_spec(fullname, path, target) if fullname == "gradio.component_meta" else None
        if spec is not None and spec.loader is not None:
            run = spec.loader.exec_module

            def run_without(module: Any) -> None:
                run(module)
                module.create_or_modify_pyi = lambda *_: None

            spec.loader.exec_module = run_without  # type: ignore[method-assign]
        return spec


def _import_gradio() -> None:
    sys.meta_path.insert(0, _WithoutStubs)
    try:
        import gradio  # noqa: F401
    finally:
        sys.meta_path.remove(_WithoutStubs)


@contextmanager
def _no_application_yet() -> Iterator[None]:
    """Keep Gradio from making a web application three times while a page is built: `launch` makes the one that runs."""
    from gradio.routes import App

    made = App.create_app
    App.create_app = staticmethod(lambda *_, **__: None)  # type: ignore[assignment,method-assign]
    try:
        yield
    finally:
        App.create_app = staticmethod(made)  # type: ignore[method-assign]


def _keep_gradio_in_bounds() -> None:
    """Keep Gradio from fetching what a visitor names by a URL, and give each upload a file of its own.

    Gradio lays uploads with the same content into one file, which would be gone for the second visitor once the
    first one's is read.
    """
    from gradio import processing_utils, route_utils

    async def fetch_nothing(url: str) -> Any:
        raise FeatureblendError("the page fetches nothing from elsewhere")

    class OwnUpload(route_utils.GradioUploadFile):
        def __init__(self, *values: Any, **named: Any) -> None:
            super().__init__(*values, **named)
            self.sha.update(os.urandom(16))  # the folder's name

    processing_utils.async_ssrf_protected_get = fetch_nothing  # type: ignore[assignment]
    if route_utils.GradioUploadFile.__name__ != OwnUpload.__name__:
        route_utils.GradioUploadFile = OwnUpload  # type: ignore[misc]


def _say(line: str) -> None:
    print(line, flush=True)  # a pipe would hold it back until the server stops


def _free_port(host: str, port: int) -> int:
    """Check that the address is free, before any slow step."""
    if not 0 <= port <= 65535:
        raise FeatureblendError(f"port {port}: expected a number from 0 to 65535")
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
