"""Where the lens is in its frame, and whether frame and core serve a reconstruction."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import gaussian_filter

from astrorim.exceptions import ObservationError
from astrorim.observation.detection import psf_width, usable_pixels

if TYPE_CHECKING:
    from astrorim.observation import LensObservation

__all__ = ["core_is_saturated", "find_lens", "offset_arcsec"]

_SIGMA_TO_WIDTH = 2.3548200450309493
_NEAR = 0.5
"""The lens is looked for within this fraction of the half side."""

_BOX = 7
_EQUAL_PIXELS = 4


def find_lens(
    observation: LensObservation, *, near: tuple[float, float] | None = None
) -> tuple[float, float]:
    """Centre of the galaxy that is brightest near the frame's centre, or near a place.

    The image is smoothed with the PSF's width; the brightest pixel, weighted down by a
    Gaussian of the distance, is refined by `photutils.centroids.centroid_2dg` in a box.
    Arcs and neighbours are fainter in the peak than nearly all lenses; where the lens is
    hidden by its ring, say where it is.

    Parameters
    ----------
    observation : LensObservation
        The frame.
    near : tuple of float, optional
        ``(column, row)`` about which to look; the frame's centre by default.

    Returns
    -------
    tuple of float
        ``(column, row)``, pixels.

    Raises
    ------
    ObservationError
        If nothing is usable near the centre.
    """
    from photutils.centroids import centroid_2dg

    usable = usable_pixels(observation)
    rows, columns = np.indices(observation.shape, dtype=np.float64)
    middle = near or ((observation.shape[1] - 1) / 2, (observation.shape[0] - 1) / 2)
    distance = np.hypot(columns - middle[0], rows - middle[1])
    reach = _NEAR * min(observation.shape) / 2
    if not (usable & (distance < reach)).any():
        raise ObservationError(
            f"the lens cannot be found within {reach:.0f} pixels of (column, row) = "
            f"({middle[0]:g}, {middle[1]:g}): no pixel there is usable; pass centre="
        )
    level = float(np.median(observation.data[usable]))
    data = np.where(usable, observation.data - level, 0.0).astype(np.float64)
    width = max(psf_width(observation), 2.0) / _SIGMA_TO_WIDTH
    # a masked core is filled from around it
    weight = gaussian_filter(usable.astype(np.float64), width)
    smooth = gaussian_filter(data, width) / np.maximum(weight, 0.05)
    score = np.where(
        distance < reach, smooth * np.exp(-0.5 * (2 * distance / reach) ** 2), -1.0
    )
    row, column = (int(i) for i in np.unravel_index(int(np.argmax(score)), score.shape))
    half = _BOX // 2
    low_row, low_column = max(row - half, 0), max(column - half, 0)
    box = (slice(low_row, row + half + 1), slice(low_column, column + half + 1))
    x, y = centroid_2dg(smooth[box] - smooth[box].min())
    x, y = float(x) + low_column, float(y) + low_row
    if not np.hypot(x - column, y - row) <= half:
        return float(column), float(row)
    return x, y


def offset_arcsec(
    observation: LensObservation, centre: tuple[float, float]
) -> tuple[float, float]:
    """Offset of a pixel coordinate from the frame's centre.

    Parameters
    ----------
    observation : LensObservation
        The frame.
    centre : tuple of float
        ``(column, row)``, pixels.

    Returns
    -------
    tuple of float
        ``(x, y)``, arcsec.
    """
    scale = observation.grid.pixel_scale
    ny, nx = observation.shape
    return (centre[0] - (nx - 1) / 2) * scale, (centre[1] - (ny - 1) / 2) * scale


def core_is_saturated(observation: LensObservation, centre: tuple[float, float]) -> bool:
    """Whether the brightest pixels of the lens's core are clipped.

    They are where they reach the header's ``SATURATE``, or where at least four pixels
    beside each other share the largest value exactly.

    Parameters
    ----------
    observation : LensObservation
        Before the sky is taken off.
    centre : tuple of float
        ``(column, row)`` of the lens, pixels.

    Returns
    -------
    bool
    """
    rows, columns = np.indices(observation.shape)
    near = np.hypot(columns - centre[0], rows - centre[1]) <= max(5.0, psf_width(observation))
    core = observation.data[near & np.isfinite(observation.data)]
    if core.size == 0:
        return False
    limit = observation.meta.get("SATURATE", 0) or 0
    peak = core.max()
    reached = isinstance(limit, int | float) and 0 < limit <= peak
    return bool(reached or np.count_nonzero(core == peak) >= _EQUAL_PIXELS)
