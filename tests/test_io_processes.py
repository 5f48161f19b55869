"""Work in several processes: answers in order, errors by name, and an end with the process that began them."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from featureblend.errors import FeatureblendError
from featureblend.io.processes import processes

STARTED = []


def start(word):
    STARTED.append(word)


def failing(number):
    if number == 3:
        raise ValueError("three")
    if number == 5:
        os._exit(1)
    return number, STARTED


def test_answers_come_in_order_and_what_failed_is_named():
    with processes(2, start, "begun") as run:
        assert list(run(divmod, range(9), [4] * 9)) == [divmod(n, 4) for n in range(9)]
        assert list(run(abs, [])) == []
        with pytest.raises(ValueError, match="three"):
            list(run(failing, range(5)))
        assert list(run(failing, [1, 2])) == [(1, ["begun"]), (2, ["begun"])]  # they go on
        with pytest.raises(FeatureblendError):
            list(run(failing, [5, 5, 5]))
    assert not STARTED


@pytest.mark.skipif(sys.platform == "win32", reason="processes are told apart by signals of POSIX")
def test_workers_end_with_a_parent_that_is_killed(tmp_path):
    """Also one whose answer nobody reads any more."""
    script = tmp_path / "killed.py"
    script.write_text(
        textwrap.dedent(
            """
            import time
            from multiprocessing import active_children
            import numpy as np
            from featureblend.io.processes import processes

            def answer(number):
                return np.zeros(2**20 * (number > 1))

            if __name__ == "__main__":
                with processes(2) as run:
                    found = run(answer, range(8))
                    next(found)
                    print(*[process.pid for process in active_children()], flush=True)
                    time.sleep(600)
            """
        )
    )
    parent = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True, cwd=tmp_path)
    pids = [int(word) for word in parent.stdout.readline().split()]
    assert len(pids) == 2
    time.sleep(1)  # until a result that nobody fetches is on its way
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    deadline = time.monotonic() + 120
    while alive := [pid for pid in pids if _lives(pid)]:
        assert time.monotonic() < deadline, f"still there: {alive}"
        time.sleep(0.1)


def _lives(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not (status.exists() and status.read_text().rsplit(")", 1)[1].split()[0] == "Z")
