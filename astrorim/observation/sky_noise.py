r"""The noise of the blank sky against the noise map, and the correlation of its pixels.

A perfect fit has a reduced chi-square of one only if the noise map is right. Maps of
drizzled images carry a factor for correlated noise and are larger than the scatter of
pixels; then it is the square of the ratio measured here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import distance_transform_edt
from scipy.signal import correlate

from astrorim.exceptions import ObservationError
from astrorim.observation.detection import (
    Detections,
    central_distance,
    detect_objects,
    psf_width,
)
from astrorim.observation.smooth_light import robust_scatter

if TYPE_CHECKING:
    from astrorim.observation.lens_observation import LensObservation

__all__ = ["SkyNoise", "autocovariance", "blank_sky", "measure_sky"]

_EXCLUDED_FRACTION = 0.5
"""Radius of the lens and its arcs where none is given, in half sides of the frame."""

_MARGIN = 3.0
"""Distance of sky from objects, in full widths at half maximum of the PSF."""

_DARK = 1.5
"""Sky is where the smooth light exceeds its darkest fifth by less than this many sigma."""

_OUTLIER = 4.0
"""Pixels this many sigma off are not sky: hits of cosmic rays, cores of faint objects."""

_PLATEAU_WIDTH = 2
"""Lags beyond ``max_lag`` in which pixels are taken to share no noise, pixels."""

_MIN_PIXELS = 200


@dataclass(frozen=True)
class SkyNoise:
    """What the blank sky says about the noise of an image.

    Parameters
    ----------
    background : float, flux
        Median of the blank pixels, per pixel; light of the lens's halo is part of it.
    sigma : float, flux
        Scatter of a single pixel, sources masked and smooth light subtracted.
    noise_ratio : float or None
        The same in units of the noise map at each pixel: ``sigma`` over the map's value
        where the map is flat; None where there is no map.
    correlation : ndarray, (2 k + 1, 2 k + 1)
        Autocorrelation of the blank pixels at lags of up to k rows and columns; one in
        the middle, lag (0, 0).
    num_pixels : int
        How many blank pixels there are.
    """

    background: float
    sigma: float
    noise_ratio: float | None
    correlation: np.ndarray
    num_pixels: int

    @property
    def neighbour_correlation(self) -> float:
        """Mean correlation of pixels that share a side."""
        k = self.correlation.shape[0] // 2
        return float((self.correlation[k, k + 1] + self.correlation[k + 1, k]) / 2)

    @property
    def expected_reduced_chi2(self) -> float:
        """Reduced chi-square of a perfect fit, ``noise_ratio`` squared; 1 without a map."""
        return 1.0 if self.noise_ratio is None else self.noise_ratio**2

    @property
    def noise_ratio_error(self) -> float:
        """Standard error of ``noise_ratio`` (or of sigma over its value without a map)."""
        return self.reduced_chi2_scatter(self.num_pixels) / (
            2 * math.sqrt(self.expected_reduced_chi2)
        )

    def reduced_chi2_scatter(self, num_pixels: int) -> float:
        r"""Standard deviation of the mean chi-square of noise over so many pixels.

        For Gaussian noise of scatter s and correlation :math:`\rho`, a compact region of N
        pixels has :math:`\mathrm{Var} = (2 s^4 / N) \sum_l \rho_l^2`, the sum over all
        lags; the expectation of the square of the noise in the estimate of each
        :math:`\rho_l` is subtracted.

        Parameters
        ----------
        num_pixels : int
            N.

        Returns
        -------
        float

        Raises
        ------
        ValueError
            If ``num_pixels`` is not positive.
        """
        if not num_pixels > 0:
            raise ValueError(f"num_pixels must be positive, got {num_pixels}")
        squares = float(np.sum(self.correlation**2))
        squares = max(squares - (self.correlation.size - 1) / self.num_pixels, 1.0)
        return self.expected_reduced_chi2 * math.sqrt(2 * squares / num_pixels)


def autocovariance(values: np.ndarray, used: np.ndarray, max_lag: int) -> np.ndarray:
    r"""Mean product of pixels of an image at each lag, pairs of used pixels only.

    :math:`C_l = \langle z_p z_{p+l} \rangle`, z without its mean over the used pixels.

    Parameters
    ----------
    values : ndarray, (H, W)
        Any unit.
    used : ndarray of bool, (H, W)
        Pixels to use.
    max_lag : int
        Largest lag k along rows and columns, smaller than both sides.

    Returns
    -------
    ndarray, (2 k + 1, 2 k + 1)
        Element ``[k + i, k + j]`` is of the lag of i rows and j columns, in the square of
        the unit of ``values``; zero where no pair has that lag.

    Raises
    ------
    ValueError
        If ``max_lag`` does not fit the image.
    """
    if not 0 < max_lag < min(values.shape):
        raise ValueError(
            f"max_lag must be positive and below the sides {values.shape}, got {max_lag}"
        )
    mean = float(values[used].mean()) if used.any() else 0.0
    z = np.where(used, values - mean, 0.0)
    weight = used.astype(np.float64)
    rows, columns = values.shape
    lags = np.s_[rows - 1 - max_lag : rows + max_lag, columns - 1 - max_lag : columns + max_lag]
    products = correlate(z, z, method="fft")[lags]
    pairs = np.round(correlate(weight, weight, method="fft")[lags])
    return np.where(pairs > 0.5, products / np.maximum(pairs, 1), 0.0)


def _without_structure(covariance: np.ndarray, max_lag: int) -> np.ndarray:
    """Covariance of the noise alone: less the plateau beyond the noise's own length."""
    centre = covariance.shape[0] // 2
    lags = np.indices(covariance.shape) - centre
    distance = np.hypot(*lags)
    plateau = covariance[(distance > max_lag) & (distance <= max_lag + _PLATEAU_WIDTH)].mean()
    inner = slice(centre - max_lag, centre + max_lag + 1)
    return covariance[inner, inner] - plateau


