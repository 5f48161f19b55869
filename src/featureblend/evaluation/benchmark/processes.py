"""Worker processes as the benchmark sees them: start, ask, time out, end."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any

from ...errors import FeatureblendError

__all__ = ["Broken", "Worker"]

# The worker finds modules where this process does, whatever was done to the path.
START = "import sys; sys.path[:] = {path!r}; from featureblend.evaluation.benchmark.worker import main; main()"


class Broken(FeatureblendError):
    """A task that could not be done, and why."""


class Worker:
    """A process that runs one task repeatedly.

    Parameters
    ----------
    spec : mapping
        As `featureblend.evaluation.benchmark.tasks.task` takes it; ready for JSON.
    patience : float
        Seconds to wait for an answer.

    Raises
    ------
    Broken
        If the task can't be got ready, or its first call fails.
    """

    def __init__(self, spec: Mapping[str, Any], patience: float = 120.0) -> None:
        self.patience = patience
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 (it lives as long as the process)
        self._process = subprocess.Popen(
            [sys.executable, "-c", START.format(path=sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
            encoding="utf-8",
        )
        self._answers: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()  # a pipe has no time limit of its own
        try:
            self.start = self._ask(json.dumps(spec))
            """What the first call took (`imported`, `first`, `laps`: seconds) and held (`before`, `peak`: bytes)."""
        except BaseException:
            self.end()
            raise

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def measure(self) -> dict[str, Any]:
        """Run the task once more.

        Returns
        -------
        dict
            ``seconds``, their parts ``laps`` where known, and the process's ``peak`` so far in bytes.

        Raises
        ------
        Broken
            If it fails, brings the process down, or takes longer than the patience lasts.
        """
        return self._ask("again")

    def end(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._said):
            if stream is not None:
                with suppress(OSError):  # what was not written can't be any more
                    stream.close()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as stream:
            for line in stream:
                self._answers.put(line)
        self._answers.put(None)

    def _ask(self, line: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        except OSError:  # it is gone; what it said last is still to be read
            pass
        try:
            said = self._answers.get(timeout=self.patience)
        except queue.Empty:
            raise Broken(f"no answer in {self.patience:g} s") from None
        if said is None:
            raise Broken(self._last_words())
        answer = json.loads(said)
        if "error" in answer:
            raise Broken(answer["error"])
        return answer

    def _last_words(self) -> str:
        code = self._process.wait()
        how = f"stopped by signal {-code}" if code < 0 else f"ended with exit code {code}"
        self._said.seek(0)
        lines = self._said.read().decode(errors="replace").strip().splitlines()
        return f"its process {how}" + (f": {lines[-1].strip()}" if lines else "")
