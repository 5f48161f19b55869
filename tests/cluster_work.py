"""What workers of tests/test_io_cluster.py do; apart from the tests, which take long to import."""

import os
import signal
import time

from featureblend.errors import FeatureblendError


def fragile(folder, number):
    """Dies at 3 and hangs at 5 the first time; dies at 7 each time; fails at 11."""
    first = not (folder / str(number)).exists()
    (folder / str(number)).touch()
    if number == 7 or (number == 3 and first):
        os._exit(1)
    if number == 5 and first:
        time.sleep(600)
    if number == 11:
        raise FeatureblendError("eleven")
    return number, os.getpid(), os.getcwd()


def interrupting(pid, number):
    """Presses Ctrl-C at 3."""
    if number == 3:
        os.kill(pid, signal.SIGINT)
    time.sleep(0.3)
    return number
