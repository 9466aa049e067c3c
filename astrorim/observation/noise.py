"""Measure the noise of the blank sky where no noise map comes with the image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from astropy.nddata import StdDevUncertainty

from astrorim.exceptions import ObservationError

if TYPE_CHECKING:
    from astrorim.observation.lens_observation import LensObservation

__all__ = ["measure_sky_noise", "with_measured_noise"]

_MAD_TO_SIGMA = 1.482602218505602
"""Standard deviation of a normal distribution in units of its median absolute deviation."""

_MIN_PIXELS = 20


def measure_sky_noise(
    data: np.ndarray,
    mask: np.ndarray | None = None,
    *,
    outer_fraction: float = 0.7,
    clip: float = 3.0,
    max_iterations: int = 20,
) -> float:
    r"""Standard deviation of the blank sky, from the image's outer region.

    The estimate is :math:`1.4826\,\mathrm{median}|d - \mathrm{median}(d)|` of the pixels
    farther from the centre than ``outer_fraction`` of the half side (the larger of the
    two offsets), after repeatedly dropping those above ``clip`` times the estimate. It
    holds for a background that is flat there and covered by sources in less than about
    half of its pixels. It knows nothing of the Poisson noise of the lens itself, and
    correlated noise of drizzled images makes it too small for sums over pixels.

    Parameters
    ----------
    data : ndarray, (H, W)
        The image, in any unit.
    mask : ndarray of bool, (H, W), optional
        True where a pixel is to be ignored; pixels that are not finite always are.
    outer_fraction : float, optional
        Where the outer region begins, as a fraction of the half side, from 0 to below 1.
    clip : float, optional
        Distance from the median, in standard deviations, beyond which a pixel is a source.
    max_iterations : int, optional
        Most rounds of clipping.

    Returns
    -------
    float
        In the data's unit.

    Raises
    ------
    ObservationError
        If fewer than 20 pixels are left, or all of them are equal.
    ValueError
        If ``outer_fraction`` or ``clip`` is out of range.
    """
    if not 0 <= outer_fraction < 1:
        raise ValueError(f"outer_fraction must lie in [0, 1), got {outer_fraction}")
    if not clip > 0:
        raise ValueError(f"clip must be positive, got {clip}")
    ny, nx = data.shape
    rows = np.abs(np.arange(ny) - (ny - 1) / 2) / (ny / 2)
    columns = np.abs(np.arange(nx) - (nx - 1) / 2) / (nx / 2)
    outer = np.maximum(rows[:, None], columns[None, :]) >= outer_fraction
    used = outer & np.isfinite(data)
    if mask is not None:
        used &= ~np.asarray(mask, dtype=bool)
    values = np.asarray(data[used], dtype=np.float64)
    kept, sigma = values, _mad(values)
    if values.size:
        # a normal distribution cut at `clip` has a smaller median deviation
        bias = _clipping_bias(clip)
        for _ in range(max_iterations):
            inside = values[np.abs(values - np.median(kept)) <= clip * sigma]
            if inside.size in (0, kept.size):
                break
            kept, sigma = inside, _mad(inside) / bias
    if kept.size < _MIN_PIXELS or not sigma > 0:
        raise ObservationError(
            f"the sky noise cannot be measured from {kept.size} outer pixels with a "
            f"scatter of {sigma:g}; pass a noise map with uncertainty="
        )
    return sigma


def with_measured_noise(observation: LensObservation) -> LensObservation:
    """Copy an observation and give it the blank sky's noise in every pixel.

    It is too small where the lens and its arcs are bright, since their own Poisson noise
    is not in it; a noise map is better wherever there is one.

    Parameters
    ----------
    observation : LensObservation
        With or without a noise map, which is replaced; unchanged itself.

    Returns
    -------
    LensObservation
        With a `~astropy.nddata.StdDevUncertainty`, in the data's unit, and a note under
        ``NOISEMAP`` in its ``meta``.

    Raises
    ------
    ObservationError
        If there is too little blank sky.
    """
    sigma = measure_sky_noise(observation.data, observation.mask)
    result = observation.copy()
    result.uncertainty = StdDevUncertainty(np.full_like(result.data, sigma))
    result.meta["NOISEMAP"] = "blank sky"
    return result


def _mad(values: np.ndarray) -> float:
    if values.size == 0:
        return 0.0
    return _MAD_TO_SIGMA * float(np.median(np.abs(values - np.median(values))))


def _clipping_bias(clip: float) -> float:
    """Median deviation of a normal distribution cut at ``clip``, against the whole one's."""
    from statistics import NormalDist

    normal = NormalDist()
    inside = 2 * normal.cdf(clip) - 1
    return _MAD_TO_SIGMA * normal.inv_cdf(0.5 + inside / 4)
