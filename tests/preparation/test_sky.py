from __future__ import annotations

import numpy as np
import pytest

from astrorim.exceptions import ObservationError
from astrorim.preparation import estimate_sky, subtract_sky


def test_sky_is_the_true_level_within_its_error(make_lens):
    sky = estimate_sky(make_lens(sky=0.05))
    assert abs(sky.level - 0.05) < 4 * sky.error
    assert sky.error < 0.002
    np.testing.assert_allclose(sky.sigma, 0.01, rtol=0.05)


def test_sky_is_taken_off_and_recorded(make_lens):
    lens = make_lens()
    sky = estimate_sky(lens)
    result = subtract_sky(lens, sky)
    np.testing.assert_allclose(result.data, lens.data - sky.level)
    assert result.meta["SKYLEVEL"] == sky.level
    with pytest.raises(ObservationError, match="was taken off this observation before"):
        subtract_sky(result, sky)


def test_halo_in_the_sky_is_part_of_the_error(make_lens):
    lens = make_lens()
    y, x = np.indices(lens.shape) - 50.0
    lens.data = lens.data + 0.05 * np.exp(-np.hypot(x, y) / 40)
    sky = estimate_sky(lens)
    assert sky.gradient > 5e-3
    assert sky.error >= sky.gradient
