"""North and east lie where the WCS sends them."""

from __future__ import annotations

import astropy.units as u
import numpy as np
import pytest
from astropy.wcs import WCS

from astrorim.observation import north_position_angle, orientation_of


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("rotation", [0, 30, 90, 200])
def test_compass_agrees_with_the_sky(rotation, mirrored, make_wcs):
    wcs = make_wcs(rotation=rotation, mirrored=mirrored)
    orientation = orientation_of(wcs)
    centre = wcs.pixel_to_world(21.5, 19.5)
    for angle, bearing in ((orientation.north, 0), (orientation.east, 90)):
        place = centre.directional_offset_by(bearing * u.deg, 0.05 * u.arcsec)
        x, y = wcs.world_to_pixel(place)
        np.testing.assert_allclose(
            [np.cos(angle), np.sin(angle)], [x - 21.5, y - 19.5], atol=1e-6
        )
    assert orientation.mirrored is mirrored
    assert north_position_angle(wcs) == orientation.north


@pytest.mark.parametrize(
    ("rotation", "mirrored", "text"),
    [
        (0, False, "north up, east left"),
        (0, True, "north up, east right, mirrored"),
        (90, False, "north right, east up"),
        (12.3, False, "north 12.3 deg clockwise of up, east 12.3 deg clockwise of left"),
    ],
)
def test_words(rotation, mirrored, text, make_wcs):
    assert str(orientation_of(make_wcs(rotation=rotation, mirrored=mirrored))) == text


@pytest.mark.parametrize("wcs", [None, WCS(naxis=2)])
def test_without_a_sky_there_is_no_north(wcs):
    assert orientation_of(wcs) is None
    with pytest.raises(ValueError, match="north needs a celestial WCS, got"):
        north_position_angle(wcs)
