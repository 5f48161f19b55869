"""The types of the whole package hold: what `make lint` checks, here while other tests run."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.extras
def test_types_hold():
    root = Path(__file__).parents[1]
    done = subprocess.run([sys.executable, "-m", "mypy"], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
