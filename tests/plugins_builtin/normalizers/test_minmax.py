from __future__ import annotations

import numpy as np

from astrorim_plugins.normalizers.minmax import MinMaxNormalizer


def test_range_becomes_zero_to_one():
    data = np.array([[2.0, 4.0], [10.0, 6.0]])
    np.testing.assert_array_equal(
        MinMaxNormalizer().fit(data).apply(data), [[0.0, 0.25], [1.0, 0.5]]
    )
