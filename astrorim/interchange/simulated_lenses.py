"""Simulated lenses in files of their own, with their catalogue: pairs of FITS, or ASDF."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from astrorim.exceptions import SimulationError
from astrorim.interchange.simulated_asdf import asdf_bytes, asdf_name
from astrorim.interchange.simulated_catalogue import (
    Catalogue,
    CatalogueRows,
    catalogue_name,
    catalogue_rows,
)
from astrorim.interchange.simulated_files import check_space, sole_writer, write_whole
from astrorim.interchange.simulated_pairs import (
    detector_sources,
    observation_bytes,
    truth_bytes,
)
from astrorim.interchange.simulated_truth import dataset_of, pair_names

if TYPE_CHECKING:
    import numpy as np

    from astrorim.interfaces import SimulatedLenses

__all__ = [
    "LENS_FORMATS",
    "LensDirectory",
    "LensFormat",
    "finished_pairs",
    "measured_size",
    "write_asdf",
    "write_lens_files",
    "write_pairs",
]


_MEASURED = 4


@dataclass(frozen=True)
class LensFormat:
    """How a lens is put into files of its own.

    Parameters
    ----------
    columns : tuple of str
        Columns of the catalogue with the names of its files.
    names : callable
        ``names(index, suffix)`` gives the names of the files, in the order of the columns.
    encode : callable
        ``encode(simulated, i, on_detector)`` gives what they hold, in the same order.
    """

    columns: tuple[str, ...]
    names: Callable[[int, str], tuple[str, ...]]
    encode: Callable[[SimulatedLenses, int, np.ndarray], Iterator[bytes]]


def _pair(simulated: SimulatedLenses, i: int, on_detector: np.ndarray) -> Iterator[bytes]:
    yield truth_bytes(simulated, i, on_detector)
    yield observation_bytes(simulated, i)


def _asdf(simulated: SimulatedLenses, i: int, on_detector: np.ndarray) -> Iterator[bytes]:
    yield asdf_bytes(simulated, i, on_detector)


def _asdf_names(index: int, suffix: str) -> tuple[str, ...]:
    return (asdf_name(index, suffix),)


LENS_FORMATS: Mapping[str, LensFormat] = {
    "fits": LensFormat(("source", "lensed"), pair_names, _pair),
    "asdf": LensFormat(("file",), _asdf_names, _asdf),
}
"""Formats that write one lens at a time, by name."""


def measured_size(simulated: SimulatedLenses, format_name: str) -> int:
    """Bytes that a lens takes: files and row of the catalogue, the largest of a few.

    Parameters
    ----------
    simulated : SimulatedLenses
        A batch, of which the first four are measured.
    format_name : str
        Key of `LENS_FORMATS`.

    Returns
    -------
    int
    """
    layout = LENS_FORMATS[format_name]
    few = list(range(min(_MEASURED, len(simulated))))
    detector = detector_sources(simulated)
    names = [layout.names(int(simulated.index[i]), "") for i in few]
    files = {c: [n[k] for n in names] for k, c in enumerate(layout.columns)}
    lines = catalogue_rows(simulated, few, files).lines.values()
    return max(map(len, lines)) + max(
        sum(map(len, layout.encode(simulated, i, detector[i]))) for i in few
    )


def write_lens_files(
    simulated: SimulatedLenses,
    rows: list[int],
    directory: Path,
    *,
    format_name: str = "fits",
    suffix: str = "",
) -> CatalogueRows:
    """Write the files of some lenses of a batch, without their catalogue.

    Parameters
    ----------
    simulated : SimulatedLenses
        A batch.
    rows : list of int
        Positions in the batch of the lenses that are wanted.
    directory : Path
        Where to; existing files are replaced.
    format_name : str, optional
        Key of `LENS_FORMATS`.
    suffix : str, optional
        Put at the end of the names of all files.

    Returns
    -------
    CatalogueRows
        To be added to the catalogue.

    Raises
    ------
    SimulationError
        If a file cannot be written.
    """
    layout = LENS_FORMATS[format_name]
    detector = detector_sources(simulated)
    files: dict[str, list[str]] = {column: [] for column in layout.columns}
    for i in rows:
        names = layout.names(int(simulated.index[i]), suffix)
        contents = layout.encode(simulated, i, detector[i])
        for column, name, content in zip(layout.columns, names, contents, strict=True):
            write_whole(directory / name, content)
            files[column].append(name)
    return catalogue_rows(simulated, rows, files)


class LensDirectory:
    """A directory of lenses in files of their own; use `open`.

    Parameters
    ----------
    directory : Path
        Where the files are.
    format_name : str
        Key of `LENS_FORMATS`.
    suffix : str
        At the end of the names of all files.
    """

    def __init__(self, directory: Path, format_name: str, suffix: str) -> None:
        self.directory = directory
        self.format_name = format_name
        self.suffix = suffix
        self.catalogue = Catalogue(directory / catalogue_name(suffix))

    @classmethod
    @contextmanager
    def open(
        cls, directory: Path, *, format_name: str = "fits", suffix: str = ""
    ) -> Iterator[LensDirectory]:
        """Open for writing, alone; the catalogue is in order when the block ends.

        Parameters
        ----------
        directory : Path
            Made if it does not exist.
        format_name : str, optional
            Key of `LENS_FORMATS`.
        suffix : str, optional
            Put at the end of the names of all files.

        Yields
        ------
        LensDirectory

        Raises
        ------
        SimulationError
            If it cannot be written to, or another run is writing to it.
        """
        with sole_writer(directory):
            opened = cls(directory, format_name, suffix)
            try:
                yield opened
            finally:
                opened.catalogue.close()

    def finished(self) -> set[int]:
        """Numbers of the lenses whose files and catalogue row are there."""
        names = LENS_FORMATS[self.format_name].names
        return {
            index
            for index in self.catalogue.indices
            if all((self.directory / name).exists() for name in names(index, self.suffix))
        }

    def check_dataset(self, wanted: Mapping[str, object]) -> None:
        """Refuse to mix datasets.

        Parameters
        ----------
        wanted : mapping of str to object
            What the lenses to be written have in common, as
            `~astrorim.interchange.simulated_truth.dataset_of` gives it, or a part of it.

        Raises
        ------
        SimulationError
            If the directory holds lenses of which it is not true.
        """
        stored = self.catalogue.meta
        for name, value in wanted.items() if stored else ():
            if stored.get(name) != value:
                raise SimulationError(
                    f"{self.directory} holds a dataset with {name} {stored.get(name)!r}, "
                    f"asked for {value!r}; choose another directory, or ask for the same "
                    "dataset to go on"
                )

    def write(self, simulated: SimulatedLenses) -> list[Path]:
        """Write the lenses of a batch that are not finished, and their rows.

        Parameters
        ----------
        simulated : SimulatedLenses
            A batch.

        Returns
        -------
        list of Path
            The last file, for pairs the observation, of each lens of the batch.

        Raises
        ------
        SimulationError
            If there is too little space, a file cannot be written, or the directory holds
            another dataset.
        """
        self.check_dataset(dataset_of(simulated))
        finished = self.finished()
        indices = simulated.index.tolist()
        wanted = [i for i, n in enumerate(indices) if n not in finished]
        if wanted:
            size = measured_size(simulated, self.format_name)
            check_space(self.directory, len(wanted), size)
            rows = write_lens_files(
                simulated,
                wanted,
                self.directory,
                format_name=self.format_name,
                suffix=self.suffix,
            )
            self.catalogue.add(rows)
        names = LENS_FORMATS[self.format_name].names
        return [self.directory / names(n, self.suffix)[-1] for n in indices]


def finished_pairs(directory: str | Path, *, seed: int, suffix: str = "") -> set[int]:
    """Numbers of the lenses whose pair and catalogue row are in a directory.

    Parameters
    ----------
    directory : str or Path
        What `write_pairs` wrote to; it need not exist.
    seed : int
        Seed of the dataset.
    suffix : str, optional
        As for `write_pairs`.

    Returns
    -------
    set of int

    Raises
    ------
    SimulationError
        If the directory holds a dataset of another seed.
    """
    opened = LensDirectory(Path(directory), "fits", suffix)
    opened.check_dataset({"seed": seed})
    return opened.finished()


def write_pairs(
    simulated: SimulatedLenses, directory: str | Path, *, suffix: str = ""
) -> list[Path]:
    """Write each lens as a pair of FITS files, and all of them into a catalogue.

    ``lensed_XXXXX.fits`` is the observation: image, uncertainty, PSF, and the truth in
    the header. ``source_XXXXX.fits`` is the truth: the source in adu/arcsec^2, and in
    extensions the source on the detector grid (``SOURCEDET``), the noise-free image
    (``NOISEFREE``), the lens light (``LENSLIGHT``) and the arcs (``ARCS``); and where the
    lens has them the light of others (``OTHERLGT``), the PSF that it was rendered with
    (``TRUEPSF``), the pixels hit by cosmic rays (``COSMICS``) and the kernel of the
    noise's correlation (``NOISEKER``). Files appear complete or not at all; pairs that
    are finished are not written again.

    Parameters
    ----------
    simulated : SimulatedLenses
        A batch.
    directory : str or Path
        Made if it does not exist.
    suffix : str, optional
        Put at the end of the names of all files.

    Returns
    -------
    list of Path
        The observations of the batch, in its order.

    Raises
    ------
    SimulationError
        If the directory cannot be written, has too little space, or holds another dataset.
    """
    with LensDirectory.open(Path(directory), suffix=suffix) as opened:
        return opened.write(simulated)


def write_asdf(
    simulated: SimulatedLenses, directory: str | Path, *, suffix: str = ""
) -> list[Path]:
    """Write each lens as an ASDF file, and all of them into a catalogue.

    ``lens_XXXXX.asdf`` holds the trees ``observation``, a
    `~astrorim.observation.LensObservation`, and ``truth``, of plain types, arrays and
    quantities; see `~astrorim.interchange.simulated_asdf.truth_tree`. Files appear
    complete or not at all; those that are finished are not written again.

    Parameters
    ----------
    simulated : SimulatedLenses
        A batch.
    directory : str or Path
        Made if it does not exist.
    suffix : str, optional
        Put at the end of the names of all files.

    Returns
    -------
    list of Path
        The files of the batch, in its order.

    Raises
    ------
    SimulationError
        If the directory cannot be written, has too little space, or holds another dataset.
    """
    with LensDirectory.open(Path(directory), format_name="asdf", suffix=suffix) as opened:
        return opened.write(simulated)
