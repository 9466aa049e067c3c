"""Cutouts of galaxies in files: stacks, folders and catalogues."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import astropy.units as u
import numpy as np
from astropy.io import fits
from astropy.table import Row, Table

from astrorim.exceptions import ObservationError
from astrorim.observation.checks import resolve_pixel_scale
from astrorim.observation.fits_files import (
    choose_image,
    describe_hdu,
    image_hdus,
    open_fits,
    pixels_of,
    wcs_of,
)
from astrorim.observation.headers import PIXEL_SCALE_HINTS
from astrorim.observation.instruments import role_of
from astrorim.quantities import parse_pixel_scale

if TYPE_CHECKING:
    from astropy.wcs import WCS

__all__ = ["CATALOGUE_COLUMNS", "Cutout", "read_cutouts"]

CATALOGUE_COLUMNS = {
    "file": ("file", "filename", "file_name", "path", "cutout", "image", "gal_filename"),
    "hdu": ("hdu", "extension", "gal_hdu"),
    "pixel_scale": ("pixel_scale", "pixelscale", "pixscale"),
    "background": ("background", "sky", "noise_mean"),
}
"""Names of a catalogue's columns, in any case: those of COSMOS catalogues among them."""

_FITS_ENDINGS = (".fits", ".fit", ".fts", ".fits.gz", ".fits.fz")
_CATALOGUE_ENDINGS = (".ecsv", ".csv")


@dataclass(frozen=True)
class Cutout:
    """One image of a galaxy as a file has it.

    Parameters
    ----------
    pixels : ndarray, (H, W), linear in flux
        The galaxy with sky and noise.
    pixel_scale : float, arcsec
        Side of a pixel.
    background : float or None, unit of the pixels
        Sky level, where a catalogue says it.
    """

    pixels: np.ndarray
    pixel_scale: float
    background: float | None = None


Outcome = tuple[str, Cutout | ObservationError]


def read_cutouts(
    path: str | os.PathLike[str],
    *,
    pixel_scale: str | u.Quantity | None = None,
    file_column: str | None = None,
) -> Iterator[Outcome]:
    """Read cutouts one after the other.

    Parameters
    ----------
    path : str or path-like
        A FITS file with a cube (n, H, W) or with two-dimensional images, a folder of FITS
        files, or a catalogue (ECSV, CSV or FITS table) that names FITS files in its own
        folder or below it.
    pixel_scale : str or `~astropy.units.Quantity`, optional
        Side of a pixel where neither a WCS nor the catalogue says it; what it says goes
        before the catalogue's, and must agree with the WCS to 1 %.
    file_column : str, optional
        Column of a catalogue with the names of the files, if it is none of
        `CATALOGUE_COLUMNS`.

    Yields
    ------
    str
        Which cutout, for messages: the file's name, and the plane or HDU.
    Cutout or ObservationError
        The cutout, or why there is none.

    Raises
    ------
    ObservationError
        If there is nothing to read at the path, or a catalogue has no column with files.
    """
    place = Path(path).expanduser()
    given = None if pixel_scale is None else parse_pixel_scale(pixel_scale)
    if place.is_dir():
        files = sorted(p for p in place.iterdir() if p.name.lower().endswith(_FITS_ENDINGS))
        if not files:
            raise ObservationError(
                f"the folder {str(path)!r} must hold FITS files, got none; give the folder "
                "of the cutouts itself"
            )
        for file in files:
            yield file.name, _attempt(file, None, given, None)
        return
    if not place.exists():
        raise ObservationError(f"there is no file or folder {str(path)!r}; check the path")
    table = _catalogue(place)
    if table is None:
        yield from _images_of(place, given)
    else:
        yield from _listed(table, place.parent, given, file_column)


def _catalogue(place: Path) -> Table | None:
    """The table in a file, or None if it is a FITS file with images."""
    name = place.name.lower()
    try:
        if name.endswith(_CATALOGUE_ENDINGS):
            return Table.read(place, format="ascii.ecsv" if name.endswith(".ecsv") else "csv")
        with open_fits(place) as hdul:
            if image_hdus(hdul):
                return None
            tables = [hdu for hdu in hdul if isinstance(hdu, fits.BinTableHDU | fits.TableHDU)]
            if not tables:
                raise ObservationError(
                    f"{str(place)!r} must hold images or a catalogue, got neither"
                )
            return Table.read(tables[0])
    except ObservationError:
        raise
    except Exception as error:  # readers of tables raise many kinds
        raise ObservationError(
            f"the catalogue {str(place)!r} cannot be read ({error}); write it as ECSV, CSV "
            "or a FITS table"
        ) from error


def _images_of(place: Path, given: u.Quantity | None) -> Iterator[Outcome]:
    """Cutouts of a cube, or of a file with several images."""
    with open_fits(place) as hdul:
        images = [hdu for hdu in image_hdus(hdul) if role_of(hdu.name) == "image"]
        cubes = [hdu for hdu in images if hdu.header["NAXIS"] == 3]
        for hdu in cubes[:1] or images:
            number = hdu.header["NAXIS3"] if cubes else 1
            for plane in range(number):
                what = f"plane {plane}" if cubes else f"HDU {list(hdul).index(hdu)}"
                try:
                    outcome: Cutout | ObservationError = _cutout(
                        hdul, hdu, given, plane=plane if cubes else None
                    )
                except ObservationError as error:
                    outcome = error
                yield f"{place.name}, {what}", outcome


