"""Fetch onnxruntime-web, which the page without a server runs on, from npm into the package: `make runtime`.

The wheel holds it; git, whose history would keep each version's 14 MB, does not. The hashes are stated in
`featureblend.web.static_page`.
"""

from __future__ import annotations

import hashlib
import subprocess
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory

from featureblend.web.static_page import RUNTIME, RUNTIME_FILES

VERSION = "1.30.0"


def main() -> None:
    """Fetch what is not there yet, or is another version's."""
    wanted = dict(RUNTIME_FILES.values())
    if all((RUNTIME / name).is_file() and _hash((RUNTIME / name).read_bytes()) == due for name, due in wanted.items()):
        return
    with TemporaryDirectory() as folder:
        subprocess.run(
            ["npm", "pack", "--silent", f"onnxruntime-web@{VERSION}"], cwd=folder, check=True, stdout=subprocess.DEVNULL
        )
        RUNTIME.mkdir(exist_ok=True)
        with tarfile.open(next(Path(folder).glob("*.tgz"))) as package:
            for name, due in wanted.items():
                content = package.extractfile(f"package/dist/{name}").read()
                if _hash(content) != due:
                    raise SystemExit(f"{name} of onnxruntime-web {VERSION} has the SHA-256 {_hash(content)}, not {due}")
                (RUNTIME / name).write_bytes(content)


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


if __name__ == "__main__":
    main()
