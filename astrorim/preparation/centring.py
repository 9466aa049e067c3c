"""Where the lens is in its frame, and whether frame and core serve a reconstruction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import gaussian_filter, maximum_filter

from astrorim.exceptions import ObservationError
from astrorim.observation.detection import psf_width, usable_pixels
from astrorim.observation.smooth_light import robust_scatter
from astrorim.preparation.ring_centre import centre_of_symmetry, find_ring

if TYPE_CHECKING:
    from astrorim.observation import LensObservation

__all__ = ["LensPlace", "core_is_saturated", "find_lens", "offset_arcsec"]

_SIGMA_TO_WIDTH = 2.3548200450309493
_NEAR = 0.5
"""The lens is looked for within this fraction of the half side."""

_INSIDE = 0.45
"""A peak nearer than this to the centre of a ring is the lens, in radii of the ring."""

_ALL_AROUND = 0.55
"""A ring has light in at least this fraction of the directions; two galaxies have not."""

_MORE_SYMMETRIC = 1.2
"""A centre of symmetry counts where it is so much better than the brightest peak."""

_EMPTY = 0.5
"""Light in the core of a ring, over the ring's, below which the lens shows none."""

_PEAK = 5.0
"""Least significance of the light of a lens inside its ring."""

_BOX = 7
_EQUAL_PIXELS = 4


@dataclass(frozen=True)
class LensPlace:
    """Where a lens is, and by what that was found.

    Parameters
    ----------
    centre : tuple of float
        ``(column, row)``, pixels.
    by : {"light", "ring"}
        By the peak of the lens galaxy's light, or, where none is seen, as the centre of
        symmetry of the ring or the arcs, good to about a sixth of the ring's radius.
    """

    centre: tuple[float, float]
    by: str


def find_lens(
    observation: LensObservation, *, near: tuple[float, float] | None = None
) -> LensPlace:
    """Centre of the lens that is near the frame's centre, or near a place.

    The image is smoothed with the PSF's width, and the brightest pixel found, weighted down
    by a Gaussian of the distance. That may be an arc. So the centre of symmetry of all light
    is looked for, too (`~astrorim.preparation.ring_centre.centre_of_symmetry`). Where light
    stands on most sides of it and the brightest pixel is not in the middle, the lens is
    there: at the brightest peak inside the ring, or, where the ring is empty, at the centre
    of symmetry itself. A peak is refined by `photutils.centroids.centroid_2dg` in a box.

    Parameters
    ----------
    observation : LensObservation
        The frame.
    near : tuple of float, optional
        ``(column, row)`` about which to look; the frame's centre by default.

    Returns
    -------
    LensPlace

    Raises
    ------
    ObservationError
        If nothing is usable near the centre.
    """
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
    width = max(psf_width(observation), 2.0)
    sigma = width / _SIGMA_TO_WIDTH
    # a masked core is filled from around it
    weight = gaussian_filter(usable.astype(np.float64), sigma)
    smooth = gaussian_filter(data, sigma) / np.maximum(weight, 0.05)
    score = np.where(
        distance < reach, smooth * np.exp(-0.5 * (2 * distance / reach) ** 2), -1.0
    )
    row, column = (int(i) for i in np.unravel_index(int(np.argmax(score)), score.shape))
    scatter = robust_scatter(smooth[usable], clip=3.0)
    if scatter > 0:
        allowed = (distance < reach) & usable
        centre, symmetry = centre_of_symmetry(smooth / scatter, allowed, middle, reach)
        ring = find_ring(smooth, scatter, centre, 2 * reach)
        within = max(_INSIDE * ring.radius, 1.5 * width)
        gain = symmetry[round(centre[1]), round(centre[0])] / max(symmetry[row, column], 1e-30)
        away = np.hypot(column - centre[0], row - centre[1]) > within
        if away and ring.coverage >= _ALL_AROUND and gain > _MORE_SYMMETRIC:
            inside = np.hypot(columns - centre[0], rows - centre[1]) <= within
            peaks = inside & (smooth > _PEAK * scatter) & (smooth == maximum_filter(smooth, 5))
            if peaks.any():
                best = int(np.argmax(np.where(peaks, smooth, -np.inf)))
                row, column = (int(i) for i in np.unravel_index(best, smooth.shape))
            elif ring.depth < _EMPTY:
                return LensPlace(centre, "ring")
    return LensPlace(_centroid(smooth, column, row), "light")


def _centroid(smooth: np.ndarray, column: int, row: int) -> tuple[float, float]:
    """Refine a peak, unless that leads out of its box."""
    from photutils.centroids import centroid_2dg

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
