"""The catalogue of simulated lenses: an ECSV file that grows by rows and survives a stop."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from astropy.table import QTable

from astrorim.exceptions import SimulationError
from astrorim.interchange.simulated_files import replace_file, write_whole
from astrorim.interchange.simulated_truth import truth_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from astrorim.interfaces import SimulatedLenses

__all__ = ["Catalogue", "CatalogueRows", "catalogue_name", "catalogue_rows"]


def catalogue_name(suffix: str = "") -> str:
    """Name of the catalogue of everything drawn, one row for each lens.

    Parameters
    ----------
    suffix : str, optional
        Put before the extension.

    Returns
    -------
    str
        ``truths.ecsv``.
    """
    return f"truths{suffix}.ecsv"


class CatalogueRows:
    """Rows of a catalogue as text, with the header that they belong to.

    Parameters
    ----------
    header : str
        ECSV header, the line with the columns' names included.
    lines : dict of int to str
        Text of each row, by the number of its lens.
    """

    def __init__(self, header: str, lines: dict[int, str]) -> None:
        self.header = header
        self.lines = lines


def catalogue_rows(
    simulated: SimulatedLenses, rows: list[int], files: Mapping[str, Sequence[str]]
) -> CatalogueRows:
    """Rows of some lenses of a batch.

    Parameters
    ----------
    simulated : SimulatedLenses
        A batch.
    rows : list of int
        Positions in the batch of the lenses that are wanted.
    files : mapping of str to sequence of str
        As for `~astrorim.interchange.simulated_truth.truth_table`.

    Returns
    -------
    CatalogueRows
    """
    buffer = io.StringIO()
    truth_table(simulated, rows, files).write(buffer, format="ascii.ecsv")
    lines = buffer.getvalue().splitlines(keepends=True)
    start = next(n for n, line in enumerate(lines) if not line.startswith("#")) + 1
    return CatalogueRows(
        "".join(lines[:start]), {_index_of(line): line for line in lines[start:]}
    )


def _index_of(line: str | bytes) -> int:
    return int(line.split(maxsplit=1)[0])


class Catalogue:
    """A catalogue on disk, to which rows are added at its end.

    A row that was cut short when a run was stopped is taken off when the catalogue is
    opened again. Only the numbers of the lenses are kept in memory.

    Parameters
    ----------
    path : Path
        The file; it need not exist.

    Raises
    ------
    SimulationError
        If the file is not a catalogue.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.indices: set[int] = set()
        self._header = ""
        self._sorted = True
        self._last = -1
        if path.exists():
            self._recover()

    @property
    def meta(self) -> dict[str, Any]:
        """What all lenses have in common; empty where there is no catalogue yet."""
        if not self._header:
            return {}
        return dict(QTable.read(self._header, format="ascii.ecsv").meta)

    def add(self, rows: CatalogueRows) -> None:
        """Add rows; those of lenses that have one are left out.

        Parameters
        ----------
        rows : CatalogueRows
            Of the same dataset.

        Raises
        ------
        SimulationError
            If their columns differ, or the file cannot be written.
        """
        if not self._header:
            write_whole(self.path, rows.header.encode())
            self._header = rows.header
        elif rows.header != self._header:
            raise SimulationError(
                f"{self.path} has other columns than the lenses to be added; they were drawn "
                "by another version, choose another directory"
            )
        new = sorted(rows.lines.keys() - self.indices)
        try:
            with self.path.open("ab") as file:
                file.write("".join(rows.lines[index] for index in new).encode())
        except OSError as error:
            raise SimulationError(
                f"{self.path} cannot be written ({error}); free space or choose another "
                "directory"
            ) from error
        for index in new:
            self._note(index)

    def close(self) -> None:
        """Bring the rows into the order of the lenses, where they are not."""
        if self._sorted:
            return
        places = sorted((index, start, size) for index, start, size in self._rows())
        with (
            replace_file(self.path) as part,
            self.path.open("rb") as old,
            part.open("wb") as new,
        ):
            new.write(self._header.encode())
            for _, start, size in places:
                old.seek(start)
                new.write(old.read(size))
        self._sorted = True

    def _note(self, index: int) -> None:
        self._sorted &= index > self._last
        self._last = index
        self.indices.add(index)

    def _rows(self) -> Iterator[tuple[int, int, int]]:
        """Number, place and length of each row."""
        start = len(self._header.encode())
        with self.path.open("rb") as file:
            file.seek(start)
            for line in file:
                yield _index_of(line), start, len(line)
                start += len(line)

    def _recover(self) -> None:
        header = []
        with self.path.open("r+b") as file:
            for line in file:
                header.append(line)
                if not line.startswith(b"#"):
                    break
            self._header = b"".join(header).decode()
            if not self._header.startswith("# %ECSV") or not header[-1].startswith(b"index "):
                raise SimulationError(
                    f"{self.path} is not a catalogue of simulated lenses; move it elsewhere "
                    "or choose another directory"
                )
            end = file.tell()
            for line in file:
                if not line.endswith(b"\n"):
                    file.seek(end)
                    file.truncate()
                    break
                end += len(line)
                self._note(_index_of(line))
