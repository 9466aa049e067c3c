"""Where a lens is that shows no light of its own: the centre of symmetry of its ring."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.fft import irfft2, next_fast_len, rfft2
from scipy.ndimage import map_coordinates

__all__ = ["RingCentre", "centre_of_symmetry", "find_ring"]

_LEAST = 3.0
_MOST = 10.0
"""Significance is cut off here, so that a bright knot does not outweigh the ring."""

_FAR = 2.0
"""Light is left out beyond this many times the reach of the search: neighbours."""

_ANGLES = 72
_STEP = 0.5
"""Radii are this far apart, pixels."""

_BREADTH = (0.7, 1.4)
"""Radii, in units of the ring's, within which its light is looked for."""

_CORE = 0.35
"""Radius inside which a ring is empty, in units of its own."""


@dataclass(frozen=True)
class RingCentre:
    """A centre of symmetry and what is around it.

    Parameters
    ----------
    centre : tuple of float
        ``(column, row)``, pixels.
    radius : float
        Where most light is, pixels.
    coverage : float
        Fraction of the directions in which there is light near that radius.
    depth : float
        Brightness of the core over that of the ring; below 0 where noise has it so.
    """

    centre: tuple[float, float]
    radius: float
    coverage: float
    depth: float


def centre_of_symmetry(
    significance: np.ndarray, allowed: np.ndarray, near: tuple[float, float], reach: float
) -> tuple[tuple[float, float], np.ndarray]:
    r"""Place about which most light has light opposite to it.

    That is the largest :math:`g(c) S(c)`, where :math:`S(c) = \sum_x w(x) w(2 c - x)` is a
    convolution of the light :math:`w` with itself, and :math:`g` a Gaussian of the distance
    from where the lens is expected, of the standard deviation ``reach``. The light is the
    significance, zero below 3 and cut off at 10; beyond twice the reach it does not count.

    Parameters
    ----------
    significance : ndarray, (H, W)
        Light over its noise.
    allowed : ndarray of bool, (H, W)
        Where the centre may be.
    near : tuple of float
        ``(column, row)`` where the lens is expected, pixels.
    reach : float
        How far from there it may be, pixels.

    Returns
    -------
    centre : tuple of float
        ``(column, row)`` to half a pixel.
    score : ndarray, (H, W)
        :math:`S` at the pixels' centres.
    """
    ny, nx = significance.shape
    rows, columns = np.ogrid[:ny, :nx]
    square = ((columns - near[0]) ** 2 + (rows - near[1]) ** 2) / reach**2
    light = np.where(significance > _LEAST, np.minimum(significance, _MOST), 0.0)
    light[square > _FAR**2] = 0.0
    shape = tuple(next_fast_len(2 * n - 1, real=True) for n in (ny, nx))
    twice = irfft2(rfft2(light, shape) ** 2, shape)[: 2 * ny - 1, : 2 * nx - 1]
    # twice[j, i] is the sum about the centre (i / 2, j / 2)
    rows, columns = np.ogrid[: 2 * ny - 1, : 2 * nx - 1]
    square = ((columns / 2 - near[0]) ** 2 + (rows / 2 - near[1]) ** 2) / reach**2
    weighted = twice * np.exp(-0.5 * square)
    inside = np.zeros(twice.shape, bool)
    inside[::2, ::2] = allowed
    inside[1::2, ::2] = allowed[:-1] & allowed[1:]
    inside[:, 1::2] = inside[:, :-1:2] & inside[:, 2::2]
    row, column = np.unravel_index(
        int(np.argmax(np.where(inside, weighted, -1.0))), twice.shape
    )
    return (float(column) / 2, float(row) / 2), twice[::2, ::2]


def find_ring(
    smooth: np.ndarray, scatter: float, centre: tuple[float, float], reach: float
) -> RingCentre:
    """Describe the light around a place.

    Parameters
    ----------
    smooth : ndarray, (H, W), flux
        The smoothed image without its sky.
    scatter : float, flux
        Of the smoothed sky.
    centre : tuple of float
        ``(column, row)``, pixels.
    reach : float
        Largest radius, pixels.

    Returns
    -------
    RingCentre
    """
    radii = np.arange(0.0, max(reach, 3.0), _STEP)
    angles = 2 * np.pi * np.arange(_ANGLES) / _ANGLES
    columns = centre[0] + radii[:, None] * np.cos(angles)
    rows = centre[1] + radii[:, None] * np.sin(angles)
    around = map_coordinates(smooth, [rows, columns], order=1, mode="constant")
    # the cut-off keeps one knot from being taken for the radius of the ring
    mean = np.minimum(around, _MOST * scatter).mean(axis=1)
    if np.argmax(mean) == 0:
        return RingCentre(centre, 0.0, 1.0, 1.0)
    radius = float(np.median(radii[mean > 0.95 * mean.max()]))  # flat where it is cut off
    near = (radii >= _BREADTH[0] * radius) & (radii <= _BREADTH[1] * radius)
    brightest = around[near].max(axis=0)
    lit = brightest > _LEAST * scatter
    ring = float(np.median(brightest[lit])) if lit.any() else np.inf
    core = float(around[radii <= _CORE * radius].mean())
    return RingCentre(centre, radius, float(lit.mean()), core / ring)
