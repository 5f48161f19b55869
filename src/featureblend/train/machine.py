"""Making the machine at hand train fast: what the C library and torch leave on the table by default."""

from __future__ import annotations

import ctypes
import sys

__all__ = ["keep_freed_memory"]

# glibc's malloc.h
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX, M_ARENA_MAX = -1, -2, -4, -8


def keep_freed_memory() -> bool:
    """Stop glibc from handing every freed activation back to the kernel; return whether that worked.

    By default an allocation over 32 MB at most is a fresh mapping, whose every page faults at its
    first touch and is zeroed by the kernel. A training step frees and takes the same sizes again
    and again: on two cores, steps of the modern autoencoder ran 6 to 10 times faster with this
    (measured; see docs/model.md). Call it before the first large tensor is made.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library, such as musl
        return False
    settings = ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, 2**31 - 1), (M_TOP_PAD, 256 << 20), (M_ARENA_MAX, 1))
    done = [mallopt(option, value) for option, value in settings]  # all of them, whatever one returns
    return all(done)
