r"""Image and source grids, and the conventions for axes and angles.

Arrays are ``[y, x]``; pixel centres are integers; the origin of a frame is the centre
of its array, :math:`((n_x-1)/2, (n_y-1)/2)`; x grows with the column, y with the row.
Position angles of models are counter-clockwise from +x on the image. Sky position
angles, east of north, come from the WCS and from nowhere else.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np

if TYPE_CHECKING:
    from astropy.wcs import WCS

__all__ = [
    "ImageGrid",
    "SourceGrid",
    "image_angle",
    "pixel_scale_of",
    "sky_position_angle",
]


def _check_frame(shape: tuple[int, int], pixel_scale: float) -> None:
    if len(shape) != 2 or min(shape) < 1:
        raise ValueError(f"shape must be (ny, nx) with positive sizes, got {shape}")
    if not (math.isfinite(pixel_scale) and pixel_scale > 0):
        raise ValueError(f"pixel_scale must be positive, in arcsec, got {pixel_scale}")


@dataclass(frozen=True)
class SourceGrid:
    """A square-pixel grid anywhere on the plane of the sky or of the source.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns, ``(ny, nx)``.
    pixel_scale : float
        Side of a pixel, arcsec.
    x0, y0 : float, optional
        Position of the array's centre, arcsec.
    """

    shape: tuple[int, int]
    pixel_scale: float
    x0: float = 0.0
    y0: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", tuple(int(n) for n in self.shape))
        object.__setattr__(self, "pixel_scale", float(self.pixel_scale))
        _check_frame(self.shape, self.pixel_scale)

    @property
    def field_of_view(self) -> tuple[float, float]:
        """Height and width of the frame from edge to edge, arcsec."""
        return self.shape[0] * self.pixel_scale, self.shape[1] * self.pixel_scale

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """Left, right, bottom and top edge, arcsec, as matplotlib's ``extent``."""
        height, width = self.field_of_view
        return (
            self.x0 - width / 2,
            self.x0 + width / 2,
            self.y0 - height / 2,
            self.y0 + height / 2,
        )

    def coordinates(self, supersampling: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """Positions of the centres of the pixels or sub-pixels.

        Sub-pixel ``j`` of a pixel lies at ``(j + 0.5) / k - 0.5`` pixels from the
        pixel's centre, so that sub-pixels tile their pixel exactly.

        Parameters
        ----------
        supersampling : int, optional
            Number k of sub-pixels along each side of a pixel.

        Returns
        -------
        x, y : ndarray, (ny k, nx k), arcsec
            Note the order: x first, although arrays are indexed ``[y, x]``.

        Raises
        ------
        ValueError
            If ``supersampling`` is not a positive integer.
        """
        k = supersampling
        if int(k) != k or k < 1:
            raise ValueError(f"supersampling must be a positive integer, got {k!r}")
        ny, nx = self.shape
        step = self.pixel_scale / k
        x = self.x0 + (np.arange(nx * k) - (nx * k - 1) / 2) * step
        y = self.y0 + (np.arange(ny * k) - (ny * k - 1) / 2) * step
        xx, yy = np.meshgrid(x, y)
        return xx, yy

    def to_arcsec(self, column: float, row: float) -> tuple[float, float]:
        """Position (x, y), arcsec, of the pixel coordinate (column, row)."""
        ny, nx = self.shape
        return (
            self.x0 + (column - (nx - 1) / 2) * self.pixel_scale,
            self.y0 + (row - (ny - 1) / 2) * self.pixel_scale,
        )

    def to_pixel(self, x: float, y: float) -> tuple[float, float]:
        """Pixel coordinate (column, row) of the position (x, y), arcsec."""
        ny, nx = self.shape
        return (
            (x - self.x0) / self.pixel_scale + (nx - 1) / 2,
            (y - self.y0) / self.pixel_scale + (ny - 1) / 2,
        )


@dataclass(frozen=True)
class ImageGrid(SourceGrid):
    """The detector's pixel grid, whose origin is the array's centre by convention.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns, ``(ny, nx)``.
    pixel_scale : float
        Side of a pixel, arcsec.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.x0 != 0 or self.y0 != 0:
            raise ValueError(
                f"the origin of an ImageGrid is its centre, got x0={self.x0}, y0={self.y0}; "
                "use SourceGrid for a frame that is elsewhere"
            )


def pixel_scale_of(wcs: WCS) -> u.Quantity:
    r"""Pixel scale of a celestial WCS: :math:`\sqrt{|\det M|}` of its pixel-scale matrix.

    Parameters
    ----------
    wcs : `~astropy.wcs.WCS`
        Any orientation and parity.

    Returns
    -------
    `~astropy.units.Quantity`
        Side of a pixel, arcsec.

    Raises
    ------
    ValueError
        If the WCS is not celestial, or its pixels differ from squares by more than 0.1 %.
    """
    if wcs is None or not wcs.has_celestial:
        raise ValueError("the WCS is not celestial; pass pixel_scale= with a unit")
    matrix = wcs.celestial.pixel_scale_matrix * u.deg.to(u.arcsec)
    side_x, side_y = np.hypot(*matrix)
    scale = math.sqrt(abs(np.linalg.det(matrix)))
    skewed = abs(matrix[:, 0] @ matrix[:, 1]) > 1e-3 * side_x * side_y
    if abs(side_x / side_y - 1) > 1e-3 or skewed:
        raise ValueError(
            f"pixels must be square, got {side_x:.5f} x {side_y:.5f} arcsec"
            f"{' with skewed axes' if skewed else ''}; resample the image first"
        )
    return scale * u.arcsec


def sky_position_angle(phi: float | np.ndarray, wcs: WCS) -> np.ndarray:
    """Sky position angle, east of north, of an axis on the image.

    Parameters
    ----------
    phi : float or ndarray, rad
        Angle on the image, counter-clockwise from +x.
    wcs : `~astropy.wcs.WCS`
        Celestial, of any orientation and parity.

    Returns
    -------
    float or ndarray, deg
        In [0, 180).
    """
    direction = np.stack([np.cos(phi), np.sin(phi)])
    east, north = np.tensordot(wcs.celestial.pixel_scale_matrix, direction, axes=1)
    return np.degrees(np.arctan2(east, north)) % 180


def image_angle(position_angle: float | np.ndarray, wcs: WCS) -> np.ndarray:
    """Angle on the image of an axis with a sky position angle.

    Parameters
    ----------
    position_angle : float or ndarray, deg
        East of north.
    wcs : `~astropy.wcs.WCS`
        Celestial, of any orientation and parity.

    Returns
    -------
    float or ndarray, rad
        Counter-clockwise from +x, in [0, pi).
    """
    pa = np.radians(position_angle)
    direction = np.stack([np.sin(pa), np.cos(pa)])
    inverse = np.linalg.inv(wcs.celestial.pixel_scale_matrix)
    x, y = np.tensordot(inverse, direction, axes=1)
    return np.arctan2(y, x) % np.pi
