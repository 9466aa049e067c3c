"""The nine reported parameters and their bounds."""

from __future__ import annotations

import math

import astropy.units as u
import numpy as np
import pytest

from astrorim.results.parameter_table import (
    REPORTED_PARAMETERS,
    bounds_from_samples,
    build_parameter_table,
    reported_values,
)

NINE = ("b", "q", "phi", "x0", "y0", "gamma", "gamma_phi", "kappa_s", "rs")


def test_the_nine_in_order():
    assert REPORTED_PARAMETERS.names == NINE


@pytest.mark.parametrize("phi", [0.0, 0.4, 1.7, 3.1])
def test_axis_ratio_and_angle_agree_with_lenstronomy(phi):
    from lenstronomy.Util.param_util import phi_q2_ellipticity, shear_polar2cartesian

    e1, e2 = phi_q2_ellipticity(phi, 0.7)
    gamma1, gamma2 = shear_polar2cartesian(phi, 0.05)
    values = reported_values({"e1": e1, "e2": e2, "gamma1": gamma1, "gamma2": gamma2})
    np.testing.assert_allclose(
        [values["q"], values["phi"], values["gamma"], values["gamma_phi"]],
        [0.7, phi, 0.05, phi],
        atol=1e-12,
    )


def test_rounding_never_returns_pi_itself():
    phi = reported_values({"e1": 0.1, "e2": -1e-30})["phi"]
    assert 0 <= phi < math.pi


def test_bounds_are_the_central_68_per_cent(rng):
    lower, upper = bounds_from_samples(1.0, 1 + 0.1 * rng.normal(size=200_000))
    np.testing.assert_allclose([lower, upper], [0.9006, 1.0994], atol=2e-3)


def test_bounds_of_angles_are_unwrapped_around_the_value(rng):
    """Samples on both sides of the seam give a narrow interval, not a half turn."""
    samples = np.mod(0.01 + 0.05 * rng.normal(size=100_000), math.pi)
    lower, upper = bounds_from_samples(0.01, samples, period=math.pi)
    np.testing.assert_allclose([lower, upper], [0.01 - 0.0497, 0.01 + 0.0497], atol=1e-3)
    shifted = bounds_from_samples(0.01 + math.pi, samples, period=math.pi)
    np.testing.assert_allclose(shifted, [lower + math.pi, upper + math.pi], atol=1e-12)


def test_samples_that_are_not_finite_are_left_out():
    bounds = bounds_from_samples(1.0, np.array([1.0, np.nan, 1.0, np.inf]))
    assert bounds == (1.0, 1.0)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((1.0, np.array([np.nan])), "at least one finite number, got shape"),
        ((1.0, np.array([])), "got shape \\(0,\\)"),
    ],
)
def test_no_samples_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        bounds_from_samples(*arguments)


def test_level_is_checked():
    with pytest.raises(ValueError, match="level must lie between 0 and 1, got 2"):
        bounds_from_samples(1.0, np.ones(3), level=2)


def test_absent_parameters_show_their_prior():
    table = build_parameter_table({"theta_E": 1.2}, {}, {"theta_E": np.full(5, 1.2)}, {})
    assert table.meta["unconstrained"] == [name for name in NINE if name != "b"]
    for name in table.meta["unconstrained"]:
        declared = REPORTED_PARAMETERS.by_name(name)
        assert tuple(table[name][1:].value) == declared.prior
        assert declared.prior[0] <= table[name][0].value <= declared.prior[1]
        assert table[name].unit == declared.unit
    assert table["kappa_s"][0] == 0
    assert table["q"][0] == 1


def test_parameters_without_samples_show_their_prior():
    table = build_parameter_table({"theta_E": 1.2, "x0": 0.1, "y0": 0.0}, {}, {}, {})
    assert table["b"][0] == 1.2 * u.arcsec
    assert tuple(table["b"][1:].value) == REPORTED_PARAMETERS.by_name("b").prior
    assert "b" in table.meta["unconstrained"]


def test_further_parameters_follow_the_nine():
    table = build_parameter_table(
        {"theta_E": 1.2, "slope": 2.1},
        {"half_light_radius": 0.8},
        {"slope": np.linspace(2.0, 2.2, 101)},
        {"slope": u.dimensionless_unscaled, "light_half_light_radius": u.arcsec},
    )
    assert table.colnames == ["row", *NINE, "slope", "light_half_light_radius"]
    np.testing.assert_allclose(table["slope"].value, [2.1, 2.032, 2.168], rtol=1e-12)
    assert np.isinf(table["light_half_light_radius"][1:].value).all()


def test_derived_bounds_come_sample_by_sample(rng):
    """The bounds of q are those of the samples' q, not q of the components' bounds."""
    e1, e2 = 0.02 * rng.normal(size=(2, 5000))
    lens = {"e1": 0.0, "e2": 0.0}
    table = build_parameter_table(lens, {}, {"e1": e1, "e2": e2}, {})
    e = np.hypot(e1, e2)
    expected = np.quantile((1 - e) / (1 + e), [0.16, 0.84])
    np.testing.assert_allclose(table["q"][1:].value, expected, rtol=1e-12)