def _excluded_radius(observation: LensObservation, given: float | None) -> float:
    """Radius of the lens and its arcs, arcsec."""
    if given is None:
        return _EXCLUDED_FRACTION * min(observation.grid.field_of_view) / 2
    if not given >= 0:
        raise ValueError(f"exclude_radius must not be negative, got {given}")
    return given


def blank_sky(
    observation: LensObservation,
    exclude_radius: float | None = None,
    *,
    found: Detections | None = None,
) -> np.ndarray:
    """Pixels of an image that show nothing but sky.

    They lie farther from the centre than ``exclude_radius``, three widths of the PSF from
    any detected object, and where the smooth light is within 1.5 sigma of its darkest
    fifth.

    Parameters
    ----------
    observation : LensObservation
        With the lens at the frame's centre.
    exclude_radius : float, optional
        Arcsec; by default half of the smaller half side.
    found : Detections, optional
        Objects of this image, where they are known already.

    Returns
    -------
    ndarray of bool, (H, W)

    Raises
    ------
    ValueError
        If ``exclude_radius`` is negative.
    """
    radius = _excluded_radius(observation, exclude_radius)
    found = found or detect_objects(observation)
    blank = found.usable & (central_distance(observation) > radius)
    if found.segments.any():
        margin = _MARGIN * psf_width(observation)
        blank &= distance_transform_edt(found.segments == 0) > margin
    if blank.any():
        dark = np.percentile(found.smooth[blank], 20)
        blank &= found.smooth < dark + _DARK * robust_scatter(found.residual[blank])
    return blank


def measure_sky(
    observation: LensObservation,
    exclude_radius: float | None = None,
    *,
    max_lag: int = 4,
    found: Detections | None = None,
) -> SkyNoise:
    """Measure scatter and correlation of the blank sky around a lens.

    Blank are the usable pixels farther from the centre than ``exclude_radius`` and three
    widths of the PSF from any detected object, where the smooth light (the lens galaxy's
    halo and the background, which is subtracted) is within 1.5 sigma of its darkest fifth.
    What wings of arcs and halo leave there varies slowly: the mean product of pixels at
    lags just beyond ``max_lag``, where noise is taken to be uncorrelated, is subtracted
    from those at shorter lags and from the variance.

    Parameters
    ----------
    observation : LensObservation
        With the lens at the frame's centre, with or without a noise map.
    exclude_radius : float, optional
        Arcsec; by default half of the smaller half side.
    max_lag : int, optional
        Largest lag of the correlation, pixels.
    found : Detections, optional
        Objects of this image, where they are known already.

    Returns
    -------
    SkyNoise

    Raises
    ------
    ValueError
        If ``exclude_radius`` is negative or ``max_lag`` is not positive.
    ObservationError
        If fewer than 200 pixels are blank, or they do not scatter.
    """
    if not max_lag > 0:
        raise ValueError(f"max_lag must be positive, got {max_lag}")
    found = found or detect_objects(observation)
    blank = blank_sky(observation, exclude_radius, found=found)
    number = int(np.count_nonzero(blank))
    if number < _MIN_PIXELS:
        raise ObservationError(
            f"the sky cannot be measured on {number} blank pixels; {_MIN_PIXELS} are "
            "needed: use a larger cutout, or a smaller exclude_radius= than "
            f"{_excluded_radius(observation, exclude_radius):.3g} arcsec"
        )
    residual = np.where(blank, found.residual, 0.0)
    covariance = _noise_covariance(residual, blank, max_lag)
    sigma = _scatter(covariance)
    ratio = None
    if observation.has_noise:
        # the map's zeros lie outside
        normalised = residual / np.where(blank, observation.noise, 1.0)
        covariance = _noise_covariance(normalised, blank, max_lag)
        ratio = _scatter(covariance)
    return SkyNoise(
        background=float(np.median(observation.data[blank])),
        sigma=sigma,
        noise_ratio=ratio,
        correlation=covariance / covariance[max_lag, max_lag],
        num_pixels=number,
    )


def _noise_covariance(values: np.ndarray, blank: np.ndarray, max_lag: int) -> np.ndarray:
    middle, scatter = np.median(values[blank]), robust_scatter(values[blank])
    kept = blank & (np.abs(values - middle) <= _OUTLIER * scatter)
    longest = max_lag + _PLATEAU_WIDTH
    return _without_structure(autocovariance(values, kept, longest), max_lag)


def _scatter(covariance: np.ndarray) -> float:
    middle = covariance.shape[0] // 2
    variance = float(covariance[middle, middle])
    if not variance > 0:
        raise ObservationError(
            "the sky's scatter cannot be told from structure in it; pass a larger cutout"
        )
    return math.sqrt(variance)
