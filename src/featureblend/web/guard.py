"""Whom the server answers, and how much it takes from them: checked before anything reaches the page.

A page on this machine is within reach of every web site that its user has open. The browser sends their requests
along, and a site whose name is made to point at this machine (DNS rebinding) may even read the answers. The `Host`
header gives the second away, `Origin` the first.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import ipaddress
import logging
import os
import re
import socket
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..errors import FeatureblendError
from ..io.files import read_error

MOST_BYTES = 80 << 20
"""Bytes of one photo."""

MOST_AT_ONCE = 6 * MOST_BYTES + (1 << 20)
"""Bytes of one upload: as many photos as are blended at once."""

MOST_IN_FOLDER = 2 << 30
"""Bytes that may lie in the folder of uploads before more are taken; what the page has read it removes."""

MOST_WORDS = 1 << 20
"""Bytes of a request that is no upload."""

PATIENCE = 120.0
"""Seconds in which a request must have arrived."""

RATE, BURST = 20.0, 300.0
"""Requests that change something, a second from one address, and how many may come at once."""

MOST_OPEN = 400
"""Requests of one address that are answered at the same time; an open page holds two or three."""

UPLOAD = "/gradio_api/upload"

USED = re.compile(
    r"/|/(assets|static|svelte)/.*|/(config|theme\.css|favicon\.ico|manifest\.json|robots\.txt)|"
    r"/gradio_api/(info|app_id|startup-events|theme\.css|upload|upload_progress|cancel|login_check)/?|"
    r"/gradio_api/(queue/(join|data)|heartbeat/\w+)/?|"
    r"/gradio_api/file=(?!\w+:/).*",
    re.DOTALL,
)
"""What the page itself asks for. Gradio has more, such as fetching files from elsewhere; none of it is answered."""

STARTING = "/gradio_api/startup-events"
"""Gradio asks itself for this when it starts, and without a password."""


def stays_here(host: str) -> bool:
    """Whether only this machine can reach what listens at an address.

    Examples
    --------
    >>> stays_here("127.0.0.1"), stays_here("localhost"), stays_here("0.0.0.0")
    (True, True, False)
    """
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return False
    return all(ipaddress.ip_address(str(one[4][0]).partition("%")[0]).is_loopback for one in found)


def read_passwords(path: str | os.PathLike[str]) -> dict[str, str]:
    """Read who may see the page: a file with lines such as ``ana:her password``.

    Raises
    ------
    FeatureblendError
        If it can't be read, or a line is no name and password.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise read_error(str(path), error, "a file of names and passwords") from error
    found = {}
    for place, line in enumerate(lines, 1):
        name, colon, password = line.partition(":")
        if not line.strip():
            continue
        if not (name and colon and password):
            raise FeatureblendError(f"{path}, line {place}: expected a name, a colon and a password")
        found[name] = password
    if not found:
        raise FeatureblendError(f"{path} names nobody: give it lines such as ana:PASSWORD")
    return found


