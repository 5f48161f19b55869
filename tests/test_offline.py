"""Nothing leaves the machine and nothing is left on it: a blend in a process of its own, watched."""

import os
import resource
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from featureblend.faces import EXAMPLES

pytestmark = pytest.mark.usefixtures("model_sized")

GUARD = '''
"""Loaded by Python itself before anything else: forbids sockets to Python code, and to native code on Linux."""
import ctypes, os, platform, struct, sys

def _watch(event, arguments):
    if event.startswith("socket.") and event != "socket.gethostname":
        with open(os.environ["SOCKET_LOG"], "a") as log:
            log.write(f"{event} {arguments}\\n")
        raise RuntimeError(f"{event} is forbidden")

sys.addaudithook(_watch)

# A kernel filter: the system call socket() kills the process, whichever library makes it.
_number = {"x86_64": 41, "aarch64": 198}.get(platform.machine())
if sys.platform.startswith("linux") and _number:
    _program = b"".join(struct.pack("HBBI", *step) for step in [
        (0x20, 0, 0, 0), (0x15, 0, 1, _number), (0x06, 0, 0, 0x80000000), (0x06, 0, 0, 0x7FFF0000)])
    _buffer = ctypes.create_string_buffer(_program)
    class _Filter(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("steps", ctypes.c_void_p)]
    _libc = ctypes.CDLL(None)
    _filter = _Filter(4, ctypes.addressof(_buffer))
    _libc.prctl(38, 1, 0, 0, 0)  # no new privileges: what lets a plain user set a filter
    _libc.prctl(22, 2, ctypes.byref(_filter), 0, 0)
'''


@pytest.fixture
def watched(tmp_path):
    """Run a command with an empty home and no sockets; return the process and what it left."""
    for name in ("guard", "home", "temporary", "work"):
        (tmp_path / name).mkdir()
    (tmp_path / "guard" / "sitecustomize.py").write_text(GUARD)

    def run(*words):
        kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH", "LANG") if name in os.environ}
        environment = {
            **kept,
            "HOME": str(tmp_path / "home"),
            **{f"XDG_{kind}_HOME": str(tmp_path / "home" / kind) for kind in ("CACHE", "CONFIG", "DATA", "STATE")},
            "TMPDIR": str(tmp_path / "temporary"),
            "PYTHONPATH": str(tmp_path / "guard"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "SOCKET_LOG": str(tmp_path / "sockets.log"),
        }
        done = subprocess.run(words, env=environment, cwd=tmp_path / "work", capture_output=True, text=True)
        left = [
            str(p.relative_to(tmp_path)) for folder in ("home", "temporary") for p in (tmp_path / folder).rglob("*")
        ]
        return done, left, (tmp_path / "sockets.log").exists()

    return run


def script():
    return str(Path(sysconfig.get_path("scripts")) / "featureblend")


def test_a_blend_opens_no_socket_and_leaves_nothing_behind(watched, tmp_path):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    photos = [str(EXAMPLES / "first.jpg"), str(EXAMPLES / "second.jpg")]
    done, left, tried = watched(script(), "blend", *photos, "-o", "blend.png", "--json", "blend.json")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert (done.returncode, done.stderr) == (0, "")
    assert not tried
    assert left == []
    assert sorted(os.listdir(tmp_path / "work")) == ["blend.json", "blend.png"]
    # The budget is 2.5 s; three times that, in processor time, is never noise.
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime <= 7.5


def test_the_watch_sees_a_socket(watched):
    """Without this, the test above could pass by watching nothing."""
    for code in ["import socket; socket.socket()", "import ctypes; ctypes.CDLL(None).socket(2, 1, 0)"]:
        if "ctypes" in code and not (sys.platform.startswith("linux") and os.uname().machine in ("x86_64", "aarch64")):
            code = "import socket; socket.socket()"
        done, _, _ = watched(sys.executable, "-c", code)
        assert done.returncode != 0


def test_telemetry_of_onnx_runtime_is_off_before_it_is_imported(watched):
    code = "import os; import featureblend; assert os.environ['ORT_DISABLE_TELEMETRY'] == '1'; import onnxruntime"
    done, left, tried = watched(sys.executable, "-c", code)
    assert (done.returncode, done.stderr, left, tried) == (0, "", [], False)


def test_the_use_half_loads_no_part_of_the_extras():
    code = (
        "import featureblend.blend.blender as b, sys;"
        f"b.Blender.from_pretrained().blend([{str(EXAMPLES / 'first.jpg')!r}, {str(EXAMPLES / 'second.jpg')!r}]);"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert not loaded & {
        "torch",
        "accelerate",
        "matplotlib",
        "onnx",
        "onnxscript",
        "safetensors",
        "gradio",
    }
    assert "onnxruntime" in loaded


def test_help_is_quick_and_loads_little():
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for _ in range(3):
        subprocess.run([script(), "--help"], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert used / 3 <= 0.9  # the budget is 0.3 s
