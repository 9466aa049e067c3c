"""From a telescope's image to an observation that can be reconstructed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from astrorim.exceptions import ObservationError
from astrorim.observation.masking import cosmic_ray_mask
from astrorim.preparation.centring import core_is_saturated
from astrorim.preparation.choices import Preparation
from astrorim.preparation.framing import check_frame, cut, locate_lens, square_about
from astrorim.preparation.noise_choice import with_noise
from astrorim.preparation.records import Notes, record
from astrorim.preparation.resampling import resample
from astrorim.preparation.sky import SkyEstimate, estimate_sky, subtract_sky

if TYPE_CHECKING:
    from astrorim.observation import LensObservation

__all__ = ["PreparedLens", "prepare"]

_WORKING_SIDE = 600
"""Sky is measured in a square of at most this side about the lens, pixels."""

_SUBTRACTED = ("BGSUB", "SKYSUB", "BACKSUB", "BKGSUB")
_SIGNIFICANT = 3.0
_HALO = 10.0
"""A level below this many times its own gradient may be the lens's halo altogether."""

_GRADIENT = 0.5
"""Halo in the sky, in scatters of a pixel, that is worth saying."""


@dataclass(frozen=True)
class PreparedLens:
    """A prepared observation and what was done to it.

    Parameters
    ----------
    observation : LensObservation
        Ready for a reconstruction, but for what ``missing`` lists.
    sky : SkyEstimate or None
        None where the sky could not be measured.
    noise : str
        Where the noise map comes from, in words.
    steps : tuple of str
        What was done, in order.
    advice : tuple of str
        What the user should look at.
    missing : tuple of str
        What a reconstruction will still ask for.
    """

    observation: LensObservation
    sky: SkyEstimate | None
    noise: str
    steps: tuple[str, ...] = ()
    advice: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


def prepare(observation: LensObservation, options: Preparation | None = None) -> PreparedLens:
    """Prepare an image for a reconstruction.

    The lens is found, the sky around it measured and taken off, a noise map found or made,
    the lens cut out and, if asked for, the pixels made coarser. PSF, mask, WCS and all
    other attributes go along.

    Parameters
    ----------
    observation : LensObservation
        Linear in flux, of one band; unchanged itself.
    options : Preparation, optional
        What to do.

    Returns
    -------
    PreparedLens

    Raises
    ------
    ObservationError
        If a step is impossible; the message says what would help.
    """
    options = options or Preparation()
    notes = Notes()
    centre = locate_lens(observation, options, notes)
    if core_is_saturated(observation, centre):
        notes.advice.append(
            "the lens's core is saturated: its brightest pixels are equal; mask them"
        )
    if options.cosmic_rays:
        observation = _without_cosmic_rays(observation, notes)
    result, sky = _without_sky(observation, centre, options, notes)
    result, noise = with_noise(result, sky, options, notes)
    result = cut(result, centre, options, notes)
    if options.pixel_scale is not None:
        before = result.pixel_scale
        result = resample(result, options.pixel_scale)
        notes.steps.append(
            f"pixels of {before.value:.4g} joined to {result.pixel_scale.value:.4g} arcsec, "
            f"which correlates neighbours by {result.meta['NEIGHCOR']:.3f} more"
        )
    check_frame(result, notes)
    record(result.meta, "NOISEMAP", noise, "where the noise map comes from")
    if sky is not None:
        record(result.meta, "SKYCORR", sky.correlation, "noise correlation before resampling")
    result.check()
    missing = ("psf",) if result.psf is None else ()
    return PreparedLens(result, sky, noise, tuple(notes.steps), tuple(notes.advice), missing)


def _without_cosmic_rays(observation: LensObservation, notes: Notes) -> LensObservation:
    hits = cosmic_ray_mask(observation)
    result = observation.copy()
    old = np.zeros(hits.shape, bool) if result.mask is None else np.asarray(result.mask)
    result.mask = old | hits
    notes.steps.append(f"{int(hits.sum())} pixels masked as hits of cosmic rays")
    return result


def _without_sky(
    observation: LensObservation,
    centre: tuple[float, float],
    options: Preparation,
    notes: Notes,
) -> tuple[LensObservation, SkyEstimate | None]:
    working = square_about(observation, centre, _WORKING_SIDE)
    if min(working.shape) < 0.6 * min(*observation.shape, _WORKING_SIDE):
        working = observation
    try:
        sky = estimate_sky(working, options.sky_radius)
    except ObservationError as error:
        if options.sky == "subtract":
            raise
        notes.advice.append(f"the sky stays as it is: {error}")
        return observation, None
    subtracted = "SKYLEVEL" in observation.meta or any(
        bool(observation.meta.get(key)) for key in _SUBTRACTED
    )
    value = f"{sky.level:.4g} +- {sky.error:.2g} {observation.unit} per pixel"
    if abs(sky.gradient) > _GRADIENT * sky.sigma:
        notes.advice.append(
            f"the sky brightens by {sky.gradient:.3g} {observation.unit} per pixel towards the "
            "lens, whose halo fills the frame: its level is that uncertain; use a larger frame"
        )
    zero = abs(sky.level) <= _SIGNIFICANT * sky.error
    halo = abs(sky.level) <= _HALO * abs(sky.gradient)
    if options.sky == "keep" or (options.sky == "auto" and (subtracted or zero or halo)):
        why = "consistent with none, " if zero else "perhaps the lens's halo, " if halo else ""
        notes.steps.append(f"sky of {value} measured, {why}and kept")
        return observation, sky
    notes.steps.append(f"sky of {value} taken off ({sky.num_pixels} blank pixels)")
    return subtract_sky(observation, sky), sky
