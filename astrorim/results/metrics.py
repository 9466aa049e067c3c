"""How far a result is from a known truth; what no rescaling to the truth can flatter.

Sources are compared as surface brightness on the truth's own grid. A blank image has a
`source_error` of exactly 1.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.ndimage import binary_dilation, gaussian_filter, map_coordinates

from astrorim.grid import SourceGrid

__all__ = [
    "angle_error",
    "bounding_box",
    "flux_error",
    "footprint",
    "relative_error",
    "resample_source",
    "source_correlation",
    "source_error",
    "source_error_frame",
    "source_ssim",
]


def resample_source(
    source: np.ndarray, grid: SourceGrid, onto: SourceGrid, *, supersampling: int | None = None
) -> np.ndarray:
    """Surface brightness on another grid, averaged over its pixels.

    Bilinear between the centres of the source's pixels, evaluated on sub-pixels of the
    new grid and averaged. Beyond the source's frame there is nothing: zero, reached
    within one pixel outside the outermost centres.

    Parameters
    ----------
    source : ndarray, (..., n, m), flux per arcsec^2
        One source or several on one grid.
    grid : SourceGrid
        Where its pixels lie, arcsec.
    onto : SourceGrid
        The new grid, arcsec.
    supersampling : int, optional
        Sub-pixels along the side of a new pixel; by default as many as make them half
        as large as the source's pixels, at least 2.

    Returns
    -------
    ndarray, (..., ny, nx), flux per arcsec^2
        On ``onto``.

    Raises
    ------
    ValueError
        If ``source`` does not have the shape of ``grid``.
    """
    source = np.asarray(source, dtype=float)
    if source.shape[-2:] != grid.shape:
        raise ValueError(
            f"source must have its grid's shape {grid.shape}, got {source.shape[-2:]}"
        )
    if grid == onto:
        return source.copy()
    k = supersampling or max(2, math.ceil(2 * onto.pixel_scale / grid.pixel_scale))
    x, y = onto.coordinates(k)
    (rows, columns), (ny, nx) = grid.shape, onto.shape
    column = (x - grid.x0) / grid.pixel_scale + (columns - 1) / 2
    row = (y - grid.y0) / grid.pixel_scale + (rows - 1) / 2
    result = np.empty((*source.shape[:-2], ny, nx))
    for index in np.ndindex(source.shape[:-2]):
        fine = map_coordinates(source[index], [row, column], order=1, mode="grid-constant")
        result[index] = fine.reshape(ny, k, nx, k).mean(axis=(1, 3))
    return result


def footprint(truth: np.ndarray) -> np.ndarray:
    """Where the true source is: above 1 % of its peak, dilated by one pixel.

    Parameters
    ----------
    truth : ndarray, (n, m)
        True source.

    Returns
    -------
    ndarray of bool, (n, m)
        Dilated along rows, columns and diagonals.

    Raises
    ------
    ValueError
        If the truth is nowhere positive.
    """
    truth = np.asarray(truth, dtype=float)
    peak = float(truth.max())
    if not peak > 0:
        raise ValueError(f"truth must be positive somewhere, got a maximum of {peak}")
    return binary_dilation(truth > 0.01 * peak, structure=np.ones((3, 3)))


def bounding_box(mask: np.ndarray, *, margin: float = 0.0) -> tuple[slice, slice]:
    """Smallest box around a mask, grown on each side, cut at the array's edges.

    Parameters
    ----------
    mask : ndarray of bool, (n, m)
        True somewhere.
    margin : float, optional
        Growth of height and width, as a fraction of them, half on each side.

    Returns
    -------
    tuple of slice
        Rows and columns.
    """
    slices = []
    for axis in (1, 0):
        where = np.flatnonzero(mask.any(axis=axis))
        low, high = int(where[0]), int(where[-1]) + 1
        grow = math.ceil(0.5 * margin * (high - low))
        slices.append(slice(max(low - grow, 0), min(high + grow, mask.shape[1 - axis])))
    return slices[0], slices[1]


def _matched(source: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    source, truth = np.asarray(source, dtype=float), np.asarray(truth, dtype=float)
    if source.shape != truth.shape or truth.ndim != 2:
        raise ValueError(
            f"source must be an image on the truth's grid {truth.shape}, got shape "
            f"{source.shape}; use resample_source"
        )
    return source, truth


def source_error(source: np.ndarray, truth: np.ndarray) -> float:
    r"""Relative error on the truth's footprint, :math:`\|s - t\| / \|t\|`.

    Parameters
    ----------
    source, truth : ndarray, (n, m), flux per arcsec^2
        On the truth's grid.

    Returns
    -------
    float
        0 for the truth, 1 for a blank image.

    Raises
    ------
    ValueError
        If the shapes differ or the truth is nowhere positive.
    """
    source, truth = _matched(source, truth)
    inside = footprint(truth)
    return float(np.linalg.norm((source - truth)[inside]) / np.linalg.norm(truth[inside]))


def source_error_frame(source: np.ndarray, truth: np.ndarray) -> float:
    """The same as `source_error` over the whole frame, where haze counts.

    Parameters
    ----------
    source, truth : ndarray, (n, m), flux per arcsec^2
        On the truth's grid.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If the shapes differ or the truth is nowhere positive.
    """
    source, truth = _matched(source, truth)
    footprint(truth)
    return float(np.linalg.norm(source - truth) / np.linalg.norm(truth))


def source_correlation(source: np.ndarray, truth: np.ndarray) -> float:
    """Pearson's correlation inside the box around the footprint.

    Parameters
    ----------
    source, truth : ndarray, (n, m), flux per arcsec^2
        On the truth's grid.

    Returns
    -------
    float
        From -1 to 1; 0 where the source or the truth is constant there.

    Raises
    ------
    ValueError
        If the shapes differ or the truth is nowhere positive.
    """
    source, truth = _matched(source, truth)
    box = bounding_box(footprint(truth))
    s, t = source[box] - source[box].mean(), truth[box] - truth[box].mean()
    scale = np.linalg.norm(s) * np.linalg.norm(t)
    return float((s * t).sum() / scale) if scale > 0 else 0.0


def source_ssim(source: np.ndarray, truth: np.ndarray) -> float:
    """Structural similarity inside the box around the footprint plus 20 %.

    Mean of equation 13 of Wang et al. (2004, IEEE Trans. Image Processing 13, 600), with
    a Gaussian window of 1.5 pixels, K1 = 0.01, K2 = 0.03 and the truth's peak as range.

    Parameters
    ----------
    source, truth : ndarray, (n, m), flux per arcsec^2
        On the truth's grid.

    Returns
    -------
    float
        1 for the truth.

    Raises
    ------
    ValueError
        If the shapes differ or the truth is nowhere positive.
    """
    source, truth = _matched(source, truth)
    box = bounding_box(footprint(truth), margin=0.2)

    def mean(image: np.ndarray) -> np.ndarray:
        return gaussian_filter(image, 1.5, truncate=3.5)

    mu_s, mu_t = mean(source), mean(truth)
    var_s = mean(source**2) - mu_s**2
    var_t = mean(truth**2) - mu_t**2
    covariance = mean(source * truth) - mu_s * mu_t
    c1, c2 = (0.01 * truth.max()) ** 2, (0.03 * truth.max()) ** 2
    similarity = ((2 * mu_s * mu_t + c1) * (2 * covariance + c2)) / (
        (mu_s**2 + mu_t**2 + c1) * (var_s + var_t + c2)
    )
    return float(similarity[box].mean())


def flux_error(source: np.ndarray, truth: np.ndarray) -> float:
    """Relative error of the source's flux inside the truth's footprint.

    Parameters
    ----------
    source, truth : ndarray, (n, m), flux per arcsec^2
        On the truth's grid.

    Returns
    -------
    float
        Signed; -1 for a blank image.

    Raises
    ------
    ValueError
        If the shapes differ or the truth is nowhere positive.
    """
    source, truth = _matched(source, truth)
    inside = footprint(truth)
    return relative_error(source[inside].sum(), truth[inside].sum()).item()


def relative_error(value: float | np.ndarray, truth: float | np.ndarray) -> np.ndarray:
    """Signed relative error, for Einstein radii, fluxes and magnifications.

    Parameters
    ----------
    value, truth : float or ndarray, (...)
        In one unit.

    Returns
    -------
    ndarray, (...)
        NaN where the truth is zero.
    """
    value, truth = np.asarray(value, dtype=float), np.asarray(truth, dtype=float)
    nonzero = truth != 0
    return np.where(nonzero, (value - truth) / np.where(nonzero, truth, 1.0), np.nan)


def angle_error(
    value: float | np.ndarray, truth: float | np.ndarray, *, period: float = math.pi
) -> np.ndarray:
    """Signed shortest way from a true angle to another one.

    Parameters
    ----------
    value, truth : float or ndarray, (...), rad
        Angles.
    period : float, optional
        Angle after which an axis looks the same; pi for axes of ellipses and shear.

    Returns
    -------
    ndarray, (...), rad
        In [-period / 2, period / 2).
    """
    difference = np.asarray(value, dtype=float) - np.asarray(truth, dtype=float)
    return np.mod(difference + period / 2, period) - period / 2
