"""Worker processes as the benchmark sees them: start, ask, time out, end."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from multiprocessing import get_context
from typing import Any

from ...errors import FeatureblendError
from ...io.processes import interrupts_held
from .worker import serve


class Broken(FeatureblendError):
    """A task that could not be done, and why."""


class Worker:
    """A process that runs one task repeatedly.

    Parameters
    ----------
    spec : mapping
        As `featureblend.evaluation.benchmark.tasks.task` takes it.
    patience : float
        Seconds to wait for an answer.

    Raises
    ------
    Broken
        If the task can't be got ready, or its first call fails.
    """

    def __init__(self, spec: Mapping[str, Any], patience: float = 120.0) -> None:
        self.patience = patience
        self._said = tempfile.NamedTemporaryFile()  # noqa: SIM115 (it lives as long as the process)
        context = get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs, spec, self._said.name), daemon=True)
        with interrupts_held():
            self._process.start()
        theirs.close()
        try:
            self.start = self._answer()
            """What the first call took (`imported`, `first`, `laps`: seconds) and held (`before`, `peak`: bytes)."""
        except BaseException:
            self.end()
            raise

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def measure(self) -> dict[str, Any]:
        """Run the task again and return its `seconds`, its `laps` (or None) and the `peak` in bytes.

        Raises
        ------
        Broken
            If it fails, the process ends, or no answer comes in time.
        """
        self._pipe.send("again")
        return self._answer()

    def end(self) -> None:
        """End the process, whatever it does."""
        self._process.kill()
        self._process.join()
        self._pipe.close()
        self._said.close()

    def _answer(self) -> dict[str, Any]:
        if not self._pipe.poll(self.patience):
            raise Broken(f"no answer in {self.patience:g} s")
        try:
            answer: dict[str, Any] = self._pipe.recv()
        except EOFError:
            raise Broken(self._last_words()) from None
        if "error" in answer:
            raise Broken(answer["error"])
        return answer

    def _last_words(self) -> str:
        self._process.join()
        code = self._process.exitcode or 0
        how = f"stopped by signal {-code}" if code < 0 else f"ended with exit code {code}"
        lines = self._said.read().decode(errors="replace").strip().splitlines()
        return f"its process {how}" + (f": {lines[-1].strip()}" if lines else "")
