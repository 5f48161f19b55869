#!/usr/bin/env python3
"""Visit the web page as many people at once do: does anybody get another's picture, does anything fail?

Each visitor does what a browser does: holds a connection by which the server knows that the page is open, puts two
example faces on the table, in a tint of their own, moves a slider again and again, and has each blend measured. The
colour of every picture that comes back tells whose photos are in it. After one request in ten a visitor leaves while it
is under way, and somebody with other photos comes; one more uploads a photo a few bytes at a time all the while.

``python tools/load.py --visitors 50 --minutes 5`` starts the real command; a line of JSON says what came out.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import io
import itertools
import json
import math
import os
import random
import re
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from PIL import Image

from featureblend.blend.blender import Blender
from featureblend.faces import EXAMPLES
from featureblend.io.image import load_image
from featureblend.web.studio import LIVE, SIZES, Look, Studio

LEVELS = (1.0, 0.82, 0.67, 0.55, 0.45)
TINTS = [np.array(gains) for gains in itertools.product(LEVELS, repeat=3) if max(gains) == 1.0]
"""What each visitor's photos are multiplied with: 61 of them, a fifth apart in at least one channel."""
WEIGHTS = (30, 50, 70)
"""Of the first photo; the second has 50."""
NAMES = ("first.jpg", "second.jpg")
SIZE = next(name for name, size in SIZES.items() if size == "model")
LEFT = 0.1
"""Share of requests after which a visitor leaves at once."""
GROWTH = 10.0
"""Most that memory may grow once everybody has had a picture, after a minute at least, in MB a minute."""
GRACE = 3.0
"""Seconds in which the server ends what it was at when everybody left ..."""
IDLE = 0.1
"""... and cores that it may be busy with after them."""


def tinted(tint: np.ndarray, comment: str = "") -> list[tuple[str, bytes]]:
    """The two photos of a visitor, by name; with another comment they are other files."""
    files = []
    for name in NAMES:
        stream = io.BytesIO()
        photo = Image.fromarray((load_image(EXAMPLES / name) * tint).round().astype(np.uint8))
        photo.save(stream, "JPEG", quality=95, comment=comment)
        files.append((name, stream.getvalue()))
    return files


def untinted() -> dict[int, np.ndarray]:
    """Mean colour of the blend of the plain photos, by the first one's weight."""
    studio, table = Studio(Blender.from_pretrained()), ()
    for name, content in tinted(TINTS[0]):
        table = studio.added(table, name, content)
    look = Look(size="model", mend=False)
    return {weight: colour(studio.preview(table, [weight, 50], look, LIVE).image) for weight in WEIGHTS}


def colour(picture: Image.Image) -> np.ndarray:
    """Mean of each channel."""
    return np.asarray(picture.convert("RGB"), float).mean((0, 1))


def whose(picture: Image.Image, plain: np.ndarray) -> int:
    """Place in `TINTS` of the tint that a picture has, brightness aside."""
    found = np.log(colour(picture) / plain)
    tints = np.log(TINTS)
    differences = (tints - tints.mean(1, keepdims=True)) - (found - found.mean())
    return int(np.square(differences).sum(1).argmin())


@dataclass
class Page:
    """The numbers by which the server knows the page's parts."""

    config: dict[str, Any]

    def part(self, name: str) -> int:
        """Number of a part, by its name in the page."""
        return next(one["id"] for one in self.config["components"] if one["props"].get("elem_id") == name)

    def event(self, name: str, what: str) -> dict[str, Any]:
        """What happens to a part, such as ``("drop", "upload")``."""
        wanted = [self.part(name), what]
        return next(one for one in self.config["dependencies"] if wanted in [list(pair) for pair in one["targets"]])

    def following(self, event: dict[str, Any]) -> list[dict[str, Any]]:
        """What a browser asks for once an event is done, one after the other."""
        found = [one for one in self.config["dependencies"] if one["trigger_after"] == event["id"]]
        return [one for first in found for one in (first, *self.following(first))]

    def values(self, event: dict[str, Any], **given: Any) -> list[Any]:
        """What a browser sends for an event: what is shown at first, but for the parts that are given by name."""
        props = {one["id"]: one["props"] for one in self.config["components"]}
        shown = [props[number] for number in event["inputs"]]
        return [given.get((one.get("elem_id") or "").replace("-", "_"), one.get("value")) for one in shown]


@dataclass
class Record:
    """What all visitors met."""

    pictures: int = 0
    others: int = 0
    """Pictures with another visitor's colours."""
    failures: Counter[str] = field(default_factory=Counter)
    left: int = 0
    first: dict[int, float] = field(default_factory=dict)
    """When each place's first picture came."""
    waited: list[float] = field(default_factory=list)
    told: int = 0
    """Messages that named a place in the queue."""


