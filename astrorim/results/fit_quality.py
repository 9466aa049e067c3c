"""Whether what a fit leaves is noise: chi-square, correlation and objects in residuals.

Residuals are in units of the noise map; masks are True where a pixel is to be ignored;
pixels that are not finite are ignored too. The noise map may be wrong and its pixels
correlated: `~astrorim.observation.sky_noise.measure_sky` says how, and what is expected
of a perfect fit follows from that.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.ndimage import binary_dilation, gaussian_filter, label
from scipy.signal import convolve

from astrorim.observation.sky_noise import autocovariance

__all__ = [
    "arc_region",
    "reduced_chi2",
    "residual_autocorrelation",
    "residual_structure",
    "unmodelled_objects",
]

NOISE_OVERESTIMATED = 0.75
"""Scatter of the sky in units of the noise map below which the map is called too large."""

NOISE_UNDERESTIMATED = 1.25
"""The same above which it is called too small."""

MISFIT = 1.5
"""Reduced chi-square over its expectation above which a fit is called bad."""

STRUCTURE_SIGNIFICANCE = 5.0
STRUCTURE_CORRELATION = 0.05
"""Both are exceeded where residuals are called correlated: many pixels make anything
significant."""

UNRESOLVED = 1.0
"""Einstein radius in units of the PSF's full width at half maximum below which images
merge with the lens."""

_OBJECT_PEAK = 6.0
_OBJECT_PIXELS = 8
_OBJECT_SMOOTHING = 1.3
_ARC_MARGIN = 3


def _used(residual: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    used = np.isfinite(residual)
    if mask is not None:
        used &= ~np.asarray(mask, dtype=bool)
    return used


def arc_region(
    arc_model_image: np.ndarray, noise: np.ndarray, threshold: float = 1.0
) -> np.ndarray:
    """Pixels where the model's arcs stand out of the noise.

    Parameters
    ----------
    arc_model_image : ndarray, (H, W), flux
        The lensed source, PSF applied, without lens light and background.
    noise : ndarray, (H, W), flux
        Standard deviation; pixels where it is not positive and finite are left out.
    threshold : float, optional
        In units of the noise.

    Returns
    -------
    ndarray of bool, (H, W)

    Raises
    ------
    ValueError
        If ``threshold`` is not positive.
    """
    if not threshold > 0:
        raise ValueError(f"threshold must be positive, got {threshold}")
    known = np.isfinite(noise) & (noise > 0) & np.isfinite(arc_model_image)
    return known & (arc_model_image > threshold * np.where(known, noise, 1.0))


def reduced_chi2(
    residual: np.ndarray,
    mask: np.ndarray | None,
    region: np.ndarray | None = None,
    *,
    num_parameters: float = 0,
) -> float:
    r"""Sum of squared residuals over pixels less parameters, :math:`\chi^2 / (N - p)`.

    Parameters
    ----------
    residual : ndarray, (H, W)
        In units of the noise.
    mask : ndarray of bool, (H, W), or None
        True where a pixel is ignored.
    region : ndarray of bool, (H, W), optional
        Pixels to judge by; all by default.
    num_parameters : float, optional
        Parameters p that these pixels determined; an effective number, which need not be
        an integer, where they are regularised.

    Returns
    -------
    float
        NaN where there are not more pixels than parameters.

    Raises
    ------
    ValueError
        If ``num_parameters`` is negative.
    """
    if not num_parameters >= 0:
        raise ValueError(f"num_parameters must not be negative, got {num_parameters}")
    used = _used(residual, mask)
    if region is not None:
        used &= region
    freedom = np.count_nonzero(used) - num_parameters
    return float(np.sum(residual[used] ** 2) / freedom) if freedom > 0 else math.nan


def residual_autocorrelation(
    residual: np.ndarray, mask: np.ndarray | None, max_lag: int = 4
) -> np.ndarray:
    r"""Autocorrelation of residuals, over pairs of unmasked pixels.

    Parameters
    ----------
    residual : ndarray, (H, W)
        In any unit.
    mask : ndarray of bool, (H, W), or None
        True where a pixel is ignored.
    max_lag : int, optional
        Largest lag k along rows and columns.

    Returns
    -------
    ndarray, (2 k + 1, 2 k + 1)
        :math:`\rho_{ij}` of i rows and j columns at ``[k + i, k + j]``; one at ``[k, k]``.

    Raises
    ------
    ValueError
        If ``max_lag`` does not fit the image or the residuals are all equal.
    """
    used = _used(residual, mask)
    covariance = autocovariance(np.where(used, residual, 0.0), used, max_lag)
    variance = covariance[max_lag, max_lag]
    if not variance > 0:
        raise ValueError(
            f"residual must scatter, got {np.count_nonzero(used)} unmasked pixels of "
            "equal value"
        )
    return covariance / variance


def residual_structure(
    residual: np.ndarray,
    mask: np.ndarray | None,
    *,
    max_lag: int = 4,
    noise_correlation: np.ndarray | None = None,
) -> tuple[float, float]:
    r"""Excess of the residuals' correlation over the noise's, and its significance.

    The statistic is :math:`T = \sum_l w_l (\hat\rho_l - \rho_l)` over the lags up to
    ``max_lag`` but zero, weighted with the share of pixels that have a partner. To first
    order it is a quadratic form of Gaussian pixels, so that for noise alone
    :math:`\mathrm{Var}\,T = (2 / N) \sum_m [(w' * \rho)_m]^2` with
    :math:`w'_l = w_l` and :math:`w'_0 = -\sum_l w_l \rho_l`, which is the normalisation by
    the variance. Edges of the region enter through the weights only.

    Parameters
    ----------
    residual : ndarray, (H, W)
        In units of the noise.
    mask : ndarray of bool, (H, W), or None
        True where a pixel is ignored.
    max_lag : int, optional
        Largest lag k along rows and columns.
    noise_correlation : ndarray, (2 j + 1, 2 j + 1), optional
        The noise's own, as in `SkyNoise.correlation`; white by default.

    Returns
    -------
    excess : float
        Mean of :math:`\hat\rho_l - \rho_l` over lags of one row or one column.
    significance : float
        T in units of its standard deviation for noise alone.

    Raises
    ------
    ValueError
        As for `residual_autocorrelation`.
    """
    used = _used(residual, mask)
    measured = residual_autocorrelation(residual, mask, max_lag)
    noise = np.zeros_like(measured)
    noise[max_lag, max_lag] = 1.0
    if noise_correlation is not None:
        own = noise_correlation.shape[0] // 2
        k = min(own, max_lag)
        inner, outer = slice(own - k, own + k + 1), slice(max_lag - k, max_lag + k + 1)
        noise[outer, outer] = noise_correlation[inner, inner]
    number = np.count_nonzero(used)
    ones = used.astype(np.float64)
    lags = range(-max_lag, max_lag + 1)
    pairs = np.array([[_overlap(ones, i, j) for j in lags] for i in lags]) / number
    pairs[max_lag, max_lag] = 0.0
    statistic = float(np.sum(pairs * (measured - noise)))
    # the pairs of a lag are independent: the variance goes with their number
    weight = np.sqrt(pairs)
    weight[max_lag, max_lag] = -float(np.sum(weight * noise))
    variance = 2 / number * float(np.sum(convolve(weight, noise, method="direct") ** 2))
    k = max_lag
    near = ((k, k + 1), (k, k - 1), (k + 1, k), (k - 1, k))
    excess = float(np.mean([measured[at] - noise[at] for at in near]))
    return excess, statistic / math.sqrt(variance)


def _overlap(ones: np.ndarray, rows: int, columns: int) -> float:
    """How many used pixels have a used partner so many rows and columns away."""
    ny, nx = ones.shape
    first = ones[max(0, -rows) : ny - max(0, rows), max(0, -columns) : nx - max(0, columns)]
    second = ones[max(0, rows) : ny - max(0, -rows), max(0, columns) : nx - max(0, -columns)]
    return float(np.sum(first * second))


def unmodelled_objects(
    residual: np.ndarray, mask: np.ndarray | None, arcs: np.ndarray | None = None
) -> int:
    """Number of objects that stand out of the residual outside the lens and its arcs.

    The residual is smoothed with a Gaussian of 1.3 pixels and divided by its own scatter;
    an object has eight joined pixels above three and one above six.

    Parameters
    ----------
    residual : ndarray, (H, W)
        In units of the noise.
    mask : ndarray of bool, (H, W), or None
        True where a pixel is ignored.
    arcs : ndarray of bool, (H, W), optional
        Region of the arcs, left out with a margin of three pixels, and with it all that
        is nearer to the frame's centre than nine tenths of its pixels.

    Returns
    -------
    int
    """
    used = _used(residual, mask)
    smoothed = gaussian_filter(np.where(used, residual, 0.0), _OBJECT_SMOOTHING)
    if arcs is not None and arcs.any():
        used &= ~binary_dilation(arcs, iterations=_ARC_MARGIN)
        rows, columns = (np.arange(side) - (side - 1) / 2 for side in arcs.shape)
        distance = np.hypot(rows[:, None], columns)
        used &= distance > np.percentile(distance[arcs], 90)
    if not used.any():
        return 0
    low, high = np.percentile(smoothed[used], [15.865, 84.135])
    if not high > low:
        return 0
    significance = np.where(used, smoothed / ((high - low) / 2), 0.0)
    labels, number = label(significance > _OBJECT_PEAK / 2)
    objects = [significance[labels == index] for index in range(1, number + 1)]
    return sum(o.size >= _OBJECT_PIXELS and float(o.max()) > _OBJECT_PEAK for o in objects)