def _listed(
    table: Table, folder: Path, given: u.Quantity | None, file_column: str | None
) -> Iterator[Outcome]:
    """Cutouts that a catalogue names; each file is opened once for rows that follow."""
    columns = {kind: _column(table, names) for kind, names in CATALOGUE_COLUMNS.items()}
    if file_column is not None:
        columns["file"] = file_column if file_column in table.colnames else None
    file_name = columns["file"]
    if file_name is None:
        wanted = file_column or " or ".join(CATALOGUE_COLUMNS["file"])
        raise ObservationError(
            f"a catalogue must have a column with the names of its files ({wanted}), got "
            f"{', '.join(table.colnames)}; pass file_column="
        )
    start = 0
    while start < len(table):
        name = _text(table[file_name][start])
        stop = start + 1
        while stop < len(table) and _text(table[file_name][stop]) == name:
            stop += 1
        rows = [table[i] for i in range(start, stop)]
        yield from _rows_of_file(name, rows, columns, folder, given)
        start = stop


def _rows_of_file(
    name: str,
    rows: Sequence[Row],
    columns: dict[str, str | None],
    folder: Path,
    given: u.Quantity | None,
) -> Iterator[Outcome]:
    numbers = [None if columns["hdu"] is None else row[columns["hdu"]] for row in rows]
    labels = [name if hdu is None else f"{name}, HDU {hdu}" for hdu in numbers]
    try:
        with open_fits(_inside(folder, name)) as hdul:
            for row, label, hdu in zip(rows, labels, numbers, strict=True):
                try:
                    image = choose_image(hdul, hdu=_hdu_key(hdu))
                    scale = given if given is not None else _scale_of_row(row, columns)
                    cutout = _cutout(hdul, image, scale)
                    level = _number(row, columns["background"])
                    yield label, Cutout(cutout.pixels, cutout.pixel_scale, level)
                except ObservationError as error:
                    yield label, error
    except ObservationError as error:
        for label in labels:
            yield label, error


def _attempt(
    file: Path, hdu: int | str | None, given: u.Quantity | None, plane: int | None
) -> Cutout | ObservationError:
    try:
        with open_fits(file) as hdul:
            return _cutout(hdul, choose_image(hdul, hdu=hdu), given, plane=plane)
    except ObservationError as error:
        return error


def _cutout(
    hdul: fits.HDUList,
    image: fits.ImageHDU,
    given: u.Quantity | None,
    *,
    plane: int | None = None,
) -> Cutout:
    wcs: WCS | None = wcs_of(hdul, image, optional=given is not None)
    scale = resolve_pixel_scale(wcs, given)
    if scale is None:
        hints = [
            f"{key} = {image.header[key]}" for key in PIXEL_SCALE_HINTS if key in image.header
        ]
        advice = f" (the header says {hints[0]}, without a WCS)" if hints else ""
        raise ObservationError(
            f"the pixel scale is missing: HDU {describe_hdu(image)} has no celestial "
            f'WCS{advice}; pass pixel_scale=, for example pixel_scale="0.03 arcsec"'
        )
    pixels = pixels_of(image, what="cutout", plane=plane)
    return Cutout(pixels, float(scale.value))


def _inside(folder: Path, name: str) -> Path:
    """File of that name, which must not lead out of the folder, by links neither."""
    root = folder.resolve()
    try:
        place = (root / name).resolve()
    except (OSError, ValueError, RuntimeError) as error:
        raise ObservationError(f"{name!r} is no name of a file ({error})") from error
    if not place.is_relative_to(root):
        raise ObservationError(
            f"cutouts must lie in their catalogue's folder, got {name!r}, which leads out of "
            "it; move the file there"
        )
    return place


def _column(table: Table, names: Sequence[str]) -> str | None:
    known = {column.lower(): column for column in reversed(table.colnames)}
    return next((known[name] for name in names if name in known), None)


def _text(value: Any) -> str:
    return (value.decode() if isinstance(value, bytes) else str(value)).strip()


def _hdu_key(value: Any) -> int | str | None:
    if value is None or np.ma.is_masked(value):
        return None
    text = _text(value)
    return int(text) if text.lstrip("-").isdigit() else text


def _number(row: Row, column: str | None) -> float | None:
    """Finite number in a column, or None."""
    if column is None or np.ma.is_masked(row[column]):
        return None
    value = float(getattr(row[column], "value", row[column]))
    return value if np.isfinite(value) else None


def _scale_of_row(row: Row, columns: dict[str, str | None]) -> u.Quantity | None:
    column = columns["pixel_scale"]
    value = _number(row, column)
    if column is None or value is None:
        return None
    unit = row.table[column].unit or u.arcsec
    return parse_pixel_scale(u.Quantity(value, unit), name=column)
