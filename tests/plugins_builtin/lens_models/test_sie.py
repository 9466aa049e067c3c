"""The singular isothermal ellipsoid against lenstronomy and its exact series."""

from __future__ import annotations

import math

import mpmath
import pytest
import torch

from astrorim.lensing.special import MIN_RADIUS
from astrorim_plugins.lens_models import SIE, SIS
from astrorim_plugins.lens_models.sie import sie_deflection

MODEL = SIE()


def translate(params):
    return {
        "theta_E": params["theta_E"],
        "e1": params["e1"],
        "e2": params["e2"],
        "center_x": params["x0"],
        "center_y": params["y0"],
    }


def test_agrees_with_lenstronomy(compare_with_lenstronomy):
    """Its SIE takes second derivatives by differences, good to 1e-5; its EPL is exact."""
    compare_with_lenstronomy(MODEL, "SIE", translate, hessian_profile="EPL")


def exact_deflection(x, y, theta_E, e1, e2):
    """Tessore & Metcalf (2015), eq. 13, with forty digits."""
    z, epsilon = mpmath.mpc(x, y), mpmath.mpc(e1, e2)
    Z = z - epsilon * mpmath.conj(z)
    zeta = mpmath.conj(epsilon) * Z / mpmath.conj(Z)
    series = mpmath.hyp2f1(1, mpmath.mpf(1) / 2, mpmath.mpf(3) / 2, -zeta)
    return theta_E * mpmath.sqrt(1 - abs(epsilon) ** 2) * Z / abs(Z) * series


@pytest.mark.parametrize("ellipticity", [0, 1e-12, 2.9e-8, 3.1e-8, 1e-6, 1e-3, 0.1, 0.6, 0.81])
@pytest.mark.parametrize(
    ("dtype", "value_limit", "gradient_limit"),
    [(torch.float64, 1e-13, 1e-7), (torch.float32, 5e-6, 2e-3)],
    ids=str,
)
def test_value_and_gradient_near_the_circle(ellipticity, dtype, value_limit, gradient_limit):
    """Gradients by (e1, e2) are right at e = 0 and at the switch of formulas.

    Their limit is that of the switch, sqrt(epsilon); it is documented in the function.
    """
    mpmath.mp.dps = 40
    values = (0.7, -0.4, 1.2, ellipticity * math.cos(1.1), ellipticity * math.sin(1.1))
    inputs = [torch.tensor(value, dtype=dtype, requires_grad=True) for value in values]
    exact_inputs = [mpmath.mpf(float(tensor.detach())) for tensor in inputs]
    alpha = sie_deflection(*inputs)
    exact = exact_deflection(*exact_inputs)
    for i, part in enumerate((exact.real, exact.imag)):
        assert abs(float(alpha[i].detach()) - float(part)) < value_limit
    gradients = [torch.autograd.grad(part, inputs, retain_graph=True) for part in alpha]
    step = mpmath.mpf(10) ** -12
    for j in range(len(inputs)):
        up, down = list(exact_inputs), list(exact_inputs)
        up[j] += step
        down[j] -= step
        slope = (exact_deflection(*up) - exact_deflection(*down)) / (2 * step)
        for i, part in enumerate((slope.real, slope.imag)):
            assert abs(float(gradients[i][j]) - float(part)) < gradient_limit


def test_centre():
    """Zero deflection, zero slope; the convergence of the guard's radius."""
    inputs = [torch.zeros((), dtype=torch.float64, requires_grad=True) for _ in range(2)]
    params = {
        name: torch.tensor(value, dtype=torch.float64)
        for name, value in {"theta_E": 1.2, "e1": 0.1, "e2": 0.2, "x0": 0, "y0": 0}.items()
    }
    alpha = MODEL.deflection(*inputs, params)
    assert [float(part.detach()) for part in alpha] == [0, 0]
    assert [float(g) for g in torch.autograd.grad(alpha[0], inputs)] == [0, 0]
    kappa = MODEL.convergence(*inputs, params)
    assert float(kappa.detach()) == pytest.approx(1.2 / (2 * MIN_RADIUS), rel=1e-12)


def test_position_angle_is_kept_beyond_the_unit_disk():
    """Corners of the support are evaluated at an axis ratio of 0.1."""
    x, y = torch.linspace(-1, 1, 5, dtype=torch.float64), torch.tensor(0.3).double()
    theta_E = torch.tensor(1.0).double()
    limit = torch.tensor(9 / 11 / math.sqrt(2), dtype=torch.float64)
    corner = torch.tensor(0.8, dtype=torch.float64)
    torch.testing.assert_close(
        sie_deflection(x, y, theta_E, corner, -corner),
        sie_deflection(x, y, theta_E, limit, -limit),
    )


def test_circular_limit_is_the_sphere(generator):
    x, y = torch.rand(2, 100, generator=generator, dtype=torch.float64) - 0.5
    zero = torch.zeros((), dtype=torch.float64)
    params = {"theta_E": zero + 1.3, "e1": zero, "e2": zero, "x0": zero, "y0": zero}
    torch.testing.assert_close(
        MODEL.deflection(x, y, params), SIS().deflection(x, y, params), rtol=1e-14, atol=1e-15
    )


def test_mean_convergence_inside_the_critical_ellipse_is_one():
    """theta_E is the product average: mass inside R = theta_E is pi theta_E^2."""
    theta_E, q, phi = 1.3, 0.6, 0.7
    modulus = (1 - q) / (1 + q)
    radius = (torch.arange(2000, dtype=torch.float64)[:, None] + 0.5) / 2000 * theta_E
    angle = torch.arange(64, dtype=torch.float64) * 2 * math.pi / 64
    u, v = radius * torch.cos(angle) / math.sqrt(q), radius * torch.sin(angle) * math.sqrt(q)
    x = u * math.cos(phi) - v * math.sin(phi)
    y = u * math.sin(phi) + v * math.cos(phi)
    params = {
        "theta_E": theta_E,
        "e1": modulus * math.cos(2 * phi),
        "e2": modulus * math.sin(2 * phi),
        "x0": 0.0,
        "y0": 0.0,
    }
    params = {name: torch.tensor(value, dtype=torch.float64) for name, value in params.items()}
    kappa = MODEL.convergence(x, y, params)
    torch.testing.assert_close(kappa, (theta_E / 2 / radius).expand_as(kappa))
    mean = (kappa * radius).sum() / radius.expand_as(kappa).sum()
    assert float(mean) == pytest.approx(1, abs=1e-10)
