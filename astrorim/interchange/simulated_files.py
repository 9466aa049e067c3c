"""Files that appear whole or not at all, in a directory that one run at a time writes to."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from astrorim.exceptions import SimulationError

__all__ = ["check_space", "replace_file", "sole_writer", "write_whole"]

_PART = ".part"
_RESERVE = 1.05


@contextmanager
def replace_file(path: Path) -> Iterator[Path]:
    """Give a path to write to, which takes the place of ``path`` when the block ends.

    Parameters
    ----------
    path : Path
        The file to appear.

    Yields
    ------
    Path
        A hidden file beside it, removed if the block fails.

    Raises
    ------
    SimulationError
        If the file cannot be written.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}{_PART}")
    try:
        yield part
        part.replace(path)
    except OSError as error:
        raise SimulationError(
            f"{path} cannot be written ({error}); free space or choose another directory"
        ) from error
    finally:
        part.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that appears whole or not at all.

    Parameters
    ----------
    path : Path
        The file; it is replaced if it exists.
    content : bytes
        What it is to hold.

    Raises
    ------
    SimulationError
        If the file cannot be written.
    """
    with replace_file(path) as part:
        part.write_bytes(content)


@contextmanager
def sole_writer(directory: Path) -> Iterator[None]:
    """Make a directory, and keep other runs from writing to it within the block.

    What a run that was killed left half written is removed.

    Parameters
    ----------
    directory : Path
        Made if it does not exist.

    Yields
    ------
    None

    Raises
    ------
    SimulationError
        If it cannot be written to, or another run is writing to it. Where the file system
        has no locks, that is not noticed.
    """
    probe = directory / f".{os.getpid()}{_PART}"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise SimulationError(
            f"directory must be one that can be written, got {directory} ({error}); "
            "choose another"
        ) from error
    handle = _lock(directory)
    try:
        for left in directory.glob(f".*{_PART}"):
            left.unlink(missing_ok=True)
        yield
    finally:
        if handle is not None:
            os.close(handle)


def _lock(directory: Path) -> int | None:
    try:
        import fcntl
    except ImportError:
        return None
    handle = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(handle)
        raise SimulationError(
            f"another run is writing to {directory}; wait for it or choose another directory"
        ) from error
    except OSError:
        os.close(handle)
        return None
    return handle


def check_space(directory: Path, number: int, size: int) -> None:
    """Refuse to begin what the disk cannot hold.

    Parameters
    ----------
    directory : Path
        Where the lenses go.
    number : int
        How many lenses are to be written.
    size : int
        Bytes of one, measured; a twentieth is added.

    Raises
    ------
    SimulationError
        With what is needed and what is free.
    """
    free = shutil.disk_usage(directory).free
    needed = int(number * size * _RESERVE)
    if needed > free:
        raise SimulationError(
            f"{number} lenses need {_readable(needed)}, got {_readable(free)} free in "
            f"{directory}; simulate fewer, free space or choose another directory"
        )


def _readable(size: int) -> str:
    for unit, power in (("TB", 12), ("GB", 9), ("MB", 6)):
        if size >= 10**power:
            return f"{size / 10**power:.1f} {unit}"
    return f"{size / 1000:.1f} kB"
