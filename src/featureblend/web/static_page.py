"""The page that needs no server: a folder of files that any host, or the browser from disk, can open.

The networks run in the browser, on onnxruntime-web. A script each holds a network, since a page opened from disk may
load scripts but not read files. Numbers that both languages need are taken from the Python modules.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

from .. import __version__
from ..blend.compositing import composing, detail, detail_weights, fusion, skin
from ..errors import FeatureblendError
from ..faces import finder, landmarks, masks, parser, warp
from ..io.files import make_folder, writing
from ..io.metadata import save_options
from ..model import fine_mixing
from ..model.folder import find_model, read_model_folder

PAGE = Path(__file__).parent / "static"
RUNTIME = PAGE / "runtime"
"""Where ``tools/fetch_web_runtime.py`` puts onnxruntime-web. Git does not hold it; a wheel does."""

RUNTIME_FILES = {
    "runtime.mjs": ("ort.wasm.bundle.min.mjs", "11e64bd8ffe11bd1a2a2f0d6275fdfbbba7262f0b76b99b53d228a8a22ef3d90"),
    "runtime.wasm": ("ort-wasm-simd-threaded.wasm", "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2"),
}
"""What is taken of it: its name in the page, in the npm package, and its SHA-256."""

CONSTANTS = (finder, warp, masks, parser, fine_mixing, skin, detail, detail_weights, fusion, composing)
"""The modules whose numbers the page takes over."""


def write_static_page(folder: str | os.PathLike[str], model: str | os.PathLike[str] | None = None) -> Path:
    """Write the page for one model.

    Parameters
    ----------
    folder : path-like
        Made if it is not there; files of the page in it are written over.
    model : path-like or str, optional
        As `featureblend.Blender.from_pretrained`.

    Returns
    -------
    Path
        The page, ``index.html``.

    Raises
    ------
    FeatureblendError
        If there is no such model, the page can't mix its latents, or onnxruntime-web is missing or changed.
    """
    source = find_model(model)
    config = read_model_folder(source)
    if "fine" not in config.latent_layout:
        raise FeatureblendError(f"the page mixes latents with a fine part, which {config.name} has not: use lfw-128")
    page = Path(folder)
    if (page / "index.html").exists() and not (page / "files" / "settings.js").exists():
        raise FeatureblendError(f"cannot write {page / 'index.html'}: another page is there; name a folder of its own")
    packed = {name: _runtime(*one) for name, one in RUNTIME_FILES.items()}
    networks = {
        "blazeface_short": finder.NETWORKS / "blazeface_short.onnx",
        "face_mesh": finder.NETWORKS / "face_mesh.onnx",
        "face_parser": parser.NETWORK,
        "encoder": source / "encoder.onnx",
        "decoder": source / "decoder.onnx",
    }
    packed |= {name: path.read_bytes() for name, path in networks.items()}
    settings = {
        "version": __version__,
        "model": {"name": config.name, "identity": config.identity},
        "imageSize": config.image_size,
        "crop": vars(config.crop),
        "layout": config.latent_layout,
        "landmarks": landmarks.LANDMARKS,
        "outline": landmarks.OUTLINE,
        "level": landmarks.LEVEL,
        "networks": list(networks),
        "constants": {module.__name__.rpartition(".")[2]: _constants(module) for module in CONSTANTS},
        "note": _note(),
    }
    make_folder(page)
    files = make_folder(page / "files")
    with writing(page):
        for path in PAGE.iterdir():
            if path.is_file():
                shutil.copyfile(path, page / path.name)
        text = f'"use strict";\nconst FILES = {{}};\nconst SETTINGS = {json.dumps(settings)};\n'
        (files / "settings.js").write_text(text, encoding="utf-8")
        for name, content in packed.items():
            letters = base64.b64encode(gzip.compress(content, mtime=0)).decode()
            (files / f"{name}.js").write_text(f'FILES["{name}"] = "{letters}";\n', encoding="ascii")
    return page / "index.html"


def _runtime(name: str, digest: str) -> bytes:
    path = RUNTIME / name
    if not path.is_file():
        raise FeatureblendError(
            f"onnxruntime-web is missing ({path}): run tools/fetch_web_runtime.py in the project's folder; it needs npm"
        )
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != digest:
        raise FeatureblendError(f"{path} is damaged or changed: run tools/fetch_web_runtime.py again")
    return content


def _constants(module: ModuleType) -> dict[str, Any]:
    """The numbers of a module, and its tables of them."""
    found = {name: value for name, value in vars(module).items() if name.strip("_").isupper()}
    found = {name: value.tolist() if hasattr(value, "tolist") else value for name, value in found.items()}
    return {name: value for name, value in found.items() if _is_data(value)}


def _is_data(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_data(one) for key, one in value.items())
    if isinstance(value, (list, tuple)):
        return all(map(_is_data, value))
    return isinstance(value, (int, float, str))


def _note() -> str:
    """What marks a PNG as synthetic, as base64: the content of its XMP chunk."""
    recipe = {"verb": "blend", "inputs": [0, 0], "options": {"detail": True}, "featureblend": __version__}
    chunks = save_options("blend.png", recipe)["pnginfo"].chunks
    return next(base64.b64encode(data).decode() for _, data, *_ in chunks if data.startswith(b"XML:com.adobe.xmp"))
