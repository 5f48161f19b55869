"""Fetch onnxruntime-web, which the page without a server runs on, from npm into the package: `make runtime`.

The wheel holds it; git, whose history would keep each version's 14 MB, does not. The hashes are stated in
`featureblend.web.static_page`.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.request import urlopen

from featureblend.web.static_page import RUNTIME, RUNTIME_FILES

VERSION = "1.30.0"


ADDRESS = f"https://registry.npmjs.org/onnxruntime-web/-/onnxruntime-web-{VERSION}.tgz"
"""Where the package is had without npm."""


def main() -> None:
    """Fetch what is not there yet, or is another version's."""
    wanted = dict(RUNTIME_FILES.values())
    if all((RUNTIME / name).is_file() and _hash((RUNTIME / name).read_bytes()) == due for name, due in wanted.items()):
        return
    with TemporaryDirectory() as folder:
        try:
            archive = _fetched(Path(folder))
        except (OSError, subprocess.CalledProcessError) as error:
            raise SystemExit(
                f"onnxruntime-web {VERSION} can't be fetched ({error}): "
                "`featureblend web --static` needs it, and its tests will fail"
            ) from None
        RUNTIME.mkdir(exist_ok=True)
        with tarfile.open(archive) as package:
            for name, due in wanted.items():
                content = package.extractfile(f"package/dist/{name}").read()
                if _hash(content) != due:
                    raise SystemExit(f"{name} of onnxruntime-web {VERSION} has the SHA-256 {_hash(content)}, not {due}")
                (RUNTIME / name).write_bytes(content)


def _fetched(folder: Path) -> Path:
    """The package: by npm, which knows the mirror of whoever has one, or else from the registry itself."""
    if shutil.which("npm"):
        command = ["npm", "pack", "--silent", f"onnxruntime-web@{VERSION}"]
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        return next(folder.glob("*.tgz"))
    path = folder / "package.tgz"
    with urlopen(ADDRESS, timeout=60) as answer:
        path.write_bytes(answer.read())
    return path


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


if __name__ == "__main__":
    main()
