from __future__ import annotations

import re

import numpy as np
import pytest

from astrorim.exceptions import ObservationError
from astrorim.preparation import Preparation, prepare


def test_cutout_keeps_pixels_and_their_places_on_the_sky(make_lens):
    lens = make_lens((141, 141), (75.2, 66.7))
    cut = prepare(lens, Preparation(size="3 arcsec", sky="keep")).observation
    assert cut.shape == (60, 60)
    place = cut.wcs.pixel_to_world(30, 31)
    x, y = (round(float(c)) for c in lens.wcs.world_to_pixel(place))
    assert cut.data[31, 30] == lens.data[y, x]


def test_size_is_kept_by_default_and_an_offset_is_said(make_lens):
    prepared = prepare(make_lens((101, 101), (60.0, 42.0)))
    assert prepared.observation.shape == (101, 101)
    assert any("pass size=" in advice for advice in prepared.advice)


@pytest.mark.parametrize("choice", ["auto", (75.2, 66.7), "sky"])
def test_lens_is_where_it_was_put(make_lens, choice):
    lens = make_lens((141, 141), (75.2, 66.7))
    centre = lens.wcs.pixel_to_world(75.2, 66.7) if choice == "sky" else choice
    (step, *_) = prepare(lens, Preparation(centre=centre)).steps
    column, row = (float(text) for text in re.findall(r"(?:column|row) ([\d.]+)", step))
    np.testing.assert_allclose((column, row), (75.2, 66.7), atol=0.1)


def test_small_frame_is_said(make_lens):
    lens = make_lens((31, 31), (15, 15))
    options = Preparation(noise_source="header", read_noise=3.0, sky_electrons=10.0)
    with pytest.raises(ObservationError, match="needs its exposure time"):
        prepare(lens, options)
    lens.exposure = "500 s"
    prepared = prepare(lens, options)
    assert prepared.sky is None
    assert any("less than most Einstein radii" in advice for advice in prepared.advice)
    assert any("the sky stays as it is" in advice for advice in prepared.advice)
