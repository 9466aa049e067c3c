"""The sky under a lens: its level, measured where nothing but sky is, and taken off."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from astrorim.exceptions import ObservationError
from astrorim.observation.detection import central_distance, detect_objects
from astrorim.observation.sky_noise import blank_sky, measure_sky
from astrorim.preparation.records import record

if TYPE_CHECKING:
    from astrorim.observation import LensObservation

__all__ = ["SkyEstimate", "estimate_sky", "subtract_sky"]


@dataclass(frozen=True)
class SkyEstimate:
    """The sky's level and scatter around a lens.

    Parameters
    ----------
    level : float, flux
        Per pixel; the faintest light of the lens's halo is part of it.
    error : float, flux
        Standard error of ``level``, the correlation of neighbouring pixels included, and
        ``gradient`` added in quadrature.
    gradient : float, flux
        How much brighter the inner half of the blank pixels is than the outer half: the
        halo of the lens, which the level is not free of.
    sigma : float, flux
        Scatter of a pixel.
    correlation : float
        Mean correlation of pixels that share a side.
    noise_ratio : float or None
        ``sigma`` in units of the noise map; None where there is none.
    num_pixels : int
        Blank pixels that were used.
    """

    level: float
    error: float
    gradient: float
    sigma: float
    correlation: float
    noise_ratio: float | None
    num_pixels: int


def estimate_sky(
    observation: LensObservation, exclude_radius: float | None = None
) -> SkyEstimate:
    """Measure the sky around a lens, with the lens and all objects masked.

    The level is the biweight location (Beers et al. 1990, AJ 100, 32) of the pixels of
    `~astrorim.observation.sky_noise.blank_sky`, clipped at three sigma, as
    `photutils.background.BiweightLocationBackground` has it. A halo that fills the frame
    cannot be told from sky: take a frame that is several times wider than the lens.

    Parameters
    ----------
    observation : LensObservation
        With the lens at the frame's centre.
    exclude_radius : float, optional
        Radius about the centre that is left out, arcsec; by default half of the smaller
        half side.

    Returns
    -------
    SkyEstimate
        In the data's unit.

    Raises
    ------
    ObservationError
        If fewer than 200 pixels are blank.
    ValueError
        If ``exclude_radius`` is negative.
    """
    from astropy.stats import SigmaClip
    from photutils.background import BiweightLocationBackground

    found = detect_objects(observation)
    noise = measure_sky(observation, exclude_radius, found=found)
    blank = blank_sky(observation, exclude_radius, found=found)
    values = np.asarray(observation.data[blank], dtype=np.float64)
    estimator = BiweightLocationBackground(sigma_clip=SigmaClip(sigma=3.0))
    level = float(estimator(values))
    distance = central_distance(observation)[blank]
    inner = distance < np.median(distance)
    gradient = float(estimator(values[inner]) - estimator(values[~inner]))
    # noise of the sum: white noise plus the pairs that are correlated
    inflation = max(float(noise.correlation.sum()), 1.0)
    error = noise.sigma * math.sqrt(inflation / values.size)
    return SkyEstimate(
        level=level,
        error=math.hypot(error, gradient),
        gradient=gradient,
        sigma=noise.sigma,
        correlation=noise.neighbour_correlation,
        noise_ratio=noise.noise_ratio,
        num_pixels=int(values.size),
    )


def subtract_sky(observation: LensObservation, sky: SkyEstimate) -> LensObservation:
    """Copy an observation and take the sky's level off.

    The noise map is unchanged: the error of the level is common to all pixels, and the
    fit of a background, where there is one, takes it up.

    Parameters
    ----------
    observation : LensObservation
        Unchanged itself.
    sky : SkyEstimate
        Of this observation.

    Returns
    -------
    LensObservation
        With ``SKYLEVEL`` and ``SKYERR`` in its ``meta``, in the data's unit.

    Raises
    ------
    ObservationError
        If a sky was taken off before.
    """
    if "SKYLEVEL" in observation.meta:
        raise ObservationError(
            f"a sky of {observation.meta['SKYLEVEL']:g} {observation.unit} was taken off this "
            "observation before; begin with the original file"
        )
    result = observation.copy()
    result.data = (observation.data - sky.level).astype(observation.data.dtype)
    record(result.meta, "SKYLEVEL", sky.level, "sky taken off, unit of the image")
    record(result.meta, "SKYERR", sky.error, "standard error of the sky, unit of the image")
    return result
