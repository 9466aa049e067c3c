r"""Noise maps made from what the header says and the sky shows.

In electrons a CCD's pixel has the variance :math:`\sigma_e^2 = \max(s + b, 0) + n r^2`:
electrons of the source and of the sky, and the read noise r of n exposures (Howell 2006,
Handbook of CCD Astronomy, section 4.4, without the dark current). An image of unit flux
u holds g electrons per u, so that :math:`\sigma_u = \sigma_e / g`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np
from astropy.nddata import StdDevUncertainty

from astrorim.exceptions import ObservationError

if TYPE_CHECKING:
    from astrorim.observation import LensObservation

__all__ = [
    "electrons_per_unit",
    "noise_from_header",
    "noise_from_sky",
    "num_exposures",
    "read_noise",
    "removed_sky",
]

_READ_NOISE = ("RDNOISE", "READNOIS", "READNOISE", "RON")
_AMPLIFIERS = re.compile(r"(READNSE|RDNOISE)[A-D]")
_COMBINED = ("NCOMBINE", "NDRIZIM", "NEXP", "NUMEXP")


def electrons_per_unit(observation: LensObservation) -> float:
    """Electrons that a pixel holds per unit of the image.

    Images in electrons need nothing; rates need the exposure time, counts the gain, and
    surface brightnesses of JWST ``PHOTMJSR`` (MJy/sr per DN/s) besides both.

    Parameters
    ----------
    observation : LensObservation
        With ``exposure`` and ``gain`` as its unit demands.

    Returns
    -------
    float
        Electrons per unit of the data.

    Raises
    ------
    ObservationError
        If the exposure time, the gain or the calibration is unknown.
    """
    unit, factor = observation.unit, 1.0
    if unit.is_equivalent(u.MJy / u.sr):
        calibration = observation.meta.get("PHOTMJSR")
        if not isinstance(calibration, float) or not calibration > 0:
            raise ObservationError(
                f"electrons cannot be found from {unit} without PHOTMJSR, got {calibration!r}; "
                "pass a noise map with uncertainty="
            )
        factor = unit.to(u.MJy / u.sr) / calibration
        unit = u.adu / u.s
    unit = _counts_as_adu(unit)
    for counts, rate in (
        (u.electron, False), (u.electron / u.s, True), (u.adu, False), (u.adu / u.s, True)
    ):  # fmt: skip
        if not unit.is_equivalent(counts):
            continue
        factor *= unit.to(counts)
        if rate:
            if observation.exposure is None:
                raise ObservationError(
                    f"the photon noise of an image in {observation.unit} needs its exposure "
                    "time, which the header lacks; pass exposure=, for example "
                    "exposure='2200 s'"
                )
            factor *= observation.exposure.to_value(u.s)
        if counts in (u.adu, u.adu / u.s):
            if observation.gain is None:
                raise ObservationError(
                    f"the photon noise of an image in {observation.unit} needs the gain, which "
                    "the header lacks; pass gain=, for example gain='1.5 electron/adu'"
                )
            factor *= observation.gain.to_value(u.electron / u.adu)
        return float(factor)
    raise ObservationError(
        f"electrons cannot be found from the unit {observation.unit}; pass a noise map with "
        "uncertainty="
    )


def _counts_as_adu(unit: u.UnitBase) -> u.UnitBase:
    """The unit with counts and data numbers, which differ in name only, as adu."""
    result: u.UnitBase = u.Unit(unit.scale if hasattr(unit, "scale") else 1)
    for base, power in zip(unit.bases, unit.powers, strict=True):
        result = result * (u.adu if base in (u.ct, u.DN) else base) ** power
    return result


def _first_number(observation: LensObservation, keywords: tuple[str, ...]) -> float | None:
    for keyword in keywords:
        value = observation.meta.get(keyword)
        if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
            return float(value)
    return None


def read_noise(observation: LensObservation) -> float | None:
    """Read noise of one exposure, from the header.

    Parameters
    ----------
    observation : LensObservation
        Its ``meta`` is searched; where each amplifier has its own, the root of their mean
        square is taken.

    Returns
    -------
    float or None
        Electrons; None where the header says nothing.
    """
    amplifiers = [
        float(value)
        for key, value in dict(observation.meta).items()
        if _AMPLIFIERS.fullmatch(str(key)) and isinstance(value, int | float) and value > 0
    ]
    if amplifiers:
        return float(np.sqrt(np.mean(np.square(amplifiers))))
    return _first_number(observation, _READ_NOISE)


def num_exposures(observation: LensObservation) -> int:
    """Exposures that were combined, from the header; one where it does not say.

    Parameters
    ----------
    observation : LensObservation
        Its ``meta`` is searched.

    Returns
    -------
    int
    """
    return round(_first_number(observation, _COMBINED) or 1)


def removed_sky(observation: LensObservation) -> float | None:
    """Sky that was taken off, electrons per pixel, from the header of a drizzled image.

    Parameters
    ----------
    observation : LensObservation
        Its ``meta`` is searched for ``MDRIZSKY``.

    Returns
    -------
    float or None
    """
    return _first_number(observation, ("MDRIZSKY",))


def noise_from_header(
    observation: LensObservation, *, sky_electrons: float, read_noise: float, exposures: int = 1
) -> StdDevUncertainty:
    r"""Noise from gain, exposure, read noise and sky alone.

    :math:`\sigma = \sqrt{\max(d g, 0) + b + n r^2} / g`, g as `electrons_per_unit` has it.
    Drizzled pixels scatter less, because their noise is correlated; the map is that of
    independent pixels.

    Parameters
    ----------
    observation : LensObservation
        Without its sky.
    sky_electrons : float
        Sky that was taken off, b, electrons per pixel.
    read_noise : float
        Of one exposure, r, electrons.
    exposures : int, optional
        How many were combined, n.

    Returns
    -------
    `~astropy.nddata.StdDevUncertainty`
        (H, W), in the data's unit.

    Raises
    ------
    ObservationError
        If gain or exposure are unknown.
    ValueError
        If a number is negative, or all are zero.
    """
    for name, value in (("sky_electrons", sky_electrons), ("read_noise", read_noise)):
        if not value >= 0:
            raise ValueError(f"{name} must not be negative, got {value}")
    floor = sky_electrons + exposures * read_noise**2
    if not floor > 0:
        raise ValueError(
            f"sky and read noise must not both be zero, got {sky_electrons} and {read_noise}"
        )
    gain = electrons_per_unit(observation)
    data = np.nan_to_num(np.asarray(observation.data, dtype=np.float64))
    variance = np.maximum(data * gain, 0.0) + floor
    return _uncertainty(np.sqrt(variance) / gain, observation)


def noise_from_sky(
    observation: LensObservation, sigma: float, *, level: float = 0.0, photons: bool = True
) -> StdDevUncertainty:
    r"""Noise from the scatter of the sky and the photons of the source.

    :math:`\sigma^2 = \sigma_\mathrm{sky}^2 + \max(d - b, 0) / g`, as
    `photutils.utils.calc_total_error` has it.

    Parameters
    ----------
    observation : LensObservation
        With or without its sky.
    sigma : float, flux
        Scatter of the blank sky, the photons of its level among its causes.
    level : float, flux
        The sky's level b, where it was not taken off.
    photons : bool, optional
        Whether the source's own photons are added; needs gain and exposure.

    Returns
    -------
    `~astropy.nddata.StdDevUncertainty`
        (H, W), in the data's unit.

    Raises
    ------
    ObservationError
        If ``photons`` and gain or exposure are unknown.
    """
    from photutils.utils import calc_total_error

    data = np.nan_to_num(np.asarray(observation.data, dtype=np.float64))
    total = np.full(data.shape, float(sigma))
    if photons:
        total = calc_total_error(
            np.maximum(data - level, 0.0), total, electrons_per_unit(observation)
        )
    return _uncertainty(total, observation)


def _uncertainty(noise: np.ndarray, observation: LensObservation) -> StdDevUncertainty:
    return StdDevUncertainty(noise.astype(observation.data.dtype))