class Visitor:
    """Somebody who has the page open."""

    def __init__(self, address: str, page: Page, place: int, record: Record) -> None:
        self.address, self.page, self.place, self.record = address, page, place, record
        self.random = random.Random(place)

    async def stay(self, until: float, plain: dict[int, np.ndarray], rest: float) -> None:
        """Come, put the photos on the table and move sliders; whoever left is followed by the next."""
        for visit in itertools.count():
            if time.monotonic() > until:
                return
            self.session = f"{self.random.getrandbits(48):x}"
            self.files = tinted(TINTS[self.place], f"visit {visit}")
            try:
                limits = httpx.Limits(max_connections=8)
                async with (
                    httpx.AsyncClient(base_url=self.address, timeout=600, limits=limits) as client,
                    client.stream("GET", f"/gradio_api/heartbeat/{self.session}"),  # the page is open
                ):
                    await self._visit(client, until, plain, rest)
            except (httpx.HTTPError, LookupError, ValueError) as error:
                self.record.failures[f"{type(error).__name__}: {error}"[:120]] += 1
                await asyncio.sleep(rest)

    async def _visit(self, client: httpx.AsyncClient, until: float, plain: dict[int, np.ndarray], rest: float) -> None:
        page, look = self.page, {"size": SIZE, "mend": False}
        sent = await client.post("/gradio_api/upload", files=[("files", file) for file in self.files])
        sent.raise_for_status()
        meta = {"_type": "gradio.FileData"}
        dropped = [
            {"path": path, "orig_name": name, "meta": meta} for path, name in zip(sent.json(), NAMES, strict=True)
        ]
        event, given, weight = page.event("drop", "upload"), {**look, "drop": dropped}, 50
        while True:
            start = time.monotonic()
            leaves = "drop" not in given and self.random.random() < LEFT
            values = await self._asked(client, event, page.values(event, **given), leaves)
            if values is None:
                self.record.left += 1
                return
            self.record.waited.append(time.monotonic() - start)
            if not self._seen(event, values, plain[weight]):
                raise LookupError(f"no picture came: {str(values)[:80]}")
            for following in page.following(event):
                values = await self._asked(client, following, page.values(following, **given), leaves=False)
                self._seen(following, values, plain[weight])
            if time.monotonic() > until:
                return
            await asyncio.sleep(rest * (0.5 + self.random.random()))
            weight = self.random.choice(WEIGHTS)
            event, given = page.event("weight-1", "input"), {**look, "weight_1": weight}

    def _seen(self, event: dict[str, Any], values: Any, plain: np.ndarray) -> bool:
        """Look at the blend, if it is among what an event gave: whose is it?"""
        if self.page.part("picture") not in event["outputs"]:
            return False
        html = values[event["outputs"].index(self.page.part("picture"))]
        html = html.get("value", "") if isinstance(html, dict) else html
        found = re.search(r'src="data:image/\w+;base64,([^"]+)"', html or "")
        if not found:
            return False
        picture = Image.open(io.BytesIO(base64.b64decode(found[1])))
        self.record.pictures += 1
        self.record.first.setdefault(self.place, time.monotonic())
        self.record.others += whose(picture, plain) != self.place
        return True

    async def _asked(
        self, client: httpx.AsyncClient, event: dict[str, Any], data: list[Any], leaves: bool
    ) -> list[Any] | None:
        """What an event gives; nothing where the visitor leaves while it is under way."""
        body = {"data": data, "fn_index": event["id"], "session_hash": self.session, "trigger_id": None}
        joined = await client.post("/gradio_api/queue/join", json=body)
        joined.raise_for_status()
        number = joined.json()["event_id"]
        async with client.stream("GET", "/gradio_api/queue/data", params={"session_hash": self.session}) as stream:
            async for line in stream.aiter_lines():
                if not line.startswith("data:"):
                    continue
                message = json.loads(line[5:])
                if message.get("event_id") != number:
                    continue
                self.record.told += message["msg"] == "estimation" and message["rank"] is not None
                if leaves:
                    return None
                if message["msg"] == "process_completed":
                    if not message["success"]:
                        raise ValueError(str(message["output"].get("error")))
                    return list(message["output"]["data"])
        raise LookupError("the stream ended")


