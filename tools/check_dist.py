#!/usr/bin/env python3
"""Build wheel and sdist, install each in an empty environment, and make a blend there.

``python tools/check_dist.py`` needs a package index. What the package needs is installed by the hashes of `hashes.txt`,
so that no file is let in that was not there when these were written (``make hashes``). It checks that both hold what
git holds of the package, that `pip check` finds nothing, that the plain install has no torch, and that wheel and sdist
give the same picture.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from pathlib import Path

from featureblend.web.static_page import RUNTIME_FILES

ROOT = Path(__file__).parents[1]


def built(out: Path) -> tuple[Path, Path]:
    """Build both into a folder: the wheel and the sdist."""
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(out)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return next(out.glob("*.whl")), next(out.glob("*.tar.gz"))


def missing(wheel: Path, sdist: Path) -> list[str]:
    """What is in one of git, wheel and sdist, but not in the others, of the package itself."""
    listed = subprocess.run(
        ["git", "ls-files", "src/featureblend"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    due = {line.removeprefix("src/") for line in listed.stdout.splitlines()}
    due |= {f"featureblend/web/static/runtime/{name}" for name, _ in RUNTIME_FILES.values()}  # fetched, not in git
    with zipfile.ZipFile(wheel) as archive:
        inside = {name for name in archive.namelist() if ".dist-info/" not in name}
    with tarfile.open(sdist) as archive:
        source = {name.partition("/src/")[2] for name in archive.getnames() if "/src/" in name}
    wrong = [f"{name}: not in the wheel" for name in due - inside]
    wrong += [f"{name}: only in the wheel" for name in inside - due]
    wrong += [f"{name}: not in the sdist" for name in due - source]
    return sorted(wrong)


def picture_of(package: Path, place: Path) -> str:
    """Install a package in an empty environment, look at it, and make the demo's picture there; its hash."""
    venv.create(place, with_pip=True)
    python = str(place / "bin" / "python")
    kept = {
        name: os.environ[name] for name in ("PATH", "LANG", "PIP_INDEX_URL", "PIP_CONFIG_FILE") if name in os.environ
    }
    environment = {**kept, "HOME": str(place), "OMP_NUM_THREADS": "1"}

    def run(*words: str) -> None:
        subprocess.run(words, check=True, cwd=place, env=environment)

    install = (python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    run(*install, "--require-hashes", "-r", str(ROOT / "hashes.txt"))
    run(*install, "--no-deps", str(package))
    run(python, "-m", "pip", "check", "--disable-pip-version-check")
    run(python, "-c", "import importlib.util, sys; sys.exit(importlib.util.find_spec('torch') is not None)")
    run(str(place / "bin" / "featureblend"), "demo", "--out", "demo.png")
    return hashlib.sha256((place / "demo.png").read_bytes()).hexdigest()


def main() -> int:
    """Check both; 1 where anything is wrong."""
    with tempfile.TemporaryDirectory(prefix="dist-") as folder:
        packages = built(Path(folder))
        wrong = missing(*packages)
        pictures = {picture_of(package, Path(folder, package.suffix[1:])) for package in packages}
        if len(pictures) != 1:
            wrong.append("wheel and sdist give different pictures")
        for package in packages:
            print(f"{package.name}: {package.stat().st_size / 1e6:.1f} MB")
    print("\n".join(wrong) or "both install, blend and agree")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
