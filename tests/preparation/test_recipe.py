from __future__ import annotations

import re

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.nddata import StdDevUncertainty

from astrorim.exceptions import ObservationError
from astrorim.preparation import Preparation, prepare

SKY, SIGMA = 0.05, 0.01


def test_sky_noise_and_cutout_of_a_plain_image(make_lens):
    lens = make_lens((141, 141), (75.2, 66.7), exposure="500 s")
    before = lens.data.copy()
    prepared = prepare(lens, Preparation(size=61))
    result = prepared.observation
    assert result.shape == (61, 61)
    assert np.unravel_index(result.data.argmax(), result.shape) in [
        (row, column) for row in (29, 30, 31) for column in (29, 30, 31)
    ]
    np.testing.assert_array_equal(lens.data, before)
    assert abs(prepared.sky.level - SKY) < 4 * prepared.sky.error
    assert prepared.noise == "sky+photons"
    expected = np.sqrt(prepared.sky.sigma**2 + np.maximum(result.data, 0) / 500)
    np.testing.assert_allclose(result.noise, expected, rtol=1e-6)
    assert result.meta["NOISEMAP"] == "sky+photons"
    assert result.psf is not None


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


def test_photons_of_a_sky_that_was_kept_are_not_counted_twice(make_lens):
    lens = make_lens(exposure="500 s")
    kept = prepare(lens, Preparation(sky="keep")).observation
    off = prepare(lens, Preparation(sky="subtract")).observation
    np.testing.assert_allclose(kept.noise, off.noise, rtol=1e-6)


def test_file_noise_is_kept_and_compared(make_lens):
    noise = StdDevUncertainty(np.full((101, 101), 0.1))
    prepared = prepare(make_lens(uncertainty=noise))
    assert prepared.noise == "file"
    assert any("differ by a factor of 0.1" in advice for advice in prepared.advice)


def test_zero_sky_is_not_taken_off(make_lens):
    prepared = prepare(make_lens(sky=0.0))
    assert "SKYLEVEL" not in prepared.observation.meta
    assert any("consistent with none, and kept" in step for step in prepared.steps)


def test_noise_without_exposure_says_what_it_lacks(make_lens):
    prepared = prepare(make_lens())
    assert prepared.noise == "sky"
    assert any("pass exposure=" in advice for advice in prepared.advice)


def test_header_noise(make_lens):
    options = Preparation(noise_source="header", read_noise=5.0, sky="subtract")
    lens = make_lens(exposure="500 s", meta={"NCOMBINE": 2})
    prepared = prepare(lens, options)
    sky = prepared.sky.level * 500
    floor = np.sqrt(sky + 2 * 25.0) / 500
    np.testing.assert_allclose(prepared.observation.noise.min(), floor, rtol=1e-6)
    with pytest.raises(ObservationError, match="lacks the read noise; pass read_noise="):
        prepare(lens, Preparation(noise_source="header"))


def test_weight_map_masks_where_there_are_no_data(make_lens):
    lens = make_lens()
    weight = np.full(lens.shape, 1e4)
    weight[:3] = 0
    result = prepare(lens, Preparation(weight=weight, weight_type="ivar")).observation
    assert result.mask[:3].all()
    assert not result.mask[3:].any()
    with pytest.raises(ObservationError, match="weight_type must be given"):
        prepare(lens, Preparation(weight=weight))


def test_saturated_core_is_said(make_lens):
    lens = make_lens()
    lens.data = np.minimum(lens.data, 0.4)
    assert any("core is saturated" in advice for advice in prepare(lens).advice)


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


def test_resampling_keeps_the_flux(make_lens):
    kept = prepare(make_lens((120, 120), (60, 60))).observation
    coarse = prepare(make_lens((120, 120), (60, 60)), Preparation(pixel_scale="0.1 arcsec"))
    assert coarse.observation.shape == (60, 60)
    np.testing.assert_allclose(coarse.observation.data.sum(), kept.data.sum(), rtol=0.2)
    assert any("correlates neighbours by 0.000 more" in step for step in coarse.steps)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"size": 300}, "reaches beyond the image of 101 x 101 pixels; the largest that fits"),
        ({"size": 3}, "size must be at least 5 pixels, got 3"),
        ({"centre": (300, 4)}, "centre must lie in the image"),
    ],
)
def test_impossible_wishes_are_refused(make_lens, options, message):
    with pytest.raises(ObservationError, match=message):
        prepare(make_lens(), Preparation(**options))


def test_unknown_choices_are_refused(make_lens):
    with pytest.raises(ObservationError, match="noise_source must be one of auto, file"):
        Preparation(noise_source="guess")
    with pytest.raises(ObservationError, match="sky must be one of auto, subtract"):
        Preparation(sky="maybe")
    with pytest.raises(ObservationError, match="got 'middle'"):
        Preparation(centre="middle")
    bare = make_lens(wcs=None, pixel_scale="0.05 arcsec")
    with pytest.raises(ObservationError, match="needs a WCS"):
        prepare(bare, Preparation(centre=SkyCoord(150, 2, unit="deg")))
