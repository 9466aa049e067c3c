"""The elliptical power law against lenstronomy and exact hypergeometric functions."""

from __future__ import annotations

import cmath

import mpmath
import pytest
import torch

from astrorim.testing import draw_parameters, largest_deviation
from astrorim.testing.checks import report
from astrorim_plugins.lens_models import SIE, PowerLaw
from astrorim_plugins.lens_models.power_law import angular_factor

MODEL = PowerLaw()


def translate(params):
    return {
        "theta_E": params["theta_E"],
        "gamma": params["slope"],
        "e1": params["e1"],
        "e2": params["e2"],
        "center_x": params["x0"],
        "center_y": params["y0"],
    }


def test_agrees_with_lenstronomy(compare_with_lenstronomy):
    compare_with_lenstronomy(MODEL, "EPL", translate)


@pytest.mark.parametrize(("axis_ratio", "limit"), [(0.5, 1e-14), (0.2, 1e-14), (0.1, 1e-10)])
def test_expansion_reaches_its_documented_accuracy(axis_ratio, limit, record_property):
    modulus = (1 - axis_ratio) / (1 + axis_ratio)
    worst = 0.0
    for slope in (1.2, 1.7, 2.0, 2.3, 2.8):
        b = mpmath.mpf(slope - 1) / 2
        for k in range(9):
            zeta = modulus * cmath.exp(1j * k * cmath.pi / 8)
            ours = angular_factor(
                *(torch.tensor(v, dtype=torch.float64) for v in (zeta.real, zeta.imag)),
                torch.tensor(slope - 1, dtype=torch.float64),
            )
            exact = complex(mpmath.hyp2f1(1, b, 2 - b, -zeta))
            worst = max(worst, abs(complex(*map(float, ours)) - exact) / abs(exact))
    report(record_property, f"epl: angular factor at q = {axis_ratio}", worst, limit)


def test_isothermal_slope_is_the_sie(generator):
    """Two derivations of one model, value and gradient by every shared parameter."""
    params = draw_parameters(SIE.parameters, (20, 1), generator)
    x, y = 4 * torch.rand(2, 20, 50, generator=generator, dtype=torch.float64) - 2
    inputs = [tensor.requires_grad_() for tensor in (x, y, *params.values())]
    slope = torch.full((20, 1), 2.0, dtype=torch.float64)
    for i in range(2):
        sie = SIE().deflection(x, y, params)[i]
        epl = MODEL.deflection(x, y, params | {"slope": slope})[i]
        assert largest_deviation(epl, sie) < 1e-12
        pairs = zip(
            torch.autograd.grad(epl.sum(), inputs),
            torch.autograd.grad(sie.sum(), inputs),
            strict=True,
        )
        for ours, theirs in pairs:
            assert largest_deviation(ours, theirs) < 1e-10
