"""Deflection by the components that a lens has."""

from __future__ import annotations

import pytest
import torch

from astrorim.plugins import load_plugins
from astrorim_plugins.simulators.deflection import deflection_of_present

SUM = "sie+shear+nfw@group+sis@sub1+sis@sub2"


def batch(dtype, generator, present):
    """Four lenses; ``present`` says which have each of the optional components."""
    model = load_plugins().lens_models.resolve(SUM)
    params = {
        p.name: 0.2 + 0.1 * torch.rand((4, 1, 1), dtype=dtype, generator=generator)
        for p in model.parameters
    }
    for name, rows in present.items():
        lacking = [i for i in range(4) if i not in rows]
        params[name][lacking] = 0
    x, y = torch.randn((2, 4, 7, 9), dtype=dtype, generator=generator)
    return model, x, y, params


@pytest.mark.parametrize(
    "present",
    [
        {},
        {"theta_E_sub1": (), "theta_E_sub2": (), "kappa_s_group": ()},
        {"theta_E_sub1": (0, 2), "theta_E_sub2": (1,), "kappa_s_group": (3,)},
        {"theta_E": (1, 2), "theta_E_sub1": (), "kappa_s_group": (0,)},
    ],
    ids=["all", "none", "some", "without the main one"],
)
def test_it_is_the_deflection_of_the_sum(present, dtype, generator):
    model, x, y, params = batch(dtype, generator, present)
    for own, whole in zip(
        deflection_of_present(model, x, y, params), model.deflection(x, y, params), strict=True
    ):
        torch.testing.assert_close(own, whole)


@pytest.mark.parametrize("rows", [(), (2,)])
def test_the_first_component_may_be_absent(rows, dtype, generator):
    model = load_plugins().lens_models.resolve("sis+sis@2")
    x, y = torch.randn((2, 4, 5, 6), dtype=dtype, generator=generator)
    strength = torch.zeros((4, 1, 1), dtype=dtype)
    strength[list(rows)] = 1.0
    zero = torch.zeros_like(strength)
    params = {"theta_E": strength, "x0": zero, "y0": zero}
    params |= {"theta_E_2": 0 * strength, "x0_2": zero + 1, "y0_2": zero}
    alpha = deflection_of_present(model, x, y, params)
    expected = model.deflection(x, y, params)
    for own, whole in zip(alpha, expected, strict=True):
        torch.testing.assert_close(own, whole)


def test_a_single_model_is_asked_directly(dtype, generator):
    model = load_plugins().lens_models.resolve("sie")
    x, y = torch.randn((2, 1, 3, 3), dtype=dtype, generator=generator)
    params = {p.name: torch.full((1, 1, 1), 0.1, dtype=dtype) for p in model.parameters}
    alpha = deflection_of_present(model, x, y, params)
    for own, whole in zip(alpha, model.deflection(x, y, params), strict=True):
        assert torch.equal(own, whole)
