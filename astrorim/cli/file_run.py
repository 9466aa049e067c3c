"""Work on many files: each on its own account, with a status table, and resumable.

The commands for many lenses share this. A file that is bad costs only itself, and so does one
that meets a fault of the program, which is reported as such. Results appear whole or not at
all, and the checksums of what they were made of tell the next run what is finished.
"""

from __future__ import annotations

import gc
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Generic, Self, TypeVar

from astrorim.cli.arguments import in_options
from astrorim.cli.faults import is_internal
from astrorim.cli.terminal import LOGGER, progress_bar
from astrorim.exceptions import AstroRIMError

if TYPE_CHECKING:
    import astropy.units as u

__all__ = ["FINISHED", "FileRun", "FileStatus", "write_status"]

FINISHED = "finished earlier; --overwrite does it again"
"""Why a file is skipped."""

_FLUSH_SECONDS = 10.0
_FLUSH_SHARE = 20.0
"""The table is written no more often than this many times the time that it takes."""

_COLLECTION_SHARE = 50.0
"""Garbage is collected no more often than this many times the time that it takes.

Figures and trees of files refer to themselves and wait for the collector, which counts
objects and not their arrays, so that memory would grow in steps.
"""


@dataclass
class FileStatus:
    """What became of a file: a row of the status table; commands add columns.

    Parameters
    ----------
    name : str
        The lens.
    status : {"ok", "skipped", "failed", "error"}
        Skipped files were finished before; ``failed`` is the file's fault, ``error`` the
        program's.
    reason : str
        Why it was not done.
    """

    name: str
    status: str = "ok"
    reason: str = ""

    @property
    def done(self) -> bool:
        """Whether its results are there."""
        return self.status in ("ok", "skipped")


RowT = TypeVar("RowT", bound=FileStatus)


