r"""Weight maps, understood for what they are.

Four different things are called a weight: an inverse variance, an inverse variance up to a
factor, an exposure time, and sometimes the standard deviation itself. The numbers alone
do not say which, so that it must be said, and the blank sky is asked whether it can be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from astropy.nddata import InverseVariance, StdDevUncertainty, VarianceUncertainty

from astrorim.exceptions import ObservationError
from astrorim.observation.checks import check_shape
from astrorim.observation.instruments import role_of, uncertainty_class
from astrorim.preparation.noise_model import electrons_per_unit

if TYPE_CHECKING:
    from astrorim.observation import LensObservation
    from astrorim.preparation.sky import SkyEstimate

__all__ = ["WEIGHT_TYPES", "noise_from_weight", "weight_type_of"]

WEIGHT_TYPES = ("ivar", "relative", "exposure", "std", "variance")
"""What the numbers of a weight map may be."""

_CONTRADICTION = 3.0
"""Noise this many times above or below the sky's scatter is another quantity."""


def weight_type_of(name: str) -> str:
    """What the name of an extension says about its numbers.

    Parameters
    ----------
    name : str
        EXTNAME.

    Returns
    -------
    str
        One of `WEIGHT_TYPES`.

    Raises
    ------
    ObservationError
        If the name leaves it open, as ``WHT`` does.
    """
    if role_of(name) == "noise":
        kinds = {StdDevUncertainty: "std", VarianceUncertainty: "variance",
                 InverseVariance: "ivar"}  # fmt: skip
        return kinds[uncertainty_class(name)]
    raise ObservationError(
        f"weight_type must be given for the extension {name!r}, because a weight may be an "
        "inverse variance (AstroDrizzle's IVM), an exposure time (its EXP) or an inverse "
        f"variance up to a factor (SExtractor); choose from {', '.join(WEIGHT_TYPES)}"
    )


def noise_from_weight(
    observation: LensObservation, weight: np.ndarray, kind: str, sky: SkyEstimate
) -> tuple[StdDevUncertainty, np.ndarray]:
    r"""Turn a weight map into a noise map.

    ``ivar``: :math:`\sigma = w^{-1/2}`. ``relative``: the same times the factor that gives
    the blank sky its measured scatter, in the median. ``exposure``, t:
    :math:`\sigma^2 = \sigma_\mathrm{sky}^2 \tilde t / t + \max(d, 0) / g(t)`, with the
    median exposure :math:`\tilde t` and g electrons per unit at the exposure t. ``std``
    and ``variance`` are what they say.

    Parameters
    ----------
    observation : LensObservation
        Without its sky.
    weight : ndarray, (H, W)
        The map; where it is not positive, and for the standard deviation and the variance
        not finite, there are no data.
    kind : str
        One of `WEIGHT_TYPES`.
    sky : SkyEstimate
        Of this observation.

    Returns
    -------
    noise : `~astropy.nddata.StdDevUncertainty`
        (H, W), in the data's unit.
    empty : ndarray of bool, (H, W)
        Pixels without data, to be masked.

    Raises
    ------
    ObservationError
        If the kind is unknown, nothing is positive, or the sky scatters more than three
        times more or less than the map has it.
    """
    if kind not in WEIGHT_TYPES:
        raise ObservationError(
            f"weight_type must be one of {', '.join(WEIGHT_TYPES)}, got {kind!r}"
        )
    check_shape("weight", weight.shape, observation.shape)
    weight = np.asarray(weight, dtype=np.float64)
    empty = ~(np.isfinite(weight) & (weight > 0))
    if empty.all():
        raise ObservationError(
            f"weight must be positive somewhere, got none of {weight.size} pixels"
        )
    w = np.where(empty, np.median(weight[~empty]), weight)
    if kind == "std":
        noise = w
    elif kind == "variance":
        noise = np.sqrt(w)
    elif kind == "exposure":
        noise = _from_exposure(observation, w, sky)
    else:
        noise = 1 / np.sqrt(w)
        if kind == "relative":
            noise *= sky.sigma / np.median(noise[~empty])
    typical = float(np.percentile(noise[~empty], 25))
    if not 1 / _CONTRADICTION < sky.sigma / typical < _CONTRADICTION:
        raise ObservationError(
            f"weight_type={kind!r} gives a noise of {typical:.4g} {observation.unit}, but the "
            f"blank sky scatters by {sky.sigma:.4g}, {sky.sigma / typical:.3g} times as much; "
            "is the map another kind of weight? 'relative' takes its scale from the sky"
        )
    return StdDevUncertainty(noise.astype(observation.data.dtype)), empty


def _from_exposure(
    observation: LensObservation, seconds: np.ndarray, sky: SkyEstimate
) -> np.ndarray:
    typical = float(np.median(seconds))
    timed = observation.copy()
    timed.exposure = f"{typical} s"
    gain = electrons_per_unit(timed)
    if observation.unit.is_equivalent("electron") or observation.unit.is_equivalent("adu"):
        raise ObservationError(
            f"weight_type='exposure' needs an image of a rate, got {observation.unit}; divide "
            "it by its exposure time, or pass weight_type='relative'"
        )
    relative = typical / seconds
    data = np.nan_to_num(np.asarray(observation.data, dtype=np.float64))
    return np.sqrt((sky.sigma**2 + np.maximum(data, 0) / gain) * relative)
