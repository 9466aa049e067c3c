"""What a table says about lenses besides their images: redshifts and pixel scales."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from astrorim.exceptions import ObservationError

__all__ = ["METADATA_COLUMNS", "LensMetadata", "check_pixel_scale", "read_lens_metadata"]

METADATA_COLUMNS = ("z_lens", "z_source", "pixel_scale_arcsec")
"""Columns that are read besides the name of the lens; others are ignored."""


@dataclass(frozen=True)
class LensMetadata:
    """A row of the table.

    Parameters
    ----------
    z_lens, z_source : float, optional
        Redshifts; None where a cell is empty.
    pixel_scale_arcsec : float, optional
        Side of a pixel of the image, arcsec; None where there is none.
    """

    z_lens: float | None = None
    z_source: float | None = None
    pixel_scale_arcsec: float | None = None


def read_lens_metadata(path: Path) -> dict[str, LensMetadata]:
    """Read a table by the name of the lens.

    Parameters
    ----------
    path : Path
        CSV with the columns lens_name (or name), z_lens, z_source and, where it has one,
        pixel_scale_arcsec.

    Returns
    -------
    dict of str to LensMetadata

    Raises
    ------
    ObservationError
        If a column is missing, a cell is not a number, or a lens stands there twice.
    """
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file, skipinitialspace=True)
        columns = reader.fieldnames or []
        key = "lens_name" if "lens_name" in columns else "name"
        missing = [name for name in (key, "z_lens", "z_source") if name not in columns]
        if missing:
            raise ObservationError(
                f"{path} must have the columns lens_name, z_lens and z_source, got "
                f"{', '.join(columns) or 'none'}"
            )
        rows = list(reader)
    found: dict[str, LensMetadata] = {}
    for row in rows:
        name = (row[key] or "").strip()
        if name in found:
            raise ObservationError(f"{path} must have one row for each lens, got two {name!r}")
        cells = {
            column: _number(row[column], f"{column} of {name!r} in {path}")
            for column in METADATA_COLUMNS
            if (row.get(column) or "").strip()
        }
        found[name] = LensMetadata(**cells)
    return found


def _number(text: str, what: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise ObservationError(f"{what} must be a number, got {text.strip()!r}") from error


def check_pixel_scale(given: float | None, own: float) -> None:
    """Refuse a pixel scale that is not the one of the reconstruction.

    Angles of a reconstruction are in arcsec already, by the pixel scale that it was made
    with; another one makes all of them wrong, and masses by its square.

    Parameters
    ----------
    given : float or None, arcsec
        The table's; None where it has none.
    own : float, arcsec
        The reconstruction's.

    Raises
    ------
    ObservationError
        If they differ by more than 1 %.
    """
    from astrorim.observation.checks import SCALE_TOLERANCE

    if given is not None and not abs(given / own - 1) <= SCALE_TOLERANCE:
        raise ObservationError(
            f"pixel_scale_arcsec is {given:g} in the table, but the lens was reconstructed "
            f"with {own:.5g} arcsec; reconstruct it again with the right pixel_scale=, or "
            "correct the table"
        )
