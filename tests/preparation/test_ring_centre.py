from __future__ import annotations

import numpy as np
import pytest

from astrorim.preparation.ring_centre import centre_of_symmetry, find_ring


def annulus(shape, centre, radius, width=2.0):
    y, x = np.indices(shape)
    distance = np.hypot(x - centre[0], y - centre[1])
    return np.exp(-((distance - radius) ** 2) / (2 * width**2))


@pytest.mark.parametrize("centre", [(40, 40), (35.5, 44), (33, 42.5), (46.5, 37.5)])
def test_centre_is_found_to_half_a_pixel(centre):
    image = 20 * annulus((81, 81), centre, 12.0)
    found, score = centre_of_symmetry(image, np.ones((81, 81), bool), (40, 40), 20)
    assert found == centre
    assert score.shape == (81, 81)


def test_score_is_the_sum_of_opposite_light(rng):
    image = np.where(rng.uniform(size=(9, 8)) < 0.3, 5.0, 0.0)
    _, score = centre_of_symmetry(image, np.ones((9, 8), bool), (3.5, 4), 40)
    for row, column in ((4, 3), (2, 5), (8, 0)):
        expected = 0.0
        for y, x in np.argwhere(image > 0):
            opposite = (2 * row - y, 2 * column - x)
            if 0 <= opposite[0] < 9 and 0 <= opposite[1] < 8:
                expected += image[y, x] * image[opposite]
        np.testing.assert_allclose(score[row, column], expected, atol=1e-9)


def test_centre_stays_where_it_may_be():
    image = 20 * annulus((81, 81), (30, 40), 12.0)
    allowed = np.zeros((81, 81), bool)
    allowed[35:46, 38:60] = True
    (column, _), _ = centre_of_symmetry(image, allowed, (40, 40), 20)
    assert column >= 38


def test_ring_is_described():
    image = annulus((81, 81), (40, 40), 12.0)
    ring = find_ring(image, 0.01, (40.0, 40.0), 40)
    np.testing.assert_allclose(ring.radius, 12, atol=0.5)
    assert ring.coverage == 1
    assert ring.depth < 0.01
    y, x = np.indices((81, 81))
    half = find_ring(image * (x > 40), 0.01, (40.0, 40.0), 40)
    np.testing.assert_allclose(half.coverage, 0.5, atol=0.05)
    filled = find_ring(
        image + np.exp(-(np.hypot(x - 40, y - 40) ** 2) / 8), 0.01, (40.0, 40.0), 40
    )
    assert filled.depth > 0.1


def test_light_in_the_middle_is_no_ring():
    y, x = np.indices((81, 81)) - 40
    ring = find_ring(np.exp(-(x**2 + y**2) / 50), 0.01, (40.0, 40.0), 40)
    assert (ring.radius, ring.depth) == (0, 1)
