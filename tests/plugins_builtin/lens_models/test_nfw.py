"""The NFW halo against lenstronomy and high precision, at its special points."""

from __future__ import annotations

import math

import mpmath
import pytest
import torch

from astrorim_plugins.lens_models import NFW
from astrorim_plugins.lens_models.nfw import nfw_convergence, nfw_deflection, nfw_potential


def translate(params):
    return {
        "Rs": params["rs"],
        "alpha_Rs": 4 * params["kappa_s"] * params["rs"] * (1 - math.log(2)),
        "center_x": params["x0"],
        "center_y": params["y0"],
    }


def test_agrees_with_lenstronomy(compare_with_lenstronomy):
    compare_with_lenstronomy(NFW(), "NFW", translate)


def exact_A(x):
    y = 1 - x * x
    if y == 0:
        return mpmath.mpf(1)
    root = mpmath.sqrt(abs(y))
    return (mpmath.atanh(root) if y > 0 else mpmath.atan(root)) / root


def exact_potential(x):
    return 2 * (mpmath.log(x / 2) ** 2 - (1 - x * x) * exact_A(x) ** 2)


def exact_deflection(x):
    return 4 * (mpmath.log(x / 2) + exact_A(x)) / x


def exact_convergence(x):
    if x == 1:
        return mpmath.mpf(2) / 3
    return 2 * (exact_A(x) - 1) / (1 - x * x)


X_VALUES = (
    1e-5,
    1e-4,
    1e-2,
    0.1,
    0.5,
    0.974,
    0.975,
    1 - 1e-9,
    1.0,
    1.02,
    1.03,
    3,
    50,
)


@pytest.mark.parametrize("x", X_VALUES)
def test_value_and_gradient_against_high_precision(x):
    """kappa_s = 1, rs = 1; derivatives from fifty digits, across every switch of formulas."""
    mpmath.mp.dps = 50
    pairs = (
        (nfw_potential, exact_potential),
        (lambda *args: nfw_deflection(*args)[0], exact_deflection),
        (nfw_convergence, exact_convergence),
    )
    for function, exact in pairs:
        position = torch.tensor(x, dtype=torch.float64, requires_grad=True)
        zero, one = torch.zeros((), dtype=torch.float64), torch.ones((), dtype=torch.float64)
        value = function(position, zero, one, one)
        (slope,) = torch.autograd.grad(value, position)
        x_, step = mpmath.mpf(x), mpmath.mpf(10) ** -15
        difference = (exact(x_ + step) - exact(x_ - step)) / (2 * step)
        assert float(value.detach()) == pytest.approx(float(exact(x_)), rel=1e-11)
        assert float(slope) == pytest.approx(float(difference), rel=1e-10)


@pytest.mark.parametrize("function", [nfw_potential, nfw_deflection, nfw_convergence])
def test_single_precision_is_that_of_the_numbers(function):
    """Inside the scale radius two terms cancel, which must not cost digits."""
    radius = torch.logspace(-3, 1.5, 4001, dtype=torch.float64)
    zero, kappa_s, rs = torch.tensor([0.0, 0.2, 10.0], dtype=torch.float64)
    exact = function(radius, zero, kappa_s, rs)
    single = function(radius.float(), zero.float(), kappa_s.float(), rs.float())
    exact, single = (v[0] if isinstance(v, tuple) else v for v in (exact, single))
    # beside the scale radius the convergence divides by 0.05
    torch.testing.assert_close(single.double(), exact, rtol=2e-5, atol=0)


def test_deflection_at_the_scale_radius():
    """4 kappa_s rs (1 + ln 1/2), which lenstronomy calls alpha_Rs."""
    rs, kappa_s = torch.tensor([7.0, 0.15], dtype=torch.float64)
    alpha, _ = nfw_deflection(rs, torch.zeros_like(rs), kappa_s, rs)
    assert float(alpha) == pytest.approx(4 * 0.15 * 7 * (1 + math.log(0.5)), rel=1e-14)
