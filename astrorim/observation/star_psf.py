"""The point spread function of an image, from the stars in its field."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from astrorim.exceptions import ObservationError

if TYPE_CHECKING:
    from astropy.table import Table
    from astropy.units import Quantity

    from astrorim.observation.lens_observation import LensObservation

__all__ = ["StarPSF", "psf_from_stars", "width_of"]

_FEWEST_STARS = 3
_LEAST_CONTRAST = 0.05


@dataclass(frozen=True)
class StarPSF:
    """An effective PSF, built from stars; the response of the pixel is part of it.

    Parameters
    ----------
    stamp : ndarray, (K, K), dimensionless
        Sum one, K odd, centroid on the middle element.
    supersampling : int
        Elements along the side of a detector pixel.
    fwhm : `~astropy.units.Quantity`
        Full width at half maximum, arcsec: the diameter of the circle whose area is that
        above half of the maximum.
    stars : `~astropy.table.Table`
        The stars that were used: x, y (pixels, from zero) and flux.
    rejected : dict of str to int
        How many detections were left out, by reason.
    """

    stamp: np.ndarray = field(repr=False)
    supersampling: int
    fwhm: Quantity
    stars: Table = field(repr=False)
    rejected: dict[str, int]


def width_of(stamp: np.ndarray) -> float:
    """Full width at half maximum of a PSF stamp, in its elements.

    Parameters
    ----------
    stamp : ndarray, (K, K)
        Centred on its middle element.

    Returns
    -------
    float
        Diameter of the circle with the area above half of the maximum, on a grid ten
        times as fine, by cubic splines.
    """
    from scipy.ndimage import zoom

    fine = 10
    enlarged = zoom(stamp, fine, order=3, grid_mode=True, mode="nearest")
    area = np.count_nonzero(enlarged > enlarged.max() / 2) / fine**2
    return float(2 * np.sqrt(area / np.pi))


def psf_from_stars(
    observation: LensObservation,
    *,
    fwhm_pixels: float = 3.0,
    size: int = 25,
    supersampling: int = 1,
    saturation: float | None = None,
    threshold: float = 50.0,
    most_stars: int = 50,
) -> StarPSF:
    """Find isolated, unsaturated stars and build the effective PSF of them.

    Stars are found with DAOFIND; what is saturated, at the edge, masked, crowded or more
    extended than the others is left out, and the rest is combined by the method of
    Anderson & King (2000, PASP 112, 1360), as photutils has it.

    Parameters
    ----------
    observation : LensObservation
        A field with stars; its mask is heeded.
    fwhm_pixels : float, optional
        Expected full width at half maximum, detector pixels, to a factor of two.
    size : int, optional
        Side of the stamp in detector pixels, odd.
    supersampling : int, optional
        Elements of the result along the side of a detector pixel.
    saturation : float, optional
        Level, in the data's unit and before the sky is subtracted, above which a pixel is
        not to be trusted.
    threshold : float, optional
        Least peak of a star, in standard deviations of the sky.
    most_stars : int, optional
        The brightest so many are used.

    Returns
    -------
    StarPSF

    Raises
    ------
    ObservationError
        If the size is even or fewer than 3 stars are left; the message counts the reasons.
    """
    from astropy.nddata import NDData, StdDevUncertainty
    from astropy.stats import sigma_clipped_stats
    from astropy.table import Table
    from photutils.detection import DAOStarFinder
    from photutils.psf import EPSFBuilder, extract_stars
    from photutils.utils.exceptions import NoDetectionsWarning

    if size % 2 == 0 or size < 5:
        raise ObservationError(f"size must be odd and at least 5, got {size}; use {size + 1}")
    if supersampling < 1 or int(supersampling) != supersampling:
        raise ObservationError(f"supersampling must be a positive integer, got {supersampling}")
    bad = ~observation.good
    _, sky, scatter = sigma_clipped_stats(observation.data, mask=bad, sigma=3.0)
    data = np.where(bad, 0.0, np.asarray(observation.data, dtype=float) - sky)
    # by default neighbours within 2.5 widths would be taken for one star
    finder = DAOStarFinder(
        threshold=threshold * scatter, fwhm=fwhm_pixels, min_separation=fwhm_pixels
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NoDetectionsWarning)
        found = finder(data, mask=bad)
    if found is None:
        raise ObservationError(
            f"the field must hold stars, found none above {threshold:g} standard deviations "
            f"of the sky ({scatter:.3g} {observation.unit}); lower threshold=, or is "
            f"fwhm_pixels={fwhm_pixels:g} far off?"
        )
    x, y = np.asarray(found["x_centroid"]), np.asarray(found["y_centroid"])
    reasons = _reasons_against(observation, data, bad, (x, y), fwhm_pixels, size, saturation)
    keep = reasons == ""
    rejected = {str(name): int((reasons == name).sum()) for name in np.unique(reasons[~keep])}
    if keep.sum() < _FEWEST_STARS:
        counted = ", ".join(f"{number} {name}" for name, number in rejected.items())
        raise ObservationError(
            f"at least {_FEWEST_STARS} stars must be usable, got {keep.sum()} of {keep.size} "
            f"detections ({counted or 'nothing else was found'}); use a larger field, a "
            "smaller size=, a lower threshold=, or give the PSF as a file"
        )
    flux = np.asarray(found["flux"])
    order = np.argsort(-flux * keep)[: min(int(keep.sum()), most_stars)]
    stars = Table({"x": x[order], "y": y[order], "flux": flux[order]})
    noise = observation.noise if observation.has_noise else np.full(data.shape, scatter)
    noise = np.where(bad, np.inf, noise)
    field_image = NDData(data, uncertainty=StdDevUncertainty(noise), mask=bad)
    cutouts = extract_stars(field_image, stars, size=size + 2)
    builder = EPSFBuilder(oversampling=2, maxiters=10, progress_bar=False)
    model = builder(cutouts).epsf
    stamp = _centred(model, size, supersampling)
    scale = observation.pixel_scale.value / supersampling
    import astropy.units as u

    return StarPSF(stamp, supersampling, width_of(stamp) * scale * u.arcsec, stars, rejected)


def _reasons_against(
    observation: LensObservation,
    data: np.ndarray,
    bad: np.ndarray,
    position: tuple[np.ndarray, np.ndarray],
    fwhm: float,
    size: int,
    saturation: float | None,
) -> np.ndarray:
    """Why each detection is no good star, (N,); empty where it is one."""
    from astropy.stats import mad_std
    from photutils.aperture import CircularAperture, aperture_photometry

    x, y = position
    half = size // 2 + 1
    column, row = np.rint(x).astype(int), np.rint(y).astype(int)
    height, width = data.shape
    reasons = np.full(x.size, "", dtype="<U16")
    edge = (column < half) | (row < half) | (column >= width - half) | (row >= height - half)
    reasons[edge] = "at the edge"
    core = max(int(np.ceil(fwhm)), 2)
    places = np.column_stack([x, y])
    small = aperture_photometry(data, CircularAperture(places, 0.6 * fwhm))["aperture_sum"]
    large = aperture_photometry(data, CircularAperture(places, 1.5 * fwhm))["aperture_sum"]
    for i in np.flatnonzero(~edge):
        inner = np.s_[
            row[i] - core : row[i] + core + 1, column[i] - core : column[i] + core + 1
        ]
        distance = np.hypot(x - x[i], y - y[i])
        distance[i] = np.inf
        if saturation is not None and observation.data[inner].max() >= saturation:
            reasons[i] = "saturated"
        elif bad[inner].any():
            reasons[i] = "masked"
        elif np.any(large[distance < half * np.sqrt(2) + fwhm] > _LEAST_CONTRAST * large[i]):
            reasons[i] = "crowded"
    free = reasons == ""
    concentration = np.where(large > 0, small / np.maximum(large, 1e-300), 0)
    if free.sum() >= _FEWEST_STARS:
        # stars have all the same concentration, galaxies less; artefacts more
        typical = float(np.median(concentration[free]))
        spread = max(float(mad_std(concentration[free])), 0.01)
        reasons[free & (np.abs(concentration - typical) > 4 * spread)] = "not point-like"
    return reasons


def _centred(model: object, size: int, supersampling: int) -> np.ndarray:
    """Sample an ePSF with its centroid on the middle element, sum one."""
    side = (size - 1) * supersampling + 1
    side += 1 - side % 2
    offset = (np.arange(side) - side // 2) / supersampling
    gx, gy = np.meshgrid(offset, offset)
    # the core alone: in the wings a centroid is all noise
    x0 = y0 = 0.0
    for _ in range(10):
        stamp = model.evaluate(gx, gy, 1.0, x0, y0)  # type: ignore[attr-defined]
        radius = width_of(stamp) / supersampling
        window = np.exp(-(gx**2 + gy**2) / (2 * (radius / 1.5) ** 2))
        weight = stamp * window
        step = [float((g * weight).sum() / weight.sum()) for g in (gx, gy)]
        x0, y0 = x0 - 1.5 * step[0], y0 - 1.5 * step[1]
        if max(abs(each) for each in step) < 1e-4:
            break
    total = float(stamp.sum())
    if not total > 0:
        raise ObservationError(f"the sum of the PSF of the stars must be positive, got {total}")
    return np.asarray(stamp / total)
