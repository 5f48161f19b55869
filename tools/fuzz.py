#!/usr/bin/env python3
"""Feed every reader with what nobody should send: does it crash, hang, take memory, or write where it should not?

Good files are changed at random: by atheris, which looks at what code a change reaches, where that is installed, else
blindly. (Hypothesis draws changes as well, and spends five times as long on a draw as a reader on the case.) A reader
may give a value or raise `FeatureblendError`; anything else is a finding, and so are more than `SECONDS`, more than
`MOST_MEMORY`, and files outside its folder. Each reader has a process of its own, so that a crash of a library's native
code is found too; the case that was at work then lies in ``out/fuzz/READER.case``.

``python tools/fuzz.py --cases 100000`` tries each reader so often; a line of JSON says what came out.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import io
import json
import logging
import math
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from featureblend.errors import FeatureblendError

SECONDS = 5.0
"""Of the processor, for one case."""
ENGINES = ("atheris", "random")
MOST_MEMORY = 2 << 30
"""Bytes that a reader may take beyond what its libraries do."""
TOKENS = (
    *(
        b"null",
        b"NaN",
        b"Infinity",
        b"-1",
        b"0",
        b"1e400",
        b"9999999999",
        b"[]",
        b"{}",
        b"[" * 2000,
        b"true",
        b";",
        b'"',
    ),
    *(
        b'"../../etc/passwd"',
        b'"/etc/passwd"',
        b'"\\u0000"',
        b"\t",
        b"\xff\xd8",
        b"\0" * 8,
        b"\xff" * 8,
        b"\x7f\xff\xff\xff",
    ),
    *(b"\xef\xbb\xbf", b"\xff\xfe"),
)
"""What a change may put in."""


@dataclass
class Reader:
    """Something that reads what others wrote."""

    read: Callable[[bytes], Any]
    seeds: list[bytes]
    slowness: int = 1
    """One case of it stands for so many."""


def picture_of(suffix: str, **options: Any) -> bytes:
    """A small picture in some format."""
    stream = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    Image.fromarray(noise).save(stream, suffix, **options)
    return stream.getvalue()


def readers(folder: Path) -> dict[str, Callable[[], Reader]]:
    """Every reader by its name; what it needs is imported only when it is tried."""

    def from_file(name: str, read: Callable[[Path], Any]) -> Callable[[bytes], Any]:
        def wrapped(data: bytes) -> Any:
            (folder / name).write_bytes(data)
            return read(folder / name)

        return wrapped

    def picture() -> Reader:
        from featureblend.io.image import decode_photo

        decode_photo(picture_of("PNG"), "a")  # libraries are loaded
        exif = Image.Exif()
        exif[274] = 6
        seeds = [picture_of(kind) for kind in ("PNG", "WEBP", "GIF", "TIFF", "BMP", "PPM", "AVIF")]
        seeds += [picture_of("JPEG", exif=exif.tobytes()), picture_of("JPEG", progressive=True)]
        return Reader(lambda data: decode_photo(data, "a photo"), seeds)

    def recipe(suffix: str) -> Callable[[], Reader]:
        def made() -> Reader:
            from featureblend.io.metadata import read_recipe, save_picture, was_made_here
            from featureblend.io.video import write_pictures

            known = {"featureblend": "0.2.0", "verb": "blend", "weights": [0.5, 0.5], "inputs": [], "options": {"a": 1}}
            path = folder / f"seed{suffix}"
            if suffix == ".mp4":
                frames = [np.full((32, 32, 3), level, np.uint8) for level in (0, 128, 255)]
                write_pictures(path, frames, ["a", "b", "c"], [{}] * 3, known, 10, None)
            else:
                save_picture(path, np.zeros((24, 32, 3), np.uint8), known)

            def read(path: Path) -> None:
                was_made_here(path)
                read_recipe(path)

            return Reader(from_file(f"case{suffix}", read), [path.read_bytes()], 10 if suffix == ".mp4" else 1)

        return made

    def shard() -> Reader:
        from featureblend.faces.drawn import draw_face
        from featureblend.training.prepare import prepare
        from featureblend.training.shards import read_shard

        photos = folder / "photos"
        photos.mkdir()
        for seed in range(2):
            Image.fromarray(draw_face(seed, 120)[0]).save(photos / f"Drawn_Face_{seed}.jpg")
        prepare(photos, folder / "seed.tar", jobs=1, quiet=True)
        return Reader(from_file("case.tar", lambda path: list(read_shard(path))), [(folder / "seed.tar").read_bytes()])

    def pairs() -> Reader:
        from featureblend.edit.batch import finished_lines, read_rows

        seeds = [
            b"photo_a,photo_b,weights,method,name\na.jpg,b.jpg,1;2,latent,x\nc.jpg,d.jpg,,pixel,\n",
            "a;b\n1,5;ü.jpg\n".encode("utf-16"),
            b"name,file,status,error,photos,weights,method,warnings,key\na,a.png,done,,x;y,0.5 0.5,latent,,abc\n",
        ]

        def read(path: Path) -> None:
            for one in (read_rows, finished_lines):
                with suppress(FeatureblendError):
                    one(path)

        return Reader(from_file("case.csv", read), seeds)

    def weights() -> Reader:
        from featureblend.edit.average import read_weights

        return Reader(from_file("case.csv", read_weights), [b"photo,weight\na.jpg,1\nb.jpg,50%\n", b"a.jpg;1,5\n"])

    def passwords() -> Reader:
        from featureblend.web.guard import read_passwords

        return Reader(from_file("who.txt", read_passwords), [b"ana:secret\nben:a:b\n"])

    def code() -> Reader:
        from featureblend.io.codes import Code

        path = Code(np.zeros(64, np.float32), "ab", "a.jpg", np.zeros((68, 2)), True).save(folder / "seed.npz")
        packed = io.BytesIO()
        with np.load(path) as stored:
            np.savez_compressed(packed, **stored)
        return Reader(from_file("case.npz", Code.load), [path.read_bytes(), packed.getvalue()])

    def model() -> Reader:
        from featureblend.model.folder import find_model, read_model_folder

        for name in ("encoder.onnx", "decoder.onnx", "cleaner.onnx"):
            (folder / name).write_bytes(b"")
        known = json.loads((find_model() / "config.json").read_text())
        known["files"] = dict.fromkeys(known["files"], hashlib.sha256().hexdigest())
        seeds = [json.dumps(known).encode()]
        return Reader(from_file("config.json", lambda path: read_model_folder(path.parent)), seeds)

    def experiment() -> Reader:
        from featureblend.io.settings import to_dict
        from featureblend.training.presets import PRESETS
        from featureblend.training.state import RunFolder

        seeds = [json.dumps(to_dict(PRESETS[name])).encode() for name in ("toy", "modern")]
        return Reader(from_file("experiment.json", lambda path: RunFolder(path.parent).experiment()), seeds)

    def checkpoint() -> Reader:
        import torch

        from featureblend.training.state import STATE, RunFolder

        stream = io.BytesIO()
        torch.save({**dict.fromkeys(STATE, 1), "ema": {"a": torch.zeros(3, 4)}}, stream)
        return Reader(from_file("checkpoint.pt", lambda path: RunFolder(path.parent).load()), [stream.getvalue()], 4)

    def network() -> Reader:
        from featureblend.io.files import sha256
        from featureblend.model.folder import find_model
        from featureblend.model.networks import Networks

        known = json.loads((find_model() / "config.json").read_text())
        known |= {"image_size": 8, "latent_dim": 4, "metrics": {}}
        side = [3, 8, 8]

        def read(data: bytes) -> None:
            which, network = data[:1], data[1:]
            for name in ("encoder.onnx", "decoder.onnx"):
                (folder / name).write_bytes(network if (which < b"\x80") == (name[0] == "e") else small[name])
            known["files"] = {name: sha256(folder / name) for name in small}
            (folder / "config.json").write_text(json.dumps(known))
            opened = Networks(folder, 1)
            opened.pictures(opened.latents(np.zeros((2, 8, 8, 3), np.uint8)))

        small = {
            "encoder.onnx": tiny_network("images", side, "latent", [4]),
            "decoder.onnx": tiny_network("latent", [4], "images", side),
        }
        lies = [
            tiny_network("images", side, "latent", [4], [-1, 5]),
            tiny_network("images", side, "latent", [4], [4, -1]),
            tiny_network("images", side, "latent", [4], [1 << 40, 4]),
        ]
        seeds = [b"\0" + one for one in (small["encoder.onnx"], *lies)] + [b"\xff" + small["decoder.onnx"]]
        return Reader(read, seeds, 2)

    def replayed() -> Reader:
        from featureblend.blend.blender import Blender
        from featureblend.edit.replay import replay
        from featureblend.faces import EXAMPLES

        blender, photos = Blender.from_pretrained(), [EXAMPLES / "first.jpg", EXAMPLES / "second.jpg"]
        recipes = [blender.blend(photos, [2, 1], method, size=64).recipe for method in ("latent", "pixel")]

        def read(data: bytes) -> None:
            (folder / "recipe.json").write_bytes(data)
            replay(folder / "recipe.json", folder / "again.png", photos)

        return Reader(read, [json.dumps(one).encode() for one in recipes], 100)

    def page() -> Reader:
        import asyncio

        from featureblend.blend.blender import Blender
        from featureblend.faces import EXAMPLES
        from featureblend.web import guard, server
        from featureblend.web.studio import Studio

        os.environ.update({**server.QUIET, "GRADIO_TEMP_DIR": str(folder / "uploads")})
        import httpx
        from gradio.routes import App
        from gradio.state_holder import SessionState

        from featureblend.web.app import Page

        server._keep_gradio_in_bounds()
        logging.disable(logging.CRITICAL)
        guard.BURST = math.inf
        studio = Studio(Blender.from_pretrained())
        built = Page(studio).blocks.queue()
        built.has_launched, built.max_file_size = True, guard.MOST_BYTES
        built.app = App.create_app(built)
        guarded = guard.Guard(built.app, "127.0.0.1", folder / "uploads")
        secret = folder / "secret.jpg"
        secret.write_bytes((EXAMPLES / "first.jpg").read_bytes())
        given = [[part.get_config().get("value") for part in fn.inputs] for fn in built.fns.values()]

        async def asked(path: str, body: bytes) -> None:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(guarded), base_url="http://127.0.0.1") as client:
                kind = "multipart/form-data; boundary=b" if "upload" in path else "application/json"
                method = "POST" if body else "GET"
                answer = await client.request(method, path, content=body, headers={"Content-Type": kind})
            if answer.status_code >= 500 or b"root:" in answer.content or b"JFIF" in answer.content[:40]:
                raise RuntimeError(f"{answer.status_code} {answer.content[:50]!r}")

        async def called(number: int, values: list[Any]) -> None:
            fn = built.fns[number % len(built.fns)]
            if fn.fn is not None and fn.name != "picked":  # which wants an event that only a browser makes
                await built.process_api(fn, values, state=SessionState(built))

        def read(data: bytes) -> None:
            """One request: a path, a line's end, and a body; or the number of a handler, and its values as JSON."""
            path, _, body = data.partition(b"\n")
            shown = "/" + path.decode("latin-1").lstrip("/")
            if path.isdigit():
                try:
                    values = json.loads(body)
                except (ValueError, RecursionError):  # no JSON, or nested too deep
                    return
                try:
                    asyncio.run(called(int(path[:9]), values if isinstance(values, list) else [values]))
                except Exception as error:  # Gradio refuses values in many ways; ours are told on the page
                    if any("featureblend" in one for one in _frames(error)):
                        raise
            elif shown.partition("?")[0] != "/":  # whose template wants a server that was started
                with suppress(httpx.InvalidURL, UnicodeError):
                    asyncio.run(asked(shown, body))
            if not secret.exists():
                raise RuntimeError("the secret was removed")

        file = {"path": str(secret), "orig_name": "a.jpg", "meta": {"_type": "gradio.FileData"}}
        seeds = [f"{place}\n{json.dumps(values, default=str)}".encode() for place, values in enumerate(given)]
        seeds += [f"{place}\n{json.dumps([[file], *values[1:]], default=str)}".encode()
                  for place, values in enumerate(given)]  # fmt: skip
        seeds += [f"gradio_api/file={secret}\n".encode(), b"gradio_api/file=/etc/passwd\n", b"config\n"]
        seeds += [b'gradio_api/queue/join\n{"data": [], "fn_index": 0, "session_hash": "a"}']
        part = b'--b\r\nContent-Disposition: form-data; name="files"; filename="../../a.jpg"\r\n\r\nabc\r\n--b--\r\n'
        seeds += [b"gradio_api/upload\n" + part]
        return Reader(read, seeds, 10)

    found = {
        **{"page": page, "picture": picture, "shard": shard, "list": pairs, "weights": weights, "passwords": passwords},
        **{"code": code, "model": model, "experiment": experiment, "checkpoint": checkpoint, "network": network},
        "replay": replayed,
    }
    return found | {f"recipe{suffix}": recipe(suffix) for suffix in (".png", ".jpg", ".webp", ".gif", ".mp4")}


