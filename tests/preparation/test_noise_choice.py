from __future__ import annotations

import numpy as np
import pytest
from astropy.nddata import StdDevUncertainty

from astrorim.exceptions import ObservationError
from astrorim.preparation import Preparation, prepare


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