class FileRun(Generic[RowT]):
    """A pass over many files, as a context manager.

    On entering, the output directory is made and cleared of the unfinished files of
    processes that were killed. Rows are written into the status table every few seconds
    and at the end, also of a run that is interrupted.

    Parameters
    ----------
    table : Path
        The status table, ECSV; its directory is the output directory.
    kind : type
        Of the rows, `FileStatus` or a subclass of it.
    total : int
        How many files there are.
    unit : str, optional
        What a file is called by the progress bar.
    units : mapping of str to `~astropy.units.UnitBase`, optional
        Of columns.
    """

    def __init__(
        self,
        table: Path,
        kind: type[RowT],
        *,
        total: int,
        unit: str = "lens",
        units: Mapping[str, u.UnitBase] | None = None,
    ) -> None:
        self.table = table
        self.log = table.with_suffix(".log")
        self.rows: list[RowT] = []
        self._kind = kind
        self._units = units or {}
        self._bar = progress_bar(total, unit)
        self._stack = ExitStack()
        self._next_flush = 0.0
        self._next_collection = 0.0

    def __enter__(self) -> Self:
        from astrorim.observation.temporary_rooms import remove_stale_rooms

        self.table.parent.mkdir(parents=True, exist_ok=True)
        for room in remove_stale_rooms(self.table.parent):
            LOGGER.debug("removed what a killed run left: %s", room)
        self._stack.enter_context(self._bar)
        self._next_flush = time.monotonic() + _FLUSH_SECONDS
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()
        self._write()

    @contextmanager
    def isolated(self, row: RowT) -> Iterator[None]:
        """Let what is raised inside cost only the file of this row, which then says why.

        Parameters
        ----------
        row : FileStatus
            Changed where something is raised. Ctrl-C and a request to end pass through.

        Yields
        ------
        None
        """
        try:
            yield
        except Exception as error:  # noqa: BLE001  (told apart and logged in `_fail`)
            self._fail(row, error)

    def add(self, row: RowT) -> None:
        """Note what became of a file.

        Parameters
        ----------
        row : FileStatus
            Its row.
        """
        self.rows.append(row)
        self._bar.update()
        begun = time.monotonic()
        if begun > self._next_collection:
            gc.collect()
            now = time.monotonic()
            self._next_collection = now + _COLLECTION_SHARE * (now - begun)
        if time.monotonic() > self._next_flush:
            self._write()

    @property
    def counts(self) -> Counter[str]:
        """How many are ``ok``, ``skipped``, ``failed`` and ``error``."""
        return Counter(row.status for row in self.rows)

    def finish(self, verb: str, where: Path | None = None) -> int:
        """Print how many became what, and why, and return the exit status.

        Parameters
        ----------
        verb : str
            What was done to files, for example ``"prepared"``.
        where : Path, optional
            What to look at; the status table by default.

        Returns
        -------
        int
            0 when all are there, 1 when files failed, 3 where the program did.
        """
        from astrorim.cli.main import EXIT_FAILED, EXIT_INTERNAL, EXIT_OK

        counts = self.counts
        errors = f", {counts['error']} internal errors" if counts["error"] else ""
        print(
            f"{counts['ok']} {verb}, {counts['skipped']} skipped, {counts['failed']} failed"
            f"{errors}; see {where or self.table}"
        )
        reasons = Counter(_kind_of(row.reason) for row in self.rows if row.status == "failed")
        for reason, number in reasons.most_common():
            print(f"  {number} failed: {reason}")
        if counts["error"]:
            print(f"  tracebacks: {self.log}")
            return EXIT_INTERNAL
        return EXIT_FAILED if counts["failed"] else EXIT_OK

    def _fail(self, row: RowT, error: Exception) -> None:
        internal = is_internal(error)
        row.status = "error" if internal else "failed"
        text = in_options(error)
        known = isinstance(error, (AstroRIMError, OSError, ValueError))
        row.reason = text if known and not internal else f"{type(error).__name__}: {text}"
        if internal:
            row.reason = f"internal error, please report it: {row.reason}"
            self._record(row.name, error)
        LOGGER.error("%s: %s", row.name, row.reason)
        LOGGER.debug("%s", error, exc_info=error)

    def _record(self, name: str, error: Exception) -> None:
        """Append the traceback to the log beside the status table."""
        from astrorim import __version__

        lines = traceback.format_exception(error)
        moment = time.strftime("%Y-%m-%d %H:%M:%S")
        with self.log.open("a", encoding="utf-8") as stream:
            stream.write(f"{moment} astrorim {__version__}: {name}\n{''.join(lines)}\n")

    def _write(self) -> None:
        begun = time.monotonic()
        write_status(self.rows, self._kind, self.table, self._units)
        now = time.monotonic()
        self._next_flush = now + max(_FLUSH_SECONDS, _FLUSH_SHARE * (now - begun))


def _kind_of(reason: str) -> str:
    """A reason without what only its own file has: paths and details."""
    first = reason.split(";", maxsplit=1)[0].split("(", maxsplit=1)[0]
    return " ".join(word for word in first.split() if "/" not in word).strip()


def write_status(
    rows: Sequence[RowT],
    kind: type[RowT],
    path: Path,
    units: Mapping[str, u.UnitBase] | None = None,
) -> None:
    """Write a status table, which appears complete or not at all.

    Parameters
    ----------
    rows : sequence of FileStatus
        One for each file.
    kind : type
        Of the rows; its fields are the columns.
    path : Path
        ECSV file; replaced when it exists.
    units : mapping of str to `~astropy.units.UnitBase`, optional
        Of columns.
    """
    import numpy as np
    from astropy.table import QTable

    from astrorim.observation.unified_io import replacing

    table = QTable()
    for column in fields(kind):
        values = np.array(
            [getattr(row, column.name) for row in rows],
            dtype=str if column.type == "str" else float,
        )
        unit = (units or {}).get(column.name)
        table[column.name] = values if unit is None else values << unit
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path, overwrite=True) as temporary:
        table.write(temporary, format="ascii.ecsv")
