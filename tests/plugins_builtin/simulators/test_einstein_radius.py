from __future__ import annotations

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
