"""The smooth light around a lens is found though arcs and neighbours lie on it."""

from __future__ import annotations

import numpy as np
import pytest

from astrorim.exceptions import ObservationError
from astrorim.observation.smooth_light import fit_smooth_light, robust_scatter

SIDE = 120


@pytest.fixture
def halo():
    """An elliptical exponential on a pedestal, 200 sigma at the centre."""
    y, x = np.indices((SIDE, SIDE)) - (SIDE - 1) / 2
    return 3 + 200 * np.exp(-np.sqrt(x**2 + (y / 0.8) ** 2) / 15)


def outside(radius):
    y, x = np.indices((SIDE, SIDE)) - (SIDE - 1) / 2
    return np.hypot(x, y) > radius


def test_an_elliptical_halo_is_reproduced(halo):
    """Outside two scale lengths the multipoles reach a quarter of a percent of the peak."""
    model = fit_smooth_light(halo, np.ones(halo.shape, dtype=bool))
    np.testing.assert_allclose(model[outside(30)], halo[outside(30)], atol=0.5)


def test_noise_and_objects_do_not_move_it(halo, rng):
    image = halo + rng.normal(size=halo.shape)
    image[20:32, 80:92] += 40
    used = np.ones(halo.shape, dtype=bool)
    used[60:70, 5:15] = False
    image[60:70, 5:15] = np.nan
    model = fit_smooth_light(image, used)
    # 75 coefficients share the noise of 14 400 pixels; in the object's ring, of fewer
    assert np.std((model - halo)[outside(30)]) < 0.3
    assert np.isfinite(model).all()


def test_it_scales_with_the_image(halo):
    used = np.ones(halo.shape, dtype=bool)
    np.testing.assert_allclose(
        fit_smooth_light(1e-4 * halo, used), 1e-4 * fit_smooth_light(halo, used), rtol=1e-6
    )


def test_too_few_pixels_are_refused(halo):
    used = np.zeros(halo.shape, dtype=bool)
    used[:10, :10] = True
    with pytest.raises(ObservationError, match=r"100 usable pixels; \d+ are needed"):
        fit_smooth_light(halo, used)


def test_robust_scatter_ignores_outliers(rng):
    values = rng.normal(5, 0.2, 20_000)
    values[:200] = 1e8
    values[200] = np.nan
    np.testing.assert_allclose(robust_scatter(values), 0.2, rtol=0.02)
    assert np.isnan(robust_scatter(np.array([np.nan])))