async def slow(address: str, until: float) -> None:
    """Somebody whose upload never ends."""
    host, port = address.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    head = f"POST /gradio_api/upload HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: 1000000\r\n"
    writer.write(f"{head}Content-Type: multipart/form-data; boundary=a\r\n\r\n".encode())
    writer.write(b'--a\r\nContent-Disposition: form-data; name="files"; filename="a.jpg"\r\n\r\n')
    try:
        while time.monotonic() < until:
            writer.write(b"a")
            await writer.drain()
            await asyncio.sleep(1)
    except OSError:  # the server's patience is at its end
        pass
    writer.close()


def memory(process: int) -> float:
    """MB that a process holds."""
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{process}/status").read_text())[1]) / 1024


def worked(process: int) -> float:
    """Seconds of the processor that a process took."""
    user, system = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def growth(held: list[tuple[float, float]], since: float) -> float | None:
    """MB a minute by which memory grew since then, of pairs of seconds and MB; None of less than two minutes."""
    later = np.array([one for one in held if one[0] >= since])
    if not len(later) or np.ptp(later[:, 0]) < 115:
        return None
    return round(float(np.polyfit(later[:, 0] / 60, later[:, 1], 1)[0]), 1)


async def visits(address: str, process: int, visitors: int, seconds: float, rest: float) -> dict[str, Any]:
    """Let visitors come, and leave all at once when time is up and each has had a picture; say what they met."""
    plain, record, held = untinted(), Record(), []
    async with httpx.AsyncClient(base_url=address, timeout=60) as client:
        page = Page((await client.get("/config")).json())
    start = time.monotonic()
    until = start + seconds
    people = [Visitor(address, page, place, record).stay(until, plain, rest) for place in range(visitors)]

    async def watch() -> None:
        while True:
            held.append((time.monotonic() - start, memory(process)))
            await asyncio.sleep(min(seconds / 20, 5))

    tasks = [asyncio.ensure_future(one) for one in (*people, slow(address, until), watch())]
    await asyncio.wait(tasks, timeout=seconds)
    while len(record.first) < visitors and not all(task.done() for task in tasks[:visitors]):  # on a slow machine
        await asyncio.sleep(0.1)
    for task in tasks:
        task.cancel()
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    record.failures.update(repr(one)[:120] for one in ended if isinstance(one, Exception))
    grace = min(GRACE, seconds / 3)
    await asyncio.sleep(grace)
    before = worked(process)
    await asyncio.sleep(grace)
    waited = np.array(record.waited or [0.0])
    settled = max(record.first.values()) - start if len(record.first) == visitors else math.inf
    return {
        "visitors": visitors,
        "seconds": round(seconds),
        "pictures": record.pictures,
        "of_others": record.others,
        "failures": dict(record.failures),
        "left": record.left,
        "told_places": record.told,
        "waited_median_s": round(float(np.median(waited)), 2),
        "waited_95_s": round(float(np.percentile(waited, 95)), 2),
        "waited_most_s": round(float(waited.max()), 2),
        "memory_mb": [round(one) for _, one in [*held[:: max(len(held) // 12, 1)], (0, memory(process))]],
        "all_served_after_s": round(settled, 1) if settled < math.inf else None,
        "growth_mb_a_minute": growth(held, max(settled, 60)),
        "cores_once_all_left": round((worked(process) - before) / grace, 2),
    }


def served(visitors: int, seconds: float, rest: float) -> dict[str, Any]:
    """Start the command, let visitors come, and end it with SIGTERM."""
    command = [sys.executable, str(Path(sysconfig.get_path("scripts"), "featureblend")), "web", "--port", "0"]
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": folder})
        try:
            address = process.stdout.readline().split()[0]
            found = asyncio.run(visits(address, process.pid, visitors, seconds, rest))
            uploads = [path for path in Path(folder).rglob("*") if path.suffix == ".jpg"]
        finally:
            process.send_signal(signal.SIGTERM)
            status = process.wait(60)
            process.stdout.close()
        return {
            **found,
            "uploads_left": len(uploads),
            "after_sigterm": len(list(Path(folder).iterdir())),
            "exit": status,
        }


def main() -> int:
    """Say what came out in one line; 1 where anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--visitors", type=int, default=50, choices=range(1, len(TINTS) + 1), metavar="NUMBER")
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--rest", type=float, default=3, help="mean seconds between two moves of a visitor")
    options = parser.parse_args()
    found = served(options.visitors, 60 * options.minutes, options.rest)
    print(json.dumps(found))
    wrong = [found[name] for name in ("of_others", "failures", "after_sigterm", "exit")]
    return int(any(wrong) or (found["growth_mb_a_minute"] or 0) > GROWTH or found["cores_once_all_left"] > IDLE)


if __name__ == "__main__":
    sys.exit(main())
