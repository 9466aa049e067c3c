from __future__ import annotations

import numpy as np
import pytest

from astrorim_plugins.normalizers.percentile import PercentileNormalizer


def test_percentiles_become_zero_and_one_and_the_rest_stays_outside():
    data = np.arange(101.0).reshape(1, 101)
    scaled = PercentileNormalizer(lower=10, upper=90).fit(data).apply(data)
    assert scaled[0, 10] == 0.0
    assert scaled[0, 90] == 1.0
    assert scaled.min() == pytest.approx(-0.125, rel=1e-14)
    assert scaled.max() == pytest.approx(1.125, rel=1e-14)


@pytest.mark.parametrize("lower, upper", [(-1, 99), (1, 101), (60, 40), (50, 50)])
def test_percentiles_out_of_order_are_refused(lower, upper):
    with pytest.raises(ValueError, match=rf"got lower={lower}, upper={upper}"):
        PercentileNormalizer(lower=lower, upper=upper)


def test_equal_percentiles_are_refused_with_a_remedy():
    data = np.zeros((10, 100))
    data[0, 0] = 5.0
    with pytest.raises(ValueError, match=r"percentiles 1 and 99 must differ, got 0 for both"):
        PercentileNormalizer().fit(data)
