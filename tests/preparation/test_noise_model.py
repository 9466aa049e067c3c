from __future__ import annotations

import astropy.units as u
import numpy as np
import pytest
from astropy.nddata import StdDevUncertainty

from astrorim.exceptions import ObservationError
from astrorim.observation import LensObservation
from astrorim.preparation.noise_model import (
    electrons_per_unit,
    noise_from_header,
    noise_from_sky,
    num_exposures,
    read_noise,
)


@pytest.mark.parametrize(
    "unit, options, expected",
    [
        ("electron", {}, 1.0),
        ("electron/s", {"exposure": "500 s"}, 500.0),
        ("electron/min", {"exposure": "500 s"}, 500 / 60),
        ("adu", {"gain": "1.5 electron/adu"}, 1.5),
        ("DN/s", {"gain": "2 electron/adu", "exposure": "100 s"}, 200.0),
        ("ct", {"gain": "2 electron/adu"}, 2.0),
        (
            "MJy/sr",
            {"gain": "1.8 electron/adu", "exposure": "1000 s", "meta": {"PHOTMJSR": 0.4}},
            4500.0,
        ),
    ],
)
def test_electrons_per_unit(unit, options, expected):
    observation = LensObservation(np.eye(9), unit=unit, pixel_scale="0.05 arcsec", **options)
    np.testing.assert_allclose(electrons_per_unit(observation), expected)


@pytest.mark.parametrize(
    "unit, message",
    [
        ("electron/s", "pass exposure="),
        ("adu", "pass gain="),
        ("nJy", "cannot be found from the unit nJy"),
        ("MJy/sr", "without PHOTMJSR, got None"),
    ],
)
def test_what_is_missing_is_said(unit, message):
    observation = LensObservation(np.eye(9), unit=unit, pixel_scale="0.05 arcsec")
    with pytest.raises(ObservationError, match=message):
        electrons_per_unit(observation)


def test_maps_are_the_scatter_of_simulated_frames(rng):
    """Counts of a Poisson source and sky with read noise, many times over."""
    truth = np.linspace(50, 4000, 81).reshape(9, 9)  # electrons of the source
    frames = rng.poisson(truth + 300, (4000, 9, 9)) + rng.normal(0, 8, (4000, 9, 9)) - 300
    rates = frames / 500
    observation = LensObservation(
        truth / 500, unit="electron/s", pixel_scale="0.05 arcsec", exposure=500 * u.s
    )
    noise = noise_from_header(observation, sky_electrons=300, read_noise=8.0)
    # standard deviations of 4000 numbers scatter by 1.1 %
    np.testing.assert_allclose(noise.array, rates.std(axis=0), rtol=0.05)
    sky = np.sqrt(300 + 64) / 500
    measured = noise_from_sky(observation, sky)
    np.testing.assert_allclose(measured.array, noise.array, rtol=1e-12)
    assert isinstance(measured, StdDevUncertainty)


def test_header_keywords_of_hubble():
    meta = {"READNSEA": 4.0, "READNSEB": 5.0, "NCOMBINE": 4}
    observation = LensObservation(
        np.eye(9), unit="electron", pixel_scale="0.05 arcsec", meta=meta
    )
    np.testing.assert_allclose(read_noise(observation), np.sqrt(20.5))
    assert num_exposures(observation) == 4


def test_noise_of_nothing_is_refused():
    observation = LensObservation(np.eye(9), unit="electron", pixel_scale="0.05 arcsec")
    with pytest.raises(ValueError, match="must not both be zero"):
        noise_from_header(observation, sky_electrons=0, read_noise=0)
    with pytest.raises(ValueError, match="must not be negative, got -1"):
        noise_from_header(observation, sky_electrons=-1, read_noise=0)
