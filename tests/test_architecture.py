"""The floors of docs/architecture.md and their picture, and the time an import takes."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "featureblend"
FILES = sorted(SOURCE.rglob("*.py"))


@pytest.mark.extras
def test_imports_go_down_only(monkeypatch, capfd):
    """The contract is in pyproject.toml; a package that stands on no floor is refused too."""
    from importlinter import cli as linter

    monkeypatch.chdir(ROOT)
    # The linter finds the package as Python does: from the sources, installed or not.
    monkeypatch.syspath_prepend(str(ROOT / "src"))
    status = linter.lint_imports(no_cache=True, no_logo=True)
    assert status == 0, capfd.readouterr().out


@pytest.mark.extras
def test_the_picture_is_what_the_code_is(monkeypatch):
    """`python tools/draw_architecture.py` draws it anew."""
    monkeypatch.syspath_prepend(str(ROOT / "src"))
    import draw_architecture

    assert draw_architecture.PICTURE.read_text(encoding="utf-8") == draw_architecture.drawn()


def test_the_plain_install_needs_no_torch():
    """What every command line goes through is quick and has no part of the extras."""
    for name in ["training.presets", "cli", "training.experiment"]:
        loaded = modules_after(f"import featureblend.{name}")
        assert not loaded & {"torch", "accelerate", "onnxruntime", "numpy", "cv2", "dlib", "matplotlib", "gradio"}


def test_import_loads_next_to_nothing():
    assert not modules_after("import featureblend") & {"torch", "onnxruntime", "cv2", "numpy", "PIL", "dlib", "tqdm"}


def test_import_is_fast():
    code = "import time; t = time.process_time(); import featureblend; print(time.process_time() - t)"
    assert min(float(python(code)) for _ in range(5)) <= 0.1


def test_packages_only_hand_names_on():
    """A docstring, imports and plain names, or what makes names lazy; the package itself also silences telemetry."""
    for package in [path.parent for path in FILES if path.name == "__init__.py"]:
        for statement in ast.parse((package / "__init__.py").read_text()).body:
            handed_on = (
                isinstance(statement, (ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign))
                or (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
                or (isinstance(statement, ast.If) and "TYPE_CHECKING" in ast.dump(statement.test))
                or (isinstance(statement, ast.FunctionDef) and statement.name in ("__getattr__", "__dir__"))
                or (package == SOURCE and "ORT_DISABLE_TELEMETRY" in ast.dump(statement))
            )
            assert handed_on, f"{package.name}/__init__.py, line {statement.lineno}"


def python(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout


def modules_after(code):
    """Top-level modules that a fresh Python has loaded after running `code`."""
    return {name.partition(".")[0] for name in python(f"{code}; import sys; print(*sys.modules)").split()}
