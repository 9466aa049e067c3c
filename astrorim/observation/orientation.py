"""Where north and east lie on an image."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from astropy.wcs import WCS

__all__ = ["Orientation", "north_position_angle", "orientation_of"]

_QUARTERS = ("right", "up", "left", "down")


@dataclass(frozen=True)
class Orientation:
    """Directions of north and east on an image, and its parity.

    Parameters
    ----------
    north, east : float, rad
        Angle on the image, counter-clockwise from +x, in [0, 2 pi).
    mirrored : bool
        True if east lies clockwise of north, which no telescope's view of the sky shows.
    """

    north: float
    east: float
    mirrored: bool

    def __str__(self) -> str:
        parity = ", mirrored" if self.mirrored else ""
        return f"north {_direction(self.north)}, east {_direction(self.east)}{parity}"


def _direction(angle: float) -> str:
    """Words for a direction: ``up``, or ``12.3 deg counter-clockwise of up``."""
    quarter = round(angle / (math.pi / 2))
    offset = math.degrees(angle - quarter * math.pi / 2)
    word = _QUARTERS[quarter % 4]
    if abs(offset) < 0.05:
        return word
    turn = "counter-clockwise" if offset > 0 else "clockwise"
    return f"{abs(offset):.1f} deg {turn} of {word}"


def orientation_of(wcs: WCS | None) -> Orientation | None:
    """Directions of north and east at the reference point of a WCS.

    Parameters
    ----------
    wcs : `~astropy.wcs.WCS` or None
        Of any rotation and parity.

    Returns
    -------
    Orientation or None
        None if the WCS is not celestial.
    """
    if wcs is None or not wcs.has_celestial:
        return None
    matrix = wcs.celestial.pixel_scale_matrix
    inverse = np.linalg.inv(matrix)
    east, north = (math.atan2(y, x) % math.tau for x, y in inverse.T)
    return Orientation(north, east, bool(np.linalg.det(matrix) > 0))


def north_position_angle(wcs: WCS | None) -> float:
    """Angle of north on the image, counter-clockwise from +x, for drawing a compass.

    Parameters
    ----------
    wcs : `~astropy.wcs.WCS` or None
        Celestial.

    Returns
    -------
    float, rad
        In [0, 2 pi).

    Raises
    ------
    ValueError
        If the WCS is not celestial.
    """
    orientation = orientation_of(wcs)
    if orientation is None:
        raise ValueError(f"north needs a celestial WCS, got {wcs!r}")
    return orientation.north
