"""What is to be reconstructed: lenses from files, a folder or a catalogue."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from astrorim.cli.terminal import LOGGER
from astrorim.exceptions import ObservationError

if TYPE_CHECKING:
    from astrorim.observation import LensObservation

__all__ = [
    "CATALOGUE_COLUMNS",
    "LensJob",
    "check_names",
    "image_stem",
    "jobs_of_catalogue",
    "jobs_of_files",
    "jobs_of_folder",
    "path_inside",
    "shard",
]

CATALOGUE_COLUMNS = (
    "name", "image", "psf", "noise", "mask",
    "z_lens", "z_source", "pixel_scale", "pixel_scale_arcsec", "unit", "band",
)  # fmt: skip
"""Columns of a catalogue that are understood; only ``image`` must be there.

``pixel_scale`` has its unit, such as ``0.05 arcsec``; ``pixel_scale_arcsec`` is a number."""

_FILES = {"image": "image", "noise": "uncertainty", "psf": "psf", "mask": "mask"}
_REDSHIFTS = ("z_lens", "z_source")
_ENDINGS = (".fits", ".fit", ".fits.gz", ".fits.fz")


@dataclass(frozen=True)
class LensJob:
    """One lens to reconstruct.

    Parameters
    ----------
    name : str
        Names the lens and its files.
    image : Path
        The image.
    options : mapping of str to object
        Keyword arguments of ``LensObservation.read``.
    fault : str, optional
        Why it cannot even be tried; empty when it can.
    """

    name: str
    image: Path
    options: Mapping[str, Any] = field(default_factory=dict)
    fault: str = ""

    def read(self) -> LensObservation:
        """Read the observation.

        Returns
        -------
        LensObservation
            Of the job's name.

        Raises
        ------
        ObservationError
            If something is missing, wrong or unreadable.
        """
        from astrorim.observation import LensObservation

        if self.fault:
            raise ObservationError(self.fault)
        observation = LensObservation.read(self.image, **self.options)
        observation.name = self.name
        return observation

    def request(self) -> dict[str, str]:
        """What its results depend on: checksums of its files and its options.

        Returns
        -------
        dict of str to str
            To compare with `~astrorim.cli.file_run.check_request`.

        Raises
        ------
        ObservationError
            If the job cannot even be tried.
        """
        from astrorim.cli.origins import request_of

        if self.fault:
            raise ObservationError(self.fault)
        return request_of(image=self.image, **self.options)


def image_stem(path: Path) -> str:
    """Name of an image file without its ending: ``lens.fits.gz`` is ``lens``."""
    name = path.name
    for ending in (".gz", ".fz", ".bz2"):
        name = name.removesuffix(ending)
    return Path(name).stem


def jobs_of_files(images: Iterable[str | Path], options: Mapping[str, Any]) -> list[LensJob]:
    """Jobs of image files, all read with the same options.

    Parameters
    ----------
    images : iterable of path-like
        The files.
    options : mapping
        Keyword arguments of ``LensObservation.read``.

    Returns
    -------
    list of LensJob
    """
    return [LensJob(image_stem(Path(p)), Path(p), dict(options)) for p in images]


def jobs_of_folder(folder: Path, options: Mapping[str, Any]) -> list[LensJob]:
    """Jobs of the FITS files of a folder, in the order of their names.

    ``lens_noise.fits`` and ``lens_psf.fits`` belong to ``lens.fits`` and are used with it;
    ``source_XXXXX.fits`` beside ``lensed_XXXXX.fits`` is a simulation's truth and left out.

    Parameters
    ----------
    folder : Path
        Where the files are; folders in it are not searched.
    options : mapping
        Keyword arguments of ``LensObservation.read``, taken before what is found.

    Returns
    -------
    list of LensJob

    Raises
    ------
    ObservationError
        If there is no FITS file.
    """
    files = {
        image_stem(path): path
        for path in sorted(folder.iterdir(), reverse=True)
        if path.name.lower().endswith(_ENDINGS)
        and not path.name.startswith(".")
        and path.is_file()
    }
    beside = {
        f"{stem}_{role}": (stem, role) for stem in files for role in ("noise", "psf", "mask")
    }
    truths = {
        "source_" + stem.removeprefix("lensed_") for stem in files if stem.startswith("lensed_")
    }
    jobs = []
    for stem in sorted(files):
        if stem in beside or stem in truths:
            continue
        found = {
            _FILES[role]: files[f"{stem}_{role}"]
            for role in ("noise", "psf", "mask")
            if f"{stem}_{role}" in files
        }
        jobs.append(LensJob(stem, files[stem], found | dict(options)))
    if not jobs:
        raise ObservationError(
            f"there is no image in {str(folder)!r}: none of its files ends in "
            f"{', '.join(_ENDINGS)}; choose another --input-dir"
        )
    return jobs


def path_inside(folder: Path, text: str) -> Path:
    """Path of a file that a catalogue names, which must lie in a folder.

    Parameters
    ----------
    folder : Path
        Folder of the catalogue, or of its files.
    text : str
        Path relative to it.

    Returns
    -------
    Path
        Symbolic links resolved.

    Raises
    ------
    ObservationError
        If it leads out of the folder, by ``..``, from the root, or through a link.
    """
    root = folder.resolve()
    try:
        path = (root / text).resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise ObservationError(f"the catalogue's path {text!r} is unusable: {error}") from error
    if not path.is_relative_to(root):
        raise ObservationError(
            f"the catalogue's path {text!r} leads out of its folder {str(root)!r}; paths are "
            "relative to it and must stay in it: move the catalogue, or name the folder of "
            "the files with --input-dir"
        )
    return path


def jobs_of_catalogue(
    catalogue: Path, options: Mapping[str, Any], folder: Path | None = None
) -> list[LensJob]:
    """Jobs of the rows of a catalogue.

    Parameters
    ----------
    catalogue : Path
        CSV or ECSV with the columns of `CATALOGUE_COLUMNS`; empty cells leave a value to
        ``options``.
    options : mapping
        Keyword arguments of ``LensObservation.read`` for what a row does not say.
    folder : Path, optional
        What paths are relative to and must stay in; the catalogue's own by default.

    Returns
    -------
    list of LensJob
        A row that cannot be used gives a job with a `LensJob.fault`.

    Raises
    ------
    ObservationError
        If the catalogue cannot be read, has no row, or no column ``image``.
    """
    rows = list(_rows(catalogue))
    if not rows:
        raise ObservationError(f"the catalogue {str(catalogue)!r} has no rows")
    if "image" not in rows[0]:
        raise ObservationError(
            f"the catalogue {str(catalogue)!r} must have a column 'image', got "
            f"{', '.join(rows[0])}"
        )
    unknown = [column for column in rows[0] if column not in CATALOGUE_COLUMNS]
    if unknown:
        LOGGER.warning(
            "columns of the catalogue that are not used: %s; those that are: %s",
            ", ".join(unknown), ", ".join(CATALOGUE_COLUMNS),
        )  # fmt: skip
    return [
        _job_of_row(folder or catalogue.parent, number, row, options)
        for number, row in enumerate(rows, start=1)
    ]


def _rows(catalogue: Path) -> Iterator[dict[str, Any]]:
    """Rows as name and value; empty cells are None."""
    try:
        if catalogue.suffix.lower() == ".ecsv":
            from astropy.table import QTable

            table = QTable.read(catalogue, format="ascii.ecsv")
            for row in table:
                yield {name: _cell(row[name]) for name in table.colnames}
            return
        with catalogue.open(newline="", encoding="utf-8-sig") as file:
            for line in csv.DictReader(file, skipinitialspace=True):
                yield {
                    str(name).strip(): (value or "").strip() or None
                    for name, value in line.items()
                    if name is not None and not isinstance(value, list)
                }
    except (OSError, ValueError, csv.Error) as error:
        raise ObservationError(
            f"the catalogue {str(catalogue)!r} cannot be read as CSV or ECSV: {error}"
        ) from error


def _cell(value: Any) -> Any:
    import numpy as np

    if value is np.ma.masked or getattr(value, "mask", False) is True:
        return None
    if isinstance(value, str):
        return value.strip() or None
    return value


def _job_of_row(
    folder: Path, number: int, row: Mapping[str, Any], options: Mapping[str, Any]
) -> LensJob:
    given = {name: row[name] for name in CATALOGUE_COLUMNS if row.get(name) is not None}
    image_text = str(given.get("image", ""))
    name = str(given.get("name") or image_stem(Path(image_text)) or f"row_{number}")
    job = LensJob(name, Path(image_text))
    from astrorim.quantities import parse_pixel_scale

    try:
        if not image_text:
            raise ObservationError(f"row {number} of the catalogue has no image")
        files = {
            _FILES[role]: path_inside(folder, str(given[role]))
            for role in _FILES
            if role in given
        }
        found: dict[str, Any] = {k: given[k] for k in ("unit", "band") if k in given}
        found |= {k: _redshift(k, given[k]) for k in _REDSHIFTS if k in given}
        if "pixel_scale" in given:
            found["pixel_scale"] = parse_pixel_scale(given["pixel_scale"])
        elif "pixel_scale_arcsec" in given:
            value = given["pixel_scale_arcsec"]
            found["pixel_scale"] = parse_pixel_scale(
                value if hasattr(value, "unit") else f"{value} arcsec",
                name="pixel_scale_arcsec",
            )
    except ValueError as error:
        return replace(job, fault=str(error))
    image = files.pop("image")
    return LensJob(name, image, dict(options) | files | found)


def _redshift(name: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ObservationError(f"{name} must be a number, got {value!r}") from None


def check_names(jobs: Sequence[LensJob]) -> None:
    """Refuse lenses whose files would have the same names.

    Parameters
    ----------
    jobs : sequence of LensJob
        All that write to one directory.

    Raises
    ------
    ObservationError
        If two names are the same; both images are named.
    """
    from astrorim.results.files import file_stem

    taken: dict[str, LensJob] = {}
    for job in jobs:
        stem = file_stem(job.name)
        if stem in taken:
            raise ObservationError(
                f"the files of two lenses would both be called {stem!r}_*: "
                f"{taken[stem].image} and {job.image}; rename an image, or give each its own "
                "name in a --catalogue with a column 'name'"
            )
        taken[stem] = job


def shard(jobs: Sequence[LensJob], part: int, parts: int) -> list[LensJob]:
    """Every ``parts``-th job, beginning with number ``part``, counted from one.

    Parameters
    ----------
    jobs : sequence of LensJob
        All jobs, in the same order in every shard.
    part, parts : int
        Which part of how many.

    Returns
    -------
    list of LensJob
    """
    return list(jobs[part - 1 :: parts])
