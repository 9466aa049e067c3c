"""Which noise map an image gets: the file's, a weight map's, or one that is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from astrorim.exceptions import ObservationError
from astrorim.observation.separate_files import load_weight
from astrorim.preparation.noise_model import (
    electrons_per_unit,
    noise_from_header,
    noise_from_sky,
    num_exposures,
    read_noise,
    removed_sky,
)
from astrorim.preparation.weights import noise_from_weight, weight_type_of

if TYPE_CHECKING:
    from astrorim.observation import LensObservation
    from astrorim.preparation.choices import Preparation
    from astrorim.preparation.records import Notes
    from astrorim.preparation.sky import SkyEstimate

__all__ = ["with_noise"]

_FINE_PIXELS = 0.6
"""Correlation of neighbours above which pixels are finer than the detector's."""

_WRONG_SCALE = 3.0


def with_noise(
    observation: LensObservation,
    sky: SkyEstimate | None,
    options: Preparation,
    notes: Notes,
) -> tuple[LensObservation, str]:
    """Give an image the noise map that the options ask for, and compare it with its sky.

    Parameters
    ----------
    observation : LensObservation
        Unchanged itself.
    sky : SkyEstimate or None
        The blank sky; None where it could not be measured.
    options : Preparation
        With ``noise_source``, ``weight`` and what they need.
    notes : Notes
        Told what was done.

    Returns
    -------
    observation : LensObservation
        With a noise map.
    words : str
        Where it comes from.

    Raises
    ------
    ObservationError
        If the map cannot be made; the message says what it lacks.
    """
    if options.weight is not None:
        noise, words, empty = _weighted(observation, sky, options)
    else:
        noise, words = _noise_map(observation, sky, options, notes)
        empty = None
    result = observation.copy()
    result.uncertainty = noise
    if empty is not None and empty.any():
        old = np.zeros(result.shape, bool) if result.mask is None else np.asarray(result.mask)
        result.mask = old | empty
    notes.steps.append(f"noise map: {words}")
    if sky is not None:
        _compare_with_sky(result, sky, words, notes)
    return result, words


def _weighted(
    observation: LensObservation, sky: SkyEstimate | None, options: Preparation
) -> tuple[Any, str, np.ndarray]:
    weight, name = load_weight(options.weight, band=observation.band)
    kind = options.weight_type or weight_type_of(name)
    if sky is None:
        raise ObservationError(
            "a weight map needs blank sky to be checked against, and there is none; use a "
            "larger frame, or pass a noise map with uncertainty="
        )
    noise, empty = noise_from_weight(observation, weight, kind, sky)
    return noise, f"weight map ({kind})", empty


def _noise_map(
    observation: LensObservation,
    sky: SkyEstimate | None,
    options: Preparation,
    notes: Notes,
) -> tuple[Any, str]:
    source = options.noise_source
    if source == "file" and not observation.has_noise:
        raise ObservationError(
            "noise_source='file', but there is no noise map in it; pass one with uncertainty="
        )
    if observation.has_noise and source in ("auto", "file"):
        return observation.uncertainty, "file"
    kept = sky is not None and "SKYLEVEL" not in observation.meta
    level = sky.level if sky is not None and kept else 0.0
    attempts = {
        "sky+photons": lambda: noise_from_sky(observation, _sigma(sky), level=level),
        "header": lambda: _from_header(observation, options),
        "sky": lambda: noise_from_sky(observation, _sigma(sky), photons=False),
    }
    if source != "auto":
        return attempts[source](), source
    reasons = []
    for name, attempt in attempts.items():
        try:
            noise = attempt()
        except ObservationError as error:
            reasons.append(str(error))
        else:
            if name == "sky":
                notes.advice.append(
                    f"the noise map lacks the lens's own photons, because {reasons[0]}"
                )
            return noise, name
    raise ObservationError(f"no noise map can be made: {'; '.join(reasons)}")


def _sigma(sky: SkyEstimate | None) -> float:
    if sky is None:
        raise ObservationError(
            "the sky's scatter could not be measured; use a larger frame, or pass a noise map "
            "with uncertainty="
        )
    return sky.sigma


def _from_header(observation: LensObservation, options: Preparation) -> Any:
    noise = options.read_noise if options.read_noise is not None else read_noise(observation)
    electrons = options.sky_electrons
    if electrons is None:
        electrons = removed_sky(observation)
    if electrons is None and "SKYLEVEL" in observation.meta:
        electrons = max(observation.meta["SKYLEVEL"] * electrons_per_unit(observation), 0.0)
    if noise is None or electrons is None:
        what = "read noise" if noise is None else "sky level"
        option = "read_noise=" if noise is None else "sky_electrons="
        raise ObservationError(f"the header lacks the {what}; pass {option}")
    return noise_from_header(
        observation,
        sky_electrons=electrons,
        read_noise=noise,
        exposures=num_exposures(observation),
    )


def _compare_with_sky(
    observation: LensObservation, sky: SkyEstimate, words: str, notes: Notes
) -> None:
    usable = observation.noise[observation.good]
    ratio = sky.sigma / float(np.percentile(usable, 25))
    notes.steps.append(
        f"the blank sky scatters by {ratio:.2f} times the noise map, neighbours correlate by "
        f"{sky.correlation:.2f}"
    )
    if sky.correlation > _FINE_PIXELS and ratio < 1:
        notes.steps.append(
            "pixels are finer than the detector's, and scatter less than the noise map has it"
        )
    elif not 1 / _WRONG_SCALE < ratio < _WRONG_SCALE:
        notes.advice.append(
            f"the noise map ({words}) and the blank sky differ by a factor of {ratio:.3g}: "
            "is it floored, in another unit, or another kind of map (uncertainty_type=)?"
        )
