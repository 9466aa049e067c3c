"""Shapes of convergence contours and critical curves in closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest

from astrorim.plugins import load_plugins
from astrorim.results.mass_shape import (
    contour_ellipticity,
    convergence_on_circle,
    critical_radius,
)

ANGLES = np.linspace(0, 2 * math.pi, 24, endpoint=False)
SIE = {"theta_E": 1.3, "e1": 0.15, "e2": -0.1, "x0": 0.03, "y0": -0.02}
ROUND = SIE | {"e1": 0.0, "e2": 0.0}
SHEAR = {"gamma1": 0.05, "gamma2": -0.08}


def resolve(name):
    return load_plugins().lens_models.resolve(name)


def one(params):
    return {name: np.array([value]) for name, value in params.items()}


def test_convergence_of_a_round_lens_is_the_same_all_around():
    kappa = convergence_on_circle(resolve("sie"), one(ROUND), 0.65, ANGLES)
    assert kappa.shape == (1, 1, 24)
    np.testing.assert_allclose(kappa, 1.0, rtol=1e-9)


@pytest.mark.parametrize("e", [(0.15, -0.1), (0.0, 0.3), (0.4, 0.1)])
def test_ellipticity_of_an_isothermal_ellipsoid_is_its_own(e):
    params = SIE | {"e1": e[0], "e2": e[1]}
    found = contour_ellipticity(resolve("sie"), one(params), np.array([0.2, 1.3, 4.0]))
    np.testing.assert_allclose(found, complex(*e), rtol=1e-4)


def test_shear_does_not_show_in_the_shape_of_the_mass():
    found = contour_ellipticity(resolve("sie+shear"), one(SIE | SHEAR), np.array([1.0]))
    np.testing.assert_allclose(found, complex(0.15, -0.1), rtol=1e-4)


def test_contours_that_do_not_close_are_nan():
    """A mass sheet has the same convergence everywhere."""
    found = contour_ellipticity(
        resolve("mass-sheet"), {"kappa_sheet": np.array([0.3])}, np.array([1.0])
    )
    assert np.isnan(found).all()


def test_critical_curve_of_an_isothermal_ellipsoid_is_a_contour_of_one_half():
    radius = critical_radius(resolve("sie"), one(SIE), ANGLES, np.array([1.2]))
    kappa = convergence_on_circle(resolve("sie"), one(SIE), radius[:, None], ANGLES)
    np.testing.assert_allclose(kappa, 0.5, rtol=1e-6)


def test_critical_curve_of_a_sheared_sphere():
    """det(diag(1 - g, 1 + g) - t t^T theta_E / r) = 0 with t tangential."""
    params = one(ROUND | {"x0": 0.0, "y0": 0.0, "gamma1": 0.05, "gamma2": 0.0})
    radius = critical_radius(resolve("sie+shear"), params, ANGLES, np.array([1.2]))
    expected = 1.3 * (1 - 0.05 * np.cos(2 * ANGLES)) / (1 - 0.05**2)
    np.testing.assert_allclose(radius[0], expected, rtol=1e-6)


def test_rays_without_a_critical_point_are_nan():
    radius = critical_radius(resolve("sie"), one(ROUND), ANGLES, np.array([30.0]))
    assert np.isnan(radius).all()
