"""Mean convergence and critical curves of every kind of lens."""

from __future__ import annotations

import numpy as np
import pytest

from astrorim.plugins import load_plugins
from astrorim.results.apertures import (
    critical_curve,
    effective_einstein_radius,
    mean_convergence_inside,
    ring_convergence,
)


def lens(number=3):
    model = load_plugins().lens_models.resolve("sie+shear")
    params = {
        "theta_E": np.linspace(0.5, 2.0, number), "e1": np.linspace(-0.3, 0.2, number),
        "e2": np.full(number, 0.1), "x0": np.linspace(-0.2, 0.2, number),
        "y0": np.full(number, 0.05), "gamma1": np.full(number, 0.05),
        "gamma2": np.full(number, -0.1),
    }  # fmt: skip
    return model, params


def test_gauss_theorem_agrees_with_the_area_integral():
    """d(R^2 mean)/dR = 2 R kappa(R), by a fine central difference."""
    model, params = lens()
    radius, step = np.full((3, 1), 0.8), 1e-4
    outer = mean_convergence_inside(model, params, radius + step) * (radius + step) ** 2
    inner = mean_convergence_inside(model, params, radius - step) * (radius - step) ** 2
    slope = (outer - inner) / (2 * step) / (2 * radius)
    np.testing.assert_allclose(slope, ring_convergence(model, params, radius), rtol=1e-7)


def test_quadrature_has_converged():
    model, params = lens()
    radius = np.full((3, 2), [0.3, 1.5])
    coarse = mean_convergence_inside(model, params, radius, num_angles=256)
    fine = mean_convergence_inside(model, params, radius, num_angles=2048)
    np.testing.assert_allclose(coarse, fine, rtol=1e-11)


def test_mean_convergence_is_one_at_the_radius():
    model, params = lens(50)
    radius = effective_einstein_radius(model, params)
    mean = mean_convergence_inside(model, params, radius[:, None])
    np.testing.assert_allclose(mean, 1.0, rtol=1e-11)


def test_no_mass_no_radius():
    model, params = lens(2)
    params["theta_E"] = np.array([1.0, 0.0])
    radius = effective_einstein_radius(model, params)
    assert np.isfinite(radius[0])
    assert np.isnan(radius[1])


def test_chunks_do_not_change_the_result(monkeypatch):
    model, params = lens(5)
    whole = effective_einstein_radius(model, params)
    monkeypatch.setattr("astrorim.results.apertures._CHUNK", 1)
    np.testing.assert_array_equal(effective_einstein_radius(model, params), whole)


@pytest.mark.parametrize("gamma1", [0.0, 0.1, -0.2])
def test_critical_curve_agrees_with_lenstronomy(gamma1):
    """The magnification diverges on it, in an independent code."""
    from lenstronomy.LensModel.lens_model import LensModel

    model = load_plugins().lens_models.resolve("sie+shear")
    params = {
        "theta_E": 1.2, "e1": 0.1, "e2": -0.15, "x0": 0.1, "y0": 0.0, "gamma1": gamma1,
        "gamma2": 0.05,
    }  # fmt: skip
    x, y = critical_curve(model, params).T
    reference = LensModel(["SIE", "SHEAR"])
    keywords = [
        {"theta_E": 1.2, "e1": 0.1, "e2": -0.15, "center_x": 0.1, "center_y": 0.0},
        {"gamma1": gamma1, "gamma2": 0.05},
    ]
    fxx, fxy, fyx, fyy = reference.hessian(x, y, keywords)
    determinant = (1 - fxx) * (1 - fyy) - fxy * fyx
    # lenstronomy softens its SIE
    np.testing.assert_allclose(determinant, 0.0, atol=1e-5)
