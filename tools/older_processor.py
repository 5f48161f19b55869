#!/usr/bin/env python3
"""Run a command as on an older processor: without AVX-512, without AVX2, or without AVX.

numpy, OpenBLAS, OpenCV, IPP and the C library have switches for instruction sets. ONNX Runtime has none: it asks the
processor, by the instruction ``cpuid``. So it is imported from a copy in which an instruction that no processor knows
stands in its place, and a small library, loaded before all others, answers for it (``older_processor.c``). Needs Linux
on x86-64, gcc and objdump.

``python tools/older_processor.py Haswell featureblend blend a.jpg b.jpg`` runs what stands after the processor's name.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

NEEDED = ("gcc", "objdump")
"""Programs."""
AVX512 = "AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL AVX512_SPR"
"""As newer and older versions of numpy have it."""
LIBRARY = "AVX512F AVX512VL AVX512BW AVX512CD AVX512DQ"
"""As the C library has it."""
PROCESSORS: dict[str, dict[str, str]] = {
    "Haswell": {
        "NPY_DISABLE_CPU_FEATURES": f"X86_V4 {AVX512}",
        "OPENCV_CPU_DISABLE": "AVX512-SKX,AVX512-CLX,AVX512-ICL",
        "OPENCV_IPP": "avx2",
        "OPENBLAS_CORETYPE": "Haswell",
        "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-" + ",-".join(LIBRARY.split()),
        "OLDER_PROCESSOR": "2",
    },
    "Sandybridge": {
        "NPY_DISABLE_CPU_FEATURES": f"X86_V4 {AVX512} X86_V3 AVX2 FMA3 F16C",
        "OPENCV_CPU_DISABLE": "AVX512-SKX,AVX512-CLX,AVX512-ICL,AVX2,FMA3,FP16",
        "OPENCV_IPP": "sse42",
        "OPENBLAS_CORETYPE": "Sandybridge",
        "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-" + ",-".join(f"{LIBRARY} AVX2 FMA FMA4 BMI1 BMI2".split()),
        "OLDER_PROCESSOR": "1",
    },
    "Nehalem": {
        "NPY_DISABLE_CPU_FEATURES": f"X86_V4 {AVX512} X86_V3 AVX2 FMA3 F16C AVX",
        "OPENCV_CPU_DISABLE": "AVX512-SKX,AVX512-CLX,AVX512-ICL,AVX2,FMA3,FP16,AVX",
        "OPENCV_IPP": "sse42",
        "OPENBLAS_CORETYPE": "Nehalem",
        "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-" + ",-".join(f"{LIBRARY} AVX2 FMA FMA4 BMI1 BMI2 AVX".split()),
        "OLDER_PROCESSOR": "0",
    },
}
"""Processors of 2013, 2011 and 2008, and what makes libraries behave as on them."""


def as_on(processor: str, folder: Path) -> dict[str, str]:
    """Make what is needed in a folder; the environment for a command.

    Parameters
    ----------
    processor : str
        One of `PROCESSORS`.
    folder : path
        Must last as long as the command.

    Returns
    -------
    dict
        ``PYTHONPATH`` goes before the command's own.
    """
    found = importlib.util.find_spec("onnxruntime")
    if found is None or found.origin is None:
        raise SystemExit("onnxruntime is not installed")
    answers = folder / "answers.so"
    if not answers.exists():
        source = Path(__file__).with_suffix(".c")
        subprocess.run(["gcc", "-O1", "-Wall", "-shared", "-fPIC", "-o", answers, source], check=True)
        shutil.copytree(Path(found.origin).parent, folder / "onnxruntime", copy_function=os.symlink)
        for library in (folder / "onnxruntime" / "capi").glob("onnxruntime_pybind11_state*.so"):
            code = _without_cpuid(library)
            library.unlink()
            library.write_bytes(code)
    return {**PROCESSORS[processor], "LD_PRELOAD": str(answers), "PYTHONPATH": str(folder)}


def _without_cpuid(library: Path) -> bytes:
    """A library in which ``ud2`` stands for every ``cpuid``: both are two bytes long."""
    headers = subprocess.run(["objdump", "-h", library], check=True, capture_output=True, text=True).stdout
    text = re.search(r" \.text +[0-9a-f]+ +([0-9a-f]+) +[0-9a-f]+ +([0-9a-f]+)", headers)
    assert text, f"{library} has no code"
    moved = int(text[2], 16) - int(text[1], 16)
    code = bytearray(library.read_bytes())
    command = ["objdump", "-d", "-j", ".text", "--no-show-raw-insn", library]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as listing:
        assert listing.stdout
        for line in listing.stdout:
            if line.rstrip().endswith("\tcpuid"):
                place = int(line.partition(":")[0], 16) + moved
                assert code[place : place + 2] == b"\x0f\xa2", f"{library}: no cpuid at {place:#x}"
                code[place : place + 2] = b"\x0f\x0b"
    return bytes(code)


def main() -> int:
    """Run the command; its own end."""
    if len(sys.argv) < 3 or sys.argv[1] not in PROCESSORS:
        raise SystemExit(f"usage: {sys.argv[0]} {'|'.join(PROCESSORS)} COMMAND ...")
    with tempfile.TemporaryDirectory() as folder:
        settings = as_on(sys.argv[1], Path(folder))
        settings["PYTHONPATH"] = os.pathsep.join(filter(None, (settings["PYTHONPATH"], os.environ.get("PYTHONPATH"))))
        return subprocess.run(sys.argv[2:], check=False, env={**os.environ, **settings}).returncode


if __name__ == "__main__":
    sys.exit(main())
