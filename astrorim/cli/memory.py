"""How the C library of a command's process hands memory back.

Every tensor operation on a frame makes an array of some hundred kilobytes. glibc asks the
system for each of these and gives it back, and the page faults of that take as long as the
arithmetic: simulating a lens takes half the time where freed memory is kept.
"""

from __future__ import annotations

import ctypes
import os
import sys

__all__ = ["keep_freed_memory"]

_NAMES = {"MALLOC_TRIM_THRESHOLD_": -1, "MALLOC_MMAP_THRESHOLD_": -3}
"""Variables of the environment, and numbers of the same parameters in mallopt."""

_LARGEST = 2**30
"""Bytes up to which freed memory is kept for the next array."""


def keep_freed_memory() -> bool:
    """Let this process and those it starts keep freed memory, up to a gigabyte in one piece.

    Parameters of ``mallopt(3)`` of the GNU C library; nothing happens with another one.

    Returns
    -------
    bool
        Whether the C library took them.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    for name in _NAMES:
        os.environ.setdefault(name, str(_LARGEST))
    return all(mallopt(number, _LARGEST) == 1 for number in _NAMES.values())
