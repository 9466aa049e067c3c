from __future__ import annotations

import astropy.units as u
import numpy as np
import pytest

from astrorim.results.lens_samples import (
    band_of_samples,
    plain_parameters,
    resolve_lens_model,
    spread_samples,
)


def test_mass_sheet_transforms_the_model():
    plain, same = resolve_lens_model("sis"), resolve_lens_model("sis", 1.0)
    assert type(plain) is type(same)
    assert type(resolve_lens_model("sis", 0.9)) is not type(plain)


def test_units_are_converted_and_others_left_out():
    found = plain_parameters(
        resolve_lens_model("sis"),
        {"theta_E": 1200 * u.mas, "x0": 0.1, "y0": 0 * u.arcsec, "slope": 2.0},
    )
    assert found == {"theta_E": pytest.approx(1.2), "x0": 0.1, "y0": 0.0}
    with pytest.raises(ValueError, match="'sis' must include theta_E, y0, got x0"):
        plain_parameters(resolve_lens_model("sis"), {"x0": 0.0})


def test_parameters_without_samples_are_held():
    spread = spread_samples({"a": 1.0, "b": 2.0}, {"b": np.array([1.0, 2.0, 3.0])})
    np.testing.assert_array_equal(spread["a"], [1, 1, 1])
    assert spread_samples({"a": 1.0}, {})["a"].shape == (1,)


def test_band_holds_sixty_eight_per_cent():
    def function(model, params, radius):
        return params["a"][:, None] * radius

    radius = np.array([1.0, 2.0])
    samples = {"a": np.linspace(0, 1, 101)}
    value, lower, upper = band_of_samples(function, None, {"a": 0.4}, samples, radius)
    np.testing.assert_allclose(value, [0.4, 0.8])
    np.testing.assert_allclose(lower, [0.16, 0.32])
    np.testing.assert_allclose(upper, [0.84, 1.68])
    _, lower, _ = band_of_samples(function, None, {"a": 0.4}, {}, radius)
    assert np.isnan(lower).all()
