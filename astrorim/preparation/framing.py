"""Which part of a frame is kept: the lens's place, the cutout, and whether it is enough."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord

from astrorim.exceptions import AstroRIMWarning, ObservationError
from astrorim.preparation.centring import find_lens, offset_arcsec
from astrorim.quantities import parse_quantity

if TYPE_CHECKING:
    from astrorim.observation import LensObservation
    from astrorim.preparation.choices import Preparation
    from astrorim.preparation.records import Notes

__all__ = ["check_frame", "cut", "locate_lens", "square_about"]

_OFF_CENTRE = 0.15


def locate_lens(
    observation: LensObservation, options: Preparation, notes: Notes
) -> tuple[float, float]:
    """Place of the lens, as the options have it.

    Parameters
    ----------
    observation : LensObservation
        The frame.
    options : Preparation
        With ``centre`` and ``size``.
    notes : Notes
        Told where it is.

    Returns
    -------
    tuple of float
        ``(column, row)``, pixels.

    Raises
    ------
    ObservationError
        If it cannot be found, lies outside the image, or needs a WCS that is not there.
    """
    ny, nx = observation.shape
    middle = ((nx - 1) / 2, (ny - 1) / 2)
    choice = options.centre
    if isinstance(choice, str):
        centre = middle
        if choice == "auto":
            place = find_lens(observation)
            centre = place.centre
            if place.by == "ring":
                notes.advice.append(
                    "no light of the lens is seen inside the ring or the arcs: the lens is put "
                    "at their centre of symmetry, good to about a sixth of the ring's radius; "
                    "pass centre= if you know better"
                )
    elif isinstance(choice, SkyCoord):
        if observation.wcs is None:
            raise ObservationError(
                f"centre={choice.to_string('hmsdms')!r} needs a WCS, which this image does not "
                "have; pass a pixel coordinate (column, row)"
            )
        x, y = observation.wcs.world_to_pixel(choice)
        centre = (float(x), float(y))
    else:
        centre = (float(choice[0]), float(choice[1]))
    if not (-0.5 <= centre[0] < nx - 0.5 and -0.5 <= centre[1] < ny - 0.5):
        raise ObservationError(
            f"centre must lie in the image of {ny} x {nx} pixels, got (column, row) = "
            f"({centre[0]:.1f}, {centre[1]:.1f})"
        )
    x, y = offset_arcsec(observation, centre)
    notes.steps.append(
        f"lens at column {centre[0]:.2f}, row {centre[1]:.2f}: ({x:+.3f}, {y:+.3f}) arcsec "
        "from the frame's centre"
    )
    far = np.hypot(x, y) > _OFF_CENTRE * min(observation.grid.field_of_view) / 2
    if options.size is None and far:
        notes.advice.append(
            f"the lens is {np.hypot(x, y):.2f} arcsec from the frame's centre; pass size= to "
            "cut the frame about it"
        )
    return centre


def square_about(
    observation: LensObservation, centre: tuple[float, float], most: int
) -> LensObservation:
    """Largest square about a place that fits.

    Parameters
    ----------
    observation : LensObservation
        The frame.
    centre : tuple of float
        ``(column, row)``, pixels.
    most : int
        Largest side, pixels.

    Returns
    -------
    LensObservation
        A cutout of odd side.
    """
    ny, nx = observation.shape
    column, row = (round(c) for c in centre)
    half = min(column, row, nx - 1 - column, ny - 1 - row, most // 2)
    return observation[row - half : row + half + 1, column - half : column + half + 1]


def _size_in_pixels(observation: LensObservation, size: int | str | u.Quantity) -> int:
    if isinstance(size, int):
        pixels = size
    else:
        angle = parse_quantity(size, u.arcsec, name="size")
        pixels = round(float(angle.to_value(u.arcsec)) / observation.grid.pixel_scale)
    if pixels < 5:
        raise ObservationError(f"size must be at least 5 pixels, got {pixels}")
    return pixels


def cut(
    observation: LensObservation,
    centre: tuple[float, float],
    options: Preparation,
    notes: Notes,
) -> LensObservation:
    """Cut a square about the lens; nothing is interpolated.

    Parameters
    ----------
    observation : LensObservation
        The frame.
    centre : tuple of float
        ``(column, row)`` of the lens, pixels.
    options : Preparation
        With ``size``; the frame stays as it is without one.
    notes : Notes
        Told what was done.

    Returns
    -------
    LensObservation

    Raises
    ------
    ObservationError
        If the square is smaller than 5 pixels, or does not fit into the frame.
    """
    if options.size is None:
        return observation
    size = _size_in_pixels(observation, options.size)
    ny, nx = observation.shape
    column, row = (round(c - 0.5 * (size % 2 == 0)) for c in centre)
    low_row, low_column = row - (size - 1) // 2, column - (size - 1) // 2
    inside = (
        low_row >= 0 and low_column >= 0 and low_row + size <= ny and low_column + size <= nx
    )
    if not inside:
        largest = 2 * min(column, row, nx - 1 - column, ny - 1 - row) + 1
        raise ObservationError(
            f"size={size} pixels about column {column}, row {row} reaches beyond the image of "
            f"{ny} x {nx} pixels; the largest that fits is {largest}, and the frame keeps its "
            "size without the option"
        )
    notes.steps.append(f"cut to {size} x {size} of {ny} x {nx} pixels")
    return observation[low_row : low_row + size, low_column : low_column + size]


def check_frame(observation: LensObservation, notes: Notes) -> None:
    """Advise where light reaches the frame's edge, or no arc could fit.

    Parameters
    ----------
    observation : LensObservation
        As it will be reconstructed.
    notes : Notes
        Told what to look at.
    """
    from astrorim.observation.detection import detect_objects

    half_side = min(observation.grid.field_of_view) / 2
    if half_side < 1.0:
        notes.advice.append(
            f"the frame reaches {half_side:.2f} arcsec from the lens, less than most Einstein "
            "radii: is the pixel scale right, or the frame too small?"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AstroRIMWarning)
            found = detect_objects(observation)
    except ObservationError:
        return
    rows, columns = np.indices(observation.shape)
    ny, nx = observation.shape
    distance = np.hypot(rows - (ny - 1) / 2, columns - (nx - 1) / 2)
    labels = np.unique(
        found.segments[(distance < 0.7 * min(ny, nx) / 2) & (found.segments > 0)]
    )
    edge = np.zeros(observation.shape, bool)
    edge[[0, -1], :] = edge[:, [0, -1]] = True
    if np.isin(found.segments[edge], labels).any() and labels.size:
        notes.advice.append(
            "light of the lens or its arcs reaches the frame's edge: use a larger frame"
        )
