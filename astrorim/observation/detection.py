"""Find what stands out of the smooth light of a lens and its sky: arcs, galaxies, stars."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import distance_transform_edt, gaussian_filter, maximum

from astrorim.exceptions import ObservationError
from astrorim.observation.smooth_light import fit_smooth_light, robust_scatter

if TYPE_CHECKING:
    from astrorim.observation.lens_observation import LensObservation

__all__ = ["Detections", "central_distance", "detect_objects", "psf_width", "usable_pixels"]

_FLAGGED = 1e3
"""Noise this many times the median marks a pixel as excluded, as surveys' maps do."""

_UNKNOWN_PSF = 3.0
"""Full width at half maximum assumed where there is no PSF, pixels."""

_SIGMA_TO_WIDTH = 2.3548200450309493
"""Full width at half maximum of a Gaussian of unit standard deviation."""

_NARROWEST = 3.0
"""Least width of the smoothing, pixels: faint galaxies are wider than a sharp PSF."""

_ROUNDS = 3
"""Fits of the smooth light, each without the objects found in the one before."""

_MARGIN = 2.0
"""Margin of objects in these fits, in widths of the smoothing."""

_LEAST_SKY = 0.25
"""Least fraction of usable pixels that another fit needs."""

_DEBLENDING_LEVELS = 32
_DEBLENDING_CONTRAST = 0.01


@dataclass(frozen=True)
class Detections:
    """Objects of an image, the lens's arcs and core among them.

    Parameters
    ----------
    segments : ndarray of int, (H, W)
        Label of the object that a pixel belongs to; 0 is sky.
    smooth : ndarray, (H, W), flux
        Smooth light that was taken off: the lens galaxy's halo and the background.
    residual : ndarray, (H, W), flux
        Data without the smooth light.
    significance : ndarray, (H, W)
        The residual, smoothed with the PSF's width, in units of its scatter on the sky;
        0 in unusable pixels.
    usable : ndarray of bool, (H, W)
        Pixels that were looked at.
    """

    segments: np.ndarray
    smooth: np.ndarray
    residual: np.ndarray
    significance: np.ndarray
    usable: np.ndarray


def usable_pixels(observation: LensObservation) -> np.ndarray:
    """Good pixels whose noise does not mark them as excluded.

    Parameters
    ----------
    observation : LensObservation
        With or without a noise map.

    Returns
    -------
    ndarray of bool, (H, W)
        False where masked, not finite, or with more than 1000 times the median noise:
        so published noise maps flag contaminants.
    """
    usable = np.array(observation.good)
    if observation.has_noise and usable.any():
        usable &= observation.noise < _FLAGGED * np.median(observation.noise[usable])
    return usable


def psf_width(observation: LensObservation) -> float:
    r"""Full width at half maximum of the Gaussian with the PSF's noise-equivalent area.

    The area is :math:`(\sum_i p_i)^2 / \sum_i p_i^2 = 4 \pi \sigma^2` for a Gaussian (King
    1983, PASP 95, 163), which pixels as wide as the PSF hardly change.

    Parameters
    ----------
    observation : LensObservation
        With or without a PSF.

    Returns
    -------
    float
        Detector pixels; 3 where there is no PSF.
    """
    if observation.psf is None:
        return _UNKNOWN_PSF
    psf = np.asarray(observation.psf, dtype=np.float64)
    sigma = np.sqrt(psf.sum() ** 2 / (4 * np.pi * np.sum(psf**2)))
    return float(_SIGMA_TO_WIDTH * sigma / observation.psf_supersampling)


def detect_objects(
    observation: LensObservation,
    *,
    threshold: float = 2.5,
    peak: float = 5.0,
    num_pixels: int | None = None,
) -> Detections:
    """Segment everything that stands out of the smooth light.

    The smooth light of the lens galaxy and the background are fitted and taken off, the
    rest is smoothed with the PSF's width (at least three pixels), and pixels above
    ``threshold`` times the scatter *of the smoothed sky* are joined, so that correlated
    noise of drizzled images is taken into account. The fit is repeated without what was
    found, and blends are split (`photutils.segmentation.deblend_sources`).

    Parameters
    ----------
    observation : LensObservation
        With the lens at the frame's centre.
    threshold : float, optional
        Lowest significance of a pixel of an object.
    peak : float, optional
        Significance that an object reaches somewhere.
    num_pixels : int, optional
        Least number of joined pixels; by default the PSF's area at half maximum, at
        least five.

    Returns
    -------
    Detections

    Raises
    ------
    ObservationError
        If too few pixels are usable for the smooth light, or the image has no scatter.
    """
    from photutils.segmentation import deblend_sources, detect_sources
    from photutils.utils.exceptions import NoDetectionsWarning

    usable = usable_pixels(observation)
    data = np.asarray(observation.data, dtype=np.float64)
    noise = np.where(usable, observation.noise, 1.0) if observation.has_noise else 1.0
    width = max(psf_width(observation), _NARROWEST)
    least = num_pixels or max(5, round(np.pi * width**2 / 4))
    sky = usable
    for _ in range(_ROUNDS):
        smooth = fit_smooth_light(data, sky)
        residual = np.where(usable, data, 0.0) - np.where(usable, smooth, 0.0)
        smoothed = gaussian_filter(residual / noise, width / _SIGMA_TO_WIDTH)
        scatter = robust_scatter(smoothed[sky], clip=3.0)
        if not scatter > 0:
            raise ObservationError(
                "objects cannot be found in an image whose sky does not scatter at all; is "
                "it a model without noise?"
            )
        significance = np.where(usable, smoothed / scatter, 0.0)
        with warnings.catch_warnings():
            # an image of nothing but sky is no fault
            warnings.simplefilter("ignore", NoDetectionsWarning)
            found = detect_sources(significance, threshold, n_pixels=least)
        if found is None:
            break
        # wings of arcs would bend the smooth light, which digs a trench around them
        far = distance_transform_edt(found.data == 0) > _MARGIN * width
        if np.count_nonzero(usable & far) < _LEAST_SKY * np.count_nonzero(usable):
            break
        sky = usable & far
    if found is None:
        segments = np.zeros(data.shape, dtype=int)
    else:
        found = deblend_sources(
            significance, found, n_pixels=least, n_levels=_DEBLENDING_LEVELS,
            contrast=_DEBLENDING_CONTRAST, progress_bar=False,
        )  # fmt: skip
        segments = np.asarray(found.data, dtype=int)
        labels = np.arange(segments.max() + 1)
        high = np.asarray(maximum(significance, segments, labels)) >= peak
        high[0] = False
        segments = np.where(high[segments], segments, 0)
    return Detections(segments, smooth, residual, significance, usable)


def central_distance(observation: LensObservation) -> np.ndarray:
    """Distance of each pixel from the frame's centre.

    Parameters
    ----------
    observation : LensObservation
        With a known pixel scale.

    Returns
    -------
    ndarray, (H, W), arcsec
    """
    x, y = observation.grid.coordinates()
    return np.hypot(x, y)
