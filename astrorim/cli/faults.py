"""Whose fault an error is: the file's that was read, or the program's."""

from __future__ import annotations

import dis
import traceback
from collections.abc import Sequence

from astrorim.exceptions import AstroRIMError

__all__ = ["is_internal"]

_READERS = ("astropy.io", "asdf", "csv", "gwcs", "json", "specutils", "yaml")
"""What raises anything when it reads a broken file."""

_NUMERICS = ("numpy", "scipy", "torch")
"""Where a ValueError says that our arrays do not fit, not that the file is wrong."""


def is_internal(error: Exception) -> bool:
    """Whether an error is a fault of the program and not of the file.

    The project's own errors, those of the operating system and whatever comes out of the
    readers of files are the file's. A ValueError is the file's where somebody raised it on
    purpose; one of numpy's says that arrays do not fit. All others are the program's.

    Parameters
    ----------
    error : Exception
        With its traceback.

    Returns
    -------
    bool
    """
    if isinstance(error, (AstroRIMError, OSError, EOFError, MemoryError, UnicodeError)):
        return False
    frames = list(traceback.walk_tb(error.__traceback__))
    modules = [str(frame.f_globals.get("__name__", "")) for frame, _ in frames]
    if any(_within(module, _READERS) for module in modules):
        return False
    if not isinstance(error, ValueError) or not frames or _within(modules[-1], _NUMERICS):
        return True
    frame = frames[-1][0]
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    instruction = -1 if last is None else last.tb_lasti
    return dis.opname[frame.f_code.co_code[instruction]] != "RAISE_VARARGS"


def _within(module: str, packages: Sequence[str]) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in packages)
