"""Folders in which files are written before they take their place, and what is left of them.

A folder carries the process that made it in its name, so that the next run can tell those of
a process that was killed from those that somebody is writing in.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import socket
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["remove_stale_rooms", "temporary_room"]

_NAME = re.compile(r"\.astrorim-([0-9a-f]{12})-(\d+)-\w+")


@contextmanager
def temporary_room(directory: str | os.PathLike[str]) -> Iterator[Path]:
    """Folder for files that are moved to their places when they are complete.

    Parameters
    ----------
    directory : path-like
        Where the files are to appear; it must exist. Moving within it never copies.

    Yields
    ------
    `~pathlib.Path`
        An empty folder in it, which is removed at the end, whatever happens.
    """
    prefix = f".astrorim-{_machine()}-{os.getpid()}-"
    with tempfile.TemporaryDirectory(dir=directory, prefix=prefix) as room:
        yield Path(room)


def remove_stale_rooms(directory: str | os.PathLike[str]) -> list[Path]:
    """Remove the folders that killed processes left behind.

    Only folders of `temporary_room` are removed, and only those of processes of this
    machine that do not exist any more: another machine that writes to the same directory,
    and a process whose number was given away again, keep theirs.

    Parameters
    ----------
    directory : path-like
        Where files were to appear; folders in it are not searched.

    Returns
    -------
    list of `~pathlib.Path`
        What was removed.
    """
    removed = []
    for path in Path(directory).iterdir():
        match = _NAME.fullmatch(path.name)
        if match is None or match[1] != _machine() or _lives(int(match[2])):
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
            removed.append(path)
    return removed


def _machine() -> str:
    """Name for what shares our process numbers: the machine, or the container."""
    try:
        space = str(Path("/proc/self/ns/pid").readlink())
    except OSError:  # not Linux
        space = ""
    return hashlib.sha256(f"{socket.gethostname()} {space}".encode()).hexdigest()[:12]


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError, OSError):
        # somebody else's, or a number that this system does not understand
        return True
    return True
