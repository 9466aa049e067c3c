"""Masks made automatically: neighbours of the lens, and cosmic rays; arcs are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np
from astropy.nddata import CCDData
from scipy.ndimage import distance_transform_edt, maximum_position

from astrorim.observation.detection import (
    central_distance,
    detect_objects,
    psf_width,
    usable_pixels,
)
from astrorim.observation.noise import measure_sky_noise

if TYPE_CHECKING:
    from astrorim.observation.lens_observation import LensObservation

__all__ = ["cosmic_ray_mask", "default_keep_radius", "neighbour_mask"]

_KEEP_ARCSEC = 2.6
"""Galaxies alone hardly ever split images by more."""

_KEEP_FRACTION = 0.5
"""Cutouts are made at least four times as wide as the lens's Einstein radius."""

_REACH = 1.25
"""Parts and look-alikes of arcs are kept out to this many times the radius."""

_TOUCHING = 2.0
"""Segments closer than this belong to one blend, pixels."""

_ARC_ELONGATION = 1.3
"""Least ratio of the axes of an object that may be an arc by its shape alone."""

_ARC_TILT = np.radians(25)
"""Most that its long axis may deviate from the tangent."""

_NOT_SATURATED = 1e30


def default_keep_radius(observation: LensObservation) -> float:
    """Radius about the frame's centre inside which everything may be an arc.

    Parameters
    ----------
    observation : LensObservation
        With the lens at the frame's centre.

    Returns
    -------
    float
        2.6 arcsec, or half of the smaller half side where that is more, arcsec.
    """
    half_side = min(observation.grid.field_of_view) / 2
    return max(_KEEP_ARCSEC, _KEEP_FRACTION * half_side)


def neighbour_mask(
    observation: LensObservation,
    *,
    keep_radius: float | None = None,
    threshold: float = 2.5,
    growth: float = 2.0,
) -> np.ndarray:
    """Pixels of galaxies and stars that are not the lens and not its arcs.

    Objects are found with `~astrorim.observation.detection.detect_objects`. One whose
    brightest pixel lies inside ``keep_radius`` is kept whole, however far it reaches, and
    so is one up to a quarter farther out that touches it, since blends are split and arcs
    with them, or that is stretched around the centre as arcs are. The others are masked
    with a margin, but nothing inside ``keep_radius`` ever is: a point-like object among
    the arcs may be an image of the source.

    Parameters
    ----------
    observation : LensObservation
        With the lens at the frame's centre.
    keep_radius : float, optional
        Arcsec; by default as `default_keep_radius` has it.
    threshold : float, optional
        Lowest significance of a pixel of an object.
    growth : float, optional
        Margin around each object, in full widths at half maximum of the PSF.

    Returns
    -------
    ndarray of bool, (H, W)
        True where a neighbour is. Pixels that the observation excludes already are
        looked at by nobody; combine the masks with ``|``.

    Raises
    ------
    ValueError
        If ``keep_radius``, ``threshold`` or ``growth`` is not positive.
    ObservationError
        If the image is too small or does not scatter.
    """
    radius = default_keep_radius(observation) if keep_radius is None else keep_radius
    for name, value in (
        ("keep_radius", radius), ("threshold", threshold), ("growth", growth)
    ):  # fmt: skip
        if not value > 0:
            raise ValueError(f"{name} must be positive, got {value}")
    found = detect_objects(observation, threshold=threshold)
    distance = central_distance(observation)
    labels = np.unique(found.segments)
    labels = labels[labels > 0]
    if labels.size == 0:
        return np.zeros(observation.shape, dtype=bool)
    peaks = maximum_position(found.significance, found.segments, labels)
    far = np.array([distance[peak] for peak in peaks])
    kept = np.isin(found.segments, labels[far <= radius])
    near = distance_transform_edt(~kept) <= _TOUCHING if kept.any() else kept
    touching = np.isin(labels, found.segments[near])
    stretched = np.array([_is_tangential(found.segments == name) for name in labels])
    kept |= np.isin(found.segments, labels[(touching | stretched) & (far <= _REACH * radius)])
    neighbours = (found.segments > 0) & ~kept
    if not neighbours.any():
        return neighbours
    margin = max(growth * psf_width(observation), 1.0)
    grown = distance_transform_edt(~neighbours) <= margin
    return grown & ~kept & (distance > radius)


def _is_tangential(segment: np.ndarray) -> bool:
    """Whether an object, (H, W) bool, is elongated along the circle about the centre."""
    rows, columns = np.nonzero(segment)
    y = rows.mean() - (segment.shape[0] - 1) / 2
    x = columns.mean() - (segment.shape[1] - 1) / 2
    # a pixel's own extent keeps lines of single pixels finite
    moments = np.cov(np.stack([columns, rows]), bias=True) + np.eye(2) / 12
    (minor, major), axes = np.linalg.eigh(moments)
    distance = np.hypot(x, y)
    if distance == 0 or major < _ARC_ELONGATION**2 * minor:
        return False
    radial = abs(axes[0, 1] * x + axes[1, 1] * y) / distance
    return bool(radial < np.sin(_ARC_TILT))


def cosmic_ray_mask(
    observation: LensObservation,
    *,
    significance: float = 6.0,
    contrast: float = 3.0,
) -> np.ndarray:
    """Pixels hit by cosmic rays, by the sharpness of their edges.

    L.A.Cosmic (van Dokkum 2001, PASP 113, 1420) as ccdproc and astroscrappy have it,
    with the observation's own noise. A hit is told from a star by what is left of it after
    median filters of 3 and 7 pixels, so on images with fewer than about two pixels across
    the PSF the two look alike.

    Parameters
    ----------
    observation : LensObservation
        Of one exposure, or of several that were joined without rejection; without a
        noise map the blank sky's scatter is used, and the Poisson noise of bright cores
        may pass for hits.
    significance : float, optional
        Laplacian of a hit in units of its noise (``sigclip``).
    contrast : float, optional
        Least ratio of the Laplacian to the fine structure that stars have (``objlim``).

    Returns
    -------
    ndarray of bool, (H, W)
        True where a hit is; pixels that are masked already are not repeated.

    Raises
    ------
    ValueError
        If ``significance`` or ``contrast`` is not positive.
    ObservationError
        If there is neither a noise map nor blank sky to measure it on.
    """
    from ccdproc import cosmicray_lacosmic

    for name, value in (("significance", significance), ("contrast", contrast)):
        if not value > 0:
            raise ValueError(f"{name} must be positive, got {value}")
    usable = usable_pixels(observation)
    data = np.asarray(observation.data, dtype=np.float64)
    if observation.has_noise:
        noise = np.asarray(observation.noise, dtype=np.float64)
    else:
        noise = np.full(data.shape, measure_sky_noise(data, ~usable))
    unit = np.median(noise[usable])
    level = np.median(data[usable])
    # in units of the noise, where astroscrappy's single precision and constants are safe
    image = np.where(usable, (data - level) / unit, 0.0)
    variance = np.where(usable, (noise / unit) ** 2, 1.0)
    result = cosmicray_lacosmic(
        CCDData(image.astype("f4"), unit=u.electron, mask=~usable),
        sigclip=significance,
        objlim=contrast,
        gain=1.0,
        gain_apply=False,
        readnoise=0.0,
        satlevel=_NOT_SATURATED,
        invar=variance.astype("f4"),
        sepmed=False,
    )
    return np.asarray(result.mask, dtype=bool) & usable
