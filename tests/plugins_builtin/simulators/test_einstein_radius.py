from __future__ import annotations

import math

import torch

from astrorim.plugins import load_plugins
from astrorim_plugins.simulators.einstein_radius import effective_einstein_radius


def tensor(values, dtype):
    return torch.tensor(values, dtype=dtype)


def test_a_round_lens_has_its_einstein_radius_whatever_the_shear(dtype):
    model = load_plugins().lens_models.resolve("sie+shear")
    params = {
        "theta_E": tensor([0.9, 1.37], dtype),
        "e1": tensor([0.0, 0.0], dtype),
        "e2": tensor([0.0, 0.0], dtype),
        "x0": tensor([0.03, -0.2], dtype),
        "y0": tensor([-0.01, 0.1], dtype),
        "gamma1": tensor([0.0, 0.1], dtype),
        "gamma2": tensor([0.05, 0.0], dtype),
    }
    radius = effective_einstein_radius(model, params)
    torch.testing.assert_close(radius, params["theta_E"], rtol=1e-5, atol=0)


def test_the_mean_convergence_of_an_ellipse_inside_it_is_one(dtype):
    model = load_plugins().lens_models.create("sie")
    params = {
        "theta_E": tensor([1.2], dtype),
        "e1": tensor([0.3], dtype),
        "e2": tensor([-0.2], dtype),
        "x0": tensor([0.0], dtype),
        "y0": tensor([0.0], dtype),
    }
    radius = effective_einstein_radius(model, params)
    step = float(radius) / 400
    axis = (torch.arange(800, dtype=dtype) - 399.5) * step
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    kappa = model.convergence(
        x[None], y[None], {name: value[:, None, None] for name, value in params.items()}
    )[0]
    inside = x**2 + y**2 <= radius**2
    assert abs(float(kappa[inside].mean()) - 1) < 5e-3  # pixels at the cusp and the edge


def test_a_lens_too_weak_to_focus_has_none(dtype):
    model = load_plugins().lens_models.create("shear")
    params = {"gamma1": tensor([0.05], dtype), "gamma2": tensor([0.0], dtype)}
    assert bool(torch.isnan(effective_einstein_radius(model, params)).all())


def test_a_galaxy_in_a_halo_has_the_radius_of_both(dtype):
    """Root of theta_E + alpha_NFW(R) = R, by bisection."""
    plugins = load_plugins()
    model, halo = plugins.lens_models.resolve("sie+nfw"), plugins.lens_models.create("nfw")
    own = {"kappa_s": 0.15, "rs": 6.0, "x0": 0.0, "y0": 0.0}
    galaxy = {"theta_E": 0.004, "e1": 0.0, "e2": 0.0}
    scalar = {name: torch.tensor(value, dtype=torch.float64) for name, value in own.items()}
    low, high = 1e-3, 20.0
    for _ in range(60):
        middle = math.sqrt(low * high)
        alpha, _ = halo.deflection(
            torch.tensor(middle, dtype=torch.float64),
            torch.zeros((), dtype=torch.float64),
            scalar,
        )
        low, high = (middle, high) if galaxy["theta_E"] + alpha > middle else (low, middle)
    params = {name: tensor([value], dtype) for name, value in (own | galaxy).items()}
    radius = effective_einstein_radius(model, params)
    torch.testing.assert_close(radius, tensor([low], dtype), rtol=2e-5, atol=0)
