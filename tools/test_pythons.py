"""The demo and the tests of the plain install, on each Python that pyproject.toml names and this machine has.

    python tools/test_pythons.py            # all of them
    python tools/test_pythons.py 3.10 3.13  # some

Interpreters are taken from PATH and from pyenv. Each gets an environment of its own, `.venvs/VERSION`.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def supported() -> list[str]:
    """Versions in pyproject.toml's classifiers, such as '3.12'."""
    return re.findall(r'"Programming Language :: Python :: (3\.\d+)"', (ROOT / "pyproject.toml").read_text())


def find_python(version: str) -> str | None:
    """Path of an interpreter of `version` that starts; None where there is none."""
    for path in [shutil.which(f"python{version}"), *_of_pyenv(version)]:
        # pyenv puts a `python3.12` on PATH that may only say that 3.12 was not chosen.
        if path and _output(path, "-c", "import sys; print('%d.%d' % sys.version_info[:2])") == version:
            return path
    return None


def _of_pyenv(version: str) -> list[str]:
    root = os.environ.get("PYENV_ROOT") or _output("pyenv", "root")
    found = Path(root).glob(f"versions/{version}.*/bin/python") if root else []
    return [str(path) for path in sorted(found, key=lambda path: [int(n) for n in re.findall(r"\d+", path.parts[-3])])]


def _output(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def main(versions: list[str]) -> int:
    """Test each version; 1 if one fails, or none is there."""
    said = {}
    for version in versions or supported():
        path = find_python(version)
        if path is None:
            said[version] = "not found"
            continue
        print(f"=== Python {version}: {path}", flush=True)
        done = subprocess.run(["make", "test-plain", f"PYTHON={path}", f"VENV=.venvs/{version}"], cwd=ROOT)
        said[version] = "FAILED" if done.returncode else "passed"
    for version, outcome in said.items():
        print(f"Python {version}: {outcome}")
    return 0 if "passed" in said.values() and "FAILED" not in said.values() else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