class Guard:
    """Middleware that answers who may ask for what the page needs (an ASGI application around another).

    Parameters
    ----------
    app : ASGI application
    host : str
        The address that the server listens at.
    folder : path-like
        Where uploads are kept.
    passwords : mapping, optional
        Passwords by name; without any, nobody is asked (HTTP basic authentication).
    """

    def __init__(
        self, app: Any, host: str, folder: str | os.PathLike[str], passwords: Mapping[str, str] | None = None
    ) -> None:
        self.app, self.folder, self.passwords = app, Path(folder), passwords
        self.here = stays_here(host)
        own = socket.gethostname().lower()
        self.names = {"localhost"} if self.here else {"localhost", host.lower(), own, own.partition(".")[0] + ".local"}
        self.buckets: dict[str, tuple[float, float]] = {}
        """Requests that each address has left, and when that was."""
        self.open: Counter[str] = Counter()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Handle one request."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":  # the page opens no web socket
            await send({"type": "websocket.close", "code": 1008})
            return
        client = (scope.get("client") or ("",))[0]
        refused = self._refused(scope, client)
        if refused:
            await _answer(send, *refused)
            return
        started = failed = False

        async def noted(message: Any) -> None:
            nonlocal started, failed
            failed = failed or message.get("status") == 500
            if not failed:  # starlette says "Internal Server Error" before it raises what was wrong
                started = True
                await send(message)

        answer: tuple[int, str, tuple[bytes, bytes] | None] = (400, "the request makes no sense", None)
        self.open[client] += 1
        try:
            await self.app(scope, self._counted(scope, receive), noted)
            if failed:
                await _answer(send, *answer)
        except Exception as error:  # Gradio trips over what the page never sends, such as an unknown handler
            if started:
                raise
            if not isinstance(error, _TooMuch) and type(error).__name__ != "ClientDisconnect":  # starlette's
                logging.getLogger(__name__).warning("a request made no sense: %s", type(error).__name__)
            await _answer(send, *(error.answer if isinstance(error, _TooMuch) else answer))
        finally:
            self.open[client] -= 1
            if not self.open[client]:
                del self.open[client]

    def _refused(self, scope: Any, client: str) -> tuple[int, str, tuple[bytes, bytes] | None] | None:
        """Status, words and a header, where the request is not to be answered."""
        headers: dict[bytes, bytes] = {}
        for name, value in scope["headers"]:
            if name.lower() in (b"host", b"origin", b"content-length") and name.lower() in headers:
                return 400, "a header came twice", None
            headers[name.lower()] = value
        host, origin = (headers.get(name, b"").decode("latin-1") for name in (b"host", b"origin"))
        if not self._knows(host):
            return 421, "open the page by this machine's address, not by another name", None
        foreign = origin and urlsplit(origin).netloc.lower() != host.lower()
        beside = headers.get(b"sec-fetch-site") in (
            b"cross-site",
            b"same-site",
        )  # the latter: another port of this machine
        if foreign or (beside and headers.get(b"sec-fetch-mode") != b"navigate"):
            return 403, "another site's page asked for this", None
        path, changes = scope["path"], scope["method"] not in ("GET", "HEAD")
        if self.passwords and path != STARTING and not self._may(headers.get(b"authorization", b"")):
            asked = (b"www-authenticate", b'Basic realm="featureblend", charset="UTF-8"')
            if b"authorization" in headers and not self._spend(client):
                return 429, "too many wrong passwords: wait a moment", (b"retry-after", b"2")
            return 401, "a name and a password are needed", asked
        if not USED.fullmatch(path):
            return 404, "there is no such page", None
        if self.open[client] >= MOST_OPEN or (changes and not self._spend(client)):
            return 429, "too many requests: wait a moment", (b"retry-after", b"2")
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length) > _most(path):
            return 413, "this is more than the page takes", None
        if path.startswith(UPLOAD) and changes and _held(self.folder) > MOST_IN_FOLDER:
            return 507, "the server has no room for more photos: try again later", None
        return None

    def _knows(self, host: str) -> bool:
        """Whether the `Host` header names this machine. A number is what a site's name can't be."""
        try:
            name = urlsplit(f"//{host}").hostname or ""
            if name in self.names:
                return True
            return ipaddress.ip_address(name).is_loopback or not self.here
        except ValueError:
            return False

    def _may(self, header: bytes) -> bool:
        """Whether the name and the password are right; it takes as long where they are not."""
        kind, _, coded = header.partition(b" ")
        try:
            given = base64.b64decode(coded.strip(), validate=True) if kind.lower() == b"basic" else b""
        except binascii.Error:
            given = b""
        right = [f"{name}:{password}".encode() for name, password in (self.passwords or {}).items()]
        return any([hmac.compare_digest(given, one) for one in right])  # noqa: C419  all are compared

    def _spend(self, client: str) -> bool:
        """Take one request from what an address has left; whether there was one."""
        now = time.monotonic()
        left, then = self.buckets.pop(client, (BURST, now))
        left = min(BURST, left + RATE * (now - then))
        if len(self.buckets) > 10_000:  # those that have rested are full again
            self.buckets = {one: kept for one, kept in self.buckets.items() if now - kept[1] < BURST / RATE}
        self.buckets[client] = (left - 1 if left >= 1 else left, now)
        return left >= 1

    def _counted(self, scope: Any, receive: Any) -> Any:
        """`receive` that stops a request that is longer than it said, or never ends."""
        ends, came, complete = time.monotonic() + PATIENCE, 0, False

        async def counted() -> Any:
            nonlocal came, complete
            if complete:
                return await receive()  # waits for the visitor to leave
            try:
                message = await asyncio.wait_for(receive(), max(ends - time.monotonic(), 0.001))
            except asyncio.TimeoutError as error:
                raise _TooMuch(408, "the request took too long") from error
            came += len(message.get("body", b""))
            complete = not message.get("more_body", False)
            if came > _most(scope["path"]):
                raise _TooMuch(413, "this is more than the page takes")
            return message

        return counted


class _TooMuch(Exception):
    """A request is too long, or too slow."""

    def __init__(self, status: int, said: str) -> None:
        super().__init__(said)
        self.answer: tuple[int, str, None] = (status, said, None)


def _most(path: str) -> int:
    return MOST_AT_ONCE if path.startswith(UPLOAD) else MOST_WORDS


def _held(folder: Path) -> int:
    """Bytes of all files in a folder; some may go meanwhile."""
    held = 0
    for path in folder.rglob("*"):
        try:
            held += path.lstat().st_size
        except OSError:
            continue
    return held


async def _answer(send: Any, status: int, said: str, header: tuple[bytes, bytes] | None) -> None:
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"connection", b"close"),
        *([header] if header else []),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": f"{said}\n".encode()})
