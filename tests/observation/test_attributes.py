"""The attributes are known in one place, and refuse what cannot be."""

from __future__ import annotations

import inspect

import astropy.units as u
import numpy as np
import pytest

from astrorim.exceptions import ObservationError
from astrorim.observation import LensObservation


def test_every_attribute_is_an_argument(make_observation):
    arguments = inspect.signature(LensObservation.__init__).parameters
    attributes = make_observation().attributes()
    assert set(attributes) <= set(arguments)
    assert all(hasattr(make_observation(), name) for name in attributes)


def test_attributes_make_an_equal_observation(make_observation):
    observation = make_observation(sky=False)
    again = LensObservation(observation.data, unit="adu", **observation.attributes())
    assert str(again.attributes()) == str(observation.attributes())


def test_pixel_scale_can_be_given_later(make_observation):
    observation = LensObservation(np.eye(5), unit="adu")
    observation.pixel_scale = "0.1 arcsec"
    assert observation.pixel_scale == 0.1 * u.arcsec / u.pix
    with pytest.raises(ObservationError, match="must carry a unit"):
        observation.pixel_scale = 0.2
    assert observation.grid.pixel_scale == 0.1


def test_pixel_scale_follows_the_wcs(make_observation, make_wcs):
    observation = make_observation(sky=False)
    observation.wcs = make_wcs(scale=0.0501)
    np.testing.assert_allclose(observation.grid.pixel_scale, 0.0501, rtol=1e-9)
    observation.wcs = make_wcs(scale=0.06)
    with pytest.raises(ObservationError, match="must agree with the WCS"):
        _ = observation.pixel_scale


def test_arguments_take_precedence_over_another_observation(make_observation):
    other = LensObservation(make_observation(), band="F555W", z_source=2.0)
    assert (other.band, other.z_source, other.z_lens) == ("F555W", 2.0, 0.2)


def test_numbers_with_units_are_stored_in_the_declared_ones(make_observation):
    observation = make_observation()
    observation.exposure = 1 * u.hour
    observation.gain = "2 electron/DN" if u.DN.is_equivalent(u.adu) else "2 electron/adu"
    assert observation.exposure.unit == u.s
    assert observation.gain == 2 * u.electron / u.adu
    observation.gain = None
    assert observation.gain is None
