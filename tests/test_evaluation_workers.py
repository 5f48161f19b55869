"""Work in several processes and kept results: the same answers in the same order, whoever works them out."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest
from evaluation_faces import TINY, make_faces, run

from featureblend.errors import FeatureblendError
from featureblend.evaluation.pca import PrincipalComponents, fit_components
from featureblend.evaluation.run import evaluate
from featureblend.evaluation.workers import Workers
from featureblend.io.memoize import memoize, memoizing, set_memo_limit

CALLS = []


@memoize
def halved(values, by=2.0):
    CALLS.append(by)
    return values / by, values * 0


def process_after(seconds):
    time.sleep(seconds)
    return os.getpid()


def failing(number):
    if number == 3:
        raise ValueError("three")
    if number == 5:
        os._exit(1)
    return number


def test_results_are_kept_up_to_so_many_bytes_and_every_caller_has_a_copy():
    CALLS.clear()
    ones, twos = np.ones(10), np.full(10, 2.0)
    with memoizing(320):  # two results of 2 x 80 bytes
        halved(ones)[0][:] = 7
        assert halved(ones)[0].tolist() == [0.5] * 10
        assert CALLS == [2.0]
        halved(ones, by=4.0), halved(ones.astype(np.float32)), halved(ones)  # the third was the longest unused
        assert CALLS == [2.0, 4.0, 2.0, 2.0]
        assert halved(twos)[0].tolist() == [1.0] * 10
    halved(twos)
    assert len(CALLS) == 6
    set_memo_limit(0)


def test_workers_answer_in_order_and_name_what_failed():
    with Workers(2, 0) as workers:
        assert list(workers.map(divmod, range(9), [4] * 9)) == [divmod(n, 4) for n in range(9)]
        assert list(workers.map(abs, [])) == []
        with pytest.raises(ValueError, match="three"):
            list(workers.map(failing, range(5)))
        assert list(workers.map(failing, [1, 2])) == [1, 2]  # they go on
        with pytest.raises(FeatureblendError, match="a worker process died"):
            list(workers.map(failing, [5, 5, 5]))


def test_the_same_place_is_the_same_processs_and_an_idle_one_takes_over():
    with Workers(2, 0) as workers:
        once, again = (list(workers.map(process_after, [0.2] * 4)) for _ in range(2))
        assert once == again == [once[0], once[1]] * 2
        assert once[0] != once[1]
        busy = list(workers.map(process_after, [2.5, 0, 0, 0, 0, 0, 0, 0]))
        assert busy[0] == once[0]
        assert busy.count(once[1]) >= 6


def test_processes_change_no_byte(tmp_path):
    """Every kind of method: networks in each process, components by a file, and what is kept beside what is not."""
    methods = ("latent", "latent-network", "latent-plain-mean", "latent-unwarped", "pca", "laplacian", "morph")
    faces = make_faces()
    run(faces, tmp_path / "one", methods)
    evaluate(faces, tmp_path / "two", TINY, methods=methods, jobs=2, quiet=True)
    alone = tmp_path / "alone"
    for method in methods[1:4]:  # nothing of the methods before it is known
        run(faces, alone / method, (method,))
    for name in ("metrics.jsonl", "report.html"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    together = (tmp_path / "one" / "metrics.jsonl").read_text().splitlines()
    for method in methods[1:4]:
        mine = (alone / method / "metrics.jsonl").read_text().splitlines()
        assert set(mine) <= set(together)
    assert not list((tmp_path / "two").glob("shared-*"))


def test_components_come_back_from_their_file(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (9, 8, 8, 3), dtype=np.uint8)
    fitted = fit_components(images, 5)
    fitted.save(tmp_path / "components")
    read = PrincipalComponents.load(tmp_path / "components")
    assert (read.identity, read.shape, read.faces) == (fitted.identity, fitted.shape, 9)
    assert read.decode(read.encode(images)).tobytes() == fitted.decode(fitted.encode(images)).tobytes()


@pytest.mark.skipif(sys.platform == "win32", reason="processes are told apart by signals of POSIX")
def test_workers_end_with_a_parent_that_is_killed(tmp_path):
    """One that had much to say waited for ever to be read."""
    script = tmp_path / "killed.py"
    script.write_text(
        textwrap.dedent(
            """
            import os, time
            import numpy as np
            from featureblend.evaluation.workers import Workers

            def answer(number):
                return os.getpid(), np.zeros(2**20 * (number > 1))

            if __name__ == "__main__":
                with Workers(2, 2**20) as workers:
                    found = workers.map(answer, range(8))
                    print(next(found)[0], next(found)[0], flush=True)
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
