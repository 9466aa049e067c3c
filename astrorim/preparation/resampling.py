r"""Coarser pixels, with the flux, the noise and its correlation conserved.

An output pixel is the sum of the input pixels times the fraction of each that it covers,
:math:`d' = W_y d W_x^T` (drizzling with a pixel fraction of one: Fruchter & Hook 2002,
PASP 114, 144, with square, aligned pixels). Then :math:`\sigma'^2 = W_y^2 \sigma^2
(W_x^2)^T` for independent input pixels, and neighbours that share an input pixel are
correlated unless pixels are joined in whole blocks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np
from astropy.nddata import StdDevUncertainty

from astrorim.exceptions import ObservationError
from astrorim.preparation.records import record
from astrorim.quantities import parse_pixel_scale

if TYPE_CHECKING:
    from astropy.wcs import WCS

    from astrorim.observation import LensObservation

__all__ = ["coverage", "is_surface_brightness", "resample"]


def coverage(num_input: int, ratio: float) -> np.ndarray:
    """Fraction of each input pixel that each output pixel covers, along one axis.

    Parameters
    ----------
    num_input : int
        Input pixels N.
    ratio : float
        Side of an output pixel in input pixels, at least one.

    Returns
    -------
    ndarray, (M, N)
        The M whole output pixels that fit, centred on the same point.
    """
    num_output = int(np.floor(num_input / ratio + 1e-9))
    start = (num_input - num_output * ratio) / 2
    edges = start + ratio * np.arange(num_output + 1)
    pixel = np.arange(num_input)
    upper = np.minimum(edges[1:, None], pixel + 1)
    lower = np.maximum(edges[:-1, None], pixel)
    return np.clip(upper - lower, 0.0, 1.0)


def resample(observation: LensObservation, pixel_scale: str | u.Quantity) -> LensObservation:
    """Copy an observation to coarser pixels about the same centre.

    Fluxes per pixel are summed, surface brightnesses averaged. An output pixel that
    covers a bad pixel is masked. With a whole number of input pixels per side the PSF
    stays exactly as it is, ``psf_supersampling`` times finer than the new pixels;
    otherwise the stamp is resampled like the image. Finer pixels are refused: nothing is
    known about them.

    Parameters
    ----------
    observation : LensObservation
        Unchanged itself.
    pixel_scale : str or `~astropy.units.Quantity`
        Side of the new pixels.

    Returns
    -------
    LensObservation
        With ``NEIGHCOR``, the correlation of pixels that share a side which this step
        alone gives to independent pixels, in its ``meta``.

    Raises
    ------
    ObservationError
        If the new pixels are finer, or fewer than five fit.
    """
    new = parse_pixel_scale(pixel_scale)
    ratio = float(new / observation.pixel_scale)
    whole = round(ratio)
    if abs(ratio - whole) < 1e-6 * ratio:
        ratio = float(whole)
    if ratio < 1:
        raise ObservationError(
            f"pixel_scale must not be finer than the image's {observation.pixel_scale:.4g}, "
            f"got {new:.4g}; finer pixels hold no more information"
        )
    rows, columns = (coverage(n, ratio) for n in observation.shape)
    if min(len(rows), len(columns)) < 5:
        raise ObservationError(
            f"pixel_scale={new:.4g} leaves {len(rows)} x {len(columns)} pixels; at least "
            "five on a side are needed"
        )
    factor = ratio**-2 if is_surface_brightness(observation.unit) else 1.0
    good = observation.good
    data = np.where(good, observation.data, 0.0).astype(np.float64)
    bad = rows @ (~good).astype(float) @ columns.T > 1e-9
    uncertainty = None
    if observation.has_noise:
        typical = np.median(observation.noise[good]) if good.any() else 1.0
        variance = np.where(good, observation.noise, typical).astype(np.float64) ** 2
        noise = factor * np.sqrt(rows**2 @ variance @ (columns**2).T)
        uncertainty = StdDevUncertainty(noise.astype(observation.data.dtype))
    attributes = observation.attributes()
    if observation.psf is not None:
        attributes |= _psf_on(observation.psf, observation.psf_supersampling, ratio)
    wcs = (
        None
        if observation.wcs is None
        else _scaled_wcs(
            observation.wcs,
            ratio,
            shape=observation.shape,
            rows=len(rows),
            columns=len(columns),
        )
    )
    if attributes["pixel_scale"] is not None:
        attributes["pixel_scale"] = new
    meta = observation.meta.copy()
    record(meta, "NEIGHCOR", _neighbour_correlation(rows), "correlation that resampling gave")
    record(meta, "RESAMPLE", ratio, "side of a pixel in original pixels")
    return type(observation)(
        (factor * (rows @ data @ columns.T)).astype(observation.data.dtype),
        unit=observation.unit,
        uncertainty=uncertainty,
        mask=bad,
        wcs=wcs,
        meta=meta,
        **attributes,
    )


def is_surface_brightness(unit: u.UnitBase) -> bool:
    """Whether an image in this unit keeps its values when pixels change their size.

    Parameters
    ----------
    unit : `~astropy.units.UnitBase`
        Of an image, for example MJy/sr.

    Returns
    -------
    bool
        False for fluxes per pixel.
    """
    return any(
        base.is_equivalent(u.rad) and power < 0
        for base, power in zip(
            unit.decompose().bases, unit.decompose().powers, strict=True
        )
    )  # fmt: skip


def _neighbour_correlation(weights: np.ndarray) -> float:
    variance = (weights**2).sum(axis=1)
    shared = (weights[1:] * weights[:-1]).sum(axis=1)
    return float(np.mean(shared / np.sqrt(variance[1:] * variance[:-1])))


def _psf_on(psf: np.ndarray, supersampling: int, ratio: float) -> dict[str, object]:
    if ratio == round(ratio):
        return {"psf": psf, "psf_supersampling": supersampling * round(ratio)}
    # an odd number of new elements, so that the peak stays in the middle of one
    finer = ratio * supersampling
    size = int(np.ceil(psf.shape[0] / finer)) | 1
    extra = int(np.ceil((size * finer - psf.shape[0]) / 2)) + 1
    padded = np.pad(np.asarray(psf, dtype=np.float64), extra)
    weights = coverage(len(padded), finer)
    if len(weights) % 2 == 0:
        start = (len(padded) - size * finer) / 2
        edges = start + finer * np.arange(size + 1)
        pixel = np.arange(len(padded))
        weights = np.clip(
            np.minimum(edges[1:, None], pixel + 1) - np.maximum(edges[:-1, None], pixel), 0, 1
        )
    stamp = weights @ padded @ weights.T
    return {"psf": (stamp / stamp.sum()).astype(psf.dtype), "psf_supersampling": 1}


def _scaled_wcs(
    wcs: WCS, ratio: float, *, shape: tuple[int, ...], rows: int, columns: int
) -> WCS:
    if wcs.sip is not None or wcs.cpdis1 is not None:
        raise ObservationError(
            "an image with a distorted WCS cannot be resampled to aligned pixels; drizzle it "
            "first"
        )
    wcs = wcs.deepcopy()
    starts = [
        (before - after * ratio) / 2
        for before, after in ((shape[1], columns), (shape[0], rows))
    ]
    # FITS pixels begin at 0.5
    wcs.wcs.crpix = [
        (reference - 0.5 - start) / ratio + 0.5
        for reference, start in zip(wcs.wcs.crpix, starts, strict=True)
    ]
    if wcs.wcs.has_cd():
        wcs.wcs.cd = wcs.wcs.cd * ratio
    else:
        wcs.wcs.cdelt = wcs.wcs.cdelt * ratio
    wcs.wcs.set()
    return wcs
