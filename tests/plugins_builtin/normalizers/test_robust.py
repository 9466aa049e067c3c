from __future__ import annotations

import numpy as np
import pytest

from astrorim_plugins.normalizers.robust import RobustNormalizer


def test_scale_of_gaussian_noise_is_its_standard_deviation(rng):
    scaling = RobustNormalizer().fit(rng.normal(5.0, 2.0, (400, 400)))
    # 160 000 pixels: the MAD's own relative error is 0.3 %, the median's 0.006
    assert scaling.scale == pytest.approx(2.0, rel=0.01)
    assert scaling.offset == pytest.approx(5.0, abs=0.03)


def test_bright_tenth_of_the_frame_hardly_moves_it(rng):
    data = rng.normal(0.0, 1.0, (100, 100))
    data[:10] += 1e6
    scaling = RobustNormalizer().fit(data)
    # contamination of a tenth shifts the quartiles by at most 0.2 of sigma
    assert scaling.scale == pytest.approx(1.0, rel=0.2)


def test_mostly_empty_frame_is_refused_with_a_remedy():
    data = np.zeros((10, 10))
    data[0, :3] = 1.0, 2.0, 3.0
    with pytest.raises(ValueError, match=r"more than half of the 100 pixels are 0; mask"):
        RobustNormalizer().fit(data)
