from __future__ import annotations

import numpy as np
import pytest

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


def test_zero_sky_is_not_taken_off(make_lens):
    prepared = prepare(make_lens(sky=0.0))
    assert "SKYLEVEL" not in prepared.observation.meta
    assert any("consistent with none, and kept" in step for step in prepared.steps)


def test_saturated_core_is_said(make_lens):
    lens = make_lens()
    lens.data = np.minimum(lens.data, 0.4)
    assert any("core is saturated" in advice for advice in prepare(lens).advice)


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
