r"""Dithered exposures of one lens combined onto one sky frame, with flux and noise.

Each exposure is projected with the exact overlap of the pixels
(`reproject.reproject_exact`), which gives the mean surface brightness a of every output
pixel; flux per pixel is that times the ratio of the pixel areas. The noise follows: the
variance is projected with the same overlaps. What projection does to it - output pixels
share input pixels - is measured on noise, since it depends on the sub-pixel shifts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np
from astropy.nddata import StdDevUncertainty

from astrorim.exceptions import ObservationError
from astrorim.grid import pixel_scale_of
from astrorim.preparation.records import record
from astrorim.preparation.resampling import is_surface_brightness

if TYPE_CHECKING:
    from astropy.wcs import WCS

    from astrorim.observation import LensObservation

__all__ = ["combine_dithers"]

_NOISE_SEED = 20230
_REALISATIONS = 16
_LEAST_COVERAGE = 0.999


def combine_dithers(
    exposures: Sequence[LensObservation],
    *,
    wcs: WCS | None = None,
    shape: tuple[int, int] | None = None,
) -> LensObservation:
    """Average exposures on one sky frame, weighted by their inverse median variance.

    Masked pixels of an exposure are left out, with every output pixel that they touch. The
    PSF is the weighted mean of the exposures' where all have one of the same shape and
    sampling; the smoothing by projection is not in it.

    Parameters
    ----------
    exposures : sequence of LensObservation
        At least two, in one unit, calibrated to the same flux scale, each with a noise
        map and a WCS.
    wcs : `~astropy.wcs.WCS`, optional
        Sky frame of the result; the first exposure's by default.
    shape : tuple of int, optional
        Rows and columns of the result; the first exposure's by default.

    Returns
    -------
    LensObservation
        With the noise of single pixels, simulated through the same projection, and the
        correlation of pixels that share a side as ``NEIGHCOR`` in its ``meta``. Where no
        exposure reaches, pixels are masked. Exposure times add up.

    Raises
    ------
    ObservationError
        If there are fewer than two, units differ, or a noise map or a WCS is missing.
    """
    _check(exposures)
    first = exposures[0]
    target = first.wcs if wcs is None else wcs
    shape = first.shape if shape is None else shape
    weights = [1 / float(np.median(e.noise[e.good])) ** 2 for e in exposures]
    rng = np.random.default_rng(_NOISE_SEED)
    total = np.zeros(shape)
    noises = np.zeros((_REALISATIONS, *shape))
    coverage = np.zeros(shape)
    for exposure, weight in zip(exposures, weights, strict=True):
        good = exposure.good
        planes = [np.where(good, exposure.data, 0.0), good.astype(float)]
        noise = np.where(good, exposure.noise, 0.0)
        planes += [noise * rng.standard_normal(noise.shape) for _ in range(_REALISATIONS)]
        projected, covered = _project(
            np.array(planes, dtype=np.float64), exposure, target, shape
        )
        used = covered & (projected[1] > _LEAST_COVERAGE)
        factor = 1.0
        if not is_surface_brightness(exposure.unit):
            factor = float(pixel_scale_of(target) / pixel_scale_of(exposure.wcs)) ** 2
        total += np.where(used, weight * factor * projected[0], 0.0)
        noises += np.where(used, weight * factor * projected[2:], 0.0)
        coverage += np.where(used, weight, 0.0)
    empty = coverage == 0
    if empty.all():
        raise ObservationError("no exposure reaches the sky frame of the result; check wcs=")
    divisor = np.where(empty, 1.0, coverage)
    noises /= divisor
    variance = (noises**2).mean(axis=0)
    # 16 realisations scatter by a third: neighbouring pixels share one variance
    from scipy.ndimage import uniform_filter

    inside = uniform_filter((~empty).astype(float), 5)
    smooth = uniform_filter(np.where(empty, 0.0, variance), 5) / np.maximum(inside, 1e-9)
    attributes = first.attributes() | {"psf": _mean_psf(exposures, weights)}
    attributes["pixel_scale"] = None
    seconds = [e.exposure.to_value(u.s) for e in exposures if e.exposure is not None]
    attributes["exposure"] = sum(seconds) * u.s if len(seconds) == len(exposures) else None
    meta = first.meta.copy()
    record(meta, "NCOMBINE", len(exposures), "exposures combined")
    record(
        meta,
        "NEIGHCOR",
        _neighbour_correlation(noises, ~empty),
        "noise correlation, projection",
    )
    typical = float(np.sqrt(np.median(smooth[~empty])))
    return type(first)(
        total / divisor,
        unit=first.unit,
        uncertainty=StdDevUncertainty(np.where(empty, typical, np.sqrt(smooth))),
        mask=empty,
        wcs=target,
        meta=meta,
        **attributes,
    )


def _check(exposures: Sequence[LensObservation]) -> None:
    if len(exposures) < 2:
        raise ObservationError(f"at least two exposures are combined, got {len(exposures)}")
    for number, exposure in enumerate(exposures):
        if exposure.wcs is None or not exposure.wcs.has_celestial:
            raise ObservationError(
                f"exposure {number} has no WCS; without it nothing is aligned"
            )
        if not exposure.has_noise:
            raise ObservationError(
                f"exposure {number} has no noise map; make one with prepare first"
            )
        if exposure.unit != exposures[0].unit:
            raise ObservationError(
                f"exposures must be in one unit, got {exposures[0].unit} and {exposure.unit}"
            )


def _project(
    planes: np.ndarray, exposure: LensObservation, target: WCS, shape: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    from reproject import reproject_exact

    projected, footprint = reproject_exact(
        (planes, exposure.wcs), target, shape_out=shape, parallel=False
    )
    covered = np.broadcast_to(footprint, projected.shape)[0] > _LEAST_COVERAGE
    return np.nan_to_num(projected), covered


def _mean_psf(
    exposures: Sequence[LensObservation], weights: Sequence[float]
) -> np.ndarray | None:
    stamps = [e.psf for e in exposures if e.psf is not None]
    if len(stamps) < len(exposures):
        return None
    kinds = {(s.shape, e.psf_supersampling) for s, e in zip(stamps, exposures, strict=True)}
    if len(kinds) > 1:
        return None
    return np.average(np.array(stamps), axis=0, weights=weights)


def _neighbour_correlation(noises: np.ndarray, used: np.ndarray) -> float:
    pairs = used[:, 1:] & used[:, :-1]
    left, right = noises[:, :, :-1][:, pairs], noises[:, :, 1:][:, pairs]
    return float((left * right).mean() / np.sqrt((left**2).mean() * (right**2).mean()))