def tiny_network(
    given: str, from_shape: list[int], gives: str, to_shape: list[int], inner: list[int] | None = None
) -> bytes:
    """An ONNX network that sums or repeats its input; with `inner` its result has that shape, whatever it says."""
    from onnx import TensorProto, helper, numpy_helper

    weight = np.zeros((int(np.prod(from_shape)), int(np.prod(to_shape))), np.float32)
    shape = np.array([0, *to_shape] if inner is None else inner, np.int64)
    nodes = [
        helper.make_node("Flatten", [given], ["flat"]),
        helper.make_node("MatMul", ["flat", "weight"], ["product"]),
        helper.make_node("Reshape", ["product", "shape"], [gives]),
    ]
    graph = helper.make_graph(
        nodes, "tiny",
        [helper.make_tensor_value_info(given, TensorProto.FLOAT, ["batch", *from_shape])],
        [helper.make_tensor_value_info(gives, TensorProto.FLOAT, ["batch", *to_shape])],
        [numpy_helper.from_array(weight, "weight"), numpy_helper.from_array(shape, "shape")],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


class Watch:
    """Tries cases, and notes what is wrong with each."""

    def __init__(self, name: str, reader: Reader, folder: Path, keep: Path) -> None:
        self.name, self.reader, self.folder, self.keep = name, reader, folder, keep
        self.count = self.read = 0
        self.slowest = 0.0
        self.findings: dict[str, str] = {}
        self.outside: list[str] = []
        self.quiet = False
        sys.addaudithook(self._heard)

    def _heard(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Note what is written outside the folder."""
        if self.quiet or event not in ("open", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "subprocess.Popen"):
            return
        if event == "open" and not (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            return
        path = arguments[0]
        if isinstance(path, int) or os.fspath(path) in (os.devnull, b"/dev/null"):
            return
        place = Path(os.path.realpath(os.fsdecode(path)))
        if not place.is_relative_to(os.path.realpath(self.folder)):
            self.outside.append(f"{event} {place}")

    def one(self, data: bytes) -> str:
        """Try a case; what is wrong with it, if anything is."""
        self.quiet = True
        self.keep.write_bytes(data)
        self.quiet = False
        self.outside.clear()
        self.count += 1
        start = time.process_time()
        wrong = ""
        try:
            self.reader.read(data)
            self.read += 1
        except FeatureblendError as error:
            if "\n" in str(error):
                wrong = "a message of several lines"
        except (Exception, RecursionError) as error:
            frames = [one for one in _frames(error) if "featureblend" in one] or ["?"]
            wrong = f"{type(error).__name__} at {frames[-1]}: {str(error)[:80]!r}"
        took = time.process_time() - start
        self.slowest = max(self.slowest, took)
        if took > SECONDS:
            wrong = wrong or f"{took:.1f} s"
        if self.outside:
            wrong = wrong or f"outside its folder: {self.outside[0]}"
        if wrong and wrong.partition(": ")[0] not in {found.partition(": ")[0] for found in self.findings.values()}:
            self.quiet = True
            kept = self.keep.with_name(f"{self.name}-{len(self.findings) + 1}.found")
            kept.write_bytes(data)
            self.quiet = False
            self.findings[kept.name] = wrong
        return wrong

    def report(self, engine: str) -> dict[str, Any]:
        """What came out."""
        return {
            "engine": engine,
            "cases": self.count,
            "were_read": self.read,
            "slowest_s": round(self.slowest, 2),
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
            "findings": self.findings,
        }


def _frames(error: BaseException) -> list[str]:
    import traceback

    return [f"{one.filename.rpartition('/src/')[2]}:{one.lineno}" for one in traceback.extract_tb(error.__traceback__)]


def changed(seed: bytes, edits: list[tuple[str, int, int, bytes]]) -> bytes:
    """A good file with changes: bytes put over others or between them, a part cut out or doubled."""
    data = bytearray(seed)
    for kind, place, length, put in edits:
        start = place % (len(data) + 1)
        if kind == "over":
            data[start : start + len(put)] = put
        elif kind == "between":
            data[start:start] = put
        elif kind == "cut":
            del data[start : start + length]
        else:
            data[start:start] = data[start : start + length]
    return bytes(data)


def with_random(watch: Watch, count: int, seed: int) -> None:
    """Try changed files."""
    draw = random.Random(seed)
    for _ in range(count):
        edits = []
        for _ in range(draw.randrange(6)):
            put = draw.choice(TOKENS) if draw.random() < 0.5 else draw.randbytes(draw.randint(1, 6))
            kind = draw.choice(("over", "over", "between", "cut", "double"))
            edits.append((kind, draw.randrange(1 << 20), draw.randint(1, 300), put))
        watch.one(changed(draw.choice(watch.reader.seeds), edits))


def with_atheris(watch: Watch, count: int, seed: int) -> None:
    """Try changed files; those that reach code which no other did are changed further. Ends the process."""
    import atheris

    corpus = watch.folder / "corpus"
    corpus.mkdir()
    for number, data in enumerate(watch.reader.seeds):
        (corpus / f"seed-{number}").write_bytes(data)
    longest = 2 * max(map(len, watch.reader.seeds)) + 100

    def one(data: bytes) -> None:
        watch.one(data)
        if watch.count % 100 == 0:  # libFuzzer ends the process without a last word
            watch.quiet = True
            print(json.dumps({"reader": watch.name, **watch.report("atheris")}), flush=True)
            watch.quiet = False

    words = [
        f"-runs={count}",
        f"-seed={seed + 1}",
        f"-max_len={longest}",
        "-verbosity=0",
        "-rss_limit_mb=0",
        "-timeout=60",
    ]
    atheris.Setup([sys.argv[0], *words, str(corpus)], one)
    atheris.Fuzz()


def child(names: list[str], count: int, seed: int, keep: Path, engine: str) -> None:
    """Try readers, and print what came out."""
    for name in names:
        with tempfile.TemporaryDirectory(prefix="fuzz-") as work:
            folder = Path(os.path.realpath(work))
            tempfile.tempdir = str(folder)
            tried(name, count, seed, keep / f"{name}.case", engine, folder)
            tempfile.tempdir = None


def tried(name: str, count: int, seed: int, keep: Path, engine: str, folder: Path) -> None:
    """Try a reader, and print what came out."""
    make = readers(folder)[name]
    if engine == "atheris":
        import atheris

        with atheris.instrument_imports(include=["featureblend"], enable_loader_override=False):
            reader = make()
    else:
        reader = make()
    with suppress(FeatureblendError):
        reader.read(reader.seeds[0])  # libraries are loaded before anything is counted
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MOST_MEMORY, resource.RLIM_INFINITY))
    watch = Watch(name, reader, folder, keep)
    for data in reader.seeds:
        watch.one(data)
    count = max(count // reader.slowness, 5)
    if engine == "atheris":
        with_atheris(watch, count, seed)
    with_random(watch, count, seed)
    watch.quiet = True
    print(json.dumps({"reader": name, **watch.report(engine)}), flush=True)


def campaign(
    names: list[str], count: int, seed: int, keep: Path, engine: str, apart: bool = True
) -> dict[str, dict[str, Any]]:
    """Try readers, each in a process of its own, or all in one; what came out, by name."""
    keep.mkdir(parents=True, exist_ok=True)
    found: dict[str, dict[str, Any]] = {}
    for those in [[name] for name in names] if apart else [names]:
        command = [sys.executable, __file__, "--reader", *those, "--cases", str(count), "--seed", str(seed)]
        command += ["--out", str(keep), "--engine", engine]
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
        for line in done.stdout.splitlines():
            if line.startswith('{"reader"'):
                told = json.loads(line)
                found[told.pop("reader")] = told
        for name in those:
            if done.returncode or name not in found:
                found.setdefault(name, {"findings": {}})["findings"][f"{name}.case"] = (
                    f"the process ended with {done.returncode}: {done.stderr.strip()[-200:]}"
                )
            print(name, json.dumps(found[name]), file=sys.stderr, flush=True)
    return found


def main() -> int:
    """Say what came out in one line; 1 where anything was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=100_000, help="of each reader; slow ones get a fraction")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    parser.add_argument("--out", type=Path, default=Path("out/fuzz"), help="folder for what is found")
    parser.add_argument("--only", nargs="+", help="readers to try")
    parser.add_argument("--engine", choices=ENGINES)
    parser.add_argument("--reader", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    engine = options.engine or ("atheris" if importlib.util.find_spec("atheris") else "random")
    if options.reader:
        child(options.reader, options.cases, options.seed, options.out, engine)
        return 0
    names = options.only or list(readers(Path()))
    found = campaign(names, options.cases, options.seed, options.out.absolute(), engine)
    cases_tried = sum(one.get("cases", 0) for one in found.values())
    print(json.dumps({"seed": options.seed, "cases": cases_tried, "readers": found}))
    return int(any(one["findings"] for one in found.values()))


if __name__ == "__main__":
    sys.exit(main())
